//! `POST /capi/{dataset}/events`: the door of Meta's own gateway. Its clients, Meta's PHP and Java SDKs,
//! send `accessKey` beside `data`, and take 202 and nothing else for success.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::{Doors, RequestId, graph};

/// Takes events as Meta's gateway does.
pub(crate) async fn post(
    State(doors): State<Arc<Doors>>,
    Path(dataset): Path<String>,
    RawQuery(query): RawQuery,
    axum::Extension(id): axum::Extension<RequestId>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let query = query.unwrap_or_default();
    match graph::take(&doors, &dataset, &query, &headers, body).await {
        Ok(_) => StatusCode::ACCEPTED.into_response(),
        Err(problem) => problem.answer(&id),
    }
}
