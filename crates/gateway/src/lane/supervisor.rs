//! Starts a lane for every queue of the journal, and waits for them all in the end.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use sluice_event::DatasetId;
use sluice_graph::Client;
use sluice_journal::{Journal, LaneId};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::budget::Budgets;
use super::{LaneContext, run};
use crate::clock::SharedClock;
use crate::config::{Dataset, Graph};
use crate::roster::Destinations;
use crate::watch::Watch;

/// What lanes are made of.
pub(crate) struct Supervisor {
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) client: Client,
    pub(crate) clock: SharedClock,
    pub(crate) watch: Watch,
    pub(crate) graph: Graph,
    pub(crate) datasets: HashMap<DatasetId, Dataset>,
    pub(crate) destinations: watch::Receiver<Arc<Destinations>>,
    pub(crate) stop: CancellationToken,
}

/// Runs lanes until it is told to stop, and returns when the last of them has.
pub(crate) async fn supervise(supervisor: Supervisor) {
    let mut known = BTreeSet::new();
    let mut lanes = JoinSet::new();
    let mut queues = supervisor.journal.lanes();
    let budgets = Budgets::default();
    loop {
        let ids: Vec<LaneId> = queues.borrow_and_update().clone();
        for id in ids {
            if known.insert(id.clone()) {
                match supervisor.context(id) {
                    Ok(context) => {
                        let destinations = supervisor.destinations.clone();
                        let stop = supervisor.stop.clone();
                        lanes.spawn(run(context, budgets.clone(), destinations, stop));
                    }
                    Err(id) => {
                        let waiting = supervisor.journal.waiting(&id);
                        supervisor.watch.unknown_dataset(&id, waiting);
                    }
                }
            }
        }
        tokio::select! {
            () = supervisor.stop.cancelled() => break,
            changed = queues.changed() => if changed.is_err() { break },
        }
    }
    supervisor.stop.cancelled().await;
    while lanes.join_next().await.is_some() {}
}

impl Supervisor {
    /// What the lane needs, or its id back if the configuration does not know its dataset.
    fn context(&self, id: LaneId) -> Result<LaneContext, LaneId> {
        let Some(dataset) = self.datasets.get(&id.dataset) else {
            return Err(id);
        };
        Ok(LaneContext {
            journal: Arc::clone(&self.journal),
            client: self.client.clone(),
            clock: Arc::clone(&self.clock),
            watch: self.watch.clone(),
            delivery: dataset.delivery.clone(),
            partner_agent: self.graph.partner_agent.clone(),
            configured_code: dataset.test_event_code.clone(),
            stop: self.stop.clone(),
            id,
        })
    }
}
