//! Leasing: keys from memory, bodies from disk.

use std::sync::Arc;

use rusqlite::{CachedStatement, Connection};

use sluice_event::ActionSource;

use super::body::{self, Body};
use super::cipher::BodyKeys;
use super::lane::Lane;
use super::readers::Readers;
use super::row::unless_damaged;
use super::slot::Slot;
use super::terms::{Term, Texts};
use crate::error::JournalError;
use crate::journal::{Lease, LeaseLimits};
use crate::types::{BodyKeyId, EventKey, Leased};

/// Events that were taken from the queue; they go back when this is dropped before it became a lease.
pub(super) struct Taken {
    lane: Arc<Lane>,
    slots: Vec<Slot>,
}

impl Taken {
    pub(super) fn take(lane: Arc<Lane>, limits: LeaseLimits) -> Self {
        let slots = lane.lease(limits);
        Self { lane, slots }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Reads the events. Blocks: not for async threads.
    pub(super) fn read(
        self,
        readers: &Readers,
        texts: &Texts,
        keys: &BodyKeys,
    ) -> Result<Read, JournalError> {
        let mut leased = Vec::with_capacity(self.slots.len());
        let (mut damaged, mut settled, mut locked) = (Vec::new(), Vec::new(), Vec::new());
        readers.read(|conn| {
            let mut rows = Rows::prepare(conn, texts, keys)?;
            for slot in &self.slots {
                match rows.event(slot.key())? {
                    Found::Whole(event) => leased.push(event),
                    Found::Damaged => damaged.push(slot.key()),
                    Found::Settled => settled.push(slot.key()),
                    Found::Locked(id) => locked.push((slot.key(), id)),
                }
            }
            Ok(())
        })?;
        Ok(Read {
            taken: self,
            leased,
            damaged,
            settled,
            locked,
        })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let slots = std::mem::take(&mut self.slots);
        if !slots.is_empty() {
            self.lane.give_back(slots.into_iter().map(Slot::key));
        }
    }
}

/// Events that were read.
pub(super) struct Read {
    taken: Taken,
    leased: Vec<Leased>,
    /// Events whose bytes are not what was written.
    pub(super) damaged: Vec<EventKey>,
    /// Events that another process dropped.
    pub(super) settled: Vec<EventKey>,
    /// Events whose bodies are encrypted with a key that is not here.
    pub(super) locked: Vec<(EventKey, BodyKeyId)>,
}

impl Read {
    pub(super) fn lane(&self) -> &Arc<Lane> {
        &self.taken.lane
    }

    /// The lease of the events that are whole.
    pub(super) fn into_lease(mut self) -> Lease {
        // From here on the lease gives them back; damaged ones were settled, dropped ones forgotten.
        self.taken.slots.clear();
        let lane = Arc::clone(&self.taken.lane);
        Lease::new(lane.id.clone(), self.leased, move |events| {
            lane.give_back(events.into_iter().map(|event| event.key));
        })
    }
}

/// What a row says of an event that is to be leased.
enum Found {
    Whole(Leased),
    /// It is not what was written.
    Damaged,
    /// It has its final state already.
    Settled,
    /// Its body is encrypted with a key that is not here.
    Locked(BodyKeyId),
}

/// Whether Meta counts an event from this source once if it comes twice.
fn is_deduplicated(action_source: &str) -> bool {
    ActionSource::from_name(action_source).is_some_and(ActionSource::is_deduplicated)
}

/// The prepared statements of a lease. Point reads: keys of one lane may lie far apart.
struct Rows<'c> {
    event: CachedStatement<'c>,
    body: CachedStatement<'c>,
    intent: CachedStatement<'c>,
    texts: &'c Texts,
    keys: &'c BodyKeys,
}

impl<'c> Rows<'c> {
    fn prepare(
        conn: &'c Connection,
        texts: &'c Texts,
        keys: &'c BodyKeys,
    ) -> rusqlite::Result<Self> {
        Ok(Self {
            event: conn.prepare_cached(
                "SELECT name, event_id, accepted_ms, expires_s,
                        EXISTS (SELECT 1 FROM outcome WHERE event = ?1), action_source, own_name, source
                 FROM event WHERE id = ?1",
            )?,
            body: conn.prepare_cached(body::BODY)?,
            intent: conn.prepare_cached("SELECT at_ms FROM intent WHERE event = ?1")?,
            texts,
            keys,
        })
    }

    fn event(&mut self, key: EventKey) -> rusqlite::Result<Found> {
        let texts = self.texts;
        let event = self.event.query_row([key.0], |row| {
            if row.get(4)? {
                return Ok(None);
            }
            let own_name: Option<String> = row.get(6)?;
            let name = row.get(0)?;
            Ok(Some(Leased {
                key,
                source: texts.get(row.get(7)?).as_ref().to_owned(),
                event_name: own_name.unwrap_or_else(|| texts.get(name).as_ref().to_owned()),
                event_id: row.get(1)?,
                accepted_ms: row.get(2)?,
                expires_s: row.get(3)?,
                is_deduplicated: is_deduplicated(&texts.get(row.get(5)?)),
                intended_ms: None,
                json: String::new(),
            }))
        });
        let mut event = match unless_damaged(event)? {
            None => return Ok(Found::Damaged),
            Some(None) => return Ok(Found::Settled),
            Some(Some(event)) => event,
        };
        let keys = self.keys;
        let body = self.body.query_row([key.0], |row| {
            let amended: (Option<i64>, Option<Term>) = (row.get(5)?, row.get(6)?);
            Ok((body::read(row, key, keys)?, amended))
        });
        let (expires_s, action_source) = match unless_damaged(body)? {
            None | Some((Body::Damaged, _)) => return Ok(Found::Damaged),
            Some((Body::Locked(id), _)) => return Ok(Found::Locked(id)),
            Some((Body::Json(json), amended)) => {
                event.json = json;
                amended
            }
        };
        event.expires_s = expires_s.unwrap_or(event.expires_s);
        if let Some(action_source) = action_source {
            event.is_deduplicated = is_deduplicated(&texts.get(action_source));
        }
        if !event.is_deduplicated {
            let intended_ms = self.intent.query_row([key.0], |row| row.get(0));
            event.intended_ms = unless_damaged(intended_ms)?;
        }
        Ok(Found::Whole(event))
    }
}
