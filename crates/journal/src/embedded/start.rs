//! Start: what waits and what was seen lately, read from the rows.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, OptionalExtension as _};
use sluice_event::ActionSource;

use super::amend;
use super::lane::Lane;
use super::low_water::LowWater;
use super::mark;
use super::names::Names;
use super::rejection_rows::RejectionRows;
use super::shared::Shared;
use super::state::{LaneTerms, State};
use super::tally;
use super::terms::{Term, Terms};
use super::waiting_row::WaitingRow;
use crate::dedup::{Identity, Window};
use crate::types::EventKey;

/// Reads the writer's memory.
pub(super) fn load(
    conn: &Connection,
    terms: Terms,
    shared: Arc<Shared>,
) -> rusqlite::Result<State> {
    let mut state = State::new(terms, shared);
    // One moment for all of it: a person may be sending events again right now.
    let snapshot = conn.unchecked_transaction()?;
    let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0));
    state.next_event = number("SELECT coalesce(max(id), 0) FROM event")? + 1;
    state.next_request = number("SELECT coalesce(max(id), 0) FROM request")? + 1;
    state.seen_replay = number("SELECT coalesce(max(seq), 0) FROM replay")?;
    state.seen_drop = number("SELECT coalesce(max(seq), 0) FROM dropped")?;
    state.names = Names::load(conn)?;
    state.rejection_rows = RejectionRows::load(conn)?;
    state.tally = tally::load(conn)?;
    // By the mark and not by the rows' times: after a clock was wrong those are in no order.
    state.seen = mark::read_seen(conn)?;
    let low_water = LowWater::load(conn)?;
    Scan {
        seen_from: state.seen.usual.map_or(1, |first| first.0),
        waiting_from: low_water.from.0,
        replayed: replayed(conn)?,
        amended: amend::waiting_from(conn, low_water.from.0)?,
        lanes: HashMap::new(),
        action_sources: HashMap::new(),
    }
    .run(conn, &low_water.named, &mut state)?;
    remember_own_windows(conn, &mut state)?;
    state.tally.waiting = state.shared.lanes.waiting() as u64;
    snapshot.commit()?;
    Ok(state)
}

/// The waiting events that a person sent again.
fn replayed(conn: &Connection) -> rusqlite::Result<HashSet<i64>> {
    let mut statement = conn.prepare(
        "SELECT event FROM replay
         WHERE NOT EXISTS (SELECT 1 FROM outcome WHERE outcome.event = replay.event)",
    )?;
    let keys = statement.query_map([], |row| row.get(0))?;
    keys.collect()
}

/// Remembers events with a window of their own: by an index, because between those of 60 days may be many others.
fn remember_own_windows(conn: &Connection, state: &mut State) -> rusqlite::Result<()> {
    let from = state.seen.own.map_or(1, |first| first.0);
    let mut statement = conn.prepare(
        "SELECT id, identity, accepted_ms, window_ms FROM event INDEXED BY event_window
         WHERE window_ms IS NOT NULL AND id >= ?1 ORDER BY id",
    )?;
    let mut rows = statement.query([from])?;
    while let Some(row) = rows.next()? {
        let row = (row.get(1), row.get(2), row.get(3), row.get(0)?);
        // A damaged event has no copies.
        if let (Ok(identity), Ok(accepted_ms), Ok(window_ms), key) = row {
            let window = Window::Own(window_ms);
            (state.dedup).insert(&identity, EventKey(key), window, accepted_ms);
        }
    }
    Ok(())
}

/// One pass over the rows of events, beside one over the rows of outcomes: both are in order of keys.
struct Scan {
    seen_from: i64,
    waiting_from: i64,
    replayed: HashSet<i64>,
    /// Expiry and size of those that were amended.
    amended: HashMap<i64, (i64, usize)>,
    lanes: HashMap<LaneTerms, Option<Arc<Lane>>>,
    action_sources: HashMap<Term, Option<ActionSource>>,
}

impl Scan {
    fn run(
        mut self,
        conn: &Connection,
        named: &[EventKey],
        state: &mut State,
    ) -> rusqlite::Result<()> {
        let waiting_from = self.waiting_from;
        for key in named.iter().filter(|key| key.0 < waiting_from) {
            let is_replay = self.replayed.contains(&key.0);
            if let Some(waiting) = WaitingRow::of(conn, *key, is_replay).optional()? {
                self.queue(&waiting, state);
            }
        }
        let from = self.seen_from.min(self.waiting_from);
        let mut events = conn.prepare_cached(
            "SELECT id, identity, action_source, accepted_ms, expires_s, bytes, dataset, test_code,
                    due_ms, window_ms IS NULL
             FROM event WHERE id >= ?1 ORDER BY id",
        )?;
        let mut outcomes: CachedStatement<'_> =
            conn.prepare_cached("SELECT event FROM outcome WHERE event >= ?1 ORDER BY event")?;
        let mut events = events.query([from])?;
        let mut outcomes = outcomes.query([self.waiting_from])?;
        let mut next_final = 0_i64;
        while let Some(row) = events.next()? {
            let key: i64 = row.get(0)?;
            if key >= self.seen_from && row.get(9)? {
                self.remember(row, state)?;
            }
            if key < self.waiting_from {
                continue;
            }
            while next_final < key {
                next_final = match outcomes.next()? {
                    Some(row) => row.get(0)?,
                    None => i64::MAX,
                };
            }
            if next_final > key {
                self.wait(row, state)?;
            }
        }
        for lane in self.lanes.values().flatten() {
            state.shared.lanes.announce(lane);
        }
        Ok(())
    }

    fn remember(&mut self, row: &rusqlite::Row<'_>, state: &mut State) -> rusqlite::Result<()> {
        let (Ok(identity), Ok(accepted_ms)) = (row.get::<_, Identity>(1), row.get(3)) else {
            // A damaged event has no copies.
            return Ok(());
        };
        let term: Term = row.get(2)?;
        let source = *self
            .action_sources
            .entry(term)
            .or_insert_with(|| ActionSource::from_name(&state.terms.texts().get(term)));
        if let Some(source) = source {
            state.dedup.insert(
                &identity,
                EventKey(row.get(0)?),
                Window::BySource(source),
                accepted_ms,
            );
        }
        Ok(())
    }

    fn wait(&mut self, row: &rusqlite::Row<'_>, state: &mut State) -> rusqlite::Result<()> {
        let key = EventKey(row.get(0)?);
        let mut waiting = WaitingRow::read(row, key, 3, self.replayed.contains(&key.0))?;
        if let Some((expires_s, bytes)) = self.amended.get(&key.0) {
            waiting.joining = amend::after(&waiting.joining, *expires_s, *bytes);
        }
        self.queue(&waiting, state);
        Ok(())
    }

    fn queue(&mut self, waiting: &WaitingRow, state: &mut State) {
        let lane = self
            .lanes
            .entry(waiting.lane)
            .or_insert_with(|| waiting.lane(state));
        if let Some(lane) = lane {
            lane.push([waiting.joining]);
        }
    }
}
