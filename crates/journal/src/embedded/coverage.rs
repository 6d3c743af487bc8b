//! Which identifiers events carry, counted from their rows.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row};
use sluice_event::FieldSet;

use super::ledger::Books;
use super::records::{fact, text};
use super::row::unless_damaged;
use super::search::{ALONE, FITS, Fits, IN_WINDOW, ROWS_MAX};
use super::way::Way;
use crate::error::JournalError;
use crate::filter::{EventFilter, Found};
use crate::records::Coverage;
use crate::types::EventKey;

/// Few events of a group carry other identifiers than the rest, so SQLite counts them by what they carry.
const CARRIED: &str = concat!(
    "SELECT (SELECT text FROM term WHERE id = e.dataset),
    (SELECT text FROM term WHERE id = e.source),
    coalesce(e.own_name, (SELECT text FROM term WHERE id = e.name)), ",
    fact!("identifiers"),
    " AS carried, count(*)"
);

const GROUPS: &str = "GROUP BY e.dataset, e.source, e.name, e.own_name, carried";

impl Books {
    /// How many of the events that fit carry which identifiers, in a part of them. The filter's identifier is not
    /// looked at.
    pub fn coverage(
        &self,
        filter: &EventFilter,
        before: Option<EventKey>,
    ) -> Result<Found<Coverage, EventKey>, JournalError> {
        let way = Way::of(self, filter)?;
        let before = before.map_or(i64::MAX, |key| key.0);
        let Some(window) = way.window(&self.conn, before, ROWS_MAX)? else {
            return Ok(Found::default());
        };
        let fits = Fits::of(filter);
        let sql = |rows| format!("{CARRIED} {} {rows} {FITS} {GROUPS}", way.tables());
        let (in_window, alone) = (sql(IN_WINDOW), sql(ALONE));
        let mut groups = Groups::default();
        let mut unreadable = 0;
        for (from, until) in window.ranges {
            let read = counts(&self.conn, &in_window, &fits, (from, until));
            if let Some(counts) = unless_damaged(read)? {
                add(&mut groups, counts);
                continue;
            }
            for key in way.keys(&self.conn, (from, until))? {
                let read = counts(&self.conn, &alone, &fits, (key, key + 1));
                match unless_damaged(read)? {
                    Some(counts) => add(&mut groups, counts),
                    None => unreadable += 1,
                }
            }
        }
        Ok(Found {
            rows: groups.into_values().collect(),
            next: window.rest.map(EventKey),
            unreadable,
        })
    }
}

/// By dataset, source and name.
type Groups = BTreeMap<[String; 3], Coverage>;

fn counts(
    conn: &Connection,
    sql: &str,
    fits: &Fits<'_>,
    range: (i64, i64),
) -> rusqlite::Result<Vec<Coverage>> {
    let mut counts = Vec::new();
    fits.each(conn, sql, range, |row| {
        counts.push(coverage(row)?);
        Ok(true)
    })?;
    Ok(counts)
}

fn coverage(row: &Row<'_>) -> rusqlite::Result<Coverage> {
    let identifiers: Option<i64> = row.get(3)?;
    let events = row.get(4)?;
    let fields = FieldSet::from_bits(identifiers.unwrap_or_default().cast_unsigned());
    Ok(Coverage {
        dataset: text(row, 0)?,
        source: text(row, 1)?,
        event_name: text(row, 2)?,
        events,
        unknown: if identifiers.is_none() { events } else { 0 },
        carrying: fields.iter().map(|field| (field, events)).collect(),
    })
}

fn add(groups: &mut Groups, counts: Vec<Coverage>) {
    for part in counts {
        let key = [&part.dataset, &part.source, &part.event_name].map(Clone::clone);
        match groups.get_mut(&key) {
            Some(sum) => sum.add(&part),
            None => {
                groups.insert(key, part);
            }
        }
    }
}
