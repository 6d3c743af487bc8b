//! The folder or a file of it goes away under the journal: nothing more is acknowledged.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::{audit, open};
use crate::testing::{drain, entries, keys, lane, limits, report};
use crate::{Embedded, Journal as _, JournalError, OpenError, Options, Outcome};

const FILES: [&str; 4] = [
    "journal.db",
    "journal.db-wal",
    "journal.db-shm",
    "journal.lock",
];

/// A journal in `data` of this folder, with ten events on disk.
async fn journal_in(parent: &TempDir) -> Embedded {
    let journal = open(&parent.path().join("data"));
    journal.append(entries(0..10)).await.unwrap();
    journal
}

/// Another process copies: closing a file here would drop SQLite's locks on it.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-r").arg(from).arg(to).status();
    assert!(copied.unwrap().success());
}

/// Nothing is taken, handed out or settled any more, and the words name the path.
async fn takes_nothing(journal: &Embedded, path: &Path, word: &str) {
    let appended = journal.append(entries(10..20)).await;
    let Err(JournalError::Displaced(said)) = appended else {
        panic!("{appended:?}");
    };
    let path = path.display().to_string();
    assert!(said.contains(&path) && said.contains(word), "{said}");
    let leased = journal.lease(&lane(0), limits(5)).await;
    assert!(
        matches!(leased, Err(JournalError::Displaced(_))),
        "{leased:?}"
    );
    assert!(matches!(
        journal.health().is_failing,
        Some(JournalError::Displaced(_))
    ));
}

#[tokio::test]
async fn a_folder_that_is_removed_takes_nothing_more() {
    let parent = TempDir::new().unwrap();
    let folder = parent.path().join("data");
    let journal = journal_in(&parent).await;
    std::fs::remove_dir_all(&folder).unwrap();
    takes_nothing(&journal, &folder, "removed").await;
    assert!(matches!(
        journal.close().await,
        Err(JournalError::Displaced(_))
    ));
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_folder_that_was_moved_keeps_what_was_acknowledged_and_its_copy_is_left_alone() {
    let parent = TempDir::new().unwrap();
    let (folder, moved) = (parent.path().join("data"), parent.path().join("moved"));
    let journal = journal_in(&parent).await;
    let mut held = journal.lease(&lane(0), limits(3)).await.unwrap();
    std::fs::rename(&folder, &moved).unwrap();
    copy(&moved, &folder);
    let log = std::fs::read(folder.join("journal.db-wal")).unwrap();
    assert!(!log.is_empty());

    takes_nothing(&journal, &folder, "replaced").await;
    let settled = report(keys(&held), &Outcome::Delivered);
    let settled = journal.settle(&mut held, settled).await;
    assert!(matches!(settled, Err(JournalError::Displaced(_))));
    assert_eq!(held.events.len(), 3);
    drop(held);
    // It does not come to itself when the old folder is back: a group may be in it that was answered 503.
    let aside = parent.path().join("aside");
    std::fs::rename(&folder, &aside).unwrap();
    std::fs::rename(&moved, &folder).unwrap();
    journal.look_around().await;
    takes_nothing(&journal, &folder, "replaced").await;
    std::fs::rename(&folder, &moved).unwrap();
    std::fs::rename(&aside, &folder).unwrap();
    drop(journal);

    // SQLite deletes a log by its path when the last connection closes.
    assert_eq!(std::fs::read(folder.join("journal.db-wal")).unwrap(), log);
    for folder in [folder, moved] {
        assert_eq!(audit(&folder).tally.waiting, 10);
        let journal = open(&folder);
        let left = drain(&journal, &lane(0), &Outcome::Delivered).await;
        assert_eq!(left.len(), 10);
    }
}

#[tokio::test]
async fn a_file_that_is_replaced_or_removed_alone_is_noticed() {
    for file in FILES {
        for is_replaced in [true, false] {
            let parent = TempDir::new().unwrap();
            let journal = journal_in(&parent).await;
            let path = parent.path().join("data").join(file);
            let other = parent.path().join("other");
            copy(&path, &other);
            if is_replaced {
                std::fs::rename(&other, &path).unwrap();
            } else {
                std::fs::remove_file(&path).unwrap();
            }
            let word = if is_replaced { "replaced" } else { "removed" };
            takes_nothing(&journal, &path, word).await;
            if file == "journal.db-wal" && is_replaced {
                // SQLite would delete it: its path leads to the file that is open, and it is that file's log no more.
                let log = std::fs::read(&path).unwrap();
                assert!(journal.close().await.is_err());
                assert!(std::fs::read(&path).unwrap() == log);
            }
        }
    }
}

#[tokio::test]
async fn a_look_notices_it_without_traffic() {
    let parent = TempDir::new().unwrap();
    let journal = journal_in(&parent).await;
    journal.look_around().await;
    assert!(journal.health().is_failing.is_none());
    std::fs::remove_dir_all(parent.path().join("data")).unwrap();
    journal.look_around().await;
    assert!(matches!(
        journal.health().is_failing,
        Some(JournalError::Displaced(_))
    ));
}

#[tokio::test]
async fn a_commit_into_a_folder_that_went_away_meanwhile_is_not_acknowledged() {
    let parent = TempDir::new().unwrap();
    let (folder, moved) = (parent.path().join("data"), parent.path().join("moved"));
    let journal = journal_in(&parent).await;
    let hook = {
        let (folder, moved) = (folder.clone(), moved.clone());
        move |writer: &mut super::super::writer::Writer| {
            // Runs within the commit, after the last look before it.
            let commit = move || {
                std::fs::rename(&folder, &moved).unwrap();
                false
            };
            writer.conn.commit_hook(Some(commit)).unwrap();
        }
    };
    journal.on_writer(hook).await;
    takes_nothing(&journal, &folder, "removed").await;
    drop(journal);
    // The rows are there, as after a crash between commit and answer: sent again, they are copies.
    assert_eq!(audit(&moved).tally.accepted, 20);
}

/// Not everywhere: it takes the sockets of Linux.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_second_gateway_is_refused_where_the_folder_of_the_first_was_removed() {
    let parent = TempDir::new().unwrap();
    let folder = parent.path().join("data");
    let journal = journal_in(&parent).await;
    std::fs::remove_dir_all(&folder).unwrap();
    let refused = Embedded::open(&folder, Options::default()).err();
    let pid = std::process::id();
    assert!(
        matches!(refused, Some(OpenError::InUse { pid: Some(found), .. }) if found == pid),
        "{refused:?}"
    );
    // Neighbours are none of its business, and neither is the place once the first one has ended.
    drop(open(&parent.path().join("other")));
    drop(journal);
    drop(open(&folder));
}
