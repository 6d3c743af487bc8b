//! Directives: what a person told the gateway that holds until it is taken back or ends. Lanes and doors obey them.
//!
//! They outlive the process: a lane that was paused because Meta must not get its events stays paused after a restart.
//! So each change is on disk before it takes effect.

mod file;
mod standing;

use std::path::Path;
use std::sync::Arc;

use sluice_event::DatasetId;
use sluice_journal::LaneId;
use tokio::sync::{Mutex, broadcast, watch};

use crate::control::{ControlError, Lanes, Pause, Test};
pub use file::DirectivesError;
use file::File;
pub(crate) use standing::Standing;

/// Probes that a busy lane may fall behind; one that has fallen behind further tries again in any case.
const PROBES_MAX: usize = 16;

/// What people told the gateway; clones are the same.
#[derive(Clone)]
pub(crate) struct Directives {
    standing: Arc<watch::Sender<Arc<Standing>>>,
    probes: broadcast::Sender<Lanes>,
    /// One change at a time.
    file: Arc<Mutex<File>>,
}

impl Directives {
    /// Reads what holds from the journal's folder. This blocks.
    ///
    /// # Errors
    ///
    /// The file is there and cannot be read. A gateway that went on would send what it must not.
    pub(crate) fn read(folder: &Path) -> Result<Self, DirectivesError> {
        let file = File::in_folder(folder);
        let standing = file.read()?;
        Ok(Self {
            standing: Arc::new(watch::Sender::new(Arc::new(standing))),
            probes: broadcast::Sender::new(PROBES_MAX),
            file: Arc::new(Mutex::new(file)),
        })
    }

    /// What holds now.
    pub(crate) fn now(&self) -> Arc<Standing> {
        Arc::clone(&self.standing.borrow())
    }

    /// What holds, and a change of it.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<Standing>> {
        self.standing.subscribe()
    }

    /// The pause of a lane.
    pub(crate) fn pause_of(&self, lane: &LaneId) -> Option<Pause> {
        self.standing.borrow().pause_of(lane).cloned()
    }

    /// Whether a lane is paused.
    pub(crate) fn is_paused(&self, lane: &LaneId) -> bool {
        self.standing.borrow().pause_of(lane).is_some()
    }

    /// The test of a dataset. By a time that is in doubt none is over.
    pub(crate) fn test_of(&self, dataset: &DatasetId, now: (u64, bool)) -> Option<Test> {
        self.standing.borrow().test_of(dataset, now).cloned()
    }

    /// Changes what holds. It takes effect when it is on disk; until then nothing is changed.
    pub(crate) async fn change<T>(
        &self,
        change: impl FnOnce(&mut Standing) -> Result<T, ControlError>,
    ) -> Result<T, ControlError> {
        let file = Arc::clone(&self.file).lock_owned().await;
        let mut standing = Standing::clone(&self.now());
        let changed = change(&mut standing)?;
        let in_force = Arc::clone(&self.standing);
        // To its end, also when the person who asked for it goes away: what is on disk and what holds are the same.
        let written = tokio::task::spawn_blocking(move || {
            file.write(&standing)?;
            in_force.send_replace(Arc::new(standing));
            Ok::<_, ControlError>(())
        });
        let defect = |error: tokio::task::JoinError| ControlError::Defect(error.to_string());
        written.await.map_err(defect)??;
        Ok(changed)
    }

    /// Has lanes try again.
    pub(crate) fn probe(&self, lanes: &Lanes) {
        // Without a lane there is nothing to try.
        let _ = self.probes.send(lanes.clone());
    }

    /// The probes from now on.
    pub(crate) fn probes(&self) -> broadcast::Receiver<Lanes> {
        self.probes.subscribe()
    }
}

#[cfg(test)]
impl Directives {
    /// Of a folder that has none.
    pub(crate) fn for_tests() -> Self {
        Self::read(Path::new("/nonexistent/sluice")).expect("there is no file")
    }
}
