//! The lanes: a queue, a lock and a bell each.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use super::queue::{Joining, Queue};
use super::slot::Slot;
use crate::journal::LeaseLimits;
use crate::types::{BatchLimits, EventKey, LaneId, Waiting};

/// One lane's waiting events.
pub(super) struct Lane {
    pub(super) id: LaneId,
    bell: Arc<Notify>,
    /// When a batch is full. The bell wakes a lane that lingers for one.
    full: Mutex<BatchLimits>,
    /// Whether it is in the list of lanes that is watched, or about to be.
    is_known: AtomicBool,
    /// Held for microseconds, never across an await.
    queue: Mutex<Queue>,
}

impl Lane {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn full(&self) -> MutexGuard<'_, BatchLimits> {
        self.full.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn bell(&self, full: BatchLimits) -> Arc<Notify> {
        *self.full() = full;
        Arc::clone(&self.bell)
    }

    /// Adds events and rings if there is something to do that there was not before.
    pub(super) fn push(&self, events: impl IntoIterator<Item = Joining>) {
        let full = *self.full();
        let mut queue = self.queue();
        let before = queue.ready_sum();
        events.into_iter().for_each(|event| queue.join(event));
        let after = queue.ready_sum();
        drop(queue);
        let begins = before.ready == 0 && after.ready > 0;
        let is_due_first = after.next_due_ms.is_some_and(|due_ms| {
            let before = before.next_due_ms;
            before.is_none_or(|before_ms| due_ms < before_ms)
        });
        if begins || is_due_first || (after.fills(full) && !before.fills(full)) {
            self.bell.notify_one();
        }
    }

    pub(super) fn lease(&self, limits: LeaseLimits) -> Vec<Slot> {
        self.queue().lease(limits)
    }

    pub(super) fn give_back(&self, keys: impl IntoIterator<Item = EventKey>) {
        if self.queue().give_back(keys) {
            self.bell.notify_one();
        }
    }

    /// Takes out one event that waits, as a lease does, and says how it waited.
    pub(super) fn take_out(&self, key: EventKey) -> Option<Joining> {
        self.queue().take_out(key)
    }

    /// Puts back an event that was taken out.
    pub(super) fn bring_back(&self, event: Joining) {
        self.queue().bring_back(event);
        self.bell.notify_one();
    }

    /// Removes events that reached their final state. Returns those that are not here.
    pub(super) fn forget(&self, keys: impl IntoIterator<Item = EventKey>) -> Vec<EventKey> {
        let mut queue = self.queue();
        let keys = keys.into_iter();
        keys.filter(|key| !queue.forget(*key)).collect()
    }

    /// Whether the event waits and is not leased.
    pub(super) fn is_free(&self, key: EventKey) -> bool {
        self.queue().is_free(key)
    }

    pub(super) fn contains(&self, key: EventKey) -> bool {
        self.queue().contains(key)
    }

    pub(super) fn waiting(&self) -> Waiting {
        self.queue().waiting()
    }
}

/// All the lanes.
pub(super) struct Lanes {
    by_id: Mutex<HashMap<LaneId, Arc<Lane>>>,
    /// Those that have waiting events, or had some since they were retired.
    known: watch::Sender<Vec<LaneId>>,
}

impl Lanes {
    pub(super) fn new() -> Self {
        Self {
            by_id: Mutex::default(),
            known: watch::Sender::new(Vec::new()),
        }
    }

    fn by_id(&self) -> MutexGuard<'_, HashMap<LaneId, Arc<Lane>>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lane; a new one is empty.
    pub(super) fn get(&self, id: &LaneId) -> Arc<Lane> {
        let mut by_id = self.by_id();
        if let Some(lane) = by_id.get(id) {
            return Arc::clone(lane);
        }
        let lane = Arc::new(Lane {
            id: id.clone(),
            bell: Arc::new(Notify::new()),
            full: Mutex::new(BatchLimits {
                events_max: usize::MAX,
                bytes_max: usize::MAX,
            }),
            is_known: AtomicBool::new(false),
            queue: Mutex::default(),
        });
        by_id.insert(id.clone(), Arc::clone(&lane));
        lane
    }

    /// Adds a lane that has events to the known ones.
    pub(super) fn announce(&self, lane: &Lane) {
        if !lane.is_known.swap(true, Ordering::SeqCst) {
            self.known.send_if_modified(|known| {
                let is_new = !known.contains(&lane.id);
                if is_new {
                    known.push(lane.id.clone());
                }
                is_new
            });
        }
    }

    /// Takes a lane without events from the known ones.
    pub(super) fn retire(&self, id: &LaneId) -> bool {
        let lane = self.get(id);
        let mut is_retired = false;
        self.known.send_if_modified(|known| {
            // First the mark, then the look: an event that comes in between is announced by its writer.
            lane.is_known.store(false, Ordering::SeqCst);
            is_retired = lane.queue().len() == 0;
            if is_retired {
                known.retain(|known| known != id);
            } else {
                lane.is_known.store(true, Ordering::SeqCst);
            }
            is_retired
        });
        is_retired
    }

    pub(super) fn watch(&self) -> watch::Receiver<Vec<LaneId>> {
        self.known.subscribe()
    }

    /// How many events wait or are leased, everywhere.
    pub(super) fn waiting(&self) -> usize {
        self.by_id().values().map(|lane| lane.queue().len()).sum()
    }

    /// Removes an event that reached its final state, whatever its lane.
    pub(super) fn forget(&self, key: EventKey) {
        let by_id = self.by_id();
        let _lane = by_id.values().find(|lane| lane.forget([key]).is_empty());
    }

    /// The first keys of those that wait or are leased, everywhere and in order, at most `limit`.
    pub(super) fn first_keys(&self, limit: usize) -> Vec<EventKey> {
        let by_id = self.by_id();
        let mut keys: Vec<_> = by_id
            .values()
            .flat_map(|lane| lane.queue().first_keys(limit))
            .collect();
        keys.sort_unstable();
        keys.truncate(limit);
        keys
    }
}

#[cfg(test)]
mod tests {
    use sluice_event::DatasetId;

    use super::*;
    use crate::testing;

    fn ready(key: i64, bytes: usize) -> Joining {
        Joining {
            slot: Slot::new(EventKey(key), 0, 0, bytes),
            due_ms: None,
        }
    }

    fn slots(keys: std::ops::Range<i64>) -> impl Iterator<Item = Joining> {
        keys.map(|key| ready(key, 1))
    }

    fn rang(lane: &Lane) -> bool {
        testing::rang(&lane.bell)
    }

    #[test]
    fn the_bell_rings_when_there_is_more_to_do() {
        let id = LaneId {
            dataset: DatasetId::parse("1234567890").unwrap(),
            test_code: None,
            is_replay: false,
        };
        let lanes = Lanes::new();
        let lane = lanes.get(&id);
        lane.bell(BatchLimits {
            events_max: 50,
            bytes_max: 1_000,
        });
        assert!(!rang(&lane));
        lane.push(slots(0..1));
        assert!(rang(&lane));
        lane.push(slots(1..49));
        assert!(!rang(&lane));
        lane.push(slots(49..50));
        assert!(rang(&lane));
        // A lane that has sent a full batch looks by itself whether there is another.
        lane.push(slots(50..1_000));
        assert!(!rang(&lane));
        let all = LeaseLimits {
            events_max: 1_000,
            bytes_max: 1_000_000,
            urgent_before_s: 0,
            now_ms: 0,
        };
        lane.lease(all);
        lane.push([ready(1_000, 998)]);
        assert!(rang(&lane));
        lane.push(slots(1_001..1_002));
        assert!(rang(&lane), "full by its bytes");
        let limits = LeaseLimits {
            events_max: 10,
            bytes_max: 1_000,
            urgent_before_s: 0,
            now_ms: 0,
        };
        let leased = lane.lease(limits);
        assert!(!rang(&lane));
        lane.give_back(leased.iter().map(|slot| slot.key()));
        assert!(rang(&lane));
    }

    #[test]
    fn the_bell_rings_when_something_is_due_earlier_than_the_lane_knows() {
        let lane = Lanes::new().get(&testing::lane(0));
        let held = |key, due_ms| Joining {
            due_ms: Some(due_ms),
            ..ready(key, 1)
        };
        lane.push([held(1, 5_000)]);
        assert!(rang(&lane));
        lane.push([held(2, 5_000), held(3, 9_000)]);
        assert!(!rang(&lane), "the lane looks at that time anyway");
        lane.push([held(4, 4_000)]);
        assert!(rang(&lane));
        let waiting = lane.waiting();
        assert_eq!((waiting.ready, waiting.on_hold), (0, 4));
        assert_eq!(waiting.next_due_ms, Some(4_000));
    }

    #[test]
    fn a_retired_lane_is_known_again_when_it_has_events() {
        let id = LaneId {
            dataset: DatasetId::parse("1234567890").unwrap(),
            test_code: None,
            is_replay: false,
        };
        let lanes = Lanes::new();
        let lane = lanes.get(&id);
        let mut known = lanes.watch();
        let append = |keys| {
            lane.push(slots(keys));
            lanes.announce(&lane);
        };
        append(0..1);
        append(1..2);
        assert_eq!(*known.borrow_and_update(), std::slice::from_ref(&id));
        assert!(!lanes.retire(&id), "two events wait");
        let all = LeaseLimits {
            events_max: 10,
            bytes_max: 1_000,
            urgent_before_s: 0,
            now_ms: 0,
        };
        lane.lease(all);
        assert!(!lanes.retire(&id), "two events are leased");
        lane.forget([EventKey(0), EventKey(1)]);
        assert!(!known.has_changed().unwrap());
        assert!(lanes.retire(&id));
        assert!(known.borrow_and_update().is_empty());
        append(2..3);
        append(3..4);
        assert_eq!(*known.borrow_and_update(), [id]);
    }
}
