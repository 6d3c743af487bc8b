//! What a person does about waiting events: look at them, or drop them, beside a running gateway.
//!
//! The gateway has its queues in memory. It reads what was dropped before its next commit, at the latest within
//! a second (`others.rs`); a lease that is read until then leaves them out.

use rusqlite::{Connection, OptionalExtension as _};
use sluice_event::DatasetId;

use super::dead::{EVENTS_PER_COMMIT, PAUSE, in_transaction};
use super::ledger::{Books, PAGE_MAX};
use super::low_water::LowWater;
use super::records::{EventRecord, RECORD, record};
use super::row::stored_ms;
use super::tally::{Changes, Counted, Group};
use crate::error::JournalError;
use crate::types::{EventKey, SourceName};

/// Which waiting events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WaitingFilter {
    /// Of this dataset.
    pub dataset: Option<DatasetId>,
    /// Of this source.
    pub source: Option<SourceName>,
    /// Of this `event_name`.
    pub event_name: Option<String>,
    /// That came at this time or later, in milliseconds since 1970.
    pub since_ms: Option<u64>,
}

/// What became of waiting events that were to be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DroppedWaiting {
    /// They are withheld, with the cause "dropped by hand".
    pub dropped: u64,
    /// They did not wait, or are not there.
    pub not_waiting: u64,
}

const WAITING: &str = "o.event IS NULL AND e.id >= ?5 AND e.id < ?6
    AND (?1 IS NULL OR e.dataset = (SELECT id FROM term WHERE text = ?1))
    AND (?2 IS NULL OR e.source = (SELECT id FROM term WHERE text = ?2))
    AND (?3 IS NULL OR e.own_name = ?3
         OR e.own_name IS NULL AND e.name = (SELECT id FROM term WHERE text = ?3))
    AND (?4 IS NULL OR e.accepted_ms >= ?4)";

/// Before the mark where a start begins, only these can wait.
const NAMED: &str = "AND e.id IN (SELECT event FROM straggler)";

impl Books {
    /// Waiting events in order of arrival, those of a running gateway's lanes included: at most `limit`, and
    /// never more than [`PAGE_MAX`]. `after` is the last of the page before.
    pub fn waiting(
        &self,
        filter: &WaitingFilter,
        after: Option<EventKey>,
        limit: usize,
    ) -> Result<Vec<EventRecord>, JournalError> {
        let low_water = LowWater::load(&self.conn)?;
        let next = after.map_or(1, |key| key.0.saturating_add(1));
        let limit = limit.min(PAGE_MAX);
        let mut found = self.waiting_of(NAMED, filter, (next, low_water.from.0), limit)?;
        let rest = (next.max(low_water.from.0), i64::MAX);
        found.extend(self.waiting_of("", filter, rest, limit - found.len())?);
        Ok(found)
    }

    /// Those with keys from the first number on, before the second.
    fn waiting_of(
        &self,
        condition: &str,
        filter: &WaitingFilter,
        (from, to): (i64, i64),
        limit: usize,
    ) -> Result<Vec<EventRecord>, JournalError> {
        let sql = format!(
            "{RECORD} FROM event e LEFT JOIN outcome o ON o.event = e.id
             LEFT JOIN request r ON r.id = o.request WHERE {WAITING} {condition} ORDER BY e.id LIMIT ?7"
        );
        let bound = (
            filter.dataset.as_ref().map(DatasetId::as_str),
            filter.source.as_ref().map(SourceName::as_str),
            filter.event_name.as_deref(),
            filter.since_ms.map(stored_ms),
            from,
            to,
            limit,
        );
        let mut statement = self.conn.prepare_cached(&sql)?;
        let rows = statement.query_map(bound, record)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Gives waiting events up: they are withheld from now on, and no lane leases them any more. What a lane has
    /// leased at this moment may be on its way to Meta; when Meta takes it, it counts as delivered.
    pub fn drop_waiting(
        &mut self,
        keys: &[EventKey],
        at_ms: u64,
    ) -> Result<DroppedWaiting, JournalError> {
        let mut sum = DroppedWaiting::default();
        for keys in keys.chunks(EVENTS_PER_COMMIT) {
            in_transaction(&mut self.conn, |conn| {
                let dropped = drop_some(conn, keys, at_ms)?;
                sum.dropped += dropped;
                sum.not_waiting += keys.len() as u64 - dropped;
                Ok(())
            })?;
            std::thread::sleep(PAUSE);
        }
        Ok(sum)
    }
}

fn drop_some(conn: &Connection, keys: &[EventKey], at_ms: u64) -> rusqlite::Result<u64> {
    let mut changes = Changes::default();
    let mut dropped = 0;
    for key in keys {
        let group = conn
            .prepare_cached(
                "SELECT dataset, source, name FROM event
                 WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM outcome WHERE event = ?1)",
            )?
            .query_row([key.0], |row| Group::read(row, 0))
            .optional()?;
        let Some(group) = group else {
            continue;
        };
        conn.prepare_cached(
            "INSERT INTO outcome (event, state, at_ms, text) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute((
            key.0,
            Counted::Withheld.number(),
            stored_ms(at_ms),
            "dropped by hand while it was waiting",
        ))?;
        conn.prepare_cached("INSERT INTO dropped (event) VALUES (?1)")?
            .execute([key.0])?;
        changes.add(at_ms, group, Counted::Withheld, 1);
        dropped += 1;
    }
    changes.write(conn)?;
    Ok(dropped)
}
