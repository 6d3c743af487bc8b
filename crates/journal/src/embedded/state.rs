//! The writer's memory as plain data: what it keeps between commits, and what a group changes in it.
//!
//! Rows are written while a group goes on, but queues and counts change only when the group is committed
//! ([`State::publish`]). What has to change at once (numbers, texts, identities, names) is taken back when the
//! commit fails ([`State::undo`]).

use std::sync::Arc;

use hashbrown::HashMap;
use rusqlite::Connection;

use super::amend::Exchange;
use super::lane::Lane;
use super::names::{CountedName, Names};
use super::queue::Joining;
use super::rejection_rows::RejectionRows;
use super::shared::Shared;
use super::tally::{Changes, Counted, Group};
use super::terms::{Term, Terms};
use super::unreadable::Unreadable;
use crate::books::{Tally, books_balance};
use crate::dedup::{Dedup, Identity, Seen, Window};
use crate::types::{EventKey, LaneId};

/// What the writer keeps in memory between commits.
pub(super) struct State {
    pub(super) terms: Terms,
    pub(super) names: Names,
    pub(super) rejection_rows: RejectionRows,
    pub(super) dedup: Dedup,
    pub(super) next_event: i64,
    pub(super) next_request: i64,
    /// The last row of `replay` that this process has read: events that were sent again by hand.
    pub(super) seen_replay: i64,
    /// The last row of `dropped` that this process has read: events that were dropped by hand while they waited.
    pub(super) seen_drop: i64,
    /// The counts so far, without what waits: that is counted in the queues.
    pub(super) tally: Tally,
    pub(super) shared: Arc<Shared>,
    pub(super) unreadable: Unreadable,
    lanes: HashMap<LaneTerms, Arc<Lane>>,
    /// Events that were settled since the low-water mark was written.
    pub(super) settled_since_mark: usize,
    /// The first events that the windows for copies remember, as the file has them.
    pub(super) seen: Seen,
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
            rejection_rows: RejectionRows::default(),
            dedup: Dedup::new(),
            next_event: 1,
            next_request: 1,
            seen_replay: 0,
            seen_drop: 0,
            tally: Tally::default(),
            shared,
            unreadable: Unreadable::default(),
            lanes: HashMap::new(),
            settled_since_mark: 0,
            seen: Seen::default(),
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

    /// The first event whose row stays however old it is: one that the windows for copies remember, or the last one.
    pub(super) fn kept_from(&self) -> i64 {
        let Seen { usual, own } = self.dedup.first();
        let remembered = usual.into_iter().chain(own).map(|key| key.0);
        remembered.chain([self.next_event - 1]).min().unwrap_or(0)
    }

    /// Makes a committed group visible.
    pub(super) fn publish(&mut self, staged: &Staged) {
        let shared = &self.shared;
        for run in staged.arrived.chunk_by(|a, b| Arc::ptr_eq(&a.0, &b.0)) {
            let lane = &run[0].0;
            lane.push(run.iter().map(|(_, joining)| *joining));
            shared.lanes.announce(lane);
        }
        for run in staged.settled.chunk_by(|a, b| Arc::ptr_eq(&a.0, &b.0)) {
            let strays = run[0].0.forget(run.iter().map(|(_, key)| *key));
            // Dropped by hand while it was leased, then sent again: it waits in another lane.
            for key in strays {
                shared.lanes.forget(key);
            }
        }
        for exchange in &staged.exchanged {
            exchange.lane.bring_back(exchange.after);
        }
        if staged.has_deleted {
            shared.note_erasure();
        }
        self.settled_since_mark += staged.settled.len();
        if staged.has_mark {
            self.settled_since_mark = 0;
        }
        self.seen = staged.seen;
        self.tally = staged.tally;
        self.check_books();
    }

    /// Publishes the counts, and proves in tests that they are right.
    pub(super) fn check_books(&mut self) {
        let tally = &mut self.tally;
        tally.waiting = self.shared.lanes.waiting() as u64;
        // What cannot be read cannot be counted either.
        debug_assert!(
            books_balance(tally) || !self.unreadable.is_empty(),
            "the books do not balance: {tally:?}"
        );
        self.shared.set_tally(*tally);
    }

    /// Takes out of memory what was not committed.
    pub(super) fn undo(&mut self, staged: &Staged) {
        for inserted in &staged.inserted {
            (self.dedup).remove(&inserted.identity, inserted.key, inserted.window);
        }
        for exchange in &staged.exchanged {
            exchange.lane.bring_back(exchange.before);
        }
        self.names.remove(&staged.names);
        if let Some(rows) = &staged.rejection_rows {
            self.rejection_rows.clone_from(rows);
        }
        self.terms.truncate(staged.terms);
        self.next_event = staged.next_event;
        self.next_request = staged.next_request;
        // The cache may hold lanes under numbers of texts that were taken back and are given to other texts.
        self.lanes.clear();
    }
}

/// An event that a group has written, by which its copies are known.
pub(super) struct Inserted {
    pub(super) identity: Identity,
    pub(super) test_code: Option<Term>,
    pub(super) key: EventKey,
    pub(super) window: Window,
    /// It waits, has arrived or is a note: another one with its identity is its copy.
    pub(super) has_copies: bool,
}

/// What a group changes in memory, once it is committed; and what it has changed already, as it was before.
pub(super) struct Staged {
    pub(super) changes: Changes,
    pub(super) inserted: Vec<Inserted>,
    pub(super) arrived: Vec<(Arc<Lane>, Joining)>,
    pub(super) settled: Vec<(Arc<Lane>, EventKey)>,
    /// Events that are out of their lanes because they were amended.
    pub(super) exchanged: Vec<Exchange>,
    /// Event names that are counted apart from now on, by source.
    names: Vec<(Term, Term)>,
    pub(super) tally: Tally,
    /// The low-water mark was written.
    pub(super) has_mark: bool,
    /// Bodies were deleted.
    pub(super) has_deleted: bool,
    pub(super) seen: Seen,
    /// As they were before, if they have changed.
    rejection_rows: Option<RejectionRows>,
    /// As it was before.
    pub(super) next_event: i64,
    next_request: i64,
    terms: usize,
}

impl Staged {
    pub(super) fn new(state: &State) -> Self {
        Self {
            changes: Changes::default(),
            inserted: Vec::new(),
            arrived: Vec::new(),
            settled: Vec::new(),
            exchanged: Vec::new(),
            names: Vec::new(),
            tally: state.tally,
            has_mark: false,
            has_deleted: false,
            seen: state.seen,
            rejection_rows: None,
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
    pub(super) fn count_received(&mut self, at_ms: u64, of: (Term, Term), events: i64) {
        self.changes.receive(at_ms, of, events);
        Counted::Received.add_to(&mut self.tally, events);
    }

    /// Counts an event that no dataset could take.
    pub(super) fn count_rejected(&mut self, at_ms: u64, group: Group, code: Term) {
        self.changes.reject(at_ms, group, code);
        Counted::Rejected.add_to(&mut self.tally, 1);
    }

    /// An event that the group has written; its keys follow each other.
    pub(super) fn inserted(&self, key: EventKey) -> Option<&Inserted> {
        let place = usize::try_from(key.0 - self.next_event).ok()?;
        self.inserted.get(place)
    }

    /// Keeps the rows of rejected events as they are before the group changes them.
    pub(super) fn keep_rejection_rows(&mut self, rows: &RejectionRows) {
        self.rejection_rows.get_or_insert_with(|| rows.clone());
    }
}
