//! What goes into the journal and what comes out of it.

use std::fmt;
use std::sync::Arc;

use sluice_event::{Code, DatasetId, EventIdentity, Remains, SealedEvent};

/// The name of a source, as the configuration gives it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceName(Arc<str>);

/// The `test_event_code` of a request. It covers a whole request to Meta, so events with different
/// codes never travel together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TestCode(Arc<str>);

/// A text that is no source name, or no test code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to 64 letters, digits, '-', '_' or '.'")]
pub struct InvalidName;

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

impl SourceName {
    /// Reads a name: 1 to 64 letters, digits, `-`, `_` or `.`.
    ///
    /// # Errors
    ///
    /// [`InvalidName`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        is_name(text).then(|| Self(text.into())).ok_or(InvalidName)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TestCode {
    /// Reads a code: 1 to 64 letters, digits, `-`, `_` or `.`.
    ///
    /// # Errors
    ///
    /// [`InvalidName`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        is_name(text).then(|| Self(text.into())).ok_or(InvalidName)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for TestCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The state in which an event begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// It waits, and is sent as soon as its lane can.
    Waiting,
    /// It waits, but no lease takes it before this time: until then it may be amended. It is free at least
    /// [`URGENT_S`] before it expires, whatever is said here, and as soon as the clock turns out to have been set
    /// back by more than the hold is long.
    Due {
        /// In milliseconds since 1970.
        at_ms: u64,
    },
    /// It is final and is never sent, so its body is not kept. Without consent, for instance, it is withheld.
    Final(Outcome),
    /// It is a note, such as a refund or a cancellation: what is known of it is kept, and no lane ever sees it.
    /// Its body is not kept.
    Recorded,
}

impl Start {
    /// Whether the event may be sent some day, for which its body is kept.
    pub fn waits(&self) -> bool {
        matches!(self, Start::Waiting | Start::Due { .. })
    }
}

/// An event that expires within this many seconds is urgent: it goes first in its lane, and is not on hold.
pub const URGENT_S: i64 = 6 * 60 * 60;

/// The longest window for copies that an event can have of its own, in milliseconds: 60 days.
pub const WINDOW_MAX_MS: u64 = 60 * 24 * 60 * 60 * 1_000;

/// An event on its way into the journal.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Where it goes.
    pub dataset: DatasetId,
    /// Where it comes from.
    pub source: SourceName,
    /// The test code it was sent with.
    pub test_code: Option<TestCode>,
    /// When it came, in milliseconds since 1970.
    pub accepted_ms: u64,
    /// The clock that says when it came may be wrong by much. Then nothing is forgotten for it, and whatever is
    /// remembered counts as an original.
    pub in_doubt: bool,
    /// The state it begins in.
    pub start: Start,
    /// How long after its arrival another event with its identity counts as a copy, in milliseconds, up to
    /// [`WINDOW_MAX_MS`]; `None` for as long as its `action_source` says.
    pub window_ms: Option<u64>,
    /// It has identifiers that its source did not send and that were known from elsewhere.
    pub is_completed: bool,
    /// The event itself.
    pub event: SealedEvent,
}

impl Entry {
    /// The key by which copies are recognised.
    pub fn identity(&self) -> EventIdentity {
        self.event.identity(&self.dataset)
    }
}

/// An event that no dataset could take: a row without a body.
#[derive(Debug, Clone)]
pub struct Rejection {
    /// Where it was meant to go.
    pub dataset: DatasetId,
    /// Where it comes from.
    pub source: SourceName,
    /// When it came, in milliseconds since 1970.
    pub rejected_ms: u64,
    /// The rules it broke, the one that decided first.
    pub codes: Vec<Code>,
    /// What may be kept of it in the clear.
    pub remains: Remains,
    /// The request that brought it.
    pub request_id: Arc<str>,
}

impl Rejection {
    /// About what it takes in memory, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let Remains {
            event_name,
            event_id,
            order_id,
        } = &self.remains;
        let texts = [event_name, event_id, order_id].into_iter().flatten();
        size_of::<Self>() + size_of_val(&*self.codes) + texts.map(String::len).sum::<usize>()
    }
}

/// How many events came in for a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrivals {
    /// Where they were meant to go.
    pub dataset: DatasetId,
    /// Where they come from.
    pub source: SourceName,
    /// When they came, in milliseconds since 1970.
    pub at_ms: u64,
    /// How many there were in the request, before it was decided what becomes of each.
    pub events: u64,
}

/// All that one request brought. Each of its arrivals is an entry or a rejection.
#[derive(Debug, Clone, Default)]
pub struct Received {
    /// How many events came, for each dataset.
    pub arrivals: Vec<Arrivals>,
    /// Those that can be sent.
    pub entries: Vec<Entry>,
    /// Those that cannot.
    pub rejections: Vec<Rejection>,
}

impl From<Vec<Entry>> for Received {
    /// Entries, and none that could not be sent.
    fn from(entries: Vec<Entry>) -> Self {
        let mut arrivals: Vec<Arrivals> = Vec::new();
        for entry in &entries {
            let one = Arrivals {
                dataset: entry.dataset.clone(),
                source: entry.source.clone(),
                at_ms: entry.accepted_ms,
                events: 1,
            };
            match arrivals.last_mut() {
                Some(last)
                    if (Arrivals {
                        events: 1,
                        ..last.clone()
                    }) == one =>
                {
                    last.events += 1;
                }
                _ => arrivals.push(one),
            }
        }
        Self {
            arrivals,
            entries,
            rejections: Vec::new(),
        }
    }
}

/// How often the body of an event was replaced; 0 is the one that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Revision(pub u32);

/// An event that waits and is not leased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amendable {
    /// The JSON object that would go to Meta.
    pub json: String,
    /// Which body that is.
    pub revision: Revision,
}

/// Another body for a waiting event.
#[derive(Debug, Clone)]
pub struct Amendment {
    /// The event's place in the journal.
    pub key: EventKey,
    /// The body that was amended: if there is a newer one by now, nothing is written.
    pub revision: Revision,
    /// Where the event goes.
    pub dataset: DatasetId,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The event with its new body. Name and id are the same as before.
    pub event: SealedEvent,
}

/// What became of an amendment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amended {
    /// It is on disk, and what is sent.
    Done,
    /// The event is leased, final, was sent again by a person, or is not there. Nothing was written.
    TooLate,
    /// The event was amended since: read it again. Nothing was written.
    Changed,
    /// The event at that place has another identity. Nothing was written.
    Another,
}

/// The place of an event in the journal: it counts up in order of arrival and is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventKey(pub i64);

/// What became of an entry that was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is on disk.
    New(EventKey),
    /// It is a copy of an event that is known already; it was counted and goes nowhere.
    Copy(EventKey),
}

/// The events that travel together: those of one dataset and one test code, either fresh or sent again by a
/// person.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LaneId {
    /// Where they go.
    pub dataset: DatasetId,
    /// The test code of their requests.
    pub test_code: Option<TestCode>,
    /// A person sent them again after they were dead. Whatever was wrong with them may still be, so they
    /// never share a request with fresh ones.
    pub is_replay: bool,
}

impl fmt::Display for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.dataset)?;
        if let Some(code) = &self.test_code {
            write!(f, " (test code {code})")?;
        }
        f.write_str(if self.is_replay { " (sent again)" } else { "" })
    }
}

/// An event that was handed out for delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leased {
    /// Its place in the journal.
    pub key: EventKey,
    /// The name of the source that it comes from.
    pub source: String,
    /// `event_name`
    pub event_name: String,
    /// `event_id`
    pub event_id: String,
    /// When it came, in milliseconds since 1970.
    pub accepted_ms: u64,
    /// The last second at which Meta takes it, since 1970.
    pub expires_s: i64,
    /// Whether Meta recognises a copy of it by its `event_id`. If not, it must not be sent twice.
    pub is_deduplicated: bool,
    /// When a request that may have carried it to Meta began, in milliseconds since 1970, if nothing is known
    /// of how that request ended. Only events that are not deduplicated have it.
    pub intended_ms: Option<u64>,
    /// The JSON object that goes to Meta, byte for byte.
    pub json: String,
}

impl Leased {
    /// Whether Meta takes it no more.
    pub fn is_too_old(&self, now_s: i64) -> bool {
        self.expires_s < now_s
    }
}

/// The states an event can be in. It is in exactly one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventState {
    /// On disk, not yet delivered.
    Waiting,
    /// Meta took it.
    Delivered,
    /// Meta refused it.
    Refused,
    /// It grew too old before Meta could take it.
    Expired,
    /// Sluice keeps it back: its bytes on disk are damaged, it may have arrived at Meta already, a person
    /// dropped it, or it came without consent.
    Withheld,
    /// It is a note, and is not meant for Meta.
    Recorded,
}

impl EventState {
    /// Every state.
    pub const ALL: [EventState; 6] = [
        EventState::Waiting,
        EventState::Delivered,
        EventState::Refused,
        EventState::Expired,
        EventState::Withheld,
        EventState::Recorded,
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            EventState::Waiting => "waiting",
            EventState::Delivered => "delivered",
            EventState::Refused => "refused",
            EventState::Expired => "expired",
            EventState::Withheld => "withheld",
            EventState::Recorded => "recorded",
        }
    }
}

/// Why an event was refused or withheld, for people and for the record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cause {
    /// The code of Meta's error.
    pub code: Option<i64>,
    /// Its subcode.
    pub subcode: Option<i64>,
    /// What it means, and what Meta said.
    pub text: String,
}

/// The final state of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Meta took it.
    Delivered,
    /// Meta refused it.
    Refused(Cause),
    /// It grew too old.
    Expired,
    /// Sluice keeps it back.
    Withheld(Cause),
}

impl Outcome {
    /// The state it leaves the event in.
    pub fn state(&self) -> EventState {
        match self {
            Outcome::Delivered => EventState::Delivered,
            Outcome::Refused(_) => EventState::Refused,
            Outcome::Expired => EventState::Expired,
            Outcome::Withheld(_) => EventState::Withheld,
        }
    }
}

/// A request to Meta and its answer, for the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRecord {
    /// When it was sent, in milliseconds since 1970.
    pub sent_ms: u64,
    /// How long the answer took.
    pub elapsed_ms: u64,
    /// How many events it carried.
    pub events: usize,
    /// How many bytes its body had.
    pub bytes: usize,
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
    /// What the answer meant, in a word: `delivered`, `refused`, `transient` …
    pub verdict: &'static str,
}

/// What became of leased events, and the request that carried them.
#[derive(Debug, Clone, Default)]
pub struct DeliveryReport {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The request, if one was sent.
    pub request: Option<RequestRecord>,
    /// Final states. Events of the lease that are not named stay leased.
    pub outcomes: Vec<(EventKey, Outcome)>,
    /// Events that the request did not bring to Meta, as its answer proves: their intents go. Those of
    /// `outcomes` need not be named.
    pub not_taken: Vec<EventKey>,
}

/// What waits in a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    /// Events on disk that are neither leased nor on hold.
    pub ready: usize,
    /// Bytes of their JSON, with a comma for each.
    pub ready_bytes: usize,
    /// Events that are leased now.
    pub leased: usize,
    /// When the oldest of those two kinds came, in milliseconds since 1970.
    pub oldest_ms: Option<u64>,
    /// When the first of all expires, in Unix seconds.
    pub first_expiry_s: Option<i64>,
    /// Events that no lease has taken yet because they were not due.
    pub on_hold: usize,
    /// When the first of those is due, in milliseconds since 1970. The next lease from then on takes it.
    pub next_due_ms: Option<u64>,
}

/// When a batch is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Events.
    pub events_max: usize,
    /// Bytes of JSON, with a comma for each event.
    pub bytes_max: usize,
}

impl Waiting {
    /// All events of the lane: those that are ready, leased or on hold.
    pub fn events(&self) -> usize {
        self.ready + self.leased + self.on_hold
    }

    /// Whether the events that are not leased fill a batch.
    pub fn fills(&self, batch: BatchLimits) -> bool {
        self.ready >= batch.events_max || self.ready_bytes >= batch.bytes_max
    }
}

/// Events that were sent to Meta within one minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentEvents {
    /// Where to.
    pub dataset: DatasetId,
    /// When the minute began, in milliseconds since 1970.
    pub minute_ms: u64,
    /// How many.
    pub events: u64,
}

/// Which key a body is encrypted with. It tells nothing about the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BodyKeyId(pub(crate) u32);

impl fmt::Display for BodyKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}
