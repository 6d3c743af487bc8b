//! What makes searches fast: sorted runs of the ids and identifiers of events, a segment of events at a time.
//!
//! A row that is written with each event and an index beside it would cost most of the rate of writing, because its
//! keys are random. So nothing is indexed when an event comes. Events are in order of arrival, and when a segment of
//! them is full, its rows are read once more and a run is written for it, in one piece. The newest events, in a segment
//! that is not full or not yet indexed, are scanned.
//!
//! An entry of a run is a few bits of a hash and the place of an event in its segment, in order of the hash. What it
//! leads to is always looked at, so an entry that leads nowhere, or to another event, does no harm. A run is cut into
//! chunks by the first bits of the hash, so that a search reads one row a segment.
//!
//! Identifiers of persons have runs of their own. They are overwritten as soon as one of the bodies is deleted of
//! which they were made ([`forget_persons`]); what is left of such a segment is scanned. Those of an encrypted body
//! are entered by a hash that only the body's key makes. When rows change, the runs of their segment go ([`forget`]),
//! and it is read again later. A run that is made anew gets a new number, so rows are only ever added at the end and
//! SQLite moves none.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _};
use sluice_event::Hashed;

use super::cipher::BodyKey;
use super::erase::Run;

/// Events of a segment, a power of two. Tests have fewer and mean to have several segments.
pub(super) const SEGMENT: i64 = if cfg!(test) { 64 } else { 1 << PLACE_BITS };

/// Bits of an entry that are the place of the event.
const PLACE_BITS: u32 = 14;

/// Bits of a hash that choose the chunk, and those that are in the entry. Of 500 segments that do not have a value,
/// about one has an entry that looks like it.
const CHUNK_BITS: u32 = 5;
const ENTRY_BITS: u32 = 32 - PLACE_BITS;

const CHUNKS: i64 = 1 << CHUNK_BITS;

/// The first byte of a chunk. One that was overwritten begins with 0.
const FORM: u8 = 1;

/// What is in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `event_id` and `order_id`.
    Ids,
    /// The values of `em`, `ph` and `external_id`.
    Persons,
}

impl Kind {
    fn select(self) -> &'static str {
        match self {
            Kind::Ids => "SELECT entries FROM id_run WHERE id = ?1",
            Kind::Persons => "SELECT entries FROM person_run WHERE id = ?1",
        }
    }

    fn insert(self) -> &'static str {
        match self {
            Kind::Ids => "INSERT INTO id_run (id, entries) VALUES (?1, ?2)",
            Kind::Persons => "INSERT INTO person_run (id, entries) VALUES (?1, ?2)",
        }
    }
}

/// A hash by which an event is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Fingerprint(u32);

impl Fingerprint {
    pub(super) fn of_event_id(id: &str) -> Self {
        Self(crc32fast::hash(id.as_bytes()))
    }

    pub(super) fn of_order_id(id: &str) -> Self {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(b"order ");
        hasher.update(id.as_bytes());
        Self(hasher.finalize())
    }

    /// Of an identifier in a body that is encrypted with this key, or in the clear.
    pub(super) fn of_person(identifier: &Hashed, key: Option<&BodyKey>) -> Self {
        Self(match key {
            Some(key) => key.fingerprint(identifier.hex()),
            None => u32::from_str_radix(&identifier.hex()[..8], 16).unwrap_or_default(),
        })
    }

    fn chunk(self) -> i64 {
        i64::from(self.0 >> (32 - CHUNK_BITS))
    }

    /// The bits of an entry, without the place.
    fn bits(self) -> u32 {
        (self.0 << CHUNK_BITS) >> (32 - ENTRY_BITS) << PLACE_BITS
    }
}

/// The segment of an event.
pub(super) fn segment_of(key: i64) -> i64 {
    key.div_euclid(SEGMENT)
}

/// A run that is being made.
#[derive(Default)]
pub(super) struct Entries(Vec<(i64, u32)>);

impl Entries {
    pub(super) fn add(&mut self, of: Fingerprint, key: i64) {
        let place = u32::try_from(key.rem_euclid(SEGMENT)).unwrap_or_default();
        self.0.push((of.chunk(), of.bits() | place));
    }

    /// Puts them into the order of a run.
    pub(super) fn sort(&mut self) {
        self.0.sort_unstable();
        self.0.dedup();
    }

    /// Writes all chunks of the sorted run, those without entries too: a segment that has them is indexed.
    pub(super) fn write(&self, conn: &Connection, kind: Kind, run: i64) -> rusqlite::Result<()> {
        let mut insert = conn.prepare_cached(kind.insert())?;
        for chunk in 0..CHUNKS {
            let from = self.0.partition_point(|entry| entry.0 < chunk);
            let until = self.0.partition_point(|entry| entry.0 <= chunk);
            let entries = self.0[from..until].iter();
            let mut bytes = vec![FORM];
            bytes.extend(entries.flat_map(|(_, entry)| entry.to_le_bytes()));
            insert.execute((run * CHUNKS + chunk, bytes))?;
        }
        Ok(())
    }

    /// About what it takes in the file, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.0.len() * 4
    }
}

/// The number of the runs of a segment; `None` if it is not indexed.
fn run_of(conn: &Connection, segment: i64) -> rusqlite::Result<Option<i64>> {
    conn.prepare_cached("SELECT run FROM segment WHERE id = ?1")?
        .query_row([segment], |row| row.get(0))
        .optional()
}

/// A number that no run has or had whose rows are there.
pub(super) fn next_run(conn: &Connection) -> rusqlite::Result<i64> {
    let last: Option<i64> = conn
        .prepare_cached(
            "SELECT max(coalesce((SELECT max(id) FROM id_run), -1), coalesce((SELECT max(id) FROM person_run), -1))",
        )?
        .query_row([], |row| row.get(0))?;
    Ok(last.map_or(0, |last| last.div_euclid(CHUNKS) + 1))
}

/// The events of a segment that may have one of these values, in order; `None` if the segment is not indexed.
pub(super) fn candidates(
    conn: &Connection,
    kind: Kind,
    segment: i64,
    wanted: &[Fingerprint],
) -> rusqlite::Result<Option<BTreeSet<i64>>> {
    let Some(run) = run_of(conn, segment)? else {
        return Ok(None);
    };
    let mut select = conn.prepare_cached(kind.select())?;
    let mut keys = BTreeSet::new();
    for wanted in wanted {
        let id = run * CHUNKS + wanted.chunk();
        let entries: Option<Vec<u8>> = select.query_row([id], |row| row.get(0)).optional()?;
        let Some((&FORM, entries)) = entries.as_deref().and_then(<[u8]>::split_first) else {
            return Ok(None);
        };
        let (entries, _) = entries.as_chunks::<4>();
        let entry = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes);
        let place_mask = (1 << PLACE_BITS) - 1;
        let from = entries.partition_point(|bytes| entry(bytes) < wanted.bits());
        let same = entries[from..].iter().map(entry);
        let same = same.take_while(|entry| entry & !place_mask == wanted.bits());
        keys.extend(same.map(|entry| segment * SEGMENT + i64::from(entry & place_mask)));
    }
    Ok(Some(keys))
}

/// Overwrites what is known of persons in these segments, and deletes what was overwritten where nothing that is kept
/// is near.
pub(super) fn forget_persons(conn: &Connection, segments: &BTreeSet<i64>) -> rusqlite::Result<()> {
    let mut overwrite = conn.prepare_cached(
        "UPDATE person_run SET entries = zeroblob(octet_length(entries))
         WHERE id >= ?1 AND id < ?2 AND substr(entries, 1, 1) <> x'00'",
    )?;
    let mut is_any = false;
    for segment in segments {
        if let Some(run) = run_of(conn, *segment)? {
            is_any |= overwrite.execute((run * CHUNKS, (run + 1) * CHUNKS))? > 0;
        }
    }
    if !is_any {
        return Ok(());
    }
    let mut run = Run::first();
    let mut rows = conn.prepare_cached(
        "SELECT id, octet_length(entries) FROM person_run
         WHERE id < coalesce((SELECT min(id) FROM person_run WHERE substr(entries, 1, 1) <> x'00'), ?1)
         ORDER BY id LIMIT ?2",
    )?;
    let rows = rows.query_map((i64::MAX, FORGOTTEN_MAX), |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    let rows: Vec<(i64, u64)> = rows.collect::<rusqlite::Result<_>>()?;
    let mut delete = conn.prepare_cached("DELETE FROM person_run WHERE id = ?1")?;
    for (id, bytes) in rows {
        run.add(id, bytes);
        while let Some(id) = run.next_removable() {
            delete.execute([id])?;
        }
    }
    Ok(())
}

/// Takes back that a segment is indexed.
pub(super) fn forget(conn: &Connection, segment: i64) -> rusqlite::Result<()> {
    let Some(run) = run_of(conn, segment)? else {
        return Ok(());
    };
    forget_persons(conn, &BTreeSet::from([segment]))?;
    conn.prepare_cached("DELETE FROM id_run WHERE id >= ?1 AND id < ?2")?
        .execute((run * CHUNKS, (run + 1) * CHUNKS))?;
    conn.prepare_cached("DELETE FROM segment WHERE id = ?1")?
        .execute([segment])
        .map(drop)
}

/// Rows that are deleted at a time.
const FORGOTTEN_MAX: i64 = 1_000;

/// Whether none of the events of a segment came within these times; unknown of one that is not indexed.
pub(super) fn is_beside(
    conn: &Connection,
    segment: i64,
    (from_ms, until_ms): (Option<i64>, Option<i64>),
) -> rusqlite::Result<bool> {
    if from_ms.is_none() && until_ms.is_none() {
        return Ok(false);
    }
    let beside = conn
        .prepare_cached(
            "SELECT last_ms < coalesce(?2, first_ms) OR first_ms >= coalesce(?3, last_ms + 1)
             FROM segment WHERE id = ?1",
        )?
        .query_row((segment, from_ms, until_ms), |row| row.get(0))
        .optional()?;
    Ok(beside.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_found_by_all_its_bits_and_leads_to_its_event() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(
            "CREATE TABLE id_run (id INTEGER PRIMARY KEY, entries BLOB NOT NULL) STRICT;
             CREATE TABLE segment (id INTEGER PRIMARY KEY, run INTEGER NOT NULL) STRICT;
             INSERT INTO segment VALUES (3, 7);",
        )
        .unwrap();
        let mut entries = Entries::default();
        let all = (SEGMENT * 3)..(SEGMENT * 4);
        for key in all.clone() {
            entries.add(Fingerprint::of_event_id(&format!("order-{key}")), key);
            entries.add(Fingerprint::of_order_id("always the same"), key);
        }
        entries.sort();
        entries.write(&conn, Kind::Ids, 7).unwrap();
        let found = |of| {
            let found = candidates(&conn, Kind::Ids, 3, &[of]).unwrap().unwrap();
            found.into_iter().collect::<Vec<_>>()
        };
        for key in all.clone() {
            let of = Fingerprint::of_event_id(&format!("order-{key}"));
            assert!(found(of).contains(&key), "{key}");
        }
        assert_eq!(
            found(Fingerprint::of_order_id("always the same")),
            all.collect::<Vec<_>>()
        );
        assert_eq!(found(Fingerprint::of_order_id("never")), []);
        let other = candidates(&conn, Kind::Ids, 2, &[Fingerprint::of_order_id("never")]);
        assert_eq!(other.unwrap(), None, "not indexed");
    }

    /// The file has them.
    #[test]
    fn fingerprints_never_change() {
        assert_eq!(Fingerprint::of_event_id("order-17").0, 0x5aea_0614);
        assert_eq!(Fingerprint::of_order_id("order-17").0, 0x9408_e8a1);
        let person = Hashed::of("john@example.com");
        assert_eq!(Fingerprint::of_person(&person, None).0, 0x855f_96e9);
    }
}
