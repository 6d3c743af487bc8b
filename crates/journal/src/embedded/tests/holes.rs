//! What cannot be read keeps nothing else from being deleted, and nothing from being kept.

use rusqlite::Connection;
use tempfile::TempDir;

use super::damage::{damage_first_rows, damage_rows};
use super::{audit, open};
use crate::testing::{HOUR_MS, T0_MS, drain, entries, lane, limits, refused};
use crate::{
    Books, Embedded, EventKey, Journal as _, JournalError, LeaseLimits, Outcome, Retention,
    Selection,
};

const EVENTS: u32 = 3_000;

/// Deletes the body of every event that is finished. What it says if something could not be read.
async fn sweep(journal: &Embedded) -> Result<u64, String> {
    let swept = journal
        .sweep(Retention::FinishedSince(T0_MS + HOUR_MS))
        .await;
    swept.map_err(|error| match error {
        JournalError::Damaged(said) => said,
        other => panic!("{other}"),
    })
}

#[tokio::test]
async fn a_sweep_goes_round_what_cannot_be_read() {
    let first = |_| 0;
    let middle = |pages| pages / 2;
    let last = |pages| pages - 1;
    let places: [fn(usize) -> usize; 3] = [first, middle, last];
    for table in ["body", "event", "outcome"] {
        for choose in places {
            let folder = TempDir::new().unwrap();
            let journal = open(folder.path());
            journal.append(entries(0..EVENTS)).await.unwrap();
            drain(&journal, &lane(0), &Outcome::Delivered).await;
            let damaged = damage_rows(&journal, folder.path(), table, choose).await;
            assert!(!damaged.is_only_one);
            let all = (1..=i64::from(EVENTS)).map(EventKey);
            let (hidden, others): (Vec<_>, Vec<_>) = all.partition(|key| damaged.has(*key));
            assert!(!hidden.is_empty());

            let said = sweep(&journal).await.unwrap_err();
            assert!(said.contains("cannot be read"), "{said}");
            assert!(journal.health().is_failing.is_none());
            let books = Books::open(folder.path()).unwrap();
            let has_body = |key| books.event(key).unwrap().unwrap().record.has_body;
            // What the page does not concern.
            let left: Vec<_> = others.iter().filter(|key| has_body(**key)).collect();
            assert!(left.is_empty(), "{table}: {left:?} beside {hidden:?}");

            // As soon as it can be read it goes, and with it all that was left near it.
            damaged.repair();
            assert_eq!(sweep(&journal).await, Ok(hidden.len() as u64), "{table}");
            assert!(!hidden.into_iter().any(has_body));
            assert_eq!(audit(folder.path()).tally.delivered, u64::from(EVENTS));
        }
    }
}

#[tokio::test]
async fn a_sweep_goes_round_a_single_row_that_cannot_be_read() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..10)).await.unwrap();
    drain(&journal, &lane(0), &Outcome::Delivered).await;
    let other = Connection::open(folder.path().join("journal.db")).unwrap();
    let damage = "UPDATE event SET bytes = -1 WHERE id IN (4, 5, 9)";
    other.execute(damage, []).unwrap();
    let said = sweep(&journal).await.unwrap_err();
    assert!(said.starts_with("rows of events from 4 to 5 "), "{said}");
    other.execute("UPDATE event SET bytes = 99", []).unwrap();
    assert_eq!(sweep(&journal).await, Ok(3));
}

#[tokio::test]
async fn damaged_records_keep_no_bodies() {
    for table in ["rejection", "request"] {
        let folder = TempDir::new().unwrap();
        let journal = open(folder.path());
        journal.append(entries(0..10)).await.unwrap();
        drain(&journal, &lane(0), &Outcome::Delivered).await;
        let page = damage_first_rows(&journal, folder.path(), table).await;
        let said = sweep(&journal).await.unwrap_err();
        assert!(said.contains("were not deleted"), "{said}");
        page.repair();
        assert_eq!(sweep(&journal).await, Ok(0), "{table}");
    }
}

/// The gateway was off for a week, or nothing came in.
#[tokio::test]
async fn retention_counts_from_when_an_event_was_withheld() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..2)).await.unwrap();
    journal.close().await.unwrap();
    let other = Connection::open(folder.path().join("journal.db")).unwrap();
    other
        .execute("UPDATE body SET crc = crc + 1 WHERE id = 1", [])
        .unwrap();
    drop(journal);
    let journal = open(folder.path());
    let now_ms = T0_MS + 10 * 24 * HOUR_MS;
    let limits = LeaseLimits {
        now_ms,
        ..limits(10)
    };
    let lease = journal.lease(&lane(0), limits).await.unwrap();
    assert_eq!(lease.damaged, [EventKey(1)]);
    let since = |days: u64| Retention::FinishedSince(now_ms - days * 24 * HOUR_MS);
    assert_eq!(journal.sweep(since(7)).await.unwrap(), 0);
    assert_eq!(journal.sweep(since(0)).await.unwrap(), 0);
    let later = Retention::FinishedSince(now_ms + 1);
    assert_eq!(journal.sweep(later).await.unwrap(), 1);
}

#[tokio::test]
async fn an_event_whose_body_cannot_be_read_is_not_sent_again_and_the_others_are() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..600)).await.unwrap();
    drain(&journal, &lane(0), &refused()).await;
    let page = damage_first_rows(&journal, folder.path(), "body").await;
    let keys: Vec<_> = (1..=600).map(EventKey).collect();
    let lost = keys.iter().filter(|key| page.has(**key)).count();
    assert!((1..600).contains(&lost));
    let lost = lost as u64;
    let mut books = Books::open(folder.path()).unwrap();
    let replayed = books.replay(&Selection::Keys(keys), T0_MS).unwrap();
    assert_eq!((replayed.damaged, replayed.replayed), (lost, 600 - lost));
}

/// A flipped bit in a row can change what kind of value is in a column.
#[tokio::test]
async fn a_body_whose_checksum_is_no_number_is_not_sent_again() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..3)).await.unwrap();
    drain(&journal, &lane(0), &refused()).await;
    journal.close().await.unwrap();
    drop(journal);
    let path = folder.path().join("journal.db");
    let mut file = std::fs::read(&path).unwrap();
    let id = b"\"event_id\":\"a1-1\"";
    let id = file.windows(id.len()).rposition(|it| it == id).unwrap();
    let json = file[..id].iter().rposition(|byte| *byte == b'{').unwrap();
    // Before the text stands the checksum, of 4 or 6 bytes, and before that what the columns are: 7 bytes, of which
    // the third is for the checksum.
    let kind = [(4, 4), (6, 5)].iter().find_map(|(bytes, kind)| {
        let head = json - bytes - 7;
        (file[head..head + 3] == [7, 0, *kind]).then_some(head + 2)
    });
    // NULL
    file[kind.unwrap()] = 0;
    std::fs::write(&path, file).unwrap();
    let mut books = Books::open(folder.path()).unwrap();
    let keys = (1..=3).map(EventKey).collect();
    let replayed = books.replay(&Selection::Keys(keys), T0_MS).unwrap();
    assert_eq!((replayed.damaged, replayed.replayed), (1, 2));
}
