//! Appending: which entry is a copy, and rows for the others.

use rusqlite::{CachedStatement, Connection, params};

use super::body::checksum;
use super::cipher::Sealer;
use super::queue::Slot;
use super::records;
use super::row::{stored_ms, unless_damaged};
use super::state::{Inserted, LaneTerms, Staged, State};
use super::tally::{Counted, Group};
use super::terms::Term;
use crate::dedup::Identity;
use crate::types::{Appended, Arrivals, BodyKeyId, Entry, EventKey, LaneId};

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
        let sealed = match with {
            None => None,
            Some(sealer) => Some(sealer.seal(&identity, entry.event.json().as_bytes())?),
        };
        Some(Self {
            entry,
            identity,
            sealed,
        })
    }

    pub(super) fn bytes(&self) -> usize {
        self.entry.event.json().len()
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
        event.test_code
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
                                    event_s, identifiers, order_id, minor, currency, worst)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
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
            // What this group has written itself cannot be final, and is not read: other rows may be damaged.
            if let Some(inserted) = staged.inserted(candidate.key) {
                let is_same =
                    inserted.identity == arrival.identity && inserted.test_code == test_code;
                newest = newest.max(is_same.then_some(candidate.key));
                continue;
            }
            let known = self.known.query_row([candidate.key.0], |row| {
                let is_same = row.get_ref(0)?.as_blob()? == arrival.identity;
                let is_alive = [None, Some(Counted::Delivered.number())].contains(&row.get(2)?);
                let may_be_there = is_alive || row.get(3)?;
                let is_same = is_same && row.get::<_, Option<Term>>(4)? == test_code;
                Ok((is_same && may_be_there, row.get::<_, u64>(1)?))
            });
            let known = unless_damaged(known)?;
            // A clock that went backwards makes the age 0; while the clock is in doubt no event is too old.
            let is_young = |accepted_ms: u64| {
                let entry = &arrival.entry;
                entry.in_doubt
                    || entry.accepted_ms.saturating_sub(accepted_ms) < candidate.window_ms
            };
            if let Some((true, accepted_ms)) = known
                && is_young(accepted_ms)
            {
                newest = newest.max(Some(candidate.key));
            }
        }
        Ok(newest)
    }
}

fn append_one(
    rows: &mut Rows<'_>,
    state: &mut State,
    staged: &mut Staged,
    arrival: &Arrival,
) -> rusqlite::Result<Appended> {
    let Entry {
        dataset,
        source,
        test_code,
        accepted_ms,
        in_doubt,
        event,
    } = &arrival.entry;
    let mut term = |text: &str| state.terms.intern(rows.conn, text);
    let (dataset_term, source_term) = (term(dataset.as_str())?, term(source.as_str())?);
    let name = state.counted_name(rows.conn, staged, (source_term, event.event_name()))?;
    let group = Group {
        dataset: dataset_term,
        source: source_term,
        name: name.term,
    };
    if !in_doubt {
        state.dedup.forget(*accepted_ms);
    }
    let mut term = |text: &str| state.terms.intern(rows.conn, text);
    let test_term = test_code.as_ref().map(|code| term(code.as_str()));
    let test_term = test_term.transpose()?;
    if let Some(key) = rows.original(state, staged, (arrival, test_term))? {
        staged.count(*accepted_ms, group, Counted::Duplicate, 1);
        return Ok(Appended::Copy(key));
    }

    let mut term = |text: &str| state.terms.intern(rows.conn, text);
    let action_source = event.action_source();
    let action_term = term(action_source.name())?;
    let facts = event.facts();
    let currency = facts.amount.map(|amount| term(amount.currency.code()));
    let currency = currency.transpose()?;
    let key = EventKey(state.next_event);
    rows.event.execute(params![
        key.0,
        group.dataset,
        group.source,
        group.name,
        test_term,
        arrival.identity,
        event.event_id(),
        action_term,
        stored_ms(*accepted_ms),
        event.expires_at(),
        arrival.bytes(),
        name.is_other.then(|| event.event_name()),
        event.event_time(),
        facts.identifiers.bits().cast_signed(),
        facts.order_id,
        facts.amount.map(|amount| amount.minor),
        currency,
        facts.worst.and_then(records::worst_number),
    ])?;
    match &arrival.sealed {
        None => {
            let json = event.json();
            let crc = checksum(key, json.as_bytes());
            rows.body
                .execute((key.0, crc, json, None::<u32>, None::<&[u8]>))?;
        }
        Some((id, sealed)) => {
            let crc = checksum(key, sealed);
            rows.body.execute((key.0, crc, "", id.0, sealed))?;
        }
    }
    state.next_event += 1;
    state
        .dedup
        .insert(&arrival.identity, key, action_source, *accepted_ms);
    staged.inserted.push(Inserted {
        identity: arrival.identity,
        test_code: test_term,
        key,
        source: action_source,
    });
    staged.count(*accepted_ms, group, Counted::Accepted, 1);
    let terms = LaneTerms {
        dataset: group.dataset,
        test_code: test_term,
        is_replay: false,
    };
    let lane = state.lane(terms, || LaneId {
        dataset: dataset.clone(),
        test_code: test_code.clone(),
        is_replay: false,
    });
    let slot = Slot::new(key, *accepted_ms, event.expires_at(), arrival.bytes());
    staged.arrived.push((lane, slot));
    Ok(Appended::New(key))
}
