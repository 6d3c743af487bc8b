//! Doors for those who run the gateway: is it alive, can it take events, how is it doing.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::problem::Problem;
use super::{Doors, Stage};
use crate::lane_state::LaneState;
use crate::watch::LaneReport;

/// `GET /healthz`: the process answers.
pub(crate) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: events can be taken, and how the lanes are doing. A parked lane does not make the
/// gateway unready: events are safe on disk.
pub(crate) async fn ready(State(doors): State<Arc<Doors>>) -> Result<Response, Problem> {
    if doors.stages.has_reached(Stage::Draining) {
        return Err(Problem::stopping());
    }
    if let Some(error) = doors.journal.health().is_failing {
        return Err((&error).into());
    }
    let reports = doors.watch.reports();
    let lanes = doors.lanes().into_iter().map(|(id, waiting)| {
        let report = reports.get(&id);
        let (state, reason) = match report.map(|report| &report.state) {
            None | Some(LaneState::Flowing) => ("flowing", None),
            Some(LaneState::Throttled { reason, .. }) => ("throttled", Some(reason)),
            Some(LaneState::Parked { reason, .. }) => ("parked", Some(reason)),
        };
        json!({
            "dataset": id.dataset.as_str(),
            "test_code": id.test_code.as_ref().map(|code| code.as_str().to_owned()),
            "state": state,
            "reason": reason,
            "waiting": waiting.ready + waiting.leased,
            "held": report.map_or(0, |report| report.held),
            "held_keys": report.map_or(Vec::new(), held_keys),
            "first_expiry": waiting.first_expiry_s,
        })
    });
    let lanes: Vec<_> = lanes.collect();
    Ok(Json(json!({ "ready": true, "lanes": lanes })).into_response())
}

/// The first few of those that stand back; `sluice dead show` takes them.
fn held_keys(report: &LaneReport) -> Vec<i64> {
    report.held_first.iter().map(|key| key.0).collect()
}

/// `GET /metrics`: for Prometheus.
pub(crate) async fn metrics(State(doors): State<Arc<Doors>>) -> Response {
    let (lanes, health) = (doors.lanes(), doors.journal.health());
    let text = doors
        .watch
        .exposition(&lanes, &health, doors.clock.unix_ms());
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, content_type)], text).into_response()
}
