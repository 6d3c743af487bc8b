//! Old events: their rows leave, and all that belongs to them, when they have been final for long; in small steps
//! between other commits.
//!
//! How many of them left, and in which state they were, is counted in the same transaction (`left_tally`), so that the
//! audit still balances. An event stays as long as
//!
//! - the window for copies remembers it, or it is the last one, whose key must never be given again;
//! - the row of its body is there, blank or not: what goes when is for [`sweep`](super::sweep) to say;
//! - it was amended, and a body that is kept is so near that deleting its rows could move it.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, Row};

use super::hole;
use super::index;
use super::row::stored_ms;
use super::tally::{Counted, Group};
use crate::error::JournalError;

/// Rows that one step looks at. Tests have fewer and mean to take several steps.
pub(super) const ROWS_PER_STEP: usize = if cfg!(test) { 100 } else { 1_000 };

/// What is deleted from, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Events,
    /// Outcomes that events had before they were sent again.
    Replays,
    /// What was dropped by hand, for a gateway that runs.
    Drops,
    Over,
}

/// Where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Prune {
    before_ms: i64,
    part: Part,
    /// The next row to look at.
    next: i64,
    /// The first that could not be read.
    damage: Option<String>,
    /// Events that left.
    pub(super) left: u64,
}

impl Prune {
    /// Of events that became final before this time, in milliseconds since 1970.
    pub(super) fn new(before_ms: u64) -> Self {
        Self {
            before_ms: stored_ms(before_ms),
            part: Part::Events,
            next: 0,
            damage: None,
            left: 0,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.part == Part::Over
    }

    /// What it came to: how many events left, or what could not be read and is still there.
    pub(super) fn result(self) -> Result<u64, JournalError> {
        self.damage
            .map_or(Ok(self.left), |damage| Err(JournalError::Damaged(damage)))
    }

    /// The next step after one that met damage, which it leaves alone. Reads outside of a transaction: one that has met
    /// a damaged page cannot write any more. Events have keys before `end`.
    pub(super) fn around(&self, conn: &Connection, end: i64) -> rusqlite::Result<Option<Self>> {
        if self.part != Part::Events {
            return Ok(None);
        }
        let mut again = self.clone();
        let (until, damage) = self.beyond(conn, end)?;
        match until {
            Some(until) => again.next = until,
            None => again.go_on(),
        }
        again.damage.get_or_insert(damage);
        Ok(Some(again))
    }

    /// The first event after those that keep a step from being taken, if there is one; and what is said of them.
    fn beyond(&self, conn: &Connection, end: i64) -> rusqlite::Result<(Option<i64>, String)> {
        let each =
            |from, limit, each: &mut dyn FnMut(Event)| each_event(conn, (from, end), limit, each);
        let hole = hole::find((self.next, end), ROWS_PER_STEP, each, |event: &Event| {
            event.id
        })?;
        if let Some(hole) = hole {
            let damage = format!("{hole} cannot be read, and were not deleted");
            return Ok((hole.until, damage));
        }
        // All of them can be read, but not deleted: a page beside theirs is damaged.
        let mut last = None;
        each(self.next, ROWS_PER_STEP, &mut |event| last = Some(event.id))?;
        let damage = format!("rows of events from {} on were not deleted", self.next);
        Ok((last.map(|last| last + 1), damage))
    }

    fn go_on(&mut self) {
        self.next = 0;
        self.part = match self.part {
            // Rows that belong to events are read one by one, which is for nothing when none has left.
            Part::Events if self.left == 0 => Part::Over,
            Part::Events => Part::Replays,
            Part::Replays => Part::Drops,
            Part::Drops | Part::Over => Part::Over,
        };
    }

    fn may_go(&self, event: &Event) -> Option<Counted> {
        let (state, at_ms) = event.finished?;
        let counted = Counted::of(state).filter(|counted| counted.state().is_some())?;
        (at_ms < self.before_ms && !event.is_bound).then_some(counted)
    }
}

/// What is looked at.
struct Event {
    id: i64,
    accepted_ms: i64,
    group: Group,
    /// Its final state, and since when.
    finished: Option<(i64, i64)>,
    /// Its body, or one near a row of its amendments, is there.
    is_bound: bool,
}

/// A row of `amendment` has more than 200 bytes, and deleting one moves rows of at most three pages: none of those that
/// are further away than this.
const EVENTS: &str = "SELECT e.id, e.accepted_ms, e.dataset, e.source, e.name, o.state, o.at_ms,
        EXISTS (SELECT 1 FROM body WHERE body.id = e.id)
        OR EXISTS (SELECT 1 FROM amendment own
                   JOIN amendment near ON near.id BETWEEN own.id - 256 AND own.id + 256
                   WHERE own.event = e.id AND near.live = 1)
    FROM event e LEFT JOIN outcome o ON o.event = e.id
    WHERE e.id >= ?1 AND e.id < ?2 ORDER BY e.id LIMIT ?3";

fn each_event(
    conn: &Connection,
    (from, end): (i64, i64),
    limit: usize,
    each: &mut dyn FnMut(Event),
) -> rusqlite::Result<()> {
    let mut select = conn.prepare_cached(EVENTS)?;
    let event = |row: &Row<'_>| {
        let state: Option<i64> = row.get(5)?;
        Ok(Event {
            id: row.get(0)?,
            accepted_ms: row.get(1)?,
            group: Group::read(row, 2)?,
            finished: state.zip(row.get(6)?),
            is_bound: row.get(7)?,
        })
    };
    for row in select.query_map((from, end, limit), event)? {
        each(row?);
    }
    Ok(())
}

/// Takes one step. Events with the key `end` and later ones stay.
pub(super) fn step(conn: &Connection, mut prune: Prune, end: i64) -> rusqlite::Result<Prune> {
    match prune.part {
        Part::Events => step_of_events(conn, &mut prune, end)?,
        Part::Replays => step_of_records(conn, &mut prune, "replay")?,
        Part::Drops => step_of_records(conn, &mut prune, "dropped")?,
        Part::Over => {}
    }
    Ok(prune)
}

fn step_of_events(conn: &Connection, prune: &mut Prune, end: i64) -> rusqlite::Result<()> {
    let mut events = Vec::new();
    each_event(conn, (prune.next, end), ROWS_PER_STEP, &mut |event| {
        events.push(event);
    })?;
    let mut left = BTreeMap::<(Group, Counted), u64>::new();
    let mut segments = BTreeSet::new();
    for event in &events {
        if let Some(counted) = prune.may_go(event) {
            delete(conn, event.id)?;
            segments.insert(index::segment_of(event.id));
            *left.entry((event.group, counted)).or_default() += 1;
            prune.left += 1;
        }
    }
    count_left(conn, &left)?;
    for segment in segments {
        index::forget(conn, segment)?;
    }
    // What came later cannot have been final before: a whole step of such events is the end.
    let has_old = events
        .iter()
        .any(|event| event.accepted_ms < prune.before_ms);
    match events.last() {
        Some(last) if events.len() == ROWS_PER_STEP && has_old => prune.next = last.id + 1,
        _ => prune.go_on(),
    }
    Ok(())
}

/// Deletes an event and what belongs to it, but for records that have no key of the event.
fn delete(conn: &Connection, event: i64) -> rusqlite::Result<()> {
    for sql in [
        "DELETE FROM event WHERE id = ?1",
        "DELETE FROM outcome WHERE event = ?1",
        "DELETE FROM intent WHERE event = ?1",
        "DELETE FROM straggler WHERE event = ?1",
        "DELETE FROM amendment WHERE event = ?1",
    ] {
        conn.prepare_cached(sql)?.execute([event])?;
    }
    Ok(())
}

fn count_left(conn: &Connection, left: &BTreeMap<(Group, Counted), u64>) -> rusqlite::Result<()> {
    let mut statement = conn.prepare_cached(
        "INSERT INTO left_tally (dataset, source, name, state, count) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET count = count + excluded.count",
    )?;
    for ((group, counted), events) in left {
        let (dataset, source, name) = (group.dataset, group.source, group.name);
        statement.execute((dataset, source, name, counted.number(), events))?;
    }
    Ok(())
}

/// Deletes records of events that have left. The last one stays: its number is never used again.
fn step_of_records(conn: &Connection, prune: &mut Prune, table: &str) -> rusqlite::Result<()> {
    let mut select = conn.prepare_cached(&format!(
        "SELECT seq, EXISTS (SELECT 1 FROM event WHERE event.id = {table}.event) FROM {table}
         WHERE seq >= ?1 AND seq < (SELECT max(seq) FROM {table}) ORDER BY seq LIMIT ?2"
    ))?;
    let rows = select.query_map((prune.next, ROWS_PER_STEP), |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?))
    })?;
    let rows: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
    let mut delete = conn.prepare_cached(&format!("DELETE FROM {table} WHERE seq = ?1"))?;
    for (seq, _) in rows.iter().filter(|(_, has_event)| !has_event) {
        delete.execute([seq])?;
    }
    match rows.last() {
        Some((last, _)) if rows.len() == ROWS_PER_STEP => prune.next = last + 1,
        _ => prune.go_on(),
    }
    Ok(())
}
