//! How many requests of a lane may be refused. Pure.
//!
//! Meta counts an app's failed requests: one with more than 15 % of its last 500 may lose its access tier. The
//! search for wrong events is made of failed requests, and so is a flood of them. A refused request is charged;
//! [`PASSED_FOR_ONE`] requests that go through pay for one, and so does a minute. The first [`FREE`] cost nothing
//! else. From then on requests have fewer events: a wrong one spoils fewer others, and its search is shorter. A
//! lane with all of [`ALLOWED`] charged sends single events, and those of groups of which many are refused stand
//! back; all others go on.

use std::collections::HashMap;

use sluice_graph::{Found, Limit};

/// Refused requests that change nothing.
const FREE: u32 = 10;

/// Refused requests that can be charged. Each one beyond [`FREE`] halves the events of a request: 1,000 become one.
const ALLOWED: u32 = FREE + 10;

/// Requests that went through pay for one that was refused.
const PASSED_FOR_ONE: u32 = 16;

/// So does this time, in milliseconds: a lane that sends little tries again all the same.
const PAID_MS: u64 = 60_000;

/// Events that are remembered of a group: a mended source is not held back for what it sent long ago.
const REMEMBERED: usize = 40;

/// Groups that are remembered. Only those with refused events are.
const GROUPS_MAX: usize = 1_000;

/// The events of one source and event name: they have mostly the same flaw.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Group {
    pub(crate) source: String,
    pub(crate) event_name: String,
}

/// What is charged to a lane, and which events it is for.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    /// In parts of which [`PASSED_FOR_ONE`] make a refused request.
    charged: u32,
    /// Until when time has paid, in milliseconds since 1970.
    paid_ms: u64,
    groups: HashMap<Group, Found>,
}

impl Refusals {
    /// A request was refused, or went through.
    pub(crate) fn note(&mut self, is_refused: bool, now_ms: u64) {
        self.pay(now_ms);
        self.charged = if is_refused {
            (self.charged + PASSED_FOR_ONE).min(ALLOWED * PASSED_FOR_ONE)
        } else {
            self.charged.saturating_sub(1)
        };
    }

    /// What the next request may be, of at most `events_max` events.
    pub(crate) fn limit(&mut self, events_max: usize, now_ms: u64) -> Limit {
        self.pay(now_ms);
        let refused = self.charged.div_ceil(PASSED_FOR_ONE);
        let halvings = refused.saturating_sub(FREE);
        Limit {
            events_max: (events_max >> halvings).max(1),
            leaves_suspects: refused >= ALLOWED,
        }
    }

    /// Time pays. A clock that was set back takes nothing back.
    fn pay(&mut self, now_ms: u64) {
        let periods = now_ms.saturating_sub(self.paid_ms) / PAID_MS;
        let paid = u32::try_from(periods).unwrap_or(u32::MAX);
        self.charged = self
            .charged
            .saturating_sub(paid.saturating_mul(PASSED_FOR_ONE));
        self.paid_ms = (self.paid_ms + periods * PAID_MS).min(now_ms);
    }

    /// What became of events of a group lately.
    pub(crate) fn known(&self, group: &Group) -> Found {
        self.groups.get(group).copied().unwrap_or_default()
    }

    /// What became of further events of a group.
    pub(crate) fn learn(&mut self, group: &Group, found: Found) {
        let mut all = self.known(group).plus(found);
        while all.refused + all.delivered > REMEMBERED {
            all.refused /= 2;
            all.delivered /= 2;
        }
        if all.refused == 0 {
            self.groups.remove(group);
        } else if self.groups.len() < GROUPS_MAX || self.groups.contains_key(group) {
            self.groups.insert(group.clone(), all);
        }
    }

    /// Something may have been mended: every group is tried anew. What is charged stays.
    pub(crate) fn forget_groups(&mut self) {
        self.groups.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sluice_graph::Search;

    use super::*;

    const LATER_MS: u64 = 1_800_000_000_000;

    #[test]
    fn requests_become_smaller_and_then_suspects_stand_back() {
        let mut refusals = Refusals::default();
        let mut sizes = Vec::new();
        for _ in 0..30 {
            refusals.note(true, LATER_MS);
            sizes.push(refusals.limit(1_000, LATER_MS).events_max);
        }
        let expected = [500, 250, 125, 62, 31, 15, 7, 3, 1, 1];
        assert_eq!(sizes[..10], [1_000; 10]);
        assert_eq!(sizes[10..20], expected);
        assert!(refusals.limit(1_000, LATER_MS).leaves_suspects);
        // Sixteen requests pay for one, and so does a minute; never more than is charged.
        for passed in 1..=16 {
            refusals.note(false, LATER_MS);
            let is_used_up = refusals.limit(1_000, LATER_MS).leaves_suspects;
            assert_eq!(is_used_up, passed < 16);
        }
        let later = refusals.limit(1_000, LATER_MS + 4 * 60_000);
        assert_eq!(later.events_max, 31);
        // A clock that is set back pays nothing, and goes on paying from there.
        assert_eq!(refusals.limit(1_000, LATER_MS - 60_000).events_max, 31);
        assert_eq!(refusals.limit(1_000, LATER_MS).events_max, 62);
        assert_eq!(refusals.limit(1_000, LATER_MS * 2).events_max, 1_000);
        assert_eq!(refusals.charged, 0);
    }

    fn group(number: usize) -> Group {
        Group {
            source: "shop".to_owned(),
            event_name: format!("Name{number}"),
        }
    }

    #[test]
    fn a_mended_group_is_believed_after_at_most_eighty_events() {
        let mut refusals = Refusals::default();
        let (refused, delivered) = (0, 0);
        refusals.learn(
            &group(1),
            Found {
                refused: 900,
                delivered,
            },
        );
        refusals.learn(
            &group(2),
            Found {
                refused,
                delivered: 9,
            },
        );
        assert_eq!(refusals.groups.len(), 1);
        assert_eq!(refusals.known(&group(1)).refused, 28);
        let one = Found {
            refused,
            delivered: 1,
        };
        let events = (1..=80).find(|_| {
            refusals.learn(&group(1), one);
            let Found { refused, delivered } = refusals.known(&group(1));
            refused * 9 <= delivered
        });
        assert!(events.is_some_and(|events| events > 1), "{events:?}");
        for number in 0..2_000 {
            refusals.learn(
                &group(number),
                Found {
                    refused: 1,
                    delivered,
                },
            );
        }
        assert_eq!(refusals.groups.len(), GROUPS_MAX);
    }

    /// A lane against a judge that refuses a request with a wrong event in it.
    #[derive(Default)]
    struct Lane {
        refusals: Refusals,
        now_ms: u64,
        /// When each request was answered, and whether it was refused.
        answers: Vec<(u64, bool)>,
        /// Events that stand back, and until when.
        held: Vec<(u64, Vec<Event>)>,
        delivered: Vec<Event>,
        refused: usize,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    struct Event {
        group: usize,
        is_wrong: bool,
    }

    impl Lane {
        /// Sends a batch, after what has stood back for its time.
        fn send(&mut self, batch: &[Event], names: bool) {
            let (back, held) = std::mem::take(&mut self.held)
                .into_iter()
                .partition(|(until_ms, _)| *until_ms <= self.now_ms);
            self.held = held;
            let mut events: Vec<Event> = back.into_iter().flat_map(|(_, events)| events).collect();
            events.extend(batch);
            for batch in events.chunks(1_000) {
                self.send_one(batch, names);
            }
        }

        fn send_one(&mut self, batch: &[Event], names: bool) {
            let groups: Vec<_> = batch.iter().map(|event| event.group).collect();
            let known = (0..10).map(|number| self.refusals.known(&group(number)));
            let all = (0..batch.len()).collect();
            let mut search = Search::new([all], groups, known.collect());
            let mut left: Vec<_> = batch.iter().copied().map(Some).collect();
            while let Some(part) = search.next(self.refusals.limit(1_000, self.now_ms)) {
                self.now_ms += 200;
                let offender = part.places.iter().position(|place| batch[*place].is_wrong);
                self.answers.push((self.now_ms, offender.is_some()));
                self.refusals.note(offender.is_some(), self.now_ms);
                let refused = match offender {
                    None => {
                        search.delivered(&part);
                        let events = part.places.iter().filter_map(|place| left[*place].take());
                        self.delivered.extend(events);
                        continue;
                    }
                    Some(index) if names => search.refused_by_name(part, &[index]),
                    Some(_) => search.refused(part).into_iter().collect(),
                };
                for place in refused {
                    self.refused += usize::from(left[place].take().is_some());
                }
            }
            for (number, found) in search.found().iter().enumerate() {
                self.refusals.learn(&group(number), *found);
            }
            let left: Vec<Event> = left.into_iter().flatten().collect();
            assert_eq!(left.is_empty(), !search.has_left());
            self.held.push((self.now_ms + 30 * 60_000, left));
        }
    }

    /// Most refused requests among any 500 in a row.
    fn most_refused(lane: &Lane) -> usize {
        let windows = lane.answers.windows(500);
        let refused = windows.map(|answers| answers.iter().filter(|(_, it)| *it).count());
        refused.max().unwrap_or_default()
    }

    /// In full batches a quarter of the requests would be refused, and half where Meta names the event.
    #[test]
    fn where_one_event_of_a_thousand_is_wrong_requests_become_smaller() {
        for names in [true, false] {
            let mut lane = Lane {
                now_ms: LATER_MS,
                ..Lane::default()
            };
            for _ in 0..100 {
                let batch = (0..1_000).map(|number| Event {
                    group: 0,
                    is_wrong: number == 617,
                });
                lane.send(&batch.collect::<Vec<_>>(), names);
            }
            assert_eq!((lane.delivered.len(), lane.refused), (99_900, 100));
            let (most, requests) = (most_refused(&lane), lane.answers.len());
            assert!(
                most <= 50 && requests <= 9_000,
                "{names}: {most}, {requests}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Whatever comes, at most 15 % of any 500 requests are refused, and one a minute; events of a group
        /// without wrong ones go out with their batch; and in the end all others have.
        #[test]
        fn no_more_than_meta_allows_are_refused_and_good_events_go_out(
            shares in prop::collection::vec(prop_oneof![Just(0.0), 0.0..0.02, 0.0..0.3, 0.5..1.0, Just(1.0)], 1..4),
            sizes in prop::collection::vec(prop_oneof![1_usize..10, 1_usize..150], 1..50),
            seed in prop::collection::vec((0_usize..4, 0.0..1.0), 997),
            names: bool,
        ) {
            let mut lane = Lane { now_ms: LATER_MS, ..Lane::default() };
            let mut seed = seed.into_iter().cycle();
            let (mut good, mut wrong) = (0, 0);
            for size in sizes {
                let batch: Vec<_> = seed.by_ref().take(size).map(|(number, chance)| {
                    let group = number % shares.len();
                    Event { group, is_wrong: chance < shares[group] }
                }).collect();
                wrong += batch.iter().filter(|event| event.is_wrong).count();
                good += batch.iter().filter(|event| !event.is_wrong).count();
                lane.send(&batch, names);
                let mut held = lane.held.iter().flat_map(|(_, events)| events);
                prop_assert!(held.all(|event| shares[event.group] > 0.0));
            }
            let requests = lane.answers.len();
            while let Some(next_ms) = lane.held.iter().map(|(until_ms, _)| *until_ms).min() {
                lane.now_ms = lane.now_ms.max(next_ms);
                lane.send(&[], names);
            }
            prop_assert_eq!((lane.delivered.len(), lane.refused), (good, wrong));
            for answers in lane.answers.windows(500) {
                let refused = answers.iter().filter(|(_, is_refused)| *is_refused).count();
                let minutes = (answers[499].0 - answers[0].0) / 60_000;
                let allowed = 75 + usize::try_from(minutes).unwrap();
                prop_assert!(refused <= allowed, "{} of {}: {} {}", refused, requests, minutes, names);
            }
        }
    }
}
