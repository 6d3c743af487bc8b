//! What is on disk at any moment is a journal that opens, with everything that was acknowledged.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::super::command::Command as Inspect;
use super::{audit, open};
use crate::testing::{self, drain, entries, keys, lane, limits, refused};
use crate::{Appended, Embedded, Journal as _, JournalError, Outcome};

/// Copies the files as they are between two commits, which is what is left when the process is killed.
/// Another process copies: closing a file here would drop SQLite's locks on it.
pub(super) async fn copy(journal: &Embedded, from: &Path) -> TempDir {
    let to = TempDir::new().unwrap();
    let (source, target) = (from.to_owned(), to.path().to_owned());
    journal
        .on_writer(move |_| {
            for file in ["journal.db", "journal.db-wal"] {
                let copied = Command::new("cp")
                    .arg(source.join(file))
                    .arg(&target)
                    .status();
                assert!(copied.unwrap().success());
            }
        })
        .await;
    to
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_kill_at_any_moment() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    for round in 0..8_u32 {
        let first = round * 50;
        let appended = journal.append(entries(first..first + 50)).await.unwrap();
        let mut lease = journal.lease(&lane(0), limits(20)).await.unwrap();
        let report = testing::report(keys(&lease), &Outcome::Delivered);
        journal.settle(&mut lease, report).await.unwrap();
        let lease = journal.lease(&lane(0), limits(7)).await.unwrap();

        let killed = copy(&journal, folder.path()).await;
        let tally = audit(killed.path()).tally;
        let rounds = u64::from(round) + 1;
        assert_eq!(
            (tally.accepted, tally.delivered),
            (rounds * 50, rounds * 20)
        );
        let survivor = open(killed.path());
        // Leases die with the process.
        let waiting = survivor.waiting(&lane(0));
        assert_eq!(waiting.ready as u64, rounds * 30);
        let again = survivor.append(entries(first..first + 50)).await.unwrap();
        let copies = appended
            .iter()
            .map(|one| Appended::Copy(testing::key(*one)));
        assert_eq!(again, copies.collect::<Vec<_>>());
        let left = drain(&survivor, &lane(0), &Outcome::Delivered).await;
        assert_eq!(left.len() as u64, rounds * 30);
        drop(lease);
    }
}

#[tokio::test]
async fn every_beginning_of_the_log_is_a_balanced_journal() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    for round in 0..6_u32 {
        journal
            .append(entries(round * 9..round * 9 + 9))
            .await
            .unwrap();
        let mut lease = journal.lease(&lane(0), limits(5)).await.unwrap();
        let outcome = if round % 2 == 0 {
            Outcome::Delivered
        } else {
            refused()
        };
        let report = testing::report(keys(&lease), &outcome);
        journal.settle(&mut lease, report).await.unwrap();
    }
    let whole = copy(&journal, folder.path()).await;
    let log = std::fs::read(whole.path().join("journal.db-wal")).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for part in 0..=24 {
        let torn = TempDir::new().unwrap();
        std::fs::copy(
            whole.path().join("journal.db"),
            torn.path().join("journal.db"),
        )
        .unwrap();
        let end = log.len() * part / 24;
        std::fs::write(torn.path().join("journal.db-wal"), &log[..end]).unwrap();
        // The first part is the making of the tables.
        let journal = open(torn.path());
        let tally = audit(torn.path()).tally;
        assert!(
            tally.accepted.is_multiple_of(9) && (tally.accepted - tally.waiting).is_multiple_of(5)
        );
        seen.insert((tally.accepted, tally.waiting));
        journal.append(entries(1_000..1_010)).await.unwrap();
        journal.close().await.unwrap();
        assert_eq!(audit(torn.path()).tally.accepted, tally.accepted + 10);
    }
    assert!(seen.len() > 5, "{seen:?}");
}

#[tokio::test]
async fn dropping_the_journal_in_the_middle_of_everything_hangs_nothing() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..20)).await.unwrap();
    let lease = journal.lease(&lane(0), limits(5)).await.unwrap();
    let bell = journal.bell(&lane(0), testing::FULL);
    drop(journal);
    drop(lease);
    bell.notified().await;
    let journal = open(folder.path());
    assert_eq!(journal.waiting(&lane(0)).ready, 20);
    journal.close().await.unwrap();
    journal.close().await.unwrap();
}

#[tokio::test]
async fn a_writer_that_ended_by_a_defect_says_that_the_journal_is_closed() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..3)).await.unwrap();
    let defect = Inspect::Inspect(Box::new(|_| panic!("the defect that the test asked for")));
    assert!(journal.commands.send(defect).await.is_ok());
    let refused = journal.append(entries(3..4)).await;
    assert!(matches!(refused, Err(JournalError::Closed)), "{refused:?}");
    let failing = journal.health().is_failing;
    assert!(matches!(failing, Some(JournalError::Closed)), "{failing:?}");
    // What it leaves behind is what a crash does.
    drop(journal);
    assert_eq!(open(folder.path()).waiting(&lane(0)).ready, 3);
}

#[tokio::test]
async fn a_settle_whose_caller_went_away_still_counts() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..3)).await.unwrap();
    let mut lease = journal.lease(&lane(0), limits(2)).await.unwrap();
    let report = testing::report(keys(&lease), &Outcome::Delivered);
    {
        let mut settle = journal.settle(&mut lease, report);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        // Sent, perhaps not answered yet.
        let _polled = settle.as_mut().poll(&mut context);
    }
    // Whoever did not hear the answer says it again, perhaps otherwise: the first word counts.
    let again = testing::report(keys(&lease), &refused());
    journal.settle(&mut lease, again).await.unwrap();
    drop(lease);
    journal.append(entries(3..4)).await.unwrap();
    let rest = drain(&journal, &lane(0), &Outcome::Delivered).await;
    assert_eq!(rest.len(), 2);
    let tally = audit(folder.path()).tally;
    assert_eq!((tally.delivered, tally.refused), (4, 0));
}

#[tokio::test]
async fn a_lease_whose_caller_went_away_takes_nothing() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let bell = journal.bell(&lane(0), testing::FULL);
    journal.append(entries(0..10)).await.unwrap();
    bell.notified().await;
    let id = lane(0);
    {
        let mut lease = journal.lease(&id, limits(4));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        // Mostly it is still reading now; if it is done, the lease is dropped.
        let _polled = lease.as_mut().poll(&mut context);
    }
    bell.notified().await;
    assert_eq!(journal.waiting(&id).ready, 10);
}
