//! The share of each source in the room for bodies.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use sluice_journal::SourceName;

use super::body::Room;
use crate::config::Config;

/// The shares of sources that were here. They are made when a source comes for the first time, and what it holds is
/// counted on while the configuration changes.
#[derive(Default)]
pub(crate) struct Shares(RwLock<HashMap<SourceName, Room>>);

impl Shares {
    /// The share of a source in `room`; the only source has all of it.
    pub(crate) fn of(&self, source: &SourceName, config: &Config, room: &Room) -> Room {
        if config.sources.len() == 1 {
            return room.clone();
        }
        // A share is added or removed whole: there is no half-written state.
        let shares = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get(source) {
            return share.clone();
        }
        drop(shares);
        let mut shares = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // Those of sources that are gone would stay for good.
        shares.retain(|name, _| config.source(name).is_some());
        let share = shares.entry(source.clone());
        share.or_insert_with(|| room.share()).clone()
    }
}
