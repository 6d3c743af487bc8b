//! Old rows leave: in steps, round damage, with all that belongs to them, and the audit balances all the same.

use std::path::Path;

use rusqlite::Connection;
use tempfile::TempDir;

use super::super::prune::ROWS_PER_STEP;
use super::damage::damage_rows;
use super::{audit, crash, open};
use crate::testing::{HOUR_MS, Sample, T0_MS, drain, entries, key, lane, refused, replays, sample};
use crate::{
    Amended, Amendment, Appended, Books, Embedded, Entry, EventKey, Journal as _, JournalError,
    Outcome, Retention, Revision, Selection, Start,
};

const LATER_MS: u64 = T0_MS + 100 * 24 * HOUR_MS;

fn notes(ids: std::ops::Range<u32>) -> Vec<Entry> {
    let note = |entry| Entry {
        start: Start::Recorded,
        ..entry
    };
    entries(ids).into_iter().map(note).collect()
}

/// An event that comes later, by which the windows of all others are over.
async fn let_time_pass(journal: &Embedded) -> EventKey {
    let later = Sample {
        accepted_ms: LATER_MS,
        ..sample("later")
    };
    key(journal.append(vec![later.entry()]).await.unwrap()[0])
}

fn rows(folder: &Path, table: &str) -> i64 {
    let other = Connection::open(folder.join("journal.db")).unwrap();
    let count = format!("SELECT count(*) FROM {table}");
    other.query_row(&count, [], |row| row.get(0)).unwrap()
}

/// What `prune` says about damage.
async fn damage(journal: &Embedded) -> String {
    match journal.prune(LATER_MS).await {
        Err(JournalError::Damaged(said)) => said,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_belongs_to_an_event_leaves_with_it() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..300)).await.unwrap();
    let amendable = EventKey(7);
    let entry = sample(6).entry();
    let amendment = Amendment {
        key: amendable,
        revision: Revision(0),
        dataset: entry.dataset,
        at_ms: T0_MS,
        event: entry.event,
    };
    assert_eq!(journal.amend(amendment).await.unwrap(), Amended::Done);
    drain(&journal, &lane(0), &refused()).await;
    let mut books = Books::open(folder.path()).unwrap();
    let some = Selection::Keys((1..=20).map(EventKey).collect());
    assert_eq!(books.replay(&some, T0_MS).unwrap().replayed, 20);
    let waiting: Vec<_> = (1..=10).map(EventKey).collect();
    assert_eq!(books.drop_waiting(&waiting, T0_MS).unwrap().dropped, 10);
    journal.look_around().await;
    drain(&journal, &replays(0), &Outcome::Delivered).await;
    // Bodies that are kept far behind those that go.
    let_time_pass(&journal).await;
    journal.append(entries(1_000..1_300)).await.unwrap();
    let swept = journal.sweep(Retention::FinishedSince(LATER_MS)).await;
    assert_eq!(swept.unwrap(), 300);
    let before = audit(folder.path());
    let left = journal.prune(LATER_MS).await.unwrap();
    assert!((100..200).contains(&left), "{left}");
    let left = i64::try_from(left).unwrap();
    assert_eq!(rows(folder.path(), "event"), 601 - left);
    assert_eq!(rows(folder.path(), "outcome"), 300 - left);
    for (table, expected) in [("amendment", 0), ("intent", 0), ("straggler", 0)] {
        assert_eq!(rows(folder.path(), table), expected, "{table}");
    }
    // The last ones stay, by which new ones get their numbers.
    assert_eq!(
        (
            rows(folder.path(), "replay"),
            rows(folder.path(), "dropped")
        ),
        (1, 1)
    );
    assert_eq!(books.event(amendable).unwrap(), None);
    let after = audit(folder.path());
    assert_eq!((after.tally, after.groups), (before.tally, before.groups));
    // The same after a restart.
    drop(journal);
    let journal = open(folder.path());
    let newest = Selection::Keys(vec![EventKey(300)]);
    assert_eq!(books.replay(&newest, T0_MS).unwrap().gone, 1);
    assert_eq!(audit(folder.path()).tally, before.tally);
    assert_eq!(journal.health().tally, before.tally);
}

#[tokio::test]
async fn a_count_of_what_left_that_is_wrong_is_noticed() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(notes(0..250)).await.unwrap();
    let_time_pass(&journal).await;
    assert_eq!(journal.prune(LATER_MS).await.unwrap(), 250);
    assert_eq!(audit(folder.path()).tally.recorded, 250);
    let other = Connection::open(folder.path().join("journal.db")).unwrap();
    let wrong = "UPDATE left_tally SET count = count - 1";
    assert_eq!(other.execute(wrong, []).unwrap(), 1);
    let audit = Books::open(folder.path()).unwrap().audit().unwrap();
    assert!(!audit.balanced);
    assert_eq!(audit.tally.recorded, 249);
    let wrong = "249 recorded by the rows, 250 by the tallies";
    assert!(audit.problems.iter().any(|problem| problem.contains(wrong)));
}

#[tokio::test]
async fn it_goes_in_steps_and_a_kill_between_them_loses_no_count() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let events = u32::try_from(ROWS_PER_STEP).unwrap() * 3;
    journal.append(notes(0..events)).await.unwrap();
    let_time_pass(&journal).await;
    let before = journal.health().commits;
    let mut prune = Box::pin(journal.prune(LATER_MS));
    // The first step, and no more.
    let step = std::future::poll_fn(|context| {
        let _pending = prune.as_mut().poll(context);
        if journal.health().commits > before {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    });
    step.await;
    drop(prune);
    let killed = crash::copy(&journal, folder.path()).await;
    let again = open(killed.path());
    assert_eq!(audit(killed.path()).tally.recorded, u64::from(events));
    let left = again.prune(LATER_MS).await.unwrap();
    assert!(left > 0 && left < u64::from(events), "{left}");
    assert_eq!(audit(killed.path()).tally.recorded, u64::from(events));
    assert_eq!(rows(killed.path(), "event"), 1);
}

#[tokio::test]
async fn it_goes_round_what_cannot_be_read() {
    let first = |_| 0;
    let middle = |pages| pages / 2;
    let places: [fn(usize) -> usize; 2] = [first, middle];
    for table in ["event", "outcome"] {
        for choose in places {
            let folder = TempDir::new().unwrap();
            let journal = open(folder.path());
            journal.append(notes(0..4_000)).await.unwrap();
            let_time_pass(&journal).await;
            let damaged = damage_rows(&journal, folder.path(), table, choose).await;
            assert!(!damaged.is_only_one);
            let said = damage(&journal).await;
            assert!(said.contains("not deleted"), "{said}");
            assert!(journal.health().is_failing.is_none());
            damaged.repair();
            let stayed = rows(folder.path(), "event");
            assert!((2..2_500).contains(&stayed), "{table}: {stayed}");
            assert_eq!(audit(folder.path()).tally.recorded, 4_000);
            let stayed = u64::try_from(stayed).unwrap();
            assert_eq!(journal.prune(LATER_MS).await.unwrap(), stayed - 1);
            assert_eq!(audit(folder.path()).tally.recorded, 4_000);
        }
    }
}

/// Space is given back, and copies of what left are new events.
#[tokio::test]
async fn the_file_gets_smaller_and_what_left_is_forgotten() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(notes(0..4_000)).await.unwrap();
    let_time_pass(&journal).await;
    // Pages that are free, or given back already: the writer does that whenever it looks around.
    let in_use = |folder: &Path| {
        let other = Connection::open(folder.join("journal.db")).unwrap();
        let pages =
            "SELECT page_count - freelist_count FROM pragma_page_count, pragma_freelist_count";
        other
            .query_row(pages, [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    let before = in_use(folder.path());
    assert_eq!(journal.prune(LATER_MS).await.unwrap(), 4_000);
    assert!(in_use(folder.path()) < before - 20);
    let again = Entry {
        accepted_ms: LATER_MS,
        ..notes(0..1).remove(0)
    };
    let again = journal.append(vec![again]).await.unwrap();
    assert_eq!(again, [Appended::New(EventKey(4_002))]);
}
