//! What has to be done from time to time: reading secrets again, deleting old bodies, looking at versions.
//! Secrets wait for nothing else: a new token frees a lane that somebody is waiting for.

use std::sync::Arc;
use std::time::Duration;

use sluice_journal::Journal;
use tokio::sync::Notify;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::clock::{SharedClock, seconds};
use crate::config::Dataset;
use crate::roster::Roster;
use crate::watch::Watch;

/// How often files with secrets are looked at, and whether the journal can write again.
const LOOK: Duration = Duration::from_secs(2);
/// How often secrets are read again while a lane waits for a better token.
const READ_AGAIN: Duration = Duration::from_mins(1);
/// How often old bodies are deleted.
const SWEEP: Duration = Duration::from_hours(1);
/// How often the version of the Graph API is compared with its end.
const VERSIONS: Duration = Duration::from_hours(24);

/// What upkeep works with.
pub(crate) struct Upkeep {
    pub(crate) roster: Arc<Roster>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) clock: SharedClock,
    pub(crate) watch: Watch,
    pub(crate) retention: Duration,
    pub(crate) datasets: Vec<Dataset>,
    pub(crate) reload: Arc<Notify>,
    pub(crate) stop: CancellationToken,
}

/// Does it until it is told to stop.
pub(crate) async fn run(upkeep: Upkeep) {
    let work = async { tokio::join!(upkeep.keep_secrets(), upkeep.keep_house()) };
    upkeep.stop.run_until_cancelled(work).await;
}

/// A clock that ticks now and then in this period.
fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

impl Upkeep {
    async fn keep_secrets(&self) {
        let (mut look, mut again) = (ticks(LOOK), ticks(READ_AGAIN));
        loop {
            tokio::select! {
                () = self.reload.notified() => self.read_secrets(true).await,
                _ = look.tick() => {
                    if self.roster.have_files_changed() {
                        self.read_secrets(false).await;
                    }
                }
                _ = again.tick() => {
                    if self.watch.has_parked() {
                        self.read_secrets(false).await;
                    }
                }
            }
        }
    }

    async fn keep_house(&self) {
        let (mut sweep, mut versions) = (ticks(SWEEP), ticks(VERSIONS));
        let mut look = ticks(LOOK);
        loop {
            tokio::select! {
                _ = look.tick() => self.look_at_journal(),
                _ = sweep.tick() => self.sweep().await,
                _ = versions.tick() => self.look_at_versions(),
            }
        }
    }

    async fn read_secrets(&self, wakes: bool) {
        let roster = Arc::clone(&self.roster);
        match tokio::task::spawn_blocking(move || roster.refresh(wakes)).await {
            Ok(Ok(())) => info!("keys and tokens were read again"),
            Ok(Err(error)) => {
                let error = error.with_reason();
                error!(
                    error,
                    "a secret cannot be read; the known one stays in force"
                );
            }
            Err(error) => error!(%error, "reading secrets failed"),
        }
    }

    async fn sweep(&self) {
        let retention_ms = u64::try_from(self.retention.as_millis()).unwrap_or(u64::MAX);
        let before_ms = self.clock.unix_ms().saturating_sub(retention_ms);
        match self.journal.sweep(before_ms).await {
            Ok(0) => {}
            Ok(bodies) => info!(
                bodies,
                "deleted the bodies of events that were finished long ago"
            ),
            Err(error) => warn!(%error, "old bodies could not be deleted"),
        }
    }

    /// A lane may be the first to meet a full disk, and the journal tries it again by itself; whoever waits for
    /// that reads the log.
    fn look_at_journal(&self) {
        let failing = self.journal.health().is_failing;
        self.watch.journal_fails(failing.as_ref());
    }

    fn look_at_versions(&self) {
        let now_s = seconds(self.clock.unix_ms());
        for dataset in &self.datasets {
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
    use sluice_journal::{Embedded, JournalError, Options};

    use super::*;
    use crate::clock::SystemClock;
    use crate::config::tests::LEAST;
    use crate::config::{Config, FixedEnvironment};

    #[tokio::test]
    async fn a_journal_that_can_write_again_is_told_while_nothing_comes_in() {
        let environment = FixedEnvironment::new()
            .with("META_ACCESS_TOKEN", "EAAToken")
            .with("SLUICE_KEY", "key-of-the-shop-0123456789");
        let config = Config::parse("test.toml", LEAST, &environment, 0).unwrap();
        let config = config.config;
        let folder = tempfile::tempdir().unwrap();
        let journal = Embedded::open(folder.path(), Options::default()).unwrap();
        let watch = Watch::new();
        watch.kept(Some(&JournalError::Full));
        assert!(watch.is_failing());
        let stop = CancellationToken::new();
        let upkeep = tokio::spawn(run(Upkeep {
            roster: Arc::new(Roster::read(config.clone(), Arc::new(environment)).unwrap()),
            journal: Arc::new(journal),
            clock: Arc::new(SystemClock::default()),
            watch: watch.clone(),
            retention: config.journal.retention,
            datasets: config.datasets,
            reload: Arc::default(),
            stop: stop.clone(),
        }));
        let told = async {
            while watch.is_failing() {
                tokio::task::yield_now().await;
            }
        };
        let told = tokio::time::timeout(Duration::from_secs(10), told).await;
        assert!(told.is_ok(), "nobody looked");
        stop.cancel();
        upkeep.await.unwrap();
    }
}
