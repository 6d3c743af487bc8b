//! The one writer: whatever arrived while the last commit was on its way to disk goes into the next.
//!
//! A group is written whole or not at all. When it fails, the transaction is rolled back, what it left
//! in memory is taken out again, and everyone in it hears why. The next group tries anew, so service
//! resumes by itself when there is room.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use sluice_event::ActionSource;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::append::{self, Arrival};
use super::copier::Copier;
use super::lane::Lane;
use super::lock::Lock;
use super::low_water::{self, LowWater};
use super::mark;
use super::names::{CountedName, Names};
use super::observer::{CommitStats, Observer};
use super::queue::Slot;
use super::reject::{self, Rejections};
use super::settle;
use super::sweep::{self, Sweep};
use super::tally::{Changes, Counted, Group};
use super::terms::{Term, Terms};
use super::unreadable::Unreadable;
use super::{Shared, clock, observer, upkeep};
use crate::JournalError;
use crate::books::{Tally, books_balance};
use crate::dedup::{Dedup, Identity};
use crate::types::{Appended, Arrivals, DeliveryReport, EventKey, LaneId, Rejection};

/// Events of one group.
const EVENTS_PER_COMMIT: usize = 4_096;

/// Bytes of JSON of one group. It has to fit into SQLite's cache, else pages are written twice.
const BYTES_PER_COMMIT: usize = 8 << 20;

/// How often the writer looks for what other processes did, and whether there is something to tidy.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// So many settled events later, the mark where start begins is written anew.
/// Tests have fewer events and mean to meet it.
const LOW_WATER_EVERY: usize = if cfg!(test) { 20 } else { 10_000 };

/// Where an answer goes. Whoever asked may have gone away; what was written stays written.
pub(super) type Reply<T> = oneshot::Sender<Result<T, JournalError>>;

/// What the writer is asked to do.
pub(super) enum Command {
    Append {
        counts: Vec<Arrivals>,
        arrivals: Vec<Arrival>,
        rejections: Vec<Rejection>,
        /// What they take of [`super::BYTES_MAX`] until they are written.
        _room: OwnedSemaphorePermit,
        reply: Reply<Vec<Appended>>,
    },
    Settle {
        lane: Arc<Lane>,
        report: DeliveryReport,
        /// Events with an intent of which it is known now what became of them.
        resolved: Vec<EventKey>,
        reply: Reply<()>,
    },
    Intend {
        keys: Vec<EventKey>,
        at_ms: u64,
        reply: Reply<()>,
    },
    /// Takes events out of a queue that have their final state already.
    Forget {
        lane: Arc<Lane>,
        keys: Vec<EventKey>,
        reply: Reply<()>,
    },
    Sweep {
        sweep: Sweep,
        reply: Reply<Sweep>,
    },
    Close {
        reply: Reply<()>,
    },
    #[cfg(test)]
    Inspect(Box<dyn FnOnce(&mut Writer) + Send>),
}

impl Command {
    /// Events and bytes that it adds to a group.
    fn weight(&self) -> (usize, usize) {
        match self {
            Command::Append {
                arrivals,
                rejections,
                ..
            } => {
                let bytes = arrivals.iter().map(Arrival::bytes).sum();
                (arrivals.len() + rejections.len(), bytes)
            }
            Command::Settle { report, .. } => (report.outcomes.len(), 0),
            Command::Forget { keys, .. } | Command::Intend { keys, .. } => (keys.len(), 0),
            // A step looks at thousands of events.
            Command::Sweep { .. } => (EVENTS_PER_COMMIT, 0),
            Command::Close { .. } => (0, 0),
            #[cfg(test)]
            Command::Inspect(_) => (0, 0),
        }
    }

    fn fail(self, error: JournalError) {
        let is_heard = match self {
            Command::Append { reply, .. } => reply.send(Err(error)).is_ok(),
            Command::Settle { reply, .. }
            | Command::Forget { reply, .. }
            | Command::Intend { reply, .. }
            | Command::Close { reply } => reply.send(Err(error)).is_ok(),
            Command::Sweep { reply, .. } => reply.send(Err(error)).is_ok(),
            #[cfg(test)]
            Command::Inspect(_) => true,
        };
        ignore_who_left(is_heard);
    }
}

/// Nobody waits for the answer any more: a client that went away, a task that was aborted.
fn ignore_who_left(_is_heard: bool) {}

/// What a command resulted in, until it is committed.
enum Done {
    Appended(Vec<Appended>),
    Settled,
    Intended,
    Swept(Sweep),
    Nothing,
}

/// What the writer keeps in memory between commits.
pub(super) struct State {
    pub(super) terms: Terms,
    pub(super) names: Names,
    pub(super) rejections: Rejections,
    pub(super) dedup: Dedup,
    pub(super) next_event: i64,
    pub(super) next_request: i64,
    /// The last event that was sent again by hand and that this process knows of.
    pub(super) seen_replay: i64,
    /// The last event that was dropped by hand while it waited and that this process knows of.
    pub(super) seen_drop: i64,
    /// The counts so far, without what waits: that is counted in the queues.
    pub(super) tally: Tally,
    pub(super) shared: Arc<Shared>,
    /// See [`super::Options::deletes_delivered`].
    pub(super) deletes_delivered: bool,
    pub(super) unreadable: Unreadable,
    lanes: HashMap<LaneTerms, Arc<Lane>>,
    settled_since_mark: usize,
    /// The first event that the window of copies remembers, as the file has it.
    pub(super) seen: Option<EventKey>,
}

/// A lane, by the numbers of its texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct LaneTerms {
    pub(super) dataset: Term,
    pub(super) test_code: Option<Term>,
    pub(super) is_replay: bool,
}

impl State {
    pub(super) fn new(terms: Terms, shared: Arc<Shared>) -> Self {
        Self {
            terms,
            names: Names::default(),
            rejections: Rejections::default(),
            dedup: Dedup::new(),
            next_event: 1,
            next_request: 1,
            seen_replay: 0,
            seen_drop: 0,
            tally: Tally::default(),
            shared,
            deletes_delivered: false,
            unreadable: Unreadable::default(),
            lanes: HashMap::new(),
            settled_since_mark: 0,
            seen: None,
        }
    }

    /// The lane of these texts.
    pub(super) fn lane(&mut self, terms: LaneTerms, id: impl FnOnce() -> LaneId) -> Arc<Lane> {
        let lane = self
            .lanes
            .entry(terms)
            .or_insert_with(|| self.shared.lanes.get(&id()));
        Arc::clone(lane)
    }

    /// The name under which events of this one are counted.
    pub(super) fn counted_name(
        &mut self,
        conn: &Connection,
        staged: &mut Staged,
        of: (Term, &str),
    ) -> rusqlite::Result<CountedName> {
        let added = &mut staged.names;
        self.names.counted(conn, &mut self.terms, of, added)
    }
}

/// What a group changes in memory, once it is committed.
pub(super) struct Staged {
    changes: Changes,
    pub(super) last_ms: u64,
    pub(super) inserted: Vec<(Identity, EventKey, ActionSource)>,
    pub(super) arrived: Vec<(Arc<Lane>, Slot)>,
    pub(super) settled: Vec<(Arc<Lane>, EventKey)>,
    /// Event names that are counted apart from now on, by source.
    names: Vec<(Term, Term)>,
    tally: Tally,
    has_mark: bool,
    /// Bodies were deleted.
    pub(super) has_deleted: bool,
    seen: Option<EventKey>,
    /// As they were before, if they have changed.
    pub(super) rejections: Option<Rejections>,
    /// As it was before.
    next_event: i64,
    next_request: i64,
    terms: usize,
}

impl Staged {
    fn new(state: &State) -> Self {
        Self {
            changes: Changes::default(),
            last_ms: 0,
            inserted: Vec::new(),
            arrived: Vec::new(),
            settled: Vec::new(),
            names: Vec::new(),
            tally: state.tally,
            has_mark: false,
            has_deleted: false,
            seen: None,
            rejections: None,
            next_event: state.next_event,
            next_request: state.next_request,
            terms: state.terms.len(),
        }
    }

    /// Counts a change in the hour in which it happened.
    pub(super) fn count(&mut self, at_ms: u64, group: Group, counted: Counted, change: i64) {
        self.changes.add(at_ms, group, counted, change);
        counted.add_to(&mut self.tally, change);
    }

    /// Counts events that came in.
    fn count_received(&mut self, at_ms: u64, of: (Term, Term), events: i64) {
        self.changes.receive(at_ms, of, events);
        Counted::Received.add_to(&mut self.tally, events);
    }

    /// Counts an event that no dataset could take.
    pub(super) fn count_rejected(&mut self, at_ms: u64, group: Group, code: Term) {
        self.changes.reject(at_ms, group, code);
        Counted::Rejected.add_to(&mut self.tally, 1);
    }
}

/// The writer's thread.
pub(super) struct Writer {
    pub(super) conn: Connection,
    pub(super) state: State,
    pub(super) upkeep: upkeep::Upkeep,
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
            upkeep: upkeep::Upkeep::of(&mut conn, copier)?,
            conn,
            state,
            commands,
            observer,
            lock,
        })
    }

    /// Works until the journal is closed or nobody holds it any more. `runtime` is only an alarm clock.
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

    /// Serves a command together with those that wait already. Returns whoever wants to close.
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

    fn commit(&mut self, group: Vec<Command>) {
        let started = clock::now();
        let mut staged = Staged::new(&self.state);
        let written = self.write_in_place(&group, &mut staged);
        match written {
            Ok(done) => {
                let events = staged.arrived.len();
                self.publish(&staged);
                self.state.shared.note(None);
                self.observe(events, started, &staged.changes);
                group.into_iter().zip(done).for_each(answer);
            }
            // Perhaps one of them meets a damaged page that the others have nothing to do with.
            Err(JournalError::Damaged(_)) if group.len() > 1 => {
                self.undo(&staged);
                for command in group {
                    self.commit(vec![command]);
                }
            }
            Err(error) => {
                self.undo(&staged);
                if matches!(error, JournalError::Damaged(_)) && self.find_unreadable(&group[0]) {
                    return self.commit(group);
                }
                self.state.shared.note(Some(error.clone()));
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
        // From here on nobody else writes. What somebody did before is known first: counts are changed from what
        // the file says.
        if upkeep::follow_others(conn, state, upkeep)? {
            staged.tally = state.tally;
        }
        let mut rows = append::Rows::prepare(conn)?;
        let mut done = Vec::with_capacity(group.len());
        for command in group {
            done.push(match command {
                Command::Append {
                    counts,
                    arrivals,
                    rejections,
                    ..
                } => {
                    count_arrivals(conn, state, staged, counts)?;
                    reject::reject(conn, state, staged, rejections)?;
                    Done::Appended(append::append(&mut rows, state, staged, arrivals)?)
                }
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
                    settle::intend(conn, staged, keys, *at_ms)?;
                    Done::Intended
                }
                Command::Sweep { sweep, .. } => {
                    let swept = sweep::step(conn, sweep.clone())?;
                    staged.has_deleted |= swept.deleted > sweep.deleted;
                    Done::Swept(swept)
                }
                Command::Close { .. } => Done::Nothing,
                #[cfg(test)]
                Command::Inspect(_) => Done::Nothing,
            });
        }
        staged.changes.write(conn)?;
        if state.settled_since_mark + staged.settled.len() >= LOW_WATER_EVERY {
            // What this group settles still counts as waiting here, what it appends is after the mark.
            let end = EventKey(staged.next_event);
            let low_water = LowWater::of(&state.shared.lanes, end, low_water::NAMED_MAX);
            staged.has_mark = low_water.save(conn, state.seen_replay)?;
        }
        staged.seen = state.dedup.first();
        if let Some(first) = staged.seen.filter(|_| staged.seen != state.seen) {
            mark::save(conn, mark::SEEN, first.0)?;
        }
        conn.prepare_cached("COMMIT")?.execute([])?;
        Ok(done)
    }

    /// Makes a committed group visible.
    fn publish(&mut self, staged: &Staged) {
        let state = &mut self.state;
        let shared = &state.shared;
        if staged.last_ms > 0 {
            shared.last_ms.store(staged.last_ms, Ordering::Relaxed);
        }
        for run in staged.arrived.chunk_by(|a, b| Arc::ptr_eq(&a.0, &b.0)) {
            let lane = &run[0].0;
            lane.push(run.iter().map(|(_, slot)| *slot));
            shared.lanes.announce(lane);
        }
        for run in staged.settled.chunk_by(|a, b| Arc::ptr_eq(&a.0, &b.0)) {
            let strays = run[0].0.forget(run.iter().map(|(_, key)| *key));
            // Dropped by hand on its way, and sent again: it waits in another lane.
            for key in strays {
                shared.lanes.forget(key);
            }
        }
        state.settled_since_mark += staged.settled.len();
        if staged.has_mark {
            state.settled_since_mark = 0;
        }
        if staged.has_deleted {
            self.upkeep.deleted();
        }
        state.seen = staged.seen;
        state.tally = staged.tally;
        self.check_books();
    }

    /// Tells the counts to those who ask for them, and proves in tests that they are right.
    pub(super) fn check_books(&mut self) {
        let tally = &mut self.state.tally;
        tally.waiting = self.state.shared.lanes.waiting() as u64;
        // What cannot be read cannot be counted either.
        debug_assert!(
            books_balance(tally) || !self.state.unreadable.is_empty(),
            "the books do not balance: {tally:?}"
        );
        self.state.shared.set_tally(*tally);
    }

    /// Takes out of memory what was not committed.
    fn undo(&mut self, staged: &Staged) {
        // SQLite rolls back by itself after some errors.
        if !self.conn.is_autocommit()
            && let Err(error) = self.conn.execute_batch("ROLLBACK")
        {
            self.state.shared.note(Some(error.into()));
        }
        let state = &mut self.state;
        for (identity, key, source) in &staged.inserted {
            state.dedup.remove(identity, *key, *source);
        }
        state.names.remove(&staged.names);
        if let Some(rejections) = &staged.rejections {
            state.rejections.clone_from(rejections);
        }
        state.terms.truncate(staged.terms);
        state.next_event = staged.next_event;
        state.next_request = staged.next_request;
        // It may know lanes by numbers of texts that were taken back.
        state.lanes.clear();
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
            ignore_who_left(reply.send(tidied.and(closed)).is_ok());
        }
    }
}

/// Counts what came in, whatever becomes of it.
fn count_arrivals(
    conn: &Connection,
    state: &mut State,
    staged: &mut Staged,
    counts: &[Arrivals],
) -> rusqlite::Result<()> {
    for arrivals in counts {
        let dataset = state.terms.intern(conn, arrivals.dataset.as_str())?;
        let source = state.terms.intern(conn, arrivals.source.as_str())?;
        let events = i64::try_from(arrivals.events).unwrap_or(i64::MAX);
        staged.count_received(arrivals.at_ms, (dataset, source), events);
    }
    Ok(())
}

/// Says that nothing is written any more, however the thread ends.
struct Over(Arc<Shared>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.note(Some(JournalError::Closed));
    }
}

fn answer((command, done): (Command, Done)) {
    let is_heard = match (command, done) {
        (Command::Append { reply, .. }, Done::Appended(appended)) => {
            reply.send(Ok(appended)).is_ok()
        }
        (Command::Settle { reply, .. } | Command::Forget { reply, .. }, Done::Settled)
        | (Command::Intend { reply, .. }, Done::Intended) => reply.send(Ok(())).is_ok(),
        (Command::Sweep { reply, .. }, Done::Swept(sweep)) => reply.send(Ok(sweep)).is_ok(),
        _ => true,
    };
    ignore_who_left(is_heard);
}
