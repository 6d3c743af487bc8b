//! Amended events over restarts and crashes, in what people read, encrypted, damaged and deleted.

use rusqlite::Connection;
use sluice_event::ActionSource;
use tempfile::TempDir;

use super::cipher::{body_keys, try_open};
use super::damage::damage_first_rows;
use super::erase::{count, tidy};
use super::{audit, bytes_on_disk, crash, open};
use crate::testing::{
    HOUR_MS, Sample, T0_MS, drain, entries, key, keys, lane, limits, refused, replays, report,
    sample,
};
use crate::{
    Amended, Amendment, Books, Embedded, Entry, EventFilter, EventKey, EventState, Journal as _,
    LeaseLimits, OpenError, Options, Outcome, Page, Retention, Revision, Selection, Start,
};

const DAY_MS: u64 = 24 * HOUR_MS;

fn valued(id: u32, value: f64) -> Sample {
    Sample {
        value,
        ..sample(id)
    }
}

async fn amend(journal: &Embedded, key: EventKey, id: u32, value: f64) -> Amended {
    let revision = journal.amendable(key).await.unwrap().unwrap().revision;
    let entry = valued(id, value).entry();
    let amendment = Amendment {
        key,
        revision,
        dataset: entry.dataset,
        at_ms: T0_MS + 1,
        event: entry.event,
    };
    journal.amend(amendment).await.unwrap()
}

/// A journal with ten events, the fourth of which was amended.
async fn amended(journal: &Embedded) -> EventKey {
    let appended = journal.append(entries(0..10)).await.unwrap();
    let fourth = key(appended[3]);
    assert_eq!(amend(journal, fourth, 3, 4_711.25).await, Amended::Done);
    fourth
}

#[tokio::test]
async fn the_new_body_and_its_size_survive_a_kill() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let fourth = amended(&journal).await;
    let before = journal.waiting(&lane(0));
    let killed = crash::copy(&journal, folder.path()).await;
    let again = open(killed.path());
    assert_eq!(again.waiting(&lane(0)), before);
    let leased = drain(&again, &lane(0), &Outcome::Delivered).await;
    assert_eq!(leased[3].key, fourth);
    assert!(leased[3].json.contains("4711.25"));
    assert_eq!(leased.len(), 10);
    audit(killed.path());
}

#[tokio::test]
async fn an_amendment_that_was_not_committed_never_was() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let appended = journal.append(entries(0..3)).await.unwrap();
    let before = journal.waiting(&lane(0));
    journal
        .on_writer(|writer| writer.conn.commit_hook(Some(|| true)).unwrap())
        .await;
    let entry = valued(1, 4_711.25).entry();
    let amendment = Amendment {
        key: key(appended[1]),
        revision: Revision(0),
        dataset: entry.dataset,
        at_ms: T0_MS,
        event: entry.event,
    };
    assert!(journal.amend(amendment).await.is_err());
    journal
        .on_writer(|writer| writer.conn.commit_hook(None::<fn() -> bool>).unwrap())
        .await;
    journal.look_around().await;
    assert_eq!(journal.waiting(&lane(0)), before);
    let leased = drain(&journal, &lane(0), &Outcome::Delivered).await;
    assert!(leased.iter().all(|event| event.json.contains("12.5")));
}

#[tokio::test]
async fn lists_show_what_was_amended_and_how_often() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let fourth = amended(&journal).await;
    assert_eq!(amend(&journal, fourth, 3, 1_234.5).await, Amended::Done);
    let books = Books::open(folder.path()).unwrap();
    let listed = books
        .waiting(&EventFilter::default(), None, 10)
        .unwrap()
        .rows;
    let of = |place: usize| {
        let event = &listed[place];
        let amount = event.facts.as_ref().unwrap().amount.unwrap();
        (event.revision.0, amount.minor, event.has_body)
    };
    assert_eq!((of(2), of(3)), ((0, 1_250, true), (2, 123_450, true)));
    drain(&journal, &lane(0), &refused()).await;
    let mut books = Books::open(folder.path()).unwrap();
    let page = Page {
        before: None,
        limit: 10,
    };
    let dead = books.search(&EventFilter::dead(), page).unwrap().rows;
    assert_eq!(dead[6].key, fourth);
    assert!(dead[6].has_body);
    let shown = books.event(fourth).unwrap().unwrap();
    assert!(shown.json.unwrap().contains("1234.5"));

    // It is sent again as it was amended last, and not amended any more: a person has seen it so.
    let which = Selection::Keys(vec![fourth]);
    assert_eq!(books.replay(&which, T0_MS).unwrap().replayed, 1);
    journal.look_around().await;
    assert_eq!(journal.amendable(fourth).await.unwrap(), None);
    let again = drain(&journal, &replays(0), &Outcome::Delivered).await;
    assert!(again[0].json.contains("1234.5"));
    audit(folder.path());
}

#[tokio::test]
async fn no_byte_of_a_superseded_body_is_left_and_in_the_end_none_of_the_last() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let fourth = amended(&journal).await;
    assert_eq!(amend(&journal, fourth, 3, 1_234.5).await, Amended::Done);
    tidy(&journal).await;
    let bodies = |value: &str| count(folder.path(), value);
    assert_eq!((bodies("4711.25"), bodies("1234.5")), (0, 1));
    let id = "\"event_id\":\"a1-3\"";
    assert_eq!(bodies(id), 1);
    drain(&journal, &lane(0), &Outcome::Delivered).await;
    let since = Retention::FinishedSince(T0_MS + HOUR_MS);
    assert_eq!(
        journal.sweep(since).await.unwrap(),
        11,
        "with the one of `tidy`"
    );
    tidy(&journal).await;
    assert_eq!((bodies("1234.5"), bodies(id)), (0, 0));
    let detail = Books::open(folder.path()).unwrap().event(fourth).unwrap();
    let record = detail.unwrap().record;
    assert!(!record.has_body);
    assert_eq!(record.facts.unwrap().amount.unwrap().minor, 123_450);
}

#[tokio::test]
async fn a_body_that_goes_with_the_delivery_goes_amended_as_well() {
    let folder = TempDir::new().unwrap();
    let options = Options {
        deletes_delivered: true,
        ..Options::default()
    };
    let journal = Embedded::open(folder.path(), options).unwrap();
    amended(&journal).await;
    drain(&journal, &lane(0), &Outcome::Delivered).await;
    tidy(&journal).await;
    assert_eq!(count(folder.path(), "4711.25"), 0);
}

#[tokio::test]
async fn an_amended_body_is_encrypted_and_asks_for_its_key() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let appended = journal.append(entries(0..2)).await.unwrap();
    journal.close().await.unwrap();
    let journal = try_open(folder.path(), body_keys(Some(1), None), 1).unwrap();
    let second = key(appended[1]);
    assert_eq!(amend(&journal, second, 1, 4_711.25).await, Amended::Done);
    journal.close().await.unwrap();
    assert!(
        !bytes_on_disk(folder.path())
            .windows(7)
            .any(|part| part == b"4711.25")
    );
    for current in [None, Some(2)] {
        let opened = try_open(folder.path(), body_keys(current, None), 2);
        assert!(matches!(opened.err(), Some(OpenError::MissingKey { .. })));
    }
    let journal = try_open(folder.path(), body_keys(Some(2), Some(1)), 3).unwrap();
    let leased = drain(&journal, &lane(0), &Outcome::Delivered).await;
    assert!(leased[1].json.contains("4711.25"));
}

#[tokio::test]
async fn an_amended_body_that_rotted_is_found_and_withheld() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let fourth = amended(&journal).await;
    let conn = Connection::open(folder.path().join("journal.db")).unwrap();
    let rotten = "UPDATE amendment SET json = replace(json, '4711', '4712')";
    assert_eq!(conn.execute(rotten, []).unwrap(), 1);
    let damage = Books::open(folder.path()).unwrap().check().unwrap();
    assert_eq!(
        damage,
        [format!("the body of event {} is damaged", fourth.0)]
    );
    let lease = journal.lease(&lane(0), limits(10)).await.unwrap();
    assert_eq!((lease.events.len(), &lease.damaged[..]), (9, &[fourth][..]));
    let detail = Books::open(folder.path()).unwrap().event(fourth).unwrap();
    assert_eq!(detail.unwrap().record.state, EventState::Withheld);
}

/// Ten events that expire in a week and are held for two days. The fourth is amended so that it expires in a day.
async fn expiring_earlier(journal: &Embedded) -> EventKey {
    let start = Start::Due {
        at_ms: T0_MS + 2 * DAY_MS,
    };
    let held = |entry| Entry {
        start: start.clone(),
        ..entry
    };
    let held = entries(0..10).into_iter().map(held).collect();
    let appended = journal.append(held).await.unwrap();
    let fourth = key(appended[3]);
    let older = Sample {
        age_ms: 6 * DAY_MS,
        ..sample(3)
    };
    let entry = older.entry();
    let amendment = Amendment {
        key: fourth,
        revision: Revision(0),
        dataset: entry.dataset,
        at_ms: T0_MS + 1,
        event: entry.event,
    };
    assert_eq!(journal.amend(amendment).await.unwrap(), Amended::Done);
    fourth
}

#[tokio::test]
async fn a_hold_ends_before_the_new_expiry_also_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    expiring_earlier(&journal).await;
    let before = journal.waiting(&lane(0));
    let urgent_ms = T0_MS + 18 * HOUR_MS;
    assert_eq!((before.on_hold, before.next_due_ms), (10, Some(urgent_ms)));
    let killed = crash::copy(&journal, folder.path()).await;
    assert_eq!(open(killed.path()).waiting(&lane(0)), before);
}

#[tokio::test]
async fn an_amended_event_is_too_old_by_its_new_expiry() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let fourth = expiring_earlier(&journal).await;
    let due = LeaseLimits {
        now_ms: T0_MS + 2 * DAY_MS,
        ..limits(10)
    };
    let mut lease = journal.lease(&lane(0), due).await.unwrap();
    let refused = report(keys(&lease), &refused());
    journal.settle(&mut lease, refused).await.unwrap();
    let now_ms = T0_MS + 2 * DAY_MS;
    let mut books = Books::open(folder.path()).unwrap();
    let which = Selection::Filter(EventFilter::default());
    let would = books.would_replay(&which, now_ms).unwrap();
    assert_eq!((would.replayed, would.too_old), (9, 1));
    // Only its body is not needed any more.
    let swept = journal.sweep(Retention::Needed { now_ms }).await;
    assert_eq!(swept.unwrap(), 1);
    let detail = books.event(fourth).unwrap().unwrap();
    assert!(!detail.record.has_body);
}

#[tokio::test]
async fn lists_name_the_source_of_the_last_body() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let appended = journal.append(entries(0..2)).await.unwrap();
    let message = Sample {
        source: ActionSource::BusinessMessaging,
        ..sample(1)
    };
    let entry = message.entry();
    let amendment = Amendment {
        key: key(appended[1]),
        revision: Revision(0),
        dataset: entry.dataset,
        at_ms: T0_MS,
        event: entry.event,
    };
    assert_eq!(journal.amend(amendment).await.unwrap(), Amended::Done);
    let books = Books::open(folder.path()).unwrap();
    let sources = appended.into_iter().map(|appended| {
        let detail = books.event(key(appended)).unwrap().unwrap();
        detail.record.action_source
    });
    let sources: Vec<_> = sources.collect();
    assert_eq!(sources, ["website", "business_messaging"]);
}

#[tokio::test]
async fn the_body_that_an_amendment_replaced_asks_for_no_key() {
    let folder = TempDir::new().unwrap();
    let journal = try_open(folder.path(), body_keys(Some(1), None), 1).unwrap();
    let appended = journal.append(entries(0..1)).await.unwrap();
    journal.close().await.unwrap();
    let journal = try_open(folder.path(), body_keys(Some(2), Some(1)), 2).unwrap();
    let amended = amend(&journal, key(appended[0]), 0, 4_711.25).await;
    assert_eq!(amended, Amended::Done);
    journal.close().await.unwrap();
    let journal = try_open(folder.path(), body_keys(Some(2), None), 3).unwrap();
    let leased = drain(&journal, &lane(0), &Outcome::Delivered).await;
    assert!(leased[0].json.contains("4711.25"));
}

#[tokio::test]
async fn damage_to_amended_bodies_is_not_said_of_the_first_ones() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    amended(&journal).await;
    let damaged = damage_first_rows(&journal, folder.path(), "amendment").await;
    let problems = Books::open(folder.path()).unwrap().check().unwrap();
    damaged.repair();
    let said = |part: &str| problems.iter().any(|problem| problem.contains(part));
    assert!(
        said("amendments after number 0 cannot be read"),
        "{problems:?}"
    );
    assert!(!said("bodies after"), "{problems:?}");
}
