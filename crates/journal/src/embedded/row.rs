//! What reading and writing of all rows has in common: times as SQLite has them, and rows that cannot be read.

use rusqlite::{ErrorCode, OptionalExtension as _};

/// A time in milliseconds since 1970, or another count, as a column has it: SQLite's numbers are signed.
pub(super) fn stored_ms(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

/// `None` for a row that is gone or broken. Other failures are the disk's, not the event's.
pub(super) fn unless_damaged<T>(row: rusqlite::Result<T>) -> rusqlite::Result<Option<T>> {
    match row.optional() {
        Err(error) if error.sqlite_error_code().is_none() => Ok(None),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => Ok(None),
        other => other,
    }
}
