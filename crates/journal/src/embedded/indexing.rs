//! Reading a full segment of events once more, and writing its runs ([`super::index`]).
//!
//! Rows are read beside the writer, some at a time; the writer gets one command a segment. Bodies that are deleted
//! between the two would stay in the runs: then the segment is read again.

use rusqlite::Connection;

use super::body::{self, Body};
use super::cipher::BodyKeys;
use super::identifiers;
use super::index::{self, Entries, Fingerprint, Kind, SEGMENT, segment_of};
use super::records::fact;
use super::shared::Shared;
use crate::error::JournalError;
use crate::types::{BodyKeyId, EventKey};

/// Events of one read transaction: a long one keeps the log from being started over.
const EVENTS_PER_READ: i64 = 1_024;

/// A segment that was read.
pub(super) struct Segment {
    id: i64,
    /// When its first and its last event came, by their times and not by their places.
    times_ms: (i64, i64),
    ids: Entries,
    /// `None` if some bodies cannot be read for want of a key, or are deleted as soon as they are delivered.
    persons: Option<Entries>,
    /// The deletions of bodies that are known to have been when its bodies were read.
    erasures: u64,
}

impl Segment {
    /// The next full segment that is not indexed; `None` if there is none. Blocks: not for async threads.
    pub(super) fn next(shared: &Shared) -> Result<Option<Self>, JournalError> {
        let erasures = shared.erasures();
        let next = shared
            .readers
            .read(|conn| Ok(next_segment(conn, shared)?))?;
        let Some(id) = next else {
            return Ok(None);
        };
        let mut segment = Self {
            id,
            times_ms: (i64::MAX, i64::MIN),
            ids: Entries::default(),
            persons: (!shared.deletes_delivered).then(Entries::default),
            erasures,
        };
        let end = (id + 1) * SEGMENT;
        let mut from = id * SEGMENT;
        while from < end {
            let until = (from + EVENTS_PER_READ).min(end);
            let read = shared.readers.read(|conn| {
                segment.read_events(conn, (from, until))?;
                segment.read_bodies(conn, (from, until), &shared.keys)?;
                Ok(())
            });
            match read {
                // What cannot be read is scanned, so that each search tells of it.
                Err(JournalError::Damaged(_)) => {
                    shared.note_unreadable(id);
                    return Ok(None);
                }
                read => read?,
            }
            from = until;
        }
        segment.ids.sort();
        segment.persons.iter_mut().for_each(Entries::sort);
        Ok(Some(segment))
    }

    fn read_events(&mut self, conn: &Connection, range: (i64, i64)) -> rusqlite::Result<()> {
        let mut events = conn.prepare_cached(EVENTS)?;
        let mut rows = events.query(range)?;
        while let Some(row) = rows.next()? {
            let key = row.get(0)?;
            let event_id = row.get_ref(1)?.as_str()?;
            self.ids.add(Fingerprint::of_event_id(event_id), key);
            if let Some(order_id) = row.get_ref(2)?.as_str_or_null()? {
                self.ids.add(Fingerprint::of_order_id(order_id), key);
            }
            let at_ms: i64 = row.get(3)?;
            let (first_ms, last_ms) = self.times_ms;
            self.times_ms = (first_ms.min(at_ms), last_ms.max(at_ms));
        }
        Ok(())
    }

    fn read_bodies(
        &mut self,
        conn: &Connection,
        range: (i64, i64),
        keys: &BodyKeys,
    ) -> rusqlite::Result<()> {
        let Some(persons) = &mut self.persons else {
            return Ok(());
        };
        let mut bodies = conn.prepare_cached(body::BODIES)?;
        let mut rows = bodies.query(range)?;
        while let Some(row) = rows.next()? {
            let key: i64 = row.get(6)?;
            match body::read(row, EventKey(key), keys)? {
                Body::Json(json) => {
                    let id = row.get::<_, Option<u32>>(2)?;
                    let body_key = id.and_then(|id| keys.of(BodyKeyId(id)));
                    identifiers::each(&json, |identifier| {
                        persons.add(Fingerprint::of_person(identifier, body_key), key);
                    });
                }
                // Nobody finds it by a scan either.
                Body::Damaged => {}
                Body::Locked(_) => {
                    self.persons = None;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Bytes that are about to be written.
    pub(super) fn bytes(&self) -> usize {
        self.ids.bytes() + self.persons.as_ref().map_or(0, Entries::bytes)
    }

    /// Writes it, unless bodies were deleted since they were read, `erasures` times in all: then it is read again.
    pub(super) fn write(&self, conn: &Connection, erasures: u64) -> rusqlite::Result<()> {
        if self.persons.is_some() && self.erasures != erasures {
            return Ok(());
        }
        let run = index::next_run(conn)?;
        conn.prepare_cached(
            "INSERT INTO segment (id, first_ms, last_ms, run) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute((self.id, self.times_ms.0, self.times_ms.1, run))?;
        self.ids.write(conn, Kind::Ids, run)?;
        if let Some(persons) = &self.persons {
            persons.write(conn, Kind::Persons, run)?;
        }
        Ok(())
    }
}

/// Ids and times of events.
const EVENTS: &str = concat!(
    "SELECT e.id, e.event_id, ",
    fact!("order_id"),
    ", e.accepted_ms FROM event e WHERE e.id >= ?1 AND e.id < ?2"
);

/// The first full segment that is not indexed and can be read.
fn next_segment(conn: &Connection, shared: &Shared) -> rusqlite::Result<Option<i64>> {
    let number = |sql| -> rusqlite::Result<Option<i64>> {
        conn.prepare_cached(sql)?.query_row([], |row| row.get(0))
    };
    let (Some(first), Some(last)) = (
        number("SELECT min(id) FROM event")?,
        number("SELECT max(id) FROM event")?,
    ) else {
        return Ok(None);
    };
    let mut next = segment_of(first);
    let mut indexed = conn.prepare_cached("SELECT id FROM segment WHERE id >= ?1 ORDER BY id")?;
    let mut indexed = indexed.query([next])?;
    let mut next_indexed: Option<i64> = indexed.next()?.map(|row| row.get(0)).transpose()?;
    // Keys are given without gaps.
    while last >= (next + 1) * SEGMENT - 1 {
        if next_indexed == Some(next) {
            next_indexed = indexed.next()?.map(|row| row.get(0)).transpose()?;
        } else if !shared.is_unreadable(next) {
            return Ok(Some(next));
        }
        next += 1;
    }
    Ok(None)
}
