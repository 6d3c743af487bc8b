//! Everything that can change while the gateway runs, as it is at one moment.

use std::sync::Arc;

use tokio::sync::watch;

use super::{Callers, Destinations};
use crate::config::Config;

/// The configuration in force, and what was made of its secrets. It never changes, and is replaced as a whole: what has
/// begun with one, such as a request, ends with it.
pub(crate) struct Snapshot {
    pub(crate) config: Arc<Config>,
    pub(crate) callers: Callers,
    pub(crate) destinations: Destinations,
    /// How many configurations have been in force since the start, this one included.
    pub(crate) generation: u64,
    /// How often a person has asked that what waits for something to be mended be tried at once.
    pub(crate) calls: u64,
}

/// The snapshot of this moment, for those who read it.
pub(crate) type Snapshots = watch::Receiver<Arc<Snapshot>>;
