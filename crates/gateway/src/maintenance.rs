//! What has to be done from time to time: deleting old bodies, looking at the journal and at versions.

use std::sync::Arc;
use std::time::Duration;

use sluice_journal::{Journal, JournalError, Retention};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::board::Board;
use crate::clock::seconds;
use crate::roster::Snapshots;
use crate::ticks::ticks;
use crate::time::Time;
use crate::watch::Watch;

/// How often is looked whether the journal can write again.
const LOOK: Duration = Duration::from_secs(2);
/// How often Meta is asked what time it is, while that is in doubt.
const ASK_TIME: Duration = Duration::from_mins(1);
/// How often old bodies are deleted.
const SWEEP: Duration = Duration::from_hours(1);
/// How often the version of the Graph API is compared with its end.
const VERSIONS: Duration = Duration::from_hours(24);

/// What maintenance works with.
pub(crate) struct Maintenance {
    pub(crate) snapshots: Snapshots,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) clock: Arc<Time>,
    pub(crate) watch: Watch,
    pub(crate) board: Board,
    pub(crate) stop: CancellationToken,
    /// Cancelled when the journal has closed by itself: its writer ended by a defect.
    pub(crate) failed: CancellationToken,
}

/// Does it until it is told to stop.
pub(crate) async fn run(maintenance: Maintenance) {
    let work = async {
        tokio::join!(
            maintenance.keep_house(),
            maintenance.keep_bodies(),
            maintenance.keep_time()
        )
    };
    maintenance.stop.run_until_cancelled(work).await;
}

impl Maintenance {
    async fn keep_house(&self) {
        let (mut look, mut versions) = (ticks(LOOK), ticks(VERSIONS));
        loop {
            tokio::select! {
                _ = look.tick() => {
                    self.look_at_journal();
                    self.watch.tell_further(&self.board.rows(), |id| self.journal.waiting(id));
                }
                _ = versions.tick() => self.look_at_versions(),
            }
        }
    }

    /// Apart from all else: it may take minutes, and asks Meta what time it is before.
    async fn keep_bodies(&self) {
        let mut sweep = ticks(SWEEP);
        loop {
            sweep.tick().await;
            self.sweep().await;
        }
    }

    /// Asks what time it is while that is in doubt: a gateway that sends nothing would not hear it otherwise.
    async fn keep_time(&self) {
        let mut ask = ticks(ASK_TIME);
        loop {
            ask.tick().await;
            // The answer is told where it comes in.
            let _is_sure = self.clock.is_sure().await;
        }
    }

    /// Not by a time that is in doubt: what is deleted does not come back.
    async fn sweep(&self) {
        if !self.clock.is_sure().await {
            return;
        }
        match self.journal.sweep(self.retention_now()).await {
            Ok(0) => {}
            Ok(bodies) => info!(bodies, "deleted the bodies of events that are finished"),
            Err(error) => warn!(%error, "some old bodies or records could not be deleted"),
        }
    }

    /// Which bodies are kept now.
    fn retention_now(&self) -> Retention {
        let now_ms = self.clock.unix_ms();
        let retention = self.snapshots.borrow().config.journal.retention;
        if retention.is_zero() {
            return Retention::Needed { now_ms };
        }
        let retention_ms = u64::try_from(retention.as_millis()).unwrap_or(u64::MAX);
        Retention::FinishedSince(now_ms.saturating_sub(retention_ms))
    }

    /// A lane may be the first to meet a full disk, and the journal tries it again by itself: the log tells both.
    fn look_at_journal(&self) {
        let failing = self.journal.health().is_failing;
        self.watch.journal_fails(failing.as_ref());
        // In a stop this ends first, so what has closed the journal is a defect.
        if matches!(failing, Some(JournalError::Closed)) {
            self.failed.cancel();
        }
    }

    fn look_at_versions(&self) {
        let now_s = seconds(self.clock.unix_ms());
        let config = Arc::clone(&self.snapshots.borrow().config);
        for dataset in &config.datasets {
            let version = dataset.delivery.version;
            if let Some(warning) = version.warning(now_s) {
                let dataset = dataset.id.as_str();
                warn!(dataset, %version, %warning, "version of the Graph API");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use sluice_event::{DatasetId, Event, Findings, Moment, Rules, UserField};
    use sluice_journal::{
        Books, DeliveryReport, Embedded, Entry, EventKey, LaneId, LeaseLimits, Options, Outcome,
        SourceName, Start,
    };

    use super::*;
    use crate::clock::SystemClock;
    use crate::config::tests::LEAST;
    use crate::roster::Roster;

    /// Maintenance of a configuration, with a journal in this folder.
    fn maintenance(text: &str, folder: &Path) -> Maintenance {
        let journal = Embedded::open(&folder.join("journal"), Options::default()).unwrap();
        Maintenance {
            snapshots: Roster::for_tests(text).snapshots(),
            journal: Arc::new(journal),
            clock: Arc::new(Time::sure(Arc::new(SystemClock::default()))),
            watch: Watch::for_tests(),
            board: Board::default(),
            stop: CancellationToken::new(),
            failed: CancellationToken::new(),
        }
    }

    /// Waits for what has to come.
    async fn until(what: &str, is_so: impl Fn() -> bool) {
        let wait = async {
            while !is_so() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let came = tokio::time::timeout(Duration::from_secs(8), wait).await;
        assert!(came.is_ok(), "waited for {what} in vain");
    }

    #[tokio::test]
    async fn a_journal_that_can_write_again_is_told_while_nothing_comes_in() {
        let folder = tempfile::tempdir().unwrap();
        let maintenance = maintenance(LEAST, folder.path());
        let (watch, stop) = (maintenance.watch.clone(), maintenance.stop.clone());
        watch.kept(Some(&JournalError::Full));
        assert!(watch.is_failing());
        let maintenance = tokio::spawn(run(maintenance));
        until("a look at the journal", || !watch.is_failing()).await;
        stop.cancel();
        maintenance.await.unwrap();
    }

    #[tokio::test]
    async fn a_sweep_that_takes_long_delays_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let maintenance = maintenance(LEAST, folder.path());
        let (watch, stop) = (maintenance.watch.clone(), maintenance.stop.clone());
        // Another process writes: the sweep waits for it up to ten seconds, which is longer than is waited here.
        let other = rusqlite::Connection::open(folder.path().join("journal/journal.db")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let maintenance = tokio::spawn(run(maintenance));
        // The first look may come before the sweep.
        for _ in 0..2 {
            watch.kept(Some(&JournalError::Full));
            until("a look at the journal", || !watch.is_failing()).await;
        }
        other.execute_batch("ROLLBACK").unwrap();
        stop.cancel();
        maintenance.await.unwrap();
    }

    /// Whose clock leaps does not lose what is kept.
    #[tokio::test]
    async fn nothing_is_deleted_by_a_time_in_doubt() {
        let folder = tempfile::tempdir().unwrap();
        let mut maintenance = maintenance(LEAST, folder.path());
        let dataset = DatasetId::parse("1234567890123456").unwrap();
        let id = LaneId {
            dataset: dataset.clone(),
            test_code: None,
            is_replay: false,
        };
        let moment = Moment {
            unix_ms: 1_000,
            in_doubt: false,
            entropy: [7; 10],
        };
        let event = Event::new("Lead", 1).user(UserField::Em, "jane@example.com");
        let event = event.seal(&Rules::default(), moment, &mut Findings::new());
        let entry = Entry {
            dataset,
            source: SourceName::parse("shop").unwrap(),
            test_code: None,
            accepted_ms: 1_000,
            in_doubt: false,
            start: Start::Waiting,
            window_ms: None,
            is_completed: false,
            event: event.unwrap(),
        };
        maintenance.journal.append(vec![entry]).await.unwrap();
        let limits = LeaseLimits {
            events_max: 1,
            bytes_max: 1_000_000,
            urgent_before_s: 0,
            now_ms: 2_000,
        };
        let mut lease = maintenance.journal.lease(&id, limits).await.unwrap();
        let delivered = DeliveryReport {
            at_ms: 2_000,
            request: None,
            outcomes: vec![(lease.events[0].key, Outcome::Delivered)],
            ..DeliveryReport::default()
        };
        maintenance
            .journal
            .settle(&mut lease, delivered)
            .await
            .unwrap();
        let has_body = || {
            let detail = Books::open(&folder.path().join("journal")).unwrap();
            detail.event(EventKey(1)).unwrap().unwrap().json.is_some()
        };
        let clock = || Arc::new(SystemClock::default());
        maintenance.clock = Arc::new(Time::unheard(clock()).unwrap());
        maintenance.sweep().await;
        assert!(has_body());
        maintenance.clock = Arc::new(Time::sure(clock()));
        maintenance.sweep().await;
        assert!(!has_body());
    }
}
