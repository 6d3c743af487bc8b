//! Retention: bodies of events that are final since long, and old requests, in small steps between
//! the commits of others.

use rusqlite::{Connection, OptionalExtension as _};

use super::erase::{self, Run};
use super::mark;
use super::reject;
use super::row::stored_ms;
use super::tally::Counted;
use crate::journal::Retention;
use crate::types::EventKey;

/// How many events one step looks at.
const EVENTS_PER_STEP: usize = 2_000;

/// Free pages that are left for new rows; only more than that goes back to the disk.
pub(super) const FREE_PAGES_KEPT: i64 = 4_096;

/// Pages that one step gives back. Tests have fewer and mean to take several steps.
const PAGES_PER_STEP: i64 = if cfg!(test) { 32 } else { 512 };

/// Every event before it has no row of a body any more. Kept in the file.
const SWEPT: &str = "swept";

/// No free page holds anything that was deleted. Kept in the file; those of earlier versions have none.
const CLEAN: &str = "clean";

/// Records of requests and of rejected events are kept for so long where bodies go at once, in milliseconds:
/// 7 days. They tell why an event died, and hold nothing of its body.
const RECORDS_KEPT_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

/// Where a sweep is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sweep {
    retention: Retention,
    /// The next event to look at; `None` until the mark was read.
    next: Option<i64>,
    run: Run,
    /// The first event whose body, or whose overwritten row, was left between others: a later sweep has to
    /// look at it again.
    left: Option<i64>,
    /// Bodies that were deleted.
    pub(super) deleted: u64,
    pub(super) is_done: bool,
}

impl Sweep {
    pub(super) fn new(retention: Retention) -> Self {
        Self {
            retention,
            next: None,
            run: Run::first(),
            left: None,
            deleted: 0,
            is_done: false,
        }
    }

    /// Whether the body of an event may go.
    fn is_over(&self, event: &Row) -> bool {
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
        let is_blank = conn
            .prepare_cached(concat!(
                "SELECT ",
                erase::blank!(),
                " FROM body WHERE id = ?1"
            ))?
            .query_row([event.id], |row| row.get::<_, bool>(0))
            .optional()?;
        let Some(is_blank) = is_blank else {
            return Ok(());
        };
        if !is_blank {
            erase::overwrite(conn, EventKey(event.id))?;
            self.deleted += 1;
        }
        self.run.add(event.id, event.bytes);
        let mut delete = conn.prepare_cached("DELETE FROM body WHERE id = ?1")?;
        while let Some(id) = self.run.next_removable() {
            delete.execute([id])?;
        }
        Ok(())
    }

    /// Leaves the body of an event where it is.
    fn keep(&mut self, event: &Row) {
        let first = self.run.first_pending().unwrap_or(event.id);
        self.left.get_or_insert(first);
        self.run.end();
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
}

/// Takes one step.
pub(super) fn step(conn: &Connection, mut sweep: Sweep) -> rusqlite::Result<Sweep> {
    let from = match sweep.next {
        Some(next) => next,
        None => mark::read(conn, SWEPT)?.unwrap_or(1),
    };
    let mut select = conn.prepare_cached(
        "SELECT e.id, e.accepted_ms, e.expires_s, e.bytes, o.state, o.at_ms
         FROM event e LEFT JOIN outcome o ON o.event = e.id
         WHERE e.id >= ?1 ORDER BY e.id LIMIT ?2",
    )?;
    let mut rows = select.query((from, EVENTS_PER_STEP))?;
    let mut next = from;
    let (mut seen, mut has_old) = (0, false);
    while let Some(row) = rows.next()? {
        let state: Option<i64> = row.get(4)?;
        let event = Row {
            id: row.get(0)?,
            accepted_ms: row.get(1)?,
            expires_s: row.get(2)?,
            bytes: row.get(3)?,
            finished: state.zip(row.get(5)?),
        };
        (next, seen) = (event.id + 1, seen + 1);
        // What came later cannot have been final before: a whole step of such events is the end.
        has_old |= sweep.is_old(&event);
        if sweep.is_over(&event) {
            sweep.erase(conn, &event)?;
        } else {
            sweep.keep(&event);
        }
    }
    drop(rows);
    let swept = sweep.left.or(sweep.run.first_pending()).unwrap_or(next);
    if swept > from {
        mark::save(conn, SWEPT, swept)?;
    }
    sweep.next = Some(next);
    if seen < EVENTS_PER_STEP || !has_old {
        let since_ms = stored_ms(sweep.records_since_ms());
        sweep.is_done = reject::sweep(conn, since_ms, EVENTS_PER_STEP)? < EVENTS_PER_STEP;
        conn.prepare_cached(
            "DELETE FROM request WHERE id < coalesce(
                 (SELECT id FROM request WHERE sent_ms >= ?1 ORDER BY id LIMIT 1),
                 (SELECT max(id) FROM request))",
        )?
        .execute([since_ms])?;
    }
    Ok(sweep)
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
