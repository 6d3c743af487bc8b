//! Reading the journal: for the command line, the console and reports, while a gateway runs or not.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _};
use sluice_event::{DatasetId, EventIdentity};

use super::body::{self, Body};
use super::cipher::BodyKeys;
use super::error::OpenError;
use super::records::{
    EventDetail, EventRecord, HourTally, PastOutcome, RECORD, REQUEST, SentRequest, cause, record,
    request, state, text,
};
use super::row::stored_ms;
use super::schema::{self, Access, FILE};
use super::tally::Counted;
use crate::error::JournalError;
use crate::types::{EventKey, EventState, SourceName};

/// The most rows that one list has.
pub const PAGE_MAX: usize = 1_000;

/// A journal's rows, for people. Every call is short and blocks; none holds a transaction when it is over.
pub struct Books {
    pub(super) conn: Connection,
    path: PathBuf,
    keys: BodyKeys,
}

/// Which dead events: those that were refused, that expired or are withheld.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeadFilter {
    /// In one of these states; none means all three.
    pub states: Vec<EventState>,
    /// Of this dataset.
    pub dataset: Option<DatasetId>,
    /// Of this source.
    pub source: Option<SourceName>,
    /// Of this `event_name`.
    pub event_name: Option<String>,
    /// With this code of Meta's.
    pub code: Option<i64>,
    /// That died at this time or later, in milliseconds since 1970.
    pub since_ms: Option<u64>,
}

/// A part of a list, the newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Only events before this one: the last of the page before.
    pub before: Option<EventKey>,
    /// The most rows, and never more than [`PAGE_MAX`].
    pub limit: usize,
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

    /// Dead events, the newest first.
    pub fn dead(&self, filter: &DeadFilter, page: Page) -> Result<Vec<EventRecord>, JournalError> {
        let sql = format!(
            "{RECORD} FROM outcome o INDEXED BY outcome_dead JOIN event e ON e.id = o.event
             LEFT JOIN request r ON r.id = o.request
             WHERE {DEAD} AND e.id < ?7 ORDER BY o.event DESC LIMIT ?8"
        );
        let before = page.before.map_or(i64::MAX, |key| key.0);
        let (states, dataset, source, name, code, since_ms) = filter.bound();
        let limit = page.limit.min(PAGE_MAX);
        let mut statement = self.conn.prepare_cached(&sql)?;
        let rows = statement.query_map(
            (states, dataset, source, name, code, since_ms, before, limit),
            record,
        )?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Events that Meta has answered, which are delivered or refused, the newest first. Reads the rows of all
    /// newer ones.
    pub fn answered(&self, page: Page) -> Result<Vec<EventRecord>, JournalError> {
        let sql = format!(
            "{RECORD} FROM outcome o JOIN event e ON e.id = o.event
             LEFT JOIN request r ON r.id = o.request
             WHERE o.state IN (?1, ?2) AND o.event < ?3 ORDER BY o.event DESC LIMIT ?4"
        );
        let states = [Counted::Delivered, Counted::Refused].map(Counted::number);
        let before = page.before.map_or(i64::MAX, |key| key.0);
        let limit = page.limit.min(PAGE_MAX);
        let mut statement = self.conn.prepare_cached(&sql)?;
        let rows = statement.query_map((states[0], states[1], before, limit), record)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
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
            .prepare_cached(
                "SELECT state, at_ms, code, subcode, text, replayed_ms FROM replay
                 WHERE event = ?1 ORDER BY seq",
            )?
            .query_map([key.0], |row| {
                Ok(PastOutcome {
                    state: state(row.get(0)?),
                    at_ms: row.get(1)?,
                    cause: cause(row, 2)?,
                    replayed_ms: row.get(5)?,
                })
            })?
            .collect::<rusqlite::Result<_>>()?;
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
            past,
        }))
    }

    /// The keys of the events with this name and id in a dataset, the oldest first. Reads every
    /// event's row: for people, not for programs.
    pub fn find(
        &self,
        dataset: &DatasetId,
        event_name: &str,
        event_id: &str,
    ) -> Result<Vec<EventKey>, JournalError> {
        let identity = EventIdentity::of(dataset, event_name, event_id);
        let mut statement = self
            .conn
            .prepare_cached("SELECT id FROM event WHERE identity = ?1 ORDER BY id LIMIT ?2")?;
        let rows = statement.query_map((identity.as_bytes(), PAGE_MAX), |row| {
            row.get(0).map(EventKey)
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The changes of each hour in `hours`, counted in hours since 1970.
    pub fn tallies(&self, hours: std::ops::Range<u64>) -> Result<Vec<HourTally>, JournalError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT hour, (SELECT text FROM term WHERE id = dataset) d,
                    (SELECT text FROM term WHERE id = source) s,
                    (SELECT text FROM term WHERE id = name) n, state, count
             FROM (SELECT hour, dataset, source, name, state, count FROM tally UNION ALL
                   SELECT hour, dataset, source, name, 6, count FROM rejected_tally)
             WHERE hour >= ?1 AND hour < ?2 ORDER BY hour, dataset, source, name, state",
        )?;
        let mut rows = statement.query((stored_ms(hours.start), stored_ms(hours.end)))?;
        let mut tallies: Vec<HourTally> = Vec::new();
        while let Some(row) = rows.next()? {
            let mut tally = HourTally {
                hour: row.get(0)?,
                dataset: text(row, 1)?,
                source: text(row, 2)?,
                event_name: text(row, 3)?,
                ..HourTally::default()
            };
            if let Some(last) = tallies.last_mut()
                && last.is_of(&tally)
            {
                last.add(row.get(4)?, row.get(5)?);
            } else {
                tally.add(row.get(4)?, row.get(5)?);
                tallies.push(tally);
            }
        }
        Ok(tallies)
    }

    /// Requests to Meta, the newest first; those of one dataset if one is named. `before` is the last
    /// of the page before.
    pub fn requests(
        &self,
        dataset: Option<&DatasetId>,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<SentRequest>, JournalError> {
        let sql = format!(
            "SELECT {REQUEST} FROM request r WHERE r.id < ?1
               AND (?2 IS NULL OR r.dataset = (SELECT id FROM term WHERE text = ?2))
             ORDER BY r.id DESC LIMIT ?3"
        );
        let dataset = dataset.map(DatasetId::as_str);
        let bound = (before.unwrap_or(i64::MAX), dataset, limit.min(PAGE_MAX));
        let mut statement = self.conn.prepare_cached(&sql)?;
        let rows = statement.query_map(bound, |row| request(row, 0))?;
        let requests: Vec<Option<SentRequest>> = rows.collect::<rusqlite::Result<_>>()?;
        Ok(requests.into_iter().flatten().collect())
    }
}

/// The parameters of [`DEAD`], in its order.
type Bound<'a> = (
    i64,
    Option<&'a str>,
    Option<&'a str>,
    Option<&'a str>,
    Option<i64>,
    Option<i64>,
);

/// The condition of a [`DeadFilter`], with the parameters of [`DeadFilter::bound`]. `state > 1` is
/// written as the index has it.
pub(super) const DEAD: &str = "o.state > 1 AND (?1 >> o.state) & 1
    AND (?2 IS NULL OR e.dataset = (SELECT id FROM term WHERE text = ?2))
    AND (?3 IS NULL OR e.source = (SELECT id FROM term WHERE text = ?3))
    AND (?4 IS NULL OR e.own_name = ?4
         OR e.own_name IS NULL AND e.name = (SELECT id FROM term WHERE text = ?4))
    AND (?5 IS NULL OR o.code = ?5)
    AND (?6 IS NULL OR o.at_ms >= ?6)";

impl DeadFilter {
    /// The parameters of [`DEAD`].
    pub(super) fn bound(&self) -> Bound<'_> {
        let counted = self.states.iter().copied().filter_map(Counted::of_state);
        let dead = counted.filter(|counted| *counted > Counted::Delivered);
        let states = dead.fold(0, |bits, counted| bits | 1 << counted.number());
        (
            if self.states.is_empty() { -1 } else { states },
            self.dataset.as_ref().map(DatasetId::as_str),
            self.source.as_ref().map(SourceName::as_str),
            self.event_name.as_deref(),
            self.code,
            self.since_ms.map(stored_ms),
        )
    }
}
