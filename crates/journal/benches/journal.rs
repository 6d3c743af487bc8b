//! What the embedded journal does in a second, and what a start costs.
//!
//! `cargo bench -p sluice-journal` prints a table. The figures include fsync, so they say as much
//! about the disk as about the code: compare runs on one machine.

#![allow(missing_docs, reason = "a benchmark has no public items to speak of")]
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a benchmark measures time and prints it, and its input is fixed"
)]

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use sluice_event::{
    ActionSource, DatasetId, Event, Findings, Moment, Rules, SealedEvent, UserField,
};
use sluice_journal::{
    DeliveryReport, Embedded, Entry, Journal, LaneId, LeaseLimits, Options, Outcome, Retention,
    SourceName, Start,
};

const T0_MS: u64 = 1_751_000_000_000;
const EVENTS: u32 = 25_000;
const TASKS: u32 = 8;

/// Different events of a realistic size. The same ones in another dataset are other events.
fn sealed() -> Arc<Vec<SealedEvent>> {
    let moment = Moment {
        unix_ms: T0_MS,
        in_doubt: false,
        entropy: [7; 10],
    };
    let contents = "x".repeat(420);
    let seal = |id: u32| {
        let mut event = Event::new("Purchase", 1_750_999_990)
            .id(format!("order-{id:08}"))
            .source(ActionSource::Website)
            .user(UserField::Em, "john@example.com")
            .user(UserField::Ph, "+16505551212")
            .user(UserField::Fn, "john")
            .user(UserField::Ln, "smith")
            .user(UserField::Ct, "menlopark")
            .user(
                UserField::ClientUserAgent,
                "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101",
            )
            .custom("currency", "USD")
            .custom("value", 129.99)
            .custom("description", contents.as_str());
        event.event_source_url = Some("https://shop.example/thanks".into());
        event
            .seal(&Rules::default(), moment, &mut Findings::new())
            .unwrap()
    };
    Arc::new((0..EVENTS).map(seal).collect())
}

fn dataset(number: u32) -> DatasetId {
    DatasetId::parse(&(100_000_000 + number).to_string()).unwrap()
}

fn entry(event: &SealedEvent, dataset: &DatasetId, source: &SourceName) -> Entry {
    Entry {
        dataset: dataset.clone(),
        source: source.clone(),
        test_code: None,
        accepted_ms: T0_MS,
        in_doubt: false,
        start: Start::Waiting,
        window_ms: None,
        is_completed: false,
        event: event.clone(),
    }
}

/// Appends `rounds` datasets of all the events from several tasks.
async fn append(
    journal: &Arc<Embedded>,
    events: &Arc<Vec<SealedEvent>>,
    from: u32,
    rounds: u32,
    batch: usize,
) -> Vec<Duration> {
    let next = Arc::new(AtomicU32::new(0));
    let per_round = u32::try_from(events.len().div_ceil(batch)).unwrap();
    let tasks: Vec<_> = (0..TASKS.max(if batch == 1 { 64 } else { 0 }))
        .map(|_| {
            let (journal, events, next) =
                (Arc::clone(journal), Arc::clone(events), Arc::clone(&next));
            tokio::spawn(async move {
                let source = SourceName::parse("shop").unwrap();
                let mut times = Vec::new();
                loop {
                    let turn = next.fetch_add(1, Ordering::Relaxed);
                    if turn >= per_round * rounds {
                        return times;
                    }
                    let dataset = dataset(from + turn / per_round);
                    let start = (turn % per_round) as usize * batch;
                    let end = (start + batch).min(events.len());
                    let entries = events[start..end].iter();
                    let entries = entries
                        .map(|event| entry(event, &dataset, &source))
                        .collect();
                    let started = Instant::now();
                    journal.append(entries).await.unwrap();
                    times.push(started.elapsed());
                }
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    times
}

/// Takes everything of a lane out, as a lane does.
async fn drain(journal: &Embedded, lane: &LaneId) -> usize {
    let limits = LeaseLimits {
        events_max: 1_000,
        bytes_max: 4 << 20,
        urgent_before_s: 0,
        now_ms: T0_MS,
    };
    let mut drained = 0;
    loop {
        let mut lease = journal.lease(lane, limits).await.unwrap();
        if lease.events.is_empty() {
            return drained;
        }
        drained += lease.events.len();
        let outcomes = lease
            .events
            .iter()
            .map(|event| (event.key, Outcome::Delivered))
            .collect();
        let report = DeliveryReport {
            at_ms: T0_MS + 1_000,
            request: None,
            outcomes,
            ..DeliveryReport::default()
        };
        journal.settle(&mut lease, report).await.unwrap();
    }
}

fn lane(number: u32) -> LaneId {
    LaneId {
        dataset: dataset(number),
        test_code: None,
        is_replay: false,
    }
}

fn line(what: &str, count: f64, elapsed: Duration, rest: &str) {
    println!(
        "{what:<34} {:>10.0} /s   {rest}",
        count / elapsed.as_secs_f64()
    );
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1e3;
    format!("p50 {:.2} p99 {:.2} max {:.2} ms", at(50), at(99), at(100))
}

fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    let kb = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kb.unwrap_or_default() / 1_024
}

fn open(folder: &Path) -> (Arc<Embedded>, mpsc::Receiver<Duration>) {
    let (sender, times) = mpsc::channel();
    let observer = Box::new(move |stats: sluice_journal::CommitStats| {
        let _left = sender.send(stats.elapsed);
    });
    let journal = Embedded::open(
        folder,
        Options {
            observer: Some(observer),
            ..Options::default()
        },
    );
    (Arc::new(journal.unwrap()), times)
}

/// In a process of its own: how long a start takes, and how much memory it needs.
fn start(folder: &Path) {
    let before = resident_mb();
    let started = Instant::now();
    let journal = Embedded::open(folder, Options::default()).unwrap();
    let elapsed = started.elapsed();
    let waiting: usize = journal
        .lanes()
        .borrow()
        .iter()
        .map(|lane| journal.waiting(lane).ready)
        .sum();
    let after = resident_mb();
    println!("start with {waiting} waiting: {elapsed:.2?}, memory {before} → {after} MB");
}

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    if let Some(folder) = args.next() {
        return start(Path::new(&folder));
    }
    let folder = tempfile::TempDir::new().unwrap();
    fsync(folder.path());
    let events = sealed();
    let bytes = events[0].json().len();
    println!("{TASKS} tasks, {bytes} bytes an event");

    let (journal, commits) = open(folder.path());
    for batch in [100, 10, 1_000] {
        let from = u32::try_from(batch).unwrap() * 100;
        let started = Instant::now();
        let times = append(&journal, &events, from, 20, batch).await;
        let count = f64::from(EVENTS) * 20.0;
        let what = format!("append, batches of {batch}");
        let rest = format!(
            "{}, {} commits",
            percentiles(times),
            commits.try_iter().count()
        );
        line(&what, count, started.elapsed(), &rest);
    }
    paced(&journal, &events).await;
    let _paced = commits.try_iter().count();
    let started = Instant::now();
    let times = append(&journal, &events, 7, 1, 1).await;
    let rest = format!(
        "{}, {} commits",
        percentiles(times),
        commits.try_iter().count()
    );
    line(
        "append, single events, 64 tasks",
        f64::from(EVENTS),
        started.elapsed(),
        &rest,
    );
    one_by_one(&journal, &events).await;

    let started = Instant::now();
    let mut drained = 0;
    for number in 10_000..10_020 {
        drained += drain(&journal, &lane(number)).await;
    }
    line(
        "drain, leases of 1,000",
        f64::from(u32::try_from(drained).unwrap()),
        started.elapsed(),
        "",
    );
    let started = Instant::now();
    let swept = journal.sweep(Retention::FinishedSince(T0_MS + 2_000)).await;
    line(
        "sweep, bodies that are deleted",
        f64::from(u32::try_from(swept.unwrap()).unwrap()),
        started.elapsed(),
        "",
    );
    steady(&journal, &events).await;
    journal.close().await.unwrap();
    println!("memory after all that: {} MB", resident_mb());

    let waiting = tempfile::TempDir::new().unwrap();
    let (journal, _times) = open(waiting.path());
    append(&journal, &events, 0, 1_000_000 / EVENTS, 1_000).await;
    journal.close().await.unwrap();
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .arg(waiting.path())
        .status();
    assert!(status.unwrap().success());
}

/// What the disk does by itself: the least that a commit costs.
fn fsync(folder: &Path) {
    let mut file = std::fs::File::create(folder.join("fsync")).unwrap();
    let page = vec![7; 65_536];
    let times = (0..200).map(|_| {
        let started = Instant::now();
        file.write_all(&page).unwrap();
        file.sync_data().unwrap();
        started.elapsed()
    });
    let times: Vec<Duration> = times.collect();
    line(
        "64 KB and fsync, nothing else",
        200.0,
        times.iter().sum(),
        &percentiles(times),
    );
}

/// Half of what the gateway has to bear: how long an answer takes then.
async fn paced(journal: &Arc<Embedded>, events: &Arc<Vec<SealedEvent>>) {
    let started = Instant::now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (journal, events) = (Arc::clone(journal), Arc::clone(events));
            tokio::spawn(async move {
                let source = SourceName::parse("shop").unwrap();
                let mut ticks = tokio::time::interval(Duration::from_millis(20));
                let mut times = Vec::new();
                for turn in 0..250 {
                    ticks.tick().await;
                    let dataset = dataset(700 + task);
                    let batch = events[turn * 100..turn * 100 + 100].iter();
                    let entries = batch.map(|event| entry(event, &dataset, &source)).collect();
                    let asked = Instant::now();
                    journal.append(entries).await.unwrap();
                    times.push(asked.elapsed());
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    let count = f64::from(TASKS) * 25_000.0;
    line(
        "append at half load",
        count,
        started.elapsed(),
        &percentiles(times),
    );
}

/// One client that waits for each answer: the price of a commit.
async fn one_by_one(journal: &Embedded, events: &[SealedEvent]) {
    let source = SourceName::parse("shop").unwrap();
    let dataset = dataset(8);
    let started = Instant::now();
    for event in &events[..3_000] {
        journal
            .append(vec![entry(event, &dataset, &source)])
            .await
            .unwrap();
    }
    line(
        "append, single events, one client",
        3_000.0,
        started.elapsed(),
        "",
    );
}

/// Appends and drains at once.
async fn steady(journal: &Arc<Embedded>, events: &Arc<Vec<SealedEvent>>) {
    let (is_over, drained) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let lane_task = {
        let (journal, is_over, drained) = (
            Arc::clone(journal),
            Arc::clone(&is_over),
            Arc::clone(&drained),
        );
        tokio::spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                for number in 500..520 {
                    let count = drain(&journal, &lane(number)).await;
                    drained.fetch_add(count as u64, Ordering::Relaxed);
                }
                tokio::task::yield_now().await;
            }
        })
    };
    let started = Instant::now();
    append(journal, events, 500, 20, 100).await;
    let elapsed = started.elapsed();
    let out = drained.load(Ordering::Relaxed);
    is_over.store(true, Ordering::Relaxed);
    lane_task.await.unwrap();
    let count = f64::from(EVENTS) * 20.0;
    line("steady, batches of 100, in", count, elapsed, "");
    line(
        "  out meanwhile",
        f64::from(u32::try_from(out).unwrap()),
        elapsed,
        "",
    );
}
