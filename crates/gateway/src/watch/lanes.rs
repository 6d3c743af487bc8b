//! What the lanes tell: requests to Meta, what became of events, and how a lane is doing.

use std::time::Duration;

use sluice_graph::Version;
use sluice_journal::{BodyKeyId, EventKey, LaneId, Outcome, RequestRecord, Waiting};
use tracing::{error, info, warn};

use super::{LaneReport, NAMED_MAX, Watch, metrics};
use crate::lane_state::{LaneState, Trouble};

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
