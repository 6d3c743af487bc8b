//! What searches take, and what their index costs the writer.
//!
//! `cargo bench -p sluice-journal --bench search` prints a table; `-- 4000000` has so many events instead of a million.

#![allow(missing_docs, reason = "a benchmark has no public items to speak of")]
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a benchmark measures time and prints it, and its input is fixed"
)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sluice_event::{ActionSource, DatasetId, Event, Findings, Hashed, Moment, Rules, UserField};
use sluice_journal::{
    Books, Embedded, Entry, EventFilter, Journal, Options, Page, SourceName, Start,
};

const T0_MS: u64 = 1_751_000_000_000;
const EVENTS: u32 = 1_000_000;
const TASKS: u32 = 8;
const BATCH: u32 = 100;
/// Parts of the events that are written in turn without the index and with it.
const TURNS: u32 = 8;

fn entry(id: u32, contents: &str) -> Entry {
    let moment = Moment {
        unix_ms: T0_MS,
        in_doubt: false,
        entropy: [7; 10],
    };
    let mut event = Event::new("Purchase", 1_750_999_990)
        .id(format!("event-{id:08}"))
        .source(ActionSource::Website)
        .user(UserField::Em, format!("person-{}@example.com", id / 4))
        .user(UserField::ExternalId, format!("customer-{}", id / 4))
        .user(
            UserField::ClientUserAgent,
            "Mozilla/5.0 (X11; Linux x86_64)",
        )
        .custom("order_id", format!("order-{id:08}").as_str())
        .custom("currency", "USD")
        .custom("value", 129.99)
        .custom("description", contents);
    event.event_source_url = Some("https://shop.example/thanks".into());
    let sealed = event.seal(&Rules::default(), moment, &mut Findings::new());
    Entry {
        dataset: DatasetId::parse("100000001").unwrap(),
        source: SourceName::parse("shop").unwrap(),
        test_code: None,
        accepted_ms: T0_MS + u64::from(id),
        in_doubt: false,
        start: Start::Waiting,
        window_ms: None,
        is_completed: false,
        event: sealed.unwrap(),
    }
}

/// Appends these events from several tasks, from entries that are made before.
async fn append(journal: &Arc<Embedded>, ids: std::ops::Range<u32>) -> Duration {
    let contents = "x".repeat(420);
    let mut batches: Vec<Vec<Entry>> = Vec::new();
    for from in ids.clone().step_by(BATCH as usize) {
        let batch = from..(from + BATCH).min(ids.end);
        batches.push(batch.map(|id| entry(id, &contents)).collect());
    }
    let mut parts: Vec<Vec<Vec<Entry>>> = (0..TASKS).map(|_| Vec::new()).collect();
    for (number, batch) in batches.into_iter().enumerate() {
        parts[number % TASKS as usize].push(batch);
    }
    let started = Instant::now();
    let tasks = parts.into_iter().map(|part| {
        let journal = Arc::clone(journal);
        tokio::spawn(async move {
            for batch in part {
                journal.append(batch).await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    started.elapsed()
}

fn search(books: &Books, what: &str, filter: &EventFilter) {
    let started = Instant::now();
    let (mut rows, mut calls, mut longest) = (0, 0, Duration::ZERO);
    let mut page = Page {
        before: None,
        limit: 50,
    };
    loop {
        let began = Instant::now();
        let found = books.search(filter, page).unwrap();
        longest = longest.max(began.elapsed());
        rows += found.rows.len();
        calls += 1;
        page.before = found.next;
        if found.next.is_none() {
            break;
        }
    }
    println!(
        "{what:<40} {:>9.2} ms, {rows} rows, {calls} calls, the longest {:.2} ms",
        started.elapsed().as_secs_f64() * 1e3,
        longest.as_secs_f64() * 1e3
    );
}

fn searches(folder: &Path, events: u32) {
    let books = Books::open(folder).unwrap();
    let old = events / 100;
    let id = |id: String| EventFilter {
        event_id: Some(id),
        ..EventFilter::default()
    };
    let person = |number: u32| EventFilter {
        identifier: Some(Hashed::of(&format!("person-{number}@example.com"))),
        ..EventFilter::default()
    };
    search(
        &books,
        "an event id of long ago",
        &id(format!("event-{old:08}")),
    );
    search(
        &books,
        "an event id that is not there",
        &id("nothing".to_owned()),
    );
    let order = EventFilter {
        order_id: Some(format!("order-{old:08}")),
        ..EventFilter::default()
    };
    search(&books, "an order", &order);
    search(&books, "a person with four events", &person(old / 4));
    search(&books, "a person that is not there", &person(u32::MAX));
    let minute = EventFilter {
        from_ms: Some(T0_MS + u64::from(old)),
        until_ms: Some(T0_MS + u64::from(old) + 50),
        ..EventFilter::default()
    };
    search(&books, "50 events by their time", &minute);
}

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let events = args.next().map_or(EVENTS, |count| count.parse().unwrap());
    let folder = tempfile::TempDir::new().unwrap();
    let journal = Arc::new(Embedded::open(folder.path(), Options::default()).unwrap());
    let (mut without, mut with) = (Duration::ZERO, Duration::ZERO);
    let part = events / TURNS;
    for turn in 0..TURNS {
        let ids = turn * part..(turn + 1) * part;
        if turn % 2 == 0 {
            without += append(&journal, ids).await;
            continue;
        }
        let is_over = Arc::new(AtomicBool::new(false));
        let steps = tokio::spawn({
            let (journal, is_over) = (Arc::clone(&journal), Arc::clone(&is_over));
            async move {
                while !is_over.load(Ordering::Relaxed) {
                    journal.index().await.unwrap();
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        });
        with += append(&journal, ids).await;
        is_over.store(true, Ordering::Relaxed);
        steps.await.unwrap();
    }
    let half = f64::from(part * TURNS / 2);
    println!(
        "append without the index  {:>9.0} /s",
        half / without.as_secs_f64()
    );
    println!(
        "append, one step a second {:>9.0} /s",
        half / with.as_secs_f64()
    );

    println!("\nmost of it not indexed");
    searches(folder.path(), events);
    let before = journal.health().db_bytes + journal.health().wal_bytes;
    let started = Instant::now();
    let steps = events / 16_384 + 1;
    for _ in 0..steps {
        journal.index().await.unwrap();
    }
    let elapsed = started.elapsed();
    let after = journal.health().db_bytes + journal.health().wal_bytes;
    println!(
        "\nthe rest of the index: {elapsed:.2?}, {} to {} MB",
        before >> 20,
        after >> 20
    );
    println!("\nindexed");
    searches(folder.path(), events);
}
