//! What has to be looked at every few seconds: the journal, the lines of the log, the time. What happens by the clock and
//! leaves a history is a job.

use std::sync::Arc;
use std::time::Duration;

use sluice_journal::{Journal, JournalError};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::board::Board;
use crate::ticks::ticks;
use crate::time::Time;
use crate::watch::Watch;

/// How often is looked whether the journal can write again.
const LOOK: Duration = Duration::from_secs(2);
/// How often a step towards the index of searches is taken.
const INDEX: Duration = Duration::from_secs(1);
/// How often Meta is asked what time it is, while that is in doubt.
const ASK_TIME: Duration = Duration::from_mins(1);

/// What maintenance works with.
pub(crate) struct Maintenance {
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
            maintenance.keep_time(),
            maintenance.keep_index()
        )
    };
    maintenance.stop.run_until_cancelled(work).await;
}

impl Maintenance {
    async fn keep_house(&self) {
        let mut look = ticks(LOOK);
        loop {
            look.tick().await;
            self.look_at_journal();
            self.watch
                .tell_further(&self.board.rows(), |id| self.journal.waiting(id));
        }
    }

    /// A step a second: searches wait for it, and a server under load does little else with its disk.
    async fn keep_index(&self) {
        let mut step = ticks(INDEX);
        loop {
            step.tick().await;
            if let Err(error) = self.journal.index().await {
                // What keeps the journal from writing is told by itself; the next step tries again.
                debug!(%error, "a step of the index of searches failed");
            }
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

    /// A lane may be the first to meet a full disk, and the journal tries it again by itself: the log tells both.
    fn look_at_journal(&self) {
        let failing = self.journal.health().is_failing;
        self.watch.journal_fails(failing.as_ref());
        // In a stop this ends first, so what has closed the journal is a defect.
        if matches!(failing, Some(JournalError::Closed)) {
            self.failed.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use sluice_journal::{Embedded, Options};

    use super::*;
    use crate::clock::SystemClock;

    /// Maintenance of a journal in this folder.
    fn maintenance(folder: &Path) -> Maintenance {
        let journal = Embedded::open(&folder.join("journal"), Options::default()).unwrap();
        Maintenance {
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
        let maintenance = maintenance(folder.path());
        let (watch, stop) = (maintenance.watch.clone(), maintenance.stop.clone());
        watch.kept(Some(&JournalError::Full));
        assert!(watch.is_failing());
        let maintenance = tokio::spawn(run(maintenance));
        until("a look at the journal", || !watch.is_failing()).await;
        stop.cancel();
        maintenance.await.unwrap();
    }
}
