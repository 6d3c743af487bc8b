//! Laws of several programs that use one store.

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Waker};

use super::{ADD, COUNT, Fresh, INSERT, all, at_once, count};
use crate::{Sql, Statement, StoreError, Tables};

/// Takes a while.
const WHILE: Sql<0> = Sql::new(
    "while",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT count(*) FROM n",
);
const SET: Sql<2> = Sql::new("set", "UPDATE law_count SET n = $2 WHERE key = $1");

fn add(key: &str) -> Statement {
    ADD.with([key.into(), 1.into()])
}

pub(super) async fn a_read_sees_one_state(place: &Fresh) {
    let (writer, reader) = (place.law().await, place.law().await);
    writer.write(vec![add("a"), add("b")]).await.unwrap();
    let write = async move {
        for _ in 0..100 {
            writer.write(vec![add("a"), add("b")]).await.unwrap();
        }
    };
    let writing = tokio::spawn(write);
    while !writing.is_finished() {
        let both = vec![
            COUNT.with(["a".into()]),
            WHILE.with([]),
            COUNT.with(["b".into()]),
        ];
        let found = reader.read(both).await.unwrap();
        let number = |index: usize| found[index].rows[0].get::<i64>(0).unwrap();
        assert_eq!(number(0), number(2));
    }
    writing.await.unwrap();
    assert_eq!(count(&reader, "a").await, Some(101));
}

async fn write_twenty(tables: Tables) {
    for _ in 0..20 {
        tables.write(vec![add("a")]).await.unwrap();
    }
}

/// Reads a count and writes the next one.
async fn change_twenty(tables: Tables) {
    for _ in 0..20 {
        let read = vec![COUNT.with(["a".into()])];
        let next = |found: Vec<crate::Outcome>| {
            let n = found[0].rows[0].get::<i64>(0).unwrap() + 1;
            (n, vec![SET.with(["a".into(), n.into()])])
        };
        let (n, done) = tables.change(read, next).await.unwrap();
        assert_eq!(done[0].changed, 1);
        assert!(n > 1);
    }
}

pub(super) async fn counters_are_exact(place: &Fresh) {
    let (one, other) = (place.law().await, place.law().await);
    at_once((0..8).map(|task| {
        let tables = if task % 2 == 0 {
            one.clone()
        } else {
            other.clone()
        };
        write_twenty(tables)
    }))
    .await;
    assert_eq!(count(&one, "a").await, Some(160));
}

pub(super) async fn changes_follow_each_other(place: &Fresh) {
    let (one, other) = (place.law().await, place.law().await);
    one.write(vec![add("a")]).await.unwrap();
    let writing = tokio::spawn(write_twenty(one.clone()));
    at_once((0..6).map(|task| {
        let tables = if task % 2 == 0 {
            one.clone()
        } else {
            other.clone()
        };
        change_twenty(tables)
    }))
    .await;
    writing.await.unwrap();
    assert_eq!(count(&one, "a").await, Some(141));
}

pub(super) async fn opposite_orders_all_succeed(place: &Fresh) {
    let (one, other) = (place.law().await, place.law().await);
    let keys: Vec<String> = (0..100).map(|key| format!("key {key}")).collect();
    let up: Vec<_> = keys.iter().map(|key| add(key)).collect();
    let down: Vec<_> = up.iter().rev().cloned().collect();
    at_once(
        [(one.clone(), up), (other, down)].map(|(tables, statements)| async move {
            for _ in 0..5 {
                tables.write(statements.clone()).await.unwrap();
            }
        }),
    )
    .await;
    assert_eq!(all(&one).await, (100, 1_000));
}

pub(super) async fn a_dropped_call_holds_nothing(place: &Fresh) {
    let (one, other) = (place.law().await, place.law().await);
    let insert = || vec![INSERT.with(["a".into(), 1.into()])];
    for _ in 0..20 {
        {
            // It is on its way when its caller goes.
            let mut call = pin!(one.change(insert(), |_| ((), vec![add("b")])));
            let _begun = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        other.write(vec![add("c")]).await.unwrap();
        one.write(vec![add("c")]).await.unwrap();
    }
    assert_eq!(count(&one, "c").await, Some(40));
    // Each was done wholly or not at all.
    assert_eq!(count(&one, "a").await, count(&one, "b").await);
}

pub(super) async fn a_closed_store_is_closed_for_all(place: &Fresh) {
    let (store, other) = (place.open().await, place.law().await);
    let tables = store.tables(super::LAW).await.unwrap();
    tables.write(vec![add("a")]).await.unwrap();
    store.close().await;
    store.close().await;
    let write = tables.write(vec![add("a")]).await;
    assert!(
        matches!(write, Err(StoreError::Unavailable(_))),
        "{write:?}"
    );
    let read = tables.read(vec![COUNT.with(["a".into()])]).await;
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    assert_eq!(count(&other, "a").await, Some(1));
}
