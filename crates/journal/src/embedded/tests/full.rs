//! A full disk: nothing is half-written, and service resumes by itself.

use rusqlite::Connection;
use tempfile::TempDir;

use super::super::writer::Writer;
use super::{audit, open};
use crate::testing::{
    HOUR_MS, Sample, T0_MS, drain, entries, key, lane, received, rejection, sample,
};
use crate::{
    Appended, Books, Embedded, Journal as _, JournalError, Outcome, RejectionFilter, RejectionKey,
    Retention,
};

/// The file cannot grow beyond its size now and so many pages.
async fn allow(journal: &Embedded, pages: i64) {
    let limit = move |conn: &Connection| {
        let count = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        count(&format!(
            "PRAGMA max_page_count = {}",
            count("PRAGMA page_count") + pages
        ));
    };
    journal.on_writer(move |writer| limit(&writer.conn)).await;
}

fn are_new(appended: &[Appended]) -> bool {
    appended.iter().all(|one| matches!(one, Appended::New(_)))
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_keeps_no_trace_of_what_it_refused() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..10)).await.unwrap();
    allow(&journal, 1).await;
    let new = || {
        let event = |id| Sample {
            name: "Lead",
            dataset: 1,
            ..sample(id)
        };
        (10..200).map(|id| event(id).entry()).collect::<Vec<_>>()
    };
    let identity = *new()[0].identity().as_bytes();
    let refused = journal.append(new()).await;
    assert!(matches!(refused, Err(JournalError::Full)), "{refused:?}");
    assert!(matches!(
        journal.health().is_failing,
        Some(JournalError::Full)
    ));
    assert_eq!(audit(folder.path()).tally.accepted, 10);
    assert_eq!(journal.waiting(&lane(0)).ready, 10);
    let remembered = move |writer: &mut Writer| writer.state.dedup.candidates(&identity).count();
    assert_eq!(journal.on_writer(remembered).await, 0);
    // What is known is still known, and still a copy.
    let copies = journal.append(entries(0..2)).await.unwrap();
    assert!(!are_new(&copies));

    allow(&journal, 1_000).await;
    let appended = journal.append(new()).await.unwrap();
    assert!(are_new(&appended));
    assert_eq!(key(appended[0]).0, 11);
    assert!(journal.health().is_failing.is_none());
    assert_eq!(
        drain(&journal, &lane(1), &Outcome::Delivered).await.len(),
        190
    );
    // Texts that were new in what was refused are on disk now.
    let groups = audit(folder.path()).groups;
    let names: Vec<_> = groups
        .iter()
        .map(|group| group.event_name.as_str())
        .collect();
    assert_eq!(names, ["Purchase", "Lead"]);
}

#[tokio::test]
async fn a_disk_that_has_room_again_is_noticed_without_traffic() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    allow(&journal, 0).await;
    assert!(journal.append(entries(0..500)).await.is_err());
    journal.look_around().await;
    assert!(matches!(
        journal.health().is_failing,
        Some(JournalError::Full)
    ));
    allow(&journal, 1_000).await;
    journal.look_around().await;
    assert!(journal.health().is_failing.is_none());
    assert_eq!(audit(folder.path()).tally.accepted, 0);
}

#[tokio::test]
async fn rejected_events_that_could_not_be_written_leave_no_trace() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..10)).await.unwrap();
    allow(&journal, 0).await;
    let flood = |ids: std::ops::Range<u32>| {
        let rejections = ids.map(|id| {
            let mut one = rejection("x".repeat(900));
            one.remains.event_name = Some(format!("Name{id}"));
            one
        });
        received(Vec::new(), rejections.collect())
    };
    let refused = journal.receive(flood(0..30)).await;
    assert!(matches!(refused, Err(JournalError::Full)), "{refused:?}");
    let tally = audit(folder.path()).tally;
    assert_eq!((tally.received, tally.rejected), (10, 0));
    assert_eq!(journal.health().tally, tally);

    // Neither their number nor their names count any more.
    allow(&journal, 1_000).await;
    journal.receive(flood(30..48)).await.unwrap();
    let books = Books::open(folder.path()).unwrap();
    let rows = books
        .rejections(&RejectionFilter::default(), None, 100)
        .map(|found| found.rows);
    assert_eq!(rows.unwrap()[17].key, RejectionKey(1));
    let names = audit(folder.path()).rejected.len();
    assert_eq!(names, 18);
}

#[tokio::test]
async fn retention_makes_room() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..800)).await.unwrap();
    drain(&journal, &lane(0), &Outcome::Delivered).await;
    allow(&journal, 0).await;
    assert!(journal.append(entries(800..1_100)).await.is_err());
    assert_eq!(
        journal
            .sweep(Retention::FinishedSince(T0_MS + HOUR_MS))
            .await
            .unwrap(),
        800
    );
    assert!(are_new(&journal.append(entries(800..1_100)).await.unwrap()));
    assert_eq!(audit(folder.path()).tally.waiting, 300);
}

#[tokio::test]
async fn events_after_a_failed_commit_go_to_their_own_lane() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..1)).await.unwrap();
    let of = |dataset: u32, ids: std::ops::Range<u32>| {
        let samples = ids.map(|id| Sample {
            dataset,
            ..sample(id)
        });
        samples.map(|sample| sample.entry()).collect::<Vec<_>>()
    };
    allow(&journal, 0).await;
    // The text of dataset 1 gets a number, which is taken back and given to dataset 2.
    assert!(journal.append(of(1, 0..500)).await.is_err());
    allow(&journal, 1_000).await;
    journal.append(of(2, 0..5)).await.unwrap();
    journal.append(of(1, 0..7)).await.unwrap();
    let ready = [0, 1, 2].map(|dataset| journal.waiting(&lane(dataset)).ready);
    assert_eq!(ready, [1, 7, 5]);
}
