//! What people do with the journal while a gateway runs.

use std::sync::Arc;

use rusqlite::StatementStatus;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization, TransactionOperation};
use sluice_event::ActionSource;
use tempfile::TempDir;

use super::super::dead;
use super::{audit, open};
use crate::testing::{
    HOUR_MS, Sample, T0_MS, dataset, drain, entries, key, keys, lane, limits, record, refused,
    replays, report, sample,
};
use crate::{
    Appended, Books, Cause, DeadFilter, Embedded, EventKey, EventState, Journal as _, LaneId,
    Outcome, Page, Replayed, Retention, Selection, SourceName,
};

fn page(limit: usize) -> Page {
    Page {
        before: None,
        limit,
    }
}

fn everything() -> Selection {
    Selection::Filter(DeadFilter::default())
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
    let dead = books.dead(&DeadFilter::default(), page(10)).unwrap();
    let found: Vec<EventKey> = dead.iter().map(|event| event.key).collect();
    assert_eq!(found, [key(appended[1]), key(appended[0])]);
    assert_eq!(dead[1].state, EventState::Refused);
    assert_eq!(dead[1].cause.subcode, Some(2_804_003));
    assert_eq!(
        (dead[1].event_id.as_str(), dead[1].source.as_str()),
        ("0", "shop")
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
    assert_eq!(sent[0].event_id, "0");

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
    let dead = books.dead(&DeadFilter::default(), page(10)).unwrap();
    assert!(dead.iter().all(|event| event.state == EventState::Withheld));
    assert_eq!(
        dead[0].cause.text,
        "dropped by hand; it was refused: the event is too old"
    );
    assert!(!dead[0].has_body);
    // Withheld events are sent again only by name.
    assert_eq!(
        books.replay(&everything(), now_ms).unwrap(),
        Replayed::default()
    );
    journal.look_around().await;
    assert_eq!(journal.health().tally, audit(folder.path()).tally);
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
    let count = |filter: DeadFilter| books.dead(&filter, page(100)).unwrap().len();
    let none = DeadFilter::default;
    assert_eq!(count(none()), 15);
    assert_eq!(
        count(DeadFilter {
            states: vec![EventState::Expired],
            ..none()
        }),
        5
    );
    assert_eq!(
        count(DeadFilter {
            states: vec![EventState::Delivered],
            ..none()
        }),
        0
    );
    assert_eq!(
        count(DeadFilter {
            dataset: Some(dataset(0)),
            ..none()
        }),
        10
    );
    assert_eq!(
        count(DeadFilter {
            dataset: Some(dataset(7)),
            ..none()
        }),
        0
    );
    assert_eq!(
        count(DeadFilter {
            event_name: Some("Lead".to_owned()),
            ..none()
        }),
        5
    );
    assert_eq!(
        count(DeadFilter {
            code: Some(100),
            ..none()
        }),
        10
    );
    assert_eq!(
        count(DeadFilter {
            since_ms: Some(T0_MS + HOUR_MS),
            ..none()
        }),
        0
    );
    let source = |name| Some(SourceName::parse(name).unwrap());
    assert_eq!(
        count(DeadFilter {
            source: source("shop"),
            ..none()
        }),
        15
    );
    assert_eq!(
        count(DeadFilter {
            source: source("other"),
            ..none()
        }),
        0
    );

    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let some = books.dead(&none(), Page { before, limit: 4 }).unwrap();
        let Some(last) = some.last() else { break };
        before = Some(last.key);
        seen.extend(some.iter().map(|event| event.key.0));
    }
    assert_eq!(seen, (1..=15).rev().collect::<Vec<_>>());
    let found = books.find(&dataset(1), "Lead", "12").unwrap();
    assert_eq!(found, [EventKey(13)]);
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
    books.replay(&everything(), T0_MS + HOUR_MS).unwrap();

    let first = T0_MS / HOUR_MS;
    let tallies = books.tallies(first..first + 3).unwrap();
    let hours: Vec<_> = tallies.iter().map(|tally| tally.hour - first).collect();
    assert_eq!(hours, [0, 1, 2]);
    assert_eq!((tallies[0].accepted, tallies[0].duplicate), (10, 4));
    assert_eq!((tallies[0].refused, tallies[1].refused), (4, -4));
    assert_eq!(tallies[2].delivered, 6);
    assert_eq!(tallies[0].dataset, dataset(0).as_str());
    assert_eq!(books.tallies(first + 1..first + 2).unwrap().len(), 1);

    let requests = books.requests(None, None, 10).unwrap();
    let events: Vec<u64> = requests.iter().map(|request| request.events).collect();
    assert_eq!(events, [4, 6]);
    assert_eq!(requests[1].status, record(6).status);
    assert_eq!(
        books
            .requests(None, Some(requests[0].id), 10)
            .unwrap()
            .len(),
        1
    );
    assert!(
        books
            .requests(Some(&dataset(3)), None, 10)
            .unwrap()
            .is_empty()
    );
    journal
        .sweep(Retention::FinishedSince(T0_MS + HOUR_MS))
        .await
        .unwrap();
    let kept = books.requests(Some(&dataset(0)), None, 10).unwrap();
    assert_eq!(kept.len(), 1);
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
    let all = Selection::Filter(DeadFilter::default());
    assert_eq!(books.successor(EventKey(1)).unwrap(), None);
    let once = steps(&books);
    // Five transactions.
    assert_eq!(books.replay(&all, T0_MS).unwrap().replayed, 2_500);
    let more = steps(&books) - once;
    assert!(once > 2_500 && more < once * 3 / 2, "{once}, then {more}");
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
