//! Rows that cannot be read, because the disk has damaged their page.
//!
//! SQLite lets a transaction that has met a damaged page write nothing more. So what a failed command would
//! have read is looked for outside of one, remembered, and left out when the command is tried again.

use std::collections::HashSet;

use rusqlite::Connection;

use super::row::unless_damaged;
use crate::types::EventKey;

/// Rows that are remembered; commands that meet further ones fail.
const KNOWN_MAX: usize = 100_000;

/// Events whose rows cannot be read.
#[derive(Default)]
pub(super) struct Unreadable(HashSet<EventKey>);

impl Unreadable {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn contains(&self, key: EventKey) -> bool {
        self.0.contains(&key)
    }

    /// Reads the rows of these events, outside of a transaction. Whether there are some that cannot be read and
    /// were not known, so that another attempt may succeed.
    pub(super) fn find(&mut self, conn: &Connection, sql: &str, keys: Vec<EventKey>) -> bool {
        let before = self.0.len();
        for key in keys {
            if self.0.len() < KNOWN_MAX && !can_read(conn, sql, key) {
                self.0.insert(key);
            }
        }
        self.0.len() > before
    }
}

/// Whether the row of an event can be read, or there is none.
fn can_read(conn: &Connection, sql: &str, key: EventKey) -> bool {
    let read = conn.prepare_cached(sql).and_then(|mut statement| {
        let mut rows = statement.query([key.0])?;
        rows.next().map(|row| row.is_some())
    });
    match read {
        Ok(_) => true,
        // Other failures are the disk's, not the row's.
        Err(error) => unless_damaged::<()>(Err(error)).is_err(),
    }
}
