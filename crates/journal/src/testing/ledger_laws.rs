//! Laws of ledgers. A law is a function over a journal and its ledger; each engine's tests call all of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluice_event::{Hashed, UserField};

use super::{
    HOUR_MS, Sample, T0_MS, dataset, drain, entries, key, lane, limits, received, record, refused,
    rejection, replays, report, sample,
};
use crate::filter::{EventFilter, Found, Page, Period, RejectionFilter, RequestFilter, TallyQuery};
use crate::records::{Coverage, EventRecord, PeriodTally, Replayed};
use crate::types::{EventKey, EventState, Outcome};
use crate::{Journal, Ledger, Retention, successor};

/// Runs every law of ledgers, each on an empty journal and its ledger, and each a second time with an index.
pub async fn tells_what_is_there<J, L, Guard>(open: impl Fn() -> (J, L, Guard))
where
    J: Journal + 'static,
    L: Ledger + 'static,
{
    macro_rules! laws {
        ($($law:ident),* $(,)?) => {$(
            for has_index in [false, true] {
                let (journal, ledger, _guard) = open();
                let journal: Arc<dyn Journal> = Arc::new(journal);
                let ledger: Arc<dyn Ledger> = Arc::new(ledger);
                $law(&Pair { journal: &*journal, ledger: &*ledger, has_index }).await;
                journal.close().await.unwrap();
            }
        )*};
    }
    laws![
        every_event_is_found_once_and_the_newest_first,
        a_filter_lets_through_what_fits,
        a_person_is_found_as_long_as_the_body_is_kept,
        an_event_tells_its_life,
        what_waits_is_listed_in_order_of_arrival,
        dead_events_are_sent_again_or_given_up,
        a_later_event_takes_the_place_of_a_dead_one,
        counts_add_up,
        coverage_counts_each_event_once,
        rejected_events_and_requests_are_listed,
    ];
}

struct Pair<'a> {
    journal: &'a dyn Journal,
    ledger: &'a dyn Ledger,
    has_index: bool,
}

impl Pair<'_> {
    /// Brings the index up to date, if the law is tried with one.
    async fn index(&self) {
        for _ in 0..if self.has_index { 10 } else { 0 } {
            self.journal.index().await.unwrap();
        }
    }

    async fn all(&self, filter: &EventFilter, limit: usize) -> Vec<EventRecord> {
        let (mut rows, mut before) = (Vec::new(), None);
        loop {
            let page = Page { before, limit };
            let found = self.ledger.search(filter, page).await.unwrap();
            assert!(found.rows.len() <= limit);
            rows.extend(found.rows);
            let is_further = before.is_none() || found.next < before;
            assert!(is_further, "every call goes on");
            before = found.next;
            if before.is_none() {
                return rows;
            }
        }
    }

    async fn keys(&self, filter: &EventFilter) -> Vec<EventKey> {
        let rows = self.all(filter, 1_000).await;
        rows.iter().map(|event| event.key).collect()
    }

    async fn state(&self, key: EventKey) -> EventState {
        let event = self.ledger.event(key).await.unwrap();
        event.unwrap().record.state
    }

    /// Waits until the journal has heard that a person sent events again.
    async fn heard(&self, ready: usize) {
        for number in 0.. {
            let other = Sample {
                dataset: 9,
                ..sample(format!("knock-{number}"))
            };
            self.journal.append(vec![other.entry()]).await.unwrap();
            if self.journal.waiting(&replays(0)).ready == ready {
                return;
            }
            assert!(number < 1_000, "it never hears of it");
        }
    }
}

async fn every_event_is_found_once_and_the_newest_first(pair: &Pair<'_>) {
    assert_eq!(pair.all(&EventFilter::default(), 7).await, []);
    let appended = pair.journal.append(entries(0..300)).await.unwrap();
    pair.index().await;
    let more = pair.journal.append(entries(300..330)).await.unwrap();
    let keys: Vec<_> = appended.into_iter().chain(more).map(key).rev().collect();
    for limit in [1, 7, 1_000] {
        let found = pair.all(&EventFilter::default(), limit).await;
        assert!(found.iter().map(|event| &event.key).eq(&keys));
    }
    let later = EventFilter {
        after: Some(keys[40]),
        ..EventFilter::default()
    };
    assert_eq!(pair.keys(&later).await, keys[..40]);
    let some = vec![keys[3], EventKey(i64::MAX), keys[1]];
    let records = pair.ledger.records(some).await.unwrap();
    let records: Vec<_> = records.iter().map(|event| event.key).collect();
    assert_eq!(records, [keys[3], keys[1]]);
}

async fn a_filter_lets_through_what_fits(pair: &Pair<'_>) {
    let mut samples: Vec<Sample> = (0..200).map(sample).collect();
    samples.push(Sample {
        dataset: 1,
        ..sample("elsewhere")
    });
    samples.push(Sample {
        name: "Lead",
        test_code: Some("TEST1"),
        ..sample("lead")
    });
    // A clock that was set back: the last to come has an earlier time.
    samples.push(Sample {
        accepted_ms: T0_MS - 2 * HOUR_MS,
        ..sample("early")
    });
    let entries = samples.iter().map(Sample::entry).collect();
    let keys: Vec<_> = pair.journal.append(entries).await.unwrap();
    let keys: Vec<_> = keys.into_iter().map(key).collect();
    let mut lease = pair.journal.lease(&lane(0), limits(2)).await.unwrap();
    let mut settled = report([keys[0]], &refused());
    settled.request.as_mut().unwrap().fbtrace_id = Some("Trace1".to_owned());
    pair.journal.settle(&mut lease, settled).await.unwrap();
    let settled = report([keys[1]], &Outcome::Delivered);
    pair.journal.settle(&mut lease, settled).await.unwrap();
    pair.index().await;
    let any = EventFilter::default;
    for (filter, expected) in [
        (
            EventFilter {
                dataset: Some(dataset(1)),
                ..any()
            },
            vec![200],
        ),
        (
            EventFilter {
                event_name: Some("Lead".to_owned()),
                ..any()
            },
            vec![201],
        ),
        (
            EventFilter {
                is_test: Some(true),
                ..any()
            },
            vec![201],
        ),
        (
            EventFilter {
                event_id: Some("a1-17".to_owned()),
                ..any()
            },
            vec![17],
        ),
        (
            EventFilter {
                event_id: Some("a1-early".to_owned()),
                ..any()
            },
            vec![202],
        ),
        (
            EventFilter {
                event_id: Some("a1-nothing".to_owned()),
                ..any()
            },
            vec![],
        ),
        (
            EventFilter {
                order_id: Some("a1-17".to_owned()),
                ..any()
            },
            vec![],
        ),
        (
            EventFilter {
                until_ms: Some(T0_MS),
                ..any()
            },
            vec![202],
        ),
        (
            EventFilter {
                from_ms: Some(T0_MS + 1),
                ..any()
            },
            vec![],
        ),
        (
            EventFilter {
                fbtrace_id: Some("Trace1".to_owned()),
                ..any()
            },
            vec![0],
        ),
        (
            EventFilter {
                code: Some(100),
                subcode: Some(2_804_003),
                ..any()
            },
            vec![0],
        ),
        (
            EventFilter {
                code: Some(190),
                ..any()
            },
            vec![],
        ),
        (
            EventFilter {
                final_from_ms: Some(T0_MS + 5_000),
                ..any()
            },
            vec![1, 0],
        ),
        (
            EventFilter {
                final_from_ms: Some(T0_MS + 5_001),
                ..any()
            },
            vec![],
        ),
        (
            EventFilter {
                states: vec![EventState::Delivered],
                ..any()
            },
            vec![1],
        ),
        (EventFilter::dead(), vec![0]),
        (
            EventFilter {
                event_id: Some("a1-0".to_owned()),
                ..EventFilter::dead()
            },
            vec![0],
        ),
        (
            EventFilter {
                event_id: Some("a1-1".to_owned()),
                ..EventFilter::dead()
            },
            vec![],
        ),
    ] {
        let expected: Vec<_> = expected
            .into_iter()
            .map(|place: usize| keys[place])
            .collect();
        assert_eq!(
            pair.keys(&filter).await,
            expected,
            "{filter:?} {:?}",
            filter.event_id
        );
    }
    let waiting = EventFilter {
        states: vec![EventState::Waiting],
        ..any()
    };
    assert_eq!(pair.keys(&waiting).await.len(), 201);
}

async fn a_person_is_found_as_long_as_the_body_is_kept(pair: &Pair<'_>) {
    pair.journal.append(entries(0..100)).await.unwrap();
    pair.index().await;
    let of = |email: &str| EventFilter {
        identifier: Some(Hashed::of(email)),
        ..EventFilter::default()
    };
    assert_eq!(pair.keys(&of("john@example.com")).await.len(), 100);
    assert_eq!(pair.keys(&of("jane@example.com")).await, []);
    let mut lease = pair.journal.lease(&lane(0), limits(30)).await.unwrap();
    let settled = report(super::keys(&lease), &Outcome::Delivered);
    pair.journal.settle(&mut lease, settled).await.unwrap();
    drop(lease);
    let over = Retention::FinishedSince(T0_MS + HOUR_MS);
    assert_eq!(pair.journal.sweep(over).await.unwrap(), 30);
    assert_eq!(pair.keys(&of("john@example.com")).await.len(), 70);
}

async fn an_event_tells_its_life(pair: &Pair<'_>) {
    assert_eq!(pair.ledger.event(EventKey(1)).await.unwrap(), None);
    let entry = sample(1).entry();
    let json = entry.event.json().to_owned();
    let appended = pair.journal.append(vec![entry]).await.unwrap();
    let key = key(appended[0]);
    drain(pair.journal, &lane(0), &refused()).await;
    let again = pair.ledger.replay(vec![key], T0_MS + 9_000, false).await;
    assert_eq!(again.unwrap().replayed, 1);
    pair.heard(1).await;
    drain(pair.journal, &replays(0), &Outcome::Delivered).await;

    let event = pair.ledger.event(key).await.unwrap().unwrap();
    assert_eq!(event.record.event_id, "a1-1");
    assert_eq!(event.record.state, EventState::Delivered);
    assert_eq!(event.record.at_ms, Some(T0_MS + 5_000));
    assert_eq!(event.json, Some(json));
    assert_eq!(event.intended_ms, None);
    let request = event.record.request.unwrap();
    assert_eq!((request.events, request.status), (1, 200));
    assert_eq!(event.past.len(), 1);
    let past = &event.past[0];
    assert_eq!(
        (past.state, past.replayed_ms),
        (EventState::Refused, T0_MS + 9_000)
    );
    assert_eq!(past.cause.subcode, Some(2_804_003));
    assert!(past.request.as_ref().unwrap().id < request.id);
}

async fn what_waits_is_listed_in_order_of_arrival(pair: &Pair<'_>) {
    let appended = pair.journal.append(entries(0..150)).await.unwrap();
    let keys: Vec<_> = appended.into_iter().map(key).collect();
    let mut lease = pair.journal.lease(&lane(0), limits(150)).await.unwrap();
    let settled = report(keys[10..140].iter().copied(), &Outcome::Delivered);
    pair.journal.settle(&mut lease, settled).await.unwrap();
    pair.index().await;
    // Those that are leased wait as well.
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let part = pair.ledger.waiting(&EventFilter::default(), after, 7).await;
        let part = part.unwrap();
        assert!(
            part.rows.len() <= 7 && (after.is_none() || part.next.is_none() || part.next > after)
        );
        found.extend(part.rows.iter().map(|event| event.key));
        after = part.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, [&keys[..10], &keys[140..]].concat());
}

async fn dead_events_are_sent_again_or_given_up(pair: &Pair<'_>) {
    let appended = pair.journal.append(entries(0..4)).await.unwrap();
    let keys: Vec<_> = appended.into_iter().map(key).collect();
    let mut lease = pair.journal.lease(&lane(0), limits(3)).await.unwrap();
    let settled = report(keys[..2].iter().copied(), &refused());
    pair.journal.settle(&mut lease, settled).await.unwrap();
    let settled = report([keys[2]], &Outcome::Delivered);
    pair.journal.settle(&mut lease, settled).await.unwrap();
    pair.index().await;

    let all = keys.clone();
    let expected = Replayed {
        replayed: 2,
        not_dead: 2,
        ..Replayed::default()
    };
    let trial = pair.ledger.replay(all, T0_MS, true).await.unwrap();
    assert_eq!(trial, expected);
    assert_eq!(
        pair.state(keys[0]).await,
        EventState::Refused,
        "a trial changes nothing"
    );
    let dropped = pair.ledger.drop_dead(vec![keys[1], keys[2]], T0_MS).await;
    let dropped = dropped.unwrap();
    assert_eq!((dropped.dropped, dropped.not_dead), (1, 1));
    assert_eq!(pair.state(keys[1]).await, EventState::Withheld);
    let done = pair
        .ledger
        .replay(vec![keys[0]], T0_MS, false)
        .await
        .unwrap();
    assert_eq!(done.replayed, 1);
    pair.heard(1).await;
    assert_eq!(pair.state(keys[0]).await, EventState::Waiting);
    let given_up = vec![keys[0], keys[3], keys[2]];
    let dropped = pair.ledger.drop_waiting(given_up, T0_MS).await.unwrap();
    assert_eq!((dropped.dropped, dropped.not_waiting), (2, 1));
    pair.heard(0).await;
    let audit = pair.ledger.audit().await.unwrap();
    assert!(audit.balanced, "{:#?}", audit.problems);
    assert_eq!((audit.tally.delivered, audit.tally.withheld), (1, 3));
    assert_eq!(pair.ledger.check().await.unwrap(), [""; 0]);
}

async fn a_later_event_takes_the_place_of_a_dead_one(pair: &Pair<'_>) {
    let appended = pair.journal.append(vec![sample(1).entry()]).await.unwrap();
    let first = key(appended[0]);
    drain(pair.journal, &lane(0), &refused()).await;
    pair.journal.append(entries(2..100)).await.unwrap();
    pair.index().await;
    let dead = pair.ledger.event(first).await.unwrap().unwrap().record;
    assert_eq!(successor(pair.ledger, &dead).await.unwrap(), None);
    let test = Sample {
        test_code: Some("TEST1"),
        ..sample(1)
    };
    let again = vec![test.entry(), sample(1).entry()];
    let again = pair.journal.append(again).await.unwrap();
    let later = successor(pair.ledger, &dead).await.unwrap().unwrap();
    assert_eq!(later.key, key(again[1]));
}

/// All counts, added up where a call has cut a period in two.
async fn counts(pair: &Pair<'_>, query: &TallyQuery) -> Vec<PeriodTally> {
    let (mut sums, mut from) = (BTreeMap::<_, PeriodTally>::new(), None);
    loop {
        let part: Found<PeriodTally, u64> = pair.ledger.tallies(query, from).await.unwrap();
        for row in part.rows {
            let of = (row.start_ms, row.dataset.clone(), row.event_name.clone());
            match sums.get_mut(&of) {
                Some(sum) => {
                    sum.accepted += row.accepted;
                    sum.delivered += row.delivered;
                    sum.rejected += row.rejected;
                }
                None => {
                    sums.insert(of, row);
                }
            }
        }
        from = part.next;
        if from.is_none() {
            return sums.into_values().collect();
        }
    }
}

async fn counts_add_up(pair: &Pair<'_>) {
    // 2025-06-27, from 04:53 UTC on: two days, an event each hour.
    let hourly = (0..48_u64).map(|hour| Sample {
        accepted_ms: T0_MS + hour * HOUR_MS,
        ..sample(format!("hour-{hour}"))
    });
    let entries = hourly.map(|sample| sample.entry()).collect();
    let request = received(entries, vec![rejection("bad")]);
    pair.journal.receive(request).await.unwrap();
    drain(pair.journal, &lane(0), &Outcome::Delivered).await;
    let query = TallyQuery {
        from_ms: 0,
        until_ms: u64::MAX,
        period: Period::Hour,
        utc_offset_min: 0,
        dataset: None,
        source: None,
        event_name: None,
    };
    let hours = counts(pair, &query).await;
    assert_eq!(hours.len(), 48);
    assert!(hours.iter().all(|hour| hour.accepted == 1));
    assert_eq!((hours[0].delivered, hours[0].rejected), (48, 1));
    let accepted = async |query| -> Vec<i64> {
        let days = counts(pair, &query).await;
        days.iter().map(|day| day.accepted).collect()
    };
    let by = |period, utc_offset_min| TallyQuery {
        period,
        utc_offset_min,
        ..query.clone()
    };
    assert_eq!(accepted(by(Period::Day, 0)).await, [20, 24, 4]);
    assert_eq!(accepted(by(Period::Day, 120)).await, [18, 24, 6]);
    assert_eq!(accepted(by(Period::Day, -300)).await, [1, 24, 23]);
    // A Friday.
    assert_eq!(accepted(by(Period::Week, 0)).await, [48]);
    assert_eq!(accepted(by(Period::Week, 24 * 60)).await, [44, 4]);
    let from_ms = T0_MS - T0_MS % HOUR_MS + HOUR_MS;
    let some = TallyQuery {
        from_ms,
        until_ms: from_ms + 3 * HOUR_MS,
        ..query.clone()
    };
    assert_eq!(accepted(some).await, [1, 1, 1]);
    let other = TallyQuery {
        dataset: Some(dataset(1)),
        ..query
    };
    assert_eq!(accepted(other).await, [] as [i64; 0]);
}

async fn coverage_counts_each_event_once(pair: &Pair<'_>) {
    let mut entries = entries(0..130);
    let lead = |id: u32| Sample {
        name: "Lead",
        ..sample(format!("lead-{id}"))
    };
    entries.extend((0..20).map(|id| lead(id).entry()));
    pair.journal.append(entries).await.unwrap();
    pair.index().await;
    let (mut sums, mut before) = (BTreeMap::<String, Coverage>::new(), None);
    loop {
        let part = pair.ledger.coverage(&EventFilter::default(), before).await;
        let part = part.unwrap();
        for group in part.rows {
            match sums.get_mut(&group.event_name) {
                Some(sum) => sum.add(&group),
                None => {
                    sums.insert(group.event_name.clone(), group);
                }
            }
        }
        before = part.next;
        if before.is_none() {
            break;
        }
    }
    let of = |name: &str| {
        let sum = &sums[name];
        let carrying = |field| sum.carrying.get(&field).copied();
        (sum.events, carrying(UserField::Em), carrying(UserField::Ph))
    };
    assert_eq!(of("Purchase"), (130, Some(130), None));
    assert_eq!(of("Lead"), (20, Some(20), None));
}

async fn rejected_events_and_requests_are_listed(pair: &Pair<'_>) {
    let bad = ["a", "b", "c"].map(rejection).to_vec();
    pair.journal
        .receive(received(entries(0..2), bad))
        .await
        .unwrap();
    let any = RejectionFilter::default();
    let (mut ids, mut before) = (Vec::new(), None);
    loop {
        let found = pair.ledger.rejections(&any, before, 2).await.unwrap();
        for event in found.rows {
            assert_eq!(
                pair.ledger.rejection(event.key).await.unwrap().as_ref(),
                Some(&event)
            );
            ids.push(event.event_id.unwrap());
        }
        before = found.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(ids, ["c", "b", "a"]);

    let mut lease = pair.journal.lease(&lane(0), limits(2)).await.unwrap();
    for (place, trace) in ["One", "Two"].into_iter().enumerate() {
        let mut settled = report([lease.events[0].key], &Outcome::Delivered);
        let mut request = record(place + 1);
        request.fbtrace_id = Some(trace.to_owned());
        settled.request = Some(request);
        pair.journal.settle(&mut lease, settled).await.unwrap();
    }
    let requests = async |fbtrace_id: Option<String>| -> Vec<u64> {
        let filter = RequestFilter {
            fbtrace_id,
            ..RequestFilter::default()
        };
        let found = pair.ledger.requests(&filter, None, 10).await.unwrap();
        found.rows.iter().map(|request| request.events).collect()
    };
    assert_eq!(requests(None).await, [2, 1]);
    assert_eq!(requests(Some("One".to_owned())).await, [1]);
}
