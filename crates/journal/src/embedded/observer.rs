//! What a commit tells those who watch the journal.

use std::sync::Arc;
use std::time::Duration;

use super::tally::{Changes, Counted};
use super::terms::Texts;

/// What the commit of a group brought, and what it cost.
#[derive(Debug, Clone)]
pub struct CommitStats {
    /// Events that were appended.
    pub events: usize,
    /// From the start of the transaction until it was on disk.
    pub elapsed: Duration,
    /// What came in with it.
    pub counts: Vec<CommittedCount>,
}

/// Is called with every commit, on the writer's thread and before the callers are answered: it must not block.
pub type Observer = Box<dyn Fn(CommitStats) + Send>;

/// Events of one source for one dataset that were committed together and came to the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedCount {
    /// Where they go, or were meant to go.
    pub dataset: Arc<str>,
    /// Where they come from.
    pub source: Arc<str>,
    /// What became of them.
    pub arrival: ArrivalKind,
    /// How many.
    pub events: u64,
}

/// What becomes of an event that comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArrivalKind {
    /// It came in; one of the others follows from it.
    Received,
    /// It is on disk.
    Accepted,
    /// It is a copy of an event that is known already.
    Duplicate,
    /// No dataset could take it, because it broke the rule of this name.
    Rejected(Arc<str>),
}

impl ArrivalKind {
    /// `None` for what is counted when events are settled.
    pub(super) fn of(counted: Counted, code: Option<Arc<str>>) -> Option<Self> {
        match counted {
            Counted::Received => Some(ArrivalKind::Received),
            Counted::Accepted => Some(ArrivalKind::Accepted),
            Counted::Duplicate => Some(ArrivalKind::Duplicate),
            Counted::Rejected => Some(ArrivalKind::Rejected(code?)),
            Counted::Delivered
            | Counted::Refused
            | Counted::Expired
            | Counted::Withheld
            | Counted::Recorded => None,
        }
    }
}

/// What came in with a group, and what became of it at once.
pub(super) fn counts(texts: &Texts, changes: &Changes) -> Vec<CommittedCount> {
    let mut counts = Vec::new();
    changes.each(|(dataset, source), counted, code, events| {
        let arrival = ArrivalKind::of(counted, code.map(|code| texts.get(code)));
        if let (Some(arrival), Ok(events)) = (arrival, u64::try_from(events)) {
            counts.push(CommittedCount {
                dataset: texts.get(dataset),
                source: texts.get(source),
                arrival,
                events,
            });
        }
    });
    counts
}
