//! One statement on a connection, and what SQLite's errors mean.

use std::borrow::Cow;

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Error, ErrorCode, ffi};

use crate::ROWS_MAX;
use crate::error::{Fault, StoreError};
use crate::statement::{Outcome, Row, Statement};
use crate::value::Value;

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// Runs statements one after another, up to the first that fails.
pub(super) fn run_all(
    conn: &Connection,
    owner: &'static str,
    statements: &[Statement],
) -> Result<Vec<Outcome>, StoreError> {
    statements
        .iter()
        .map(|statement| run(conn, owner, statement))
        .collect()
}

/// Runs one statement.
pub(super) fn run(
    conn: &Connection,
    owner: &'static str,
    statement: &Statement,
) -> Result<Outcome, StoreError> {
    let failed = |error: Error| fault(owner, statement.name, &error);
    let mut prepared = conn.prepare_cached(statement.text).map_err(failed)?;
    for (number, value) in (1..).zip(&statement.parameters) {
        // SQLite reads `$1` as a name, so that its own number depends on where it stands.
        let name = format!("${number}");
        let index = prepared.parameter_index(&name).map_err(failed)?;
        let index = index.unwrap_or_default();
        prepared.raw_bind_parameter(index, value).map_err(failed)?;
    }
    let columns = prepared.column_count();
    if columns == 0 {
        let changed = prepared.raw_execute().map_err(failed)?;
        return Ok(Outcome {
            rows: Vec::new(),
            changed: changed as u64,
        });
    }
    let mut rows = Vec::new();
    let mut found = prepared.raw_query();
    while let Some(row) = found.next().map_err(failed)? {
        if rows.len() == ROWS_MAX {
            return Err(StoreError::too_many_rows(owner, statement.name));
        }
        let values: rusqlite::Result<Vec<Value>> = (0..columns)
            .map(|column| read(row.get_ref(column)?))
            .collect();
        rows.push(Row {
            owner,
            statement: statement.name,
            values: values.map_err(failed)?,
        });
    }
    let changed = rows.len() as u64;
    Ok(Outcome { rows, changed })
}

fn read(value: ValueRef<'_>) -> rusqlite::Result<Value> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(_) => Value::Text(value.as_str()?.to_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_owned()),
    })
}

/// What an error means. Of SQLite's own words only those about a statement that cannot be understood are kept: they
/// are about its text, which holds no value.
pub(super) fn fault(owner: &'static str, statement: &'static str, error: &Error) -> StoreError {
    let told = |code: i32, said: Cow<'static, str>| {
        Fault::of(owner, statement, Some(format!("SQLite {code}")), said)
    };
    match error {
        Error::SqlInputError { error, msg, .. } => {
            StoreError::Broken(told(error.extended_code, msg.clone().into()))
        }
        Error::SqliteFailure(error, message) => {
            let at = |said: &'static str| told(error.extended_code, said.into());
            match error.code {
                ErrorCode::ConstraintViolation => constraint(error.extended_code, at),
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
                    StoreError::Unavailable(at("another process is writing"))
                }
                ErrorCode::DiskFull => StoreError::Unavailable(at("the disk is full")),
                ErrorCode::OperationInterrupted => StoreError::Unavailable(at("it took too long")),
                ErrorCode::SystemIoFailure
                | ErrorCode::OutOfMemory
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied => {
                    StoreError::Unavailable(at("the file cannot be read or written"))
                }
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                    StoreError::Broken(at("the file is damaged; restore a copy"))
                }
                ErrorCode::ReadOnly => StoreError::Broken(at("a reading call may not write")),
                // A statement that SQLite does not understand: no such table, no such column.
                ErrorCode::Unknown if error.extended_code == ffi::SQLITE_ERROR => {
                    let said = message.clone().unwrap_or_default();
                    StoreError::Broken(told(error.extended_code, said.into()))
                }
                _ => StoreError::Broken(at("SQLite refuses it")),
            }
        }
        Error::InvalidParameterName(_) | Error::InvalidParameterCount(..) => {
            StoreError::Broken(Fault::of(owner, statement, None, "a parameter is missing"))
        }
        Error::Utf8Error(..) | Error::FromSqlConversionFailure(..) => {
            StoreError::Broken(Fault::of(owner, statement, None, "a text is no UTF-8"))
        }
        Error::MultipleStatement => {
            StoreError::Broken(Fault::of(owner, statement, None, "it is two statements"))
        }
        _ => StoreError::Broken(Fault::of(owner, statement, None, "SQLite refuses it")),
    }
}

fn constraint(code: i32, at: impl Fn(&'static str) -> Fault) -> StoreError {
    match code {
        ffi::SQLITE_CONSTRAINT_UNIQUE
        | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
        | ffi::SQLITE_CONSTRAINT_ROWID => {
            StoreError::Conflict(at("there is a row with this key already"))
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => {
            StoreError::Conflict(at("a row that others point to is missing"))
        }
        ffi::SQLITE_CONSTRAINT_NOTNULL => StoreError::Broken(at("a column may not be null")),
        ffi::SQLITE_CONSTRAINT_DATATYPE => {
            StoreError::Broken(at("a value is of another kind than its column"))
        }
        _ => StoreError::Broken(at("a rule of the table is broken")),
    }
}
