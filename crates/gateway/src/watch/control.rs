//! What people do to the running gateway: each deed is a line of the log, and counted.

use sluice_journal::{Dropped, Replayed};
use tracing::{info, warn};

use super::{Watch, metrics};
use crate::clock::{rfc3339, seconds, seconds_up};
use crate::control::{Lanes, Pause, Test};
use crate::directives::Standing;

/// What people can do, as the metric has it.
pub(super) const ACTIONS: [&str; 8] = [
    "pause",
    "resume",
    "probe",
    "replay",
    "drop",
    "reload",
    "test_start",
    "test_end",
];

impl Watch {
    fn acted(&self, action: &'static str) {
        let label = metrics::Action { action };
        self.metrics.actions.get_or_create(&label).inc();
    }

    /// A person paused lanes.
    pub(crate) fn paused(&self, pause: &Pause) {
        self.acted("pause");
        let (lanes, by, note) = (pause.lanes.to_string(), &pause.by, &pause.note);
        warn!(
            lanes,
            by, note, "paused: nothing is sent until it is resumed, also after a restart"
        );
    }

    /// A person resumed lanes.
    pub(crate) fn resumed(&self, lanes: &Lanes, over: &[Pause], by: &str) {
        self.acted("resume");
        let lanes = lanes.to_string();
        info!(lanes, by, pauses = over.len(), "resumed");
    }

    /// A person has lanes try again.
    pub(crate) fn probed(&self, lanes: &Lanes, tries: usize, by: &str) {
        self.acted("probe");
        let lanes = lanes.to_string();
        info!(lanes, by, tries, "lanes try again at once");
    }

    /// A person had dead events sent again.
    pub(crate) fn replayed(&self, done: Replayed, by: &str) {
        self.acted("replay");
        info!(
            by,
            replayed = done.replayed,
            too_old = done.too_old,
            gone = done.gone,
            damaged = done.damaged,
            superseded = done.superseded,
            not_dead = done.not_dead,
            "dead events are sent again"
        );
    }

    /// A person gave dead events up.
    pub(crate) fn dropped(&self, done: Dropped, by: &str) {
        self.acted("drop");
        let (dropped, not_dead) = (done.dropped, done.not_dead);
        info!(by, dropped, not_dead, "dead events were dropped");
    }

    /// A person has configuration and secrets read again.
    pub(crate) fn reload_wanted(&self, by: &str) {
        self.acted("reload");
        info!(by, "reloading");
    }

    /// A person started a test, perhaps in the place of another.
    pub(crate) fn test_started(&self, test: &Test, replaced: Option<&Test>) {
        self.acted("test_start");
        let replaced = replaced.map(|test| test.code.as_str());
        let until = rfc3339(seconds_up(test.until_ms));
        let (dataset, code) = (test.dataset.as_str(), test.code.as_str());
        warn!(
            dataset,
            code,
            by = test.by,
            until,
            replaced,
            "a test has begun: events of the dataset go with its test code"
        );
    }

    /// A person ended a test.
    pub(crate) fn test_ended(&self, test: &Test, by: &str) {
        self.acted("test_end");
        let (dataset, code) = (test.dataset.as_str(), test.code.as_str());
        info!(dataset, code, by, "a test has ended");
    }

    /// The time of a test is over.
    pub(crate) fn test_over(test: &Test) {
        let (dataset, code) = (test.dataset.as_str(), test.code.as_str());
        info!(dataset, code, "a test has ended: its time is over");
    }

    /// Commands cannot reach the gateway.
    pub(crate) fn no_socket(error: &impl std::fmt::Display, help: &str) {
        warn!(
            %error,
            help,
            "`sluice lane`, `sluice test` and `sluice reload` cannot reach this gateway"
        );
    }

    /// What was told to an earlier gateway and holds at this start.
    pub(crate) fn still_holds(standing: &Standing) {
        for pause in &standing.pauses {
            let (lanes, by, note) = (pause.lanes.to_string(), &pause.by, &pause.note);
            let since = rfc3339(seconds(pause.since_ms));
            warn!(
                lanes,
                by, since, note, "still paused: nothing is sent until `sluice lane resume`"
            );
        }
        for test in &standing.tests {
            let (dataset, code) = (test.dataset.as_str(), test.code.as_str());
            let until = rfc3339(seconds_up(test.until_ms));
            warn!(
                dataset,
                code,
                by = test.by,
                until,
                "a test goes on: events of the dataset go with its test code"
            );
        }
    }
}
