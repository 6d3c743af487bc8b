//! What a person does beside the running journal, and retention.

use super::Model;
use crate::testing::HOUR_MS;
use crate::{
    Books, EventFilter, EventKey, EventState, Journal as _, Replayed, Retention, Selection,
};

impl Model {
    pub(super) async fn replay(&mut self, state: EventState) {
        let filter = EventFilter {
            states: vec![state],
            ..EventFilter::default()
        };
        let mut books = Books::open(self.folder.path()).unwrap();
        let done = books
            .replay(&Selection::Filter(filter), self.clock.now_ms)
            .unwrap();
        let now_s = i64::try_from(self.clock.now_ms / 1_000).unwrap();
        let mut expected = Replayed::default();
        // The newest first: of several events with one identity only the last goes out again.
        let keys: Vec<_> = self.events.keys().rev().copied().collect();
        for key in keys {
            let known = &self.events[&key];
            let is_dead = !matches!(state, EventState::Delivered | EventState::Recorded);
            if known.state != state || !is_dead {
                continue;
            }
            let event = (known.number, known.lane);
            let successors = self.events.range(key..).skip(1);
            let is_superseded = successors.map(|(_, later)| later).any(|later| {
                let is_alive = matches!(later.state, EventState::Waiting | EventState::Delivered);
                later.is_twin(event) && is_alive
            });
            if known.begins.state.is_some() {
                expected.never_kept += 1;
            } else if known.expires_s < now_s {
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
                known.held_ms = None;
            }
        }
        assert_eq!(done, expected);
        self.look_around().await;
    }

    pub(super) async fn drop_events(&mut self) {
        let mut books = Books::open(self.folder.path()).unwrap();
        let all = Selection::Filter(EventFilter::default());
        let done = books.drop_events(&all, self.clock.now_ms).unwrap();
        let mut expected = 0;
        for known in self.events.values_mut() {
            if matches!(known.state, EventState::Refused | EventState::Expired) {
                (known.state, known.at_ms) = (EventState::Withheld, self.clock.now_ms);
                expected += 1;
            }
        }
        assert_eq!(done.dropped, expected);
        self.look_around().await;
    }

    pub(super) fn drop_waiting(&mut self, count: usize) {
        let mut books = Books::open(self.folder.path()).unwrap();
        let waiting = self.events.iter_mut();
        let waiting = waiting.filter(|(_, known)| known.state == EventState::Waiting);
        let mut keys = Vec::new();
        for (key, known) in waiting.step_by(2).take(count) {
            (known.state, known.at_ms) = (EventState::Withheld, self.clock.now_ms);
            keys.push(*key);
        }
        let listed = books.waiting(&EventFilter::default(), None, 1_000);
        let listed: Vec<EventKey> = listed.unwrap().rows.iter().map(|event| event.key).collect();
        assert!(keys.iter().all(|key| listed.contains(key)));
        let done = books.drop_waiting(&keys, self.clock.now_ms).unwrap();
        assert_eq!((done.dropped, done.not_waiting), (keys.len() as u64, 0));
        self.is_untold = true;
    }

    pub(super) async fn sweep(&mut self, hours: u64) {
        let before_ms = self.clock.now_ms - hours * HOUR_MS;
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
}
