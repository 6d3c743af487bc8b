//! The metrics as Prometheus reads them, with what waits in each lane at this moment.

use std::collections::BTreeMap;

use sluice_journal::{Health, LaneId, Waiting};

use super::{LaneReport, Watch, metrics};
use crate::clock::seconds;
use crate::lane_state::LaneState;

impl Watch {
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
