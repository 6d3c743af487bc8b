//! Events in the model: what comes in, what is a copy, what is leased and settled.

use sluice_event::ActionSource;

use super::Model;
use crate::testing::{HOUR_MS, Sample, limits, record, sample};
use crate::{
    Amended, Amendment, Appended, Cause, DeliveryReport, Entry, EventKey, EventState, Journal as _,
    LeaseLimits, Outcome, Revision, Start, URGENT_S,
};

/// Times that lie this far apart may need two generations of the window for copies.
const EPOCH_MS: u64 = 24 * HOUR_MS;

/// Generations of the window for copies that are remembered in any case.
const EPOCHS_KEPT: usize = 8;

/// The clock that the journal is given.
pub(super) struct Clock {
    pub(super) now_ms: u64,
    pub(super) is_sure: bool,
    /// Times at which events came in, none near an earlier one.
    epochs: Vec<u64>,
}

impl Clock {
    pub(super) fn new(now_ms: u64) -> Self {
        Self {
            now_ms,
            is_sure: true,
            epochs: Vec::new(),
        }
    }

    pub(super) fn turn(&mut self, half_hours: i64, is_sure: bool) {
        let half_hour_ms = i64::try_from(HOUR_MS / 2).unwrap();
        self.now_ms = self.now_ms.saturating_add_signed(half_hours * half_hour_ms);
        self.is_sure = is_sure;
    }

    /// The first epoch that an event of now may belong to.
    fn epoch(&mut self) -> usize {
        let is_near = |epoch: &u64| epoch.abs_diff(self.now_ms) < EPOCH_MS;
        self.epochs.iter().position(is_near).unwrap_or_else(|| {
            self.epochs.push(self.now_ms);
            self.epochs.len() - 1
        })
    }
}

/// How events begin.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Begins {
    /// Not waiting: final, or a note.
    pub(super) state: Option<EventState>,
    /// Half hours that they are held.
    pub(super) hold: Option<u16>,
    /// Days of a window of their own.
    pub(super) window_days: Option<u16>,
}

impl Begins {
    fn start(self, now_ms: u64) -> Start {
        match (self.state, self.hold) {
            (Some(EventState::Recorded), _) => Start::Recorded,
            (Some(state), _) => Start::Final(outcome(state)),
            (None, Some(half_hours)) => Start::Due {
                at_ms: now_ms + u64::from(half_hours) * HOUR_MS / 2,
            },
            (None, None) => Start::Waiting,
        }
    }
}

/// What the model knows of an event.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) number: u8,
    pub(super) lane: u8,
    pub(super) begins: Begins,
    /// How often it was amended.
    revision: u32,
    accepted_ms: u64,
    /// As it was amended last.
    source: ActionSource,
    /// Likewise.
    pub(super) expires_s: i64,
    window_ms: u64,
    pub(super) state: EventState,
    /// Since when it is in its final state.
    pub(super) at_ms: u64,
    pub(super) is_leased: bool,
    /// Until when it was to be on hold when it came.
    pub(super) due_ms: Option<u64>,
    /// The same, as long as it is.
    pub(super) held_ms: Option<u64>,
    pub(super) has_body: bool,
    /// It was sent again, and so travels apart.
    pub(super) is_replay: bool,
    memory: Memory,
}

/// Whether the journal still has an event's identity in memory.
#[derive(Debug, Clone)]
struct Memory {
    /// The earliest sure time at which events came in since this one did.
    ages_from_ms: u64,
    epoch: usize,
    /// It may have been forgotten: a whole window has passed, by a clock that was sure of it.
    is_forgettable: bool,
}

impl Memory {
    /// Events come in, at a time that may be sure, when there were this many epochs.
    fn pass_time(&mut self, sure_ms: Option<u64>, window_ms: u64, epochs: usize) {
        if let Some(now_ms) = sure_ms {
            self.ages_from_ms = self.ages_from_ms.min(now_ms);
            self.is_forgettable |= now_ms - self.ages_from_ms >= window_ms;
        }
        self.is_forgettable |= epochs - self.epoch > EPOCHS_KEPT;
    }
}

impl Known {
    /// Whether both have the same dataset, test code, name and id.
    pub(super) fn is_twin(&self, event: (u8, u8)) -> bool {
        (self.number, self.lane) == event
    }

    /// Until when it is on hold that was to be held so long: it is free before it is urgent.
    pub(super) fn hold(&self, due_ms: u64) -> Option<u64> {
        let urgent_ms = u64::try_from(self.expires_s - URGENT_S).unwrap() * 1_000;
        Some(due_ms.min(urgent_ms)).filter(|ms| *ms > self.accepted_ms)
    }

    /// Whether an event that comes now is a copy of this one, if it is remembered.
    fn is_original(&self, event: (u8, u8), clock: &Clock) -> bool {
        let is_alive = matches!(
            self.state,
            EventState::Waiting | EventState::Delivered | EventState::Recorded
        );
        let age_ms = clock.now_ms.saturating_sub(self.accepted_ms);
        self.is_twin(event) && is_alive && (!clock.is_sure || age_ms < self.window_ms)
    }
}

/// The value of an event that was amended so often.
fn value(revision: u32) -> f64 {
    12.5 + f64::from(revision)
}

/// Three lanes that are often used: two datasets, and a test code of the first, which has copies of its own.
/// Each of the others is a dataset of its own.
fn dataset(lane: u8) -> u32 {
    match lane {
        2 => 0,
        0 | 1 => u32::from(lane),
        _ => u32::from(lane) - 1,
    }
}

/// An event by its number.
pub(super) fn of(number: u8, lane: u8, now_ms: u64) -> Sample {
    Sample {
        dataset: dataset(lane),
        test_code: (lane == 2).then_some("TEST1"),
        name: ["Purchase", "Lead", "Waved", "Sang"][usize::from(number % 4)],
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
    pub(super) fn entries(&self, events: &[(u8, u8)]) -> Vec<Entry> {
        let entry = |(number, lane): &(u8, u8)| Entry {
            in_doubt: !self.clock.is_sure,
            start: self.begins.start(self.clock.now_ms),
            window_ms: self
                .begins
                .window_days
                .map(|days| u64::from(days) * 24 * HOUR_MS),
            ..of(*number, *lane, self.clock.now_ms).entry()
        };
        events.iter().map(entry).collect()
    }

    pub(super) async fn append(&mut self, events: &[(u8, u8)]) {
        let entries = self.entries(events);
        let appended = self.journal().append(entries).await.unwrap();
        self.told();
        self.appended(events, &appended, |_| true);
    }

    /// Compares what became of events that came in with what the model knows. Of earlier events only those
    /// count that `can_be_read`.
    pub(super) fn appended(
        &mut self,
        events: &[(u8, u8)],
        appended: &[Appended],
        can_be_read: impl Fn(EventKey) -> bool,
    ) {
        assert_eq!(events.len(), appended.len());
        for (event, appended) in events.iter().zip(appended) {
            self.pass_time();
            let known = self.events.iter().rev();
            let originals: Vec<(EventKey, bool)> = known
                .filter(|(key, known)| known.is_original(*event, &self.clock) && can_be_read(**key))
                .map(|(key, known)| (*key, known.memory.is_forgettable))
                .collect();
            // The newest one that is remembered counts.
            let surely = originals.iter().find(|(_, is_forgettable)| !is_forgettable);
            match *appended {
                Appended::Copy(key) => {
                    let is_original = originals.iter().any(|(original, _)| *original == key);
                    assert!(
                        is_original,
                        "{event:?} is no copy of {key:?}: {originals:?}"
                    );
                    assert!(surely.is_none_or(|(surely, _)| *surely <= key));
                    self.duplicate += 1;
                }
                Appended::New(key) => {
                    assert_eq!(surely, None, "{event:?} is a copy");
                    self.accept(key, *event);
                }
            }
        }
    }

    /// What a moment at which events come in does to earlier ones.
    pub(super) fn pass_time(&mut self) {
        let epochs = self.clock.epochs.len();
        let sure_ms = self.clock.is_sure.then_some(self.clock.now_ms);
        for known in self.events.values_mut() {
            let window_ms = known.window_ms;
            known.memory.pass_time(sure_ms, window_ms, epochs);
        }
    }

    fn accept(&mut self, key: EventKey, (number, lane): (u8, u8)) {
        assert!(self.events.keys().all(|older| *older < key));
        let now_ms = self.clock.now_ms;
        let event = of(number, lane, now_ms).entry().event;
        let usual_s = event.action_source().dedup_window_s();
        let own_s = self
            .begins
            .window_days
            .map(|days| i64::from(days.min(60)) * 24 * 3_600);
        let window_s = own_s.unwrap_or(usual_s);
        let state = self.begins.state.unwrap_or(EventState::Waiting);
        let due_ms = match self.begins.start(now_ms) {
            Start::Due { at_ms } => Some(at_ms),
            _ => None,
        };
        let mut known = Known {
            number,
            lane,
            begins: self.begins,
            revision: 0,
            accepted_ms: now_ms,
            source: event.action_source(),
            expires_s: event.expires_at(),
            window_ms: u64::try_from(window_s).unwrap() * 1_000,
            state,
            at_ms: now_ms,
            is_leased: false,
            due_ms: None,
            held_ms: None,
            has_body: self.begins.state.is_none(),
            is_replay: false,
            memory: Memory {
                ages_from_ms: now_ms,
                epoch: self.clock.epoch(),
                is_forgettable: false,
            },
        };
        known.due_ms = due_ms.and_then(|due_ms| known.hold(due_ms));
        known.held_ms = known.due_ms;
        self.events.insert(key, known);
    }

    /// The keys of a lane's events that are ready, in order.
    pub(super) fn ready(&self, lane: u8, is_replay: bool) -> Vec<EventKey> {
        self.events
            .iter()
            .filter(|(_, known)| known.lane == lane && known.state == EventState::Waiting)
            .filter(|(_, known)| !known.is_leased && known.held_ms.is_none())
            .filter(|(_, known)| known.is_replay == is_replay)
            .map(|(key, _)| *key)
            .collect()
    }

    pub(super) async fn lease(&mut self, lane: u8, is_replay: bool, count: usize) {
        let id = self.lane(lane, is_replay);
        let lease = self.journal().lease(&id, self.limits(count)).await.unwrap();
        self.release(lane, is_replay);
        let mut expected = self.ready(lane, is_replay);
        expected.truncate(count);
        let leased: Vec<EventKey> = lease.events.iter().map(|event| event.key).collect();
        if self.is_untold {
            // Dropped ones took their places.
            assert!(expected.starts_with(&leased));
            assert_eq!(leased.is_empty(), expected.is_empty());
            self.look_around().await;
        } else {
            assert_eq!(leased, expected);
        }
        for event in &lease.events {
            let known = self.events.get_mut(&event.key).unwrap();
            assert_eq!(event.event_id, sample(known.number).id);
            assert_eq!(event.expires_s, known.expires_s);
            assert_eq!(event.is_deduplicated, known.source.is_deduplicated());
            let value = format!("\"value\":{}", value(known.revision));
            assert!(event.json.contains(&value), "{value}");
            known.is_leased = true;
        }
        self.leases.push(lease);
    }

    /// Amends an event, of those there are the nth.
    pub(super) async fn amend(&mut self, nth: usize, age_hours: u64, is_message: bool) {
        let Some(key) = self.events.keys().rev().nth(nth).copied() else {
            return;
        };
        let known = &self.events[&key];
        let mut sample = Sample {
            value: value(known.revision + 1),
            age_ms: age_hours * HOUR_MS,
            ..of(known.number, known.lane, known.accepted_ms)
        };
        // Not every event can happen in a chat.
        if is_message && sample.name == "Purchase" {
            sample.source = ActionSource::BusinessMessaging;
        }
        let entry = sample.entry();
        let expires_s = entry.event.expires_at();
        let amendment = Amendment {
            key,
            revision: Revision(known.revision),
            dataset: entry.dataset,
            at_ms: self.clock.now_ms,
            event: entry.event,
        };
        let amended = self.journal().amend(amendment).await.unwrap();
        self.told();
        let known = self.events.get_mut(&key).unwrap();
        let waits = known.state == EventState::Waiting && !known.is_leased && !known.is_replay;
        assert_eq!(amended == Amended::Done, waits);
        if waits {
            known.revision += 1;
            (known.expires_s, known.source) = (expires_s, sample.source);
            known.held_ms = known.held_ms.and_then(|due_ms| known.hold(due_ms));
        }
    }

    /// Of a lease that takes this many events now.
    pub(super) fn limits(&self, events_max: usize) -> LeaseLimits {
        LeaseLimits {
            now_ms: self.clock.now_ms,
            ..limits(events_max)
        }
    }

    /// A lease has looked which events of a lane are due: those whose time has come, and those whose time cannot be
    /// told because the clock was set back by more than they were to be held.
    pub(super) fn release(&mut self, lane: u8, is_replay: bool) {
        if is_replay {
            return;
        }
        let now_ms = self.clock.now_ms;
        let looked_ms = self.looked_ms.insert(lane, now_ms);
        let is_back = looked_ms.is_none_or(|looked_ms| now_ms < looked_ms);
        let of_lane = self.events.values_mut();
        for known in of_lane.filter(|known| known.lane == lane) {
            let Some(due_ms) = known.held_ms else {
                continue;
            };
            let left_ms = due_ms.saturating_sub(now_ms);
            let is_lost = is_back && left_ms > due_ms - known.accepted_ms + 60_000;
            known.held_ms = Some(due_ms).filter(|_| left_ms > 0 && !is_lost);
        }
    }

    pub(super) async fn settle(&mut self, index: usize, count: usize, state: EventState) {
        let Some(lease) = self.leases.get_mut(index) else {
            return;
        };
        let keys: Vec<_> = lease
            .events
            .iter()
            .map(|event| event.key)
            .take(count)
            .collect();
        let report = outcomes(&keys, state, self.clock.now_ms);
        let journal = self.journal.as_ref().unwrap();
        journal.settle(lease, report).await.unwrap();
        self.told();
        self.settled(&keys, state);
    }

    /// Notes what became of leased events.
    pub(super) fn settled(&mut self, keys: &[EventKey], state: EventState) {
        for key in keys {
            let known = self.events.get_mut(key).unwrap();
            known.is_leased = false;
            // One that was dropped on its way stays so, unless Meta took it.
            let is_corrected =
                known.state == EventState::Withheld && state == EventState::Delivered;
            if known.state == EventState::Waiting || is_corrected {
                (known.state, known.at_ms) = (state, self.clock.now_ms);
            }
        }
    }

    pub(super) fn drop_lease(&mut self, index: usize) {
        if index < self.leases.len() {
            for event in &self.leases.remove(index).events {
                self.events.get_mut(&event.key).unwrap().is_leased = false;
            }
        }
    }
}

/// An outcome that leaves an event in this state.
fn outcome(state: EventState) -> Outcome {
    let cause = Cause {
        code: Some(100),
        subcode: None,
        text: "because".to_owned(),
    };
    match state {
        EventState::Delivered => Outcome::Delivered,
        EventState::Refused => Outcome::Refused(cause),
        EventState::Expired => Outcome::Expired,
        _ => Outcome::Withheld(cause),
    }
}

/// A report that these events came to this state.
pub(super) fn outcomes(keys: &[EventKey], state: EventState, at_ms: u64) -> DeliveryReport {
    let outcome = outcome(state);
    DeliveryReport {
        at_ms,
        request: Some(record(keys.len())),
        outcomes: keys.iter().map(|key| (*key, outcome.clone())).collect(),
        ..DeliveryReport::default()
    }
}
