//! A few read-only connections, for leases.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::place::Place;
use super::schema::{self, Access};
use crate::error::JournalError;

/// Idle connections that are kept.
const IDLE_MAX: usize = 4;

/// The pool.
pub(super) struct Readers {
    path: PathBuf,
    place: Arc<Place>,
    /// `None` when the journal is closed.
    idle: Mutex<Option<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn new(path: PathBuf, place: Arc<Place>) -> Self {
        Self {
            path,
            place,
            idle: Mutex::new(Some(Vec::new())),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Option<Vec<Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `read` in one short read transaction. Blocks: not for async threads.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let idle = match &mut *self.idle() {
            Some(idle) => idle.pop(),
            None => return Err(JournalError::Closed),
        };
        let read = self.read_with(idle, read);
        // After a connection was opened: it may have met another file than the writer's.
        self.place.check()?;
        let (result, conn) = read?;
        if let Some(idle) = &mut *self.idle()
            && idle.len() < IDLE_MAX
        {
            idle.push(conn);
        }
        Ok(result)
    }

    /// A connection that failed does not come back.
    fn read_with<T>(
        &self,
        idle: Option<Connection>,
        read: impl FnOnce(&Connection) -> Result<T, JournalError>,
    ) -> Result<(T, Connection), JournalError> {
        let mut conn = match idle {
            Some(conn) => conn,
            None => self.connect()?,
        };
        let transaction = conn.transaction()?;
        let result = read(&transaction)?;
        // Not a commit: SQLite refuses it to a transaction that has met a damaged page, which `read` may allow for.
        transaction.rollback()?;
        Ok((result, conn))
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let conn = schema::connect(&self.path, Access::Read)?;
        schema::leave_log(&conn)?;
        conn.pragma_update(None, "cache_size", -4_096)?;
        Ok(conn)
    }

    /// Closes what is idle; what is in use is closed when it comes back.
    pub(super) fn close(&self) {
        *self.idle() = None;
    }
}
