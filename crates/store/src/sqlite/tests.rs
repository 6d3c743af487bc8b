//! Calls whose callers go.

use std::sync::mpsc;

use tempfile::TempDir;
use tokio::time::timeout;

use super::*;
use crate::Sql;

const LONG: Duration = Duration::from_mins(10);

const SHOP: Owner = Owner {
    name: "shop",
    steps: &["CREATE TABLE shop_order (n {integer} NOT NULL) {strict}"],
};
const ADD: Sql<1> = Sql::new("add", "INSERT INTO shop_order (n) VALUES ($1)");
const ALL: Sql<0> = Sql::new("all", "SELECT n FROM shop_order ORDER BY n");
const ENDLESS: Sql<0> = Sql::new(
    "endless",
    "INSERT INTO shop_order (n)
     WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT count(*) FROM n",
);

/// A store with the tables of a shop.
async fn shop(folder: &TempDir, answer_max: Duration) -> Arc<Sqlite> {
    let sqlite = Sqlite::open(folder.path(), answer_max).unwrap();
    sqlite.migrate(SHOP).await.unwrap();
    Arc::new(sqlite)
}

async fn all(sqlite: &Sqlite) -> Vec<i64> {
    let found = sqlite.read("shop", vec![ALL.with([])]).await.unwrap();
    let rows = found[0].rows.iter();
    rows.map(|row| row.get(0).unwrap()).collect()
}

/// A call that has begun on the writer, and decides `then` when the gate is opened.
async fn begun(
    sqlite: &Arc<Sqlite>,
    then: Vec<Statement>,
) -> (tokio::task::JoinHandle<()>, mpsc::Sender<()>) {
    let (open, gate) = mpsc::channel();
    let (begun, mut has_begun) = tokio::sync::mpsc::unbounded_channel();
    let sqlite = Arc::clone(sqlite);
    let call = tokio::spawn(async move {
        let decide = move |_| {
            begun.send(()).unwrap();
            gate.recv().unwrap();
            ((), then.clone())
        };
        sqlite.change("shop", Vec::new(), decide).await.unwrap();
    });
    has_begun.recv().await.unwrap();
    (call, open)
}

#[tokio::test]
async fn a_call_that_waits_too_long_ends_no_other() {
    // Takes longer than a call may, as a migration is allowed to.
    const OTHER: Owner = Owner {
        name: "other",
        steps: &["CREATE TABLE other_count (n {integer} NOT NULL) {strict};
             INSERT INTO other_count (n)
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
             SELECT count(*) FROM n"],
    };
    let folder = TempDir::new().unwrap();
    let sqlite = shop(&folder, Duration::from_millis(100)).await;
    let (migrated, written) = tokio::join!(
        biased;
        sqlite.migrate(OTHER),
        sqlite.write("shop", vec![ADD.with([1.into()])]),
    );
    assert!(
        matches!(written, Err(StoreError::Unavailable(_))),
        "{written:?}"
    );
    migrated.unwrap();
}

#[tokio::test]
async fn a_call_whose_caller_has_gone_is_not_begun() {
    let folder = TempDir::new().unwrap();
    let sqlite = shop(&folder, LONG).await;
    let (before, open) = begun(&sqlite, vec![ADD.with([1.into()])]).await;
    {
        // It waits behind the one that has begun.
        let gone = sqlite.write("shop", vec![ADD.with([2.into()])]);
        assert!(timeout(Duration::ZERO, gone).await.is_err());
    }
    open.send(()).unwrap();
    before.await.unwrap();
    sqlite
        .write("shop", vec![ADD.with([3.into()])])
        .await
        .unwrap();
    assert_eq!(all(&sqlite).await, [1, 3]);
}

#[tokio::test]
async fn a_call_whose_caller_goes_keeps_the_writer_from_nobody() {
    let folder = TempDir::new().unwrap();
    let sqlite = shop(&folder, LONG).await;
    let (endless, open) = begun(&sqlite, vec![ENDLESS.with([])]).await;
    open.send(()).unwrap();
    endless.abort();
    // One of the same commit may be told that the other could not be finished.
    let mut written = sqlite.write("shop", vec![ADD.with([1.into()])]).await;
    if let Err(StoreError::Unavailable(_)) = written {
        written = sqlite.write("shop", vec![ADD.with([1.into()])]).await;
    }
    written.unwrap();
    assert_eq!(all(&sqlite).await, [1]);
}

/// An interrupt that comes between two statements ends neither.
#[test]
fn a_read_whose_caller_goes_ends_at_any_moment() {
    const ONE: Sql<0> = Sql::new("one", "SELECT 1");
    const ENDLESS: Sql<0> = Sql::new(
        "endless",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT count(*) FROM n",
    );
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let ended = runtime.block_on(async {
        let folder = TempDir::new().unwrap();
        let sqlite = shop(&folder, LONG).await;
        for moment in 0..40 {
            let mut statements = vec![ONE.with([]); 5_000];
            statements.push(ENDLESS.with([]));
            let read = sqlite.read("shop", statements);
            assert!(
                timeout(Duration::from_millis(moment % 8), read)
                    .await
                    .is_err()
            );
        }
        // Each read that runs holds them.
        let all_ended = async {
            while Arc::strong_count(&sqlite.readers) > 1 {
                tokio::task::yield_now().await;
            }
            all(&sqlite).await
        };
        timeout(Duration::from_mins(1), all_ended).await
    });
    // One that is read for ever would keep the test from its end.
    runtime.shutdown_background();
    assert_eq!(ended.unwrap(), []);
}
