//! Looking for damage: the whole file, every index, every body.

use rusqlite::{CachedStatement, Connection};

use super::body::is_whole;
use super::erase::is_blank;
use super::ledger::Books;
use crate::error::JournalError;
use crate::types::EventKey;

impl Books {
    /// Checks the whole file, every index and every body, and says what is damaged. Takes minutes on a
    /// large one.
    ///
    /// # Errors
    ///
    /// Only what keeps it from looking: damage is no error here.
    pub fn check(&self) -> Result<Vec<String>, JournalError> {
        let mut problems = Vec::new();
        let said = structure(&self.conn, &mut problems);
        found(said, &mut problems, |detail| {
            format!("the file's structure cannot be read further: {detail}")
        })?;
        for (what, page) in [
            ("bodies after event", BODIES),
            ("amendments after number", AMENDED),
        ] {
            let mut last = 0;
            let said = bodies(&self.conn, page, &mut last, &mut problems);
            found(said, &mut problems, |detail| {
                format!("{what} {last} cannot be read: {detail}")
            })?;
        }
        Ok(problems)
    }
}

/// Damage that ends a search is a find.
fn found(
    search: rusqlite::Result<()>,
    problems: &mut Vec<String>,
    problem: impl FnOnce(String) -> String,
) -> Result<(), JournalError> {
    match search.map_err(JournalError::from) {
        Err(JournalError::Damaged(detail)) => problems.push(problem(detail)),
        other => other?,
    }
    Ok(())
}

/// What SQLite finds: pages, indexes, and values that their columns do not allow.
fn structure(conn: &Connection, problems: &mut Vec<String>) -> rusqlite::Result<()> {
    let mut statement = conn.prepare("PRAGMA integrity_check(100)")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let said: String = row.get(0)?;
        // A heading comes with the first of them: "*** in database main ***".
        let lines = said
            .lines()
            .filter(|line| *line != "ok" && !line.starts_with("***"));
        problems.extend(lines.map(str::to_owned));
    }
    Ok(())
}

/// Bodies as their events came. A page at a time: a long read keeps a running gateway's log from being started over.
const BODIES: &str =
    "SELECT id, id, crc, coalesce(sealed, json) FROM body WHERE id > ?1 ORDER BY id LIMIT 1000";

/// Those that events were amended with, likewise.
const AMENDED: &str = "SELECT id, event, crc, coalesce(sealed, json) FROM amendment
    WHERE id > ?1 ORDER BY id LIMIT 1000";

/// Every body of a table against its checksum. `last` is the last row that could be read.
fn bodies(
    conn: &Connection,
    page: &str,
    last: &mut i64,
    problems: &mut Vec<String>,
) -> rusqlite::Result<()> {
    let mut page = conn.prepare_cached(page)?;
    while bodies_of_page(&mut page, last, problems)? {}
    Ok(())
}

/// Whether there was one.
fn bodies_of_page(
    page: &mut CachedStatement<'_>,
    last: &mut i64,
    problems: &mut Vec<String>,
) -> rusqlite::Result<bool> {
    let before = *last;
    let mut rows = page.query([before])?;
    while let Some(row) = rows.next()? {
        *last = row.get(0)?;
        let event = EventKey(row.get(1)?);
        let json = row.get_ref(3)?.as_bytes().unwrap_or_default();
        let crc = row.get_ref(2)?.as_i64().ok();
        if !is_blank(json) && !crc.is_some_and(|crc| is_whole(event, crc, json)) {
            problems.push(format!("the body of event {} is damaged", event.0));
        }
    }
    Ok(*last != before)
}
