//! Compares the versions of the Graph API in use with their ends.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Job, Plan, Whose, Work};
use crate::clock::seconds;
use crate::roster::Snapshots;
use crate::time::Time;

/// Says of which datasets the version ends soon, or has ended.
pub(crate) struct Versions {
    pub(crate) snapshots: Snapshots,
    pub(crate) clock: Arc<Time>,
}

impl Job for Versions {
    fn plan(&self) -> Plan {
        Plan {
            name: "versions",
            every: Duration::from_hours(24),
            longest: Duration::from_mins(1),
            whose: Whose::Each,
        }
    }

    fn run<'a>(&'a self, _stop: &'a CancellationToken) -> Work<'a> {
        Box::pin(async move {
            let now_s = seconds(self.clock.unix_ms());
            let mut warned = 0;
            let config = Arc::clone(&self.snapshots.borrow().config);
            for dataset in &config.datasets {
                let version = dataset.delivery.version;
                if let Some(warning) = version.warning(now_s) {
                    let dataset = dataset.id.as_str();
                    warn!(dataset, %version, %warning, "version of the Graph API");
                    warned += 1;
                }
            }
            Ok((warned > 0).then(|| {
                format!(
                    "{warned} datasets use a version of the Graph API that ends soon or has ended"
                )
            }))
        })
    }
}
