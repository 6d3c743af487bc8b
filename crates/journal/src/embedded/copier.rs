//! Copies the write-ahead log into the file on a thread of its own, so that no commit waits for it.
//!
//! SQLite starts the log over only when all of it is in the file, and beside a steady writer this thread
//! never gets there. So it copies the bulk, and the writer itself the few pages that came meanwhile.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use rusqlite::Connection;
use rusqlite::wal::CheckpointMode;

use super::error::OpenError;
use super::schema::{self, Access};

/// The thread, and what it was asked for.
pub(super) struct Copier {
    /// `None` when it ends.
    orders: Option<Sender<()>>,
    results: Receiver<Option<i32>>,
    is_busy: bool,
    thread: Option<JoinHandle<()>>,
}

impl Copier {
    /// Starts the thread, with a connection of its own.
    pub(super) fn start(path: &Path) -> Result<Self, OpenError> {
        let conn = connect(path).map_err(|error| OpenError::of_sqlite(path, &error))?;
        let (orders, received) = channel();
        let (done, results) = channel();
        let thread = std::thread::Builder::new()
            .name("journal-copier".to_owned())
            .spawn(move || {
                while let Ok(()) = received.recv() {
                    if done.send(copy(&conn)).is_err() {
                        return;
                    }
                }
            })
            .map_err(|error| OpenError::of_io(path, &error))?;
        Ok(Self {
            orders: Some(orders),
            results,
            is_busy: false,
            thread: Some(thread),
        })
    }

    /// Begins to copy, unless it is at it.
    pub(super) fn begin(&mut self) {
        if !self.is_busy && self.orders.as_ref().is_some_and(|to| to.send(()).is_ok()) {
            self.is_busy = true;
        }
    }

    /// Whether it is at it.
    pub(super) fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// How many pages of the log are in the file, once after each copy; `None` as well when it failed,
    /// which costs nothing but a longer log.
    pub(super) fn finished(&mut self) -> Option<i32> {
        let result = self.results.try_recv().ok()?;
        self.is_busy = false;
        result
    }
}

impl Drop for Copier {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A copy that panicked is one that failed.
            let _panicked = thread.join().is_err();
        }
    }
}

/// A connection that has met the log: before the first look into the file it knows of none.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let conn = schema::connect(path, Access::Write)?;
    schema::leave_log(&conn)?;
    conn.query_row("PRAGMA user_version", [], |_| Ok(()))?;
    Ok(conn)
}

/// Copies what can be copied without waiting for readers or writers. Returns how many pages of the log are in the
/// file now.
pub(super) fn copy(conn: &Connection) -> Option<i32> {
    let copied = conn.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE);
    // It says -1 when there is no log yet.
    copied.ok().map(|(_, copied)| copied.max(0))
}
