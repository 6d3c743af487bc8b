//! What is deleted is gone from the files, not only from the tables.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::Connection;
use tempfile::TempDir;

use super::{audit, bytes_on_disk, open};
use crate::embedded::schema;
use crate::embedded::sweep::BODIES_PER_STEP;
use crate::testing::{
    HOUR_MS, Sample, T0_MS, drain, entries, key, lane, limits, refused, replays, report, sample,
};
use crate::{
    Books, Cause, Embedded, EventFilter, EventKey, Journal as _, Options, Outcome, RequestFilter,
    Retention, Selection,
};

/// How often a text is on disk.
pub(super) fn count(folder: &Path, text: &str) -> usize {
    let bytes = bytes_on_disk(folder);
    let windows = bytes.windows(text.len());
    windows.filter(|window| *window == text.as_bytes()).count()
}

/// The ids of the events whose bodies, or parts of them, are on disk.
fn ids_on_disk(folder: &Path) -> BTreeSet<u32> {
    let bytes = bytes_on_disk(folder);
    let text = String::from_utf8_lossy(&bytes);
    let ids = text.split("\"event_id\":\"a1-").skip(1);
    ids.filter_map(|rest| rest.split('"').next()?.parse().ok())
        .collect()
}

/// Looks around as often as it takes until the log was emptied after deletions, with commits in between. The
/// thread that copies the log may be in the way of a look, so there can be some more than `SCRUB_LOOKS`.
pub(super) async fn tidy(journal: &Embedded) {
    let log = schema::wal_path(&journal.shared.path);
    for _ in 0..100 * crate::embedded::upkeep::SCRUB_LOOKS {
        journal.append(vec![sample("busy").entry()]).await.unwrap();
        journal.look_around().await;
        if std::fs::metadata(&log).unwrap().len() == 0 {
            return;
        }
    }
    panic!("the log was not emptied");
}

#[tokio::test]
async fn no_byte_of_a_deleted_body_is_left() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..3_000)).await.unwrap();
    assert_eq!(ids_on_disk(folder.path()).len(), 3_000);
    drain(&journal, &lane(0), &Outcome::Delivered).await;
    // One that waits keeps the bodies from being deleted in one go.
    let waiting = journal.append(vec![sample(9_999).entry()]).await.unwrap();
    assert_eq!(
        journal
            .sweep(Retention::FinishedSince(T0_MS + HOUR_MS))
            .await
            .unwrap(),
        3_000
    );
    tidy(&journal).await;
    assert_eq!(ids_on_disk(folder.path()), BTreeSet::from([9_999]));
    let detail = Books::open(folder.path())
        .unwrap()
        .event(key(waiting[0]))
        .unwrap();
    assert!(detail.unwrap().json.is_some());
}

/// Pages are merged and split when rows between others go.
#[tokio::test]
async fn what_is_deleted_between_others_leaves_nothing_behind() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..4_000)).await.unwrap();
    let mut left: BTreeSet<u32> = (0..4_000).collect();
    let mut lease = journal.lease(&lane(0), limits(4_000)).await.unwrap();
    for divisor in [7, 3, 5, 2, 11, 1] {
        let gone: BTreeSet<u32> = left
            .iter()
            .copied()
            .filter(|id| id % divisor == 0 || (id / 40) % divisor == 1)
            .collect();
        left = &left - &gone;
        let keys = gone.iter().map(|id| EventKey(i64::from(*id) + 1));
        let outcome = report(keys, &Outcome::Delivered);
        journal.settle(&mut lease, outcome).await.unwrap();
        let deleted = journal
            .sweep(Retention::FinishedSince(T0_MS + HOUR_MS))
            .await
            .unwrap();
        assert_eq!(deleted, gone.len() as u64);
        tidy(&journal).await;
        let on_disk = ids_on_disk(folder.path());
        assert!(on_disk == left, "{:?}", &on_disk - &left);
    }
    assert_eq!(audit(folder.path()).tally.delivered, 4_000);
}

/// A person's commands write by connections of their own.
#[tokio::test]
async fn what_was_replayed_or_dropped_by_hand_leaves_no_old_rows_behind() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..600)).await.unwrap();
    let said = Outcome::Refused(Cause {
        code: Some(100),
        subcode: None,
        text: "RECOGNISABLE".to_owned(),
    });
    drain(&journal, &lane(0), &said).await;
    assert!(count(folder.path(), "RECOGNISABLE") >= 600);
    let mut books = Books::open(folder.path()).unwrap();
    let all = Selection::Filter(EventFilter::default());
    assert_eq!(books.replay(&all, T0_MS).unwrap().replayed, 600);
    journal.look_around().await;
    drain(&journal, &replays(0), &refused()).await;
    assert_eq!(books.drop_events(&all, T0_MS).unwrap().dropped, 600);
    assert_eq!(
        journal
            .sweep(Retention::FinishedSince(T0_MS + HOUR_MS))
            .await
            .unwrap(),
        600
    );
    tidy(&journal).await;
    assert_eq!(ids_on_disk(folder.path()), BTreeSet::new());
    // Once each: the history of the replay.
    assert_eq!(count(folder.path(), "RECOGNISABLE"), 600);
}

#[tokio::test]
async fn the_log_is_emptied_after_another_process_wrote() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..3)).await.unwrap();
    drain(&journal, &lane(0), &refused()).await;
    tidy(&journal).await;
    let mut books = Books::open(folder.path()).unwrap();
    let all = Selection::Filter(EventFilter::default());
    assert_eq!(books.drop_events(&all, T0_MS).unwrap().dropped, 3);
    // It may have deleted something: `tidy` waits until the log is empty, however busy the journal is.
    tidy(&journal).await;
}

/// Files of versions that only forgot where a body was.
#[tokio::test]
async fn what_an_earlier_version_left_in_free_pages_is_cleaned_once() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..6_000)).await.unwrap();
    journal.close().await.unwrap();
    drop(journal);
    let conn = Connection::open(folder.path().join("journal.db")).unwrap();
    let forget = "PRAGMA secure_delete = OFF; DELETE FROM body WHERE id <= 5000;
                  DELETE FROM mark WHERE name = 'clean'";
    conn.execute_batch(forget).unwrap();
    let free_pages = || {
        let pages = conn.query_row("PRAGMA freelist_count", [], |row| row.get::<_, i64>(0));
        pages.unwrap()
    };
    let forgotten = || ids_on_disk(folder.path()).range(..5_000).count();
    assert!(free_pages() > 64 && forgotten() > 4_000);
    let journal = open(folder.path());
    journal.look_around().await;
    assert!(free_pages() > 0, "in steps");
    let mut looks = 1;
    while free_pages() > 0 {
        journal.look_around().await;
        looks += 1;
        assert!(looks < 20, "{} pages are left", free_pages());
    }
    tidy(&journal).await;
    // A page that is in use may hold what was moved within it.
    assert!(forgotten() < 100, "{}", forgotten());
    assert_eq!(audit(folder.path()).tally.waiting, 6_001);
}

#[tokio::test]
async fn a_body_may_go_with_its_delivery() {
    let folder = TempDir::new().unwrap();
    let options = Options {
        deletes_delivered: true,
        ..Options::default()
    };
    let journal = Embedded::open(folder.path(), options).unwrap();
    journal.append(entries(0..300)).await.unwrap();
    // The log of a start is emptied in any case.
    tidy(&journal).await;
    let mut lease = journal.lease(&lane(0), limits(200)).await.unwrap();
    let delivered = report((1..=100).map(EventKey), &Outcome::Delivered);
    journal.settle(&mut lease, delivered).await.unwrap();
    let refused = report((101..=200).map(EventKey), &refused());
    journal.settle(&mut lease, refused).await.unwrap();
    tidy(&journal).await;
    assert_eq!(ids_on_disk(folder.path()), (100..300).collect());
    let books = Books::open(folder.path()).unwrap();
    let detail = |key| books.event(EventKey(key)).unwrap().unwrap();
    assert_eq!((detail(1).json, detail(1).record.has_body), (None, false));
    assert!(detail(101).json.is_some() && detail(101).record.has_body);
    assert_eq!(books.check().unwrap(), [] as [String; 0]);

    // As long as Meta takes the refused ones, which is a week, they can be sent again.
    let swept = |now_ms| journal.sweep(Retention::Needed { now_ms });
    let filter = RequestFilter::default();
    let requests = || books.requests(&filter, None, 10).unwrap().rows.len();
    assert_eq!(swept(T0_MS + 160 * HOUR_MS).await.unwrap(), 0);
    assert_eq!(requests(), 2, "why they were refused is kept for a week");
    assert_eq!(swept(T0_MS + 170 * HOUR_MS).await.unwrap(), 100);
    assert_eq!(requests(), 1);
    tidy(&journal).await;
    assert_eq!(ids_on_disk(folder.path()), (200..300).collect());
}

/// What was delivered while bodies were kept for longer.
#[tokio::test]
async fn delivered_bodies_of_before_go_as_well() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..100)).await.unwrap();
    drain(&journal, &lane(0), &Outcome::Delivered).await;
    let needed = Retention::Needed { now_ms: T0_MS };
    assert_eq!(journal.sweep(needed).await.unwrap(), 100);
    tidy(&journal).await;
    assert_eq!(ids_on_disk(folder.path()), BTreeSet::new());
}

#[tokio::test]
async fn one_event_that_waits_does_not_make_each_sweep_read_all_since() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let old = Sample {
        dataset: 1,
        ..sample("old")
    };
    journal.append(vec![old.entry()]).await.unwrap();
    journal.append(entries(0..2_500)).await.unwrap();
    drain(&journal, &lane(0), &Outcome::Delivered).await;
    let swept = async || {
        let commits = journal.health().commits;
        let finished = Retention::FinishedSince(T0_MS + HOUR_MS);
        let deleted = journal.sweep(finished).await.unwrap();
        (deleted, journal.health().commits - commits)
    };
    // A step is a commit, and looks at up to 500 bodies; bodies that events were amended with and records of
    // rejected events and of requests take one each.
    assert_eq!(BODIES_PER_STEP, 500);
    assert_eq!(swept().await, (2_500, 6 + 3));
    // Left are the body of the one that waits, and rows near it that were overwritten and cannot be deleted.
    assert_eq!(swept().await, (0, 1 + 3));
    assert_eq!(drain(&journal, &old.lane(), &refused()).await.len(), 1);
    assert_eq!(swept().await, (1, 1 + 3));
}
