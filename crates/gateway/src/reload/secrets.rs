//! The job that reads secrets again: at once when their files have changed, and each minute while a lane waits for a
//! better one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Reloader;
use crate::jobs::{Job, Outcome, Plan, Whose, Work};
use crate::roster::Roster;

/// Reads secrets, and leaves a row of history when one has changed or cannot be read, whoever asked for it.
pub(crate) struct Secrets {
    reloader: Arc<Reloader>,
    /// Files have changed that are not read yet.
    have_changed: AtomicBool,
    /// When all were read for a lane that waits, by the monotonic clock, in milliseconds; 0 before the first time.
    all_read_ms: AtomicU64,
}

/// How often all are read while a lane waits, whatever news come in between: a command that prints another secret each
/// time would run for ever, and have its lane ask Meta each time.
const ALL_AGAIN: Duration = Duration::from_mins(1);

impl Secrets {
    pub(crate) fn new(reloader: Arc<Reloader>) -> Self {
        Self {
            reloader,
            have_changed: AtomicBool::new(false),
            all_read_ms: AtomicU64::new(0),
        }
    }

    /// Whether a lane waits for better secrets, and it is time to look for them again.
    fn are_all_due(&self) -> bool {
        let now_ms = self.reloader.clock.monotonic_ms();
        let read_ms = self.all_read_ms.load(Ordering::Relaxed);
        let is_time =
            read_ms == 0 || u128::from(now_ms.saturating_sub(read_ms)) >= ALL_AGAIN.as_millis();
        is_time && self.reloader.board.has_probing_lane()
    }

    async fn read(&self) -> Outcome {
        let reloader = &self.reloader;
        let have_changed = self.have_changed.swap(false, Ordering::Relaxed);
        if self.are_all_due() {
            let now_ms = reloader.clock.monotonic_ms();
            self.all_read_ms.store(now_ms.max(1), Ordering::Relaxed);
            reloader.commands.send_replace(false);
            reloader
                .read_secrets(false, |roster| roster.refresh(false))
                .await;
        } else if have_changed {
            reloader.read_secrets(false, Roster::refresh_files).await;
        }
        reloader.take_news().outcome()
    }
}

impl Job for Secrets {
    fn plan(&self) -> Plan {
        Plan {
            name: "secrets",
            every: Duration::from_mins(1),
            longest: Duration::from_secs(50),
            whose: Whose::Each,
        }
    }

    /// Files have changed, all are to be read, or there is news of a command or of a reload.
    fn is_called(&self) -> bool {
        if self.reloader.roster.have_files_changed() {
            self.have_changed.store(true, Ordering::Relaxed);
        }
        self.have_changed.load(Ordering::Relaxed) || self.are_all_due() || self.reloader.has_news()
    }

    fn run<'a>(&'a self, stop: &'a CancellationToken) -> Work<'a> {
        Box::pin(async move {
            let read = stop.run_until_cancelled(self.read()).await;
            read.unwrap_or_else(|| Err("it was ended".to_owned()))
        })
    }
}
