//! What people read in the journal while a gateway runs.

use std::ops::Range;

use sluice_event::{Event, Findings, Moment, Rules, Severity, UserField};
use tempfile::TempDir;

use super::{audit, by_hour, open};
use crate::testing::{
    HOUR_MS, Sample, T0_MS, dataset, drain, entries, key, keys, lane, limits, record, refused,
    replays, report, sample,
};
use crate::{
    Books, Entry, EventFilter, EventKey, EventState, Journal as _, Outcome, Page, Replayed,
    RequestFilter, Retention, Selection, SourceName,
};

fn page(limit: usize) -> Page {
    Page {
        before: None,
        limit,
    }
}

#[tokio::test]
async fn a_refused_event_is_found_sent_again_and_delivered() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let appended = journal.append(entries(0..5)).await.unwrap();
    let mut lease = journal.lease(&lane(0), limits(2)).await.unwrap();
    let outcome = report(keys(&lease), &refused());
    journal.settle(&mut lease, outcome).await.unwrap();
    drain(&journal, &lane(0), &Outcome::Delivered).await;

    let mut books = Books::open(folder.path()).unwrap();
    let dead = books.search(&EventFilter::dead(), page(10)).unwrap().rows;
    let found: Vec<EventKey> = dead.iter().map(|event| event.key).collect();
    assert_eq!(found, [key(appended[1]), key(appended[0])]);
    assert_eq!(dead[1].state, EventState::Refused);
    assert_eq!(dead[1].cause.subcode, Some(2_804_003));
    assert_eq!(
        (dead[1].event_id.as_str(), dead[1].source.as_str()),
        ("a1-0", "shop")
    );
    let request = dead[1].request.as_ref().unwrap();
    assert_eq!(
        (request.fbtrace_id.as_deref(), request.events),
        (Some("AbCdEf"), 2)
    );

    let which = Selection::Keys(vec![found[1], found[1], EventKey(77)]);
    let replayed = books.replay(&which, T0_MS + HOUR_MS).unwrap();
    let expected = Replayed {
        replayed: 1,
        not_dead: 2,
        ..Replayed::default()
    };
    assert_eq!(replayed, expected);
    assert_eq!(audit(folder.path()).tally.waiting, 1);
    assert_eq!(journal.waiting(&replays(0)).ready, 0);
    journal.look_around().await;
    journal.look_around().await;
    assert_eq!(journal.waiting(&replays(0)).ready, 1);
    assert_eq!(journal.waiting(&lane(0)).ready, 0);
    let sent = drain(&journal, &replays(0), &Outcome::Delivered).await;
    assert_eq!(sent[0].key, found[1]);
    assert_eq!(sent[0].event_id, "a1-0");

    let detail = books.event(found[1]).unwrap().unwrap();
    assert_eq!(detail.record.state, EventState::Delivered);
    assert_eq!(detail.json.as_ref(), Some(&sent[0].json));
    assert_eq!(detail.past.len(), 1);
    assert_eq!(detail.past[0].state, EventState::Refused);
    assert_eq!(detail.past[0].cause.text, "the event is too old");
    assert!(!format!("{detail:?}").contains("Mozilla"));
    assert!(books.event(EventKey(77)).unwrap().is_none());
    let tally = audit(folder.path()).tally;
    assert_eq!((tally.delivered, tally.refused), (4, 1));
    assert_eq!(journal.health().tally, tally);
}

#[tokio::test]
async fn what_is_known_of_an_event_is_in_its_row() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let plain = sample(1).entry();
    let json = r#"{
        "event_name": "Purchase", "event_time": 1790000000, "event_id": "A-17", "action_source": "physical_store",
        "user_data": {"em": "a@b.example", "ph": "5d41402abc4b2a76b9719d911017c592"},
        "custom_data": {"order_id": "A-17", "value": 129.95, "currency": "eur"}
    }"#;
    let mut findings = Findings::new();
    let moment = Moment {
        unix_ms: 1_790_000_005_000,
        in_doubt: false,
        entropy: [0; 10],
    };
    let event = Event::parse(json, &mut findings).unwrap();
    let event = event.seal(&Rules::default(), moment, &mut findings);
    let sale = Entry {
        event: event.unwrap(),
        ..plain.clone()
    };
    let appended = journal.append(vec![plain, sale]).await.unwrap();

    let books = Books::open(folder.path()).unwrap();
    let facts = |at: usize| {
        let detail = books.event(key(appended[at])).unwrap().unwrap();
        detail.record.facts.unwrap()
    };
    let bare = facts(0);
    assert_eq!(bare.order_id, None);
    let sale = facts(1);
    let names: Vec<_> = sale.identifiers.iter().map(UserField::name).collect();
    assert_eq!(names, ["em", "ph"]);
    assert_eq!(
        (sale.event_s, sale.order_id.as_deref()),
        (1_790_000_000, Some("A-17"))
    );
    let amount = sale.amount.unwrap();
    assert_eq!((amount.minor, amount.currency.code()), (12_995, "EUR"));
    // The MD5 hash is remarked upon.
    assert_eq!(sale.worst, Some(Severity::Warning));
    let waiting = books
        .waiting(&EventFilter::default(), None, 10)
        .unwrap()
        .rows;
    assert_eq!(waiting[1].facts, Some(facts(1)));
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let mut batch = entries(0..10);
    batch.extend((10..15).map(|id| {
        Sample {
            dataset: 1,
            name: "Lead",
            ..sample(id)
        }
        .entry()
    }));
    journal.append(batch).await.unwrap();
    drain(&journal, &lane(0), &refused()).await;
    drain(&journal, &lane(1), &Outcome::Expired).await;

    let books = Books::open(folder.path()).unwrap();
    let count = |filter: EventFilter| books.search(&filter, page(100)).unwrap().rows.len();
    let none = EventFilter::dead;
    assert_eq!(count(none()), 15);
    assert_eq!(
        count(EventFilter {
            states: vec![EventState::Expired],
            ..none()
        }),
        5
    );
    assert_eq!(
        count(EventFilter {
            states: vec![EventState::Delivered, EventState::Waiting],
            ..none()
        }),
        0
    );
    assert_eq!(
        count(EventFilter {
            dataset: Some(dataset(0)),
            ..none()
        }),
        10
    );
    assert_eq!(
        count(EventFilter {
            dataset: Some(dataset(7)),
            ..none()
        }),
        0
    );
    assert_eq!(
        count(EventFilter {
            event_name: Some("Lead".to_owned()),
            ..none()
        }),
        5
    );
    assert_eq!(
        count(EventFilter {
            code: Some(100),
            ..none()
        }),
        10
    );
    assert_eq!(
        count(EventFilter {
            final_from_ms: Some(T0_MS + HOUR_MS),
            ..none()
        }),
        0
    );
    let source = |name| Some(SourceName::parse(name).unwrap());
    assert_eq!(
        count(EventFilter {
            source: source("shop"),
            ..none()
        }),
        15
    );
    assert_eq!(
        count(EventFilter {
            source: source("other"),
            ..none()
        }),
        0
    );

    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let some = books
            .search(&none(), Page { before, limit: 4 })
            .unwrap()
            .rows;
        let Some(last) = some.last() else { break };
        before = Some(last.key);
        seen.extend(some.iter().map(|event| event.key.0));
    }
    assert_eq!(seen, (1..=15).rev().collect::<Vec<_>>());
    let by_id = EventFilter {
        event_id: Some("a1-12".to_owned()),
        ..EventFilter::default()
    };
    let found = books.search(&by_id, page(100)).unwrap().rows;
    assert_eq!((found.len(), found[0].key), (1, EventKey(13)));
}

#[tokio::test]
async fn hours_and_requests_are_on_record() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..10)).await.unwrap();
    journal.append(entries(0..4)).await.unwrap();
    let mut lease = journal.lease(&lane(0), limits(6)).await.unwrap();
    let mut outcome = report(keys(&lease), &Outcome::Delivered);
    outcome.at_ms = T0_MS + 2 * HOUR_MS;
    journal.settle(&mut lease, outcome).await.unwrap();
    drain(&journal, &lane(0), &refused()).await;
    let mut books = Books::open(folder.path()).unwrap();
    books
        .replay(&Selection::Filter(EventFilter::default()), T0_MS + HOUR_MS)
        .unwrap();

    let first = T0_MS / HOUR_MS;
    let hours = |hours: Range<u64>| by_hour(first + hours.start..first + hours.end);
    let tallies = books.tallies(&hours(0..3), None).unwrap().rows;
    let start_ms = |hour: u64| i64::try_from((first + hour) * HOUR_MS).unwrap();
    let starts: Vec<_> = tallies.iter().map(|tally| tally.start_ms).collect();
    assert_eq!(starts, [0, 1, 2].map(start_ms));
    assert_eq!((tallies[0].accepted, tallies[0].duplicate), (10, 4));
    assert_eq!((tallies[0].refused, tallies[1].refused), (4, -4));
    assert_eq!(tallies[2].delivered, 6);
    assert_eq!(tallies[0].dataset, dataset(0).as_str());
    assert_eq!(books.tallies(&hours(1..2), None).unwrap().rows.len(), 1);

    let requests = |number: Option<u32>, before| {
        let filter = RequestFilter {
            dataset: number.map(dataset),
            ..RequestFilter::default()
        };
        books.requests(&filter, before, 10).unwrap().rows
    };
    let all = requests(None, None);
    let events: Vec<u64> = all.iter().map(|request| request.events).collect();
    assert_eq!(events, [4, 6]);
    assert_eq!(all[1].status, record(6).status);
    assert_eq!(requests(None, Some(all[0].id)).len(), 1);
    assert!(requests(Some(3), None).is_empty());
    journal
        .sweep(Retention::FinishedSince(T0_MS + HOUR_MS))
        .await
        .unwrap();
    let kept = requests(Some(0), None);
    assert_eq!(kept.len(), 1);
}
