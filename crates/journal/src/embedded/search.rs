//! Searching events, the newest first.
//!
//! A search goes down the keys in windows of a bounded length. Within one SQLite tests the rows; an identifier is
//! looked for in the bodies of the rows that fit otherwise. Rows that cannot be read are passed over one by one.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use sluice_event::{DatasetId, Hashed};

use super::body::{self, Body};
use super::identifiers;
use super::ledger::Books;
use super::records::{RECORD, fact, record};
use super::row::{stored_ms, unless_damaged};
use super::tally::Counted;
use super::way::Way;
use crate::error::JournalError;
use crate::filter::{EventFilter, Found, PAGE_MAX, Page};
use crate::records::EventRecord;
use crate::types::{EventKey, EventState, SourceName};

/// Rows that one call looks at. Tests have fewer and mean to take several calls.
pub(super) const ROWS_MAX: i64 = if cfg!(test) { 50 } else { 10_000 };

/// The rows that [`FITS`] tests, up to the condition.
pub(super) const EVENTS: &str = "FROM event e LEFT JOIN outcome o ON o.event = e.id
    LEFT JOIN request r ON r.id = o.request WHERE";

/// The same of dead events alone. `state > 1` is written as the index has it.
pub(super) const DEAD_EVENTS: &str = "FROM outcome o INDEXED BY outcome_dead
    CROSS JOIN event e ON e.id = o.event LEFT JOIN request r ON r.id = o.request
    WHERE o.state > 1 AND o.event >= ?14 AND o.event < ?15 AND";

/// The rows of a window of keys.
pub(super) const IN_WINDOW: &str = "e.id >= ?14 AND e.id < ?15";

/// The row of a window of one key. It is met by its key: on the way to a row beside it may be a damaged page.
pub(super) const ALONE: &str = "e.id = ?14 AND e.id < ?15";

/// The condition of an [`EventFilter`] beside [`IN_WINDOW`] or [`ALONE`], with the parameters of [`Fits::each`].
pub(super) const FITS: &str = concat!(
    "AND (?1 >> (coalesce(o.state, 0) + 1)) & 1
    AND (?2 IS NULL OR e.dataset = (SELECT id FROM term WHERE text = ?2))
    AND (?3 IS NULL OR e.source = (SELECT id FROM term WHERE text = ?3))
    AND (?4 IS NULL OR e.own_name = ?4
         OR e.own_name IS NULL AND e.name = (SELECT id FROM term WHERE text = ?4))
    AND (?5 IS NULL OR e.event_id = ?5)
    AND (?6 IS NULL OR ?6 = ",
    fact!("order_id"),
    ")
    AND (?7 IS NULL OR (e.test_code IS NOT NULL) = ?7)
    AND (?8 IS NULL OR e.accepted_ms >= ?8)
    AND (?9 IS NULL OR e.accepted_ms < ?9)
    AND (?10 IS NULL OR o.at_ms >= ?10)
    AND (?11 IS NULL OR o.code = ?11)
    AND (?12 IS NULL OR o.subcode = ?12)
    AND (?13 IS NULL OR r.fbtrace_id = ?13)"
);

/// The bit of a state in [`FITS`]. A waiting event has no outcome and counts as 0.
fn bit(state: EventState) -> i64 {
    let number = Counted::of_state(state).map_or(0, Counted::number);
    1 << (number + 1)
}

/// A search as its statement has it.
pub(super) struct Fits<'a> {
    filter: &'a EventFilter,
    states: i64,
}

impl<'a> Fits<'a> {
    pub(super) fn of(filter: &'a EventFilter) -> Self {
        let bits = filter.states.iter().copied().map(bit);
        Self {
            filter,
            states: if filter.states.is_empty() {
                -1
            } else {
                bits.fold(0, |bits, bit| bits | bit)
            },
        }
    }

    /// Calls `each` with the rows of a statement that has [`FITS`] and a limit, until it says that it is enough.
    pub(super) fn each(
        &self,
        conn: &Connection,
        sql: &str,
        (from, until): (i64, i64),
        mut each: impl FnMut(&Row<'_>) -> rusqlite::Result<bool>,
    ) -> rusqlite::Result<()> {
        let EventFilter {
            dataset,
            source,
            event_name,
            event_id,
            order_id,
            fbtrace_id,
            is_test,
            from_ms,
            until_ms,
            final_from_ms,
            code,
            subcode,
            ..
        } = self.filter;
        let mut statement = conn.prepare_cached(sql)?;
        let mut rows = statement.query(params![
            self.states,
            dataset.as_ref().map(DatasetId::as_str),
            source.as_ref().map(SourceName::as_str),
            event_name,
            event_id,
            order_id,
            is_test,
            from_ms.map(stored_ms),
            until_ms.map(stored_ms),
            final_from_ms.map(stored_ms),
            code,
            subcode,
            fbtrace_id,
            from,
            until,
        ])?;
        while let Some(row) = rows.next()? {
            if !each(row)? {
                break;
            }
        }
        Ok(())
    }
}

impl Books {
    /// Events that fit, the newest first.
    pub fn search(
        &self,
        filter: &EventFilter,
        page: Page,
    ) -> Result<Found<EventRecord, EventKey>, JournalError> {
        let way = Way::of(self, filter)?;
        let search = Search::of(self, filter, (way.tables(), "DESC"), page.limit);
        let before = page.before.map_or(i64::MAX, |key| key.0);
        let mut found = Found::default();
        if let Some(window) = way.window(&self.conn, before, ROWS_MAX)? {
            for range in &window.ranges {
                let one_by_one = || way.keys(&self.conn, *range);
                if search.look(*range, one_by_one, &mut found)? {
                    found.next = found.rows.last().map(|last| last.key);
                    return Ok(found);
                }
            }
            found.next = window.rest.map(EventKey);
        }
        Ok(found)
    }

    /// These events, those that can be read.
    pub fn records(&self, keys: &[EventKey]) -> Result<Vec<EventRecord>, JournalError> {
        let sql = format!("{RECORD} {EVENTS} e.id = ?1");
        let mut statement = self.conn.prepare_cached(&sql)?;
        let mut records = Vec::new();
        for key in keys.iter().take(PAGE_MAX) {
            records.extend(unless_damaged(statement.query_row([key.0], record))?);
        }
        Ok(records)
    }
}

/// A search that is under way.
pub(super) struct Search<'a> {
    books: &'a Books,
    fits: Fits<'a>,
    identifier: Option<&'a Hashed>,
    in_window: String,
    alone: String,
    limit: usize,
}

impl<'a> Search<'a> {
    /// Of these tables, in this order of keys.
    pub(super) fn of(
        books: &'a Books,
        filter: &'a EventFilter,
        (tables, order): (&str, &str),
        limit: usize,
    ) -> Self {
        Self {
            books,
            fits: Fits::of(filter),
            identifier: filter.identifier.as_ref(),
            in_window: format!("{RECORD} {tables} {IN_WINDOW} {FITS} ORDER BY e.id {order}"),
            alone: format!("{RECORD} {tables} {ALONE} {FITS}"),
            limit: limit.clamp(1, PAGE_MAX),
        }
    }

    /// Adds what fits in a range of keys. Where a row cannot be read, each key is looked at by itself. Whether it is
    /// enough.
    pub(super) fn look(
        &self,
        range: (i64, i64),
        one_by_one: impl FnOnce() -> rusqlite::Result<Vec<i64>>,
        found: &mut Found<EventRecord, EventKey>,
    ) -> rusqlite::Result<bool> {
        let before = found.rows.len();
        if unless_damaged(self.read(&self.in_window, range, &mut found.rows))?.is_none() {
            found.rows.truncate(before);
            for key in one_by_one()? {
                if found.rows.len() == self.limit {
                    break;
                }
                let read = self.read(&self.alone, (key, key + 1), &mut found.rows);
                found.unreadable += u64::from(unless_damaged(read)?.is_none());
            }
        }
        Ok(found.rows.len() == self.limit)
    }

    fn read(
        &self,
        sql: &str,
        range: (i64, i64),
        rows: &mut Vec<EventRecord>,
    ) -> rusqlite::Result<()> {
        self.fits.each(&self.books.conn, sql, range, |row| {
            let event = record(row)?;
            if self.has_identifier(event.key)? {
                rows.push(event);
            }
            Ok(rows.len() < self.limit)
        })
    }

    /// Whether an event has the identifier that is asked for, if one is.
    fn has_identifier(&self, key: EventKey) -> rusqlite::Result<bool> {
        let Some(identifier) = self.identifier else {
            return Ok(true);
        };
        let (conn, keys) = (&self.books.conn, &self.books.keys);
        let mut body = conn.prepare_cached(body::BODY)?;
        let body = body.query_row([key.0], |row| body::read(row, key, keys));
        Ok(match body.optional()? {
            Some(Body::Json(json)) => identifiers::has(&json, identifier),
            None | Some(Body::Damaged | Body::Locked(_)) => false,
        })
    }
}
