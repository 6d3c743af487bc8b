//! Jobs: things that happen by the clock, and what came of them.
//!
//! A [`Job`] says what it is called, how often it is due and how long a run may take, and does its work. The
//! [`Scheduler`] runs each when it is due, beside all others: a run that panics or takes too long is ended, told, and
//! harms no other. What came of runs is kept in the store ([`History`]), which also sees to it that gateways that share one take
//! turns. Without a store jobs run all the same.
//!
//! What has to happen within seconds, or asks for no history, is no job: it is `maintenance`.

mod due;
mod history;
mod retention;
mod scheduler;
#[cfg(test)]
mod tests;
mod versions;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub use history::{Came, History, Run};
pub(crate) use retention::Retention;
pub(crate) use scheduler::Scheduler;
pub(crate) use versions::Versions;

/// What the scheduler knows of a job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Its name in history, metrics and log: lower-case letters.
    pub(crate) name: &'static str,
    /// From the start of a run to the start of the next.
    pub(crate) every: Duration,
    /// How long a run may take; less than `every`.
    pub(crate) longest: Duration,
    pub(crate) whose: Whose,
}

/// Who has a job to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// One of the gateways that share a store: the others need not. Each run is in the history.
    Any,
    /// Each gateway, for itself, from its start on. A run is in the history when there is something to say of it.
    Each,
}

/// What a run did, in words for people, if there is anything to say; or why it could not. Neither holds a value of an
/// event or a secret.
pub(crate) type Outcome = Result<Option<String>, String>;

/// The work of a run.
pub(crate) type Work<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// Something that is done by the clock.
pub(crate) trait Job: Send + Sync {
    /// What it is called, when it is due, how long it may take.
    fn plan(&self) -> Plan;

    /// Whether something has happened for which it is due at once, such as a file that was written. It is asked every
    /// second.
    fn is_called(&self) -> bool {
        false
    }

    /// Does it once. When `stop` is cancelled it has to come to an end within a moment, or is dropped where it waits.
    fn run<'a>(&'a self, stop: &'a CancellationToken) -> Work<'a>;
}
