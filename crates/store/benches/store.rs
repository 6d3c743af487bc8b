//! What the store does in a second, beside SQLite without it.
//!
//! `cargo bench -p sluice-store` prints a table. Every commit is synced, so the figures say as much about the disk as
//! about the code: compare lines of one run.

#![allow(missing_docs, reason = "a benchmark has no public items to speak of")]
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a benchmark measures time and prints it, and its input is fixed"
)]

use std::time::Instant;

use rusqlite::Connection;
use sluice_store::{Owner, Place, Sql, Statement, Store, Tables};
use tempfile::TempDir;

/// Upserts of each line.
const UPSERTS: i64 = 20_000;

/// Keys that they go to, in an order that jumps.
const KEYS: i64 = 5_000;

const OWNER: Owner = Owner {
    name: "bench",
    steps: &[
        "CREATE TABLE bench_count (key {text} PRIMARY KEY, n {integer} NOT NULL, note {bytes} NOT NULL) {strict}",
    ],
};

const TEXT: &str = "INSERT INTO bench_count AS c (key, n, note) VALUES ($1, $2, $3) \
     ON CONFLICT (key) DO UPDATE SET n = c.n + excluded.n, note = excluded.note";
const ADD: Sql<3> = Sql::new("add", TEXT);

fn key(number: i64) -> String {
    format!("a key of about thirty bytes {:05}", number * 7_919 % KEYS)
}

fn add(number: i64) -> Statement {
    ADD.with([key(number).into(), 1.into(), [7_u8; 32].as_slice().into()])
}

/// Prints a line: upserts a second, and that of the first line.
fn tell(what: &str, started: Instant, first: &mut Option<f64>) {
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    let rate = UPSERTS as f64 / started.elapsed().as_secs_f64();
    let ratio = rate / *first.get_or_insert(rate);
    println!("| {what} | {rate:.0} | {ratio:.2} |");
}

/// SQLite alone, with the settings of the store.
fn raw(together: i64) {
    let folder = TempDir::new().unwrap();
    let conn = Connection::open(folder.path().join("raw.db")).unwrap();
    conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))
        .unwrap();
    conn.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;
         CREATE TABLE bench_count (key TEXT PRIMARY KEY, n INTEGER NOT NULL, note BLOB NOT NULL) STRICT",
    )
    .unwrap();
    for first in (0..UPSERTS).step_by(usize::try_from(together).unwrap()) {
        conn.execute_batch("BEGIN IMMEDIATE").unwrap();
        for number in first..UPSERTS.min(first + together) {
            let mut statement = conn.prepare_cached(TEXT).unwrap();
            statement.execute((key(number), 1, [7_u8; 32])).unwrap();
        }
        conn.execute_batch("COMMIT").unwrap();
    }
}

/// The store, with so many calls at the same time, each with so many upserts.
async fn stored(tables: &Tables, tasks: i64, together: i64) {
    let each = UPSERTS / tasks;
    let running = (0..tasks).map(|task| {
        let tables = tables.clone();
        tokio::spawn(async move {
            for first in
                (task * each..(task + 1) * each).step_by(usize::try_from(together).unwrap())
            {
                let statements = (first..first + together).map(add).collect();
                tables.write(statements).await.unwrap();
            }
        })
    });
    for task in running.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    println!("| {UPSERTS} upserts | a second | of the first line |\n|---|---|---|");
    let mut first = None;
    let started = Instant::now();
    raw(1);
    tell("SQLite alone, each a commit", started, &mut first);
    let started = Instant::now();
    raw(1_000);
    tell("SQLite alone, 1,000 a commit", started, &mut first);
    for (what, tasks, together) in [
        ("store, one caller", 1, 1),
        ("store, 16 callers", 16, 1),
        ("store, 100 callers", 100, 1),
        ("store, one caller, 1,000 a write", 1, 1_000),
    ] {
        let folder = TempDir::new().unwrap();
        let store = Store::open(Place::Folder(folder.path())).await.unwrap();
        let tables = store.tables(OWNER).await.unwrap();
        let started = Instant::now();
        stored(&tables, tasks, together).await;
        tell(what, started, &mut first);
    }
}
