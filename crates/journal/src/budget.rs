//! A local limit on events per rolling hour and token, in front of Meta's own.

use std::collections::HashMap;

const MINUTE_MS: u64 = 60_000;
const MINUTES: u64 = 60;

/// The events of the last hour, by the minute.
///
/// The oldest minute counts whole until it is over, so an hour's limit is kept a little too well.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    minutes: HashMap<u64, usize>,
}

impl Budget {
    /// How many events may go now, of `limit` an hour.
    pub(crate) fn left(&mut self, limit: Option<usize>, now_ms: u64) -> usize {
        let Some(limit) = limit else {
            return usize::MAX;
        };
        self.forget(now_ms);
        limit.saturating_sub(self.minutes.values().sum())
    }

    /// Forgets what is over, and what a clock that was set back has left in the future.
    fn forget(&mut self, now_ms: u64) {
        let now = now_ms / MINUTE_MS;
        let hour = now.saturating_sub(MINUTES - 1)..=now;
        self.minutes.retain(|minute, _| hour.contains(minute));
    }

    /// Whether nothing was taken in the last hour.
    pub(crate) fn is_untouched(&mut self, now_ms: u64) -> bool {
        self.forget(now_ms);
        self.minutes.is_empty()
    }

    /// Takes events from the budget.
    pub(crate) fn take(&mut self, events: usize, now_ms: u64) {
        self.forget(now_ms);
        self.add(events, now_ms);
    }

    /// Counts events that were sent at this time.
    pub(crate) fn add(&mut self, events: usize, at_ms: u64) {
        *self.minutes.entry(at_ms / MINUTE_MS).or_default() += events;
    }

    /// Gives events back that were taken at this time and not sent.
    pub(crate) fn give_back(&mut self, events: usize, at_ms: u64) {
        if let Some(taken) = self.minutes.get_mut(&(at_ms / MINUTE_MS)) {
            *taken = taken.saturating_sub(events);
        }
    }

    /// When the next events will be free, in milliseconds since 1970.
    pub(crate) fn free_at_ms(&self, now_ms: u64) -> u64 {
        let oldest = self.minutes.keys().min().copied();
        let free = oldest.map_or(0, |minute| (minute + MINUTES) * MINUTE_MS);
        free.max(now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_the_limit_and_then_it_goes_on() {
        let mut budget = Budget::default();
        let start_ms = 1_700_000_040_000;
        assert_eq!(budget.left(Some(1_000), start_ms), 1_000);
        budget.take(600, start_ms);
        budget.take(400, start_ms + 5 * MINUTE_MS);
        assert_eq!(budget.left(Some(1_000), start_ms + 6 * MINUTE_MS), 0);
        let free_ms = budget.free_at_ms(start_ms + 6 * MINUTE_MS);
        assert!(free_ms <= start_ms + 61 * MINUTE_MS);
        assert_eq!(budget.left(Some(1_000), free_ms - 1), 0);
        assert_eq!(budget.left(Some(1_000), free_ms), 600);
    }

    #[test]
    fn no_limit_is_no_limit() {
        let mut budget = Budget::default();
        budget.take(1_000_000, 0);
        assert_eq!(budget.left(None, 0), usize::MAX);
    }

    #[test]
    fn what_was_not_sent_is_given_back_to_its_minute() {
        let mut budget = Budget::default();
        let start_ms = 7 * MINUTE_MS + 5_000;
        budget.take(1_000, start_ms);
        budget.take(5, start_ms + MINUTE_MS);
        budget.give_back(999, start_ms);
        assert_eq!(budget.left(Some(1_000), start_ms + MINUTE_MS), 994);
        // Never more than was taken, and nothing of an hour that is over.
        budget.give_back(7, start_ms);
        budget.give_back(7, start_ms + 5 * MINUTE_MS);
        assert_eq!(budget.left(Some(1_000), start_ms + MINUTE_MS), 995);
    }

    #[test]
    fn what_was_sent_before_the_start_counts_in_its_minutes() {
        let mut budget = Budget::default();
        for (minute, events) in [(58, 20), (3, 300), (59, 1)] {
            budget.add(events, minute * MINUTE_MS);
        }
        assert_eq!(budget.left(Some(1_000), 59 * MINUTE_MS), 679);
        assert_eq!(budget.left(Some(1_000), 63 * MINUTE_MS), 979);
    }
}
