//! Rejected events: a row without a body for each, up to a number an hour and source, and counts for all.

use rusqlite::Connection;
use sluice_event::Code;

use super::row::stored_ms;
use super::state::{Staged, State};
use super::tally::Group;
use crate::types::Rejection;

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
    staged.keep_rejection_rows(&state.rejection_rows);
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
        if let Some(id) = state.rejection_rows.next(source, *rejected_ms) {
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
