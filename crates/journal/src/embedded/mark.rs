//! Marks: numbers in the file from which the start begins.

use rusqlite::{Connection, OptionalExtension as _};

/// The first event that the window of copies remembers.
pub(super) const SEEN: &str = "seen";

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
