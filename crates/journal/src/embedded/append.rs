//! Appending: which entry is a copy, and rows for the others.

use rusqlite::{CachedStatement, Connection, params};

use super::body::checksum;
use super::cipher::Sealer;
use super::queue::Joining;
use super::records;
use super::row::{stored_ms, unless_damaged};
use super::settle::{self, OutcomeRow};
use super::slot::Slot;
use super::state::{Inserted, LaneTerms, Staged, State};
use super::tally::{Counted, Group};
use super::terms::Term;
use crate::dedup::{Identity, Window};
use crate::types::{
    Appended, Arrivals, BodyKeyId, Entry, EventKey, LaneId, Start, URGENT_S, WINDOW_MAX_MS,
};

/// An entry with its identity and its encrypted body, which were made on the caller's thread.
pub(super) struct Arrival {
    entry: Entry,
    identity: Identity,
    /// The encrypted body, and the key it is encrypted with.
    sealed: Option<(BodyKeyId, Vec<u8>)>,
}

impl Arrival {
    /// `None` if the body is too long for the cipher.
    pub(super) fn new(entry: Entry, with: Option<&Sealer>) -> Option<Self> {
        let identity = *entry.identity().as_bytes();
        let sealed = match with.filter(|_| entry.start.waits()) {
            None => None,
            Some(sealer) => Some(sealer.seal(&identity, entry.event.json().as_bytes())?),
        };
        Some(Self {
            entry,
            identity,
            sealed,
        })
    }

    /// What it takes in memory, about.
    pub(super) fn bytes(&self) -> usize {
        self.entry.event.json().len()
    }

    /// The bytes of the body that is kept; 0 if none is.
    fn kept_bytes(&self) -> usize {
        if self.entry.start.waits() {
            self.bytes()
        } else {
            0
        }
    }
}

/// Counts what came in, whatever becomes of it.
pub(super) fn count(
    conn: &Connection,
    state: &mut State,
    staged: &mut Staged,
    counts: &[Arrivals],
) -> rusqlite::Result<()> {
    for arrivals in counts {
        let dataset = state.terms.intern(conn, arrivals.dataset.as_str())?;
        let source = state.terms.intern(conn, arrivals.source.as_str())?;
        let events = i64::try_from(arrivals.events).unwrap_or(i64::MAX);
        staged.count_received(arrivals.at_ms, (dataset, source), events);
    }
    Ok(())
}

/// Writes the rows of one append.
pub(super) fn append(
    rows: &mut Rows<'_>,
    state: &mut State,
    staged: &mut Staged,
    arrivals: &[Arrival],
) -> rusqlite::Result<Vec<Appended>> {
    arrivals
        .iter()
        .map(|arrival| append_one(rows, state, staged, arrival))
        .collect()
}

/// What is read of an event to know whether another one is a copy of it.
pub(super) const KNOWN: &str = "SELECT event.identity, event.accepted_ms, outcome.state,
        EXISTS (SELECT 1 FROM intent WHERE intent.event = event.id),
        event.test_code, event.window_ms
    FROM event LEFT JOIN outcome ON outcome.event = event.id WHERE event.id = ?1";

/// The events of which these may be copies.
pub(super) fn candidates(state: &State, arrivals: &[Arrival]) -> Vec<EventKey> {
    arrivals
        .iter()
        .flat_map(|arrival| state.dedup.candidates(&arrival.identity))
        .map(|candidate| candidate.key)
        .collect()
}

/// The prepared statements of all appends of a group.
pub(super) struct Rows<'c> {
    conn: &'c Connection,
    known: CachedStatement<'c>,
    event: CachedStatement<'c>,
    body: CachedStatement<'c>,
}

impl<'c> Rows<'c> {
    pub(super) fn prepare(conn: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            conn,
            known: conn.prepare_cached(KNOWN)?,
            event: conn.prepare_cached(
                "INSERT INTO event (id, dataset, source, name, test_code, identity, event_id,
                                    action_source, accepted_ms, expires_s, bytes, own_name,
                                    event_s, identifiers, order_id, minor, currency, worst,
                                    completed, due_ms, window_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
                         ?19, ?20, ?21)",
            )?,
            body: conn.prepare_cached(
                "INSERT INTO body (id, crc, json, key, sealed) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?,
        })
    }

    /// The event in the window that this one is a copy of. An event that never reached Meta and never will has
    /// no copies: when a refused event is mended, it comes again under the same id. One with an intent may have
    /// reached Meta. An event with a test code is a copy only of those with the same one.
    fn original(
        &mut self,
        state: &State,
        staged: &Staged,
        (arrival, test_code): (&Arrival, Option<Term>),
    ) -> rusqlite::Result<Option<EventKey>> {
        let mut newest = None;
        // An event whose row cannot be read is no original: the new one is whole, and may be all that is left.
        let candidates = state.dedup.candidates(&arrival.identity);
        for candidate in candidates.filter(|known| !state.unreadable.contains(known.key)) {
            // What this group has written itself is not read: other rows may be damaged.
            if let Some(inserted) = staged.inserted(candidate.key) {
                let is_same = inserted.has_copies
                    && inserted.identity == arrival.identity
                    && inserted.test_code == test_code;
                newest = newest.max(is_same.then_some(candidate.key));
                continue;
            }
            let known = self.known.query_row([candidate.key.0], |row| {
                let is_same = row.get_ref(0)?.as_blob()? == arrival.identity;
                let state: Option<i64> = row.get(2)?;
                let is_alive = state.is_none_or(has_copies);
                let may_be_there = is_alive || row.get(3)?;
                let is_same = is_same && row.get::<_, Option<Term>>(4)? == test_code;
                let window_ms = row.get::<_, Option<u64>>(5)?.unwrap_or(candidate.window_ms);
                Ok((is_same && may_be_there, row.get::<_, u64>(1)?, window_ms))
            });
            let known = unless_damaged(known)?;
            // A clock that went backwards makes the age 0; while the clock is in doubt no event is too old.
            let is_young = |accepted_ms: u64, window_ms: u64| {
                let entry = &arrival.entry;
                entry.in_doubt || entry.accepted_ms.saturating_sub(accepted_ms) < window_ms
            };
            if let Some((true, accepted_ms, window_ms)) = known
                && is_young(accepted_ms, window_ms)
            {
                newest = newest.max(Some(candidate.key));
            }
        }
        Ok(newest)
    }
}

/// Whether another event with the identity of one in this final state is its copy: not if it never reached Meta and
/// never will.
fn has_copies(state: i64) -> bool {
    [Counted::Delivered, Counted::Recorded]
        .map(Counted::number)
        .contains(&state)
}

/// The final state that an event starts in, if it does, and why.
fn first_outcome(start: &Start) -> Option<OutcomeRow<'_>> {
    match start {
        Start::Waiting | Start::Due { .. } => None,
        Start::Final(outcome) => OutcomeRow::of(outcome),
        Start::Recorded => Some(OutcomeRow {
            counted: Counted::Recorded,
            cause: None,
        }),
    }
}

/// Until when an event is on hold; `None` if it is not. It is free before it is urgent.
pub(super) fn due_ms(start: &Start, accepted_ms: u64, expires_s: i64) -> Option<u64> {
    let Start::Due { at_ms } = start else {
        return None;
    };
    let urgent_s = u64::try_from(expires_s.saturating_sub(URGENT_S)).unwrap_or_default();
    let due_ms = urgent_s.saturating_mul(1_000).min(*at_ms);
    (due_ms > accepted_ms).then_some(due_ms)
}

/// The numbers of an event's texts.
struct EventTerms {
    group: Group,
    /// The name is counted under another one's.
    is_other: bool,
    test_code: Option<Term>,
}

impl EventTerms {
    fn of(
        conn: &Connection,
        state: &mut State,
        staged: &mut Staged,
        entry: &Entry,
    ) -> rusqlite::Result<Self> {
        let dataset = state.terms.intern(conn, entry.dataset.as_str())?;
        let source = state.terms.intern(conn, entry.source.as_str())?;
        let name = state.counted_name(conn, staged, (source, entry.event.event_name()))?;
        let test_code = entry.test_code.as_ref();
        let test_code = test_code.map(|code| state.terms.intern(conn, code.as_str()));
        Ok(Self {
            group: Group {
                dataset,
                source,
                name: name.term,
            },
            is_other: name.is_other,
            test_code: test_code.transpose()?,
        })
    }
}

fn append_one(
    rows: &mut Rows<'_>,
    state: &mut State,
    staged: &mut Staged,
    arrival: &Arrival,
) -> rusqlite::Result<Appended> {
    let entry = &arrival.entry;
    let terms = EventTerms::of(rows.conn, state, staged, entry)?;
    if !entry.in_doubt {
        state.dedup.forget(entry.accepted_ms);
    }
    if let Some(key) = rows.original(state, staged, (arrival, terms.test_code))? {
        staged.count(entry.accepted_ms, terms.group, Counted::Duplicate, 1);
        return Ok(Appended::Copy(key));
    }

    let key = EventKey(state.next_event);
    let expires_s = entry.event.expires_at();
    let due_ms = due_ms(&entry.start, entry.accepted_ms, expires_s);
    let window_ms = entry.window_ms.map(|ms| ms.min(WINDOW_MAX_MS));
    write_event(rows, state, (key, arrival), &terms, (due_ms, window_ms))?;
    state.next_event += 1;
    let window = window_ms.map_or(Window::BySource(entry.event.action_source()), Window::Own);
    state
        .dedup
        .insert(&arrival.identity, key, window, entry.accepted_ms);
    let outcome = first_outcome(&entry.start);
    let number = outcome.as_ref().map(|outcome| outcome.counted.number());
    staged.inserted.push(Inserted {
        identity: arrival.identity,
        test_code: terms.test_code,
        key,
        window,
        has_copies: number.is_none_or(has_copies),
    });
    staged.count(entry.accepted_ms, terms.group, Counted::Accepted, 1);
    if let Some(outcome) = outcome {
        settle::write_outcome(rows.conn, key, &outcome, (entry.accepted_ms, None))?;
        staged.count(entry.accepted_ms, terms.group, outcome.counted, 1);
        return Ok(Appended::New(key));
    }
    write_body(rows, key, arrival)?;
    let lane_terms = LaneTerms {
        dataset: terms.group.dataset,
        test_code: terms.test_code,
        is_replay: false,
    };
    let lane = state.lane(lane_terms, || LaneId {
        dataset: entry.dataset.clone(),
        test_code: entry.test_code.clone(),
        is_replay: false,
    });
    let slot = Slot::new(key, entry.accepted_ms, expires_s, arrival.bytes());
    staged.arrived.push((lane, Joining { slot, due_ms }));
    Ok(Appended::New(key))
}

fn write_event(
    rows: &mut Rows<'_>,
    state: &mut State,
    (key, arrival): (EventKey, &Arrival),
    terms: &EventTerms,
    (due_ms, window_ms): (Option<u64>, Option<u64>),
) -> rusqlite::Result<()> {
    let entry = &arrival.entry;
    let event = &entry.event;
    let mut term = |text: &str| state.terms.intern(rows.conn, text);
    let action_source = term(event.action_source().name())?;
    let facts = event.facts();
    let currency = facts.amount.map(|amount| term(amount.currency.code()));
    let currency = currency.transpose()?;
    rows.event
        .execute(params![
            key.0,
            terms.group.dataset,
            terms.group.source,
            terms.group.name,
            terms.test_code,
            arrival.identity,
            event.event_id(),
            action_source,
            stored_ms(entry.accepted_ms),
            event.expires_at(),
            arrival.kept_bytes(),
            terms.is_other.then(|| event.event_name()),
            event.event_time(),
            facts.identifiers.bits().cast_signed(),
            facts.order_id,
            facts.amount.map(|amount| amount.minor),
            currency,
            facts.worst.and_then(records::worst_number),
            entry.is_completed.then_some(true),
            due_ms.map(stored_ms),
            window_ms.map(stored_ms),
        ])
        .map(drop)
}

fn write_body(rows: &mut Rows<'_>, key: EventKey, arrival: &Arrival) -> rusqlite::Result<()> {
    match &arrival.sealed {
        None => {
            let json = arrival.entry.event.json();
            let crc = checksum(key, json.as_bytes());
            rows.body
                .execute((key.0, crc, json, None::<u32>, None::<&[u8]>))?;
        }
        Some((id, sealed)) => {
            let crc = checksum(key, sealed);
            rows.body.execute((key.0, crc, "", id.0, sealed))?;
        }
    }
    Ok(())
}
