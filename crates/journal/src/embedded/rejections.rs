//! Reading what is kept of rejected events.

use rusqlite::{OptionalExtension as _, Row};
use sluice_event::DatasetId;

use super::ledger::Books;
use super::records::text;
use super::row::{readable, stored_ms};
use super::search::ROWS_MAX;
use crate::error::JournalError;
use crate::filter::{Found, PAGE_MAX, RejectionFilter};
use crate::records::{RejectionKey, RejectionRecord};
use crate::types::SourceName;

const COLUMNS: &str = "SELECT id, (SELECT text FROM term WHERE term.id = dataset),
    (SELECT text FROM term WHERE term.id = source), at_ms, codes, event_name, event_id, order_id,
    request_id FROM rejection";

fn record(row: &Row<'_>) -> rusqlite::Result<RejectionRecord> {
    let codes = text(row, 4)?;
    Ok(RejectionRecord {
        key: RejectionKey(row.get(0)?),
        dataset: text(row, 1)?,
        source: text(row, 2)?,
        at_ms: row.get(3)?,
        codes: codes.split_whitespace().map(str::to_owned).collect(),
        event_name: row.get(5)?,
        event_id: row.get(6)?,
        order_id: row.get(7)?,
        request_id: text(row, 8)?,
    })
}

impl Books {
    /// Rejected events that fit, the newest first: at most `limit`, and never more than [`PAGE_MAX`], before this one.
    pub fn rejections(
        &self,
        filter: &RejectionFilter,
        before: Option<RejectionKey>,
        limit: usize,
    ) -> Result<Found<RejectionRecord, RejectionKey>, JournalError> {
        let before = before.map_or(i64::MAX, |key| key.0);
        let newest: Option<i64> = self
            .conn
            .prepare_cached("SELECT max(id) FROM rejection WHERE id < ?1")?
            .query_row([before], |row| row.get(0))?;
        let Some(newest) = newest else {
            return Ok(Found::default());
        };
        let from = newest.saturating_sub(ROWS_MAX - 1);
        let sql = format!(
            "{COLUMNS} WHERE id >= ?1 AND id <= ?2
               AND (?3 IS NULL OR dataset = (SELECT term.id FROM term WHERE text = ?3))
               AND (?4 IS NULL OR source = (SELECT term.id FROM term WHERE text = ?4))
               AND (?5 IS NULL OR event_name = ?5)
               AND (?6 IS NULL OR at_ms >= ?6)
             ORDER BY id DESC LIMIT ?7"
        );
        let limit = limit.clamp(1, PAGE_MAX);
        let mut statement = self.conn.prepare_cached(&sql)?;
        let (rows, unreadable) = readable((from.max(1), newest), limit, |(first, last)| {
            let bound = (
                first,
                last,
                filter.dataset.as_ref().map(DatasetId::as_str),
                filter.source.as_ref().map(SourceName::as_str),
                filter.event_name.as_deref(),
                filter.since_ms.map(stored_ms),
                limit,
            );
            statement.query_map(bound, record)?.collect()
        })?;
        let next = if rows.len() == limit {
            rows.last().map(|last| last.key)
        } else {
            (from > 1).then_some(RejectionKey(from))
        };
        Ok(Found {
            rows,
            next,
            unreadable,
        })
    }

    /// One rejected event.
    pub fn rejection(&self, key: RejectionKey) -> Result<Option<RejectionRecord>, JournalError> {
        let sql = format!("{COLUMNS} WHERE id = ?1");
        let mut statement = self.conn.prepare_cached(&sql)?;
        Ok(statement.query_row([key.0], record).optional()?)
    }
}
