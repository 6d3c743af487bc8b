//! What the writer and the handle both know.

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use super::cipher::BodyKeys;
use super::lane::Lanes;
use super::place::Place;
use super::readers::Readers;
use crate::books::Tally;
use crate::error::JournalError;

/// The state of an open journal that more than one thread reads.
pub(super) struct Shared {
    /// The journal's file.
    pub(super) path: PathBuf,
    pub(super) place: Arc<Place>,
    pub(super) lanes: Lanes,
    pub(super) readers: Readers,
    /// Commits since the start.
    pub(super) commits: AtomicU64,
    /// Bodies are read with them.
    pub(super) keys: BodyKeys,
    tally: Mutex<Tally>,
    failing: Mutex<Option<JournalError>>,
}

impl Shared {
    pub(super) fn new(path: PathBuf, place: Place, keys: BodyKeys) -> Self {
        let place = Arc::new(place);
        Self {
            readers: Readers::new(path.clone(), Arc::clone(&place)),
            path,
            place,
            lanes: Lanes::new(),
            commits: AtomicU64::new(0),
            keys,
            tally: Mutex::default(),
            failing: Mutex::default(),
        }
    }

    /// Notes how the last attempt to write went.
    pub(super) fn note(&self, error: Option<JournalError>) {
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    /// Why nothing can be written; `None` while all is well.
    pub(super) fn failing(&self) -> Option<JournalError> {
        let failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let displaced = || self.place.displaced();
        match &*failing {
            Some(JournalError::Closed) => Some(JournalError::Closed),
            // No later attempt makes it good.
            other => displaced().or_else(|| other.clone()),
        }
    }

    pub(super) fn set_tally(&self, tally: Tally) {
        *self.tally.lock().unwrap_or_else(PoisonError::into_inner) = tally;
    }

    pub(super) fn tally(&self) -> Tally {
        *self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
