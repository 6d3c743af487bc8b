//! A waiting event as its row says, for the queue of its lane.

use std::sync::Arc;

use rusqlite::{Connection, Row};
use sluice_event::DatasetId;

use super::append;
use super::lane::Lane;
use super::queue::Joining;
use super::slot::Slot;
use super::state::{LaneTerms, State};
use crate::types::{EventKey, LaneId, Start, TestCode};

/// What a queue needs to know of an event.
pub(super) struct WaitingRow {
    pub(super) joining: Joining,
    pub(super) lane: LaneTerms,
}

impl WaitingRow {
    /// Reads `accepted_ms, expires_s, bytes, dataset, test_code, due_ms`, from this column on. Times and sizes that are
    /// damaged are taken for 0: then the event is first in its lane, which finds out and withholds it. What a person
    /// sent again is not on hold.
    pub(super) fn read(
        row: &Row<'_>,
        key: EventKey,
        column: usize,
        is_replay: bool,
    ) -> rusqlite::Result<Self> {
        let accepted_ms = row.get(column).unwrap_or_default();
        let expires_s = row.get(column + 1).unwrap_or_default();
        let bytes = row.get(column + 2).unwrap_or_default();
        // The row says how long the event was held as it came; it may have been amended and expire earlier.
        let at_ms: Option<u64> = row.get(column + 5).unwrap_or_default();
        let due_ms = at_ms
            .filter(|_| !is_replay)
            .and_then(|at_ms| append::due_ms(&Start::Due { at_ms }, accepted_ms, expires_s));
        Ok(Self {
            joining: Joining {
                slot: Slot::new(key, accepted_ms, expires_s, bytes),
                due_ms,
            },
            lane: LaneTerms {
                dataset: row.get(column + 3)?,
                test_code: row.get(column + 4)?,
                is_replay,
            },
        })
    }

    /// Reads the row of an event; [`rusqlite::Error::QueryReturnedNoRows`] if the event is final or not there.
    pub(super) fn of(conn: &Connection, key: EventKey, is_replay: bool) -> rusqlite::Result<Self> {
        conn.prepare_cached(
            "SELECT accepted_ms, coalesce(amendment.expires_s, event.expires_s),
                    coalesce(amendment.bytes, event.bytes), dataset, test_code, due_ms
             FROM event LEFT JOIN amendment ON amendment.event = event.id AND live = 1
             WHERE event.id = ?1 AND NOT EXISTS (SELECT 1 FROM outcome WHERE outcome.event = ?1)",
        )?
        .query_row([key.0], |row| Self::read(row, key, 0, is_replay))
    }

    /// Its lane; `None` if the row names none, which only a damaged file does.
    pub(super) fn lane(&self, state: &mut State) -> Option<Arc<Lane>> {
        let texts = state.terms.texts();
        let terms = self.lane;
        let dataset = DatasetId::parse(&texts.get(terms.dataset)).ok()?;
        let test_code = terms
            .test_code
            .map(|term| TestCode::parse(&texts.get(term)));
        let test_code = test_code.transpose().ok()?;
        Some(state.lane(terms, || LaneId {
            dataset,
            test_code,
            is_replay: terms.is_replay,
        }))
    }
}
