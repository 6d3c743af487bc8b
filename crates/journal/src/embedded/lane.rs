//! The lanes: a queue, a lock and a bell each.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use super::queue::{Queue, Slot};
use crate::LeaseLimits;
use crate::types::{EventKey, LaneId, Waiting};

/// The bell rings again each time so many more events are ready: a lane that lingers for a full batch
/// has to hear of it.
const RING_EVERY: usize = 1_000;

/// One lane's waiting events.
pub(super) struct Lane {
    pub(super) id: LaneId,
    pub(super) bell: Arc<Notify>,
    /// Whether those who watch were told of it.
    is_known: AtomicBool,
    /// Held for microseconds, never across an await.
    queue: Mutex<Queue>,
}

impl Lane {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds events and rings if there is more to do than before.
    pub(super) fn push(&self, slots: impl IntoIterator<Item = Slot>) {
        let mut queue = self.queue();
        let before = queue.ready();
        slots.into_iter().for_each(|slot| queue.push(slot));
        let after = queue.ready();
        drop(queue);
        let rings = before / RING_EVERY < after / RING_EVERY || before == 0;
        if rings && after > before {
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

    pub(super) fn forget(&self, keys: impl IntoIterator<Item = EventKey>) {
        let mut queue = self.queue();
        keys.into_iter().for_each(|key| queue.forget(key));
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
    /// Those that have waiting events, or had some.
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

    /// The lane; one that nobody knew so far is empty.
    pub(super) fn get(&self, id: &LaneId) -> Arc<Lane> {
        let mut by_id = self.by_id();
        if let Some(lane) = by_id.get(id) {
            return Arc::clone(lane);
        }
        let lane = Arc::new(Lane {
            id: id.clone(),
            bell: Arc::new(Notify::new()),
            is_known: AtomicBool::new(false),
            queue: Mutex::default(),
        });
        by_id.insert(id.clone(), Arc::clone(&lane));
        lane
    }

    /// Tells those who watch that the lane has events.
    pub(super) fn announce(&self, lane: &Lane) {
        if !lane.is_known.swap(true, Ordering::Relaxed) {
            self.known.send_modify(|known| known.push(lane.id.clone()));
        }
    }

    pub(super) fn watch(&self) -> watch::Receiver<Vec<LaneId>> {
        self.known.subscribe()
    }

    /// How many events wait or are leased, everywhere.
    pub(super) fn waiting(&self) -> usize {
        self.by_id().values().map(|lane| lane.queue().len()).sum()
    }

    /// The first event that waits or is leased, everywhere.
    pub(super) fn first_key(&self) -> Option<EventKey> {
        let by_id = self.by_id();
        by_id
            .values()
            .filter_map(|lane| lane.queue().first_key())
            .min()
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future as _;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use sluice_event::DatasetId;

    use super::*;

    fn slots(keys: std::ops::Range<i64>) -> impl Iterator<Item = Slot> {
        keys.map(|key| Slot::new(EventKey(key), 0, 0, 1))
    }

    /// Whether the bell rang since it was asked last.
    fn rang(lane: &Lane) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        pin!(lane.bell.notified()).poll(&mut context) == Poll::Ready(())
    }

    #[test]
    fn the_bell_rings_when_there_is_more_to_do() {
        let id = LaneId {
            dataset: DatasetId::parse("1234567890").unwrap(),
            test_code: None,
        };
        let lanes = Lanes::new();
        let lane = lanes.get(&id);
        assert!(!rang(&lane));
        lane.push(slots(0..1));
        assert!(rang(&lane));
        lane.push(slots(1..999));
        assert!(!rang(&lane));
        lane.push(slots(999..1_000));
        assert!(rang(&lane));
        lane.push(slots(1_000..3_500));
        assert!(rang(&lane) && !rang(&lane));
        let limits = LeaseLimits {
            events_max: 10,
            bytes_max: 1_000,
            urgent_before_s: 0,
        };
        let leased = lane.lease(limits);
        assert!(!rang(&lane));
        lane.give_back(leased.iter().map(|slot| slot.key()));
        assert!(rang(&lane));
    }
}
