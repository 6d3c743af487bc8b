//! Bodies that are encrypted at rest.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use tempfile::TempDir;

use super::{audit, bytes_on_disk, open};
use crate::testing::{HOUR_MS, T0_MS, drain, entries, keys, lane, limits, refused, replays};
use crate::{
    BodyKey, BodyKeys, Books, Embedded, Encryption, EventKey, EventState, Journal as _, OpenError,
    Options, Outcome, Retention, Selection,
};

fn body_key(number: u8) -> Arc<BodyKey> {
    Arc::new(BodyKey::parse(&format!("{number:02x}").repeat(32)).unwrap())
}

pub(super) fn body_keys(current: Option<u8>, previous: Option<u8>) -> BodyKeys {
    BodyKeys {
        current: current.map(body_key),
        previous: previous.map(body_key),
    }
}

pub(super) fn try_open(folder: &Path, keys: BodyKeys, chance: u8) -> Result<Embedded, OpenError> {
    let options = Options {
        encryption: Some(Encryption {
            keys,
            chance: [chance; 16],
        }),
        ..Options::default()
    };
    Embedded::open(folder, options)
}

/// How often the user agent of all sample events is on disk.
fn in_the_clear(folder: &Path) -> usize {
    let bytes = bytes_on_disk(folder);
    let windows = bytes.windows(7);
    windows.filter(|window| window == b"Mozilla").count()
}

#[tokio::test]
async fn bodies_are_encrypted_on_disk_and_read_again() {
    let folder = TempDir::new().unwrap();
    let journal = try_open(folder.path(), body_keys(Some(1), None), 1).unwrap();
    let sent = entries(0..200);
    journal.append(sent.clone()).await.unwrap();
    assert_eq!(in_the_clear(folder.path()), 0);
    let lease = journal.lease(&lane(0), limits(500)).await.unwrap();
    assert!(
        lease
            .events
            .iter()
            .zip(&sent)
            .all(|(leased, sent)| leased.json == sent.event.json())
    );
    drop(lease);
    let books = Books::open(folder.path()).unwrap();
    let detail = books.event(EventKey(7)).unwrap().unwrap();
    assert!(detail.record.has_body && detail.json.is_none());
    assert_eq!(detail.missing_key, Some(body_key(1).id()));
    // Damage can be looked for without the key.
    assert_eq!(books.check().unwrap(), [] as [String; 0]);
    let books = books.with_keys(body_keys(None, Some(1)));
    let detail = books.event(EventKey(7)).unwrap().unwrap();
    assert_eq!(detail.json.as_deref(), Some(sent[6].event.json()));
    assert_eq!(detail.missing_key, None);
    assert_eq!(audit(folder.path()).tally.waiting, 200);
}

/// Encryption is switched on, its key is changed, and it is switched off.
#[tokio::test]
async fn keys_come_and_go() {
    let folder = TempDir::new().unwrap();
    for (round, (current, previous)) in [
        (None, None),
        (Some(1), None),
        (Some(2), Some(1)),
        (None, Some(2)),
    ]
    .into_iter()
    .enumerate()
    {
        let round = u8::try_from(round).unwrap();
        let journal = try_open(folder.path(), body_keys(current, previous), round).unwrap();
        let first = u32::from(round) * 10;
        journal.append(entries(first..first + 10)).await.unwrap();
        let clear = in_the_clear(folder.path());
        assert_eq!(clear > 0, round == 0 || round == 3, "{round}: {clear}");
        let leased = journal.lease(&lane(0), limits(100)).await.unwrap();
        assert_eq!(
            (leased.events.len(), leased.locked.len()),
            (10, 0),
            "{round}"
        );
        drop(leased);
        // What is encrypted with the key before the last is delivered by now.
        drain(&journal, &lane(0), &Outcome::Delivered).await;
        let all = Retention::FinishedSince(T0_MS + HOUR_MS);
        journal.sweep(all).await.unwrap();
        journal.close().await.unwrap();
    }
    assert_eq!(audit(folder.path()).tally.delivered, 40);
}

#[tokio::test]
async fn without_a_key_that_waiting_events_need_there_is_no_start() {
    let folder = TempDir::new().unwrap();
    let journal = try_open(folder.path(), body_keys(Some(1), None), 1).unwrap();
    journal.append(entries(0..10)).await.unwrap();
    journal.close().await.unwrap();
    drop(journal);
    let id = body_key(1).id();
    for keys in [body_keys(None, None), body_keys(Some(2), Some(3))] {
        let error = try_open(folder.path(), keys, 2).err().unwrap();
        assert!(matches!(&error, OpenError::MissingKey { key, .. } if *key == id));
        assert!(error.to_string().contains(&id.to_string()), "{error}");
        assert!(error.help().contains("journal.encryption_key_previous"));
    }
    let without = Embedded::open(folder.path(), Options::default()).err();
    assert!(matches!(without, Some(OpenError::MissingKey { .. })));
    // What is lost is given up, and the gateway starts.
    let mut books = Books::open(folder.path()).unwrap();
    let all: Vec<EventKey> = (1..=10).map(EventKey).collect();
    assert_eq!(books.drop_waiting(&all, T0_MS).unwrap().dropped, 10);
    let journal = open(folder.path());
    journal.append(entries(20..30)).await.unwrap();
    assert_eq!(
        drain(&journal, &lane(0), &Outcome::Delivered).await.len(),
        10
    );
}

#[tokio::test]
async fn an_event_whose_key_is_not_here_is_withheld_and_can_be_sent_later() {
    let folder = TempDir::new().unwrap();
    let journal = try_open(folder.path(), body_keys(Some(1), None), 1).unwrap();
    journal.append(entries(0..3)).await.unwrap();
    drain(&journal, &lane(0), &refused()).await;
    journal.close().await.unwrap();
    drop(journal);
    let journal = try_open(folder.path(), body_keys(Some(2), None), 2).unwrap();
    let mut books = Books::open(folder.path()).unwrap();
    let one = Selection::Keys(vec![EventKey(1)]);
    assert_eq!(books.replay(&one, T0_MS).unwrap().replayed, 1);
    journal.look_around().await;
    let lease = journal.lease(&replays(0), limits(9)).await.unwrap();
    assert!(keys(&lease).is_empty());
    assert_eq!(lease.locked, [(EventKey(1), body_key(1).id())]);
    let detail = books.event(EventKey(1)).unwrap().unwrap();
    assert_eq!(detail.record.state, EventState::Withheld);
    let expected = format!(
        "its body is encrypted with the key {}, which the gateway does not have; it was not sent",
        body_key(1).id()
    );
    assert_eq!(detail.record.cause.text, expected);
    journal.close().await.unwrap();
    drop(journal);
    let journal = try_open(folder.path(), body_keys(Some(2), Some(1)), 3).unwrap();
    assert_eq!(books.replay(&one, T0_MS).unwrap().replayed, 1);
    journal.look_around().await;
    let sent = drain(&journal, &replays(0), &Outcome::Delivered).await;
    assert_eq!(sent[0].json, entries(0..1)[0].event.json());
    assert_eq!(audit(folder.path()).tally.delivered, 1);
}

#[tokio::test]
async fn a_sealed_body_in_the_wrong_row_is_noticed() {
    let folder = TempDir::new().unwrap();
    let journal = try_open(folder.path(), body_keys(Some(1), None), 1).unwrap();
    journal.append(entries(0..3)).await.unwrap();
    let other = Connection::open(folder.path().join("journal.db")).unwrap();
    // With the right checksum for its place, as somebody would write it who has the file and not the key.
    let sealed: Vec<u8> = other
        .query_row("SELECT sealed FROM body WHERE id = 3", [], |row| row.get(0))
        .unwrap();
    let crc = crate::embedded::body::checksum(EventKey(1), &sealed);
    other
        .execute(
            "UPDATE body SET crc = ?1, sealed = ?2 WHERE id = 1",
            (crc, sealed),
        )
        .unwrap();
    let lease = journal.lease(&lane(0), limits(9)).await.unwrap();
    assert_eq!(lease.damaged, [EventKey(1)]);
    assert_eq!(keys(&lease), [EventKey(2), EventKey(3)]);
}

#[tokio::test]
async fn encrypted_bodies_are_overwritten_as_well() {
    let folder = TempDir::new().unwrap();
    let journal = try_open(folder.path(), body_keys(Some(1), None), 1).unwrap();
    journal.append(entries(0..300)).await.unwrap();
    drain(&journal, &lane(0), &Outcome::Delivered).await;
    // A sealed body begins with its form, 1, and the chance of the start.
    let sealed_on_disk = || {
        let bytes = bytes_on_disk(folder.path());
        bytes
            .windows(17)
            .filter(|window| *window == [1; 17])
            .count()
    };
    assert!(sealed_on_disk() >= 300);
    let all = Retention::FinishedSince(T0_MS + HOUR_MS);
    assert_eq!(journal.sweep(all).await.unwrap(), 300);
    assert_eq!(journal.sweep(all).await.unwrap(), 0);
    let books = Books::open(folder.path()).unwrap();
    let books = books.with_keys(body_keys(Some(1), None));
    let detail = books.event(EventKey(299)).unwrap().unwrap();
    assert!(!detail.record.has_body && detail.json.is_none() && detail.missing_key.is_none());
    assert_eq!(books.check().unwrap(), [] as [String; 0]);
    journal.close().await.unwrap();
    assert_eq!(sealed_on_disk(), 0);
}
