//! Where the start begins to look for waiting events: from a mark on, and at a few named ones before it.
//!
//! Without names, one event that waits for months would make every start read all rows since. Whatever waits
//! is named, or is not before the mark; what is named may be final by now.

use rusqlite::Connection;

use super::lane::Lanes;
use super::mark;
use crate::types::EventKey;

/// Events that are named beside other work: they are written again each time.
pub(super) const NAMED_MAX: usize = if cfg!(test) { 5 } else { 1_000 };

/// Events that are named when the journal is closed, about a tenth of a second's work.
pub(super) const NAMED_AT_CLOSE_MAX: usize = 100_000;

/// The mark's name in the file.
const NAME: &str = "low_water";

/// What a start needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LowWater {
    /// Every event before it is final, or named.
    pub(super) from: EventKey,
    /// In order.
    pub(super) named: Vec<EventKey>,
}

impl LowWater {
    /// Names up to `named_max` of the events that wait; the mark is at the first of the others, or at `end`.
    pub(super) fn of(lanes: &Lanes, end: EventKey, named_max: usize) -> Self {
        let mut named = lanes.first_keys(named_max.saturating_add(1));
        let from = named.get(named_max).copied().unwrap_or(end);
        named.truncate(named_max);
        Self { from, named }
    }

    /// Reads it; a journal without a mark is looked at from its beginning. One statement reads both parts, as of one
    /// moment: what leaves the names may be behind the mark from then on.
    pub(super) fn load(conn: &Connection) -> rusqlite::Result<Self> {
        let mut both = conn.prepare_cached(
            "SELECT value, 1 FROM mark WHERE name = ?1
             UNION ALL SELECT event, 0 FROM straggler ORDER BY 1",
        )?;
        let mut rows = both.query([NAME])?;
        let mut low_water = Self {
            from: EventKey(1),
            named: Vec::new(),
        };
        while let Some(row) = rows.next()? {
            let key = EventKey(row.get(0)?);
            if row.get(1)? {
                low_water.from = key;
            } else {
                low_water.named.push(key);
            }
        }
        Ok(low_water)
    }

    /// Writes it, within a transaction. Another process that sends an event again lowers the mark in its
    /// own; a replay that this one has not seen yet keeps everything as it is. Returns whether it was written.
    pub(super) fn save(&self, conn: &Connection, seen_replay: i64) -> rusqlite::Result<bool> {
        let newest = conn
            .prepare_cached("SELECT coalesce(max(seq), 0) FROM replay")?
            .query_row([], |row| row.get::<_, i64>(0))?;
        if newest != seen_replay {
            return Ok(false);
        }
        conn.prepare_cached("DELETE FROM straggler")?.execute([])?;
        let mut insert = conn.prepare_cached("INSERT INTO straggler (event) VALUES (?1)")?;
        for key in &self.named {
            insert.execute([key.0])?;
        }
        mark::save(conn, NAME, self.from.0)?;
        Ok(true)
    }

    /// Whether a start finds this event, if it waits.
    pub(super) fn finds(&self, key: EventKey) -> bool {
        key >= self.from || self.named.binary_search(&key).is_ok()
    }
}

/// Sees to it that a start looks from this event on.
pub(super) fn lower(conn: &Connection, first: EventKey) -> rusqlite::Result<()> {
    conn.prepare_cached("UPDATE mark SET value = min(value, ?2) WHERE name = ?1")?
        .execute((NAME, first.0))
        .map(drop)
}
