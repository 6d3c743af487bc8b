//! Rejected events: a row without a body for each, up to a number an hour and source, and counts for all.

use std::collections::HashMap;

use rusqlite::Connection;
use sluice_event::Code;

use super::append::stored_ms;
use super::tally::Group;
use super::terms::Term;
use super::writer::{Staged, State};
use crate::types::Rejection;

/// Rejected events of one source that leave a row, in an hour; further ones are counted only. A program that
/// sends nothing but broken events must not fill the disk. Tests mean to meet it.
const ROWS_PER_HOUR_MAX: u32 = if cfg!(test) { 30 } else { 10_000 };

const HOUR_MS: u64 = 3_600_000;

/// What the writer knows of the rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Rejections {
    next_id: i64,
    /// Rows of each source in the latest hour that it had any in.
    of_source: HashMap<Term, (u64, u32)>,
}

impl Rejections {
    /// Reads the last number, and how many rows the last hour has.
    pub(super) fn load(conn: &Connection) -> rusqlite::Result<Self> {
        let last = "SELECT coalesce(max(id), 0), coalesce(max(at_ms), 0) FROM
                    (SELECT id, at_ms FROM rejection ORDER BY id DESC LIMIT 1)";
        let (last_id, at_ms) = conn.query_row(last, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (last_id, at_ms): (i64, u64) = (last_id, at_ms);
        let hour = at_ms / HOUR_MS;
        let mut rejections = Self {
            next_id: last_id + 1,
            of_source: HashMap::new(),
        };
        let mut statement = conn.prepare("SELECT source, at_ms FROM rejection ORDER BY id DESC")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if row.get::<_, u64>(1)? / HOUR_MS < hour {
                break;
            }
            let of_source = rejections.of_source.entry(row.get(0)?);
            of_source.or_insert((hour, 0)).1 += 1;
        }
        Ok(rejections)
    }

    /// The number of the next row, if the source may have one. A clock that went backwards makes no new hour.
    fn next(&mut self, source: Term, at_ms: u64) -> Option<i64> {
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

/// Writes and counts the rejected events of one request.
pub(super) fn reject(
    conn: &Connection,
    state: &mut State,
    staged: &mut Staged,
    rejections: &[Rejection],
) -> rusqlite::Result<()> {
    if rejections.is_empty() {
        return Ok(());
    }
    if staged.rejections.is_none() {
        staged.rejections = Some(state.rejections.clone());
    }
    let mut insert = conn.prepare_cached(
        "INSERT INTO rejection (id, dataset, source, at_ms, codes, event_name, event_id, order_id,
                                request_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for rejection in rejections {
        let Rejection {
            dataset,
            source,
            rejected_ms,
            codes,
            remains,
            request_id,
        } = rejection;
        let dataset = state.terms.intern(conn, dataset.as_str())?;
        let source = state.terms.intern(conn, source.as_str())?;
        let name = remains.event_name.as_deref().unwrap_or_default();
        let name = state.counted_name(conn, staged, (source, name))?.term;
        let group = Group {
            dataset,
            source,
            name,
        };
        let code = codes.first().map_or("", |code| code.name());
        let code = state.terms.intern(conn, code)?;
        staged.count_rejected(*rejected_ms, group, code);
        if let Some(id) = state.rejections.next(source, *rejected_ms) {
            insert.execute((
                id,
                dataset,
                source,
                stored_ms(*rejected_ms),
                listed(codes),
                remains.event_name.as_deref(),
                remains.event_id.as_deref(),
                remains.order_id.as_deref(),
                &**request_id,
            ))?;
        }
    }
    Ok(())
}

/// Codes as a row has them.
fn listed(codes: &[Code]) -> String {
    let names: Vec<_> = codes.iter().map(|code| code.name()).collect();
    names.join(" ")
}

/// Deletes up to `rows_max` rows of events that were rejected before `before_ms`, and says how many. The last row
/// stays: its number is never used again.
pub(super) fn sweep(conn: &Connection, before_ms: i64, rows_max: usize) -> rusqlite::Result<usize> {
    conn.prepare_cached(
        "DELETE FROM rejection WHERE id < min(
             (SELECT min(id) FROM rejection) + ?2,
             coalesce((SELECT id FROM rejection WHERE at_ms >= ?1 ORDER BY id LIMIT 1),
                      (SELECT max(id) FROM rejection)))",
    )?
    .execute((before_ms, rows_max))
}
