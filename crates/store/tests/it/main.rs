//! The laws, and what is each database's own.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that fails is a panic"
)]

mod postgres;
mod sqlite;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sluice_store::testing::{Database, Op, upserts_are_a_map};

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0_u8..6, 0_i64..100).prop_map(|(key, n)| Op::Insert(key, n)),
        (0_u8..6, 0_i64..100).prop_map(|(key, n)| Op::Add(key, n)),
        (0_u8..6).prop_map(Op::Delete),
    ]
}

/// Tries the model with writes that are made up.
fn hold_against_a_map(database: &Database, runtime: &tokio::runtime::Runtime) {
    let writes = prop::collection::vec(prop::collection::vec(op(), 0..6), 1..8);
    let mut runner = TestRunner::new(Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    });
    let tried = runner.run(&writes, |writes| {
        runtime.block_on(upserts_are_a_map(&database.fresh(), &writes));
        Ok(())
    });
    tried.unwrap();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}
