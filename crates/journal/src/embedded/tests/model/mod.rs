//! The journal beside a model of it: whatever happens in whatever order, both say the same, and the
//! books balance after every step.

mod by_hand;
mod events;
mod steps;
mod trouble;

use std::collections::BTreeMap;

use proptest::prelude::*;
use tempfile::TempDir;

use super::crash::copy;
use super::{audit, open};
use crate::testing::{HOUR_MS, T0_MS, received, rejection};
use crate::{
    Embedded, EventKey, EventState, Journal as _, LaneId, Lease, Received, Rejection, Tally,
};
use events::{Begins, Clock, Known};
use steps::{LANES, Step};

struct Model {
    folder: TempDir,
    journal: Option<Embedded>,
    clock: Clock,
    /// How events begin that come in.
    begins: Begins,
    /// When each lane of fresh events looked last which of its events are due.
    looked_ms: BTreeMap<u8, u64>,
    events: BTreeMap<EventKey, Known>,
    duplicate: u64,
    rejected: u64,
    leases: Vec<Lease>,
    /// Waiting events were dropped, and the journal has not committed since: its memory has them.
    is_untold: bool,
}

impl Model {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        Self {
            journal: Some(open(folder.path())),
            folder,
            clock: Clock::new(T0_MS + 1_000 * HOUR_MS),
            begins: Begins::default(),
            looked_ms: BTreeMap::new(),
            events: BTreeMap::new(),
            duplicate: 0,
            rejected: 0,
            leases: Vec::new(),
            is_untold: false,
        }
    }

    fn journal(&self) -> &Embedded {
        self.journal.as_ref().unwrap()
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Append(events) => self.append(&events).await,
            Step::Reject(events) => {
                let request = self.rejections(events);
                assert_eq!(self.journal().receive(request).await.unwrap(), []);
                self.rejected += events;
            }
            Step::Lease {
                lane,
                is_replay,
                count,
            } => self.lease(lane, is_replay, count).await,
            Step::Settle {
                lease,
                count,
                state,
            } => self.settle(lease, count, state).await,
            Step::DropLease(index) => self.drop_lease(index),
            Step::Fail { events, lease } => self.fail(&events, lease).await,
            Step::Damage {
                table,
                events,
                lease,
            } => self.damage(table, &events, lease).await,
            Step::Clock {
                half_hours,
                is_sure,
            } => self.clock.turn(half_hours, is_sure),
            Step::Amend {
                nth,
                age_hours,
                is_message,
            } => self.amend(nth, age_hours, is_message).await,
            Step::Begin(begins) => self.begins = begins,
            Step::Replay(state) => self.replay(state).await,
            Step::DropEvents => self.drop_events().await,
            Step::DropWaiting(count) => self.drop_waiting(count),
            Step::Sweep { hours } => self.sweep(hours).await,
            Step::Close => {
                (0..self.leases.len()).for_each(|_| self.drop_lease(0));
                self.journal().close().await.unwrap();
                self.reopen();
            }
            Step::CloseAmidCalls {
                events,
                lease,
                pauses,
            } => self.close_amid_calls(&events, lease, pauses).await,
            Step::Drop => self.reopen(),
            Step::Kill => {
                let killed = copy(self.journal(), self.folder.path()).await;
                let old = std::mem::replace(&mut self.folder, killed);
                self.reopen();
                drop(old);
            }
        }
    }

    fn reopen(&mut self) {
        self.journal = None;
        // Leases end with the journal that gave them.
        self.leases.clear();
        self.looked_ms.clear();
        for known in self.events.values_mut() {
            known.is_leased = false;
            let due_ms = known.due_ms.filter(|_| !known.is_replay);
            known.held_ms = due_ms.and_then(|due_ms| known.hold(due_ms));
        }
        self.journal = Some(open(self.folder.path()));
        self.told();
    }

    /// A request with this many events that no dataset could take.
    fn rejections(&self, events: u64) -> Received {
        let rejections = (0..events).map(|id| Rejection {
            rejected_ms: self.clock.now_ms,
            ..rejection(id)
        });
        received(Vec::new(), rejections.collect())
    }

    fn lane(&self, lane: u8, is_replay: bool) -> LaneId {
        LaneId {
            is_replay,
            ..events::of(0, lane, self.clock.now_ms).lane()
        }
    }

    /// The journal looks around, and hears of what was dropped.
    async fn look_around(&mut self) {
        self.journal().look_around().await;
        self.told();
    }

    /// The journal has heard of what was dropped.
    fn told(&mut self) {
        self.is_untold = false;
        let known = self.events.values_mut();
        known
            .filter(|known| known.state != EventState::Waiting)
            .for_each(|known| known.is_leased = false);
    }

    fn check(&self) {
        let count = |state| {
            let events = self.events.values().filter(|known| known.state == state);
            events.count() as u64
        };
        let expected = Tally {
            received: self.events.len() as u64 + self.duplicate + self.rejected,
            rejected: self.rejected,
            accepted: self.events.len() as u64,
            waiting: count(EventState::Waiting),
            delivered: count(EventState::Delivered),
            refused: count(EventState::Refused),
            expired: count(EventState::Expired),
            withheld: count(EventState::Withheld),
            recorded: count(EventState::Recorded),
            duplicate: self.duplicate,
        };
        assert_eq!(audit(self.folder.path()).tally, expected);
        if self.is_untold {
            return;
        }
        for (lane, is_replay) in (0..LANES).flat_map(|lane| [(lane, false), (lane, true)]) {
            let waiting = self.journal().waiting(&self.lane(lane, is_replay));
            let known = || {
                let is_here =
                    move |known: &&Known| (known.lane, known.is_replay) == (lane, is_replay);
                let of_lane = self.events.values().filter(is_here);
                of_lane.filter(|known| known.state == EventState::Waiting)
            };
            assert_eq!(
                waiting.ready,
                known()
                    .filter(|known| !known.is_leased && known.held_ms.is_none())
                    .count(),
                "ready in lane {lane}"
            );
            let held = || known().filter_map(|known| known.held_ms);
            assert_eq!(waiting.on_hold, held().count(), "on hold in lane {lane}");
            let next_due_ms = held().min();
            assert_eq!(waiting.next_due_ms, next_due_ms);
            assert_eq!(
                waiting.leased,
                known().filter(|known| known.is_leased).count(),
                "leased in lane {lane}"
            );
            let first_expiry_s = known().map(|known| known.expires_s).min();
            assert_eq!(waiting.first_expiry_s, first_expiry_s);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_journal_and_the_model_agree(steps in steps::steps()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.block_on(async {
            let mut model = Model::new();
            for step in steps {
                model.step(step).await;
                model.check();
            }
        });
    }
}
