//! What happens, told once: a method per happening writes the log line and moves the counter, so the
//! two cannot drift apart.
//!
//! Nothing here takes an event, a value of one, or a token: what cannot come in cannot leak.

mod doors;
mod exposition;
mod found;
mod lanes;
mod metrics;
mod minutes;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sluice_graph::{Usage, Version};
use sluice_journal::{ArrivalKind, CommitStats, EventKey, JournalError, LaneId};
use tracing::{error, info, warn};

use crate::doubt::Doubt;
use crate::lane_state::LaneState;
pub(crate) use doors::Guesses;
pub(crate) use found::Found;
use metrics::Metrics;
use minutes::Minutes;

/// How many events that stand back are named at most, in the log and on `/readyz`.
pub(crate) const NAMED_MAX: usize = 10;

/// Seconds from which on the clock of this computer is said to be wrong, and below which to be right again.
const SKEW_TOLD_S: u64 = 30;
const SKEW_OVER_S: u64 = 15;

/// The telemetry of one gateway.
#[derive(Clone)]
pub(crate) struct Watch {
    metrics: Arc<Metrics>,
    lanes: Arc<Mutex<BTreeMap<LaneId, LaneReport>>>,
    is_failing: Arc<AtomicBool>,
    /// It was told that the journal takes nothing until the next start.
    is_lost: Arc<AtomicBool>,
    /// When it was last told, in milliseconds since 1970, that all places are taken, that one address has too
    /// many, and that a request was answered 503.
    full_told_ms: Arc<AtomicU64>,
    refused_told_ms: Arc<AtomicU64>,
    busy_told_ms: Arc<AtomicU64>,
    is_skewed: Arc<AtomicBool>,
    minutes: Arc<Minutes>,
}

/// How a lane is doing.
#[derive(Debug, Clone, Default)]
pub(crate) struct LaneReport {
    pub(crate) state: LaneState,
    pub(crate) usage: Usage,
    /// Events that stand back while others go through.
    pub(crate) held: usize,
    /// The first few of those.
    pub(crate) held_first: Vec<EventKey>,
    /// The version that Meta answered with, when it was not the one that was asked for.
    pub(crate) served: Option<Version>,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self {
            metrics: Arc::new(Metrics::new()),
            lanes: Arc::default(),
            is_failing: Arc::default(),
            is_lost: Arc::default(),
            full_told_ms: Arc::default(),
            refused_told_ms: Arc::default(),
            busy_told_ms: Arc::default(),
            is_skewed: Arc::default(),
            minutes: Arc::default(),
        }
    }

    /// The journal kept what came, or could not.
    pub(crate) fn kept(&self, error: Option<&JournalError>) {
        if error.is_some() {
            self.metrics.not_kept.inc();
        }
        self.journal_fails(error);
    }

    /// The journal can write, or cannot. A full disk is told once, not for every request.
    pub(crate) fn journal_fails(&self, error: Option<&JournalError>) {
        let was_failing = self.is_failing.swap(error.is_some(), Ordering::Relaxed);
        match error {
            // May follow on another trouble, and asks for a person.
            Some(error) if error.is_lasting() && !self.is_lost.swap(true, Ordering::Relaxed) => {
                error!(
                    %error,
                    "events cannot be kept until the gateway is started again: the doors answer 503"
                );
            }
            Some(error) if !was_failing && !error.is_lasting() => {
                error!(%error, "events cannot be kept: the doors answer 503");
            }
            None if was_failing => info!("events can be kept again"),
            _ => {}
        }
    }

    /// Whether the last that was told is that events cannot be kept.
    pub(crate) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    /// Meta said what time it is, and the clock of this computer is ahead of that by so much. It is told once, and
    /// when it is over.
    pub(crate) fn clock_ahead(&self, ahead_ms: i64) {
        let seconds = ahead_ms / 1_000;
        self.metrics.clock_skew.set(seconds);
        let was_skewed = self.is_skewed.load(Ordering::Relaxed);
        let limit_s = if was_skewed { SKEW_OVER_S } else { SKEW_TOLD_S };
        let is_skewed = seconds.unsigned_abs() >= limit_s;
        self.is_skewed.store(is_skewed, Ordering::Relaxed);
        match (was_skewed, is_skewed) {
            (false, true) => warn!(
                seconds,
                "the clock of this computer differs from Meta's: set it, best by NTP"
            ),
            (true, false) => info!(seconds, "the clock of this computer is right again"),
            _ => {}
        }
    }

    /// How far the clock of this computer is ahead of Meta's, in seconds; 0 until Meta has said what time it is.
    pub(crate) fn clock_ahead_s(&self) -> i64 {
        self.metrics.clock_skew.get()
    }

    /// Why the time is in doubt now, if it is.
    pub(crate) fn clock_doubt(&self, doubt: Option<Doubt>) {
        self.metrics.clock_in_doubt.set(i64::from(doubt.is_some()));
        match doubt {
            Some(Doubt::Leapt) => warn!(
                "the clock of this computer has leapt: until Meta says what time it is, the old time goes on, and \
                 nothing expires or is deleted by it"
            ),
            Some(Doubt::Contradicted) => warn!(
                "Meta says another time than the clock of this computer: until that is confirmed nothing \
                 expires or is deleted"
            ),
            Some(Doubt::Unheard) => {}
            None => info!("the time is sure: Meta says the same, or was believed"),
        }
    }

    /// The journal has committed. What came in is counted here and not where it is answered: a client that went
    /// away has no answer, but its events are on disk.
    pub(crate) fn committed(&self, commit: &CommitStats) {
        self.metrics.commits.inc();
        self.metrics.commit.observe(commit.elapsed.as_secs_f64());
        for count in &commit.counts {
            let way = metrics::Way {
                source: count.source.as_ref().to_owned(),
                dataset: count.dataset.as_ref().to_owned(),
            };
            let metrics = &self.metrics;
            let counter = match &count.arrival {
                ArrivalKind::Received => metrics.received.get_or_create(&way),
                ArrivalKind::Accepted => metrics.accepted.get_or_create(&way),
                ArrivalKind::Duplicate => metrics.duplicate.get_or_create(&way),
                ArrivalKind::Rejected(code) => {
                    metrics.rejected.get_or_create(&metrics::Rejection {
                        source: way.source,
                        code: code.as_ref().to_owned(),
                        dataset: way.dataset,
                    })
                }
            };
            counter.inc_by(count.events);
        }
    }

    /// How every lane is doing.
    pub(crate) fn reports(&self) -> BTreeMap<LaneId, LaneReport> {
        self.lanes().clone()
    }

    fn lanes(&self) -> MutexGuard<'_, BTreeMap<LaneId, LaneReport>> {
        // Reports are replaced whole, so there is no half-written one.
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether something was not told for a minute; it is told now.
fn is_due(told_ms: &AtomicU64, now_ms: u64) -> bool {
    const BETWEEN_MS: u64 = 60_000;
    let told = told_ms.load(Ordering::Relaxed);
    // A clock that was set back must not keep the log silent.
    let is_due = now_ms.abs_diff(told) >= BETWEEN_MS;
    is_due
        && told_ms
            .compare_exchange(told, now_ms, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
}
