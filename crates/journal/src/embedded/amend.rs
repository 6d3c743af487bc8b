//! Amending: another body, and other facts, for an event that waits.
//!
//! The new body is a row of `amendment`; of the one before it only blanks are left. The writer takes the event out of
//! its lane as a lease does, so that it cannot leave while its body changes, and puts it back when that is on disk.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, params};
use sluice_event::DatasetId;

use super::append;
use super::body::{self, Body, checksum};
use super::cipher::{BodyKeys, Sealer};
use super::erase;
use super::index;
use super::lane::Lane;
use super::low_water::LowWater;
use super::queue::Joining;
use super::records;
use super::row::{stored_ms, unless_damaged};
use super::slot::Slot;
use super::state::{Staged, State};
use super::terms::{Term, Texts};
use super::waiting_row::WaitingRow;
use crate::dedup::Identity;
use crate::types::{
    Amendable, Amended, Amendment, BodyKeyId, EventKey, LaneId, Revision, Start, TestCode,
};

/// An amendment with its identity and its encrypted body, which were made on the caller's thread.
pub(super) struct Change {
    amendment: Amendment,
    identity: Identity,
    sealed: Option<(BodyKeyId, Vec<u8>)>,
}

impl Change {
    /// `None` if the body is too long for the cipher.
    pub(super) fn new(amendment: Amendment, with: Option<&Sealer>) -> Option<Self> {
        let identity = *amendment.event.identity(&amendment.dataset).as_bytes();
        let json = amendment.event.json().as_bytes();
        let sealed = match with {
            None => None,
            Some(sealer) => Some(sealer.seal(&identity, json)?),
        };
        Some(Self {
            amendment,
            identity,
            sealed,
        })
    }

    pub(super) fn bytes(&self) -> usize {
        self.amendment.event.json().len()
    }
}

/// An event that was taken out of its lane, and what goes back.
pub(super) struct Exchange {
    pub(super) lane: Arc<Lane>,
    pub(super) before: Joining,
    pub(super) after: Joining,
}

/// Writes one amendment.
pub(super) fn amend(
    conn: &Connection,
    state: &mut State,
    staged: &mut Staged,
    change: &Change,
) -> rusqlite::Result<Amended> {
    let key = change.amendment.key;
    let Some((identity, revision)) = standing(conn, key)? else {
        return Ok(Amended::TooLate);
    };
    if identity != change.identity {
        return Ok(Amended::Another);
    }
    if revision != change.amendment.revision {
        return Ok(Amended::Changed);
    }
    let row = WaitingRow::of(conn, key, false)?;
    let Some((lane, before)) = row.lane(state).and_then(|lane| {
        let before = lane.take_out(key)?;
        Some((lane, before))
    }) else {
        return Ok(Amended::TooLate);
    };
    let after = after(&before, change.amendment.event.expires_at(), change.bytes());
    // From here on an error takes back what is staged, and the event waits as before.
    staged.exchanged.push(Exchange {
        lane,
        before,
        after,
    });
    erase::overwrite(conn, key)?;
    staged.has_deleted = true;
    index::forget(conn, index::segment_of(key.0))?;
    write(conn, state, change)?;
    Ok(Amended::Done)
}

/// The identity of an event that is not final, and how often it was amended.
fn standing(conn: &Connection, key: EventKey) -> rusqlite::Result<Option<(Identity, Revision)>> {
    conn.prepare_cached(
        "SELECT identity, (SELECT count(*) FROM amendment WHERE event = ?1) FROM event
         WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM outcome WHERE event = ?1)",
    )?
    .query_row([key.0], |row| Ok((row.get(0)?, Revision(row.get(1)?))))
    .optional()
}

/// How an event waits once it was amended: as long as before, unless it expires earlier now.
pub(super) fn after(before: &Joining, expires_s: i64, bytes: usize) -> Joining {
    let (key, accepted_ms) = (before.slot.key(), before.slot.accepted_ms());
    let due_ms = before.due_ms.and_then(|at_ms| {
        let start = Start::Due { at_ms };
        append::due_ms(&start, accepted_ms, expires_s)
    });
    Joining {
        slot: Slot::new(key, accepted_ms, expires_s, bytes),
        due_ms,
    }
}

fn write(conn: &Connection, state: &mut State, change: &Change) -> rusqlite::Result<()> {
    let Amendment {
        key, at_ms, event, ..
    } = &change.amendment;
    let facts = event.facts();
    let action_source = state.terms.intern(conn, event.action_source().name())?;
    let currency = facts.amount.map(|amount| amount.currency.code());
    let currency = currency.map(|code| state.terms.intern(conn, code));
    let (crc, json, key_id, sealed) = match &change.sealed {
        None => (
            checksum(*key, event.json().as_bytes()),
            event.json(),
            None,
            None,
        ),
        Some((id, sealed)) => (checksum(*key, sealed), "", Some(id.0), Some(sealed)),
    };
    conn.prepare_cached(
        "INSERT INTO amendment (event, at_ms, expires_s, bytes, action_source, event_s, identifiers, order_id, minor,
                                currency, worst, crc, json, key, sealed, live)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, 1)",
    )?
    .execute(params![
        key.0,
        stored_ms(*at_ms),
        event.expires_at(),
        change.bytes(),
        action_source,
        event.event_time(),
        facts.identifiers.bits().cast_signed(),
        facts.order_id,
        facts.amount.map(|amount| amount.minor),
        currency.transpose()?,
        facts.worst.and_then(records::worst_number),
        crc,
        json,
        key_id,
        sealed,
    ])
    .map(drop)
}

/// What can be amended of an event, and in which lane it waits; `None` if it is final, not there, or damaged.
pub(super) fn read(
    conn: &Connection,
    key: EventKey,
    (texts, keys): (&Texts, &BodyKeys),
) -> rusqlite::Result<Option<(LaneId, Amendable)>> {
    let Some((_, revision)) = unless_damaged(standing(conn, key))?.flatten() else {
        return Ok(None);
    };
    let lane = conn
        .prepare_cached("SELECT dataset, test_code FROM event WHERE id = ?1")?
        .query_row([key.0], |row| {
            Ok((row.get::<_, Term>(0)?, row.get::<_, Option<Term>>(1)?))
        });
    let Some((dataset, test_code)) = unless_damaged(lane)? else {
        return Ok(None);
    };
    let body = conn
        .prepare_cached(body::BODY)?
        .query_row([key.0], |row| body::read(row, key, keys));
    let Some(Body::Json(json)) = unless_damaged(body)? else {
        return Ok(None);
    };
    let Ok(dataset) = DatasetId::parse(&texts.get(dataset)) else {
        return Ok(None);
    };
    let test_code = test_code.map(|code| TestCode::parse(&texts.get(code)));
    let lane = LaneId {
        dataset,
        test_code: test_code.transpose().ok().flatten(),
        is_replay: false,
    };
    Ok(Some((lane, Amendable { json, revision })))
}

/// Expiry and size of the waiting events that were amended, from this one on.
pub(super) fn waiting_from(
    conn: &Connection,
    first: i64,
) -> rusqlite::Result<HashMap<i64, (i64, usize)>> {
    let mut statement = conn.prepare(
        "SELECT event, expires_s, bytes FROM amendment INDEXED BY amendment_live
         WHERE live = 1 AND event >= ?1
           AND NOT EXISTS (SELECT 1 FROM outcome WHERE outcome.event = amendment.event)",
    )?;
    let rows = statement.query_map([first], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
    rows.collect()
}

/// The keys that amended bodies of waiting events are encrypted with.
pub(super) fn body_keys(conn: &Connection) -> rusqlite::Result<Vec<BodyKeyId>> {
    let mut statement = conn.prepare(
        "SELECT DISTINCT key FROM amendment
         WHERE live = 1 AND key IS NOT NULL
           AND (event >= ?1 OR event IN (SELECT event FROM straggler))
           AND NOT EXISTS (SELECT 1 FROM outcome WHERE outcome.event = amendment.event)",
    )?;
    let from = LowWater::load(conn)?.from;
    let keys = statement.query_map([from.0], |row| row.get(0).map(BodyKeyId))?;
    keys.collect()
}
