//! Events of a dataset that the configuration does not name any more. Nothing sends them; as in every lane,
//! those that have grown too old for Meta are set aside.

use std::sync::Arc;
use std::time::Duration;

use sluice_journal::{DeliveryReport, Journal, JournalError, LaneId, LeaseLimits, Outcome};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::clock::{SharedClock, seconds};
use crate::watch::Watch;

/// How often it is looked for events that have grown too old.
const LOOK: Duration = Duration::from_mins(1);

/// So many events expire in one transaction.
const EVENTS_MAX: usize = 1_000;

/// A queue that nobody delivers.
pub(crate) struct Orphan {
    pub(crate) id: LaneId,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) clock: SharedClock,
    pub(crate) watch: Watch,
}

impl Orphan {
    /// Sets events aside as they grow too old, until it is told to stop.
    pub(crate) async fn run(self, stop: CancellationToken) {
        loop {
            match self.expire().await {
                Ok(0) => {}
                Ok(_) => continue,
                Err(error) => {
                    let dataset = self.id.dataset.as_str();
                    warn!(dataset, %error, "events that are too old could not be set aside");
                }
            }
            if stop.run_until_cancelled(sleep(LOOK)).await.is_none() {
                return;
            }
        }
    }

    /// Sets some of the events aside that are too old now. Returns how many.
    async fn expire(&self) -> Result<usize, JournalError> {
        let at_ms = self.clock.unix_ms();
        let now_s = seconds(at_ms);
        let first_s = self.journal.waiting(&self.id).first_expiry_s;
        if first_s.is_none_or(|first_s| first_s >= now_s) {
            return Ok(0);
        }
        let limits = LeaseLimits {
            events_max: EVENTS_MAX,
            bytes_max: usize::MAX,
            urgent_before_s: now_s,
        };
        let mut lease = self.journal.lease(&self.id, limits).await?;
        self.watch.damaged(&self.id, &lease.damaged);
        lease.retain(|event| event.expires_s < now_s);
        let keys = lease.events.iter().map(|event| event.key);
        let report = DeliveryReport {
            at_ms,
            request: None,
            outcomes: keys.map(|key| (key, Outcome::Expired)).collect(),
        };
        let outcomes = report.outcomes.clone();
        self.journal.settle(&mut lease, report).await?;
        self.watch.settled(&self.id, &outcomes);
        Ok(outcomes.len())
    }
}
