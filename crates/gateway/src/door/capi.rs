//! `POST /capi/{dataset}/events`: the door of Meta's own gateway. Its clients, Meta's PHP and Java SDKs,
//! send `accessKey` beside `data`, and take 202 and nothing else for success. The body they do not read; it is that
//! of the Graph API, for people who look at it.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::doors::Doors;
use super::graph;
use super::request_id::RequestId;

/// Takes events as Meta's gateway does.
pub(crate) async fn post(
    State(doors): State<Arc<Doors>>,
    path: Result<Path<String>, PathRejection>,
    axum::Extension(id): axum::Extension<RequestId>,
    request: Request,
) -> Response {
    let dataset = path.map_or_else(graph::not_text, |Path(dataset)| dataset);
    match graph::take(&doors, &dataset, request, &id).await {
        Ok(outcome) => (StatusCode::ACCEPTED, graph::success(&outcome, &id)).into_response(),
        Err(problem) => problem.answer(&id),
    }
}
