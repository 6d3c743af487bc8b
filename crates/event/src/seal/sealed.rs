//! The sealed event.

use std::borrow::Cow;

use crate::action_source::ActionSource;
use crate::identity::{DatasetId, EventIdentity};
use crate::names;

/// An event in its final form: hashes only, encoded once.
///
/// Only [`Event::seal`] makes one, so there is no way to put clear text into it.
///
/// ```compile_fail
/// let sealed = sluice_event::SealedEvent { json: String::from("john@example.com"), ..todo!() };
/// ```
#[derive(Clone)]
pub struct SealedEvent {
    pub(super) json: String,
    pub(super) event_name: Cow<'static, str>,
    pub(super) event_id: String,
    pub(super) event_time: i64,
    pub(super) action_source: ActionSource,
}

impl SealedEvent {
    /// The JSON object that goes to Meta, byte for byte.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The JSON object, without a copy.
    pub fn into_json(self) -> String {
        self.json
    }

    /// `event_name`.
    pub fn event_name(&self) -> &str {
        &self.event_name
    }

    /// Whether Meta knows the name; otherwise it is a custom event.
    pub fn is_standard(&self) -> bool {
        names::is_standard(&self.event_name)
    }

    /// `event_id`, which every sealed event has.
    pub fn event_id(&self) -> &str {
        &self.event_id
    }

    /// `event_time`, in Unix seconds.
    pub fn event_time(&self) -> i64 {
        self.event_time
    }

    /// `action_source`.
    pub fn action_source(&self) -> ActionSource {
        self.action_source
    }

    /// The last moment at which Meta takes the event, in Unix seconds.
    pub fn expires_at(&self) -> i64 {
        self.event_time
            .saturating_add(self.action_source.age_s_max())
    }

    /// The key by which copies of the event are recognised in a dataset.
    pub fn identity(&self, dataset: &DatasetId) -> EventIdentity {
        EventIdentity::of(dataset, &self.event_name, &self.event_id)
    }
}

impl std::fmt::Debug for SealedEvent {
    /// Without the payload: addresses and click ids are in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedEvent")
            .field("event_name", &self.event_name)
            .field("event_time", &self.event_time)
            .field("action_source", &self.action_source)
            .field("bytes", &self.json.len())
            .finish_non_exhaustive()
    }
}
