//! What the writer is asked to do, and how it answers.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::amend::Change;
use super::append::Arrival;
use super::indexing::Segment;
use super::lane::Lane;
use super::prune::Prune;
use super::sweep::Sweep;
#[cfg(test)]
use super::writer::Writer;
use crate::error::JournalError;
use crate::types::{Amended, Appended, Arrivals, DeliveryReport, EventKey, Rejection};

/// Events of one group.
pub(super) const EVENTS_PER_COMMIT: usize = 4_096;

/// Where an answer goes. The caller may have gone away; what was written stays written.
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
    Amend {
        change: Box<Change>,
        /// As with [`Command::Append`].
        _room: OwnedSemaphorePermit,
        reply: Reply<Amended>,
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
    Prune {
        prune: Prune,
        reply: Reply<Prune>,
    },
    /// Writes the index of a segment of events.
    Index {
        segment: Box<Segment>,
        reply: Reply<()>,
    },
    Close {
        reply: Reply<()>,
    },
    #[cfg(test)]
    Inspect(Box<dyn FnOnce(&mut Writer) + Send>),
}

/// The result of a command, until it is committed.
pub(super) enum Done {
    Appended(Vec<Appended>),
    Amended(Amended),
    Settled,
    Intended,
    Swept(Sweep),
    Pruned(Prune),
    Indexed,
    Nothing,
}

impl Command {
    /// Events and bytes that it adds to a group.
    pub(super) fn weight(&self) -> (usize, usize) {
        match self {
            Command::Append {
                arrivals,
                rejections,
                ..
            } => {
                let bytes = arrivals.iter().map(Arrival::bytes).sum();
                (arrivals.len() + rejections.len(), bytes)
            }
            Command::Amend { change, .. } => (1, change.bytes()),
            Command::Settle { report, .. } => (report.outcomes.len(), 0),
            Command::Forget { keys, .. } | Command::Intend { keys, .. } => (keys.len(), 0),
            // A step looks at thousands of events.
            Command::Sweep { .. } | Command::Prune { .. } => (EVENTS_PER_COMMIT, 0),
            Command::Index { segment, .. } => (0, segment.bytes()),
            Command::Close { .. } => (0, 0),
            #[cfg(test)]
            Command::Inspect(_) => (0, 0),
        }
    }

    /// Answers a command that is committed.
    pub(super) fn answer(self, done: Done) {
        let is_heard = match (self, done) {
            (Command::Append { reply, .. }, Done::Appended(appended)) => {
                reply.send(Ok(appended)).is_ok()
            }
            (Command::Amend { reply, .. }, Done::Amended(amended)) => {
                reply.send(Ok(amended)).is_ok()
            }
            (Command::Settle { reply, .. } | Command::Forget { reply, .. }, Done::Settled)
            | (Command::Intend { reply, .. }, Done::Intended)
            | (Command::Index { reply, .. }, Done::Indexed) => reply.send(Ok(())).is_ok(),
            (Command::Sweep { reply, .. }, Done::Swept(sweep)) => reply.send(Ok(sweep)).is_ok(),
            (Command::Prune { reply, .. }, Done::Pruned(prune)) => reply.send(Ok(prune)).is_ok(),
            _ => true,
        };
        ignore_absent_caller(is_heard);
    }

    /// Answers a command that failed.
    pub(super) fn fail(self, error: JournalError) {
        let is_heard = match self {
            Command::Append { reply, .. } => reply.send(Err(error)).is_ok(),
            Command::Amend { reply, .. } => reply.send(Err(error)).is_ok(),
            Command::Settle { reply, .. }
            | Command::Forget { reply, .. }
            | Command::Intend { reply, .. }
            | Command::Index { reply, .. }
            | Command::Close { reply } => reply.send(Err(error)).is_ok(),
            Command::Sweep { reply, .. } => reply.send(Err(error)).is_ok(),
            Command::Prune { reply, .. } => reply.send(Err(error)).is_ok(),
            #[cfg(test)]
            Command::Inspect(_) => true,
        };
        ignore_absent_caller(is_heard);
    }
}

/// The caller waits for the answer no more: a client that went away, a task that was aborted.
pub(super) fn ignore_absent_caller(_is_heard: bool) {}
