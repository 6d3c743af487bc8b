//! Rows that cannot be read, because the disk has damaged their page.
//!
//! SQLite lets a transaction that has met a damaged page write nothing more. So what a failed command would
//! have read is looked for outside of one, remembered, and left out when the command is tried again.

use std::collections::HashSet;

use rusqlite::Connection;

use super::append;
use super::lease::unless_damaged;
use super::settle;
use super::writer::{Command, Writer};
use crate::types::EventKey;

/// Rows that are remembered, beyond which those that meet one fail.
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
}

impl Writer {
    /// Looks for rows that a command reads and that cannot be read. Whether there are some that were not
    /// known, so that another attempt may succeed. Outside of a transaction.
    pub(super) fn find_unreadable(&mut self, command: &Command) -> bool {
        let Self { conn, state, .. } = self;
        let (sql, keys) = match command {
            Command::Append { arrivals, .. } => {
                (append::KNOWN, append::candidates(state, arrivals))
            }
            Command::Settle { report, .. } => {
                let keys = report.outcomes.iter().map(|(key, _)| *key).collect();
                (settle::GROUP_OF, keys)
            }
            _ => return false,
        };
        let before = state.unreadable.0.len();
        for key in keys {
            if state.unreadable.0.len() < KNOWN_MAX && !can_read(conn, sql, key) {
                state.unreadable.0.insert(key);
            }
        }
        state.unreadable.0.len() > before
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
