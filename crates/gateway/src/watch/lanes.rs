//! What the lanes tell: requests to Meta, what became of events, and how a lane is doing.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use sluice_graph::Version;
use sluice_journal::{BodyKeyId, EventKey, JournalError, LaneId, Outcome, RequestRecord, Waiting};
use tracing::{debug, error, info, warn};

use super::lines::{NotDelivered, Subject, Sum};
use super::news::{ToldState, UsageStep};
use super::{Watch, exposition, metrics};
use crate::board::{LaneReport, Rows};
use crate::clock::{rfc3339, seconds, seconds_up};
use crate::lane_state::{LaneState, StandsBack};

/// What the log said of a lane.
#[derive(Default)]
pub(super) struct KnownLane {
    told: ToldState,
    usage: UsageStep,
    /// The version that Meta answered with, when it was not the one that was asked for.
    served: Option<Version>,
}

impl Watch {
    /// A request to Meta was answered, or not.
    pub(crate) fn requested(&self, lane: &LaneId, record: &RequestRecord) {
        let dataset = lane.dataset.as_str().to_owned();
        let label = metrics::Request {
            dataset: dataset.clone(),
            verdict: record.verdict,
        };
        self.metrics.requests.get_or_create(&label).inc();
        let elapsed = Duration::from_millis(record.elapsed_ms);
        let histogram = (self.metrics.delivery).get_or_create(&dataset_label(lane));
        histogram.observe(elapsed.as_secs_f64());
        drop(histogram);
        debug!(
            dataset,
            test_code = lane.test_code.is_some(),
            verdict = record.verdict,
            events = record.events,
            bytes = record.bytes,
            status = record.status,
            code = record.code,
            subcode = record.subcode,
            received = record.received,
            ms = record.elapsed_ms,
            fbtrace_id = record.fbtrace_id.as_deref(),
            "request to Meta"
        );
        let subject = Subject::Requests {
            dataset,
            is_test: lane.test_code.is_some(),
            verdict: record.verdict,
            code: record.code,
            subcode: record.subcode,
        };
        self.line(&subject, sum_of(record));
    }

    /// Meta counts fewer events than were sent.
    pub(crate) fn fewer_received(&self, lane: &LaneId, record: &RequestRecord) {
        self.metrics.fewer.get_or_create(&dataset_label(lane)).inc();
        let dataset = lane.dataset.as_str().to_owned();
        self.line(&Subject::Fewer { dataset }, sum_of(record));
    }

    /// Events reached their final state.
    pub(crate) fn settled(&self, lane: &LaneId, outcomes: &[(EventKey, Outcome)]) {
        let (mut delivered, mut expired) = (0, 0);
        let mut refused = BTreeMap::<_, u64>::new();
        let mut withheld = BTreeMap::<_, Vec<EventKey>>::new();
        for (key, outcome) in outcomes {
            match outcome {
                Outcome::Delivered => delivered += 1,
                Outcome::Expired => expired += 1,
                Outcome::Withheld(cause) => withheld.entry(&cause.text).or_default().push(*key),
                Outcome::Refused(cause) => {
                    *refused.entry((cause.code, cause.subcode)).or_default() += 1;
                }
            }
        }
        let label = dataset_label(lane);
        (self.metrics.delivered.get_or_create(&label)).inc_by(delivered);
        for ((code, subcode), events) in refused {
            self.refused(lane, (code, subcode), events);
        }
        for (reason, keys) in withheld {
            (self.metrics.withheld.get_or_create(&label)).inc_by(keys.len() as u64);
            let why = NotDelivered::Withheld(reason.clone());
            self.not_delivered(lane, why, Sum::of_keys(keys.into_iter()));
        }
        if expired > 0 {
            self.metrics.expired.get_or_create(&label).inc_by(expired);
            self.not_delivered(lane, NotDelivered::Expired, Sum::of_events(expired));
        }
    }

    /// What became of events could not be written. Where that lies in their rows, events that come in are kept all the
    /// same; a journal that can write nothing is told of when it begins.
    pub(crate) fn not_settled(&self, lane: &LaneId, error: &JournalError) {
        if !matches!(error, JournalError::Damaged(_)) {
            return;
        }
        let subject = Subject::NotRecorded {
            dataset: lane.dataset.as_str().to_owned(),
            error: error.to_string(),
        };
        let attempt = Sum {
            requests: 1,
            ..Sum::default()
        };
        self.line(&subject, attempt);
    }

    /// Events of a lane that sends nothing are too old, and that could not be written.
    pub(crate) fn not_expired(lane: &LaneId, error: &JournalError) {
        let dataset = lane.dataset.as_str();
        warn!(dataset, %error, "events that are too old could not be set aside");
    }

    fn refused(&self, lane: &LaneId, (code, subcode): (Option<i64>, Option<i64>), events: u64) {
        let label = dataset_label(lane);
        self.metrics.refused.get_or_create(&label).inc_by(events);
        let refusal = metrics::Refusal {
            dataset: label.dataset,
            code: code.unwrap_or_default(),
            subcode: subcode.unwrap_or_default(),
        };
        self.metrics.refusals.get_or_create(&refusal).inc_by(events);
        let why = NotDelivered::Refused { code, subcode };
        self.not_delivered(lane, why, Sum::of_events(events));
    }

    /// Events whose bytes on disk are damaged; the journal withholds them.
    pub(crate) fn damaged(&self, lane: &LaneId, events: &[EventKey]) {
        if events.is_empty() {
            return;
        }
        let withheld = self.metrics.withheld.get_or_create(&dataset_label(lane));
        withheld.inc_by(events.len() as u64);
        drop(withheld);
        let events = Sum::of_keys(events.iter().copied());
        self.not_delivered(lane, NotDelivered::Damaged, events);
    }

    /// Events whose bodies are encrypted with a key that is not given; the journal withholds them.
    pub(crate) fn locked(&self, lane: &LaneId, events: &[(EventKey, BodyKeyId)]) {
        for (event, key) in events {
            (self.metrics.withheld.get_or_create(&dataset_label(lane))).inc();
            let event = Sum::of_keys([*event].into_iter());
            self.not_delivered(lane, NotDelivered::Locked(*key), event);
        }
    }

    /// Events stand back, so that they keep no others waiting.
    pub(crate) fn held(&self, lane: &LaneId, keys: &[EventKey], why: &StandsBack) {
        let held = self.metrics.held.get_or_create(&dataset_label(lane));
        held.inc_by(keys.len() as u64);
        drop(held);
        let reason = match why {
            StandsBack::Odd(trouble) => trouble.reason().to_owned(),
            StandsBack::Suspect => {
                "Meta refuses many events of the same source and name; more refused requests \
                                    would count against the app (see `sluice dead list`)"
                    .to_owned()
            }
            // For a minute; the doubt has its own lines.
            StandsBack::Undated => return,
        };
        let why = NotDelivered::Held(reason);
        self.not_delivered(lane, why, Sum::of_keys(keys.iter().copied()));
    }

    /// A lane ended because it had nothing to send.
    pub(crate) fn lane_retired(&self, lane: &LaneId) {
        self.known_lanes().remove(lane);
        // If there are further lanes of these series, the next look at the metrics makes them again.
        self.metrics.forget(&exposition::label_of(lane));
    }

    /// A lane ended by a panic, and is started again.
    pub(crate) fn lane_crashed(&self, lane: &LaneId) {
        (self
            .metrics
            .lane_crashes
            .get_or_create(&dataset_label(lane)))
        .inc();
        self.not_delivered(lane, NotDelivered::Crashed, Sum::default());
    }

    fn not_delivered(&self, lane: &LaneId, why: NotDelivered, events: Sum) {
        let dataset = lane.dataset.as_str().to_owned();
        self.line(&Subject::NotDelivered { dataset, why }, events);
    }

    /// How a lane is doing now: what is new about that is logged.
    pub(crate) fn lane(&self, lane: &LaneId, now: &LaneReport, waiting: impl FnOnce() -> Waiting) {
        let now_ms = self.now_ms();
        let (is_news, usage_before, usage) = {
            let mut lanes = self.known_lanes();
            let known = lanes.entry(lane.clone()).or_default();
            let usage = known.usage.after(now.usage.percent);
            let before = std::mem::replace(&mut known.usage, usage);
            (known.told.is_news(&now.state, now_ms), before, usage)
        };
        if usage != usage_before {
            tell_usage(lane, usage_before, usage, now.usage.percent);
        }
        if is_news {
            tell_state(lane, &now.state, waiting());
        }
    }

    /// Tells of lanes whose state the log did not say in the quiet minute after it said the same before.
    pub(super) fn tell_states(&self, rows: &Rows, waiting: impl Fn(&LaneId) -> Waiting) {
        let now_ms = self.now_ms();
        let mut news = Vec::new();
        {
            let mut known = self.known_lanes();
            for (id, row) in rows {
                let known = known.get_mut(id);
                if known.is_some_and(|known| known.told.is_news(&row.report.state, now_ms)) {
                    news.push((id, &row.report.state));
                }
            }
        }
        for (id, state) in news {
            tell_state(id, state, waiting(id));
        }
    }

    /// Meta answered with a version; another one than was asked for is told once.
    pub(crate) fn served(&self, lane: &LaneId, asked: Version, served: Version) {
        let other = Some(served).filter(|served| *served != asked);
        let known = {
            let mut lanes = self.known_lanes();
            let known = lanes.entry(lane.clone()).or_default();
            std::mem::replace(&mut known.served, other)
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
    pub(crate) fn unknown_dataset(&self, lane: &LaneId, state: &LaneState, waiting: Waiting) {
        {
            let mut lanes = self.known_lanes();
            let known = lanes.entry(lane.clone()).or_default();
            known.told.is_news(state, self.now_ms());
        }
        error!(
            dataset = lane.dataset.as_str(),
            events = waiting.ready,
            "events wait for a dataset that the configuration does not name"
        );
    }

    fn known_lanes(&self) -> MutexGuard<'_, BTreeMap<LaneId, KnownLane>> {
        // What was told is noted field by field, and any mixture of it can be used.
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn dataset_label(lane: &LaneId) -> metrics::Dataset {
    metrics::Dataset {
        dataset: lane.dataset.as_str().to_owned(),
    }
}

fn sum_of(record: &RequestRecord) -> Sum {
    Sum {
        requests: 1,
        events: record.events as u64,
        bytes: record.bytes as u64,
        slowest_ms: record.elapsed_ms,
        received: record.received,
        last: record.fbtrace_id.clone(),
        keys: Vec::new(),
    }
}

fn tell_state(lane: &LaneId, state: &LaneState, waiting: Waiting) {
    let (dataset, events) = (lane.dataset.as_str(), waiting.events());
    let first_expiry = waiting.first_expiry_s.map(rfc3339);
    let replay = lane.is_replay;
    match state {
        LaneState::Flowing => info!(dataset, replay, events, "lane flows again"),
        LaneState::Throttled { until_ms, reason } => {
            let until = rfc3339(seconds_up(*until_ms));
            warn!(dataset, replay, events, reason, until, "lane throttled");
        }
        LaneState::Paused { since_ms, reason } => {
            let since = rfc3339(seconds(*since_ms));
            warn!(
                dataset,
                replay,
                events,
                first_expiry,
                reason,
                since,
                "lane paused: its events wait until it is resumed, and expire as they always do"
            );
        }
        LaneState::Parked { reason, .. } if replay => warn!(
            dataset,
            events,
            first_expiry,
            reason,
            "events that were sent again do not go through; fresh events are not held up by them. \
             Some are tried each minute, and all when a token changes or the gateway gets SIGHUP"
        ),
        LaneState::Parked { reason, .. } => error!(
            dataset,
            events,
            first_expiry,
            reason,
            "lane parked: its events wait until the reason is mended; a new token takes effect by itself"
        ),
    }
}

fn tell_usage(lane: &LaneId, before: UsageStep, now: UsageStep, percent: u32) {
    let (dataset, replay) = (lane.dataset.as_str(), lane.is_replay);
    match now {
        UsageStep::Low => info!(
            dataset,
            replay, percent, "Meta's allowance is no longer nearly used up: sending at full speed"
        ),
        UsageStep::High if now < before => info!(
            dataset,
            replay, percent, "less of Meta's allowance is used up: half as many requests at once"
        ),
        UsageStep::High => warn!(
            dataset,
            replay, percent, "much of Meta's allowance is used up: half as many requests at once"
        ),
        UsageStep::Full => warn!(
            dataset,
            replay, percent, "Meta's allowance is nearly used up: one request at a time"
        ),
    }
}
