//! From a request to its answer, at every listener alike.

use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::extract::Request;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use tower::Service as _;

use super::doors::Doors;
use super::head;
use super::problem::Problem;
use super::request_id::RequestId;
use super::stage::Stage;

impl Doors {
    /// Gives an answer its name, and counts it.
    pub(super) fn finish(
        &self,
        door: &'static str,
        id: &RequestId,
        mut response: Response,
    ) -> Response {
        let status = response.status().as_u16();
        let headers = response.headers_mut();
        let is_stopping = self.stages.has_reached(Stage::Draining);
        if is_stopping {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        headers.insert("x-request-id", id.0.clone());
        let now_ms = self.clock.unix_ms();
        (self.watch).answered(door, status, id.as_str(), is_stopping, now_ms);
        response
    }
}

/// What the router answers. A panic costs this request only: what it leaves behind is the state of this one
/// request, which is not used again.
pub(crate) async fn answered(mut router: Router, request: Request) -> Response {
    if let Some(problem) = head::flaw(&request) {
        return problem.into_response();
    }
    let answered = AssertUnwindSafe(router.call(request)).catch_unwind().await;
    match answered {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_) => defect().into_response(),
    }
}

/// A defect of ours. Nothing of it is shown.
fn defect() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "defect",
        "a defect in Sluice",
        "please report it, with the request id",
    )
}
