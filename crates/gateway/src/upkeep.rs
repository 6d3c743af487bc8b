//! What has to be done from time to time: reading secrets again, deleting old bodies, looking at versions.

use std::sync::Arc;
use std::time::Duration;

use sluice_journal::Journal;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::clock::{SharedClock, seconds};
use crate::config::Dataset;
use crate::roster::Roster;
use crate::watch::Watch;

/// How often files with secrets are looked at.
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
    let ticks = |period| {
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    };
    let (mut look, mut again) = (ticks(LOOK), ticks(READ_AGAIN));
    let (mut sweep, mut versions) = (ticks(SWEEP), ticks(VERSIONS));
    loop {
        tokio::select! {
            () = upkeep.stop.cancelled() => return,
            () = upkeep.reload.notified() => upkeep.read_secrets(true).await,
            _ = look.tick() => {
                if upkeep.roster.have_files_changed() {
                    upkeep.read_secrets(false).await;
                }
            }
            _ = again.tick() => {
                if upkeep.watch.has_parked() {
                    upkeep.read_secrets(false).await;
                }
            }
            _ = sweep.tick() => tokio::select! {
                () = upkeep.sweep() => {}
                () = upkeep.stop.cancelled() => return,
            },
            _ = versions.tick() => upkeep.look_at_versions(),
        }
    }
}

impl Upkeep {
    async fn read_secrets(&self, wakes: bool) {
        let roster = Arc::clone(&self.roster);
        match tokio::task::spawn_blocking(move || roster.refresh(wakes)).await {
            Ok(Ok(())) => info!("keys and tokens were read again"),
            Ok(Err(error)) => {
                error!(%error, "a secret cannot be read; the known one stays in force");
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
