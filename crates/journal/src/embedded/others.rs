//! What other processes did: a person's commands write to the file while this process has its queues in memory.

use rusqlite::Connection;

use super::row::unless_damaged;
use super::state::State;
use super::tally;
use super::waiting_row::WaitingRow;
use crate::types::EventKey;

/// Rows of `replay` that are read at once.
const REPLAYS_PER_READ: usize = 10_000;

/// Knows whether another process has written since the last look.
#[derive(Default)]
pub(super) struct Others {
    /// SQLite's `data_version`: changes when another connection commits. `None` before the first look.
    data_version: Option<i64>,
}

impl Others {
    /// Brings the state in memory up to date with what another process wrote: events that a person dropped or
    /// sent again, and the counts. Runs within a transaction. Returns whether another process wrote anything.
    pub(super) fn follow(
        &mut self,
        conn: &Connection,
        state: &mut State,
    ) -> rusqlite::Result<bool> {
        let version = Some(data_version(conn)?);
        if version == self.data_version {
            return Ok(false);
        }
        // Drops first: an event that was sent again since joins a queue anew.
        pick_up_drops(conn, state)?;
        pick_up_replays(conn, state)?;
        state.tally = tally::load(conn)?;
        self.data_version = version;
        Ok(true)
    }
}

fn data_version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.prepare_cached("PRAGMA data_version")?
        .query_row([], |row| row.get(0))
}

/// Takes events that a person dropped out of the queues.
fn pick_up_drops(conn: &Connection, state: &mut State) -> rusqlite::Result<()> {
    let mut drops =
        conn.prepare_cached("SELECT seq, event FROM dropped WHERE seq > ?1 ORDER BY seq")?;
    let mut rows = drops.query([state.seen_drop])?;
    while let Some(row) = rows.next()? {
        state.shared.lanes.forget(EventKey(row.get(1)?));
        state.seen_drop = row.get(0)?;
    }
    Ok(())
}

/// Puts events that a person sent again into the queues.
fn pick_up_replays(conn: &Connection, state: &mut State) -> rusqlite::Result<()> {
    loop {
        let replays: Vec<(i64, EventKey)> = conn
            .prepare_cached("SELECT seq, event FROM replay WHERE seq > ?1 ORDER BY seq LIMIT ?2")?
            .query_map((state.seen_replay, REPLAYS_PER_READ), |row| {
                Ok((row.get(0)?, EventKey(row.get(1)?)))
            })?
            .collect::<rusqlite::Result<_>>()?;
        for (seq, key) in &replays {
            // A damaged row must keep neither the others from being read nor a failing disk from being tried.
            if let Some(waiting) = unless_damaged(WaitingRow::of(conn, *key, true))? {
                let lane = waiting.lane(state);
                if let Some(lane) = lane
                    && !lane.contains(*key)
                {
                    lane.push([waiting.joining]);
                    state.shared.lanes.announce(&lane);
                }
            }
            state.seen_replay = *seq;
        }
        if replays.len() < REPLAYS_PER_READ {
            return Ok(());
        }
    }
}
