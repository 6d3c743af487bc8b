//! The states in which events begin, over restarts and in what people read.

use tempfile::TempDir;

use super::{audit, by_hour, bytes_on_disk, open};
use crate::testing::{HOUR_MS, Sample, T0_MS, drain, key, keys, lane, limits, refused, sample};
use crate::{
    Appended, Books, Cause, Entry, EventFilter, EventState, Journal as _, LeaseLimits, Outcome,
    Page, Replayed, Selection, Start,
};

const DAY_MS: u64 = 24 * HOUR_MS;

const PAGE: Page = Page {
    before: None,
    limit: 10,
};

fn beginning(id: &str, start: Start) -> Entry {
    Entry {
        start,
        ..sample(id).entry()
    }
}

fn without_consent(id: &str) -> Entry {
    let cause = Cause {
        text: "without consent".to_owned(),
        ..Cause::default()
    };
    beginning(id, Start::Final(Outcome::Withheld(cause)))
}

#[tokio::test]
async fn a_hold_survives_a_restart_and_one_that_is_over_delays_nothing() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let due = |id, after_ms| {
        let at_ms = T0_MS + after_ms;
        beginning(id, Start::Due { at_ms })
    };
    let entries = vec![due("soon", HOUR_MS), due("later", 2 * HOUR_MS)];
    let appended = journal.append(entries).await.unwrap();
    drop(journal);
    let journal = open(folder.path());
    let waiting = journal.waiting(&lane(0));
    assert_eq!((waiting.ready, waiting.on_hold), (0, 2));
    assert_eq!(waiting.next_due_ms, Some(T0_MS + HOUR_MS));
    let at = |now_ms| LeaseLimits {
        now_ms,
        ..limits(10)
    };
    let lease = journal.lease(&lane(0), at(T0_MS + HOUR_MS)).await.unwrap();
    assert_eq!(keys(&lease), [key(appended[0])]);
    drop(lease);

    let books = Books::open(folder.path()).unwrap();
    let listed = books
        .waiting(&EventFilter::default(), None, 10)
        .unwrap()
        .rows;
    let due: Vec<_> = listed.iter().map(|event| event.due_ms).collect();
    assert_eq!(due, [Some(T0_MS + HOUR_MS), Some(T0_MS + 2 * HOUR_MS)]);
}

#[tokio::test]
async fn what_is_on_hold_can_be_dropped_and_what_is_sent_again_is_not_held() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let entry = beginning(
        "a",
        Start::Due {
            at_ms: T0_MS + DAY_MS,
        },
    );
    let held = key(journal.append(vec![entry]).await.unwrap()[0]);
    let mut books = Books::open(folder.path()).unwrap();
    assert_eq!(books.drop_waiting(&[held], T0_MS).unwrap().dropped, 1);
    journal.look_around().await;
    assert_eq!(journal.waiting(&lane(0)).events(), 0);
    let which = Selection::Keys(vec![held]);
    assert_eq!(books.replay(&which, T0_MS).unwrap().replayed, 1);
    drop(journal);
    let journal = open(folder.path());
    let again = drain(&journal, &crate::testing::replays(0), &Outcome::Delivered).await;
    assert_eq!(again[0].key, held);
}

#[tokio::test]
async fn of_what_is_never_sent_no_body_is_on_disk_and_it_cannot_be_sent_again() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let entries = vec![
        without_consent("consent"),
        beginning("refund", Start::Recorded),
        beginning("old", Start::Final(Outcome::Expired)),
        sample("sent").entry(),
    ];
    let appended = journal.append(entries).await.unwrap();
    drain(&journal, &lane(0), &refused()).await;
    journal.close().await.unwrap();
    let bytes = bytes_on_disk(folder.path());
    let agent = b"Mozilla/5.0";
    let bodies = bytes.windows(agent.len()).filter(|part| part == agent);
    assert_eq!(bodies.count(), 1, "only the one that was sent has a body");

    let mut books = Books::open(folder.path()).unwrap();
    let dead = books.search(&EventFilter::dead(), PAGE).unwrap().rows;
    let dead: Vec<_> = dead
        .iter()
        .map(|event| (event.state, event.never_kept, event.has_body))
        .collect();
    assert_eq!(
        dead,
        [
            (EventState::Refused, false, true),
            (EventState::Expired, true, false),
            (EventState::Withheld, true, false),
        ]
    );
    let of_state = |state| EventFilter {
        states: vec![state],
        ..EventFilter::default()
    };
    let notes = books.search(&of_state(EventState::Recorded), PAGE).unwrap();
    assert_eq!(notes.rows.len(), 1);
    let withheld = books.search(&of_state(EventState::Withheld), PAGE);
    let withheld = withheld.unwrap().rows;
    assert_eq!(withheld[0].cause.text, "without consent");
    assert_eq!(withheld[0].at_ms, Some(T0_MS));
    assert!(withheld[0].facts.as_ref().unwrap().amount.is_some());

    let all = Selection::Keys(appended.iter().map(|one| key(*one)).collect());
    let expected = Replayed {
        replayed: 1,
        never_kept: 2,
        not_dead: 1,
        ..Replayed::default()
    };
    assert_eq!(books.would_replay(&all, T0_MS).unwrap(), expected);
    assert_eq!(books.replay(&all, T0_MS).unwrap(), expected);
    let note = books.event(key(appended[1])).unwrap().unwrap();
    assert_eq!(note.record.state, EventState::Recorded);
    assert_eq!(note.json, None);

    let tally = audit(folder.path()).tally;
    assert_eq!((tally.recorded, tally.withheld, tally.waiting), (1, 1, 1));
    let hours = books.tallies(&by_hour(0..u64::MAX), None).unwrap().rows;
    assert_eq!(hours[0].recorded, 1);
}

#[tokio::test]
async fn what_was_completed_says_so() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let completed = Entry {
        is_completed: true,
        ..sample(1).entry()
    };
    let entries = vec![completed, sample(2).entry()];
    journal.append(entries).await.unwrap();
    let books = Books::open(folder.path()).unwrap();
    let listed = books
        .waiting(&EventFilter::default(), None, 10)
        .unwrap()
        .rows;
    let completed: Vec<_> = listed.iter().map(|event| event.is_completed).collect();
    assert_eq!(completed, [true, false]);
}

/// A sale with a window of 60 days, and page views since, one an hour.
#[tokio::test]
async fn a_long_window_does_not_make_a_start_read_all_rows_since() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let at = |id: &str, ms| Sample {
        accepted_ms: ms,
        ..sample(id)
    };
    let sale = |ms| Entry {
        window_ms: Some(60 * DAY_MS),
        ..at("sale", ms).entry()
    };
    let first = journal.append(vec![sale(T0_MS)]).await.unwrap();
    for hour in 0..400 {
        let view = at(&format!("view-{hour}"), T0_MS + hour * HOUR_MS);
        journal.append(vec![view.entry()]).await.unwrap();
    }
    let seen = journal.on_writer(|writer| writer.state.seen).await;
    drop(journal);
    let journal = open(folder.path());
    let after = journal.on_writer(|writer| (writer.state.seen, writer.state.dedup.first()));
    assert_eq!(after.await, (seen, seen));
    assert_eq!(seen.own, Some(key(first[0])));
    assert!(seen.usual.unwrap().0 > 250, "{seen:?}");
    let again = journal.append(vec![sale(T0_MS + 59 * DAY_MS)]).await;
    assert_eq!(again.unwrap(), [Appended::Copy(key(first[0]))]);
    let again = journal.append(vec![sale(T0_MS + 60 * DAY_MS)]).await;
    assert!(matches!(again.unwrap()[0], Appended::New(_)));
}
