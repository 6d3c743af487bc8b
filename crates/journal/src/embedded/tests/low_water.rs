//! What a start has to find, wherever the mark is that it begins from.

use std::path::Path;
use std::time::Duration;

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use tempfile::TempDir;

use super::super::low_water::LowWater;
use super::{audit, crash, in_one_group, open};
use crate::testing::{
    Sample, T0_MS, drain, entries, keys, lane, limits, refused, replays, report, sample,
};
use crate::{Books, EventFilter, EventKey, Journal as _, Outcome, Selection};

#[tokio::test]
async fn a_replay_while_the_journal_is_closed_is_not_forgotten() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..10)).await.unwrap();
    drain(&journal, &lane(0), &refused()).await;
    // As if a person sent an event again in the very moment in which the mark is written.
    let (path, which) = (folder.path().to_owned(), Selection::Keys(vec![EventKey(4)]));
    let (told, replayed) = std::sync::mpsc::channel();
    let hook = move |context: AuthContext<'_>| {
        if let AuthAction::Insert { table_name: "mark" } = context.action {
            let mut books = Books::open(&path).unwrap();
            // One that waits for the writer here would wait for itself.
            books.conn.busy_timeout(Duration::ZERO).unwrap();
            let _told = told.send(books.replay(&which, T0_MS).is_ok());
        }
        Authorization::Allow
    };
    journal
        .on_writer(move |writer| writer.conn.authorizer(Some(hook)).unwrap())
        .await;
    journal.close().await.unwrap();
    let tries: Vec<bool> = replayed.iter().collect();
    assert!(!tries.is_empty());
    if !tries.contains(&true) {
        let mut books = Books::open(folder.path()).unwrap();
        let which = Selection::Keys(vec![EventKey(4)]);
        assert_eq!(books.replay(&which, T0_MS).unwrap().replayed, 1);
    }
    assert_eq!(audit(folder.path()).tally.waiting, 1);
    assert_eq!(open(folder.path()).waiting(&replays(0)).ready, 1);
}

#[tokio::test]
async fn one_event_that_waits_does_not_make_a_start_read_all_rows_since() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let old = Sample {
        dataset: 1,
        ..sample("old")
    };
    journal.append(vec![old.entry()]).await.unwrap();
    for round in 0..3 {
        journal
            .append(entries(round * 100..round * 100 + 100))
            .await
            .unwrap();
        drain(&journal, &lane(0), &Outcome::Delivered).await;
    }
    let from = |folder: &Path| {
        let conn = rusqlite::Connection::open(folder.join("journal.db")).unwrap();
        LowWater::load(&conn).unwrap()
    };
    // While it runs, and after a stop.
    let running = from(folder.path());
    assert!(running.from.0 > 200, "{running:?}");
    assert_eq!(running.named[0], EventKey(1));
    let killed = crash::copy(&journal, folder.path()).await;
    assert_eq!(open(killed.path()).waiting(&old.lane()).ready, 1);
    journal.close().await.unwrap();
    let stopped = from(folder.path());
    assert_eq!((stopped.from.0, stopped.named), (302, vec![EventKey(1)]));
    let journal = open(folder.path());
    assert_eq!(journal.waiting(&old.lane()).ready, 1);
    let books = Books::open(folder.path()).unwrap();
    let listed = books
        .waiting(&EventFilter::default(), None, 10)
        .unwrap()
        .rows;
    assert_eq!(listed.len(), 1);
    // Once it is final, its name is of no use any more.
    drain(&journal, &old.lane(), &Outcome::Expired).await;
    drop(journal);
    assert_eq!(open(folder.path()).waiting(&old.lane()).ready, 0);
    assert_eq!(audit(folder.path()).tally.waiting, 0);
}

#[tokio::test]
async fn more_events_than_can_be_named_are_all_found_again() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let waiting: Vec<_> = (0..20)
        .map(|id| Sample {
            dataset: 1,
            ..sample(id)
        })
        .collect();
    let entries_of = |samples: &[Sample]| samples.iter().map(Sample::entry).collect::<Vec<_>>();
    journal.append(entries_of(&waiting)).await.unwrap();
    journal.append(entries(0..60)).await.unwrap();
    drain(&journal, &lane(0), &Outcome::Delivered).await;
    let killed = crash::copy(&journal, folder.path()).await;
    assert_eq!(open(killed.path()).waiting(&lane(1)).ready, 20);
    assert_eq!(audit(killed.path()).tally.waiting, 20);
}

#[tokio::test]
async fn what_comes_in_the_commit_that_writes_the_mark_is_after_it() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    // The mark is written with the twentieth. Those of the commit before wait no more, and few are named.
    journal.append(entries(0..20)).await.unwrap();
    let mut lease = journal.lease(&lane(0), limits(17)).await.unwrap();
    let delivered = report(keys(&lease), &Outcome::Delivered);
    journal.settle(&mut lease, delivered).await.unwrap();
    let mut lease = journal.lease(&lane(0), limits(3)).await.unwrap();
    let delivered = report(keys(&lease), &Outcome::Delivered);
    let (appended, settled) = in_one_group(
        &journal,
        journal.append(entries(20..30)),
        journal.settle(&mut lease, delivered),
    )
    .await;
    assert_eq!(appended.unwrap().len(), 10);
    settled.unwrap();
    let killed = crash::copy(&journal, folder.path()).await;
    assert_eq!(audit(killed.path()).tally.waiting, 10);
    assert_eq!(open(killed.path()).waiting(&lane(0)).ready, 10);
}

#[tokio::test]
async fn the_mark_and_the_named_events_are_read_as_of_one_moment() {
    let folder = TempDir::new().unwrap();
    let _journal = open(folder.path());
    let low_water = |from, named: &[i64]| LowWater {
        from: EventKey(from),
        named: named.iter().copied().map(EventKey).collect(),
    };
    let (before, after) = (low_water(5, &[3]), low_water(3, &[]));
    let mut books = Books::open(folder.path()).unwrap();
    assert!(before.save(&books.conn, 0).unwrap());
    // As if it was written between the two.
    let (path, then) = (folder.path().to_owned(), after.clone());
    let hook = move |context: AuthContext<'_>| {
        if let AuthAction::Read { table_name, .. } = context.action
            && table_name == "straggler"
        {
            let mut other = Books::open(&path).unwrap();
            let transaction = other.conn.transaction().unwrap();
            assert!(then.save(&transaction, 0).unwrap());
            transaction.commit().unwrap();
        }
        Authorization::Allow
    };
    books.conn.authorizer(Some(hook)).unwrap();
    let loaded = LowWater::load(&books.conn).unwrap();
    assert!(loaded == before || loaded == after, "{loaded:?}");
}
