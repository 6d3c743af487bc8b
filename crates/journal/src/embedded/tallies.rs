//! Counts by hour, day and week, from those by hour.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use sluice_event::DatasetId;

use super::ledger::Books;
use super::records::text;
use super::row::{stored_ms, unless_damaged};
use super::tally::Counted;
use crate::error::JournalError;
use crate::filter::{Found, TallyQuery};
use crate::records::PeriodTally;
use crate::types::SourceName;

const HOUR_MS: u64 = 3_600_000;

/// Rows of counts that one call looks at, and those of the last hour.
const ROWS_MAX: usize = if cfg!(test) { 20 } else { 20_000 };

/// The hour in which the last row is that one call looks at.
const LAST_HOUR: &str = "SELECT hour FROM tally WHERE hour >= ?1 AND hour < ?2
    UNION ALL SELECT hour FROM rejected_tally WHERE hour >= ?1 AND hour < ?2
    ORDER BY hour LIMIT 1 OFFSET ?3";

/// The state 6 is [`Counted::Rejected`].
const COUNTS: &str = "SELECT hour, (SELECT text FROM term WHERE id = dataset),
        (SELECT text FROM term WHERE id = source), (SELECT text FROM term WHERE id = name), state, count
    FROM (SELECT hour, dataset, source, name, state, count FROM tally UNION ALL
          SELECT hour, dataset, source, name, 6, count FROM rejected_tally)
    WHERE hour >= ?1 AND hour < ?2
      AND (?3 IS NULL OR dataset = (SELECT id FROM term WHERE text = ?3))
      AND (?4 IS NULL OR source = (SELECT id FROM term WHERE text = ?4))
      AND (?5 IS NULL OR name = (SELECT id FROM term WHERE text = ?5))";

impl Books {
    /// Counts by hour, day or week, in order of time, from an hour on.
    pub fn tallies(
        &self,
        query: &TallyQuery,
        from_hour: Option<u64>,
    ) -> Result<Found<PeriodTally, u64>, JournalError> {
        let first = query.from_ms.div_ceil(HOUR_MS);
        let until = stored_ms(query.until_ms.div_ceil(HOUR_MS));
        let from = stored_ms(from_hour.map_or(first, |hour| hour.max(first)));
        let end = end_of_call(&self.conn, from, until)?;
        let mut periods = BTreeMap::<_, PeriodTally>::new();
        let mut statement = self.conn.prepare_cached(COUNTS)?;
        let mut rows = statement.query(params![
            from,
            end,
            query.dataset.as_ref().map(DatasetId::as_str),
            query.source.as_ref().map(SourceName::as_str),
            query.event_name,
        ])?;
        let mut unreadable = 0;
        while let Some(row) = rows.next()? {
            let Some((hour, [dataset, source, name], state, change)) = unless_damaged(read(row))?
            else {
                unreadable += 1;
                continue;
            };
            let start_ms = query.period.start_ms(hour, query.utc_offset_min);
            let tally = periods.entry((start_ms, dataset, source, name));
            count(tally.or_default(), state, change);
        }
        let named = periods.into_iter().map(|(key, tally)| {
            let (start_ms, dataset, source, event_name) = key;
            PeriodTally {
                start_ms,
                dataset,
                source,
                event_name,
                ..tally
            }
        });
        Ok(Found {
            rows: named.collect(),
            next: (end < until).then_some(u64::try_from(end).unwrap_or_default()),
            unreadable,
        })
    }
}

/// Hour, names, state and count.
fn read(row: &Row<'_>) -> rusqlite::Result<(i64, [String; 3], i64, i64)> {
    let names = [text(row, 1)?, text(row, 2)?, text(row, 3)?];
    Ok((row.get(0)?, names, row.get(4)?, row.get(5)?))
}

/// The first hour that a call leaves to the next one.
fn end_of_call(conn: &Connection, from: i64, until: i64) -> rusqlite::Result<i64> {
    let last: Option<i64> = conn
        .prepare_cached(LAST_HOUR)?
        .query_row((from, until, ROWS_MAX), |row| row.get(0))
        .optional()?;
    Ok(last.map_or(until, |last| last + 1))
}

fn count(tally: &mut PeriodTally, number: i64, change: i64) {
    let count = match Counted::of(number) {
        Some(Counted::Accepted) => &mut tally.accepted,
        Some(Counted::Delivered) => &mut tally.delivered,
        Some(Counted::Refused) => &mut tally.refused,
        Some(Counted::Expired) => &mut tally.expired,
        Some(Counted::Withheld) => &mut tally.withheld,
        Some(Counted::Recorded) => &mut tally.recorded,
        Some(Counted::Duplicate) => &mut tally.duplicate,
        Some(Counted::Rejected) => &mut tally.rejected,
        // Counted without a name.
        Some(Counted::Received) | None => return,
    };
    *count += change;
}
