//! What people read: events, requests and hours, as the rows say.

use rusqlite::Row;
use sluice_event::{Amount, Currency, FieldSet, Severity};

use super::erase::has_body;
use super::tally::Counted;
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

/// The changes of one hour. A count is below zero when more events of earlier hours were sent again
/// than new ones came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HourTally {
    /// Hours since 1970.
    pub hour: u64,
    /// Where the events go.
    pub dataset: String,
    /// Where they came from.
    pub source: String,
    /// `event_name`
    pub event_name: String,
    /// Events that were taken in this hour.
    pub accepted: i64,
    /// Events that Meta took.
    pub delivered: i64,
    /// Events that Meta refused.
    pub refused: i64,
    /// Events that grew too old.
    pub expired: i64,
    /// Events that Sluice keeps back.
    pub withheld: i64,
    /// Notes that came in this hour.
    pub recorded: i64,
    /// Copies that came in this hour.
    pub duplicate: i64,
    /// Events that came in this hour and that no dataset could take.
    pub rejected: i64,
}

impl HourTally {
    pub(super) fn is_of(&self, other: &Self) -> bool {
        let key = |tally: &Self| {
            let texts = [&tally.dataset, &tally.source, &tally.event_name].map(Clone::clone);
            (tally.hour, texts)
        };
        key(self) == key(other)
    }

    pub(super) fn add(&mut self, number: i64, change: i64) {
        let count = match Counted::of(number) {
            Some(Counted::Accepted) => &mut self.accepted,
            Some(Counted::Delivered) => &mut self.delivered,
            Some(Counted::Refused) => &mut self.refused,
            Some(Counted::Expired) => &mut self.expired,
            Some(Counted::Withheld) => &mut self.withheld,
            Some(Counted::Recorded) => &mut self.recorded,
            Some(Counted::Duplicate) => &mut self.duplicate,
            Some(Counted::Rejected) => &mut self.rejected,
            // Counted without a name.
            Some(Counted::Received) | None => return,
        };
        *count += change;
    }
}

/// A fact of the event `e`, in SQL: as it was amended last, or as it came.
macro_rules! fact {
    ($column:literal) => {
        concat!(
            "iif(EXISTS (SELECT 1 FROM amendment WHERE event = e.id), (SELECT ",
            $column,
            " FROM amendment WHERE event = e.id ORDER BY id DESC LIMIT 1), e.",
            $column,
            ")"
        )
    };
}

/// The columns of [`record`].
pub(super) const RECORD: &str = concat!(
    "SELECT e.id,
    (SELECT text FROM term WHERE id = e.dataset),
    (SELECT text FROM term WHERE id = e.source),
    coalesce(e.own_name, (SELECT text FROM term WHERE id = e.name)),
    (SELECT text FROM term WHERE id = e.action_source),
    (SELECT text FROM term WHERE id = e.test_code),
    e.event_id, e.accepted_ms, ",
    fact!("expires_s"),
    ",
    o.state, o.at_ms, o.code, o.subcode, o.text,
    ",
    has_body!(),
    ",
    r.id, (SELECT text FROM term WHERE id = r.dataset), (SELECT text FROM term WHERE id = r.test_code),
    r.sent_ms, r.elapsed_ms, r.events, r.bytes, r.status, r.code, r.subcode, r.received,
    r.fbtrace_id, r.verdict,
    ",
    fact!("event_s"),
    ", ",
    fact!("identifiers"),
    ", ",
    fact!("order_id"),
    ", ",
    fact!("minor"),
    ", (SELECT text FROM term WHERE term.id = ",
    fact!("currency"),
    "), ",
    fact!("worst"),
    ", e.due_ms, e.completed, e.bytes = 0, (SELECT count(*) FROM amendment WHERE event = e.id)"
);

/// The columns of [`request`].
pub(super) const REQUEST: &str = "r.id,
    (SELECT text FROM term WHERE id = r.dataset), (SELECT text FROM term WHERE id = r.test_code),
    r.sent_ms, r.elapsed_ms, r.events, r.bytes, r.status, r.code, r.subcode, r.received,
    r.fbtrace_id, r.verdict";

/// An event's record, from a row of [`RECORD`].
pub(super) fn record(row: &Row<'_>) -> rusqlite::Result<EventRecord> {
    Ok(EventRecord {
        key: EventKey(row.get(0)?),
        dataset: text(row, 1)?,
        source: text(row, 2)?,
        event_name: text(row, 3)?,
        action_source: text(row, 4)?,
        test_code: row.get(5)?,
        event_id: row.get(6)?,
        accepted_ms: row.get(7)?,
        expires_s: row.get(8)?,
        state: row
            .get::<_, Option<i64>>(9)?
            .map_or(EventState::Waiting, state),
        at_ms: row.get(10)?,
        cause: cause(row, 11)?,
        has_body: row.get(14)?,
        request: request(row, 15)?,
        facts: facts(row, 28)?,
        due_ms: row.get(34)?,
        is_completed: row.get::<_, Option<bool>>(35)?.unwrap_or_default(),
        never_kept: row.get(36)?,
        revision: Revision(row.get(37)?),
    })
}

/// Facts, from this column on.
fn facts(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<KeptFacts>> {
    let Some(event_s) = row.get(column)? else {
        return Ok(None);
    };
    let identifiers: Option<i64> = row.get(column + 1)?;
    let minor: Option<i64> = row.get(column + 3)?;
    let currency: Option<String> = row.get(column + 4)?;
    let currency = currency.as_deref().and_then(Currency::parse);
    Ok(Some(KeptFacts {
        event_s,
        identifiers: FieldSet::from_bits(identifiers.unwrap_or_default().cast_unsigned()),
        order_id: row.get(column + 2)?,
        amount: (minor.zip(currency)).map(|(minor, currency)| Amount { minor, currency }),
        worst: row
            .get::<_, Option<i64>>(column + 5)?
            .and_then(worst_of_number),
    }))
}

/// How the file has the severity of the worst finding; one that has an error is not kept.
const WORST: [(i64, Severity); 3] = [
    (1, Severity::Repaired),
    (2, Severity::Warning),
    (3, Severity::Hint),
];

pub(super) fn worst_number(severity: Severity) -> Option<i64> {
    let mut known = WORST.into_iter();
    known.find_map(|(number, known)| (known == severity).then_some(number))
}

fn worst_of_number(number: i64) -> Option<Severity> {
    let mut known = WORST.into_iter();
    known.find_map(|(known, severity)| (known == number).then_some(severity))
}

/// A text that a damaged file may lack.
pub(super) fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    row.get::<_, Option<String>>(column)
        .map(Option::unwrap_or_default)
}

/// Code, subcode and text, from this column on.
pub(super) fn cause(row: &Row<'_>, column: usize) -> rusqlite::Result<Cause> {
    Ok(Cause {
        code: row.get(column)?,
        subcode: row.get(column + 1)?,
        text: text(row, column + 2)?,
    })
}

/// A state that the file's number stands for; an unknown one is taken for withheld.
pub(super) fn state(number: i64) -> EventState {
    Counted::of(number)
        .and_then(Counted::state)
        .unwrap_or(EventState::Withheld)
}

/// A request, from this column on.
pub(super) fn request(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<SentRequest>> {
    let Some(id) = row.get(column)? else {
        return Ok(None);
    };
    Ok(Some(SentRequest {
        id,
        dataset: text(row, column + 1)?,
        test_code: row.get(column + 2)?,
        sent_ms: row.get(column + 3)?,
        elapsed_ms: row.get(column + 4)?,
        events: row.get(column + 5)?,
        bytes: row.get(column + 6)?,
        status: row.get(column + 7)?,
        code: row.get(column + 8)?,
        subcode: row.get(column + 9)?,
        received: row.get(column + 10)?,
        fbtrace_id: row.get(column + 11)?,
        verdict: text(row, column + 12)?,
    }))
}
