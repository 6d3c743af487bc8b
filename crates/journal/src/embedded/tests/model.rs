//! The journal beside a model of it: whatever happens in whatever order, both say the same, and the
//! books balance after every step.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sluice_event::ActionSource;
use tempfile::TempDir;

use super::crash::copy;
use super::{audit, open};
use crate::testing::{
    HOUR_MS, Sample, T0_MS, keys, limits, received, record, rejection, report, sample,
};
use crate::{
    Appended, Books, Cause, DeadFilter, DeliveryReport, Embedded, EventKey, EventState,
    Journal as _, LaneId, Lease, Outcome, Rejection, Replayed, Retention, Selection, Tally,
    WaitingFilter,
};

#[derive(Debug, Clone)]
enum Step {
    /// Events by number; a number that comes again is a copy inside the window.
    Append(Vec<(u8, u8)>),
    /// A request with nothing but events that no dataset could take.
    Reject(u64),
    Lease {
        lane: u8,
        is_replay: bool,
        count: usize,
    },
    /// Settles some of a lease; the rest stays leased.
    Settle {
        lease: usize,
        count: usize,
        state: EventState,
    },
    DropLease(usize),
    /// The disk fails while events come in and some of a lease is settled: nothing of it happened.
    Fail {
        events: Vec<(u8, u8)>,
        lease: usize,
    },
    /// Time passes, now and then backwards.
    Wait(i64),
    Replay(EventState),
    DropEvents,
    /// Drops waiting events, leased or not, beside the journal's memory.
    DropWaiting(usize),
    Sweep {
        hours: u64,
    },
    Close,
    /// The handle is dropped, leases and all.
    Drop,
    /// The process is killed.
    Kill,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let state = || {
        prop::sample::select(vec![
            EventState::Delivered,
            EventState::Refused,
            EventState::Expired,
            EventState::Withheld,
        ])
    };
    let event = || (0..60_u8, 0..3_u8);
    let step = prop_oneof![
        8 => prop::collection::vec(event(), 1..12).prop_map(Step::Append),
        2 => (prop::collection::vec(event(), 1..12), 0..4_usize)
            .prop_map(|(events, lease)| Step::Fail { events, lease }),
        2 => (1..20_u64).prop_map(Step::Reject),
        6 => (0..3_u8, prop::bool::weighted(0.3), 1..15_usize)
            .prop_map(|(lane, is_replay, count)| Step::Lease { lane, is_replay, count }),
        6 => (0..4_usize, 0..15_usize, state())
            .prop_map(|(lease, count, state)| Step::Settle { lease, count, state }),
        2 => (0..4_usize).prop_map(Step::DropLease),
        3 => prop_oneof![3 => 0..40_i64, 1 => Just(-1_i64), 1 => Just(90_i64)].prop_map(Step::Wait),
        2 => state().prop_map(Step::Replay),
        1 => Just(Step::DropEvents),
        2 => (1..20_usize).prop_map(Step::DropWaiting),
        1 => (0..60_u64).prop_map(|hours| Step::Sweep { hours }),
        1 => Just(Step::Close),
        1 => Just(Step::Drop),
        1 => Just(Step::Kill),
    ];
    prop::collection::vec(step, 1..40)
}

/// What the model knows of an event.
#[derive(Debug, Clone)]
struct Known {
    number: u8,
    lane: u8,
    accepted_ms: u64,
    expires_s: i64,
    window_ms: u64,
    state: EventState,
    at_ms: u64,
    is_leased: bool,
    has_body: bool,
    /// It was sent again, and so travels apart.
    is_replay: bool,
}

struct Model {
    folder: TempDir,
    journal: Option<Embedded>,
    now_ms: u64,
    events: BTreeMap<EventKey, Known>,
    duplicate: u64,
    rejected: u64,
    leases: Vec<Lease>,
    /// Waiting events were dropped, and the journal has not committed since: its memory has them.
    is_untold: bool,
}

/// A lane is a dataset; the third one is a test code of the first dataset, where copies are shared.
fn of(number: u8, lane: u8, now_ms: u64) -> Sample {
    Sample {
        dataset: u32::from(lane % 2),
        test_code: (lane == 2).then_some("TEST1"),
        source: if number.is_multiple_of(5) {
            ActionSource::PhysicalStore
        } else {
            ActionSource::Website
        },
        accepted_ms: now_ms,
        age_ms: u64::from(number % 7) * 20 * HOUR_MS,
        ..sample(number)
    }
}

impl Model {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        Self {
            journal: Some(open(folder.path())),
            folder,
            now_ms: T0_MS + 1_000 * HOUR_MS,
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
                let rejections = (0..events).map(|id| Rejection {
                    rejected_ms: self.now_ms,
                    ..rejection(id)
                });
                let request = received(Vec::new(), rejections.collect());
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
            Step::Wait(hours) => {
                self.now_ms = self.now_ms.saturating_add_signed(hours * 3_600_000 / 2);
            }
            Step::Replay(state) => self.replay(state).await,
            Step::DropEvents => self.drop_events().await,
            Step::DropWaiting(count) => self.drop_waiting(count),
            Step::Sweep { hours } => self.sweep(hours).await,
            Step::Close => {
                (0..self.leases.len()).for_each(|_| self.drop_lease(0));
                self.journal().close().await.unwrap();
                self.reopen();
            }
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
        // Whoever held events lost them.
        self.leases.clear();
        self.events
            .values_mut()
            .for_each(|known| known.is_leased = false);
        self.journal = Some(open(self.folder.path()));
        self.told();
    }

    async fn append(&mut self, events: &[(u8, u8)]) {
        let samples: Vec<Sample> = events
            .iter()
            .map(|(number, lane)| of(*number, *lane, self.now_ms))
            .collect();
        let entries: Vec<_> = samples.iter().map(Sample::entry).collect();
        let appended = self.journal().append(entries.clone()).await.unwrap();
        self.told();
        for (((number, lane), entry), appended) in events.iter().zip(entries).zip(appended) {
            let original = self.events.iter().rev().find(|(_, known)| {
                let is_same = known.number == *number && known.lane % 2 == lane % 2;
                let is_alive = matches!(known.state, EventState::Waiting | EventState::Delivered);
                let age_ms = self.now_ms.saturating_sub(known.accepted_ms);
                is_same && is_alive && age_ms < known.window_ms
            });
            match (original, appended) {
                (Some((key, _)), Appended::Copy(copy)) => {
                    assert_eq!(*key, copy);
                    self.duplicate += 1;
                }
                (None, Appended::New(key)) => {
                    assert!(self.events.keys().all(|older| *older < key));
                    let window_s = entry.event.action_source().dedup_window_s();
                    let known = Known {
                        number: *number,
                        lane: *lane,
                        accepted_ms: self.now_ms,
                        expires_s: entry.event.expires_at(),
                        window_ms: u64::try_from(window_s).unwrap() * 1_000,
                        state: EventState::Waiting,
                        at_ms: 0,
                        is_leased: false,
                        has_body: true,
                        is_replay: false,
                    };
                    self.events.insert(key, known);
                }
                (original, appended) => panic!("{original:?}, but {appended:?}"),
            }
        }
    }

    fn lane(&self, lane: u8, is_replay: bool) -> LaneId {
        LaneId {
            is_replay,
            ..of(0, lane, self.now_ms).lane()
        }
    }

    async fn fail(&mut self, events: &[(u8, u8)], lease: usize) {
        let journal = self.journal.as_ref().unwrap();
        journal
            .on_writer(|writer| writer.conn.commit_hook(Some(|| true)).unwrap())
            .await;
        let entries = events
            .iter()
            .map(|(number, lane)| of(*number, *lane, self.now_ms).entry());
        assert!(journal.append(entries.collect()).await.is_err());
        let lease = self.leases.get_mut(lease);
        if let Some(lease) = lease.filter(|lease| !lease.events.is_empty()) {
            let held = keys(lease);
            let settled = report(held.clone(), &Outcome::Delivered);
            assert!(journal.settle(lease, settled).await.is_err());
            assert_eq!(keys(lease), held);
        }
        assert!(journal.health().is_failing.is_some());
        journal
            .on_writer(|writer| {
                writer.conn.commit_hook(None::<fn() -> bool>).unwrap();
            })
            .await;
        journal.look_around().await;
        assert!(journal.health().is_failing.is_none());
    }

    async fn lease(&mut self, lane: u8, is_replay: bool, count: usize) {
        let id = self.lane(lane, is_replay);
        let lease = self.journal().lease(&id, limits(count)).await.unwrap();
        let expected: Vec<EventKey> = self
            .events
            .iter()
            .filter(|(_, known)| known.lane == lane && known.state == EventState::Waiting)
            .filter(|(_, known)| !known.is_leased && known.is_replay == is_replay)
            .map(|(key, _)| *key)
            .take(count)
            .collect();
        let leased: Vec<EventKey> = lease.events.iter().map(|event| event.key).collect();
        if self.is_untold {
            // Dropped ones took their places.
            assert!(expected.starts_with(&leased));
            assert_eq!(leased.is_empty(), expected.is_empty());
            self.journal().look_around().await;
            self.told();
        } else {
            assert_eq!(leased, expected);
        }
        for event in &lease.events {
            let known = self.events.get_mut(&event.key).unwrap();
            assert_eq!(event.event_id, known.number.to_string());
            assert_eq!(event.expires_s, known.expires_s);
            known.is_leased = true;
        }
        self.leases.push(lease);
    }

    async fn settle(&mut self, index: usize, count: usize, state: EventState) {
        let now_ms = self.now_ms;
        let Some(lease) = self.leases.get_mut(index) else {
            return;
        };
        let cause = Cause {
            code: Some(100),
            subcode: None,
            text: "because".to_owned(),
        };
        let outcome = match state {
            EventState::Delivered => Outcome::Delivered,
            EventState::Refused => Outcome::Refused(cause),
            EventState::Expired => Outcome::Expired,
            _ => Outcome::Withheld(cause),
        };
        let keys: Vec<_> = lease
            .events
            .iter()
            .map(|event| event.key)
            .take(count)
            .collect();
        let report = DeliveryReport {
            at_ms: now_ms,
            request: Some(record(keys.len())),
            outcomes: keys.iter().map(|key| (*key, outcome.clone())).collect(),
            ..DeliveryReport::default()
        };
        let journal = self.journal.as_ref().unwrap();
        journal.settle(lease, report).await.unwrap();
        self.told();
        for key in keys {
            let known = self.events.get_mut(&key).unwrap();
            known.is_leased = false;
            // One that was dropped on its way stays so, unless Meta took it.
            let is_corrected =
                known.state == EventState::Withheld && state == EventState::Delivered;
            if known.state == EventState::Waiting || is_corrected {
                (known.state, known.at_ms) = (state, now_ms);
            }
        }
    }

    fn drop_lease(&mut self, index: usize) {
        if index < self.leases.len() {
            for event in &self.leases.remove(index).events {
                self.events.get_mut(&event.key).unwrap().is_leased = false;
            }
        }
    }

    async fn replay(&mut self, state: EventState) {
        let filter = DeadFilter {
            states: vec![state],
            ..DeadFilter::default()
        };
        let mut books = Books::open(self.folder.path()).unwrap();
        let done = books
            .replay(&Selection::Filter(filter), self.now_ms)
            .unwrap();
        let now_s = i64::try_from(self.now_ms / 1_000).unwrap();
        let mut expected = Replayed::default();
        // The newest first: of several events with one identity only the last goes out again.
        let keys: Vec<_> = self.events.keys().rev().copied().collect();
        for key in keys {
            let known = &self.events[&key];
            if known.state != state || state == EventState::Delivered {
                continue;
            }
            let successors = self.events.range(key..).skip(1);
            let is_superseded = successors.map(|(_, later)| later).any(|later| {
                let is_same = later.number == known.number && later.lane % 2 == known.lane % 2;
                is_same && matches!(later.state, EventState::Waiting | EventState::Delivered)
            });
            if known.expires_s < now_s {
                expected.too_old += 1;
            } else if !known.has_body {
                expected.gone += 1;
            } else if is_superseded {
                expected.superseded += 1;
            } else {
                expected.replayed += 1;
                let known = self.events.get_mut(&key).unwrap();
                (known.state, known.is_replay, known.is_leased) =
                    (EventState::Waiting, true, false);
            }
        }
        assert_eq!(done, expected);
        self.journal().look_around().await;
        self.told();
    }

    async fn drop_events(&mut self) {
        let mut books = Books::open(self.folder.path()).unwrap();
        let all = Selection::Filter(DeadFilter::default());
        let done = books.drop_events(&all, self.now_ms).unwrap();
        let mut expected = 0;
        for known in self.events.values_mut() {
            if matches!(known.state, EventState::Refused | EventState::Expired) {
                (known.state, known.at_ms) = (EventState::Withheld, self.now_ms);
                expected += 1;
            }
        }
        assert_eq!(done.dropped, expected);
        self.journal().look_around().await;
        self.told();
    }

    fn drop_waiting(&mut self, count: usize) {
        let mut books = Books::open(self.folder.path()).unwrap();
        let waiting = self.events.iter_mut();
        let waiting = waiting.filter(|(_, known)| known.state == EventState::Waiting);
        let mut keys = Vec::new();
        for (key, known) in waiting.step_by(2).take(count) {
            (known.state, known.at_ms) = (EventState::Withheld, self.now_ms);
            keys.push(*key);
        }
        let listed = books.waiting(&WaitingFilter::default(), None, 1_000);
        let listed: Vec<EventKey> = listed.unwrap().iter().map(|event| event.key).collect();
        assert!(keys.iter().all(|key| listed.contains(key)));
        let done = books.drop_waiting(&keys, self.now_ms).unwrap();
        assert_eq!((done.dropped, done.not_waiting), (keys.len() as u64, 0));
        self.is_untold = true;
    }

    /// The journal has heard of what was dropped.
    fn told(&mut self) {
        self.is_untold = false;
        let known = self.events.values_mut();
        known
            .filter(|known| known.state != EventState::Waiting)
            .for_each(|known| known.is_leased = false);
    }

    async fn sweep(&mut self, hours: u64) {
        let before_ms = self.now_ms - hours * HOUR_MS;
        let deleted = self
            .journal()
            .sweep(Retention::FinishedSince(before_ms))
            .await
            .unwrap();
        let mut expected = 0;
        for known in self.events.values_mut() {
            let is_final = known.state != EventState::Waiting && known.at_ms < before_ms;
            if is_final && known.has_body {
                known.has_body = false;
                expected += 1;
            }
        }
        assert_eq!(deleted, expected);
        self.told();
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
            duplicate: self.duplicate,
        };
        assert_eq!(audit(self.folder.path()).tally, expected);
        if self.is_untold {
            return;
        }
        for (lane, is_replay) in (0..3).flat_map(|lane| [(lane, false), (lane, true)]) {
            let waiting = self.journal().waiting(&self.lane(lane, is_replay));
            let known = || {
                let is_here =
                    move |known: &&Known| (known.lane, known.is_replay) == (lane, is_replay);
                let of_lane = self.events.values().filter(is_here);
                of_lane.filter(|known| known.state == EventState::Waiting)
            };
            assert_eq!(
                waiting.ready,
                known().filter(|known| !known.is_leased).count()
            );
            assert_eq!(
                waiting.leased,
                known().filter(|known| known.is_leased).count()
            );
            let first_expiry_s = known().map(|known| known.expires_s).min();
            assert_eq!(waiting.first_expiry_s, first_expiry_s);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_journal_and_the_model_agree(steps in steps()) {
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
