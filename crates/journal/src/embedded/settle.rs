//! Settling: what became of leased events, as appended rows.

use std::collections::BTreeSet;
use std::sync::Arc;

use rusqlite::Connection;

use super::erase;
use super::index;
use super::lane::Lane;
use super::row::{stored_ms, unless_damaged};
use super::state::{Staged, State};
use super::tally::{Counted, Group};
use crate::types::{Cause, DeliveryReport, EventKey, Outcome, RequestRecord};

/// What is read of an event to count its outcome.
pub(super) const GROUP_OF: &str = "SELECT dataset, source, name FROM event WHERE id = ?1";

/// Writes that a request with these events is about to be sent.
pub(super) fn intend(conn: &Connection, keys: &[EventKey], at_ms: u64) -> rusqlite::Result<()> {
    let mut insert =
        conn.prepare_cached("INSERT OR REPLACE INTO intent (event, at_ms) VALUES (?1, ?2)")?;
    for key in keys {
        insert.execute((key.0, stored_ms(at_ms)))?;
    }
    Ok(())
}

/// Deletes intents: it is known what became of these events. Most reports name none.
pub(super) fn resolve(conn: &Connection, keys: &[EventKey]) -> rusqlite::Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let mut delete = conn.prepare_cached("DELETE FROM intent WHERE event = ?1")?;
    for key in keys {
        delete.execute([key.0])?;
    }
    Ok(())
}

/// A final state as a row has it.
pub(super) struct OutcomeRow<'a> {
    pub(super) counted: Counted,
    /// Why.
    pub(super) cause: Option<&'a Cause>,
}

impl<'a> OutcomeRow<'a> {
    pub(super) fn of(outcome: &'a Outcome) -> Option<Self> {
        Some(Self {
            counted: Counted::of_state(outcome.state())?,
            cause: match outcome {
                Outcome::Delivered | Outcome::Expired => None,
                Outcome::Refused(cause) | Outcome::Withheld(cause) => Some(cause),
            },
        })
    }
}

/// Writes a final state, and by which request it came, unless the event has one. Whether it was written.
pub(super) fn write_outcome(
    conn: &Connection,
    key: EventKey,
    OutcomeRow { counted, cause }: &OutcomeRow<'_>,
    (at_ms, request): (u64, Option<i64>),
) -> rusqlite::Result<bool> {
    let mut insert = conn.prepare_cached(
        "INSERT OR IGNORE INTO outcome (event, state, at_ms, request, code, subcode, text)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let written = insert.execute((
        key.0,
        counted.number(),
        stored_ms(at_ms),
        request,
        cause.and_then(|cause| cause.code),
        cause.and_then(|cause| cause.subcode),
        cause.map(|cause| cause.text.as_str()),
    ))?;
    Ok(written == 1)
}

/// Writes the rows of one report.
pub(super) fn settle(
    conn: &Connection,
    state: &mut State,
    staged: &mut Staged,
    lane: &Arc<Lane>,
    report: &DeliveryReport,
) -> rusqlite::Result<()> {
    let request = report
        .request
        .as_ref()
        .map(|request| write_request(conn, state, lane, (request, events_of(report))))
        .transpose()?;
    let mut group_of = conn.prepare_cached(GROUP_OF)?;
    let mut erased = BTreeSet::new();
    for (key, outcome) in &report.outcomes {
        let group = if state.unreadable.contains(*key) {
            None
        } else {
            unless_damaged(group_of.query_row([key.0], |row| Group::read(row, 0)))?
        };
        let (Some(group), Some(row)) = (group, OutcomeRow::of(outcome)) else {
            // Its row is gone or broken: it cannot be counted, and it must not wait for ever.
            staged.settled.push((Arc::clone(lane), *key));
            continue;
        };
        let counted = row.counted;
        let is_new = write_outcome(conn, *key, &row, (report.at_ms, request))?;
        let is_delivered = matches!(outcome, Outcome::Delivered);
        if is_new {
            staged.count(report.at_ms, group, counted, 1);
        } else if is_delivered && correct(conn, *key, report.at_ms, request)? {
            staged.count(report.at_ms, group, Counted::Withheld, -1);
            staged.count(report.at_ms, group, counted, 1);
        }
        if is_delivered && state.shared.deletes_delivered {
            erase::overwrite(conn, *key)?;
            erased.insert(index::segment_of(key.0));
        }
        staged.settled.push((Arc::clone(lane), *key));
    }
    staged.has_deleted |= !erased.is_empty();
    index::forget_persons(conn, &erased)
}

/// Corrects the outcome of an event that was dropped by hand while it was leased and that Meta took all the same.
/// Any other final state stays: then the report is that of a holder that lost its lease and settles late.
fn correct(
    conn: &Connection,
    key: EventKey,
    at_ms: u64,
    request: Option<i64>,
) -> rusqlite::Result<bool> {
    let changed = conn
        .prepare_cached(
            "UPDATE outcome SET state = ?3, at_ms = ?4, request = ?5, code = NULL, subcode = NULL, text = NULL
             WHERE event = ?1 AND state = ?2",
        )?
        .execute((
            key.0,
            Counted::Withheld.number(),
            Counted::Delivered.number(),
            stored_ms(at_ms),
            request,
        ))?;
    Ok(changed == 1)
}

/// Takes events out of a queue that have their final state already.
pub(super) fn forget(
    conn: &Connection,
    staged: &mut Staged,
    lane: &Arc<Lane>,
    keys: &[EventKey],
) -> rusqlite::Result<()> {
    let mut is_final =
        conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM outcome WHERE event = ?1)")?;
    for key in keys {
        if is_final.query_row([key.0], |row| row.get(0))? {
            staged.settled.push((Arc::clone(lane), *key));
        }
    }
    Ok(())
}

/// The first and the last event whose state a report decides, between which all others are; none if the last one is
/// before the first.
fn events_of(report: &DeliveryReport) -> (i64, i64) {
    let keys = report.outcomes.iter().map(|(key, _)| key.0);
    let first = keys.clone().min().unwrap_or(1);
    (first, keys.max().unwrap_or_default())
}

fn write_request(
    conn: &Connection,
    state: &mut State,
    lane: &Lane,
    (request, (first, last)): (&RequestRecord, (i64, i64)),
) -> rusqlite::Result<i64> {
    let dataset = state.terms.intern(conn, lane.id.dataset.as_str())?;
    let test_code = lane.id.test_code.as_ref();
    let test_code = test_code.map(|code| state.terms.intern(conn, code.as_str()));
    let id = state.next_request;
    conn.prepare_cached(
        "INSERT INTO request (id, dataset, test_code, sent_ms, elapsed_ms, events, bytes, status,
                              code, subcode, received, fbtrace_id, verdict, first_event, last_event)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?
    .execute((
        id,
        dataset,
        test_code.transpose()?,
        stored_ms(request.sent_ms),
        stored_ms(request.elapsed_ms),
        request.events,
        request.bytes,
        request.status,
        request.code,
        request.subcode,
        request.received.map(stored_ms),
        request.fbtrace_id.as_deref(),
        request.verdict,
        first,
        last,
    ))?;
    state.next_request += 1;
    Ok(id)
}
