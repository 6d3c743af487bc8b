//! Reading rows of events and requests for people.

use rusqlite::Row;
use sluice_event::{Amount, Currency, FieldSet, Severity};

use super::erase::has_body;
use super::tally::Counted;
use crate::records::{EventRecord, KeptFacts, SentRequest};
use crate::types::{Cause, EventKey, EventState, Revision};

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

pub(super) use fact;

/// The columns of [`record`].
pub(super) const RECORD: &str = concat!(
    "SELECT e.id,
    (SELECT text FROM term WHERE id = e.dataset),
    (SELECT text FROM term WHERE id = e.source),
    coalesce(e.own_name, (SELECT text FROM term WHERE id = e.name)),
    (SELECT text FROM term WHERE term.id = ",
    fact!("action_source"),
    "),
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
