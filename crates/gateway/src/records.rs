//! The store of this gateway: `records.db` beside the journal.
//!
//! Losing it costs history and never a conversion, so nothing waits for it. When it cannot be opened (a full disk, a newer
//! version's file, damage), the gateway runs without it, says so, and tries again.

use std::path::PathBuf;
use std::time::Duration;

use sluice_store::{Place, Store, StoreError};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::watch::Watch;

/// How long after a failure the file is opened again.
const OPEN_AGAIN: Duration = Duration::from_mins(1);

/// How long a call may keep whoever asks.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// How long the file may take to close.
const CLOSE_MAX: Duration = Duration::from_secs(1);

/// The store, open or not.
pub(crate) struct Records {
    folder: PathBuf,
    watch: Watch,
    state: watch::Sender<State>,
}

#[derive(Clone)]
enum State {
    /// It was not tried yet.
    Unknown,
    Open(Store),
    /// It could not be opened, or is closed again.
    Closed,
}

impl Records {
    /// The store in the journal's folder. It is opened by [`Records::keep`].
    pub(crate) fn new(folder: PathBuf, watch: Watch) -> Self {
        let state = watch::Sender::new(State::Unknown);
        Self {
            folder,
            watch,
            state,
        }
    }

    /// Opens it, as often as it takes.
    pub(crate) async fn keep(&self) {
        while !self.open().await {
            sleep(OPEN_AGAIN).await;
        }
    }

    /// Tries to open it.
    async fn open(&self) -> bool {
        // A folder that is gone is the journal's to tell: none is made in its place.
        let opened = if self.folder.is_dir() {
            Store::open(Place::Folder(&self.folder)).await
        } else {
            Err(StoreError::Refused("its folder is gone".to_owned()))
        };
        self.watch
            .records_fail(opened.as_ref().err().map(ToString::to_string));
        let is_open = opened.is_ok();
        self.state
            .send_replace(opened.map_or(State::Closed, State::Open));
        is_open
    }

    /// The store, if it could be opened; the first attempt is waited for.
    pub(crate) async fn store(&self) -> Option<Store> {
        let mut states = self.state.subscribe();
        let is_known = |state: &State| !matches!(state, State::Unknown);
        match &*states.wait_for(is_known).await.ok()? {
            State::Open(store) => Some(store.clone()),
            State::Unknown | State::Closed => None,
        }
    }

    /// Waits a moment for a call's answer, and notes whether the store can be used.
    pub(crate) async fn answer<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Option<T> {
        let answer = timeout(ANSWER_MAX, call).await;
        let why = match &answer {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_elapsed) => Some("it takes too long to answer".to_owned()),
        };
        self.watch.records_fail(why);
        answer.ok()?.ok()
    }

    /// Closes it, and leaves its file alone.
    pub(crate) async fn close(&self) {
        let state = self.state.send_replace(State::Closed);
        if let State::Open(store) = state {
            // What takes longer is ended with the process, as after a crash.
            let _in_time = timeout(CLOSE_MAX, store.close()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn a_store_that_cannot_be_opened_is_told_and_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let watch = Watch::for_tests();
        let records = Records::new(path.clone(), watch.clone());
        assert!(!records.open().await);
        assert!(records.store().await.is_none());
        assert_eq!(
            watch.records_failing().unwrap(),
            "the store is refused: its folder is gone"
        );
        assert!(!path.exists(), "none is made");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("records.db"), "no database, but a text").unwrap();
        assert!(!records.open().await);
        let why = watch.records_failing().unwrap();
        assert!(why.contains("the file is damaged"), "{why}");
        fs::remove_file(path.join("records.db")).unwrap();
        assert!(records.open().await);
        assert_eq!(watch.records_failing(), None);
        assert!(records.store().await.is_some());
        records.close().await;
        assert!(records.store().await.is_none());
        let files = fs::read_dir(&path).unwrap();
        let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        assert_eq!(names, ["records.db"]);
    }
}
