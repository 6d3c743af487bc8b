//! What is counted, as typed families for Prometheus.
//!
//! Every label is a name from the configuration, a code of Meta's or a finding's code: nothing that comes
//! from an event, so neither personal data nor an unlimited number of series can get in.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use sluice_journal::Tally;

use super::jobs::JobMetrics;
use super::number::{Count, Number};
use super::process::Process;
use super::series::Series;

/// From where, to where.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Way {
    pub(crate) source: String,
    pub(crate) dataset: String,
}

/// The rule for which events were rejected.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Rejection {
    pub(crate) source: String,
    pub(crate) code: String,
    pub(crate) dataset: String,
}

/// A rule that something was found by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Finding {
    pub(crate) source: String,
    pub(crate) code: &'static str,
    pub(crate) severity: &'static str,
}

/// Why a whole request was refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RefusedRequest {
    pub(crate) source: String,
    pub(crate) code: String,
}

/// The source of a request without a key of any source; no source can have this name.
pub(crate) const NO_SOURCE: &str = "(none)";

/// A line of the books.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct State {
    pub(crate) state: &'static str,
}

/// The lines of the books, as `sluice audit` has them.
pub(crate) fn states(tally: &Tally) -> [(&'static str, u64); 10] {
    [
        ("received", tally.received),
        ("accepted", tally.accepted),
        ("duplicate", tally.duplicate),
        ("rejected", tally.rejected),
        ("waiting", tally.waiting),
        ("delivered", tally.delivered),
        ("refused", tally.refused),
        ("expired", tally.expired),
        ("withheld", tally.withheld),
        ("recorded", tally.recorded),
    ]
}

/// A dataset.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Dataset {
    pub(crate) dataset: String,
}

/// A lane: a dataset, with or without a test code, of fresh events or of those that were sent again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Lane {
    pub(crate) dataset: String,
    pub(crate) test: &'static str,
    pub(crate) replay: &'static str,
}

/// A lane in a state.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct LaneState {
    pub(crate) dataset: String,
    pub(crate) test: &'static str,
    pub(crate) replay: &'static str,
    pub(crate) state: &'static str,
}

/// Why Meta refused an event.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Refusal {
    pub(crate) dataset: String,
    pub(crate) code: i64,
    pub(crate) subcode: i64,
}

/// Something that a person did.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Action {
    pub(crate) action: &'static str,
}

/// The program.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Build {
    pub(crate) version: &'static str,
}

/// A request to Meta and what its answer meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Request {
    pub(crate) dataset: String,
    pub(crate) verdict: &'static str,
}

/// A request at a door.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Door {
    pub(crate) door: &'static str,
    pub(crate) status: u16,
}

/// Every metric.
pub(crate) struct Metrics {
    pub(crate) registry: Registry,
    pub(crate) build: Family<Build, Count>,
    pub(crate) started: Number,
    pub(crate) received: Series<Way, Counter>,
    pub(crate) accepted: Series<Way, Counter>,
    pub(crate) duplicate: Series<Way, Counter>,
    pub(crate) rejected: Series<Rejection, Counter>,
    pub(crate) findings: Series<Finding, Counter>,
    pub(crate) delivered: Series<Dataset, Counter>,
    pub(crate) refused: Series<Dataset, Counter>,
    pub(crate) refusals: Series<Refusal, Counter>,
    pub(crate) expired: Series<Dataset, Counter>,
    pub(crate) withheld: Series<Dataset, Counter>,
    pub(crate) waiting: Series<Lane, Count>,
    pub(crate) oldest_waiting: Series<Lane, Number>,
    pub(crate) first_expiry: Series<Lane, Number>,
    pub(crate) lane_state: Series<LaneState, Count>,
    pub(crate) usage: Series<Lane, Number>,
    pub(crate) requests: Series<Request, Counter>,
    pub(crate) delivery: Series<Dataset, Histogram>,
    pub(crate) fewer: Series<Dataset, Counter>,
    pub(crate) held: Series<Dataset, Counter>,
    pub(crate) lane_crashes: Series<Dataset, Counter>,
    pub(crate) commits: Counter,
    pub(crate) commit: Histogram,
    pub(crate) door_requests: Family<Door, Counter>,
    pub(crate) refused_requests: Series<RefusedRequest, Counter>,
    pub(crate) connections: Count,
    pub(crate) wrong_keys: Counter,
    pub(crate) not_kept: Counter,
    pub(crate) journal_events: Family<State, Count>,
    pub(crate) db: Count,
    pub(crate) wal: Count,
    pub(crate) failing: Count,
    pub(crate) clock_skew: Count,
    pub(crate) clock_in_doubt: Count,
    pub(crate) configuration_edited: Count,
    pub(crate) configuration_failed: Count,
    pub(super) jobs: JobMetrics,
    pub(crate) configurations: Counter,
    pub(crate) configured: Number,
    pub(crate) actions: Family<Action, Counter>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut it = Self {
            registry: Registry::default(),
            build: Family::default(),
            started: Number::default(),
            received: Series::default(),
            accepted: Series::default(),
            duplicate: Series::default(),
            rejected: Series::default(),
            findings: Series::default(),
            delivered: Series::default(),
            refused: Series::default(),
            refusals: Series::default(),
            expired: Series::default(),
            withheld: Series::default(),
            waiting: Series::default(),
            oldest_waiting: Series::default(),
            first_expiry: Series::default(),
            lane_state: Series::default(),
            usage: Series::default(),
            requests: Series::default(),
            delivery: Series::of(Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.01, 2.0, 12))
            })),
            fewer: Series::default(),
            held: Series::default(),
            lane_crashes: Series::default(),
            commits: Counter::default(),
            commit: Histogram::new(exponential_buckets(0.000_25, 2.0, 14)),
            door_requests: Family::default(),
            refused_requests: Series::default(),
            connections: Count::default(),
            wrong_keys: Counter::default(),
            not_kept: Counter::default(),
            journal_events: Family::default(),
            db: Count::default(),
            wal: Count::default(),
            failing: Count::default(),
            clock_skew: Count::default(),
            clock_in_doubt: Count::default(),
            configuration_edited: Count::default(),
            configuration_failed: Count::default(),
            jobs: JobMetrics::default(),
            configurations: Counter::default(),
            configured: Number::default(),
            actions: Family::default(),
        };
        let mut root = Registry::default();
        root.register_collector(Box::new(Process));
        root.register_with_unit(
            "process_start_time",
            "When the gateway was started, in Unix time",
            Unit::Seconds,
            it.started.clone(),
        );
        let registry = root.sub_registry_with_prefix("sluice");
        it.register_events(registry);
        it.register_lanes(registry);
        it.register_journal(registry);
        it.register_doors(registry);
        it.jobs.register(registry);
        it.registry = root;
        it
    }

    /// The counts of events by the way that they came.
    pub(super) fn of_ways(&self) -> [&Series<Way, Counter>; 3] {
        [&self.received, &self.accepted, &self.duplicate]
    }

    /// The counts of what became of a dataset's events.
    pub(super) fn of_datasets(&self) -> [&Series<Dataset, Counter>; 7] {
        [
            &self.delivered,
            &self.refused,
            &self.expired,
            &self.withheld,
            &self.fewer,
            &self.held,
            &self.lane_crashes,
        ]
    }

    fn register_events(&self, registry: &mut Registry) {
        registry.register(
            "received_events",
            "Events that came in, per dataset they were meant for",
            self.received.family(),
        );
        registry.register(
            "accepted_events",
            "Events written to disk and acknowledged, per dataset they go to",
            self.accepted.family(),
        );
        registry.register(
            "duplicate_events",
            "Copies of events that were accepted before",
            self.duplicate.family(),
        );
        registry.register(
            "rejected_events",
            "Events that no dataset could take, by the rule they broke",
            self.rejected.family(),
        );
        registry.register(
            "findings",
            "Events in which something was found, by rule: wrong, repaired, left out or odd",
            self.findings.family(),
        );
        registry.register(
            "delivered_events",
            "Events that Meta took",
            self.delivered.family(),
        );
        registry.register(
            "refused_events",
            "Events that Meta refused",
            self.refused.family(),
        );
        registry.register(
            "refusals",
            "Events that Meta refused, by its code and subcode",
            self.refusals.family(),
        );
        registry.register(
            "expired_events",
            "Events that grew too old before Meta could take them",
            self.expired.family(),
        );
        registry.register(
            "withheld_events",
            "Events that Sluice keeps back",
            self.withheld.family(),
        );
    }

    fn register_lanes(&self, registry: &mut Registry) {
        registry.register(
            "waiting_events",
            "Events on disk that are not delivered yet",
            self.waiting.family(),
        );
        registry.register_with_unit(
            "oldest_waiting_timestamp",
            "When the oldest waiting event came, in Unix time; NaN when none waits",
            Unit::Seconds,
            self.oldest_waiting.family(),
        );
        registry.register_with_unit(
            "first_expiry_timestamp",
            "When the first waiting event grows too old for Meta, in Unix time; NaN when none waits",
            Unit::Seconds,
            self.first_expiry.family(),
        );
        registry.register(
            "lane_state",
            "1 for the state a lane is in: flowing, throttled, parked or paused",
            self.lane_state.family(),
        );
        registry.register_with_unit(
            "usage",
            "How much of Meta's allowance is used, by its headers; 1 is all of it",
            Unit::Other("ratio".to_owned()),
            self.usage.family(),
        );
        registry.register(
            "graph_requests",
            "Requests to Meta, by what the answer meant",
            self.requests.family(),
        );
        registry.register_with_unit(
            "delivery_latency",
            "How long Meta took to answer",
            Unit::Seconds,
            self.delivery.family(),
        );
        registry.register(
            "fewer_received",
            "Requests that Meta took, but counted fewer events than were sent",
            self.fewer.family(),
        );
        registry.register(
            "held_events",
            "Events that stood back while others went through, each time they did",
            self.held.family(),
        );
        registry.register(
            "lane_crashes",
            "Lanes that ended by a defect and were started again",
            self.lane_crashes.family(),
        );
    }

    fn register_journal(&self, registry: &mut Registry) {
        registry.register(
            "commits",
            "Transactions of the journal",
            self.commits.clone(),
        );
        registry.register_with_unit(
            "commit_latency",
            "How long a transaction of the journal took, with its fsync",
            Unit::Seconds,
            self.commit.clone(),
        );
        registry.register(
            "not_kept_requests",
            "Requests that were answered 503 because the journal could not write",
            self.not_kept.clone(),
        );
        registry.register(
            "journal_events",
            "Events since the journal began, by state, as the audit counts them",
            self.journal_events.clone(),
        );
        registry.register_with_unit(
            "journal_file",
            "Size of the journal's file",
            Unit::Bytes,
            self.db.clone(),
        );
        registry.register_with_unit(
            "journal_log",
            "Size of the journal's write-ahead log",
            Unit::Bytes,
            self.wal.clone(),
        );
        registry.register(
            "journal_failing",
            "1 while the journal cannot write, and the doors answer 503",
            self.failing.clone(),
        );
        registry.register_with_unit(
            "clock_skew",
            "How far this computer's clock is ahead of Meta's; negative: behind",
            Unit::Seconds,
            self.clock_skew.clone(),
        );
        registry.register(
            "clock_in_doubt",
            "1 while it is not sure what time it is: nothing expires or is deleted",
            self.clock_in_doubt.clone(),
        );
        self.register_configuration(registry);
    }

    fn register_configuration(&self, registry: &mut Registry) {
        registry.register(
            "configuration_edited",
            "1 while something of the configuration's file is not in force: it cannot be used, or needs a restart",
            self.configuration_edited.clone(),
        );
        registry.register(
            "configuration_failed",
            "1 while the configuration's file cannot be used, so that all of it is as before",
            self.configuration_failed.clone(),
        );
        registry.register(
            "configurations",
            "Configurations that were put in force since the start, the first included",
            self.configurations.clone(),
        );
        registry.register_with_unit(
            "configuration_timestamp",
            "When the configuration in force was put in force, in Unix time",
            Unit::Seconds,
            self.configured.clone(),
        );
    }

    fn register_doors(&self, registry: &mut Registry) {
        registry.register(
            "build_info",
            "1; the version of the program is in the label",
            self.build.clone(),
        );
        registry.register(
            "door_requests",
            "Requests that were answered, by door and status",
            self.door_requests.clone(),
        );
        registry.register(
            "refused_requests",
            "Requests for events that were refused as a whole, by source and reason",
            self.refused_requests.family(),
        );
        registry.register(
            "control_actions",
            "What people did to the running gateway, by action",
            self.actions.clone(),
        );
        registry.register("connections", "Open connections", self.connections.clone());
        registry.register(
            "wrong_key_requests",
            "Requests that were refused for a wrong key, or for none",
            self.wrong_keys.clone(),
        );
    }
}
