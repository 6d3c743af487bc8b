//! Retention: bodies of events that are final since long, and old requests, in small steps between
//! the commits of others.

use rusqlite::{Connection, OptionalExtension as _};

use super::append::stored_ms;

/// How many events one step looks at.
const EVENTS_PER_STEP: usize = 2_000;

/// Free pages that are left for new rows; only more than that goes back to the disk.
pub(super) const FREE_PAGES_KEPT: i64 = 4_096;

/// Pages that one step gives back.
const PAGES_PER_STEP: i64 = 512;

/// Every event before it has no body any more. Kept in the file.
const SWEPT: &str = "swept";

/// Where a sweep is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sweep {
    before_ms: u64,
    /// The next event to look at; `None` until the mark was read.
    next: Option<i64>,
    /// An event was left behind that a later sweep has to look at again.
    has_gap: bool,
    /// Bodies that were deleted.
    pub(super) deleted: u64,
    pub(super) is_done: bool,
}

impl Sweep {
    pub(super) fn new(before_ms: u64) -> Self {
        Self {
            before_ms,
            next: None,
            has_gap: false,
            deleted: 0,
            is_done: false,
        }
    }
}

/// Takes one step.
pub(super) fn step(conn: &Connection, mut sweep: Sweep) -> rusqlite::Result<Sweep> {
    let before_ms = stored_ms(sweep.before_ms);
    let from = match sweep.next {
        Some(next) => next,
        None => mark(conn)?.unwrap_or(1),
    };
    let mut select = conn.prepare_cached(
        "SELECT e.id, e.accepted_ms, o.at_ms FROM event e LEFT JOIN outcome o ON o.event = e.id
         WHERE e.id >= ?1 ORDER BY e.id LIMIT ?2",
    )?;
    let mut delete = conn.prepare_cached("DELETE FROM body WHERE id = ?1")?;
    let mut rows = select.query((from, EVENTS_PER_STEP))?;
    let mut next = from;
    let (mut seen, mut has_old) = (0, false);
    let mut mark = from;
    while let Some(row) = rows.next()? {
        let (id, accepted_ms, at_ms): (i64, i64, Option<i64>) =
            (row.get(0)?, row.get(1)?, row.get(2)?);
        (next, seen) = (id + 1, seen + 1);
        // What came later cannot have been final before. A whole step of such events is the end: a
        // single one may be a clock's mistake.
        has_old |= accepted_ms < before_ms;
        if at_ms.is_some_and(|at_ms| at_ms < before_ms) {
            sweep.deleted += u64::try_from(delete.execute([id])?).unwrap_or_default();
        } else {
            sweep.has_gap = true;
        }
        if !sweep.has_gap {
            mark = next;
        }
    }
    drop(rows);
    if mark > from {
        save_mark(conn, mark)?;
    }
    sweep.next = Some(next);
    if seen < EVENTS_PER_STEP || !has_old {
        sweep.is_done = true;
        conn.prepare_cached(
            "DELETE FROM request WHERE id < coalesce(
                 (SELECT id FROM request WHERE sent_ms >= ?1 ORDER BY id LIMIT 1),
                 (SELECT max(id) FROM request))",
        )?
        .execute([before_ms])?;
    }
    Ok(sweep)
}

fn mark(conn: &Connection) -> rusqlite::Result<Option<i64>> {
    conn.prepare_cached("SELECT value FROM mark WHERE name = ?1")?
        .query_row([SWEPT], |row| row.get(0))
        .optional()
}

fn save_mark(conn: &Connection, mark: i64) -> rusqlite::Result<()> {
    conn.prepare_cached("INSERT OR REPLACE INTO mark (name, value) VALUES (?1, ?2)")?
        .execute((SWEPT, mark))
        .map(drop)
}

/// Gives pages back to the disk when more than `kept` and a quarter of all are free. Outside a transaction of others.
pub(super) fn shrink(conn: &Connection, kept: i64) -> rusqlite::Result<()> {
    let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0));
    let free = number("PRAGMA freelist_count")?;
    let all = number("PRAGMA page_count")?;
    if free > kept.max(all / 4) {
        let mut statement =
            conn.prepare(&format!("PRAGMA incremental_vacuum({PAGES_PER_STEP})"))?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
    }
    Ok(())
}
