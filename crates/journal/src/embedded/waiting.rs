//! What a person does about waiting events: look at them, or drop them, beside a running gateway.
//!
//! The gateway has its queues in memory. It reads what was dropped before its next commit, at the latest within
//! a second (`others.rs`); a lease that is read until then leaves them out.

use rusqlite::{Connection, OptionalExtension as _};

use super::dead::{EVENTS_PER_COMMIT, PAUSE, in_transaction};
use super::ledger::Books;
use super::low_water::LowWater;
use super::row::stored_ms;
use super::search::{EVENTS, ROWS_MAX, Search};
use super::tally::{Changes, Counted, Group};
use super::way;
use crate::error::JournalError;
use crate::filter::{EventFilter, Found};
use crate::records::{DroppedWaiting, EventRecord};
use crate::types::{EventKey, EventState};

impl Books {
    /// Waiting events that fit in order of arrival, those of a running gateway's lanes included: at most `limit`,
    /// and never more than [`PAGE_MAX`], behind this one. The filter's states are not looked at.
    pub fn waiting(
        &self,
        filter: &EventFilter,
        after: Option<EventKey>,
        limit: usize,
    ) -> Result<Found<EventRecord, EventKey>, JournalError> {
        let filter = EventFilter {
            states: vec![EventState::Waiting],
            ..filter.clone()
        };
        let LowWater { from: mark, named } = LowWater::load(&self.conn)?;
        let after = after.max(filter.after).map_or(0, |key| key.0);
        let search = Search::of(self, &filter, (EVENTS, "ASC"), limit);
        let mut found = Found::default();
        // Before the mark where a start begins, only these can wait.
        let first = named.partition_point(|key| key.0 <= after);
        let before_mark = named.partition_point(|key| *key < mark);
        let rows = usize::try_from(ROWS_MAX).unwrap_or_default();
        let some = named.get(first..before_mark).unwrap_or_default();
        for key in some.iter().take(rows) {
            found.next = Some(*key);
            if search.look((key.0, key.0 + 1), || Ok(vec![key.0]), &mut found)? {
                return Ok(found);
            }
        }
        if some.len() > rows {
            return Ok(found);
        }
        let from = mark.0.max(after.saturating_add(1));
        let until = from.saturating_add(ROWS_MAX);
        let newest = way::newest(&self.conn, i64::MAX)?.unwrap_or(0);
        let until = until.min(newest.saturating_add(1));
        let one_by_one = || Ok((from..until).collect());
        let is_enough = search.look((from, until), one_by_one, &mut found)?;
        found.next = if is_enough {
            found.rows.last().map(|last| last.key)
        } else {
            (until <= newest).then_some(EventKey(until - 1))
        };
        Ok(found)
    }

    /// Gives waiting events up: they are withheld from now on, and no lane leases them any more. What a lane has
    /// leased at this moment may be on its way to Meta; when Meta takes it, it counts as delivered.
    pub fn drop_waiting(
        &mut self,
        keys: &[EventKey],
        at_ms: u64,
    ) -> Result<DroppedWaiting, JournalError> {
        let mut sum = DroppedWaiting::default();
        for keys in keys.chunks(EVENTS_PER_COMMIT) {
            in_transaction(&mut self.conn, |conn| {
                let dropped = drop_some(conn, keys, at_ms)?;
                sum.dropped += dropped;
                sum.not_waiting += keys.len() as u64 - dropped;
                Ok(())
            })?;
            std::thread::sleep(PAUSE);
        }
        Ok(sum)
    }
}

fn drop_some(conn: &Connection, keys: &[EventKey], at_ms: u64) -> rusqlite::Result<u64> {
    let mut changes = Changes::default();
    let mut dropped = 0;
    for key in keys {
        let group = conn
            .prepare_cached(
                "SELECT dataset, source, name FROM event
                 WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM outcome WHERE event = ?1)",
            )?
            .query_row([key.0], |row| Group::read(row, 0))
            .optional()?;
        let Some(group) = group else {
            continue;
        };
        conn.prepare_cached(
            "INSERT INTO outcome (event, state, at_ms, text) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute((
            key.0,
            Counted::Withheld.number(),
            stored_ms(at_ms),
            "dropped by hand while it was waiting",
        ))?;
        conn.prepare_cached("INSERT INTO dropped (event) VALUES (?1)")?
            .execute([key.0])?;
        changes.add(at_ms, group, Counted::Withheld, 1);
        dropped += 1;
    }
    changes.write(conn)?;
    Ok(dropped)
}
