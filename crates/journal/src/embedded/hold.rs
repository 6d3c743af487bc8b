//! The events of one lane that are on hold: they wait, but are not due yet.
//!
//! About 200 bytes an event, until it is due.

use std::collections::{BTreeMap, BTreeSet};

use super::slot::Slot;
use crate::types::EventKey;

/// How much longer than it was to last a hold may seem to last, in milliseconds: clocks are corrected by a little all
/// the time.
const SLACK_MS: u64 = 60_000;

/// Events on hold.
#[derive(Default)]
pub(super) struct Holds {
    by_key: BTreeMap<i64, Held>,
    by_due: BTreeSet<(u64, i64)>,
    by_expiry: BTreeSet<(i64, i64)>,
    /// When it was looked last which events are due; `None` before the first look.
    looked_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    slot: Slot,
    due_ms: u64,
}

impl Held {
    /// Whether more is left than the hold is long, so that the clock must have been set back since the event came.
    /// When it would be due is not known then.
    fn is_of_another_time(&self, now_ms: u64) -> bool {
        let length_ms = self.due_ms.saturating_sub(self.slot.accepted_ms());
        let left_ms = self.due_ms.saturating_sub(now_ms);
        left_ms > length_ms.saturating_add(SLACK_MS)
    }
}

impl Holds {
    pub(super) fn insert(&mut self, slot: Slot, due_ms: u64) {
        let key = slot.key().0;
        self.remove(slot.key());
        self.by_key.insert(key, Held { slot, due_ms });
        self.by_due.insert((due_ms, key));
        self.by_expiry.insert((slot.expires_s(), key));
    }

    /// Takes an event out, with the time at which it would have been due.
    pub(super) fn remove(&mut self, key: EventKey) -> Option<(Slot, u64)> {
        let Held { slot, due_ms } = self.by_key.remove(&key.0)?;
        self.by_due.remove(&(due_ms, key.0));
        self.by_expiry.remove(&(slot.expires_s(), key.0));
        Some((slot, due_ms))
    }

    /// Takes out what is due.
    pub(super) fn release(&mut self, now_ms: u64) -> Vec<Slot> {
        let was_set_back = self.looked_ms.is_none_or(|looked_ms| now_ms < looked_ms);
        self.looked_ms = Some(now_ms);
        let mut due: Vec<_> = self.by_due.range(..=(now_ms, i64::MAX)).copied().collect();
        if was_set_back {
            let others = self.by_key.iter();
            let others = others.filter(|(_, held)| held.is_of_another_time(now_ms));
            due.extend(others.map(|(key, held)| (held.due_ms, *key)));
        }
        let released = due
            .iter()
            .filter_map(|(_, key)| self.remove(EventKey(*key)));
        released.map(|(slot, _)| slot).collect()
    }

    pub(super) fn contains(&self, key: EventKey) -> bool {
        self.by_key.contains_key(&key.0)
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// In order.
    pub(super) fn keys(&self) -> impl Iterator<Item = i64> {
        self.by_key.keys().copied()
    }

    /// When the first expires.
    pub(super) fn first_expiry_s(&self) -> Option<i64> {
        self.by_expiry.first().map(|(expires_s, _)| *expires_s)
    }

    /// When the first is due.
    pub(super) fn next_due_ms(&self) -> Option<u64> {
        self.by_due.first().map(|(due_ms, _)| *due_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF_HOUR_MS: u64 = 1_800_000;

    /// Events that came at 10,000,000 and later, a second apart, each to be held for half an hour.
    fn holds(keys: std::ops::Range<i64>) -> Holds {
        let mut holds = Holds::default();
        for key in keys {
            let accepted_ms = 10_000_000 + u64::try_from(key).unwrap() * 1_000;
            let slot = Slot::new(EventKey(key), accepted_ms, 1_000_000, 9);
            holds.insert(slot, accepted_ms + HALF_HOUR_MS);
        }
        holds
    }

    fn released(holds: &mut Holds, now_ms: u64) -> Vec<i64> {
        let slots = holds.release(now_ms);
        slots.iter().map(|slot| slot.key().0).collect()
    }

    #[test]
    fn what_is_due_is_released_once() {
        let mut holds = holds(0..4);
        assert_eq!(holds.next_due_ms(), Some(11_800_000));
        assert_eq!(holds.first_expiry_s(), Some(1_000_000));
        assert_eq!(released(&mut holds, 11_799_999), [] as [i64; 0]);
        assert_eq!(released(&mut holds, 11_801_000), [0, 1]);
        assert_eq!(holds.next_due_ms(), Some(11_802_000));
        assert!(holds.remove(EventKey(2)).is_some());
        assert_eq!(released(&mut holds, u64::MAX), [3]);
        assert_eq!((holds.len(), holds.next_due_ms()), (0, None));
        assert_eq!(holds.first_expiry_s(), None);
    }

    #[test]
    fn no_hold_lasts_longer_than_it_was_to_last_because_the_clock_was_set_back() {
        let mut holds = holds(0..2);
        assert_eq!(released(&mut holds, 10_002_000), [] as [i64; 0]);
        // A correction of less than a minute changes nothing.
        assert_eq!(released(&mut holds, 9_941_000), [] as [i64; 0]);
        // The other one would be held for one second longer.
        assert_eq!(released(&mut holds, 9_940_000), [1]);
        assert_eq!(released(&mut holds, 1_000), [0]);
    }

    #[test]
    fn after_a_start_the_clock_may_be_another_one() {
        let mut holds = holds(0..2);
        assert_eq!(released(&mut holds, 5_000_000), [0, 1]);
    }
}
