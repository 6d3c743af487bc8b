//! The metrics as Prometheus reads them, with what waits in each lane at this moment.

use std::collections::BTreeMap;

use sluice_journal::{Health, LaneId, Waiting};

use super::metrics::{self, Metrics};
use super::names::Names;
use super::number::unix_seconds;
use super::{Format, Watch};
use crate::board::{LaneReport, Rows};
use crate::config::Config;
use crate::lane_state::LaneState;

impl Watch {
    /// The metrics, with what waits in each lane at this moment, and how the lanes are doing. This blocks for some
    /// milliseconds.
    pub(crate) fn exposition(
        &self,
        config: &Config,
        lanes: &[(LaneId, Waiting)],
        rows: &Rows,
        health: &Health,
        format: Format,
    ) -> String {
        self.metrics.retain(&Names::new(config, lanes));
        let mut gauges = BTreeMap::<_, LaneGauges<'_>>::new();
        for (id, waiting) in lanes {
            // A lane per test code, but one series for all of them: codes come from outside.
            let series = gauges.entry((&id.dataset, id.test_code.is_some(), id.is_replay));
            let report = rows.get(id).map(|row| &row.report);
            series.or_default().add(*waiting, report);
        }
        for ((dataset, is_test, is_replay), lane) in &gauges {
            let label = metrics::Lane {
                dataset: dataset.as_str().to_owned(),
                test: yes_or_no(*is_test),
                replay: yes_or_no(*is_replay),
            };
            self.metrics.gauge(&label, lane);
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
        format.of(text)
    }
}

impl Metrics {
    /// Shows how a lane is doing.
    pub(super) fn gauge(&self, label: &metrics::Lane, lane: &LaneGauges<'_>) {
        let events = i64::try_from(lane.events).unwrap_or(i64::MAX);
        self.waiting.get_or_create(label).set(events);
        let oldest = lane.oldest_ms.map_or(f64::NAN, unix_seconds);
        self.oldest_waiting.get_or_create(label).set(oldest);
        let first_expiry = lane.first_expiry_s.map(|at_s| at_s.saturating_mul(1_000));
        let first_expiry = first_expiry.map(|at_ms| u64::try_from(at_ms).unwrap_or_default());
        let first_expiry = first_expiry.map_or(f64::NAN, unix_seconds);
        self.first_expiry.get_or_create(label).set(first_expiry);
        let percent = lane.worst.map_or(0, |report| report.usage.percent);
        (self.usage.get_or_create(label)).set(f64::from(percent) / 100.0);
        let current = lane.worst.map_or("flowing", |report| report.state.name());
        for state in STATES {
            let is_current = i64::from(state == current);
            let label = label_in(label, state);
            self.lane_state.get_or_create(&label).set(is_current);
        }
    }

    /// Shows a lane no more.
    pub(super) fn forget(&self, label: &metrics::Lane) {
        self.waiting.retain(|other| other != label);
        for family in [&self.oldest_waiting, &self.first_expiry, &self.usage] {
            family.retain(|other| other != label);
        }
        let states = STATES.map(|state| label_in(label, state));
        self.lane_state.retain(|other| !states.contains(other));
    }
}

/// The states of a lane.
const STATES: [&str; 4] = ["flowing", "throttled", "parked", "paused"];

fn label_in(label: &metrics::Lane, state: &'static str) -> metrics::LaneState {
    metrics::LaneState {
        dataset: label.dataset.clone(),
        test: label.test,
        replay: label.replay,
        state,
    }
}

/// The label of a lane's series.
pub(super) fn label_of(lane: &LaneId) -> metrics::Lane {
    metrics::Lane {
        dataset: lane.dataset.as_str().to_owned(),
        test: yes_or_no(lane.test_code.is_some()),
        replay: yes_or_no(lane.is_replay),
    }
}

/// What is shown of the lanes of one dataset that send test events, or of the one that does not.
#[derive(Default)]
pub(super) struct LaneGauges<'a> {
    events: usize,
    oldest_ms: Option<u64>,
    first_expiry_s: Option<i64>,
    worst: Option<&'a LaneReport>,
}

impl<'a> LaneGauges<'a> {
    fn add(&mut self, waiting: Waiting, report: Option<&'a LaneReport>) {
        self.events += waiting.events();
        self.oldest_ms = self.oldest_ms.into_iter().chain(waiting.oldest_ms).min();
        let expiries = self.first_expiry_s.into_iter();
        self.first_expiry_s = expiries.chain(waiting.first_expiry_s).min();
        let badness = |report: &&LaneReport| match report.state {
            LaneState::Flowing => 0,
            LaneState::Throttled { .. } => 1,
            LaneState::Parked { .. } => 2,
            LaneState::Paused { .. } => 3,
        };
        self.worst = self.worst.into_iter().chain(report).max_by_key(badness);
    }
}

fn yes_or_no(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "no" }
}
