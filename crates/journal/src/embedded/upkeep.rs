//! What the writer does now and then: follow what other processes wrote, try a failing disk anew, keep the
//! write-ahead log short.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use rusqlite::hooks::Wal;
use rusqlite::{Connection, TransactionBehavior};

use super::copier::{self, Copier};
use super::low_water::{self, LowWater};
use super::others::Others;
use super::shared::Shared;
use super::state::State;
use super::{schema, sweep};
use crate::error::JournalError;
use crate::types::EventKey;

/// A log longer than this is emptied even while there is work. A reader at the wrong moment keeps
/// SQLite from starting it over, which many short ones can do for a long time.
const WAL_BYTES_MAX: u64 = 64 << 20;

/// New pages of the log after which it is copied into the file: 16 MB. More would make the file grow in bursts,
/// fewer would copy busy pages again and again. Tests write less and mean to meet it.
const COPIED_PAGES: i32 = if cfg!(test) { 200 } else { 1_000 };

/// New pages of the log that are few enough for the writer to copy them itself.
const LAST_PAGES: i32 = COPIED_PAGES / 16;

/// Copies by the copier before the writer copies what is left, however much it is: this keeps the log short
/// when events come faster than they can be copied.
const COPIES_MAX: u32 = 3;

/// Looks without a commit after which the log is emptied, so that a copy of the file is whole.
const IDLE_LOOKS: u32 = 3;

/// Looks since something was deleted after which the log is emptied as well: it still holds pages as they were
/// before.
pub(super) const SCRUB_LOOKS: u32 = 10;

/// How long emptying the log may wait for readers.
const WAL_PATIENCE: Duration = Duration::from_millis(50);

/// Bytes that are written to try a failing disk.
const PROBE_BYTES: i64 = 256 << 10;

/// What the looks remember.
pub(super) struct Upkeep {
    copier: Copier,
    others: Others,
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
    /// Copies by the copier since the log restarted.
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
            others: Others::default(),
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

    /// Follows what another process wrote, within a transaction. Returns whether there was anything.
    pub(super) fn follow_others(
        &mut self,
        conn: &Connection,
        state: &mut State,
    ) -> rusqlite::Result<bool> {
        let has_news = self.others.follow(conn, state)?;
        if has_news {
            // The other one may have deleted something.
            self.deleted();
        }
        Ok(has_news)
    }

    /// Does what is due. What fails is tried again at the next look.
    pub(super) fn look(&mut self, conn: &mut Connection, state: &mut State) {
        // In files that went away there is nothing to tidy.
        if state.shared.place.check().is_ok()
            && let Err(error) = self.try_look(conn, state)
        {
            state.shared.note(Some(JournalError::from(error)));
        }
    }

    fn try_look(&mut self, conn: &mut Connection, state: &mut State) -> rusqlite::Result<()> {
        // Rows and counts of one and the same moment.
        let transaction = conn.unchecked_transaction()?;
        let has_news = self.follow_others(&transaction, state)?;
        transaction.commit()?;
        if has_news {
            state.check_books();
        }
        if state.shared.failing().is_some() {
            probe(conn)?;
            state.shared.note(None);
        }
        self.tidy_wal(conn, &state.shared)?;
        self.tidy_pages(conn)
    }

    /// Has the log copied into the file when there is enough of it. Comes after the answers: what is in
    /// the log is on disk already. SQLite then starts the log over, unless a reader is in the way.
    pub(super) fn checkpoint(&mut self, conn: &Connection) {
        if let Some(copied) = self.copier.finished() {
            self.copied_pages = copied;
            self.copies += 1;
        }
        if self.copier.is_busy() {
            return;
        }
        let new_pages = self.new_pages();
        let is_close = self.copies > 0 && new_pages <= LAST_PAGES;
        if is_close || self.copies == COPIES_MAX {
            self.copies = 0;
            self.copied_pages = copier::copy(conn).unwrap_or(self.copied_pages);
        } else if self.copies > 0 || new_pages >= COPIED_PAGES {
            self.copier.begin();
        }
    }

    /// Whether the log is being copied into the file.
    #[cfg(test)]
    pub(super) fn is_copying(&self) -> bool {
        self.copier.is_busy()
    }

    fn tidy_wal(&mut self, conn: &mut Connection, shared: &Shared) -> rusqlite::Result<()> {
        let commits = shared.commits.load(Ordering::Relaxed);
        let is_idle = commits == self.commits;
        self.commits = commits;
        self.idle_looks = if is_idle {
            self.idle_looks.saturating_add(1)
        } else {
            0
        };
        if let Some(looks) = &mut self.unclean_looks {
            *looks = looks.saturating_add(1);
        }
        let is_unclean = self.unclean_looks.is_some_and(|looks| looks >= SCRUB_LOOKS);
        let bytes = bytes_of(&schema::wal_path(&shared.path));
        let is_due = is_unclean || self.idle_looks == IDLE_LOOKS;
        if (bytes > WAL_BYTES_MAX || (bytes > 0 && is_due)) && !truncate_wal(conn)? {
            // A reader is in the way; the next look tries again.
            return Ok(());
        }
        if is_due {
            self.unclean_looks = None;
        }
        Ok(())
    }

    /// Gives free pages back to the disk: many of them at any time, and once all of those that an earlier
    /// version left, which did not overwrite what it deleted.
    fn tidy_pages(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        if self.has_clean_pages {
            return sweep::shrink(conn, sweep::FREE_PAGES_KEPT);
        }
        self.has_clean_pages = sweep::clean(conn)?;
        if !self.has_clean_pages {
            self.deleted();
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
