//! What the running gateway needs of a journal, whatever the engine behind it.

use std::sync::Arc;

use tokio::sync::{Notify, watch};

use crate::answer::Answer;
use crate::books::Tally;
use crate::error::JournalError;
use crate::tokens::Tokens;
use crate::types::{
    Amendable, Amended, Amendment, Appended, BatchLimits, BodyKeyId, DeliveryReport, Entry,
    EventKey, LaneId, Leased, Received, SentEvents, Waiting,
};

/// Durable memory of every event and what became of it.
pub trait Journal: Send + Sync {
    /// Makes what a request brought durable. Returns when it is; says of each entry, in order, whether it was
    /// a copy. All of it is written, or nothing.
    fn receive(&self, received: Received) -> Answer<'_, Vec<Appended>>;

    /// The same of a request all of whose events can be sent.
    fn append(&self, entries: Vec<Entry>) -> Answer<'_, Vec<Appended>> {
        self.receive(entries.into())
    }

    /// Takes waiting events of a lane, those close to expiry first and the rest in order of arrival:
    /// as many as fit into both limits, at least one if one waits. Events on hold are left out until they are due.
    /// No other lease gets them until they are settled or this one is dropped.
    fn lease<'a>(&'a self, lane: &'a LaneId, limits: LeaseLimits) -> Answer<'a, Lease>;

    /// Records what became of events of the lease, and the request that carried them. Events that the
    /// report names leave the lease. When this fails, nothing is recorded and they stay leased.
    fn settle<'a>(&'a self, lease: &'a mut Lease, report: DeliveryReport) -> Answer<'a, ()>;

    /// Records that a request with these events of the lease is about to be sent. Returns when that is on
    /// disk; only then the request may go. Of events that Meta deduplicates nothing is recorded.
    ///
    /// An intent stays until the event is delivered, refused or expired, until a report says that Meta did not
    /// take it, or until a person sends the event again. A lease names it in [`Leased::intended_ms`]. An event
    /// that is withheld keeps its intent: it may have arrived, so a later event with its id is a copy.
    fn intend<'a>(
        &'a self,
        lease: &'a mut Lease,
        keys: &'a [EventKey],
        at_ms: u64,
    ) -> Answer<'a, ()>;

    /// The body of an event that waits and is not leased, for [`Journal::amend`]; `None` for any other.
    fn amendable(&self, event: EventKey) -> Answer<'_, Option<Amendable>>;

    /// Replaces the body and the facts of an event that waits and is not leased. Of several that amend the same
    /// revision one succeeds, so none is lost. A hold stays as it is. What was there before is deleted as every other
    /// body: no byte of it stays on disk.
    fn amend(&self, amendment: Amendment) -> Answer<'_, Amended>;

    /// What waits in a lane.
    fn waiting(&self, lane: &LaneId) -> Waiting;

    /// Rings when a lane has something to do again, when what it has fills a batch, when events come back to it,
    /// and when one comes that is due before all others on hold. One holder listens, and says when a batch of its own is full.
    fn bell(&self, lane: &LaneId, full: BatchLimits) -> Arc<Notify>;

    /// Every lane that has waiting events, or had some since the start or since it was retired; changes when one
    /// is added.
    fn lanes(&self) -> watch::Receiver<Vec<LaneId>>;

    /// Leaves a lane out of [`Journal::lanes`] until it has events again. Returns whether it is left out: one that
    /// has events, leased ones included, is not.
    fn retire(&self, lane: &LaneId) -> bool;

    /// The events that Meta took, or may have taken because its answer was lost, in requests since this
    /// moment, in milliseconds since 1970; by dataset and minute.
    fn sent_since(&self, since_ms: u64) -> Answer<'_, Vec<SentEvents>>;

    /// The JSON that is kept of events, in this order; `None` for one whose body is deleted, damaged or encrypted with
    /// a key that is not given.
    fn kept(&self, events: Vec<EventKey>) -> Answer<'_, Vec<Option<String>>>;

    /// What all that deliver from this journal share of access tokens.
    fn tokens(&self) -> Arc<dyn Tokens>;

    /// How the journal is doing.
    fn health(&self) -> Health;

    /// Deletes bodies of finished events, so that no byte of them stays on disk, and rows that are
    /// of no use any more. Returns how many bodies.
    ///
    /// # Errors
    ///
    /// [`JournalError::Damaged`] if some could not be read; all that can be read was deleted before it says so.
    fn sweep(&self, retention: Retention) -> Answer<'_, u64>;

    /// Deletes all rows of events that became final before this time, in milliseconds since 1970. What the window for
    /// copies remembers stays, and so does an event whose body is not deleted yet. The counts stay for good. Returns
    /// how many events left.
    ///
    /// # Errors
    ///
    /// [`JournalError::Damaged`] if some could not be read; all that can be read was deleted before it says so.
    fn prune(&self, final_before_ms: u64) -> Answer<'_, u64>;

    /// Takes one step towards an index of all events that searches use, some thousand events at most; an engine that
    /// needs none does nothing. Searches find the same before and after it.
    fn index(&self) -> Answer<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Stops taking appends, finishes those under way, and closes the files.
    fn close(&self) -> Answer<'_, ()>;
}

/// How the journal is.
#[derive(Debug, Clone)]
pub struct Health {
    /// Commits since the start.
    pub commits: u64,
    /// Bytes of the database file.
    pub db_bytes: u64,
    /// Bytes of the write-ahead log.
    pub wal_bytes: u64,
    /// Counts of all events, ever.
    pub tally: Tally,
    /// The last commit failed, and so has every attempt since; or the journal's files are not those at its
    /// path any more; or it is closed.
    pub is_failing: Option<JournalError>,
}

/// Which bodies of finished events are kept. Those of waiting events always are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// Those of events that reached their final state at this time or later, in milliseconds since 1970.
    FinishedSince(u64),
    /// Those that can still be sent: of events that did not reach Meta and that it would still take.
    Needed {
        /// Now, in milliseconds since 1970.
        now_ms: u64,
    },
}

/// How much a lease may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseLimits {
    /// Events.
    pub events_max: usize,
    /// Bytes of JSON, with a comma for each event.
    pub bytes_max: usize,
    /// Events that expire before this Unix second go first.
    pub urgent_before_s: i64,
    /// Now, in milliseconds since 1970: events on hold that are due by now are taken, and those that turn out to be
    /// damaged or locked are withheld as of this moment.
    pub now_ms: u64,
}

/// Events that one holder has. What is still in it when it is dropped waits again.
pub struct Lease {
    /// Where they go.
    pub lane: LaneId,
    /// The events, in the order in which they should be sent.
    pub events: Vec<Leased>,
    /// Events that would be here, but their bytes on disk are damaged. They are withheld already.
    pub damaged: Vec<EventKey>,
    /// Events that would be here, but their bodies are encrypted with a key that is not given. They are withheld
    /// already.
    pub locked: Vec<(EventKey, BodyKeyId)>,
    /// Gives events back; the engine's own.
    give_back: Box<dyn Fn(Vec<Leased>) + Send + Sync>,
}

impl Lease {
    /// A lease whose remaining events go to `give_back` when it is dropped.
    pub fn new(
        lane: LaneId,
        events: Vec<Leased>,
        give_back: impl Fn(Vec<Leased>) + Send + Sync + 'static,
    ) -> Self {
        Self {
            lane,
            events,
            damaged: Vec::new(),
            locked: Vec::new(),
            give_back: Box::new(give_back),
        }
    }

    /// Keeps some of the events; the others wait again.
    pub fn retain(&mut self, keep: impl Fn(&Leased) -> bool) {
        let events = std::mem::take(&mut self.events);
        let (kept, others): (Vec<_>, Vec<_>) = events.into_iter().partition(keep);
        self.events = kept;
        if !others.is_empty() {
            (self.give_back)(others);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.retain(|_| false);
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease")
            .field("lane", &self.lane)
            .field("events", &self.events.len())
            .finish_non_exhaustive()
    }
}
