//! Which rejected events leave a row: up to a number for each source and hour. The others are only counted.

use std::collections::HashMap;

use rusqlite::Connection;

use super::terms::Term;

/// Rejected events of one source that leave a row, in an hour; further ones are counted only. A program that
/// sends nothing but broken events must not fill the disk. Tests mean to meet it.
const ROWS_PER_HOUR_MAX: u32 = if cfg!(test) { 30 } else { 10_000 };

const HOUR_MS: u64 = 3_600_000;

/// What the writer knows of the rows of rejected events.
#[derive(Debug, Clone, Default)]
pub(super) struct RejectionRows {
    next_id: i64,
    /// The latest hour, since 1970, in which a source had any rows, and how many.
    of_source: HashMap<Term, (u64, u32)>,
}

impl RejectionRows {
    /// Reads the last number, and how many rows the last hour has.
    pub(super) fn load(conn: &Connection) -> rusqlite::Result<Self> {
        let last = "SELECT coalesce(max(id), 0), coalesce(max(at_ms), 0) FROM
                    (SELECT id, at_ms FROM rejection ORDER BY id DESC LIMIT 1)";
        let (last_id, at_ms) = conn.query_row(last, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (last_id, at_ms): (i64, u64) = (last_id, at_ms);
        let hour = at_ms / HOUR_MS;
        let mut loaded = Self {
            next_id: last_id + 1,
            of_source: HashMap::new(),
        };
        let mut statement = conn.prepare("SELECT source, at_ms FROM rejection ORDER BY id DESC")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if row.get::<_, u64>(1)? / HOUR_MS < hour {
                break;
            }
            let of_source = loaded.of_source.entry(row.get(0)?);
            of_source.or_insert((hour, 0)).1 += 1;
        }
        Ok(loaded)
    }

    /// The number of the next row, if the source may have one. A clock that went backwards makes no new hour.
    pub(super) fn next(&mut self, source: Term, at_ms: u64) -> Option<i64> {
        let hour = at_ms / HOUR_MS;
        let (latest, rows) = self.of_source.entry(source).or_default();
        if hour > *latest {
            (*latest, *rows) = (hour, 0);
        }
        if *rows >= ROWS_PER_HOUR_MAX {
            return None;
        }
        *rows += 1;
        self.next_id += 1;
        Some(self.next_id - 1)
    }
}
