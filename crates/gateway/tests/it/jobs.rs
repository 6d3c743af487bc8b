//! What happens by the clock, and its history beside the journal.

use std::time::Duration;

use sluice_gateway::jobs::{Came, History, Run};

use crate::client::request;
use crate::harness::{TestGateway, start};

const HOUR: Duration = Duration::from_hours(1);

/// The runs of a job that are over, the newest first.
async fn runs(test: &TestGateway, job: &str) -> Vec<Run> {
    let history = History::look(&test.journal()).await.unwrap();
    let history = history.expect("a file with the history");
    let runs = history.runs(Some(job), 10).await.unwrap();
    runs.into_iter()
        .filter(|run| run.ended_ms.is_some())
        .collect()
}

/// Waits until a job of the running gateway has done its work so often.
async fn done(test: &TestGateway, job: &str, times: u64) {
    let series = format!("sluice_job_runs_total{{job=\"{job}\",result=\"done\"}}");
    for _ in 0..500 {
        if test.metric(&series).await == times {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{job} did not come to {times} runs in time");
}

/// Why the history cannot be kept, as the admin listener's `/readyz` says.
async fn failing(test: &TestGateway) -> Option<String> {
    let ready = request(test.admin(), "GET", "/readyz", &[], b"").await;
    ready.json()["records"]["failing"]
        .as_str()
        .map(str::to_owned)
}

/// Ends the gateway and makes the history useless with a statement.
async fn spoil(test: &mut TestGateway, sql: &str) {
    test.stop().await;
    let records = rusqlite::Connection::open(test.journal().join("records.db")).unwrap();
    records.execute_batch(sql).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_run_by_the_clock_and_leave_a_history() {
    let mut test = start().await;
    done(&test, "retention", 1).await;
    done(&test, "versions", 1).await;
    assert_eq!(failing(&test).await, None);
    // Retention is due by its last run, whichever process that was in.
    test.restart().await;
    done(&test, "versions", 1).await;
    assert_eq!(runs(&test, "retention").await.len(), 1);
    test.clock.jump(HOUR);
    done(&test, "retention", 1).await;
    test.stop().await;
    let runs = runs(&test, "retention").await;
    let [second, first] = &runs[..] else {
        panic!("{runs:?}")
    };
    assert_eq!((first.came, second.came), (Came::Done, Came::Done));
    let apart_ms = second.started_ms - first.started_ms;
    assert!(apart_ms >= 3_600_000, "{apart_ms}");
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_without_a_history_does_its_work() {
    for (sql, said) in [
        (
            "INSERT INTO store_step (owner, step, checksum) VALUES ('jobs', 2, '')",
            "made by a newer version of Sluice",
        ),
        (
            "PRAGMA application_id = 7",
            "the database of another program",
        ),
    ] {
        let mut test = start().await;
        done(&test, "retention", 1).await;
        spoil(&mut test, sql).await;
        test.restart().await;
        test.post(&test.purchase("order-1")).await;
        test.arrived(1).await;
        done(&test, "retention", 1).await;
        let why = failing(&test).await.unwrap();
        assert!(why.contains(said), "{why}");
        assert_eq!(test.metric("sluice_records_failing").await, 1);
        test.finish().await;
    }
}
