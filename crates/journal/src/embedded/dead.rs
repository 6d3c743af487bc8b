//! What a person does about dead events: send them again, or drop them.
//!
//! A gateway may run meanwhile, so transactions are short. It hears of events that wait again within a
//! second (`upkeep.rs`).

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use super::append::stored_ms;
use super::ledger::{Books, DEAD, DeadFilter};
use super::records::{cause, state};
use super::settle::LOW_WATER;
use super::tally::{Changes, Counted, Group};
use crate::JournalError;
use crate::types::{Cause, EventKey, EventState};

/// Events of one transaction: a gateway that commits at the same time waits for it.
const EVENTS_PER_COMMIT: usize = 500;

/// Between two transactions, so that the gateway gets its turn.
const PAUSE: Duration = Duration::from_millis(2);

/// Which events to do something about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// These.
    Keys(Vec<EventKey>),
    /// All that match. A filter that names no state means refused and expired events, not withheld ones.
    Filter(DeadFilter),
}

/// What became of events that were to be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replayed {
    /// They wait, under the same `event_id`.
    pub replayed: u64,
    /// Meta takes them no more.
    pub too_old: u64,
    /// Their bodies were deleted by retention.
    pub gone: u64,
    /// They are not dead, or not there.
    pub not_dead: u64,
}

/// What became of events that were to be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// They are withheld, with the cause "dropped by hand".
    pub dropped: u64,
    /// They were neither refused nor expired.
    pub not_dead: u64,
}

/// A dead event, as far as it matters here.
struct Dead {
    group: Group,
    counted: Counted,
    cause: Cause,
    expires_s: i64,
    has_body: bool,
}

impl Books {
    /// Makes dead events wait again. Their outcomes are kept as history.
    pub fn replay(&mut self, which: &Selection, now_ms: u64) -> Result<Replayed, JournalError> {
        let mut sum = Replayed::default();
        self.each(which, |conn, keys| {
            let done = replay_some(conn, keys, now_ms)?;
            sum.replayed += done.replayed;
            sum.too_old += done.too_old;
            sum.gone += done.gone;
            sum.not_dead += done.not_dead;
            Ok(())
        })?;
        Ok(sum)
    }

    /// Gives refused and expired events up for good.
    pub fn drop_events(&mut self, which: &Selection, at_ms: u64) -> Result<Dropped, JournalError> {
        let mut sum = Dropped::default();
        self.each(which, |conn, keys| {
            let done = drop_some(conn, keys, at_ms)?;
            sum.dropped += done.dropped;
            sum.not_dead += done.not_dead;
            Ok(())
        })?;
        Ok(sum)
    }

    /// Calls `change` with some keys at a time, each time in a transaction of its own.
    fn each(
        &mut self,
        which: &Selection,
        mut change: impl FnMut(&Connection, &[EventKey]) -> rusqlite::Result<()>,
    ) -> Result<(), JournalError> {
        let mut change_all = |conn: &mut Connection, keys: &[EventKey]| -> rusqlite::Result<()> {
            for keys in keys.chunks(EVENTS_PER_COMMIT) {
                let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
                change(&transaction, keys)?;
                transaction.commit()?;
                std::thread::sleep(PAUSE);
            }
            Ok(())
        };
        match which {
            Selection::Keys(keys) => change_all(&mut self.conn, keys)?,
            Selection::Filter(filter) => {
                let mut filter = filter.clone();
                if filter.states.is_empty() {
                    filter.states = vec![EventState::Refused, EventState::Expired];
                }
                let mut after = EventKey(0);
                loop {
                    let keys = matching(&self.conn, &filter, after)?;
                    let Some(last) = keys.last() else { break };
                    after = *last;
                    change_all(&mut self.conn, &keys)?;
                }
            }
        }
        Ok(())
    }
}

/// The next keys that match.
fn matching(
    conn: &Connection,
    filter: &DeadFilter,
    after: EventKey,
) -> rusqlite::Result<Vec<EventKey>> {
    let sql = format!(
        "SELECT o.event FROM outcome o INDEXED BY outcome_dead JOIN event e ON e.id = o.event
         WHERE {DEAD} AND o.event > ?7 ORDER BY o.event LIMIT 10000"
    );
    let (states, dataset, source, name, code, since_ms) = filter.bound();
    let bound = (states, dataset, source, name, code, since_ms, after.0);
    let mut statement = conn.prepare_cached(&sql)?;
    let keys = statement.query_map(bound, |row| row.get(0).map(EventKey))?;
    keys.collect()
}

fn dead(conn: &Connection, key: EventKey) -> rusqlite::Result<Option<Dead>> {
    conn.prepare_cached(
        "SELECT e.dataset, e.source, e.name, o.state, o.code, o.subcode, o.text, e.expires_s,
                EXISTS (SELECT 1 FROM body WHERE id = e.id)
         FROM outcome o JOIN event e ON e.id = o.event WHERE o.event = ?1 AND o.state > 1",
    )?
    .query_row([key.0], |row| {
        Ok(Dead {
            group: Group {
                dataset: row.get(0)?,
                source: row.get(1)?,
                name: row.get(2)?,
            },
            counted: Counted::of_state(state(row.get(3)?)).unwrap_or(Counted::Withheld),
            cause: cause(row, 4)?,
            expires_s: row.get(7)?,
            has_body: row.get(8)?,
        })
    })
    .optional()
}

fn replay_some(conn: &Connection, keys: &[EventKey], now_ms: u64) -> rusqlite::Result<Replayed> {
    let mut done = Replayed::default();
    let mut changes = Changes::default();
    let mut first = None;
    for key in keys {
        let Some(dead) = dead(conn, *key)? else {
            done.not_dead += 1;
            continue;
        };
        if dead.expires_s < stored_ms(now_ms) / 1_000 {
            done.too_old += 1;
            continue;
        }
        if !dead.has_body {
            done.gone += 1;
            continue;
        }
        conn.prepare_cached(
            "INSERT INTO replay (event, replayed_ms, state, at_ms, request, code, subcode, text)
             SELECT event, ?2, state, at_ms, request, code, subcode, text FROM outcome
             WHERE event = ?1",
        )?
        .execute((key.0, stored_ms(now_ms)))?;
        conn.prepare_cached("DELETE FROM outcome WHERE event = ?1")?
            .execute([key.0])?;
        changes.add(now_ms, dead.group, dead.counted, -1);
        first = first.into_iter().chain([*key]).min();
        done.replayed += 1;
    }
    if let Some(first) = first {
        conn.prepare_cached("UPDATE mark SET value = min(value, ?2) WHERE name = ?1")?
            .execute((LOW_WATER, first.0))?;
    }
    changes.write(conn)?;
    Ok(done)
}

fn drop_some(conn: &Connection, keys: &[EventKey], at_ms: u64) -> rusqlite::Result<Dropped> {
    let mut done = Dropped::default();
    let mut changes = Changes::default();
    for key in keys {
        let may_drop = |dead: &Dead| matches!(dead.counted, Counted::Refused | Counted::Expired);
        let Some(dead) = dead(conn, *key)?.filter(may_drop) else {
            done.not_dead += 1;
            continue;
        };
        let was = dead.counted.state().map_or("", EventState::name);
        let separator = if dead.cause.text.is_empty() { "" } else { ": " };
        let text = format!(
            "dropped by hand; it was {was}{separator}{}",
            dead.cause.text
        );
        conn.prepare_cached(
            "UPDATE outcome SET state = ?2, at_ms = ?3, text = ?4 WHERE event = ?1",
        )?
        .execute((key.0, Counted::Withheld.number(), stored_ms(at_ms), text))?;
        changes.add(at_ms, dead.group, dead.counted, -1);
        changes.add(at_ms, dead.group, Counted::Withheld, 1);
        done.dropped += 1;
    }
    changes.write(conn)?;
    Ok(done)
}
