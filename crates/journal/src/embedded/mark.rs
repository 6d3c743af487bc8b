//! Marks: numbers in the file from which the start begins.

use rusqlite::{Connection, OptionalExtension as _};

use crate::dedup::Seen;
use crate::types::EventKey;

/// The first event that the windows for copies remember, of those with a usual window and of those with one of their
/// own.
const SEEN: &str = "seen";
const SEEN_OWN: &str = "seen_own";

/// A mark, if it was ever saved.
pub(super) fn read(conn: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    conn.prepare_cached("SELECT value FROM mark WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()
}

/// Saves a mark.
pub(super) fn save(conn: &Connection, name: &str, value: i64) -> rusqlite::Result<()> {
    conn.prepare_cached("INSERT OR REPLACE INTO mark (name, value) VALUES (?1, ?2)")?
        .execute((name, value))
        .map(drop)
}

/// The first events that the windows for copies remembered.
pub(super) fn read_seen(conn: &Connection) -> rusqlite::Result<Seen> {
    Ok(Seen {
        usual: read(conn, SEEN)?.map(EventKey),
        own: read(conn, SEEN_OWN)?.map(EventKey),
    })
}

/// Saves the first events that the windows for copies remember, where they are not as the file has them.
pub(super) fn save_seen(conn: &Connection, seen: Seen, before: Seen) -> rusqlite::Result<()> {
    for (name, now, before) in [
        (SEEN, seen.usual, before.usual),
        (SEEN_OWN, seen.own, before.own),
    ] {
        if let Some(first) = now.filter(|_| now != before) {
            save(conn, name, first.0)?;
        }
    }
    Ok(())
}
