//! The waiting events of one lane, in memory: which is next, and which expires soon.
//!
//! Arrival is in order of keys, so the line is a sorted queue; an event that leaves it out of turn is
//! marked in place. Events that are given back after the line has moved past their place wait in a small
//! ordered map beside it. A heap is ordered by expiry; its entries of events that are gone are skipped when
//! they are first. Together that is 40 bytes an event. Events that are not due yet are apart (`hold.rs`).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};

use super::hold::Holds;
use super::slot::{Slot, TAKEN};
use crate::journal::LeaseLimits;
use crate::types::{EventKey, Waiting};

/// An event that joins a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Joining {
    pub(super) slot: Slot,
    /// No lease takes it before this time.
    pub(super) due_ms: Option<u64>,
}

/// Entries of a structure below which tidying it is not worth the work.
const TIDY_FROM: usize = 4_096;

/// The waiting events of one lane.
#[derive(Default)]
pub(super) struct Queue {
    /// By key. The first is never a taken one.
    line: VecDeque<Slot>,
    /// How many of the line are not taken.
    in_line: usize,
    /// Of all that are ready, with a comma for each.
    ready_bytes: usize,
    /// By key: events that were given back after the line had moved past their place.
    returned: BTreeMap<i64, Slot>,
    /// Every ready event is in here at least once.
    by_expiry: BinaryHeap<Reverse<(i64, i64)>>,
    leased: HashMap<i64, Slot>,
    on_hold: Holds,
}

impl Queue {
    pub(super) fn ready(&self) -> usize {
        self.in_line + self.returned.len()
    }

    /// How many events are ready, and their bytes, and when the next is due; the other numbers are left out, because
    /// they take longer.
    pub(super) fn ready_sum(&self) -> Waiting {
        Waiting {
            ready: self.ready(),
            ready_bytes: self.ready_bytes,
            next_due_ms: self.on_hold.next_due_ms(),
            ..Waiting::default()
        }
    }

    /// Events that wait or are leased.
    pub(super) fn len(&self) -> usize {
        self.ready() + self.leased.len() + self.on_hold.len()
    }

    /// Takes in an event that may be on hold.
    pub(super) fn join(&mut self, joining: Joining) {
        match joining.due_ms {
            Some(due_ms) => self.on_hold.insert(joining.slot, due_ms),
            None => self.push(joining.slot),
        }
    }

    /// Puts an event at its place: mostly, behind all others.
    fn push(&mut self, slot: Slot) {
        let is_last = self.line.back().is_none_or(|last| last.key < slot.key);
        let before = if is_last {
            self.returned.remove(&slot.key)
        } else {
            self.ready_slot(slot.key)
        };
        self.ready_bytes -= before.map_or(0, Slot::bytes_sent);
        self.ready_bytes += slot.bytes_sent();
        if is_last {
            self.line.push_back(slot);
            self.in_line += 1;
        } else {
            self.put_back(slot);
        }
        self.by_expiry.push(Reverse((slot.expires_s(), slot.key)));
    }

    /// Puts an event where it was in the line, or beside the line if its place there is gone.
    fn put_back(&mut self, slot: Slot) {
        if let Some(place) = self.place(slot.key) {
            if self.line[place].bytes == TAKEN {
                self.in_line += 1;
            }
            self.line[place] = slot;
        } else {
            self.returned.insert(slot.key, slot);
        }
    }

    /// Takes events: urgent ones first, then in order of arrival.
    pub(super) fn lease(&mut self, limits: LeaseLimits) -> Vec<Slot> {
        for due in self.on_hold.release(limits.now_ms) {
            self.push(due);
        }
        let mut picked = Picked::new(limits);
        while let Some(slot) = self.first_to_expire()
            && slot.expires_s() < limits.urgent_before_s
        {
            if !picked.add(slot) {
                break;
            }
            self.take(slot);
        }
        while let Some(slot) = self.first_in_line() {
            if !picked.add(slot) {
                break;
            }
            self.take(slot);
        }
        self.tidy();
        picked.slots
    }

    /// Puts leased events back to their places. Says whether there were any.
    pub(super) fn give_back(&mut self, keys: impl IntoIterator<Item = EventKey>) -> bool {
        let before = self.leased.len();
        for key in keys {
            // An event that was settled meanwhile is not here any more.
            if let Some(slot) = self.leased.remove(&key.0) {
                self.push(slot);
            }
        }
        self.tidy();
        self.leased.len() < before
    }

    /// Takes out one event that waits, as a lease does, and says how it waited.
    pub(super) fn take_out(&mut self, key: EventKey) -> Option<Joining> {
        if let Some((slot, due_ms)) = self.on_hold.remove(key) {
            self.leased.insert(key.0, slot);
            let due_ms = Some(due_ms);
            return Some(Joining { slot, due_ms });
        }
        let slot = self.ready_slot(key.0)?;
        self.take(slot);
        Some(Joining { slot, due_ms: None })
    }

    /// Puts back an event that was taken out; it may wait otherwise than before.
    pub(super) fn bring_back(&mut self, event: Joining) {
        if self.leased.remove(&event.slot.key).is_some() {
            self.join(event);
        }
    }

    /// Removes an event that reached its final state, wherever it is. Says whether it was here.
    pub(super) fn forget(&mut self, key: EventKey) -> bool {
        if self.leased.remove(&key.0).is_some() || self.on_hold.remove(key).is_some() {
            return true;
        }
        let Some(slot) = self.ready_slot(key.0) else {
            return false;
        };
        self.unready(slot);
        true
    }

    /// Whether the event waits and is not leased.
    pub(super) fn is_free(&self, key: EventKey) -> bool {
        self.on_hold.contains(key) || self.ready_slot(key.0).is_some()
    }

    /// Whether the event waits or is leased.
    pub(super) fn contains(&self, key: EventKey) -> bool {
        self.leased.contains_key(&key.0) || self.is_free(key)
    }

    /// The first keys of those that wait or are leased, in order, at most `limit`.
    pub(super) fn first_keys(&self, limit: usize) -> Vec<EventKey> {
        let in_line = self.line.iter().filter(|slot| slot.bytes != TAKEN);
        let in_line = in_line.map(|slot| slot.key).take(limit);
        let returned = self.returned.keys().copied().take(limit);
        let on_hold = self.on_hold.keys().take(limit);
        let leased = self.leased.keys().copied();
        let waiting = in_line.chain(returned).chain(on_hold);
        let mut keys: Vec<_> = waiting.chain(leased).collect();
        keys.sort_unstable();
        keys.truncate(limit);
        keys.into_iter().map(EventKey).collect()
    }

    pub(super) fn waiting(&mut self) -> Waiting {
        let first_to_expire = self.first_to_expire();
        let heads = [self.line.front(), self.returned.values().next()];
        let oldest = heads.into_iter().flatten().chain(self.leased.values());
        let expiring = first_to_expire.iter().chain(self.leased.values());
        let expiries = expiring.map(|slot| slot.expires_s());
        Waiting {
            ready: self.ready(),
            ready_bytes: self.ready_bytes,
            leased: self.leased.len(),
            oldest_ms: oldest.map(|slot| slot.accepted_ms).min(),
            first_expiry_s: expiries.chain(self.on_hold.first_expiry_s()).min(),
            on_hold: self.on_hold.len(),
            next_due_ms: self.on_hold.next_due_ms(),
        }
    }

    fn place(&self, key: i64) -> Option<usize> {
        self.line.binary_search_by_key(&key, |slot| slot.key).ok()
    }

    fn ready_slot(&self, key: i64) -> Option<Slot> {
        let in_line = self.place(key).map(|place| self.line[place]);
        in_line
            .filter(|slot| slot.bytes != TAKEN)
            .or_else(|| self.returned.get(&key).copied())
    }

    fn first_in_line(&self) -> Option<Slot> {
        let heads = [self.line.front(), self.returned.values().next()];
        heads
            .into_iter()
            .flatten()
            .min_by_key(|slot| slot.key)
            .copied()
    }

    fn first_to_expire(&mut self) -> Option<Slot> {
        while let Some(Reverse((expires_s, key))) = self.by_expiry.peek() {
            // An event that was amended may expire at another time than its older entry says.
            let slot = self.ready_slot(*key);
            if let Some(slot) = slot.filter(|slot| slot.expires_s() == *expires_s) {
                return Some(slot);
            }
            self.by_expiry.pop();
        }
        None
    }

    fn take(&mut self, slot: Slot) {
        self.unready(slot);
        self.leased.insert(slot.key, slot);
    }

    /// Takes a ready event out.
    fn unready(&mut self, slot: Slot) {
        self.ready_bytes -= slot.bytes_sent();
        if self.returned.remove(&slot.key).is_some() {
            return;
        }
        if let Some(place) = self.place(slot.key) {
            self.line[place].bytes = TAKEN;
            self.in_line -= 1;
        }
        while self.line.front().is_some_and(|first| first.bytes == TAKEN) {
            self.line.pop_front();
        }
    }

    /// Bounds what marks and entries of events that are gone take.
    fn tidy(&mut self) {
        if self.line.len() > TIDY_FROM && self.in_line < self.line.len() / 2 {
            self.line.retain(|slot| slot.bytes != TAKEN);
        }
        if self.line.capacity() > TIDY_FROM.max(self.line.len() * 4) {
            self.line.shrink_to(self.line.len() * 2);
        }
        if self.by_expiry.len() > TIDY_FROM.max(self.ready() * 2) {
            let ready = self.line.iter().filter(|slot| slot.bytes != TAKEN);
            self.by_expiry = ready
                .chain(self.returned.values())
                .map(|slot| Reverse((slot.expires_s(), slot.key)))
                .collect();
        }
    }
}

/// What a lease takes, within its limits.
struct Picked {
    slots: Vec<Slot>,
    bytes: usize,
    limits: LeaseLimits,
}

impl Picked {
    fn new(limits: LeaseLimits) -> Self {
        Self {
            slots: Vec::new(),
            bytes: 0,
            limits,
        }
    }

    /// Adds an event unless it exceeds a limit; the first one always fits.
    fn add(&mut self, slot: Slot) -> bool {
        let bytes = self.bytes + slot.bytes_sent();
        let fits = self.slots.len() < self.limits.events_max && bytes <= self.limits.bytes_max;
        if fits || self.slots.is_empty() {
            self.slots.push(slot);
            self.bytes = bytes;
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slot(key: i64, expires_s: i64) -> Slot {
        Slot::new(EventKey(key), 5_000, expires_s, 99)
    }

    fn limits(events_max: usize, urgent_before_s: i64) -> LeaseLimits {
        LeaseLimits {
            events_max,
            bytes_max: 1_000_000,
            urgent_before_s,
            now_ms: 0,
        }
    }

    fn keys(slots: &[Slot]) -> Vec<i64> {
        slots.iter().map(|slot| slot.key).collect()
    }

    #[test]
    fn urgent_ones_go_first_and_the_rest_in_order() {
        let mut queue = Queue::default();
        for (key, expires_s) in [(1, 900), (2, 200), (3, 100), (4, 800)] {
            queue.push(slot(key, expires_s));
        }
        let waiting = queue.waiting();
        assert_eq!((waiting.ready, waiting.first_expiry_s), (4, Some(100)));
        assert_eq!(keys(&queue.lease(limits(3, 300))), [3, 2, 1]);
        let waiting = queue.waiting();
        assert_eq!((waiting.ready, waiting.leased), (1, 3));
        assert_eq!(waiting.first_expiry_s, Some(100));
        assert!(queue.give_back([EventKey(1), EventKey(3)]));
        assert!(!queue.give_back([EventKey(1)]));
        assert_eq!(keys(&queue.lease(limits(9, 0))), [1, 3, 4]);
    }

    #[test]
    fn bytes_limit_a_lease_but_one_event_always_goes() {
        let mut queue = Queue::default();
        for key in 1..=5 {
            queue.push(slot(key, 0));
        }
        let bytes = |bytes_max| LeaseLimits {
            bytes_max,
            ..limits(1_000, 0)
        };
        assert_eq!(keys(&queue.lease(bytes(10))), [1]);
        assert_eq!(keys(&queue.lease(bytes(299))), [2, 3]);
        assert_eq!(keys(&queue.lease(bytes(200))), [4, 5]);
    }

    #[test]
    fn what_is_settled_while_it_waits_is_gone() {
        let mut queue = Queue::default();
        for key in 1..=3 {
            queue.push(slot(key, 0));
        }
        queue.lease(limits(2, 0));
        queue.give_back([EventKey(1), EventKey(2)]);
        queue.forget(EventKey(2));
        queue.forget(EventKey(2));
        assert_eq!(keys(&queue.lease(limits(9, 0))), [1, 3]);
        assert_eq!(queue.len(), 2);
    }

    #[test]
    fn what_is_taken_out_comes_back_as_it_was_changed() {
        let mut queue = Queue::default();
        let held = Joining {
            slot: slot(1, 900),
            due_ms: Some(7_000),
        };
        queue.join(held);
        queue.push(slot(2, 800));
        assert_eq!(queue.take_out(EventKey(1)), Some(held));
        assert_eq!(queue.take_out(EventKey(1)), None, "it is out");
        assert!(!queue.is_free(EventKey(1)) && queue.contains(EventKey(1)));
        let waiting = queue.waiting();
        assert_eq!((waiting.ready, waiting.leased, waiting.on_hold), (1, 1, 0));
        let larger = Joining {
            slot: Slot::new(EventKey(1), 5_000, 700, 500),
            ..held
        };
        queue.bring_back(larger);
        let waiting = queue.waiting();
        assert_eq!((waiting.ready, waiting.leased, waiting.on_hold), (1, 0, 1));
        assert_eq!(waiting.first_expiry_s, Some(700));

        let ready = queue.take_out(EventKey(2)).unwrap();
        assert_eq!(queue.waiting().ready_bytes, 0);
        // It became final meanwhile, and does not come back.
        assert!(queue.forget(EventKey(2)));
        queue.bring_back(ready);
        assert_eq!(queue.len(), 1);
        let due = LeaseLimits {
            now_ms: 7_000,
            ..limits(9, 0)
        };
        assert_eq!(queue.lease(due), [larger.slot]);
    }

    #[test]
    fn one_that_expires_later_now_keeps_no_other_from_going_first() {
        let mut queue = Queue::default();
        queue.push(slot(1, 100));
        queue.push(slot(2, 200));
        let amended = Joining {
            slot: slot(1, 1_000_000),
            ..queue.take_out(EventKey(1)).unwrap()
        };
        queue.bring_back(amended);
        assert_eq!(queue.waiting().first_expiry_s, Some(200));
        assert_eq!(keys(&queue.lease(limits(9, 300))), [2, 1]);
    }

    #[test]
    fn an_event_costs_forty_bytes() {
        assert_eq!(size_of::<Slot>() + size_of::<Reverse<(i64, i64)>>(), 40);
    }

    #[test]
    fn memory_does_not_pile_up() {
        let mut queue = Queue::default();
        for key in 0..20_000 {
            queue.push(slot(key, 20_000 - key));
        }
        for _ in 0..50 {
            let leased = queue.lease(limits(1_000, i64::MAX));
            queue.give_back(leased.iter().map(|slot| slot.key()));
        }
        assert!(queue.by_expiry.len() <= 40_000);
        while let leased = queue.lease(limits(1_000, i64::MAX))
            && !leased.is_empty()
        {
            for slot in leased {
                queue.forget(slot.key());
            }
        }
        assert_eq!(queue.len(), 0);
        assert!(queue.line.capacity() <= TIDY_FROM && queue.by_expiry.len() <= TIDY_FROM);
    }

    proptest! {
        /// Against a plain map: nothing is lost, nothing is given twice, order holds.
        #[test]
        fn behaves_like_a_plain_map(steps in prop::collection::vec((0..4_u8, 0..40_i64, 0..20_usize), 1..200)) {
            let mut queue = Queue::default();
            let mut ready = BTreeMap::new();
            let mut leased = BTreeMap::new();
            let mut next = 0;
            for (action, number, count) in steps {
                match action {
                    0 => for _ in 0..count {
                        let new = slot(next, (next * 7) % 40);
                        queue.push(new);
                        ready.insert(next, new);
                        next += 1;
                    },
                    1 => {
                        let given = queue.lease(limits(count.max(1), number));
                        let mut order: Vec<Slot> = ready.values().copied().collect();
                        order.sort_by_key(|slot| {
                            let is_urgent = slot.expires_s() < number;
                            (!is_urgent, if is_urgent { slot.expires_s() } else { 0 }, slot.key)
                        });
                        order.truncate(count.max(1));
                        prop_assert_eq!(&given, &order);
                        for slot in given {
                            ready.remove(&slot.key);
                            leased.insert(slot.key, slot);
                        }
                    }
                    2 => {
                        let back: Vec<i64> = leased.keys().copied().take(count).collect();
                        queue.give_back(back.iter().map(|key| EventKey(*key)));
                        for key in back {
                            ready.extend(leased.remove_entry(&key));
                        }
                    }
                    _ => {
                        queue.forget(EventKey(number));
                        ready.remove(&number);
                        leased.remove(&number);
                    }
                }
                prop_assert_eq!(queue.ready(), ready.len());
                let bytes: usize = ready.values().map(|slot| slot.bytes_sent()).sum();
                prop_assert_eq!(queue.waiting().ready_bytes, bytes);
                prop_assert_eq!(queue.waiting().leased, leased.len());
                let expiry = ready.values().chain(leased.values()).map(|slot| slot.expires_s()).min();
                prop_assert_eq!(queue.waiting().first_expiry_s, expiry);
                let mut first: Vec<_> = ready.keys().chain(leased.keys()).copied().map(EventKey).collect();
                first.sort_unstable();
                first.truncate(count);
                prop_assert_eq!(queue.first_keys(count), first);
                prop_assert!(ready.keys().all(|key| queue.contains(EventKey(*key))));
            }
        }
    }
}
