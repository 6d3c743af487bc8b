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
use super::problem::{CauseTold, Problem};
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
        let is_told = response.extensions_mut().remove::<CauseTold>().is_some();
        let headers = response.headers_mut();
        let is_stopping = self.stages.has_reached(Stage::Draining);
        if is_stopping {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        headers.insert("x-request-id", id.0.clone());
        (self.watch).answered(door, status, id.as_str(), is_told || is_stopping);
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

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use sluice_journal::JournalError;

    use super::*;
    use crate::door::body::BodyError;
    use crate::door::graph_problem::in_words_of;

    #[tokio::test]
    async fn a_journal_that_failed_is_no_warning_of_each_request_though_it_writes_again() {
        let folder = tempfile::tempdir().unwrap();
        let (doors, _stage) = Doors::for_tests(folder.path());
        let id = RequestId::of(&Request::new(Body::empty()), [0; 16]);
        let finish = |door, path, problem| {
            let response = doors.finish(door, &id, in_words_of(path, problem, &id));
            assert_eq!(response.status(), 503);
        };
        for (door, path) in [
            ("events", "/v1/events"),
            ("graph", "/v26.0/1234567890123456/events"),
            ("capi", "/capi/1234567890123456/events"),
        ] {
            // A smaller commit came through before the answer went out.
            doors.watch.kept(Some(&JournalError::Full));
            doors.watch.kept(None);
            finish(door, path, Problem::from(&JournalError::Full));
            assert!(!doors.watch.has_warned_of(door, 503), "{door}");
            // What has another cause is told, also while the journal fails.
            doors.watch.kept(Some(&JournalError::Full));
            finish(door, path, BodyError::NoRoom.into());
            assert!(doors.watch.has_warned_of(door, 503), "{door}");
        }
    }

    #[tokio::test]
    async fn a_stop_is_no_warning_of_each_request() {
        let folder = tempfile::tempdir().unwrap();
        let (doors, stage) = Doors::for_tests(folder.path());
        let id = RequestId::of(&Request::new(Body::empty()), [0; 16]);
        stage.send_replace(Stage::Refusing);
        let response = in_words_of("/v1/events", Problem::stopping(), &id);
        doors.finish("events", &id, response);
        assert!(!doors.watch.has_warned_of("events", 503));
    }
}
