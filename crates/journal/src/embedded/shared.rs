//! What the writer and the handle both know.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    /// The body of an event is deleted in the transaction that records that it was delivered.
    pub(super) deletes_delivered: bool,
    /// Commits that deleted bodies.
    erasures: AtomicU64,
    /// Segments with rows that cannot be read, and that are not indexed.
    unreadable: Mutex<BTreeSet<i64>>,
    tally: Mutex<Tally>,
    failing: Mutex<Option<JournalError>>,
}

impl Shared {
    pub(super) fn new(
        path: PathBuf,
        place: Place,
        keys: BodyKeys,
        deletes_delivered: bool,
    ) -> Self {
        let place = Arc::new(place);
        Self {
            readers: Readers::new(path.clone(), Arc::clone(&place)),
            path,
            place,
            lanes: Lanes::new(),
            commits: AtomicU64::new(0),
            keys,
            deletes_delivered,
            erasures: AtomicU64::new(0),
            unreadable: Mutex::default(),
            tally: Mutex::default(),
            failing: Mutex::default(),
        }
    }

    /// How many commits have deleted bodies.
    pub(super) fn erasures(&self) -> u64 {
        self.erasures.load(Ordering::Acquire)
    }

    /// Notes that bodies were deleted. Comes after the commit: who reads bodies after this does not meet them.
    pub(super) fn note_erasure(&self) {
        self.erasures.fetch_add(1, Ordering::Release);
    }

    /// Notes that rows of a segment cannot be read.
    pub(super) fn note_unreadable(&self, segment: i64) {
        self.unreadable().insert(segment);
    }

    /// Whether rows of a segment could not be read.
    pub(super) fn is_unreadable(&self, segment: i64) -> bool {
        self.unreadable().contains(&segment)
    }

    fn unreadable(&self) -> MutexGuard<'_, BTreeSet<i64>> {
        self.unreadable
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
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
