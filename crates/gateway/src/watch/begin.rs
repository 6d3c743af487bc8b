//! Series that exist before anything happens. To Prometheus a series that appears with its first event has not
//! increased, so an alert on any event would miss the first.

use std::fmt::Debug;
use std::hash::Hash;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use sluice_event::{Code, Severity};

use super::control::ACTIONS;
use super::exposition::LaneGauges;
use super::metrics::{self, Metrics};
use super::number;
use super::series::Series;
use crate::config::{Config, Dataset, Source};

/// Server errors, of which any is worth an alert.
const SERVER_ERRORS: [u16; 2] = [500, 503];

/// Doors that take events.
const DOORS: [&str; 3] = ["events", "graph", "capi"];

impl Metrics {
    /// Begins what can be known at the start.
    pub(super) fn begin(&self, started_ms: u64) {
        let build = metrics::Build {
            version: env!("CARGO_PKG_VERSION"),
        };
        self.build.get_or_create(&build).set(1);
        self.started.set(number::unix_seconds(started_ms));
        for action in ACTIONS {
            drop(self.actions.get_or_create(&metrics::Action { action }));
        }
        for door in DOORS {
            for status in SERVER_ERRORS {
                let door = metrics::Door { door, status };
                drop(self.door_requests.get_or_create(&door));
            }
        }
    }

    /// Begins what can be known from a configuration.
    pub(super) fn configured(&self, config: &Config, at_ms: u64) {
        for source in &config.sources {
            self.begin_source(source);
        }
        for dataset in &config.datasets {
            self.begin_dataset(dataset);
        }
        self.configurations.inc();
        self.configured.set(number::unix_seconds(at_ms));
    }

    fn begin_source(&self, source: &Source) {
        for dataset in &source.datasets {
            let way = metrics::Way {
                source: source.name.as_str().to_owned(),
                dataset: dataset.as_str().to_owned(),
            };
            for family in self.of_ways() {
                begin(family, &way);
            }
            let errors = Code::ALL.iter();
            for code in errors.filter(|code| code.severity() == Severity::Error) {
                let rejection = metrics::Rejection {
                    source: way.source.clone(),
                    code: code.name().to_owned(),
                    dataset: way.dataset.clone(),
                };
                begin(&self.rejected, &rejection);
            }
        }
    }

    fn begin_dataset(&self, dataset: &Dataset) {
        let dataset = dataset.id.as_str().to_owned();
        let label = metrics::Dataset {
            dataset: dataset.clone(),
        };
        for family in self.of_datasets() {
            begin(family, &label);
        }
        let lane = metrics::Lane {
            dataset,
            test: "no",
            replay: "no",
        };
        self.gauge(&lane, &LaneGauges::default());
    }
}

fn begin<L: EncodeLabelSet + Clone + Hash + Eq + Debug>(series: &Series<L, Counter>, label: &L) {
    drop(series.get_or_create(label));
}
