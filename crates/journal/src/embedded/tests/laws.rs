//! The laws of every engine, on this one.

use tempfile::TempDir;

use crate::testing::{self, Sample, drain, entries, key, lane, sample};
use crate::{Appended, BodyKeys, Embedded, EmbeddedLedger, Journal as _, Options, Outcome};

fn temporary() -> (Embedded, TempDir) {
    let folder = TempDir::new().unwrap();
    let journal = Embedded::open(&folder.path().join("made/anew"), Options::default());
    (journal.unwrap(), folder)
}

#[tokio::test]
async fn the_engine_obeys_the_laws() {
    testing::obeys_the_laws(temporary).await;
}

#[tokio::test]
async fn its_ledger_tells_what_is_there() {
    testing::tells_what_is_there(|| {
        let (journal, folder) = temporary();
        let path = folder.path().join("made/anew");
        let ledger = EmbeddedLedger::open(&path, BodyKeys::default()).unwrap();
        (journal, ledger, folder)
    })
    .await;
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let open = || Embedded::open(folder.path(), Options::default()).unwrap();
    let journal = open();
    let appended = journal.append(entries(0..100)).await.unwrap();
    let mut lease = journal.lease(&lane(0), testing::limits(30)).await.unwrap();
    let settled = testing::report(testing::keys(&lease), &Outcome::Delivered);
    journal.settle(&mut lease, settled).await.unwrap();
    let other = Sample {
        dataset: 1,
        test_code: Some("TEST1"),
        ..sample("x")
    };
    journal.append(vec![other.entry()]).await.unwrap();
    journal.close().await.unwrap();

    let journal = open();
    assert_eq!(journal.lanes().borrow().len(), 2);
    assert_eq!(journal.waiting(&other.lane()).ready, 1);
    assert_eq!(journal.waiting(&lane(0)).ready, 70);
    let again = journal.append(entries(0..101)).await.unwrap();
    assert_eq!(again[5], Appended::Copy(key(appended[5])));
    assert!(matches!(again[100], Appended::New(new) if new > key(appended[99])));
    let rest = drain(&journal, &lane(0), &Outcome::Delivered).await;
    assert_eq!(rest.len(), 71);
    assert_eq!(rest[0].key, key(appended[30]));
    // Without a word of farewell.
    drop(journal);
    let journal = open();
    assert_eq!(journal.waiting(&lane(0)).ready, 0);
    assert_eq!(journal.health().tally.delivered, 101);
}
