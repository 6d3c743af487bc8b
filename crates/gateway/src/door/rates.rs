//! How much a caller may bring in a second. Whoever has brought more waits until it is made up for.
//!
//! A caller may bring the amount of one second at once, and a request is never cut into pieces: one with more events
//! than fit into a second is taken, and the next waits so much longer, at most a minute. So a limit slows a caller down
//! and refuses nothing for good, and one that was mended holds within a minute.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Callers that are counted apart. All others count as one.
const CALLERS_MAX: usize = 4_096;

/// What may be brought at once, in the time that it takes by the rate.
const BURST_US: u64 = 1_000_000;

/// The longest that a caller waits, whatever it has brought.
const WAIT_MAX_US: u64 = 60 * BURST_US;

/// What callers have brought lately.
pub(crate) struct Rates<K>(Mutex<Owed<K>>);

/// For each caller, when it has made up for what it brought, in microseconds of a clock that is never set.
struct Owed<K> {
    by_caller: HashMap<K, u64>,
    others_us: u64,
    /// When those that owe nothing were last looked for.
    swept_us: u64,
}

impl<K> Default for Rates<K> {
    fn default() -> Self {
        Self(Mutex::new(Owed {
            by_caller: HashMap::new(),
            others_us: 0,
            swept_us: 0,
        }))
    }
}

impl<K: Eq + Hash> Rates<K> {
    /// How long a caller has to wait until it may bring more; `None` if it may now.
    pub(crate) fn wait(&self, caller: &K, now_ms: u64) -> Option<Duration> {
        // Times are whole numbers: there is no half-written state.
        let owed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let paid_us = owed.by_caller.get(caller).copied();
        let paid_us = paid_us.unwrap_or_else(|| owed.of_others());
        let wait_us = paid_us
            .saturating_sub(BURST_US)
            .saturating_sub(now_ms * 1_000);
        (wait_us > 0).then(|| Duration::from_micros(wait_us))
    }

    /// Counts what a caller has brought.
    pub(crate) fn brought(&self, caller: K, amount: usize, per_second: NonZeroU32, now_ms: u64) {
        let mut owed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at_us = now_ms * 1_000;
        let is_full = owed.by_caller.len() >= CALLERS_MAX;
        // Not for every stranger: looking through all of them takes longer than refusing one.
        if is_full && at_us.saturating_sub(owed.swept_us) >= BURST_US {
            owed.by_caller.retain(|_, paid_us| *paid_us > at_us);
            owed.swept_us = at_us;
        }
        let cost_us = (amount as u64).saturating_mul(BURST_US) / u64::from(per_second.get());
        let is_known = owed.by_caller.contains_key(&caller);
        let paid_us = if is_known || owed.by_caller.len() < CALLERS_MAX {
            owed.by_caller.entry(caller).or_default()
        } else {
            &mut owed.others_us
        };
        let latest_us = at_us + BURST_US + WAIT_MAX_US;
        *paid_us = at_us.max(*paid_us).saturating_add(cost_us).min(latest_us);
    }
}

impl<K> Owed<K> {
    /// What holds for a caller that is not counted apart.
    fn of_others(&self) -> u64 {
        if self.by_caller.len() < CALLERS_MAX {
            0
        } else {
            self.others_us
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(per_second: u32) -> NonZeroU32 {
        NonZeroU32::new(per_second).unwrap()
    }

    #[test]
    fn a_second_may_come_at_once_and_then_as_much_as_the_rate() {
        let rates = Rates::default();
        let mut taken = 0;
        for now_ms in 5_000..15_000 {
            if rates.wait(&"shop", now_ms).is_none() {
                rates.brought("shop", 1, rate(10), now_ms);
                taken += 1;
            }
        }
        // Ten a second for ten seconds, and ten at once.
        assert_eq!(taken, 110);
        assert_eq!(rates.wait(&"other", 14_999), None);
    }

    #[test]
    fn a_large_request_is_taken_and_made_up_for() {
        let rates = Rates::default();
        rates.brought("shop", 1_000, rate(100), 7_000);
        assert_eq!(rates.wait(&"shop", 7_000), Some(Duration::from_secs(9)));
        assert_eq!(rates.wait(&"shop", 15_999), Some(Duration::from_millis(1)));
        assert_eq!(rates.wait(&"shop", 16_000), None);
        // A caller that was quiet saves nothing up beyond its second.
        rates.brought("shop", 200, rate(100), 99_000);
        assert_eq!(rates.wait(&"shop", 99_000), Some(Duration::from_secs(1)));
    }

    #[test]
    fn no_caller_waits_longer_than_a_minute() {
        let rates = Rates::default();
        for _ in 0..50 {
            rates.brought("shop", 10_000, rate(10), 7_000);
        }
        assert_eq!(rates.wait(&"shop", 7_000), Some(Duration::from_mins(1)));
        assert_eq!(rates.wait(&"shop", 67_000), None);
    }

    #[test]
    fn callers_take_bounded_memory_and_none_is_free() {
        let rates = Rates::default();
        for caller in 0..20_000_u32 {
            rates.brought(caller, 2, rate(1), 1_000);
        }
        assert_eq!(rates.0.lock().unwrap().by_caller.len(), CALLERS_MAX);
        assert!(rates.wait(&1, 1_000).is_some(), "counted apart");
        assert!(rates.wait(&19_999, 1_000).is_some(), "counted with others");
        assert!(
            rates.wait(&50_000, 1_000).is_some(),
            "as long as there is no place"
        );
        // Those that owe nothing any more make room.
        rates.brought(30_000, 2, rate(1), 10_000_000);
        assert_eq!(rates.0.lock().unwrap().by_caller.len(), 1);
        assert_eq!(rates.wait(&19_999, 10_000_000), None);
    }
}
