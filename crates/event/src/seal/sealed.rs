//! The sealed event.

use std::borrow::Cow;
use std::sync::Arc;

use crate::action_source::ActionSource;
use crate::facts::Facts;
use crate::identity::{DatasetId, EventIdentity};
use crate::names;

/// An event in its final form: hashes only, encoded once.
///
/// A clone shares the payload: an event that goes to several datasets is in memory once.
///
/// Only [`Event::seal`](crate::Event::seal) makes one, and [`SealedEvent::reopen`] from what that wrote, so there is no
/// way to put clear text into it.
///
/// ```compile_fail
/// let sealed = sluice_event::SealedEvent { json: "john@example.com".into(), ..todo!() };
/// ```
#[derive(Clone)]
pub struct SealedEvent {
    pub(super) json: Arc<str>,
    pub(super) event_name: Cow<'static, str>,
    pub(super) event_id: Box<str>,
    pub(super) event_time: i64,
    pub(super) action_source: ActionSource,
    pub(super) test_event_code: Option<Box<str>>,
    pub(super) order: Option<u64>,
    pub(super) facts: Arc<Facts>,
}

/// What may be kept, in the clear, of an event that cannot be sent: what sealing would have written of it. A
/// name that is none is left out, and so is a damaged id; an id that holds contact data or is too long is hashed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Remains {
    /// `event_name`
    pub event_name: Option<String>,
    /// The event's own `event_id`; none is made for it.
    pub event_id: Option<String>,
    /// `custom_data.order_id`
    pub order_id: Option<String>,
}

impl SealedEvent {
    /// The JSON object that goes to Meta, byte for byte.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The JSON object as a text of its own.
    pub fn into_json(self) -> String {
        self.json.as_ref().to_owned()
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

    /// The test code that stood inside the event. It is not in the payload: Meta takes it beside the events of a
    /// request, and whoever sends the event has to put it there.
    pub fn test_event_code(&self) -> Option<&str> {
        self.test_event_code.as_deref()
    }

    /// The same event with the test code that stood inside it.
    pub(crate) fn with_test_event_code(self, code: Option<&str>) -> Self {
        Self {
            test_event_code: code.map(Box::from),
            ..self
        }
    }

    /// A hash of the order that the event is about (`order_id` and `item_number`), if it names one. It is the same
    /// for the same order within one version of this library, and is not for keeping.
    pub fn order(&self) -> Option<u64> {
        self.order
    }

    /// What is known of the event besides.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The JSON object, shared with the event.
    pub fn shared_json(&self) -> Arc<str> {
        Arc::clone(&self.json)
    }

    /// The last moment at which Meta takes the event, in Unix seconds.
    pub fn expires_at(&self) -> i64 {
        self.event_time
            .saturating_add(self.action_source.age_s_max())
    }

    /// The key by which copies of the event are recognised in a dataset.
    pub fn identity(&self, dataset: &DatasetId) -> EventIdentity {
        EventIdentity::of(dataset, &self.event_name, self.event_id())
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
