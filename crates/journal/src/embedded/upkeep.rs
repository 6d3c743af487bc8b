//! What the writer does now and then: hear of events that another process dropped or made wait again, try a
//! failing disk anew, keep the write-ahead log short.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use rusqlite::hooks::Wal;
use rusqlite::{Connection, Row, TransactionBehavior};
use sluice_event::DatasetId;

use super::copier::{self, Copier};
use super::lane::Lane;
use super::lease::unless_damaged;
use super::low_water::{self, LowWater};
use super::queue::Slot;
use super::writer::{LaneTerms, State, Writer};
use super::{schema, start, sweep};
use crate::JournalError;
use crate::types::{EventKey, LaneId, TestCode};

/// A log longer than this is emptied even while there is work. A reader at the wrong moment keeps
/// SQLite from starting it over, which many short ones can do for a long time.
const WAL_BYTES_MAX: u64 = 64 << 20;

/// So many new pages of the log are copied into the file, 16 MB: more would make the file grow in
/// bursts, fewer would copy busy pages again and again. Tests write less and mean to meet it.
const COPIED_PAGES: i32 = if cfg!(test) { 200 } else { 1_000 };

/// So many are few enough for the writer to copy them itself.
const LAST_PAGES: i32 = COPIED_PAGES / 16;

/// So many times the copier tries to get there. Then the writer copies what is left, however much it is:
/// this is what keeps the log short when events come faster than they can be copied.
const COPIES_MAX: u32 = 3;

/// After so many looks without a commit the log is emptied, so that a copy of the file is whole.
const IDLE_LOOKS: u32 = 3;

/// After so many looks since something was deleted the log is emptied as well: it still holds pages as they
/// were before.
pub(super) const SCRUB_LOOKS: u32 = 10;

/// How long emptying the log may wait for readers.
const WAL_PATIENCE: Duration = Duration::from_millis(50);

/// Replays that are read at once.
const REPLAYS_PER_READ: usize = 10_000;

/// A failing disk is tried with so many bytes.
const PROBE_BYTES: i64 = 256 << 10;

/// What the looks remember.
pub(super) struct Upkeep {
    copier: Copier,
    /// Changes when another connection committed; not known before the first look.
    data_version: Option<i64>,
    commits: u64,
    idle_looks: u32,
    /// Looks since something was deleted that may still be in the log.
    unclean_looks: Option<u32>,
    /// Whether the free pages of the file are known to hold nothing that was deleted.
    has_clean_pages: bool,
    /// Pages in the log, as the last commit says.
    wal_pages: Arc<AtomicI32>,
    /// How many of them are in the file already.
    copied_pages: i32,
    /// How often the copier has copied since the log was started over.
    copies: u32,
}

impl Upkeep {
    /// Listens to the commits of a connection.
    pub(super) fn of(conn: &mut Connection, copier: Copier) -> rusqlite::Result<Self> {
        let wal_pages = Arc::<AtomicI32>::default();
        let noted = Arc::clone(&wal_pages);
        conn.wal_hook(Some(move |_: &mut Wal, pages| {
            noted.store(pages, Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self {
            copier,
            data_version: None,
            commits: 0,
            idle_looks: 0,
            // The log may be that of a process that was killed.
            unclean_looks: Some(0),
            has_clean_pages: false,
            wal_pages,
            copied_pages: 0,
            copies: 0,
        })
    }

    /// Notes that something was deleted.
    pub(super) fn deleted(&mut self) {
        self.unclean_looks.get_or_insert(0);
    }

    fn new_pages(&mut self) -> i32 {
        let pages = self.wal_pages.load(Ordering::Relaxed);
        if pages < self.copied_pages {
            // SQLite started the log over.
            self.copied_pages = 0;
        }
        pages - self.copied_pages
    }
}

fn data_version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.prepare_cached("PRAGMA data_version")?
        .query_row([], |row| row.get(0))
}

impl Writer {
    /// Looks around. What fails is tried again at the next look.
    pub(super) fn look_around(&mut self) {
        // In files that went away there is nothing to tidy.
        if self.state.shared.place.check().is_ok()
            && let Err(error) = self.try_look()
        {
            self.state.shared.note(Some(JournalError::from(error)));
        }
    }

    fn try_look(&mut self) -> rusqlite::Result<()> {
        // Rows and counts of one and the same moment.
        let transaction = self.conn.unchecked_transaction()?;
        let has_news = follow_others(&transaction, &mut self.state, &mut self.upkeep)?;
        transaction.commit()?;
        if has_news {
            self.check_books();
        }
        if self.state.shared.failing().is_some() {
            probe(&self.conn)?;
            self.state.shared.note(None);
        }
        self.tidy_wal()?;
        self.tidy_pages()
    }

    /// Has the log copied into the file when there is enough of it. Comes after the answers: what is in
    /// the log is on disk already. SQLite then starts the log over, unless a reader is in the way.
    pub(super) fn checkpoint(&mut self) {
        let upkeep = &mut self.upkeep;
        if let Some(copied) = upkeep.copier.finished() {
            upkeep.copied_pages = copied;
            upkeep.copies += 1;
        }
        if upkeep.copier.is_busy() {
            return;
        }
        let new_pages = upkeep.new_pages();
        let is_close = upkeep.copies > 0 && new_pages <= LAST_PAGES;
        if is_close || upkeep.copies == COPIES_MAX {
            upkeep.copies = 0;
            upkeep.copied_pages = copier::copy(&self.conn).unwrap_or(upkeep.copied_pages);
        } else if upkeep.copies > 0 || new_pages >= COPIED_PAGES {
            upkeep.copier.begin();
        }
    }

    /// Whether the log is being copied into the file.
    #[cfg(test)]
    pub(super) fn is_copying(&self) -> bool {
        self.upkeep.copier.is_busy()
    }

    fn tidy_wal(&mut self) -> rusqlite::Result<()> {
        let shared = &self.state.shared;
        let commits = shared.commits.load(Ordering::Relaxed);
        let is_idle = commits == self.upkeep.commits;
        self.upkeep.commits = commits;
        self.upkeep.idle_looks = if is_idle {
            self.upkeep.idle_looks.saturating_add(1)
        } else {
            0
        };
        if let Some(looks) = &mut self.upkeep.unclean_looks {
            *looks = looks.saturating_add(1);
        }
        let unclean_looks = self.upkeep.unclean_looks;
        let is_unclean = unclean_looks.is_some_and(|looks| looks >= SCRUB_LOOKS);
        let bytes = bytes_of(&schema::wal_path(&shared.path));
        let is_due = is_unclean || self.upkeep.idle_looks == IDLE_LOOKS;
        if (bytes > WAL_BYTES_MAX || (bytes > 0 && is_due)) && !truncate_wal(&mut self.conn)? {
            // A reader is in the way; the next look tries again.
            return Ok(());
        }
        if is_due {
            self.upkeep.unclean_looks = None;
        }
        Ok(())
    }

    /// Gives free pages back to the disk: many of them at any time, and once all of those that an earlier
    /// version left, which did not overwrite what it deleted.
    fn tidy_pages(&mut self) -> rusqlite::Result<()> {
        if self.upkeep.has_clean_pages {
            return sweep::shrink(&self.conn, sweep::FREE_PAGES_KEPT);
        }
        self.upkeep.has_clean_pages = sweep::clean(&self.conn)?;
        if !self.upkeep.has_clean_pages {
            self.upkeep.deleted();
        }
        Ok(())
    }
}

/// The size of a file; 0 if there is none.
pub(super) fn bytes_of(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

/// Copies the log into the file and empties it, unless readers are in the way. Whether it did.
pub(super) fn truncate_wal(conn: &mut Connection) -> rusqlite::Result<bool> {
    conn.busy_timeout(WAL_PATIENCE)?;
    let is_busy = |row: &rusqlite::Row<'_>| row.get::<_, bool>(0);
    let result = conn
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], is_busy)
        .map(|is_busy| !is_busy);
    schema::be_patient(conn)?;
    result
}

/// Leaves the file as small and as quick to open as it can be. Nothing here is needed for what was promised:
/// the file is whole without it.
pub(super) fn tidy(conn: &mut Connection, state: &State) -> Result<(), JournalError> {
    if let Err(displaced) = state.shared.place.check() {
        schema::leave_log(conn)?;
        return Err(displaced);
    }
    let marked = save_last_mark(conn, state);
    let truncated = truncate_wal(conn);
    Ok(marked.and(truncated).map(drop)?)
}

/// In a transaction that begins with the right to write: another process may be sending an event again.
fn save_last_mark(conn: &mut Connection, state: &State) -> rusqlite::Result<()> {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let end = EventKey(state.next_event);
    let low_water = LowWater::of(&state.shared.lanes, end, low_water::NAMED_AT_CLOSE_MAX);
    low_water.save(&transaction, state.seen_replay)?;
    transaction.commit()
}

/// Writes some bytes and deletes them, to see whether there is room again.
fn probe(conn: &Connection) -> rusqlite::Result<()> {
    conn.prepare_cached(
        "INSERT OR REPLACE INTO mark (name, value) VALUES ('probe', zeroblob(?1))",
    )?
    .execute([PROBE_BYTES])?;
    conn.prepare_cached("DELETE FROM mark WHERE name = 'probe'")?
        .execute([])?;
    Ok(())
}

/// Hears of what another process did, in a transaction: events that a person dropped, and that were sent again.
/// Says whether there was anything.
pub(super) fn follow_others(
    conn: &Connection,
    state: &mut State,
    upkeep: &mut Upkeep,
) -> rusqlite::Result<bool> {
    let version = Some(data_version(conn)?);
    if version == upkeep.data_version {
        return Ok(false);
    }
    // Drops first: one that was sent again since joins the queue anew.
    pick_up_drops(conn, state)?;
    pick_up_replays(conn, state)?;
    start::load_tally(conn, state)?;
    upkeep.data_version = version;
    // What the other one did may have been to delete.
    upkeep.deleted();
    Ok(true)
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
            // A damaged row must not keep the others from being heard of, nor a failing disk from being tried.
            if let Some(waiting) = unless_damaged(read_waiting(conn, *key, true))? {
                let lane = waiting.lane(state);
                if let Some(lane) = lane
                    && !lane.contains(*key)
                {
                    lane.push([waiting.slot]);
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

/// An event as its row says, for the queue.
pub(super) struct WaitingRow {
    pub(super) slot: Slot,
    pub(super) lane: LaneTerms,
}

impl WaitingRow {
    /// Reads `accepted_ms, expires_s, bytes, dataset, test_code`, from this column on. Times and sizes that are
    /// damaged are taken for 0: then the event is first in its lane, which finds out and withholds it.
    pub(super) fn read(
        row: &Row<'_>,
        key: EventKey,
        column: usize,
        is_replay: bool,
    ) -> rusqlite::Result<Self> {
        Ok(Self {
            slot: Slot::new(
                key,
                row.get(column).unwrap_or_default(),
                row.get(column + 1).unwrap_or_default(),
                row.get(column + 2).unwrap_or_default(),
            ),
            lane: LaneTerms {
                dataset: row.get(column + 3)?,
                test_code: row.get(column + 4)?,
                is_replay,
            },
        })
    }

    /// Its lane; `None` if the row names none, which only a damaged file does.
    pub(super) fn lane(&self, state: &mut State) -> Option<Arc<Lane>> {
        let texts = state.terms.texts();
        let terms = self.lane;
        let dataset = DatasetId::parse(&texts.get(terms.dataset)).ok()?;
        let test_code = terms
            .test_code
            .map(|term| TestCode::parse(&texts.get(term)));
        let test_code = test_code.transpose().ok()?;
        Some(state.lane(terms, || LaneId {
            dataset,
            test_code,
            is_replay: terms.is_replay,
        }))
    }
}

/// The row of an event; none if it is final.
pub(super) fn read_waiting(
    conn: &Connection,
    key: EventKey,
    is_replay: bool,
) -> rusqlite::Result<WaitingRow> {
    conn.prepare_cached(
        "SELECT accepted_ms, expires_s, bytes, dataset, test_code FROM event
         WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM outcome WHERE event = ?1)",
    )?
    .query_row([key.0], |row| WaitingRow::read(row, key, 0, is_replay))
}
