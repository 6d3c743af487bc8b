//! The window in which a second event with the same identity is a copy, kept in memory.
//!
//! A random index on disk costs four fifths of the write rate and gets slower as it grows, so rows are
//! written in order and the index lives here, rebuilt at start.
//!
//! - A slot has 12 bytes: 64 bits of the identity and the row's distance from its generation's first.
//!   A hit is only a candidate: the caller confirms it by reading the row, so the other 64 bits count too.
//! - 64 shards: a table that grows stalls the writer for a millisecond or two, not for a second.
//! - Generations of half a window each: forgetting is dropping a whole generation. An entry lives
//!   at most one and a half windows; whether it still counts, the row's time says.
//! - Time is the time of the events. When it goes backwards, entries live longer; nothing else happens.

use std::collections::VecDeque;

use hashbrown::HashTable;
use sluice_event::ActionSource;

use crate::types::EventKey;

/// The 16 bytes of an event's identity.
pub(crate) type Identity = [u8; 16];

const SHARDS: usize = 64;

/// Clocks of several doors may differ a little; a generation is kept this much longer.
const SLACK_MS: u64 = 3_600_000;

/// A row that may hold the same event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) key: EventKey,
    /// How long after its arrival another one counts as its copy.
    pub(crate) window_ms: u64,
}

/// Identities of the events that came lately.
pub(crate) struct Dedup {
    classes: [Class; 2],
}

/// The events with one length of window.
struct Class {
    window_ms: u64,
    /// The last one takes new entries.
    generations: VecDeque<Generation>,
}

struct Generation {
    /// Rows are counted from here.
    first: i64,
    started_ms: u64,
    newest_ms: u64,
    shards: Vec<HashTable<Slot>>,
}

/// Three words and not two, because two would be aligned to 16 bytes.
#[derive(Clone, Copy)]
struct Slot {
    high: u32,
    low: u32,
    row: u32,
}

impl Slot {
    fn fingerprint(self) -> u64 {
        u64::from(self.high) << 32 | u64::from(self.low)
    }
}

/// 64 bits of the identity. It is a piece of a SHA-256, so it serves as its own hash.
fn fingerprint(identity: &Identity) -> u64 {
    identity[..8]
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Bits that the table within the shard uses for nothing else: it takes the lowest and the highest.
fn shard(fingerprint: u64) -> usize {
    usize::try_from(fingerprint >> 40).unwrap_or_default() % SHARDS
}

fn window_ms(source: ActionSource) -> u64 {
    u64::try_from(source.dedup_window_s()).unwrap_or_default() * 1_000
}

/// The longest time for which an event is remembered.
pub(crate) fn window_ms_max() -> u64 {
    window_ms(ActionSource::PhysicalStore) + SLACK_MS
}

impl Dedup {
    pub(crate) fn new() -> Self {
        let class = |source| Class {
            window_ms: window_ms(source),
            generations: VecDeque::new(),
        };
        Self {
            classes: [
                class(ActionSource::Website),
                class(ActionSource::PhysicalStore),
            ],
        }
    }

    /// Rows that may hold the event, the newest first.
    pub(crate) fn candidates(&self, identity: &Identity) -> impl Iterator<Item = Candidate> {
        let wanted = fingerprint(identity);
        self.classes.iter().flat_map(move |class| {
            class.generations.iter().rev().flat_map(move |generation| {
                generation.shards[shard(wanted)]
                    .iter_hash(wanted)
                    .filter(move |slot| slot.fingerprint() == wanted)
                    .map(move |slot| Candidate {
                        key: EventKey(generation.first + i64::from(slot.row)),
                        window_ms: class.window_ms,
                    })
            })
        })
    }

    /// Remembers an event. Keys have to count up.
    pub(crate) fn insert(
        &mut self,
        identity: &Identity,
        key: EventKey,
        source: ActionSource,
        accepted_ms: u64,
    ) {
        let class = self.class(source);
        class.forget_before(accepted_ms);
        let (generation, row) = class.current(key, accepted_ms);
        generation.newest_ms = generation.newest_ms.max(accepted_ms);
        let fingerprint = fingerprint(identity);
        let [high, low] = [fingerprint >> 32, fingerprint & u64::from(u32::MAX)]
            .map(|half| u32::try_from(half).unwrap_or_default());
        let slot = Slot { high, low, row };
        generation.shards[shard(fingerprint)]
            .insert_unique(fingerprint, slot, |slot| slot.fingerprint());
    }

    /// Forgets an event that was inserted and never committed.
    pub(crate) fn remove(&mut self, identity: &Identity, key: EventKey, source: ActionSource) {
        let wanted = fingerprint(identity);
        for generation in &mut self.class(source).generations {
            let first = generation.first;
            let is_it =
                |slot: &Slot| slot.fingerprint() == wanted && first + i64::from(slot.row) == key.0;
            if let Ok(found) = generation.shards[shard(wanted)].find_entry(wanted, is_it) {
                found.remove();
                return;
            }
        }
    }

    fn class(&mut self, source: ActionSource) -> &mut Class {
        let index = usize::from(window_ms(source) > self.classes[0].window_ms);
        &mut self.classes[index]
    }
}

impl Class {
    /// Drops what can be no original any more.
    fn forget_before(&mut self, now_ms: u64) {
        while let Some(oldest) = self.generations.front()
            && oldest.newest_ms + self.window_ms + SLACK_MS <= now_ms
        {
            self.generations.pop_front();
        }
    }

    /// The generation that takes the key, and the key's distance from its first.
    fn current(&mut self, key: EventKey, now_ms: u64) -> (&mut Generation, u32) {
        let row = self.generations.back().and_then(|generation| {
            let is_current = now_ms.abs_diff(generation.started_ms) < self.window_ms / 2;
            let row = u32::try_from(key.0 - generation.first).ok()?;
            is_current.then_some(row)
        });
        if row.is_none() {
            self.generations.push_back(Generation {
                first: key.0,
                started_ms: now_ms,
                newest_ms: now_ms,
                shards: (0..SHARDS).map(|_| HashTable::new()).collect(),
            });
        }
        let last = self.generations.len() - 1;
        (&mut self.generations[last], row.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use sluice_event::{DatasetId, EventIdentity};

    use super::*;

    const WEB: ActionSource = ActionSource::Website;
    const HOUR_MS: u64 = 3_600_000;

    fn identity(id: u64) -> Identity {
        let dataset = DatasetId::parse("1234567890").unwrap();
        *EventIdentity::of(&dataset, "Purchase", &id.to_string()).as_bytes()
    }

    fn keys(dedup: &Dedup, id: u64) -> Vec<i64> {
        dedup
            .candidates(&identity(id))
            .map(|candidate| candidate.key.0)
            .collect()
    }

    #[test]
    fn a_slot_has_twelve_bytes() {
        assert_eq!(size_of::<Slot>(), 12);
    }

    #[test]
    fn finds_what_was_inserted_and_nothing_else() {
        let mut dedup = Dedup::new();
        for id in 0..10_000 {
            let key = EventKey(i64::try_from(id).unwrap() + 1);
            dedup.insert(&identity(id), key, WEB, 1_000);
        }
        assert_eq!(keys(&dedup, 77), [78]);
        assert!(keys(&dedup, 10_000).is_empty());
        dedup.remove(&identity(77), EventKey(78), WEB);
        assert!(keys(&dedup, 77).is_empty());
        assert_eq!(keys(&dedup, 78), [79]);
    }

    #[test]
    fn generations_come_and_go_with_the_window() {
        let mut dedup = Dedup::new();
        let window_h = window_ms(WEB) / HOUR_MS;
        for hour in 0..1_000 {
            let key = EventKey(i64::try_from(hour).unwrap());
            dedup.insert(&identity(hour), key, WEB, hour * HOUR_MS);
            assert!(dedup.classes[0].generations.len() <= 5);
            let oldest_needed = hour.saturating_sub(window_h - 1);
            assert_eq!(keys(&dedup, oldest_needed).len(), 1);
        }
        assert!(keys(&dedup, 900).is_empty());
    }

    #[test]
    fn each_window_has_its_own_generations() {
        let mut dedup = Dedup::new();
        let store = ActionSource::PhysicalStore;
        dedup.insert(&identity(1), EventKey(1), store, 0);
        dedup.insert(&identity(2), EventKey(2), WEB, 0);
        dedup.insert(&identity(3), EventKey(3), WEB, 72 * HOUR_MS);
        dedup.insert(&identity(4), EventKey(4), store, 72 * HOUR_MS);
        assert_eq!(keys(&dedup, 1), [1]);
        assert!(keys(&dedup, 2).is_empty());
        let found = dedup.candidates(&identity(1)).next().unwrap();
        assert_eq!(found.window_ms, 7 * 24 * HOUR_MS);
    }

    #[test]
    fn a_clock_that_jumps_breaks_nothing() {
        let mut dedup = Dedup::new();
        let far = 4_000_000 * HOUR_MS;
        for (key, now_ms) in [
            (1, 500 * HOUR_MS),
            (2, 499 * HOUR_MS),
            (3, 0),
            (4, far),
            (5, 7),
        ] {
            dedup.insert(&identity(9), EventKey(key), WEB, now_ms);
            assert!(keys(&dedup, 9).contains(&key));
        }
    }

    #[test]
    fn rows_farther_apart_than_a_slot_can_say_start_a_generation() {
        let mut dedup = Dedup::new();
        let far = i64::from(u32::MAX) + 10;
        dedup.insert(&identity(1), EventKey(1), WEB, 0);
        dedup.insert(&identity(2), EventKey(far), WEB, 0);
        assert_eq!(keys(&dedup, 1), [1]);
        assert_eq!(keys(&dedup, 2), [far]);
    }
}
