//! What the configuration says of a lane.

use sluice_event::DatasetId;

use crate::config::{AfterLostAnswer, Config, Delivery, TestEventCode};

/// What the configuration says of the lanes of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LaneSettings {
    pub(crate) delivery: Delivery,
    pub(crate) partner_agent: Option<String>,
    pub(crate) after_lost_answer: AfterLostAnswer,
    /// The test code that is set for the dataset.
    pub(crate) configured_code: Option<TestEventCode>,
}

impl LaneSettings {
    /// `None` if the configuration does not name the dataset.
    pub(crate) fn of(config: &Config, dataset: &DatasetId) -> Option<Self> {
        let dataset = config.dataset(dataset)?;
        Some(Self {
            delivery: dataset.delivery.clone(),
            partner_agent: config.graph.partner_agent.clone(),
            after_lost_answer: config.graph.messaging_after_lost_answer,
            configured_code: dataset.test_event_code.clone(),
        })
    }
}
