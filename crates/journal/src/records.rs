//! What people read of a journal: events, requests and counts.

use std::collections::BTreeMap;

use sluice_event::{Amount, FieldSet, Severity, UserField};

use crate::types::{BodyKeyId, Cause, EventKey, EventState, Revision};

/// An event as its rows say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// Its place in the journal.
    pub key: EventKey,
    /// Where it goes.
    pub dataset: String,
    /// Where it came from.
    pub source: String,
    /// `event_name`
    pub event_name: String,
    /// `event_id`
    pub event_id: String,
    /// `action_source`
    pub action_source: String,
    /// The test code it was sent with.
    pub test_code: Option<String>,
    /// When it came, in milliseconds since 1970.
    pub accepted_ms: u64,
    /// The last second at which Meta takes it, since 1970.
    pub expires_s: i64,
    /// Where it is now.
    pub state: EventState,
    /// Since when, in milliseconds since 1970; `None` for a waiting event.
    pub at_ms: Option<u64>,
    /// Until when it was to be left to those who complete it, in milliseconds since 1970; `None` if it was to be sent
    /// at once.
    pub due_ms: Option<u64>,
    /// It has identifiers that its source did not send and that were known from elsewhere.
    pub is_completed: bool,
    /// How often its body was replaced while it waited.
    pub revision: Revision,
    /// It was final when it came, or a note, so its body was never kept.
    pub never_kept: bool,
    /// Why.
    pub cause: Cause,
    /// The request that decided it, as long as it is kept.
    pub request: Option<SentRequest>,
    /// Whether the body is still there. Without it the event cannot be sent again.
    pub has_body: bool,
    /// What is known of it without its body; `None` if version 1 of the file kept it.
    pub facts: Option<KeptFacts>,
}

/// What is known of an event for as long as its row is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptFacts {
    /// When it happened, in seconds since 1970.
    pub event_s: i64,
    /// The fields of `user_data` that it carries.
    pub identifiers: FieldSet,
    /// `custom_data.order_id`
    pub order_id: Option<String>,
    /// Its value.
    pub amount: Option<Amount>,
    /// How bad the worst finding was; `None` if there was nothing to say.
    pub worst: Option<Severity>,
}

/// An event with all that is known about it.
#[derive(Clone, PartialEq, Eq)]
pub struct EventDetail {
    /// Its rows.
    pub record: EventRecord,
    /// The JSON object that goes to Meta, while it is kept and whole.
    pub json: Option<String>,
    /// The key that the body is encrypted with, if it is not here.
    pub missing_key: Option<BodyKeyId>,
    /// When a request began that may have brought it to Meta and of whose end nothing is known, in milliseconds since
    /// 1970. Only events that Meta does not deduplicate have it.
    pub intended_ms: Option<u64>,
    /// What became of it before it was sent again by hand, the oldest first.
    pub past: Vec<PastOutcome>,
}

impl std::fmt::Debug for EventDetail {
    /// Without the payload: addresses and click ids are in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventDetail")
            .field("record", &self.record)
            .field("past", &self.past)
            .finish_non_exhaustive()
    }
}

/// A final state that was not final, because a person sent the event again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastOutcome {
    /// The state.
    pub state: EventState,
    /// Since when, in milliseconds since 1970.
    pub at_ms: u64,
    /// Why.
    pub cause: Cause,
    /// The request that decided it, as long as it is kept.
    pub request: Option<SentRequest>,
    /// When it was sent again, in milliseconds since 1970.
    pub replayed_ms: u64,
}

/// A request to Meta and its answer, as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentRequest {
    /// Its number.
    pub id: i64,
    /// Where it went.
    pub dataset: String,
    /// Its test code.
    pub test_code: Option<String>,
    /// When it was sent, in milliseconds since 1970.
    pub sent_ms: u64,
    /// How long the answer took.
    pub elapsed_ms: u64,
    /// How many events it carried.
    pub events: u64,
    /// How many bytes its body had.
    pub bytes: u64,
    /// The HTTP status; 0 when there was no answer.
    pub status: u16,
    /// The code of Meta's error.
    pub code: Option<i64>,
    /// Its subcode.
    pub subcode: Option<i64>,
    /// `events_received`
    pub received: Option<u64>,
    /// Meta's name for the request.
    pub fbtrace_id: Option<String>,
    /// What the answer meant, in a word.
    pub verdict: String,
}

/// The changes of one hour, day or week. A count is below zero when more events of earlier times were sent again
/// than new ones came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeriodTally {
    /// When it began, in milliseconds since 1970.
    pub start_ms: i64,
    /// Where the events go.
    pub dataset: String,
    /// Where they came from.
    pub source: String,
    /// `event_name`
    pub event_name: String,
    /// Events that were taken.
    pub accepted: i64,
    /// Events that Meta took.
    pub delivered: i64,
    /// Events that Meta refused.
    pub refused: i64,
    /// Events that grew too old.
    pub expired: i64,
    /// Events that Sluice keeps back.
    pub withheld: i64,
    /// Notes that came.
    pub recorded: i64,
    /// Copies that came.
    pub duplicate: i64,
    /// Events that came and that no dataset could take.
    pub rejected: i64,
}

/// The number of a rejected event: it counts up in order of arrival and is never used again. It is no
/// [`EventKey`](crate::EventKey): a rejected event never was in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RejectionKey(pub i64);

/// What is kept of a rejected event; it has no body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectionRecord {
    /// Its number.
    pub key: RejectionKey,
    /// Where it was meant to go.
    pub dataset: String,
    /// Where it came from.
    pub source: String,
    /// When it came, in milliseconds since 1970.
    pub at_ms: u64,
    /// The names of the rules it broke, the one that decided first.
    pub codes: Vec<String>,
    /// `event_name`, if it had one that may be kept.
    pub event_name: Option<String>,
    /// `event_id`, or its hash.
    pub event_id: Option<String>,
    /// `custom_data.order_id`, or its hash.
    pub order_id: Option<String>,
    /// The request that brought it.
    pub request_id: String,
}

/// What became of events that were to be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replayed {
    /// They wait, under the same `event_id`.
    pub replayed: u64,
    /// Meta takes them no more.
    pub too_old: u64,
    /// Their bodies were deleted by retention.
    pub gone: u64,
    /// They were final when they came, without consent for instance, so their bodies were never kept.
    pub never_kept: u64,
    /// Their bodies are not what was written; they stay withheld.
    pub damaged: u64,
    /// An event with the same id came after them, and is delivered, waits, may have arrived, or is sent again now.
    pub superseded: u64,
    /// They are not dead, or not there.
    pub not_dead: u64,
}

/// What became of events that were to be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// They are withheld, with the cause "dropped by hand".
    pub dropped: u64,
    /// They were neither refused nor expired.
    pub not_dead: u64,
}

/// What became of waiting events that were to be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DroppedWaiting {
    /// They are withheld, with the cause "dropped by hand".
    pub dropped: u64,
    /// They did not wait, or are not there.
    pub not_waiting: u64,
}

/// How many events of a dataset, a source and a name carry which identifiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// Where the events go.
    pub dataset: String,
    /// Where they came from.
    pub source: String,
    /// `event_name`
    pub event_name: String,
    /// How many events there are.
    pub events: u64,
    /// Of how many of them it is not known, because version 1 of the file kept them.
    pub unknown: u64,
    /// How many carry a field of `user_data`; fields that none carries are left out.
    pub carrying: BTreeMap<UserField, u64>,
}

impl Coverage {
    /// Adds the events of another part with the same dataset, source and name.
    pub fn add(&mut self, part: &Self) {
        self.events += part.events;
        self.unknown += part.unknown;
        for (field, events) in &part.carrying {
            *self.carrying.entry(*field).or_default() += events;
        }
    }
}
