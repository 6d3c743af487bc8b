//! From a request to its answer, at every listener alike.

use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::response::Response;
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
        (self.watch).answered(door, status, id.as_str(), is_stopping);
        response
    }
}

/// What the router answers. A panic costs this request only: what it leaves behind is the state of this one
/// request, which is not used again.
///
/// # Errors
///
/// Why the router was not asked, or did not answer; the listener says it in its own words.
pub(crate) async fn answered(mut router: Router, request: Request) -> Result<Response, Problem> {
    if let Some(problem) = head::flaw(&request) {
        return Err(problem);
    }
    let answered = AssertUnwindSafe(router.call(request)).catch_unwind().await;
    match answered {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(never)) => match never {},
        Err(_) => Err(Problem::defect()),
    }
}
