//! What happens, told once: a method per happening writes the log line and moves the counter, so the
//! two cannot drift apart.
//!
//! Nothing here takes an event, a value of one, or a token: what cannot come in cannot leak.

mod begin;
mod control;
mod doors;
mod exposition;
mod format;
mod jobs;
mod lanes;
mod lines;
mod metrics;
mod names;
mod news;
mod number;
mod process;
mod series;
mod tell;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use sluice_journal::{ArrivalKind, CommitStats, JournalError, LaneId, Waiting};
use tracing::{error, info, warn};

use crate::board::Rows;
use crate::clock::SharedClock;
use crate::config::Config;
use crate::doubt::Doubt;
pub(crate) use doors::{FoundInRequest, Guesses};
pub(crate) use format::Format;
pub(crate) use jobs::JobEnd;
use lanes::KnownLane;
use lines::{Lines, Subject, Sum};
use metrics::Metrics;

/// How many events that stand back are named at most, in the log and on `/readyz`.
pub(crate) const NAMED_MAX: usize = 10;

/// Seconds from which on the clock of this computer is said to be wrong, and below which to be right again.
const SKEW_TOLD_S: u64 = 30;
const SKEW_OVER_S: u64 = 15;

/// The telemetry of one gateway.
#[derive(Clone)]
pub(crate) struct Watch {
    metrics: Arc<Metrics>,
    lanes: Arc<Mutex<BTreeMap<LaneId, KnownLane>>>,
    /// For the minutes of the log.
    clock: SharedClock,
    lines: Arc<Lines>,
    is_failing: Arc<AtomicBool>,
    /// It was told that the journal takes nothing until the next start.
    is_lost: Arc<AtomicBool>,
    is_skewed: Arc<AtomicBool>,
    /// Why the store cannot be used, as it was told.
    records: Arc<Mutex<Option<String>>>,
}

impl Watch {
    pub(crate) fn new(clock: SharedClock) -> Self {
        Self {
            metrics: Arc::new(Metrics::new()),
            lanes: Arc::default(),
            clock,
            lines: Arc::default(),
            is_failing: Arc::default(),
            is_lost: Arc::default(),
            is_skewed: Arc::default(),
            records: Arc::default(),
        }
    }

    /// By the computer's clock.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        Self::new(Arc::new(crate::clock::SystemClock::default()))
    }

    /// Begins the series at 0 that there are from the start on.
    pub(crate) fn begin(&self, started_ms: u64) {
        self.metrics.begin(started_ms);
    }

    /// A configuration is in force from now on. Begins all series at 0 that can be known from it: the first event of a
    /// series that appears with it is no increase to Prometheus.
    pub(crate) fn configured(&self, config: &Config, now_ms: u64) {
        self.metrics.configured(config, now_ms);
    }

    /// Adds to what the log says of a subject once a minute.
    fn line(&self, subject: &Subject, sum: Sum) {
        if let Some(sum) = self.lines.add(subject, sum, self.now_ms()) {
            tell::tell(subject, &sum);
        }
    }

    /// Tells what came while the log was quiet about it. To be called every few seconds.
    pub(crate) fn tell_further(&self, rows: &Rows, waiting: impl Fn(&LaneId) -> Waiting) {
        self.tell_sums(self.now_ms());
        self.tell_states(rows, waiting);
    }

    /// Tells all that is left to be told, at the end.
    pub(crate) fn tell_rest(&self) {
        self.tell_sums(u64::MAX);
    }

    fn tell_sums(&self, now_ms: u64) {
        for (subject, sum) in self.lines.due(now_ms) {
            tell::tell(&subject, &sum);
        }
    }

    /// Milliseconds on a clock that is never set.
    fn now_ms(&self) -> u64 {
        self.clock.monotonic_ms()
    }

    /// The journal kept what came, or could not.
    pub(crate) fn kept(&self, error: Option<&JournalError>) {
        if error.is_some() {
            self.metrics.not_kept.inc();
        }
        self.journal_fails(error);
    }

    /// The journal can write, or cannot. A full disk is told once, not for every request; damaged rows, which concern
    /// some requests only, once a minute.
    pub(crate) fn journal_fails(&self, error: Option<&JournalError>) {
        if let Some(JournalError::Damaged(detail)) = error {
            let error = detail.clone();
            self.line(&Subject::NotKept { error }, Sum::default());
            return;
        }
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
    #[cfg(test)]
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

    /// The file of the configuration was read: whether it cannot be used, and whether something of it is not in force
    /// for that or another reason.
    pub(crate) fn configuration_read(&self, has_failed: bool, is_edited: bool) {
        let metrics = &self.metrics;
        metrics.configuration_failed.set(i64::from(has_failed));
        metrics.configuration_edited.set(i64::from(is_edited));
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
            let series = match &count.arrival {
                ArrivalKind::Received => &metrics.received,
                ArrivalKind::Accepted => &metrics.accepted,
                ArrivalKind::Duplicate => &metrics.duplicate,
                ArrivalKind::Rejected(code) => {
                    let rejection = metrics::Rejection {
                        source: way.source,
                        code: code.as_ref().to_owned(),
                        dataset: way.dataset,
                    };
                    let rejected = metrics.rejected.get_or_create(&rejection);
                    rejected.inc_by(count.events);
                    continue;
                }
            };
            series.get_or_create(&way).inc_by(count.events);
        }
    }
}
