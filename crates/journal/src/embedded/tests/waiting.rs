//! Waiting events that a person looks at or drops, beside a running gateway.

use tempfile::TempDir;

use super::super::command::Command;
use super::{audit, open};
use crate::testing::{
    HOUR_MS, Sample, T0_MS, dataset, drain, entries, keys, lane, limits, refused, replays, report,
    sample,
};
use crate::{
    Books, DroppedWaiting, EventFilter, EventKey, EventState, Journal as _, Outcome, Selection,
    SourceName,
};

fn keys_of(range: std::ops::RangeInclusive<i64>) -> Vec<EventKey> {
    range.map(EventKey).collect()
}

#[tokio::test]
async fn waiting_events_are_listed_in_order_of_arrival() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..30)).await.unwrap();
    let late = Sample {
        dataset: 1,
        name: "Lead",
        accepted_ms: T0_MS + HOUR_MS,
        ..sample("late")
    };
    journal.append(vec![late.entry()]).await.unwrap();
    let mut lease = journal.lease(&lane(0), limits(10)).await.unwrap();
    let delivered = report(keys_of(1..=5), &Outcome::Delivered);
    journal.settle(&mut lease, delivered).await.unwrap();

    let books = Books::open(folder.path()).unwrap();
    let list = |filter: EventFilter, after, limit| -> Vec<i64> {
        let events = books.waiting(&filter, after, limit).unwrap().rows;
        assert!(events.iter().all(|it| it.state == EventState::Waiting));
        events.iter().map(|event| event.key.0).collect()
    };
    let none = EventFilter::default;
    // Those that are leased wait as well.
    assert_eq!(list(none(), None, 100), (6..=31).collect::<Vec<_>>());
    assert_eq!(list(none(), Some(EventKey(29)), 100), [30, 31]);
    assert_eq!(list(none(), None, 2), [6, 7]);
    let source = |name| EventFilter {
        source: Some(SourceName::parse(name).unwrap()),
        ..none()
    };
    assert_eq!(list(source("shop"), None, 100).len(), 26);
    assert_eq!(list(source("crm"), None, 100), [] as [i64; 0]);
    for filter in [
        EventFilter {
            dataset: Some(dataset(1)),
            ..none()
        },
        EventFilter {
            event_name: Some("Lead".to_owned()),
            ..none()
        },
        EventFilter {
            from_ms: Some(T0_MS + 1),
            ..none()
        },
    ] {
        assert_eq!(list(filter.clone(), None, 100), [31], "{filter:?}");
    }
}

#[tokio::test]
async fn a_dropped_event_is_not_leased_any_more() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..20)).await.unwrap();
    let mut books = Books::open(folder.path()).unwrap();
    let which = [keys_of(1..=12), keys_of(15..=15), keys_of(99..=99)].concat();
    let done = books.drop_waiting(&which, T0_MS).unwrap();
    let expected = DroppedWaiting {
        dropped: 13,
        not_waiting: 1,
    };
    assert_eq!(done, expected);
    // The gateway has not looked around: its memory still has them all.
    let lease = journal.lease(&lane(0), limits(5)).await.unwrap();
    assert_eq!(keys(&lease), [13, 14, 16, 17, 18].map(EventKey));
    drop(lease);
    assert_eq!(audit(folder.path()).tally.withheld, 13);
    journal.append(entries(50..51)).await.unwrap();
    assert_eq!(journal.health().tally, audit(folder.path()).tally);
    assert_eq!(journal.waiting(&lane(0)).ready, 8);
    let sent = drain(&journal, &lane(0), &Outcome::Delivered).await;
    assert_eq!(sent.len(), 8);
    let tally = audit(folder.path()).tally;
    assert_eq!((tally.delivered, tally.withheld, tally.waiting), (8, 13, 0));
    let detail = books.event(EventKey(3)).unwrap().unwrap();
    assert_eq!(detail.record.state, EventState::Withheld);
    assert_eq!(
        detail.record.cause.text,
        "dropped by hand while it was waiting"
    );
    // The same event may come again.
    let again = journal.append(entries(2..3)).await.unwrap();
    assert!(matches!(again[0], crate::Appended::New(_)));
}

/// Of two holders only one can say what became of it.
#[tokio::test]
async fn one_that_was_dropped_on_its_way_and_sent_again_ends_once() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..2)).await.unwrap();
    let mut first = journal.lease(&lane(0), limits(2)).await.unwrap();
    let mut books = Books::open(folder.path()).unwrap();
    books.drop_waiting(&keys_of(1..=2), T0_MS).unwrap();
    let both = Selection::Keys(keys_of(1..=2));
    assert_eq!(books.replay(&both, T0_MS).unwrap().replayed, 2);
    journal.look_around().await;
    let second = journal.lease(&replays(0), limits(1)).await.unwrap();
    let delivered = report(keys_of(1..=2), &Outcome::Delivered);
    journal.settle(&mut first, delivered).await.unwrap();
    drop(second);
    assert_eq!(journal.health().tally, audit(folder.path()).tally);
    let left = journal.lease(&replays(0), limits(9)).await.unwrap();
    assert!(left.events.is_empty());
    assert_eq!(audit(folder.path()).tally.delivered, 2);
}

/// What Meta answered is the truth, whatever a person wanted meanwhile.
#[tokio::test]
async fn what_was_on_its_way_when_it_was_dropped_counts_as_what_became_of_it() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..9)).await.unwrap();
    let mut lease = journal.lease(&lane(0), limits(6)).await.unwrap();
    let mut books = Books::open(folder.path()).unwrap();
    let all = keys_of(1..=9);
    assert_eq!(books.drop_waiting(&all, T0_MS).unwrap().dropped, 9);
    let delivered = report(keys_of(1..=2), &Outcome::Delivered);
    journal.settle(&mut lease, delivered).await.unwrap();
    let report = report(keys_of(3..=4), &refused());
    journal.settle(&mut lease, report).await.unwrap();
    // The others go back, and are gone.
    drop(lease);
    assert!(
        journal
            .lease(&lane(0), limits(9))
            .await
            .unwrap()
            .events
            .is_empty()
    );
    let tally = audit(folder.path()).tally;
    assert_eq!((tally.delivered, tally.withheld, tally.refused), (2, 7, 0));
    assert_eq!(journal.health().tally, tally);
    let request = books.event(EventKey(1)).unwrap().unwrap().record.request;
    assert!(request.is_some());
}

#[tokio::test]
async fn a_dropped_event_can_be_sent_again_at_any_moment() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..4)).await.unwrap();
    let mut books = Books::open(folder.path()).unwrap();
    let one = Selection::Keys(keys_of(1..=1));
    books.drop_waiting(&keys_of(1..=3), T0_MS).unwrap();
    // Before the gateway has heard of it …
    assert_eq!(books.replay(&one, T0_MS).unwrap().replayed, 1);
    journal.look_around().await;
    let ready = || {
        let lanes = [lane(0), replays(0)];
        lanes.map(|lane| journal.waiting(&lane).ready)
    };
    assert_eq!(ready(), [1, 1]);
    // … and after.
    let two = Selection::Keys(keys_of(2..=2));
    assert_eq!(books.replay(&two, T0_MS).unwrap().replayed, 1);
    let withheld = Selection::Filter(EventFilter {
        states: vec![EventState::Withheld],
        ..EventFilter::default()
    });
    journal.look_around().await;
    assert_eq!(books.would_replay(&withheld, T0_MS).unwrap().replayed, 1);
    let mut sent = drain(&journal, &lane(0), &Outcome::Delivered).await;
    sent.extend(drain(&journal, &replays(0), &Outcome::Delivered).await);
    let sent: Vec<EventKey> = sent.iter().map(|event| event.key).collect();
    assert_eq!(sent, [4, 1, 2].map(EventKey));
    assert_eq!(audit(folder.path()).tally.withheld, 1);
}

#[tokio::test]
async fn a_dropped_event_that_was_sent_again_waits_after_a_start_as_well() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..3)).await.unwrap();
    let mut books = Books::open(folder.path()).unwrap();
    books.drop_waiting(&keys_of(1..=2), T0_MS).unwrap();
    let one = Selection::Keys(keys_of(1..=1));
    assert_eq!(books.replay(&one, T0_MS).unwrap().replayed, 1);
    drop(journal);
    let journal = open(folder.path());
    // The drop is older than the start.
    journal.look_around().await;
    let ready = [lane(0), replays(0)].map(|lane| journal.waiting(&lane).ready);
    assert_eq!(ready, [1, 1]);
}

/// A lease finds out that an event was dropped, and before it says so a person has it sent again.
#[tokio::test]
async fn an_event_that_waits_is_not_forgotten() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..2)).await.unwrap();
    let mut books = Books::open(folder.path()).unwrap();
    books.drop_waiting(&keys_of(1..=1), T0_MS).unwrap();
    let forget = |reply| Command::Forget {
        lane: journal.shared.lanes.get(&lane(0)),
        keys: keys_of(1..=2),
        reply,
    };
    journal.ask(forget).await.unwrap();
    assert_eq!(journal.waiting(&lane(0)).ready, 1);
    assert_eq!(audit(folder.path()).tally.waiting, 1);
}

#[tokio::test]
async fn what_was_dropped_without_a_gateway_does_not_wait_at_the_next_start() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..1_200)).await.unwrap();
    journal.close().await.unwrap();
    drop(journal);
    let mut books = Books::open(folder.path()).unwrap();
    let done = books.drop_waiting(&keys_of(1..=1_100), T0_MS).unwrap();
    assert_eq!((done.dropped, done.not_waiting), (1_100, 0));
    drop(books);
    let journal = open(folder.path());
    assert_eq!(journal.waiting(&lane(0)).ready, 100);
    assert_eq!(audit(folder.path()).tally.withheld, 1_100);
}
