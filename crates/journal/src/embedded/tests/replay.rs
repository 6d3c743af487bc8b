//! Sending dead events again while a gateway runs.

use std::sync::Arc;

use rusqlite::StatementStatus;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization, TransactionOperation};
use sluice_event::ActionSource;
use tempfile::TempDir;

use super::super::dead;
use super::{audit, open};
use crate::testing::{
    HOUR_MS, Sample, T0_MS, drain, entries, keys, lane, limits, refused, replays, report, sample,
};
use crate::{
    Appended, BodyKeys, Books, Cause, Embedded, EmbeddedLedger, EventFilter, EventKey, EventState,
    Journal as _, LaneId, Ledger as _, Outcome, Page, Replayed, Retention, Selection,
};

const PAGE: Page = Page {
    before: None,
    limit: 10,
};

fn everything() -> Selection {
    Selection::Filter(EventFilter::default())
}

/// What came in the place of the first event.
async fn successor_of_first(folder: &TempDir) -> Option<EventKey> {
    let ledger = EmbeddedLedger::open(folder.path(), BodyKeys::default()).unwrap();
    let first = ledger.event(EventKey(1)).await.unwrap().unwrap();
    let later = crate::successor(&ledger, &first.record).await.unwrap();
    later.map(|later| later.key)
}

#[tokio::test]
async fn what_was_mended_and_sent_again_is_not_replayed() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    for name in ["mended", "mended in vain", "left alone"] {
        journal.append(vec![sample(name).entry()]).await.unwrap();
    }
    drain(&journal, &lane(0), &refused()).await;
    // The same ids again; the second is refused once more.
    let again = journal.append(vec![sample("mended in vain").entry()]);
    again.await.unwrap();
    drain(&journal, &lane(0), &refused()).await;
    journal
        .append(vec![sample("mended").entry()])
        .await
        .unwrap();

    let mut books = Books::open(folder.path()).unwrap();
    let expected = Replayed {
        replayed: 2,
        superseded: 2,
        ..Replayed::default()
    };
    let now_ms = T0_MS + HOUR_MS;
    assert_eq!(books.would_replay(&everything(), now_ms).unwrap(), expected);
    assert_eq!(books.replay(&everything(), now_ms).unwrap(), expected);
    // One that waits is as good as one that is delivered.
    drain(&journal, &lane(0), &Outcome::Delivered).await;
    let expected = Replayed {
        superseded: 2,
        ..Replayed::default()
    };
    assert_eq!(books.replay(&everything(), now_ms).unwrap(), expected);
}

#[tokio::test]
async fn of_many_dead_events_with_one_id_only_the_last_is_replayed() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let ids = || entries(0..1_100);
    for _ in 0..3 {
        journal.append(ids()).await.unwrap();
        drain(&journal, &lane(0), &refused()).await;
    }
    let mut books = Books::open(folder.path()).unwrap();
    let expected = Replayed {
        replayed: 1_100,
        superseded: 2_200,
        ..Replayed::default()
    };
    let now_ms = T0_MS + HOUR_MS;
    assert_eq!(books.would_replay(&everything(), now_ms).unwrap(), expected);
    let all = (1..=3_300).map(EventKey).collect();
    let replayed = books.replay(&Selection::Keys(all), now_ms).unwrap();
    assert_eq!(replayed, expected);
    journal.look_around().await;
    let sent = drain(&journal, &replays(0), &Outcome::Delivered).await;
    assert!(sent.iter().all(|event| event.key > EventKey(2_200)));
    assert_eq!(audit(folder.path()).tally.delivered, 1_100);
}

#[tokio::test]
async fn what_is_too_old_or_gone_is_not_sent_again() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let old = Sample {
        age_ms: 160 * HOUR_MS,
        ..sample("old")
    };
    journal.append(vec![old.entry()]).await.unwrap();
    drain(&journal, &lane(0), &refused()).await;
    journal.append(vec![sample("gone").entry()]).await.unwrap();
    drain(&journal, &lane(0), &refused()).await;
    journal
        .sweep(Retention::FinishedSince(T0_MS + 6_000))
        .await
        .unwrap();
    let late = Sample {
        accepted_ms: T0_MS + HOUR_MS,
        ..sample("good")
    };
    journal.append(vec![late.entry()]).await.unwrap();
    drain(&journal, &lane(0), &refused()).await;

    let mut books = Books::open(folder.path()).unwrap();
    let now_ms = T0_MS + 10 * HOUR_MS;
    let foreseen = books.would_replay(&everything(), now_ms).unwrap();
    let replayed = books.replay(&everything(), now_ms).unwrap();
    let expected = Replayed {
        replayed: 1,
        too_old: 1,
        gone: 1,
        ..Replayed::default()
    };
    assert_eq!((foreseen, replayed), (expected, expected));
    let dropped = books.drop_events(&everything(), now_ms).unwrap();
    assert_eq!((dropped.dropped, dropped.not_dead), (2, 0));
    let dead = books.search(&EventFilter::dead(), PAGE).unwrap().rows;
    assert!(dead.iter().all(|event| event.state == EventState::Withheld));
    assert_eq!(
        dead[0].cause.text,
        "dropped by hand; it was refused: the event is too old"
    );
    assert!(!dead[0].has_body);
    // They are dropped once.
    let keys = dead.iter().map(|event| event.key).collect();
    let dropped = books.drop_events(&Selection::Keys(keys), now_ms).unwrap();
    assert_eq!((dropped.dropped, dropped.not_dead), (0, 2));
    // Withheld events are sent again only by name.
    assert_eq!(
        books.replay(&everything(), now_ms).unwrap(),
        Replayed::default()
    );
    journal.look_around().await;
    assert_eq!(journal.health().tally, audit(folder.path()).tally);
}

#[tokio::test]
async fn an_event_that_was_sent_again_is_found_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    // Far enough for the mark where start begins.
    for round in 0..11 {
        journal
            .append(entries(round * 1_000..round * 1_000 + 1_000))
            .await
            .unwrap();
        let outcome = if round == 0 {
            refused()
        } else {
            Outcome::Delivered
        };
        drain(&journal, &lane(0), &outcome).await;
    }
    let mark = |folder: &TempDir| {
        let conn = rusqlite::Connection::open(folder.path().join("journal.db")).unwrap();
        let mark = "SELECT value FROM mark WHERE name = 'low_water'";
        conn.query_row(mark, [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    assert!(mark(&folder) > 9_000);
    let mut books = Books::open(folder.path()).unwrap();
    let which = Selection::Keys(vec![EventKey(500), EventKey(7)]);
    assert_eq!(books.replay(&which, T0_MS).unwrap().replayed, 2);
    assert_eq!(mark(&folder), 7);
    // Whether the gateway has heard of it by now or not, the next start finds them.
    drop(journal);
    let journal = open(folder.path());
    assert_eq!(journal.waiting(&replays(0)).ready, 2);
    journal.close().await.unwrap();
}

/// Whatever was wrong with them may still be: they must not be in the way of fresh events.
#[tokio::test]
async fn events_that_were_sent_again_travel_apart_from_fresh_ones() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let coded = Sample {
        test_code: Some("TEST1"),
        ..sample("coded")
    };
    journal.append(entries(0..4)).await.unwrap();
    journal.append(vec![coded.entry()]).await.unwrap();
    drain(&journal, &lane(0), &refused()).await;
    drain(&journal, &coded.lane(), &refused()).await;
    journal.append(entries(4..7)).await.unwrap();
    let mut books = Books::open(folder.path()).unwrap();
    assert_eq!(books.replay(&everything(), T0_MS).unwrap().replayed, 5);
    journal.look_around().await;
    let coded_replays = LaneId {
        is_replay: true,
        ..coded.lane()
    };
    let ready = |journal: &Embedded| {
        [lane(0), replays(0), coded.lane(), coded_replays.clone()]
            .map(|lane| journal.waiting(&lane).ready)
    };
    assert_eq!(ready(&journal), [3, 4, 0, 1]);
    assert!(journal.lanes().borrow().contains(&replays(0)));
    // One is refused again, which ends it; the others go on where they were after a restart.
    let mut lease = journal.lease(&replays(0), limits(1)).await.unwrap();
    let outcome = report(keys(&lease), &refused());
    journal.settle(&mut lease, outcome).await.unwrap();
    drop(lease);
    journal.close().await.unwrap();
    let journal = open(folder.path());
    assert_eq!(ready(&journal), [3, 3, 0, 1]);
    let lanes = journal.lanes().borrow().clone();
    assert!(lanes.contains(&coded_replays) && !lanes.contains(&coded.lane()));
}

#[tokio::test]
async fn what_may_have_arrived_is_sent_again_by_name() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let message = Sample {
        source: ActionSource::BusinessMessaging,
        ..sample("message")
    };
    journal.append(vec![message.entry()]).await.unwrap();
    let mut lease = journal.lease(&lane(0), limits(1)).await.unwrap();
    let named = keys(&lease);
    journal.intend(&mut lease, &named, T0_MS).await.unwrap();
    drop(lease);
    drop(journal);

    // The next process knows of the request that this one did not see the end of.
    let journal = open(folder.path());
    let mut lease = journal.lease(&lane(0), limits(1)).await.unwrap();
    assert_eq!(lease.events[0].intended_ms, Some(T0_MS));
    let withheld = Outcome::Withheld(Cause::default());
    let withheld = report(named.clone(), &withheld);
    journal.settle(&mut lease, withheld).await.unwrap();
    let mut books = Books::open(folder.path()).unwrap();
    let now_ms = T0_MS + HOUR_MS;
    let replayed = books.replay(&Selection::Keys(named), now_ms).unwrap();
    assert_eq!(replayed.replayed, 1);
    journal.look_around().await;
    // A person has decided: nothing withholds it a second time.
    let lease = journal.lease(&replays(0), limits(1)).await.unwrap();
    assert_eq!(lease.events[0].intended_ms, None);
}

#[tokio::test]
async fn a_replay_looks_at_every_row_once_however_many_events_it_has() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..2_500)).await.unwrap();
    drain(&journal, &lane(0), &refused()).await;
    let mut books = Books::open(folder.path()).unwrap();
    let steps = |books: &Books| {
        let statement = books.conn.prepare_cached(dead::LATER).unwrap();
        statement.get_status(StatementStatus::VmStep)
    };
    let first = Selection::Keys(vec![EventKey(1)]);
    assert_eq!(books.would_replay(&first, T0_MS).unwrap().replayed, 1);
    let once = steps(&books);
    // Five transactions.
    assert_eq!(books.replay(&everything(), T0_MS).unwrap().replayed, 2_500);
    let more = steps(&books) - once;
    assert!(once > 2_500 && more < once * 3 / 2, "{once}, then {more}");
}

#[tokio::test]
async fn a_test_of_the_same_sale_keeps_a_dead_one_from_nothing() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(vec![sample(1).entry()]).await.unwrap();
    drain(&journal, &lane(0), &refused()).await;
    let test = Sample {
        test_code: Some("TEST1"),
        ..sample(1)
    };
    journal.append(vec![test.entry()]).await.unwrap();
    drain(&journal, &test.lane(), &Outcome::Delivered).await;
    let mut books = Books::open(folder.path()).unwrap();
    assert_eq!(successor_of_first(&folder).await, None);
    let done = books.replay(&everything(), T0_MS).unwrap();
    assert_eq!((done.replayed, done.superseded), (1, 0));
    journal.look_around().await;
    drain(&journal, &replays(0), &refused()).await;
    // What Meta has answered, the newest first.
    let filter = EventFilter {
        states: vec![EventState::Delivered, EventState::Refused],
        ..EventFilter::default()
    };
    let answered = books.search(&filter, PAGE).unwrap().rows;
    let states: Vec<_> = answered.iter().map(|it| (it.key.0, it.state)).collect();
    let expected = [(2, EventState::Delivered), (1, EventState::Refused)];
    assert_eq!(states, expected);
}

#[tokio::test]
async fn an_event_that_is_mended_during_a_replay_takes_the_place_of_the_dead_one() {
    let folder = TempDir::new().unwrap();
    let journal = Arc::new(open(folder.path()));
    journal.append(entries(0..3)).await.unwrap();
    drain(&*journal, &lane(0), &refused()).await;
    let mut books = Books::open(folder.path()).unwrap();
    // All rows are read, and the transaction is about to begin.
    let door = Arc::clone(&journal);
    let hook = move |context: AuthContext<'_>| {
        if matches!(context.action, AuthAction::Transaction { operation } if operation == TransactionOperation::Begin)
        {
            let door = Arc::clone(&door);
            let append = move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build();
                runtime
                    .unwrap()
                    .block_on(door.append(entries(1..2)))
                    .unwrap()
            };
            let appended = std::thread::spawn(append).join().unwrap();
            assert!(matches!(appended[..], [Appended::New(_)]));
        }
        Authorization::Allow
    };
    books.conn.authorizer(Some(hook)).unwrap();
    let done = books.replay(&everything(), T0_MS).unwrap();
    assert_eq!((done.replayed, done.superseded), (2, 1));
    journal.look_around().await;
    let ready = [lane(0), replays(0)].map(|lane| journal.waiting(&lane).ready);
    assert_eq!(ready, [1, 2]);
}

/// A refused message came again under the same id, and the answer to that one was lost.
#[tokio::test]
async fn an_event_whose_successor_may_have_arrived_is_not_sent_again() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let message = Sample {
        source: ActionSource::BusinessMessaging,
        ..sample("message")
    };
    journal.append(vec![message.entry()]).await.unwrap();
    drain(&journal, &lane(0), &refused()).await;
    // Kept back before it was posted, this one counts for nothing.
    journal.append(vec![message.entry()]).await.unwrap();
    let withheld = Outcome::Withheld(Cause::default());
    drain(&journal, &lane(0), &withheld).await;
    let mut books = Books::open(folder.path()).unwrap();
    assert_eq!(successor_of_first(&folder).await, None);

    journal.append(vec![message.entry()]).await.unwrap();
    let mut lease = journal.lease(&lane(0), limits(1)).await.unwrap();
    let named = keys(&lease);
    journal.intend(&mut lease, &named, T0_MS).await.unwrap();
    let outcome = report(named, &withheld);
    journal.settle(&mut lease, outcome).await.unwrap();
    assert_eq!(successor_of_first(&folder).await, Some(EventKey(3)));
    let superseded = Replayed {
        superseded: 1,
        ..Replayed::default()
    };
    let done = books.replay(&everything(), T0_MS + HOUR_MS).unwrap();
    assert_eq!(done, superseded);
    journal.look_around().await;
    assert_eq!(journal.waiting(&replays(0)).ready, 0);
}
