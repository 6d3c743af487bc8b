//! What reading and writing of all rows has in common: times as SQLite has them, and rows that cannot be read.

use rusqlite::{ErrorCode, OptionalExtension as _};

/// A time in milliseconds since 1970, or another count, as a column has it: SQLite's numbers are signed.
pub(super) fn stored_ms(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

/// Reads rows of keys, the last one first, at most `limit`. When `read` cannot read those from a key to another one, each
/// is read by itself. Returns how many cannot be read as well.
pub(super) fn readable<T>(
    (first, last): (i64, i64),
    limit: usize,
    mut read: impl FnMut((i64, i64)) -> rusqlite::Result<Vec<T>>,
) -> rusqlite::Result<(Vec<T>, u64)> {
    if let Some(rows) = unless_damaged(read((first, last)))? {
        return Ok((rows, 0));
    }
    let (mut rows, mut unreadable) = (Vec::new(), 0);
    for key in (first..=last).rev() {
        if rows.len() == limit {
            break;
        }
        match unless_damaged(read((key, key)))? {
            Some(row) => rows.extend(row),
            None => unreadable += 1,
        }
    }
    Ok((rows, unreadable))
}

/// `None` for a row that is gone or broken. Other failures are the disk's, not the event's.
pub(super) fn unless_damaged<T>(row: rusqlite::Result<T>) -> rusqlite::Result<Option<T>> {
    match row.optional() {
        Err(error) if error.sqlite_error_code().is_none() => Ok(None),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => Ok(None),
        other => other,
    }
}
