//! Events of a dataset that the configuration does not name any more. Nothing sends them until it names the dataset
//! again; as in every lane, those that have grown too old for Meta are set aside.

use std::sync::Arc;
use std::time::Duration;

use sluice_journal::{Journal, LaneId};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::expiry::expire;
use crate::board::{Board, LaneReport};
use crate::lane_state::LaneState;
use crate::roster::Snapshots;
use crate::time::Time;
use crate::watch::Watch;

/// A queue that no lane delivers.
pub(crate) struct Orphan {
    pub(crate) id: LaneId,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) clock: Arc<Time>,
    pub(crate) watch: Watch,
    pub(crate) board: Board,
    /// [`LOOK`](super::expiry::LOOK), but for tests.
    pub(crate) look: Duration,
}

impl Orphan {
    /// Sets events aside as they grow too old, until it is stopped, none is left, or the configuration names the
    /// dataset.
    pub(crate) async fn run(self, stop: CancellationToken, mut snapshots: Snapshots) {
        let mut is_told = false;
        while !stop.is_cancelled() {
            if self.has_ended(&mut snapshots) {
                return;
            }
            if !std::mem::replace(&mut is_told, true) {
                self.tell();
            }
            match expire(&self.id, &self.journal, &self.clock, &self.watch, &stop).await {
                Ok(0) => {}
                Ok(_) => continue,
                Err(error) => Watch::not_expired(&self.id, &error),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                Ok(()) = snapshots.changed() => {}
                () = sleep(self.look) => {}
            }
        }
    }

    /// Whether a lane takes its place, or there is nothing left. The journal says so when events come for it again.
    fn has_ended(&self, snapshots: &mut Snapshots) -> bool {
        let snapshot = Arc::clone(&snapshots.borrow_and_update());
        if snapshot.config.dataset(&self.id.dataset).is_some() {
            return true;
        }
        let is_empty = self.journal.retire(&self.id);
        if is_empty {
            self.watch.lane_retired(&self.id);
            self.board.remove(&self.id);
        }
        is_empty
    }

    fn tell(&self) {
        let state = LaneState::Parked {
            probe_ms: None,
            reason: "the configuration does not name this dataset".to_owned(),
        };
        let waiting = self.journal.waiting(&self.id);
        self.watch.unknown_dataset(&self.id, &state, waiting);
        let report = LaneReport {
            state,
            ..LaneReport::default()
        };
        self.board.post(&self.id, report, self.clock.unix_ms());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use sluice_event::{DatasetId, Event, Findings, Moment, Rules, UserField};
    use sluice_journal::{Embedded, Entry, Options, SourceName, Start};

    use super::*;
    use crate::clock::{Clock, SharedClock, seconds};
    use crate::config::tests::LEAST;
    use crate::roster::Roster;

    struct SetClock(AtomicU64);

    impl Clock for SetClock {
        fn unix_ms(&self) -> u64 {
            self.0.load(Ordering::SeqCst)
        }

        fn monotonic_ms(&self) -> u64 {
            self.0.load(Ordering::SeqCst)
        }

        fn chance(&self) -> [u8; 16] {
            [7; 16]
        }
    }

    const NOW_MS: u64 = 1_800_000_000_000;

    fn entry(dataset: &DatasetId, id: &str, event_time: i64) -> Entry {
        let moment = Moment {
            unix_ms: NOW_MS,
            in_doubt: false,
            entropy: [7; 10],
        };
        let event = Event::new("Lead", event_time)
            .id(id)
            .user(UserField::Em, "jane@example.com");
        let sealed = event.seal(&Rules::default(), moment, &mut Findings::new());
        Entry {
            dataset: dataset.clone(),
            source: SourceName::parse("shop").unwrap(),
            test_code: None,
            accepted_ms: NOW_MS,
            in_doubt: false,
            start: Start::Waiting,
            window_ms: None,
            is_completed: false,
            event: sealed.unwrap(),
        }
    }

    #[tokio::test]
    async fn events_expire_one_after_the_other_while_it_runs() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Arc::new(Embedded::open(folder.path(), Options::default()).unwrap());
        let dataset = DatasetId::parse("1234567890123456").unwrap();
        let now_s = seconds(NOW_MS);
        let day_s = 24 * 60 * 60;
        let entries = vec![
            entry(&dataset, "old", now_s - 6 * day_s),
            entry(&dataset, "new", now_s),
        ];
        journal.append(entries).await.unwrap();
        let id = LaneId {
            dataset,
            test_code: None,
            is_replay: false,
        };
        let clock = Arc::new(SetClock(AtomicU64::new(NOW_MS)));
        let stop = CancellationToken::new();
        let orphan = Orphan {
            id: id.clone(),
            journal: Arc::clone(&journal) as Arc<dyn Journal>,
            clock: Arc::new(Time::sure(Arc::clone(&clock) as SharedClock)),
            watch: Watch::for_tests(),
            board: Board::default(),
            look: Duration::from_millis(1),
        };
        let other = LEAST.replace(id.dataset.as_str(), "2345678901234567");
        let snapshots = Roster::for_tests(&other).snapshots();
        let running = tokio::spawn(orphan.run(stop.clone(), snapshots));
        let left = async |ready: usize| {
            while journal.waiting(&id).ready != ready {
                tokio::task::yield_now().await;
            }
        };
        for (later_s, ready) in [(0, 2), (2 * day_s, 1), (8 * day_s, 0)] {
            let later_ms = u64::try_from(later_s * 1_000).unwrap();
            clock.0.store(NOW_MS + later_ms, Ordering::SeqCst);
            let left = tokio::time::timeout(Duration::from_secs(20), left(ready)).await;
            assert!(left.is_ok(), "{:?} of {ready}", journal.waiting(&id));
        }
        stop.cancel();
        running.await.unwrap();
    }
}
