//! Reading what is kept of rejected events.

use rusqlite::{OptionalExtension as _, Row};
use sluice_event::DatasetId;

use super::ledger::{Books, PAGE_MAX};
use super::records::text;
use super::row::stored_ms;
use crate::error::JournalError;
use crate::types::SourceName;

/// The number of a rejected event: it counts up in order of arrival and is never used again. It is no
/// [`EventKey`](crate::EventKey): a rejected event never was in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RejectionKey(pub i64);

/// What is kept of a rejected event; it has no body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectionRecord {
    /// Its number.
    pub key: RejectionKey,
    /// Where it was meant to go.
    pub dataset: String,
    /// Where it came from.
    pub source: String,
    /// When it came, in milliseconds since 1970.
    pub at_ms: u64,
    /// The names of the rules it broke, the one that decided first.
    pub codes: Vec<String>,
    /// `event_name`, if it had one that may be kept.
    pub event_name: Option<String>,
    /// `event_id`, or its hash.
    pub event_id: Option<String>,
    /// `custom_data.order_id`, or its hash.
    pub order_id: Option<String>,
    /// The request that brought it.
    pub request_id: String,
}

/// Which rejected events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RejectionFilter {
    /// Meant for this dataset.
    pub dataset: Option<DatasetId>,
    /// Of this source.
    pub source: Option<SourceName>,
    /// Of this `event_name`.
    pub event_name: Option<String>,
    /// That came at this time or later, in milliseconds since 1970.
    pub since_ms: Option<u64>,
}

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
    /// Rejected events, the newest first. `before` is the last of the page before; there are never more than
    /// [`PAGE_MAX`].
    pub fn rejections(
        &self,
        filter: &RejectionFilter,
        before: Option<RejectionKey>,
        limit: usize,
    ) -> Result<Vec<RejectionRecord>, JournalError> {
        let sql = format!(
            "{COLUMNS} WHERE id < ?1
               AND (?2 IS NULL OR dataset = (SELECT term.id FROM term WHERE text = ?2))
               AND (?3 IS NULL OR source = (SELECT term.id FROM term WHERE text = ?3))
               AND (?4 IS NULL OR event_name = ?4)
               AND (?5 IS NULL OR at_ms >= ?5)
             ORDER BY id DESC LIMIT ?6"
        );
        let bound = (
            before.map_or(i64::MAX, |key| key.0),
            filter.dataset.as_ref().map(DatasetId::as_str),
            filter.source.as_ref().map(SourceName::as_str),
            filter.event_name.as_deref(),
            filter.since_ms.map(stored_ms),
            limit.min(PAGE_MAX),
        );
        let mut statement = self.conn.prepare_cached(&sql)?;
        let rows = statement.query_map(bound, record)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// One rejected event.
    pub fn rejection(&self, key: RejectionKey) -> Result<Option<RejectionRecord>, JournalError> {
        let sql = format!("{COLUMNS} WHERE id = ?1");
        let mut statement = self.conn.prepare_cached(&sql)?;
        Ok(statement.query_row([key.0], record).optional()?)
    }
}
