//! Searches find what a look at every event finds, whether it is indexed or not.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use sluice_event::{Event, Findings, Hashed, Moment, Rules, UserField};
use tempfile::TempDir;

use super::super::command::Command;
use super::super::index::SEGMENT;
use super::super::indexing::Segment;
use super::open;
use crate::testing::{
    HOUR_MS, Sample, T0_MS, dataset, drain, lane, limits, refused, report, sample,
};
use crate::{
    BodyKey, BodyKeys, Books, Embedded, Encryption, Entry, EventDetail, EventFilter, EventKey,
    EventState, Journal as _, Options, Outcome, Page, Retention, SourceName, TestCode,
};

const KEY: &str = "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f";

/// What an event is made of.
#[derive(Debug, Clone, Copy)]
struct Drawn {
    dataset: u8,
    name: bool,
    id: u16,
    order: Option<u8>,
    person: u8,
    is_test: bool,
    /// In which hour it comes, in any order.
    hour: u8,
}

fn person(number: u8) -> String {
    format!("person-{number}@example.com")
}

impl Drawn {
    fn entry(self) -> Entry {
        let accepted_ms = T0_MS + u64::from(self.hour) * HOUR_MS;
        let event_s = i64::try_from(T0_MS / 1_000).unwrap() - 10;
        let name = if self.name { "Purchase" } else { "Lead" };
        let mut event = Event::new(name, event_s)
            .id(format!("id-{}", self.id))
            .source(sluice_event::ActionSource::Website)
            .user(UserField::Em, person(self.person))
            .user(UserField::ClientUserAgent, "Mozilla/5.0")
            .custom("currency", "USD")
            .custom("value", 12.5);
        if let Some(order) = self.order {
            event = event.custom("order_id", format!("order-{order}").as_str());
        }
        event.event_source_url = Some("https://shop.example/thanks".into());
        let moment = Moment {
            unix_ms: T0_MS,
            in_doubt: false,
            entropy: [7; 10],
        };
        let sealed = event.seal(&Rules::default(), moment, &mut Findings::new());
        Entry {
            dataset: dataset(u32::from(self.dataset)),
            source: SourceName::parse("shop").unwrap(),
            test_code: self.is_test.then(|| TestCode::parse("TEST1").unwrap()),
            accepted_ms,
            event: sealed.unwrap(),
            ..sample(0).entry()
        }
    }
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let order = proptest::option::weighted(0.3, 0..6_u8);
    let of = (
        0..2_u8,
        any::<bool>(),
        0..600_u16,
        order,
        0..6_u8,
        prop::bool::weighted(0.1),
        0..5_u8,
    );
    of.prop_map(|(dataset, name, id, order, person, is_test, hour)| Drawn {
        dataset,
        name,
        id,
        order,
        person,
        is_test,
        hour,
    })
}

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<Drawn>),
    /// So many events of a lane, and whether Meta takes them.
    Settle(u8, u8, bool),
    Index,
    Sweep(u8),
    /// The body of an event is not what was written any more.
    Break(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => prop::collection::vec(drawn(), 30..70).prop_map(Step::Append),
        3 => (0..2_u8, 1..60_u8, any::<bool>()).prop_map(|(lane, count, takes)| Step::Settle(lane, count, takes)),
        4 => Just(Step::Index),
        1 => (0..8_u8).prop_map(Step::Sweep),
        1 => (1..300_u16).prop_map(Step::Break),
    ];
    prop::collection::vec(step, 4..16)
}

fn filters() -> impl Strategy<Value = EventFilter> {
    let states = prop_oneof![
        3 => Just(vec![]),
        1 => Just(vec![EventState::Waiting]),
        1 => Just(vec![EventState::Refused, EventState::Expired]),
        1 => Just(vec![EventState::Delivered, EventState::Refused]),
    ];
    let text = |prefix: &'static str, max: u16| {
        proptest::option::weighted(
            0.3,
            (0..max).prop_map(move |number| format!("{prefix}-{number}")),
        )
    };
    let person = proptest::option::weighted(
        0.4,
        (0..7_u8).prop_map(|number| Hashed::of(&person(number))),
    );
    let hour =
        || proptest::option::weighted(0.3, (0..6_u64).prop_map(|hour| T0_MS + hour * HOUR_MS));
    let is_test = proptest::option::weighted(0.2, any::<bool>());
    let after = proptest::option::weighted(0.2, (0..200_i64).prop_map(EventKey));
    (
        states,
        text("id", 600),
        text("order", 7),
        person,
        hour(),
        hour(),
        is_test,
        after,
    )
        .prop_map(
            |(states, event_id, order_id, identifier, from_ms, until_ms, is_test, after)| {
                EventFilter {
                    states,
                    event_id,
                    order_id,
                    identifier,
                    is_test,
                    from_ms,
                    until_ms,
                    after,
                    ..EventFilter::default()
                }
            },
        )
}

/// The same filter, said a second time.
fn fits(filter: &EventFilter, event: &EventDetail) -> bool {
    let record = &event.record;
    let order_id = record
        .facts
        .as_ref()
        .and_then(|facts| facts.order_id.as_ref());
    let has = |identifier: &Hashed| {
        let json = event.json.as_deref().unwrap_or_default();
        json.contains(identifier.as_str())
    };
    (filter.states.is_empty() || filter.states.contains(&record.state))
        && filter
            .event_id
            .as_ref()
            .is_none_or(|id| *id == record.event_id)
        && filter
            .order_id
            .as_ref()
            .is_none_or(|id| Some(id) == order_id)
        && filter.identifier.as_ref().is_none_or(has)
        && filter
            .from_ms
            .is_none_or(|from_ms| record.accepted_ms >= from_ms)
        && filter
            .until_ms
            .is_none_or(|until_ms| record.accepted_ms < until_ms)
        && filter
            .is_test
            .is_none_or(|is_test| record.test_code.is_some() == is_test)
        && filter.after.is_none_or(|after| record.key > after)
}

/// All that a search finds, and how many calls it took.
fn found(books: &Books, filter: &EventFilter, limit: usize) -> (Vec<EventKey>, usize) {
    let (mut keys, mut calls) = (Vec::new(), 0);
    let mut page = Page {
        before: None,
        limit,
    };
    loop {
        let found = books.search(filter, page).unwrap();
        assert!(found.rows.len() <= limit);
        keys.extend(found.rows.iter().map(|event| event.key));
        calls += 1;
        let next = found.next;
        assert!(next.is_none_or(|next| page.before.is_none_or(|before| next < before)));
        page.before = next;
        if next.is_none() {
            return (keys, calls);
        }
    }
}

fn open_with(folder: &TempDir, keys: Option<&BodyKeys>) -> Embedded {
    let encryption = keys.map(|keys| Encryption {
        keys: keys.clone(),
        chance: [9; 16],
    });
    let options = Options {
        encryption,
        ..Options::default()
    };
    Embedded::open(folder.path(), options).unwrap()
}

async fn take(journal: &Embedded, folder: &TempDir, step: &Step) {
    match step {
        Step::Append(events) => {
            let entries = events.iter().map(|event| event.entry()).collect();
            journal.append(entries).await.unwrap();
        }
        Step::Settle(number, count, takes) => {
            let lane = lane(u32::from(*number));
            let mut lease = journal
                .lease(&lane, limits(usize::from(*count)))
                .await
                .unwrap();
            let outcome = if *takes {
                Outcome::Delivered
            } else {
                refused()
            };
            let settled = report(crate::testing::keys(&lease), &outcome);
            journal.settle(&mut lease, settled).await.unwrap();
        }
        Step::Index => journal.index().await.unwrap(),
        Step::Sweep(hour) => {
            // Every second time what was settled is old enough.
            let since_ms = T0_MS + 4_000 + u64::from(*hour % 2) * 2_000;
            journal
                .sweep(Retention::FinishedSince(since_ms))
                .await
                .unwrap();
        }
        Step::Break(key) => {
            let other = rusqlite::Connection::open(folder.path().join("journal.db")).unwrap();
            other
                .execute("UPDATE body SET crc = crc + 1 WHERE id = ?1", [key])
                .unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_search_finds_what_a_look_at_every_event_finds(
        steps in steps(),
        filters in prop::collection::vec(filters(), 8),
        limit in 1..40_usize,
        is_encrypted in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let folder = TempDir::new().unwrap();
        let key = Arc::new(BodyKey::parse(KEY).unwrap());
        let keys = BodyKeys { current: is_encrypted.then_some(key), previous: None };
        let journal = open_with(&folder, is_encrypted.then_some(&keys));
        runtime.block_on(async {
            for step in &steps {
                take(&journal, &folder, step).await;
            }
        });
        let books = Books::open(folder.path()).unwrap().with_keys(keys);
        let events: Vec<EventDetail> = (1..).map_while(|key| books.event(EventKey(key)).unwrap()).collect();
        for filter in &filters {
            let expected = events.iter().rev().filter(|event| fits(filter, event));
            let expected: Vec<EventKey> = expected.map(|event| event.record.key).collect();
            prop_assert_eq!(found(&books, filter, limit).0, expected, "{:?} {:?}", filter, filter.event_id);
            let counted = EventFilter { identifier: None, ..filter.clone() };
            let expected = events.iter().filter(|event| fits(&counted, event)).count() as u64;
            prop_assert_eq!(covered(&books, &counted), expected);
        }
    }
}

/// How many events a count of identifiers is about; each of them carries an e-mail address.
fn covered(books: &Books, filter: &EventFilter) -> u64 {
    let (mut events, mut before) = (0, None);
    loop {
        let part = books.coverage(filter, before).unwrap();
        for group in &part.rows {
            assert_eq!(group.carrying.get(&UserField::Em), Some(&group.events));
            events += group.events;
        }
        before = part.next;
        if before.is_none() {
            return events;
        }
    }
}

/// Events with ids of their own, of six persons in turn.
fn events(count: u16) -> Vec<Entry> {
    let event = |id: u16| Drawn {
        dataset: 0,
        name: true,
        id,
        order: None,
        person: u8::try_from(id % 6).unwrap(),
        is_test: false,
        hour: 0,
    };
    (0..count).map(|id| event(id).entry()).collect()
}

fn by_id(id: &str) -> EventFilter {
    EventFilter {
        event_id: Some(id.to_owned()),
        ..EventFilter::default()
    }
}

fn by_person(number: u8) -> EventFilter {
    EventFilter {
        identifier: Some(Hashed::of(&person(number))),
        ..EventFilter::default()
    }
}

/// Rows of persons that are not overwritten.
fn live(books: &Books) -> i64 {
    let sql = "SELECT count(*) FROM person_run WHERE substr(entries, 1, 1) <> x'00'";
    books.conn.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn what_is_indexed_is_found_without_a_scan() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(events(1_000)).await.unwrap();
    let books = Books::open(folder.path()).unwrap();
    let (keys, scanned) = found(&books, &by_id("id-17"), 10);
    assert_eq!(
        (keys, scanned),
        (vec![EventKey(18)], 1_000_usize.div_ceil(50))
    );
    // One step more than there are full segments, of which the first begins at 0.
    assert_eq!(SEGMENT, 64);
    for _ in 0..17 {
        journal.index().await.unwrap();
    }
    let segments = "SELECT count(*) FROM segment";
    let segments: i64 = books
        .conn
        .query_row(segments, [], |row| row.get(0))
        .unwrap();
    assert_eq!(segments, 15);
    let (keys, calls) = found(&books, &by_id("id-17"), 10);
    assert_eq!(keys, [EventKey(18)]);
    assert!(calls <= 2, "what is not indexed, and the rest: {calls}");
    assert_eq!(found(&books, &by_person(3), 1_000).0.len(), 167);
    assert_eq!(found(&books, &by_person(7), 1_000).0, []);
}

#[tokio::test]
async fn nothing_of_a_person_outlives_the_body() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(events(500)).await.unwrap();
    for _ in 0..7 {
        journal.index().await.unwrap();
    }
    let books = Books::open(folder.path()).unwrap();
    assert_eq!(live(&books), 7 * 32);
    // One event of the first segment is over.
    let mut lease = journal.lease(&lane(0), limits(1)).await.unwrap();
    let settled = report(crate::testing::keys(&lease), &Outcome::Delivered);
    journal.settle(&mut lease, settled).await.unwrap();
    let over = Retention::FinishedSince(T0_MS + HOUR_MS);
    assert_eq!(journal.sweep(over).await.unwrap(), 1);
    assert_eq!(live(&books), 6 * 32);
    assert_eq!(
        found(&books, &by_person(0), 1_000).0.len(),
        83,
        "one of 84 is gone"
    );
    // What was read before a body went is not written after it.
    let shared = Arc::clone(&journal.shared);
    journal.append(events(600).split_off(500)).await.unwrap();
    let segment = tokio::task::spawn_blocking(move || Segment::next(&shared));
    let segment = Box::new(segment.await.unwrap().unwrap().unwrap());
    drain(&journal, &lane(0), &Outcome::Delivered).await;
    assert_eq!(journal.sweep(over).await.unwrap(), 599);
    journal
        .ask(|reply| Command::Index { segment, reply })
        .await
        .unwrap();
    assert_eq!(live(&books), 0);
    assert_eq!(found(&books, &by_person(0), 1_000).0, []);
    assert_eq!(found(&books, &by_id("id-499"), 1_000).0, [EventKey(500)]);
}

#[tokio::test]
async fn without_the_key_nobody_is_found() {
    let folder = TempDir::new().unwrap();
    let keys = BodyKeys {
        current: Some(Arc::new(BodyKey::parse(KEY).unwrap())),
        previous: None,
    };
    let journal = open_with(&folder, Some(&keys));
    journal.append(events(64)).await.unwrap();
    journal.index().await.unwrap();
    let books = Books::open(folder.path()).unwrap();
    assert_eq!(live(&books), 32);
    // Six persons make six entries that differ; in the clear they would be those of their hashes.
    let mut rows = books
        .conn
        .prepare("SELECT id, entries FROM person_run")
        .unwrap();
    let rows = rows
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    let rows: BTreeMap<i64, Vec<u8>> = rows.map(Result::unwrap).collect();
    let entries: usize = rows.values().map(|entries| entries.len() / 4).sum();
    assert_eq!(entries, 63);
    let is_there = |hash: &Hashed| {
        let hash = u32::from_str_radix(&hash.as_str()[..8], 16).unwrap();
        let chunk = rows
            .values()
            .nth(usize::try_from(hash >> 27).unwrap())
            .unwrap();
        let mut entries = chunk[1..].as_chunks::<4>().0.iter();
        entries.any(|entry| u32::from_le_bytes(*entry) >> 14 == hash >> 9 & 0x3_ffff)
    };
    assert!((0..6).all(|number| !is_there(&Hashed::of(&person(number)))));
    assert_eq!(found(&books, &by_person(3), 1_000).0, []);
    let books = Books::open(folder.path()).unwrap().with_keys(keys);
    assert_eq!(found(&books, &by_person(3), 1_000).0.len(), 11);
}

#[tokio::test]
async fn an_event_is_found_by_the_request_that_decided_it() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(events(300)).await.unwrap();
    let mut lease = journal.lease(&lane(0), limits(200)).await.unwrap();
    let mut settled = report([EventKey(40), EventKey(170)], &Outcome::Delivered);
    settled.request.as_mut().unwrap().fbtrace_id = Some("Traced".to_owned());
    journal.settle(&mut lease, settled).await.unwrap();
    let rest = report(crate::testing::keys(&lease), &refused());
    journal.settle(&mut lease, rest).await.unwrap();
    let books = Books::open(folder.path()).unwrap();
    let traced = |fbtrace_id: &str| EventFilter {
        fbtrace_id: Some(fbtrace_id.to_owned()),
        ..EventFilter::default()
    };
    let (keys, calls) = found(&books, &traced("Traced"), 10);
    assert_eq!((keys, calls), (vec![EventKey(170), EventKey(40)], 3));
    assert_eq!(found(&books, &traced("Nothing"), 10), (vec![], 1));
    // A version that did not keep where they are.
    let other = rusqlite::Connection::open(folder.path().join("journal.db")).unwrap();
    other
        .execute("UPDATE request SET first_event = NULL", [])
        .unwrap();
    assert_eq!(
        found(&books, &traced("Traced"), 10).0,
        [EventKey(170), EventKey(40)]
    );
}

#[tokio::test]
async fn a_damaged_row_is_passed_over_and_counted() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(events(40)).await.unwrap();
    let late = Sample {
        dataset: 1,
        ..sample("late")
    };
    journal.append(vec![late.entry()]).await.unwrap();
    let other = rusqlite::Connection::open(folder.path().join("journal.db")).unwrap();
    other
        .execute("UPDATE event SET accepted_ms = -1 WHERE id = 7", [])
        .unwrap();
    let books = Books::open(folder.path()).unwrap();
    let page = Page {
        before: None,
        limit: 100,
    };
    let all = books.search(&EventFilter::default(), page).unwrap();
    assert_eq!((all.rows.len(), all.unreadable), (40, 1));
}
