//! Pages for those who run the gateway: is it alive, can it take events, how is it doing.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use sluice_journal::JournalError;

use super::doors::Doors;
use super::line::Line;
use super::problem::Problem;
use super::stage::Stage;
use crate::board::{LaneReport, Row};
use crate::clock::seconds;
use crate::doubt::Doubt;
use crate::lane_state::LaneState;
use crate::watch::Format;

/// `GET /healthz`: the process answers, and could keep an event.
///
/// A journal whose writer has ended outside a stop comes back with a new process only.
pub(crate) async fn alive(State(doors): State<Arc<Doors>>) -> Result<&'static str, Problem> {
    let is_gone = matches!(
        doors.journal.health().is_failing,
        Some(JournalError::Closed)
    );
    if is_gone && !doors.stages.has_reached(Stage::Refusing) {
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "journal_gone",
            "a defect in Sluice ended the journal's writer",
            "start the gateway again, and report what its log says",
        )
        .of_told_cause());
    }
    Ok("ok\n")
}

/// `GET /readyz` at the doors: whether events can be taken, and no more, because clients can ask.
pub(crate) async fn ready(State(doors): State<Arc<Doors>>) -> Result<Response, Problem> {
    takes_events(&doors)?;
    Ok(Line(json!({ "ready": true })).into_response())
}

/// Why no events can be taken. A parked lane is no reason: events are safe on disk.
fn takes_events(doors: &Doors) -> Result<(), Problem> {
    if doors.stages.has_reached(Stage::Draining) {
        return Err(Problem::stopping());
    }
    match doors.journal.health().is_failing {
        Some(error) => Err((&error).into()),
        None => Ok(()),
    }
}

/// `GET /readyz` at the admin listener: the same, and how the lanes are doing.
pub(crate) async fn lanes(State(doors): State<Arc<Doors>>) -> Result<Response, Problem> {
    takes_events(&doors)?;
    let rows = doors.board.rows();
    // A lane of a test code stays until the next start. Once it is empty, there is nothing to say about it.
    let lanes = doors.lanes().into_iter().filter(|(id, waiting)| {
        let report = rows.get(id).map(|row| &row.report);
        let is_flowing = report.is_none_or(|it| matches!(it.state, LaneState::Flowing));
        id.test_code.is_none() || waiting.events() > 0 || !is_flowing
    });
    let lanes = lanes.map(|(id, waiting)| {
        let row = rows.get(&id);
        let report = row.map(|row| &row.report);
        let state = report.map(|report| &report.state);
        json!({
            "dataset": id.dataset.as_str(),
            "test_code": id.test_code.as_ref().map(|code| code.as_str().to_owned()),
            "replay": id.is_replay,
            "state": state.map_or("flowing", LaneState::name),
            "reason": state.and_then(LaneState::reason),
            "since": row.map(since_s),
            "waiting": waiting.events(),
            "held": report.map_or(0, |report| report.held),
            "held_keys": report.map_or(Vec::new(), held_keys),
            "first_expiry": waiting.first_expiry_s,
        })
    });
    let lanes: Vec<_> = lanes.collect();
    let clock = json!({
        "doubt": doors.clock.doubt().map(Doubt::name),
        "ahead_seconds": doors.watch.clock_ahead_s(),
    });
    let records = json!({ "failing": doors.watch.records_failing() });
    let page = json!({ "ready": true, "clock": clock, "lanes": lanes, "records": records });
    Ok(Line(page).into_response())
}

/// Since when a lane is in its state, in Unix seconds.
fn since_s(row: &Row) -> i64 {
    seconds(row.since_ms)
}

/// The first few of those that stand back; `sluice dead show` takes them.
fn held_keys(report: &LaneReport) -> Vec<i64> {
    report.held_first.iter().map(|key| key.0).collect()
}

/// `GET /metrics` at the admin listener: for Prometheus, in the format that it asks for.
pub(crate) async fn metrics(
    State(doors): State<Arc<Doors>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    let format = Format::wanted(accept.unwrap_or_default());
    let shown = tokio::task::spawn_blocking(move || {
        let (lanes, health) = (doors.lanes(), doors.journal.health());
        let rows = doors.board.rows();
        let (watch, config) = (&doors.watch, &doors.now().config);
        watch.exposition(config, &lanes, &rows, &health, format)
    });
    let text = shown.await.map_err(|_| Problem::defect())?;
    Ok(([(CONTENT_TYPE, format.content_type())], text).into_response())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_journal_that_ended_outside_a_stop_is_no_health() {
        let folder = tempfile::tempdir().unwrap();
        let (doors, stage) = Doors::for_tests(folder.path());
        let health = || alive(State(Arc::clone(&doors)));
        assert_eq!(health().await.unwrap(), "ok\n");

        doors.journal.close().await.unwrap();
        // Its thread says so when it has ended.
        let ended = async {
            while health().await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let came = tokio::time::timeout(Duration::from_secs(30), ended).await;
        assert!(came.is_ok(), "a process without a journal is not well");
        let problem = health().await.unwrap_err();
        assert_eq!(problem.code, "journal_gone");
        assert_eq!(problem.status, StatusCode::SERVICE_UNAVAILABLE);

        stage.send_replace(Stage::Refusing);
        assert!(health().await.is_ok(), "a stop closes it");
    }
}
