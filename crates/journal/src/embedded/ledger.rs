//! Reading the journal: for the command line, the console and reports, while a gateway runs or not.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _};
use sluice_event::DatasetId;

use super::body::{self, Body};
use super::cipher::BodyKeys;
use super::error::OpenError;
use super::records::{RECORD, REQUEST, cause, record, request, state};
use super::row::readable;
use super::schema::{self, Access, FILE};
use super::search;
use crate::error::JournalError;
use crate::filter::{Found, PAGE_MAX, RequestFilter};
use crate::records::{EventDetail, PastOutcome, SentRequest};
use crate::types::EventKey;

/// A journal's rows, for people. Every call is short and blocks; none holds a transaction when it is over.
pub struct Books {
    pub(super) conn: Connection,
    path: PathBuf,
    pub(super) keys: BodyKeys,
}

impl Books {
    /// Opens the journal in a folder, beside a running gateway or without one. Makes nothing.
    ///
    /// # Errors
    ///
    /// [`OpenError`] with what is wrong and, from [`OpenError::help`], what to do.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join(FILE);
        match path.metadata() {
            Ok(file) if file.is_file() => {}
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                return Err(OpenError::of_io(&path, &error));
            }
            _ => {
                return Err(OpenError::Missing {
                    folder: folder.to_owned(),
                });
            }
        }
        let failed = |error| OpenError::of_sqlite(&path, &error);
        // Without the right to write, reading may still work.
        let conn = schema::connect(&path, Access::Write)
            .or_else(|_| schema::connect(&path, Access::Read))
            .map_err(failed)?;
        conn.pragma_update(None, "synchronous", "FULL")
            .map_err(failed)?;
        match schema::version(&conn, &path)? {
            0 => Err(OpenError::Missing {
                folder: folder.to_owned(),
            }),
            schema::VERSION => Ok(Self {
                conn,
                path,
                keys: BodyKeys::default(),
            }),
            found => Err(OpenError::Older {
                path,
                found,
                known: schema::VERSION,
            }),
        }
    }

    /// Reads encrypted bodies with these keys.
    #[must_use]
    pub fn with_keys(self, keys: BodyKeys) -> Self {
        Self { keys, ..self }
    }

    /// The journal's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// One event and all that is known about it.
    pub fn event(&self, key: EventKey) -> Result<Option<EventDetail>, JournalError> {
        let sql = format!(
            "{RECORD} FROM event e LEFT JOIN outcome o ON o.event = e.id
             LEFT JOIN request r ON r.id = o.request WHERE e.id = ?1"
        );
        let found = self
            .conn
            .prepare_cached(&sql)?
            .query_row([key.0], record)
            .optional()?;
        let Some(record) = found else {
            return Ok(None);
        };
        let body = self
            .conn
            .prepare_cached(body::BODY)?
            .query_row([key.0], |row| body::read(row, key, &self.keys))
            .optional()?
            .filter(|_| record.has_body);
        let past = self
            .conn
            .prepare_cached(&format!(
                "SELECT p.state, p.at_ms, p.code, p.subcode, p.text, p.replayed_ms, {REQUEST}
                 FROM replay p LEFT JOIN request r ON r.id = p.request WHERE p.event = ?1 ORDER BY p.seq"
            ))?
            .query_map([key.0], |row| {
                Ok(PastOutcome {
                    state: state(row.get(0)?),
                    at_ms: row.get(1)?,
                    cause: cause(row, 2)?,
                    replayed_ms: row.get(5)?,
                    request: request(row, 6)?,
                })
            })?
            .collect::<rusqlite::Result<_>>()?;
        let intended_ms = self
            .conn
            .prepare_cached("SELECT at_ms FROM intent WHERE event = ?1")?
            .query_row([key.0], |row| row.get(0))
            .optional()?;
        Ok(Some(EventDetail {
            record,
            missing_key: match body {
                Some(Body::Locked(id)) => Some(id),
                _ => None,
            },
            json: match body {
                Some(Body::Json(json)) => Some(json),
                _ => None,
            },
            intended_ms,
            past,
        }))
    }

    /// Requests to Meta, the newest first: at most `limit`, and never more than [`PAGE_MAX`], before this number.
    pub fn requests(
        &self,
        filter: &RequestFilter,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Found<SentRequest, i64>, JournalError> {
        let newest: Option<i64> = self
            .conn
            .prepare_cached("SELECT max(id) FROM request WHERE id < ?1")?
            .query_row([before.unwrap_or(i64::MAX)], |row| row.get(0))?;
        let Some(newest) = newest else {
            return Ok(Found::default());
        };
        let sql = format!(
            "SELECT {REQUEST} FROM request r WHERE r.id >= ?1 AND r.id <= ?2
               AND (?3 IS NULL OR r.dataset = (SELECT id FROM term WHERE text = ?3))
               AND (?4 IS NULL OR r.fbtrace_id = ?4)
             ORDER BY r.id DESC LIMIT ?5"
        );
        let from = newest.saturating_sub(search::ROWS_MAX - 1);
        let dataset = filter.dataset.as_ref().map(DatasetId::as_str);
        let limit = limit.clamp(1, PAGE_MAX);
        let mut statement = self.conn.prepare_cached(&sql)?;
        let (rows, unreadable) = readable((from.max(1), newest), limit, |(first, last)| {
            let bound = (first, last, dataset, &filter.fbtrace_id, limit);
            let rows = statement.query_map(bound, |row| request(row, 0))?;
            rows.filter_map(Result::transpose).collect()
        })?;
        let next = if rows.len() == limit {
            rows.last().map(|last| last.id)
        } else {
            (from > 1).then_some(from)
        };
        Ok(Found {
            rows,
            next,
            unreadable,
        })
    }
}
