//! Everybody at once: doors, lanes, and a person with the books.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sluice_event::{Event, Findings, Moment, Rules, UserField};
use tempfile::TempDir;

use super::super::command::Command;
use super::super::sweep;
use super::super::writer::Writer;
use super::crash::copy;
use super::{audit, open};
use crate::testing::{
    HOUR_MS, T0_MS, drain, entries, keys, lane, limits, refused, replays, report, sample,
};
use crate::{
    Appended, Books, Embedded, EventFilter, Journal as _, Outcome, Page, Retention, Selection,
};

const DOORS: u32 = 4;
const BATCHES: u32 = 60;

/// Appends events; every tenth batch comes twice.
async fn door(journal: Arc<Embedded>, number: u32) -> usize {
    let mut copies = 0;
    for batch in 0..BATCHES {
        let first = (number * BATCHES + batch) * 20;
        let appended = journal.append(entries(first..first + 20)).await.unwrap();
        assert!(appended.iter().all(|one| matches!(one, Appended::New(_))));
        if batch % 10 == 0 {
            copies += journal
                .append(entries(first..first + 20))
                .await
                .unwrap()
                .len();
        }
    }
    copies
}

/// Delivers until every event is final; one of each batch is refused at first.
async fn deliver(journal: Arc<Embedded>, is_over: Arc<AtomicBool>) {
    for id in [lane(0), replays(0)].iter().cycle() {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        let mut lease = journal.lease(id, limits(33)).await.unwrap();
        if let Some(event) = lease.events.first() {
            let refuse = report([event.key], &refused());
            journal.settle(&mut lease, refuse).await.unwrap();
        }
        let half = keys(&lease).into_iter().skip(1).step_by(2);
        let delivered = report(half, &Outcome::Delivered);
        journal.settle(&mut lease, delivered).await.unwrap();
        drop(lease);
        tokio::task::yield_now().await;
    }
}

/// Events that wait, fresh or sent again, and those that are leased.
fn ready(journal: &Embedded) -> (u64, usize) {
    let both = [lane(0), replays(0)].map(|id| journal.waiting(&id));
    let ready: usize = both.iter().map(|waiting| waiting.ready).sum();
    (
        ready as u64,
        both.iter().map(|waiting| waiting.leased).sum(),
    )
}

/// Sends again, drops, lists and audits.
fn person(folder: &std::path::Path, is_over: &AtomicBool) {
    let mut books = Books::open(folder).unwrap();
    let page = Page {
        before: None,
        limit: 5,
    };
    while !is_over.load(Ordering::Relaxed) {
        let dead = books.search(&EventFilter::dead(), page).unwrap().rows;
        let some = Selection::Keys(dead.iter().map(|event| event.key).take(2).collect());
        books.drop_events(&some, T0_MS + 9_000).unwrap();
        let all = Selection::Filter(EventFilter::default());
        books.replay(&all, T0_MS + 9_000).unwrap();
        let audit = books.audit().unwrap();
        assert!(audit.balanced, "{:?}", audit.problems);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn the_books_balance_while_everybody_works() {
    let folder = TempDir::new().unwrap();
    let journal = Arc::new(open(folder.path()));
    let is_over = Arc::new(AtomicBool::new(false));
    let lanes: Vec<_> = (0..2)
        .map(|_| tokio::spawn(deliver(Arc::clone(&journal), Arc::clone(&is_over))))
        .collect();
    let person = {
        let (folder, is_over) = (folder.path().to_owned(), Arc::clone(&is_over));
        tokio::task::spawn_blocking(move || person(&folder, &is_over))
    };
    let doors: Vec<_> = (0..DOORS)
        .map(|number| tokio::spawn(door(Arc::clone(&journal), number)))
        .collect();
    for _ in 0..10 {
        // A gateway that is killed now and starts again has in memory what is in the rows.
        let killed = copy(&journal, folder.path()).await;
        let tally = audit(killed.path()).tally;
        let survivor = open(killed.path());
        assert_eq!(survivor.health().tally, tally);
        assert_eq!(ready(&survivor), (tally.waiting, 0));
    }
    let mut copies = 0;
    for door in doors {
        copies += door.await.unwrap();
    }
    is_over.store(true, Ordering::Relaxed);
    for lane in lanes {
        lane.await.unwrap();
    }
    person.await.unwrap();

    let tally = audit(folder.path()).tally;
    // What had been refused before its second copy came was taken anew.
    let sent = u64::from(DOORS * BATCHES * 20) + copies as u64;
    assert_eq!(tally.accepted + tally.duplicate, sent);
    assert!(tally.accepted >= u64::from(DOORS * BATCHES * 20));
    journal.look_around().await;
    assert_eq!(journal.health().tally, tally);
    assert_eq!(ready(&journal), (tally.waiting, 0));
    drop(journal);
    let journal = open(folder.path());
    assert_eq!(journal.health().tally, tally);
}

#[tokio::test]
async fn the_log_stays_short_beside_a_steady_writer() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    for append in 0..1_000 {
        let events = entries(append * 10..(append + 1) * 10);
        journal.append(events).await.unwrap();
        // As long as a busy disk takes: how far the log grows meanwhile is no matter of this test.
        let is_copying = |writer: &mut Writer| {
            writer.checkpoint();
            writer.is_copying()
        };
        while journal.on_writer(is_copying).await {
            tokio::task::yield_now().await;
        }
    }
    let health = journal.health();
    // Each commit writes a handful of pages of 16 KiB into the log, some 50 MB in all.
    let file_and_log = (health.db_bytes, health.wal_bytes);
    assert!(health.wal_bytes < 20 << 20, "{file_and_log:?}");
    assert!(health.db_bytes > 1 << 20, "{file_and_log:?}");
    drop(journal);
    assert_eq!(audit(folder.path()).tally.waiting, 10_000);
}

#[tokio::test]
async fn the_log_is_emptied_when_nothing_happens() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..300)).await.unwrap();
    assert!(journal.health().wal_bytes > 0);
    for _ in 0..6 {
        journal.look_around().await;
    }
    assert_eq!(journal.health().wal_bytes, 0);
    assert!(journal.health().db_bytes > 100_000);
}

#[tokio::test]
async fn pages_of_deleted_bodies_go_back_to_the_disk() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    // A file whose pages are known to be clean: from others every look gives back what is free.
    journal.look_around().await;
    journal.append(entries(0..2_000)).await.unwrap();
    drain(&journal, &lane(0), &Outcome::Delivered).await;
    journal
        .sweep(Retention::FinishedSince(T0_MS + HOUR_MS))
        .await
        .unwrap();
    let pages = |writer: &mut Writer| {
        sweep::shrink(&writer.conn, sweep::FREE_PAGES_KEPT).unwrap();
        let before = count(&writer.conn, "PRAGMA page_count");
        sweep::shrink(&writer.conn, 4).unwrap();
        (before, count(&writer.conn, "PRAGMA page_count"))
    };
    let (before, after) = journal.on_writer(pages).await;
    assert!(after < before * 2 / 3, "{before} pages, then {after}");
    assert_eq!(audit(folder.path()).tally.delivered, 2_000);
}

fn count(conn: &rusqlite::Connection, sql: &str) -> i64 {
    conn.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Appends wait while 64 MiB wait for the writer: a disk that hangs must not fill the memory.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_the_writer_is_bounded_by_its_bytes() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let (resume, hangs) = std::sync::mpsc::channel::<()>();
    let hang = Command::Inspect(Box::new(move |_| {
        begun.send(()).unwrap();
        hangs.recv().unwrap();
    }));
    assert!(journal.commands.send(hang).await.is_ok());
    has_begun.await.unwrap();
    let note = "x".repeat(200_000);
    let large = |id: u32| {
        let mut entry = sample(id).entry();
        let event = Event::new("Lead", i64::try_from(T0_MS / 1_000).unwrap())
            .id(id.to_string())
            .user(UserField::Em, "john@example.com")
            .custom("note", note.as_str());
        let moment = Moment {
            unix_ms: T0_MS,
            in_doubt: false,
            entropy: [7; 10],
        };
        let sealed = event.seal(&Rules::default(), moment, &mut Findings::new());
        entry.event = sealed.unwrap();
        entry
    };
    let append = |id| journal.append(vec![large(id); 200]);
    let mut appends: Vec<_> = (0..2).map(append).collect();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    for append in &mut appends {
        assert!(append.as_mut().poll(&mut context).is_pending());
    }
    // 40 MB fit, 80 do not.
    let sent = journal.commands.max_capacity() - journal.commands.capacity();
    assert_eq!(sent, 1);
    resume.send(()).unwrap();
    for append in appends {
        append.await.unwrap();
    }
    assert_eq!(audit(folder.path()).tally.accepted, 2);
}
