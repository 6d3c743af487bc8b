//! How every dataset is reached.

use std::collections::HashMap;

use sluice_event::DatasetId;
use sluice_graph::{AccessToken, AppSecret, Destination, Endpoint};

use crate::config::{Dataset, Graph};

/// How a dataset is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reachable {
    pub(crate) destination: Destination,
    /// Tells tokens apart without showing them.
    pub(crate) fingerprint: String,
}

impl Reachable {
    /// With this token.
    pub(super) fn new(graph: &Graph, dataset: &Dataset, token: &AccessToken) -> Self {
        Self {
            destination: Destination {
                endpoint: Endpoint {
                    base_url: graph.base_url.clone(),
                    version: dataset.delivery.version,
                    token: token.clone(),
                    app_secret: None,
                    placement: graph.token_placement,
                },
                dataset: dataset.id.clone(),
            },
            fingerprint: token.fingerprint(),
        }
    }

    /// Proves requests with the secret of the token's app.
    pub(super) fn prove_with(&mut self, secret: AppSecret) {
        // The proof changes with either of them.
        let proof = secret.appsecret_proof(&self.destination.endpoint.token);
        self.fingerprint.push_str(&proof[..8]);
        self.destination.endpoint.app_secret = Some(secret);
    }
}

/// How every dataset is reached.
#[derive(Default, PartialEq, Eq)]
pub(crate) struct Destinations {
    by_dataset: HashMap<DatasetId, Reachable>,
}

impl Destinations {
    pub(crate) fn of(&self, dataset: &DatasetId) -> Option<&Reachable> {
        self.by_dataset.get(dataset)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Reachable> {
        self.by_dataset.values()
    }

    pub(super) fn insert(&mut self, reachable: Reachable) {
        let id = reachable.destination.dataset.clone();
        self.by_dataset.insert(id, reachable);
    }

    pub(super) fn get_mut(&mut self, dataset: &DatasetId) -> Option<&mut Reachable> {
        self.by_dataset.get_mut(dataset)
    }
}
