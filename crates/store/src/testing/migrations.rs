//! Laws of steps.

use super::{Fresh, at_once};
use crate::{Owner, Sql, Store, StoreError, Value};

const STEPS: [&str; 3] = [
    "CREATE TABLE ours_order (id {id}, name {text} NOT NULL) {strict};
     CREATE INDEX ours_order_name ON ours_order (name);",
    "ALTER TABLE ours_order ADD COLUMN money {integer}",
    "INSERT INTO ours_order (name, money) VALUES ('from step 3', 3)",
];

const OTHER: Owner = Owner {
    name: "other",
    steps: &["CREATE TABLE other_visit (id {integer} PRIMARY KEY, raw {bytes} NOT NULL) {strict}"],
};

/// A program that knows this many steps.
fn ours(known: usize) -> Owner {
    Owner {
        name: "ours",
        steps: &STEPS[..known],
    }
}

const NAMES: Sql<0> = Sql::new("names", "SELECT name, money FROM ours_order ORDER BY id");

/// The names of all rows, when the tables are of the newest form.
async fn names(store: &Store) -> Vec<String> {
    let tables = store.tables(ours(3)).await.unwrap();
    let found = tables.read(vec![NAMES.with([])]).await.unwrap();
    let names = found[0].rows.iter().map(|row| row.get(0).unwrap());
    names.collect()
}

pub(super) async fn owners_come_in_any_order(place: &Fresh) {
    const ORDER: Sql<1> = Sql::new("order", "INSERT INTO ours_order (name) VALUES ($1)");
    let store = place.open().await;
    let first = store.tables(ours(1)).await.unwrap();
    first
        .write(vec![ORDER.with(["from step 1".into()])])
        .await
        .unwrap();
    store.tables(OTHER).await.unwrap();
    let again = place.open().await;
    again.tables(ours(2)).await.unwrap();
    again.tables(OTHER).await.unwrap();
    assert_eq!(names(&store).await, ["from step 1", "from step 3"]);
    assert_eq!(names(&again).await, ["from step 1", "from step 3"]);
}

pub(super) async fn many_programs_start_at_once(place: &Fresh) {
    let mut starts = Vec::new();
    for _ in 0..6 {
        let store = place.open().await;
        starts.push(async move {
            assert_eq!(names(&store).await, ["from step 3"]);
            store.tables(OTHER).await.unwrap();
        });
    }
    at_once(starts).await;
}

pub(super) async fn newer_and_edited_tables_are_refused(place: &Fresh) {
    const EDITED: Owner = Owner {
        name: "ours",
        steps: &["CREATE TABLE ours_order (id {id}) {strict}"],
    };
    let store = place.open().await;
    let older = store.tables(ours(2)).await.unwrap();
    store.tables(ours(3)).await.unwrap();
    let error = store.tables(ours(2)).await.err().unwrap();
    assert!(
        matches!(&error, StoreError::Refused(why) if why.contains("newer version")),
        "{error}"
    );
    let error = store.tables(EDITED).await.err().unwrap();
    assert!(
        matches!(&error, StoreError::Refused(why) if why.contains("newer version")),
        "{error}"
    );
    // A program that is running goes on.
    assert_eq!(
        older.read(vec![NAMES.with([])]).await.unwrap()[0]
            .rows
            .len(),
        1
    );

    let error = store
        .tables(Owner {
            name: "other",
            steps: &["CREATE TABLE other_visit (id {id}) {strict}"],
        })
        .await;
    assert!(error.is_ok());
    let error = store.tables(OTHER).await.err().unwrap();
    assert!(
        matches!(&error, StoreError::Refused(why) if why.contains("step 1")),
        "{error}"
    );
}

pub(super) async fn a_step_that_fails_leaves_nothing(place: &Fresh) {
    const TRIED: Owner = Owner {
        name: "tried",
        steps: &[
            "CREATE TABLE tried_a (id {id}) {strict}",
            "CREATE TABEL tried_b (id {id}) {strict}",
        ],
    };
    const MENDED: Owner = Owner {
        name: "tried",
        steps: &["CREATE TABLE tried_a (id {integer} PRIMARY KEY, name {text}) {strict}"],
    };
    const PUT: Sql<2> = Sql::new("put", "INSERT INTO tried_a (id, name) VALUES ($1, $2)");
    let store = place.open().await;
    let error = store.tables(TRIED).await.err().unwrap();
    assert!(matches!(error, StoreError::Broken(_)), "{error}");
    let tables = store.tables(MENDED).await.unwrap();
    tables
        .write(vec![PUT.with([1.into(), Value::Null])])
        .await
        .unwrap();
}
