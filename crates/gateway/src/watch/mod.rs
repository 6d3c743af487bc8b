//! What happens, told once: a method per happening writes the log line and moves the counter, so the
//! two cannot drift apart.
//!
//! Nothing here takes an event, a value of one, or a token: what cannot come in cannot leak.

mod found;
mod metrics;
mod minutes;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sluice_graph::{Usage, Version};
use sluice_journal::{
    ArrivalKind, BodyKeyId, CommitStats, EventKey, Health, JournalError, LaneId, Outcome,
    RequestRecord, Waiting,
};
use tracing::{debug, error, info, warn};

use crate::clock::seconds;
use crate::door::Guesses;
use crate::lane_state::{LaneState, Trouble};
use crate::time::Doubt;
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

    /// A door answered. A server error that clients can cause is logged once a minute, a defect each time.
    pub(crate) fn answered(
        &self,
        door: &'static str,
        status: u16,
        request_id: &str,
        is_stopping: bool,
        now_ms: u64,
    ) {
        let label = metrics::Door { door, status };
        self.metrics.door_requests.get_or_create(&label).inc();
        if self.is_worth_a_warning(status, is_stopping, now_ms) {
            warn!(door, status, request_id, "answered with a server error");
        } else {
            debug!(door, status, request_id, "answered");
        }
    }

    fn is_worth_a_warning(&self, status: u16, is_stopping: bool, now_ms: u64) -> bool {
        // That the journal takes nothing, and that the gateway stops, was told when it began.
        let is_told = self.is_failing() || is_stopping;
        match status {
            _ if is_told => false,
            503 => is_due(&self.busy_told_ms, now_ms),
            // What the client asks for is not implemented.
            501 => false,
            _ => status >= 500,
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

    /// A request with a wrong key, or without one, was refused; once a minute the log says how many were.
    pub(crate) fn wrong_key(&self, guesses: Option<&Guesses>) {
        self.metrics.wrong_keys.inc();
        let Some(Guesses {
            keys,
            addresses,
            most_from,
        }) = guesses
        else {
            return;
        };
        warn!(
            requests = keys,
            addresses,
            %most_from,
            "requests were refused for a wrong key, or for none"
        );
    }

    /// All places for connections are taken. This is told once a minute.
    pub(crate) fn is_full(&self, now_ms: u64) {
        if is_due(&self.full_told_ms, now_ms) {
            warn!("server.connections_max is reached: further connections wait until others end");
        }
    }

    /// An address has as many connections as it may. This is told once a minute.
    pub(crate) fn address_has_too_many(&self, address: IpAddr, now_ms: u64) {
        if is_due(&self.refused_told_ms, now_ms) {
            warn!(
                %address,
                "an address has a quarter of server.connections_max open: further connections of it are closed"
            );
        }
    }

    /// A connection was opened or closed.
    pub(crate) fn connections(&self, change: i64) {
        self.metrics.connections.inc_by(change);
    }

    /// A request to Meta was answered, or not.
    pub(crate) fn requested(&self, lane: &LaneId, record: &RequestRecord) {
        let dataset = lane.dataset.as_str().to_owned();
        let label = metrics::Request {
            dataset: dataset.clone(),
            verdict: record.verdict,
        };
        self.metrics.requests.get_or_create(&label).inc();
        let elapsed = Duration::from_millis(record.elapsed_ms);
        let label = metrics::Dataset { dataset };
        let histogram = self.metrics.delivery.get_or_create(&label);
        histogram.observe(elapsed.as_secs_f64());
        info!(
            dataset = lane.dataset.as_str(),
            test_code = lane.test_code.is_some(),
            events = record.events,
            bytes = record.bytes,
            status = record.status,
            code = record.code,
            subcode = record.subcode,
            received = record.received,
            fbtrace_id = record.fbtrace_id.as_deref(),
            ms = record.elapsed_ms,
            verdict = record.verdict,
            "request to Meta"
        );
    }

    /// Meta counts fewer events than were sent.
    pub(crate) fn fewer_received(&self, lane: &LaneId, record: &RequestRecord) {
        let dataset = lane.dataset.as_str().to_owned();
        self.metrics
            .fewer
            .get_or_create(&metrics::Dataset { dataset })
            .inc();
        warn!(
            dataset = lane.dataset.as_str(),
            sent = record.events,
            received = record.received,
            fbtrace_id = record.fbtrace_id.as_deref(),
            "Meta took the request but counts fewer events than were sent; see Events Manager, Diagnostics"
        );
    }

    /// Events reached their final state.
    pub(crate) fn settled(&self, lane: &LaneId, outcomes: &[(EventKey, Outcome)]) {
        let dataset = lane.dataset.as_str();
        let label = metrics::Dataset {
            dataset: dataset.to_owned(),
        };
        let (mut delivered, mut expired, mut refused) = (0, 0, 0);
        let mut refused_for = None;
        let (mut withheld, mut withheld_for) = (Vec::new(), None);
        for (key, outcome) in outcomes {
            match outcome {
                Outcome::Delivered => delivered += 1,
                Outcome::Expired => expired += 1,
                Outcome::Withheld(cause) => {
                    withheld.push(*key);
                    withheld_for = Some(&cause.text);
                }
                Outcome::Refused(cause) => {
                    let refusal = metrics::Refusal {
                        dataset: dataset.to_owned(),
                        code: cause.code.unwrap_or_default(),
                        subcode: cause.subcode.unwrap_or_default(),
                    };
                    self.metrics.refused.get_or_create(&refusal).inc();
                    refused += 1;
                    refused_for = Some((cause.code, cause.subcode));
                }
            }
        }
        self.metrics
            .delivered
            .get_or_create(&label)
            .inc_by(delivered);
        if let Some((code, subcode)) = refused_for {
            warn!(
                dataset,
                events = refused,
                code,
                subcode,
                "Meta refused events: see `sluice dead list`"
            );
        }
        if let Some(reason) = withheld_for {
            let events = withheld.len();
            let withheld_events = self.metrics.withheld.get_or_create(&label);
            withheld_events.inc_by(events as u64);
            warn!(
                dataset,
                events,
                keys = some_of(&withheld),
                reason,
                "events withheld: see `sluice dead list --state withheld`"
            );
        }
        if expired > 0 {
            self.metrics.expired.get_or_create(&label).inc_by(expired);
            warn!(dataset, events = expired, "events grew too old for Meta");
        }
    }

    /// Events whose bytes on disk are damaged; the journal withholds them.
    pub(crate) fn damaged(&self, lane: &LaneId, events: &[EventKey]) {
        let dataset = lane.dataset.as_str();
        let label = metrics::Dataset {
            dataset: dataset.to_owned(),
        };
        for event in events {
            self.metrics.withheld.get_or_create(&label).inc();
            error!(
                dataset,
                event = event.0,
                "an event is damaged on disk and withheld; check the disk"
            );
        }
    }

    /// Events whose bodies are encrypted with a key that is not given; the journal withholds them.
    pub(crate) fn locked(&self, lane: &LaneId, events: &[(EventKey, BodyKeyId)]) {
        let dataset = lane.dataset.as_str();
        let label = metrics::Dataset {
            dataset: dataset.to_owned(),
        };
        for (event, key) in events {
            self.metrics.withheld.get_or_create(&label).inc();
            error!(
                dataset,
                event = event.0,
                %key,
                "an event is withheld: its body is encrypted with another key; set \
                 journal.encryption_key_previous and send it again with `sluice dead replay`"
            );
        }
    }

    /// How a lane is doing now; what is new about that is logged.
    pub(crate) fn lane(&self, lane: &LaneId, now: &LaneReport, waiting: impl FnOnce() -> Waiting) {
        let told = {
            let mut lanes = self.lanes();
            let report = lanes.entry(lane.clone()).or_default();
            report.usage = now.usage;
            report.held = now.held;
            report.held_first.clone_from(&now.held_first);
            std::mem::replace(&mut report.state, now.state.clone())
        };
        let state = &now.state;
        if told.name() == state.name() && told.parked_for() == state.parked_for() {
            return;
        }
        let waiting = waiting();
        let (dataset, events) = (lane.dataset.as_str(), waiting.ready + waiting.leased);
        let first_expiry_s = waiting.first_expiry_s;
        let replay = lane.is_replay;
        match state {
            LaneState::Flowing => info!(dataset, replay, events, "lane flows again"),
            LaneState::Throttled { until_ms, reason } => {
                warn!(dataset, replay, events, reason, until_ms, "lane throttled");
            }
            LaneState::Parked { reason, .. } if replay => warn!(
                dataset,
                events,
                first_expiry_s,
                reason,
                "events that were sent again do not go through; fresh events are not held up by them. \
                 Some are tried each minute, and all when a token changes or the gateway gets SIGHUP"
            ),
            LaneState::Parked { reason, .. } => error!(
                dataset,
                events,
                first_expiry_s,
                reason,
                "lane parked: its events wait until somebody mends the reason; \
                 a new token takes effect by itself"
            ),
        }
    }

    /// Events stand back: they did not go through while others did.
    pub(crate) fn held(&self, lane: &LaneId, keys: &[EventKey], why: &Trouble) {
        let events = keys.len();
        let dataset = lane.dataset.as_str().to_owned();
        self.metrics
            .held
            .get_or_create(&metrics::Dataset { dataset })
            .inc_by(events as u64);
        error!(
            dataset = lane.dataset.as_str(),
            events,
            keys = some_of(keys),
            reason = why.reason(),
            "events stand back while others go through; they are tried again in half an hour, \
             and when a token changes or the gateway gets SIGHUP; `sluice dead show` shows one"
        );
    }

    /// Meta answered with a version; another one than was asked for is told once.
    pub(crate) fn served(&self, lane: &LaneId, asked: Version, served: Version) {
        let other = Some(served).filter(|served| *served != asked);
        let known = {
            let mut lanes = self.lanes();
            let report = lanes.entry(lane.clone()).or_default();
            std::mem::replace(&mut report.served, other)
        };
        if other.is_none() || other == known {
            return;
        }
        warn!(
            dataset = lane.dataset.as_str(),
            %asked,
            %served,
            "Meta answered with another version of the Graph API than the configured one"
        );
    }

    /// Events wait for a dataset that the configuration does not know.
    pub(crate) fn unknown_dataset(&self, lane: &LaneId, waiting: Waiting) {
        let state = LaneState::Parked {
            probe_ms: u64::MAX,
            reason: "the configuration does not name this dataset".to_owned(),
        };
        self.lanes().entry(lane.clone()).or_default().state = state;
        error!(
            dataset = lane.dataset.as_str(),
            events = waiting.ready,
            "events wait for a dataset that the configuration does not name"
        );
    }

    /// A lane ended by a panic, and is started again.
    pub(crate) fn lane_crashed(&self, lane: &LaneId) {
        let dataset = lane.dataset.as_str().to_owned();
        self.metrics
            .lane_crashes
            .get_or_create(&metrics::Dataset { dataset })
            .inc();
        error!(
            dataset = lane.dataset.as_str(),
            "a defect in Sluice ended the lane; it starts again, and its events wait meanwhile"
        );
    }

    /// Whether a lane waits for a person to mend something.
    pub(crate) fn has_parked(&self) -> bool {
        let is_parked = |report: &LaneReport| {
            // A dataset that the configuration does not name is nothing that a new token mends.
            matches!(report.state, LaneState::Parked { probe_ms, .. } if probe_ms != u64::MAX)
        };
        self.lanes().values().any(is_parked)
    }

    /// How every lane is doing.
    pub(crate) fn reports(&self) -> BTreeMap<LaneId, LaneReport> {
        self.lanes().clone()
    }

    /// The metrics in Prometheus' text format, with what waits in each lane at this moment.
    pub(crate) fn exposition(
        &self,
        lanes: &[(LaneId, Waiting)],
        health: &Health,
        now_ms: u64,
    ) -> String {
        let reports = self.reports();
        let mut gauges = BTreeMap::<_, LaneGauges<'_>>::new();
        for (id, waiting) in lanes {
            // A lane per test code, but one series for all of them: codes come from outside.
            let series = gauges.entry((&id.dataset, id.test_code.is_some(), id.is_replay));
            series.or_default().add(*waiting, reports.get(id));
        }
        for ((dataset, is_test, is_replay), lane) in &gauges {
            let label = metrics::Lane {
                dataset: dataset.as_str().to_owned(),
                test: yes_or_no(*is_test),
                replay: yes_or_no(*is_replay),
            };
            self.gauge(&label, lane, now_ms);
        }
        let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        self.metrics.db.set(bytes(health.db_bytes));
        self.metrics.wal.set(bytes(health.wal_bytes));
        for (state, events) in metrics::states(&health.tally) {
            let events = i64::try_from(events).unwrap_or(i64::MAX);
            let label = metrics::State { state };
            self.metrics
                .journal_events
                .get_or_create(&label)
                .set(events);
        }
        let is_failing = i64::from(health.is_failing.is_some());
        self.metrics.failing.set(is_failing);
        let mut text = String::new();
        // Writing to a `String` cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.metrics.registry);
        text
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds of a few months, and milliseconds since 1970, fit into a float"
    )]
    fn gauge(&self, label: &metrics::Lane, lane: &LaneGauges<'_>, now_ms: u64) {
        let gauges = &self.metrics;
        let events = i64::try_from(lane.events).unwrap_or(i64::MAX);
        gauges.waiting.get_or_create(label).set(events);
        let age_ms = lane.oldest_ms.map_or(0, |ms| now_ms.saturating_sub(ms));
        gauges
            .oldest_waiting
            .get_or_create(label)
            .set(age_ms as f64 / 1_000.0);
        let left_s = lane.first_expiry_s.map(|at_s| at_s - seconds(now_ms));
        gauges
            .first_expiry
            .get_or_create(label)
            .set(left_s.map_or(f64::NAN, |left_s| left_s as f64));
        let usage = lane.worst.map_or(0, |report| report.usage.percent);
        gauges.usage.get_or_create(label).set(i64::from(usage));
        let current = lane.worst.map_or("flowing", |report| report.state.name());
        for state in ["flowing", "throttled", "parked"] {
            let label = metrics::LaneState {
                dataset: label.dataset.clone(),
                test: label.test,
                replay: label.replay,
                state,
            };
            let is_current = i64::from(state == current);
            gauges.lane_state.get_or_create(&label).set(is_current);
        }
    }

    fn lanes(&self) -> std::sync::MutexGuard<'_, BTreeMap<LaneId, LaneReport>> {
        // Reports are replaced whole, so there is no half-written one.
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is shown of the lanes of one dataset that send test events, or of the one that does not.
#[derive(Default)]
struct LaneGauges<'a> {
    events: usize,
    oldest_ms: Option<u64>,
    first_expiry_s: Option<i64>,
    worst: Option<&'a LaneReport>,
}

impl<'a> LaneGauges<'a> {
    fn add(&mut self, waiting: Waiting, report: Option<&'a LaneReport>) {
        self.events += waiting.ready + waiting.leased;
        self.oldest_ms = self.oldest_ms.into_iter().chain(waiting.oldest_ms).min();
        let expiries = self.first_expiry_s.into_iter();
        self.first_expiry_s = expiries.chain(waiting.first_expiry_s).min();
        let badness = |report: &&LaneReport| match report.state {
            LaneState::Flowing => 0,
            LaneState::Throttled { .. } => 1,
            LaneState::Parked { .. } => 2,
        };
        self.worst = self.worst.into_iter().chain(report).max_by_key(badness);
    }
}

fn yes_or_no(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "no" }
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

/// The first few keys, for a line of the log.
fn some_of(keys: &[EventKey]) -> String {
    let named: Vec<_> = keys
        .iter()
        .take(NAMED_MAX)
        .map(|key| key.0.to_string())
        .collect();
    let more = if keys.len() > NAMED_MAX { ", …" } else { "" };
    format!("{}{more}", named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_cannot_fill_the_log_with_server_errors() {
        let watch = Watch::new();
        let is_told = |status, now_ms| watch.is_worth_a_warning(status, false, now_ms);
        assert!(is_told(503, 100_000) && !is_told(503, 159_999) && is_told(503, 160_000));
        assert!(
            is_told(500, 160_001) && is_told(500, 160_001),
            "each defect"
        );
        assert!(!is_told(501, 300_000) && !is_told(422, 300_000));
        assert!(!watch.is_worth_a_warning(500, true, 300_000), "in a stop");
    }
}
