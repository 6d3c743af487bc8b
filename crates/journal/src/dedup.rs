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
//! - Only a time that is sure makes anything forget. A row whose time is wrong (its clock was) lives at most
//!   two windows longer than it should.
//! - While the time is in doubt nothing is forgotten; that generations are limited in number bounds the memory.
//! - The first row that is remembered is kept in the file. The start begins there, whatever times rows have.
//! - Classes by the length of the window: two for what follows from the action source, and a few for windows that
//!   events have of their own, which the row tells exactly. Those are apart, because the start reads them by
//!   themselves: a sale of two months ago must not make it read all page views since.

use std::collections::VecDeque;

use hashbrown::HashTable;
use sluice_event::ActionSource;

use crate::types::{EventKey, WINDOW_MAX_MS};

/// The 16 bytes of an event's identity.
pub(crate) type Identity = [u8; 16];

const SHARDS: usize = 64;

/// Clocks of several doors may differ a little; a generation is kept this much longer.
const SLACK_MS: u64 = 3_600_000;

/// Generations of one class. A clock that goes as it should needs five at most, so this is about twice the
/// memory of usual days; beyond it the oldest is forgotten even while the time is in doubt.
const GENERATIONS_MAX: usize = 10;

const DAY_MS: u64 = 24 * 3_600_000;

/// How long events with a window of their own are remembered, at least: the next of these lengths.
const OWN_MS: [u64; 3] = [7 * DAY_MS, 30 * DAY_MS, WINDOW_MAX_MS];

/// The window for copies of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Window {
    /// The one that follows from its action source.
    BySource(ActionSource),
    /// One of its own, of this many milliseconds.
    Own(u64),
}

/// The first rows that are remembered; no row before them is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    /// Of those whose window follows from the action source.
    pub(crate) usual: Option<EventKey>,
    /// Of those with a window of their own.
    pub(crate) own: Option<EventKey>,
}

/// A row that may hold the same event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) key: EventKey,
    /// How long after its arrival another one counts as its copy, unless its row says otherwise.
    pub(crate) window_ms: u64,
}

/// Identities of the events that came lately.
pub(crate) struct Dedup {
    classes: [Class; USUAL + OWN_MS.len()],
}

/// Classes of events whose window follows from the action source; they come first.
const USUAL: usize = 2;

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

impl Dedup {
    pub(crate) fn new() -> Self {
        let class = |window_ms| Class {
            window_ms,
            generations: VecDeque::new(),
        };
        let [week, month, longest] = OWN_MS.map(class);
        Self {
            classes: [
                class(window_ms(ActionSource::Website)),
                class(window_ms(ActionSource::PhysicalStore)),
                week,
                month,
                longest,
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
        window: Window,
        accepted_ms: u64,
    ) {
        let (generation, row) = self.class(window).current(key, accepted_ms);
        generation.newest_ms = generation.newest_ms.max(accepted_ms);
        let fingerprint = fingerprint(identity);
        let [high, low] = [fingerprint >> 32, fingerprint & u64::from(u32::MAX)]
            .map(|half| u32::try_from(half).unwrap_or_default());
        let slot = Slot { high, low, row };
        generation.shards[shard(fingerprint)]
            .insert_unique(fingerprint, slot, |slot| slot.fingerprint());
    }

    /// Forgets what can be no original any more, by a time that is sure.
    pub(crate) fn forget(&mut self, now_ms: u64) {
        for class in &mut self.classes {
            class.forget(now_ms);
        }
    }

    /// The first rows that are remembered.
    pub(crate) fn first(&self) -> Seen {
        let first = |classes: &[Class]| {
            let generations = classes.iter().flat_map(|class| &class.generations);
            let firsts = generations.map(|generation| EventKey(generation.first));
            firsts.min()
        };
        let (usual, own) = self.classes.split_at(USUAL);
        Seen {
            usual: first(usual),
            own: first(own),
        }
    }

    /// Forgets an event that was inserted and never committed.
    pub(crate) fn remove(&mut self, identity: &Identity, key: EventKey, window: Window) {
        let wanted = fingerprint(identity);
        for generation in &mut self.class(window).generations {
            let first = generation.first;
            let is_it =
                |slot: &Slot| slot.fingerprint() == wanted && first + i64::from(slot.row) == key.0;
            if let Ok(found) = generation.shards[shard(wanted)].find_entry(wanted, is_it) {
                found.remove();
                return;
            }
        }
    }

    fn class(&mut self, window: Window) -> &mut Class {
        let index = match window {
            Window::BySource(source) => usize::from(window_ms(source) > self.classes[0].window_ms),
            Window::Own(own_ms) => {
                let fits = OWN_MS.iter().position(|class_ms| own_ms <= *class_ms);
                USUAL + fits.unwrap_or(OWN_MS.len() - 1)
            }
        };
        &mut self.classes[index]
    }
}

impl Class {
    /// Drops what can be no original any more.
    fn forget(&mut self, now_ms: u64) {
        let window_ms = self.window_ms;
        self.generations.retain_mut(|generation| {
            // Nothing comes a whole window before its time: the clock was wrong then. From now on it ages.
            if generation.newest_ms > now_ms.saturating_add(window_ms) {
                generation.newest_ms = now_ms;
            }
            generation.newest_ms + window_ms + SLACK_MS > now_ms
        });
    }

    /// The generation that takes the key, and the key's distance from its first.
    fn current(&mut self, key: EventKey, now_ms: u64) -> (&mut Generation, u32) {
        let half_ms = self.window_ms / 2;
        // Mostly the last one. After a single time that was wrong, the one before it goes on.
        let found = self.generations.iter().enumerate().rev();
        let found = found.into_iter().find_map(|(at, generation)| {
            let is_current = now_ms.abs_diff(generation.started_ms) < half_ms;
            let row = u32::try_from(key.0 - generation.first).ok()?;
            is_current.then_some((at, row))
        });
        let (at, row) = found.unwrap_or_else(|| {
            if self.generations.len() == GENERATIONS_MAX {
                self.generations.pop_front();
            }
            self.generations.push_back(Generation {
                first: key.0,
                started_ms: now_ms,
                newest_ms: now_ms,
                shards: (0..SHARDS).map(|_| HashTable::new()).collect(),
            });
            (self.generations.len() - 1, 0)
        });
        (&mut self.generations[at], row)
    }
}

#[cfg(test)]
mod tests {
    use sluice_event::{DatasetId, EventIdentity};

    use super::*;

    const WEB: Window = Window::BySource(ActionSource::Website);
    const STORE: Window = Window::BySource(ActionSource::PhysicalStore);
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
        let window_h = window_ms(ActionSource::Website) / HOUR_MS;
        for hour in 0..1_000 {
            let key = EventKey(i64::try_from(hour).unwrap());
            dedup.forget(hour * HOUR_MS);
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
        dedup.insert(&identity(1), EventKey(1), STORE, 0);
        dedup.insert(&identity(2), EventKey(2), WEB, 0);
        dedup.forget(72 * HOUR_MS);
        dedup.insert(&identity(3), EventKey(3), WEB, 72 * HOUR_MS);
        dedup.insert(&identity(4), EventKey(4), STORE, 72 * HOUR_MS);
        assert_eq!(keys(&dedup, 1), [1]);
        assert!(keys(&dedup, 2).is_empty());
        let found = dedup.candidates(&identity(1)).next().unwrap();
        assert_eq!(found.window_ms, 7 * 24 * HOUR_MS);
    }

    #[test]
    fn the_first_row_that_is_remembered_moves_with_the_generations() {
        let mut dedup = Dedup::new();
        assert_eq!(dedup.first().usual, None);
        for (key, source, hour) in [(7, WEB, 0), (8, STORE, 1), (9, WEB, 60), (10, WEB, 120)] {
            dedup.forget(hour * HOUR_MS);
            dedup.insert(&identity(0), EventKey(key), source, hour * HOUR_MS);
        }
        assert_eq!(dedup.first().usual, Some(EventKey(8)), "7 is forgotten");
        dedup.forget(400 * HOUR_MS);
        assert_eq!(dedup.first().usual, None);
    }

    #[test]
    fn a_single_wrong_time_costs_no_generation_of_others() {
        let mut dedup = Dedup::new();
        for turn in 0..1_000 {
            // Every tenth is stamped a thousand hours ahead.
            let ahead = if turn % 10 == 3 { 1_000 } else { 0 };
            let key = EventKey(i64::try_from(turn).unwrap());
            dedup.insert(&identity(turn), key, WEB, (turn / 100 + ahead) * HOUR_MS);
        }
        assert_eq!(dedup.classes[0].generations.len(), 2);
        assert!((0..1_000).all(|turn| keys(&dedup, turn).len() == 1));
        // Of what lies ahead nothing is known but that it was wrong: it goes with a window from now.
        let mut hour = 10;
        while dedup.first().usual.is_some() {
            dedup.forget(hour * HOUR_MS);
            hour += 1;
        }
        assert_eq!(hour, 10 + 49 + 1);
    }

    #[test]
    fn a_time_in_doubt_fills_no_memory_without_end() {
        let mut dedup = Dedup::new();
        for day in 0..100 {
            let key = EventKey(i64::try_from(day).unwrap());
            dedup.insert(&identity(day), key, WEB, day * 24 * HOUR_MS);
        }
        let generations_max = u64::try_from(GENERATIONS_MAX).unwrap();
        for day in 0..100 {
            let expected = usize::from(day >= 100 - generations_max);
            assert_eq!(keys(&dedup, day).len(), expected, "day {day}");
        }
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
