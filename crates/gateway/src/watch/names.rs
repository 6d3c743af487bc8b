//! The names that series may have: those of the configuration in force, and of datasets for which events wait.

use std::collections::HashSet;

use sluice_journal::{LaneId, Waiting};

use super::metrics::{self, Metrics};
use crate::config::Config;

/// Sources and datasets of which there are series.
pub(super) struct Names<'a> {
    sources: HashSet<&'a str>,
    datasets: HashSet<&'a str>,
}

impl<'a> Names<'a> {
    pub(super) fn new(config: &'a Config, lanes: &'a [(LaneId, Waiting)]) -> Self {
        let sources = config.sources.iter().map(|source| source.name.as_str());
        let datasets = config.datasets.iter().map(|dataset| dataset.id.as_str());
        let waiting = lanes.iter().map(|(lane, _)| lane.dataset.as_str());
        Self {
            sources: sources.chain([metrics::NO_SOURCE]).collect(),
            datasets: datasets.chain(waiting).collect(),
        }
    }

    fn is_source(&self, name: &str) -> bool {
        self.sources.contains(name)
    }

    fn is_dataset(&self, id: &str) -> bool {
        self.datasets.contains(id)
    }
}

impl Metrics {
    /// Takes the series of all other names away.
    pub(super) fn retain(&self, names: &Names<'_>) {
        for family in self.of_ways() {
            family.retain(|way| names.is_source(&way.source) && names.is_dataset(&way.dataset));
        }
        (self.rejected).retain(|it| names.is_source(&it.source) && names.is_dataset(&it.dataset));
        self.findings.retain(|it| names.is_source(&it.source));
        self.refused_requests
            .retain(|it| names.is_source(&it.source));
        for family in self.of_datasets() {
            family.retain(|it| names.is_dataset(&it.dataset));
        }
        self.delivery.retain(|it| names.is_dataset(&it.dataset));
        self.refusals.retain(|it| names.is_dataset(&it.dataset));
        self.requests.retain(|it| names.is_dataset(&it.dataset));
        self.waiting.retain(|it| names.is_dataset(&it.dataset));
        for family in [&self.oldest_waiting, &self.first_expiry, &self.usage] {
            family.retain(|it| names.is_dataset(&it.dataset));
        }
        self.lane_state.retain(|it| names.is_dataset(&it.dataset));
    }
}
