//! Retention: deletes bodies of events that became final before a moment, and old records, in small steps
//! between other commits.
//!
//! A sweep goes through the bodies that are there and not through the events, so events whose bodies are gone
//! cost nothing, however long a single one before them waits. It goes round rows that cannot be read, and says so
//! at its end.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::erase::{self, Run};
use super::hole::{self, Hole};
use super::index;
use super::mark;
use super::reject;
use super::row::stored_ms;
use super::tally::Counted;
use crate::error::JournalError;
use crate::journal::Retention;
use crate::types::EventKey;

/// Bodies that one step looks at. Tests have fewer and mean to take several steps.
pub(super) const BODIES_PER_STEP: usize = if cfg!(test) { 500 } else { 2_000 };

/// Free pages that are left for new rows; only more than that goes back to the disk.
pub(super) const FREE_PAGES_KEPT: i64 = 4_096;

/// Pages that one step gives back. Tests have fewer and mean to take several steps.
const PAGES_PER_STEP: i64 = if cfg!(test) { 32 } else { 512 };

/// No free page holds anything that was deleted. Kept in the file; those of earlier versions have none.
const CLEAN: &str = "clean";

/// How long records of requests and of rejected events are kept where bodies go at once, in milliseconds: 7 days.
/// They tell why an event died, and hold nothing of its body.
const RECORDS_KEPT_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

/// What a sweep deletes from, in this order. Each has commits of its own, so that damage to one keeps nothing in
/// the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Bodies,
    /// Bodies that events were amended with.
    Amendments,
    Rejections,
    Requests,
    Over,
}

/// Where a sweep is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sweep {
    retention: Retention,
    part: Part,
    /// The next event to look at.
    next: i64,
    run: Run,
    /// What the next step has to go round.
    hole: Option<Hole>,
    /// The first that could not be read.
    damage: Option<String>,
    /// Bodies that were deleted.
    pub(super) deleted: u64,
}

impl Sweep {
    pub(super) fn new(retention: Retention) -> Self {
        Self {
            retention,
            part: Part::Bodies,
            next: 0,
            run: Run::first(),
            hole: None,
            damage: None,
            deleted: 0,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.part == Part::Over
    }

    /// What it came to: how many bodies were deleted, or what could not be read and is still there.
    pub(super) fn result(self) -> Result<u64, JournalError> {
        self.damage.map_or(Ok(self.deleted), |damage| {
            Err(JournalError::Damaged(damage))
        })
    }

    /// The same step for another attempt, after one that met damage. Reads outside of a transaction: one that has met
    /// a damaged page cannot write any more. `None` if nothing is found to go round. Events have keys before `end`.
    pub(super) fn around(&self, conn: &Connection, end: i64) -> rusqlite::Result<Option<Self>> {
        let mut again = self.clone();
        let damage = match self.part {
            Part::Bodies | Part::Amendments if self.hole.is_none() => {
                let each = |from, limit, each: &mut dyn FnMut(Row)| {
                    each_body(conn, self.part, from, limit, each)
                };
                let Some(hole) = hole::find((self.next, end), BODIES_PER_STEP, each, |row| row.id)?
                else {
                    return Ok(None);
                };
                let damage = format!("{hole} cannot be read, and their bodies were not deleted");
                again.hole = Some(hole);
                damage
            }
            Part::Bodies | Part::Amendments | Part::Over => return Ok(None),
            Part::Rejections => {
                again.part = Part::Requests;
                "records of rejected events cannot be read, and old ones were not deleted"
                    .to_owned()
            }
            Part::Requests => {
                again.part = Part::Over;
                "records of requests cannot be read, and old ones were not deleted".to_owned()
            }
        };
        again.damage.get_or_insert(damage);
        Ok(Some(again))
    }

    /// Whether the body of an event may go.
    fn may_go(&self, event: &Row) -> bool {
        let Some((state, at_ms)) = event.finished else {
            return false;
        };
        match self.retention {
            Retention::FinishedSince(since_ms) => at_ms < stored_ms(since_ms),
            Retention::Needed { now_ms } => {
                state == Counted::Delivered.number() || event.expires_s < stored_ms(now_ms) / 1_000
            }
        }
    }

    /// Requests and rejected events since then are kept.
    fn records_since_ms(&self) -> u64 {
        match self.retention {
            Retention::FinishedSince(since_ms) => since_ms,
            Retention::Needed { now_ms } => now_ms.saturating_sub(RECORDS_KEPT_MS),
        }
    }

    /// Whether an event came so early that it can be over. A single one may be a clock's mistake.
    fn is_old(&self, event: &Row) -> bool {
        match self.retention {
            Retention::FinishedSince(since_ms) => event.accepted_ms < stored_ms(since_ms),
            Retention::Needed { .. } => true,
        }
    }

    /// Overwrites the body of an event that is over, and deletes rows that may go by now.
    fn erase(&mut self, conn: &Connection, event: &Row) -> rusqlite::Result<()> {
        if !event.is_blank {
            erase::overwrite(conn, EventKey(event.id))?;
            self.deleted += 1;
        }
        if self.part == Part::Amendments {
            // The row tells what is known of the event, and stays as long as the event's.
            return Ok(());
        }
        self.run.add(event.id, event.bytes);
        let mut delete = conn.prepare_cached("DELETE FROM body WHERE id = ?1")?;
        while let Some(id) = self.run.next_removable() {
            delete.execute([id])?;
        }
        Ok(())
    }
}

/// What a sweep looks at.
struct Row {
    id: i64,
    accepted_ms: i64,
    expires_s: i64,
    bytes: u64,
    /// Its final state, and since when.
    finished: Option<(i64, i64)>,
    /// The body was overwritten by an earlier sweep, but was too near to one that is kept to be deleted.
    is_blank: bool,
}

/// The bodies that are there. The outer loop is that over `body`, whatever SQLite thinks of it. That of an amended event
/// is blank: its expiry is that of [`AMENDED`], and does not matter here.
const BODIES: &str = concat!(
    "SELECT e.id, e.accepted_ms, e.expires_s, e.bytes, o.state, o.at_ms, ",
    erase::blank!(),
    " FROM body b CROSS JOIN event e ON e.id = b.id LEFT JOIN outcome o ON o.event = b.id
      WHERE b.id >= ?1 ORDER BY b.id LIMIT ?2"
);

/// Those that events were amended with and that are not blank. By an index, because all rows stay.
const AMENDED: &str = "SELECT e.id, e.accepted_ms, a.expires_s, a.bytes, o.state, o.at_ms, 0
      FROM amendment a INDEXED BY amendment_live CROSS JOIN event e ON e.id = a.event
           LEFT JOIN outcome o ON o.event = a.event
      WHERE a.live = 1 AND a.event >= ?1 ORDER BY a.event LIMIT ?2";

/// Calls `each` with up to `limit` bodies of this part from this key on, in order of their keys.
fn each_body(
    conn: &Connection,
    part: Part,
    from: i64,
    limit: usize,
    each: &mut dyn FnMut(Row),
) -> rusqlite::Result<()> {
    let sql = if part == Part::Amendments {
        AMENDED
    } else {
        BODIES
    };
    let mut select = conn.prepare_cached(sql)?;
    let rows = select.query_map((from, limit), |row| {
        let state: Option<i64> = row.get(4)?;
        Ok(Row {
            id: row.get(0)?,
            accepted_ms: row.get(1)?,
            expires_s: row.get(2)?,
            bytes: row.get(3)?,
            finished: state.zip(row.get(5)?),
            is_blank: row.get(6)?,
        })
    })?;
    for row in rows {
        each(row?);
    }
    Ok(())
}

/// Takes one step.
pub(super) fn step(conn: &Connection, mut sweep: Sweep) -> rusqlite::Result<Sweep> {
    let since_ms = stored_ms(sweep.records_since_ms());
    match sweep.part {
        Part::Bodies | Part::Amendments => step_of_bodies(conn, &mut sweep)?,
        Part::Rejections => {
            if reject::sweep(conn, since_ms, BODIES_PER_STEP)? < BODIES_PER_STEP {
                sweep.part = Part::Requests;
            }
        }
        Part::Requests => {
            conn.prepare_cached(
                "DELETE FROM request WHERE id < coalesce(
                     (SELECT id FROM request WHERE sent_ms >= ?1 ORDER BY id LIMIT 1),
                     (SELECT max(id) FROM request))",
            )?
            .execute([since_ms])?;
            sweep.part = Part::Over;
        }
        Part::Over => {}
    }
    Ok(sweep)
}

fn step_of_bodies(conn: &Connection, sweep: &mut Sweep) -> rusqlite::Result<()> {
    let hole = sweep.hole.take();
    let limit = hole
        .as_ref()
        .map_or(BODIES_PER_STEP, |hole| hole.rows_before);
    let (mut bodies, mut erased) = (Vec::new(), BTreeSet::new());
    let part = sweep.part;
    each_body(conn, part, sweep.next, limit, &mut |event| {
        bodies.push(event);
    })?;
    for event in &bodies {
        sweep.next = event.id + 1;
        if sweep.may_go(event) {
            sweep.erase(conn, event)?;
            erased.insert(index::segment_of(event.id));
        } else {
            sweep.run.end();
        }
    }
    index::forget_persons(conn, &erased)?;
    // What came later cannot have been final before: a whole step of such events is the end.
    let has_old = bodies.iter().any(|event| sweep.is_old(event));
    let next = match hole {
        Some(hole) => {
            // What cannot be read is kept, and nothing near it may be moved.
            sweep.run.end();
            hole.until
        }
        None => (bodies.len() == BODIES_PER_STEP && has_old).then_some(sweep.next),
    };
    match next {
        Some(next) => sweep.next = next,
        None if part == Part::Bodies => (sweep.part, sweep.next) = (Part::Amendments, 0),
        None => sweep.part = Part::Rejections,
    }
    Ok(())
}

/// Gives pages back to the disk when more than `kept` and a quarter of all are free. Outside a transaction of others.
pub(super) fn shrink(conn: &Connection, kept: i64) -> rusqlite::Result<()> {
    let all = number(conn, "PRAGMA page_count")?;
    if free_pages(conn)? > kept.max(all / 4) {
        give_back_pages(conn)?;
    }
    Ok(())
}

/// Takes one step towards a file whose free pages hold nothing that was deleted: gives them back. Whether
/// there are none any more, now or since long; from then on they are overwritten when they become free.
pub(super) fn clean(conn: &Connection) -> rusqlite::Result<bool> {
    if mark::read(conn, CLEAN)?.is_some() {
        return Ok(true);
    }
    if free_pages(conn)? == 0 {
        mark::save(conn, CLEAN, 1)?;
        return Ok(true);
    }
    give_back_pages(conn)?;
    Ok(false)
}

fn number(conn: &Connection, sql: &str) -> rusqlite::Result<i64> {
    conn.prepare_cached(sql)?.query_row([], |row| row.get(0))
}

fn free_pages(conn: &Connection) -> rusqlite::Result<i64> {
    number(conn, "PRAGMA freelist_count")
}

fn give_back_pages(conn: &Connection) -> rusqlite::Result<()> {
    let mut statement = conn.prepare(&format!("PRAGMA incremental_vacuum({PAGES_PER_STEP})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}
