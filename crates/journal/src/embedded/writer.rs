//! The one writer: commands that arrive while a commit is on its way to disk are written by the next one.
//!
//! A group is written whole or not at all. When it fails, the transaction is rolled back and what it left in
//! memory is taken back. An error of the disk goes to every caller; the next group tries anew, so service
//! resumes by itself when there is room. After an error that lies in the rows, each command is tried alone, so
//! that it fails alone.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::mpsc;

use super::amend;
use super::append;
use super::clock;
use super::command::{Command, Done, EVENTS_PER_COMMIT, Reply, ignore_absent_caller};
use super::copier::Copier;
use super::lock::Lock;
use super::low_water::{self, LowWater};
use super::mark;
use super::observer::{self, CommitStats, Observer};
use super::prune;
use super::reject;
use super::settle;
use super::shared::Shared;
use super::state::{Staged, State};
use super::sweep;
use super::tally::Changes;
use super::upkeep::{self, Upkeep};
use crate::error::JournalError;
use crate::types::EventKey;

/// Bytes of JSON of one group. It has to fit into SQLite's cache, else pages are written twice.
const BYTES_PER_COMMIT: usize = 8 << 20;

/// How often the writer looks for what other processes did, and whether there is something to tidy.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Settled events after which the low-water mark is written again.
/// Tests have fewer events and mean to meet it.
const LOW_WATER_EVERY: usize = if cfg!(test) { 20 } else { 10_000 };

/// The writer's thread.
pub(super) struct Writer {
    pub(super) conn: Connection,
    pub(super) state: State,
    upkeep: Upkeep,
    commands: mpsc::Receiver<Command>,
    observer: Option<Observer>,
    /// Given back last, when the file is closed.
    lock: Lock,
}

impl Writer {
    pub(super) fn new(
        mut conn: Connection,
        state: State,
        commands: mpsc::Receiver<Command>,
        observer: Option<Observer>,
        copier: Copier,
        lock: Lock,
    ) -> rusqlite::Result<Self> {
        Ok(Self {
            upkeep: Upkeep::of(&mut conn, copier)?,
            conn,
            state,
            commands,
            observer,
            lock,
        })
    }

    /// Works until the journal is closed or its handle is dropped. `runtime` is only an alarm clock.
    pub(super) fn run(mut self, runtime: &tokio::runtime::Runtime) {
        let _over = Over(Arc::clone(&self.state.shared));
        let mut closing = None;
        let mut look_at = clock::now() + LOOK_EVERY;
        loop {
            let wait = look_at.saturating_duration_since(clock::now());
            let next =
                runtime.block_on(async { tokio::time::timeout(wait, self.commands.recv()).await });
            match next {
                Ok(Some(command)) => {
                    if let Some(reply) = self.serve(command) {
                        // What is in the channel already is still served.
                        self.commands.close();
                        closing = Some(reply);
                    }
                }
                Ok(None) => break,
                Err(_) => {}
            }
            if look_at <= clock::now() {
                self.look_around();
                look_at = clock::now() + LOOK_EVERY;
            }
        }
        self.finish(closing);
    }

    /// Serves a command together with those that wait already. Returns where to answer when the journal is to be
    /// closed.
    fn serve(&mut self, first: Command) -> Option<Reply<()>> {
        let mut group = Vec::new();
        let (mut events, mut bytes) = (0, 0);
        let mut closing = None;
        let mut next = Some(first);
        while let Some(command) = next {
            let weight = command.weight();
            (events, bytes) = (events + weight.0, bytes + weight.1);
            match command {
                Command::Close { reply } => {
                    closing = Some(reply);
                    break;
                }
                #[cfg(test)]
                Command::Inspect(inspect) => inspect(self),
                command => group.push(command),
            }
            let is_full = events >= EVENTS_PER_COMMIT || bytes >= BYTES_PER_COMMIT;
            next = (!is_full).then(|| self.commands.try_recv().ok()).flatten();
        }
        if !group.is_empty() {
            self.commit(group);
            self.checkpoint();
        }
        closing
    }

    fn commit(&mut self, mut group: Vec<Command>) {
        let started = clock::now();
        let mut staged = Staged::new(&self.state);
        let written = self.write_in_place(&group, &mut staged);
        match written {
            Ok(done) => {
                let events = staged.inserted.len();
                self.publish(&staged);
                self.state.shared.note(None);
                self.observe(events, started, &staged.changes);
                for (command, done) in group.into_iter().zip(done) {
                    command.answer(done);
                }
            }
            // The rows that one of them reads or writes are not what they should be. That is not the others' fault.
            Err(JournalError::Damaged(_)) if group.len() > 1 => {
                self.undo(&staged);
                for command in group {
                    self.commit(vec![command]);
                }
            }
            Err(error) => {
                self.undo(&staged);
                if matches!(error, JournalError::Damaged(_)) && self.find_unreadable(&mut group[0])
                {
                    return self.commit(group);
                }
                if is_of_all(&error, &group) {
                    self.state.shared.note(Some(error.clone()));
                }
                for command in group {
                    command.fail(error.clone());
                }
            }
        }
    }

    fn observe(&self, events: usize, started: Instant, changes: &Changes) {
        self.state.shared.commits.fetch_add(1, Ordering::Relaxed);
        if let Some(observer) = &self.observer {
            observer(CommitStats {
                events,
                elapsed: clock::now().saturating_duration_since(started),
                counts: observer::counts(&self.state.terms.texts(), changes),
            });
        }
    }

    /// Writes a group, and makes sure that a start would find it: before, so that nothing more goes into files
    /// that went away, and after the commit, so that nothing there is acknowledged.
    fn write_in_place(
        &mut self,
        group: &[Command],
        staged: &mut Staged,
    ) -> Result<Vec<Done>, JournalError> {
        self.state.shared.place.check()?;
        let done = self.write(group, staged)?;
        self.state.shared.place.check()?;
        Ok(done)
    }

    /// Writes a group in one transaction.
    fn write(&mut self, group: &[Command], staged: &mut Staged) -> rusqlite::Result<Vec<Done>> {
        let Self {
            conn,
            state,
            upkeep,
            ..
        } = self;
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        // From here on no other process writes. What others wrote before is read first: counts are changed from
        // what the file says.
        if upkeep.follow_others(conn, state)? {
            staged.tally = state.tally;
        }
        let mut rows = append::Rows::prepare(conn)?;
        let done = group
            .iter()
            .map(|command| write_one(conn, &mut rows, state, staged, command))
            .collect::<rusqlite::Result<_>>()?;
        staged.changes.write(conn)?;
        if state.settled_since_mark + staged.settled.len() >= LOW_WATER_EVERY {
            // What this group settles still counts as waiting here, what it appends is after the mark.
            let end = EventKey(staged.next_event);
            let low_water = LowWater::of(&state.shared.lanes, end, low_water::NAMED_MAX);
            staged.has_mark = low_water.save(conn, state.seen_replay)?;
        }
        staged.seen = state.dedup.first();
        mark::save_seen(conn, staged.seen, state.seen)?;
        conn.prepare_cached("COMMIT")?.execute([])?;
        Ok(done)
    }

    /// Makes a committed group visible.
    fn publish(&mut self, staged: &Staged) {
        self.state.publish(staged);
        if staged.has_deleted {
            self.upkeep.deleted();
        }
    }

    /// Takes back what was not committed.
    fn undo(&mut self, staged: &Staged) {
        // SQLite rolls back by itself after some errors.
        if !self.conn.is_autocommit()
            && let Err(error) = self.conn.execute_batch("ROLLBACK")
        {
            self.state.shared.note(Some(error.into()));
        }
        self.state.undo(staged);
    }

    /// Looks for rows that a command reads and that cannot be read. Whether there are some that were not known, so that
    /// another attempt may succeed.
    fn find_unreadable(&mut self, command: &mut Command) -> bool {
        let Self { conn, state, .. } = self;
        let (sql, keys) = match command {
            Command::Append { arrivals, .. } => {
                (append::KNOWN, append::candidates(state, arrivals))
            }
            Command::Settle { report, .. } => {
                let keys = report.outcomes.iter().map(|(key, _)| *key).collect();
                (settle::GROUP_OF, keys)
            }
            Command::Sweep { sweep, .. } => {
                let Ok(Some(again)) = sweep.around(conn, state.next_event) else {
                    return false;
                };
                *sweep = again;
                return true;
            }
            Command::Prune { prune, .. } => {
                let Ok(Some(again)) = prune.around(conn, state.kept_from()) else {
                    return false;
                };
                *prune = again;
                return true;
            }
            _ => return false,
        };
        state.unreadable.find(conn, sql, keys)
    }

    /// Looks around. What fails is tried again at the next look.
    pub(super) fn look_around(&mut self) {
        self.upkeep.look(&mut self.conn, &mut self.state);
    }

    /// Has the log copied into the file when there is enough of it.
    pub(super) fn checkpoint(&mut self) {
        self.upkeep.checkpoint(&self.conn);
    }

    /// Whether the log is being copied into the file.
    #[cfg(test)]
    pub(super) fn is_copying(&self) -> bool {
        self.upkeep.is_copying()
    }

    /// Leaves the file as small and as quick to open as it can be.
    fn finish(self, closing: Option<Reply<()>>) {
        let Self {
            mut conn,
            state,
            upkeep,
            lock,
            ..
        } = self;
        // It has the file open.
        drop(upkeep);
        let tidied = upkeep::tidy(&mut conn, &state);
        state.shared.readers.close();
        let closed = conn.close().map_err(|(_, error)| error.into());
        drop(lock);
        if let Some(reply) = closing {
            ignore_absent_caller(reply.send(tidied.and(closed)).is_ok());
        }
    }
}

/// Whether an error says that events cannot be kept. One that lies in the rows says so only of events that come in:
/// what a lane or a sweep meets in rows of its own keeps the doors from nothing.
fn is_of_all(error: &JournalError, group: &[Command]) -> bool {
    let is_append = |command: &Command| matches!(command, Command::Append { .. });
    !matches!(error, JournalError::Damaged(_)) || group.iter().any(is_append)
}

/// Writes the rows of one command.
fn write_one(
    conn: &Connection,
    rows: &mut append::Rows<'_>,
    state: &mut State,
    staged: &mut Staged,
    command: &Command,
) -> rusqlite::Result<Done> {
    Ok(match command {
        Command::Append {
            counts,
            arrivals,
            rejections,
            ..
        } => {
            append::count(conn, state, staged, counts)?;
            reject::reject(conn, state, staged, rejections)?;
            Done::Appended(append::append(rows, state, staged, arrivals)?)
        }
        Command::Amend { change, .. } => Done::Amended(amend::amend(conn, state, staged, change)?),
        Command::Settle {
            lane,
            report,
            resolved,
            ..
        } => {
            settle::settle(conn, state, staged, lane, report)?;
            settle::resolve(conn, resolved)?;
            Done::Settled
        }
        Command::Forget { lane, keys, .. } => {
            settle::forget(conn, staged, lane, keys)?;
            Done::Settled
        }
        Command::Intend { keys, at_ms, .. } => {
            settle::intend(conn, keys, *at_ms)?;
            Done::Intended
        }
        Command::Sweep { sweep, .. } => {
            let swept = sweep::step(conn, sweep.clone())?;
            staged.has_deleted |= swept.deleted > sweep.deleted;
            Done::Swept(swept)
        }
        Command::Prune { prune, .. } => {
            let pruned = prune::step(conn, prune.clone(), state.kept_from())?;
            staged.has_deleted |= pruned.left > prune.left;
            Done::Pruned(pruned)
        }
        Command::Index { segment, .. } => {
            let erasures = state.shared.erasures() + u64::from(staged.has_deleted);
            segment.write(conn, erasures)?;
            Done::Indexed
        }
        Command::Close { .. } => Done::Nothing,
        #[cfg(test)]
        Command::Inspect(_) => Done::Nothing,
    })
}

/// Says that nothing is written any more, however the thread ends.
struct Over(Arc<Shared>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.note(Some(JournalError::Closed));
    }
}
