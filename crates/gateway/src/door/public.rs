//! The doors and the ways to them, as the listeners at `server.listen` serve them.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use axum::routing::{any, get, post};

use super::answer::answered;
use super::doors::Doors;
use super::graph_problem::{GraphProblem, in_words_of};
use super::pace::Client;
use super::paths::{door_name, is_of_the_graph_api, no_door, takes_events};
use super::peers::Entered;
use super::problem::Problem;
use super::request_id::RequestId;
use super::server::{Service, Timeouts};
use super::stage::Stage;
use super::{capi, events, graph, health};

/// Every way in.
fn router(doors: Arc<Doors>) -> Router {
    Router::new()
        .route("/v1/events", post(events::post))
        .route("/v1/events/", post(events::post))
        .route("/capi/{dataset}/events", post(capi::post))
        .route("/capi/{dataset}/events/", post(capi::post))
        .route("/{version}/{dataset}/events", post(graph::post))
        .route("/{version}/{dataset}/events/", post(graph::post))
        .route("/{dataset}/events", post(graph::post_unversioned))
        .route("/{dataset}/events/", post(graph::post_unversioned))
        .route("/{version}/debug_token", get(graph::debug_token))
        .route("/{version}/{node}/instruments", any(unknown_path))
        .route("/healthz", get(health::alive))
        .route("/hub/health", get(health::alive))
        .route("/hub/health/", get(health::alive))
        .route("/readyz", get(health::ready))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .with_state(doors)
}

/// The doors and the ways to them, as a listener serves them.
pub(crate) struct Public {
    doors: Arc<Doors>,
    router: Router,
}

impl Public {
    pub(crate) fn new(doors: Arc<Doors>) -> Self {
        let router = router(Arc::clone(&doors));
        Self { doors, router }
    }
}

impl Service for Public {
    async fn answer(&self, mut request: Request) -> Response {
        let client = self.doors.client_of(&request);
        if let Some(client) = client {
            request.extensions_mut().insert(client);
        }
        let response = self.doors.answer(self.router.clone(), request).await;
        if let Some(client) = client
            && response.status() == StatusCode::UNAUTHORIZED
        {
            self.doors.wrong_key(client).await;
        }
        response
    }

    fn timeouts(&self) -> Timeouts {
        self.doors.timeouts()
    }

    fn enter(&self, address: IpAddr) -> Option<Entered> {
        let entered = self.doors.peers.enter(address);
        if entered.is_none() {
            self.doors.watch.address_has_too_many(address);
        }
        entered
    }

    fn is_full(&self) {
        self.doors.watch.is_full();
    }

    fn connections(&self, change: i64) {
        self.doors.watch.connections(change);
    }
}

impl Doors {
    /// Answers a request: gives it a name, sees to it that a defect costs this request only, and counts.
    async fn answer(&self, router: Router, mut request: Request) -> Response {
        let id = RequestId::of(&request, self.clock.chance());
        let door = door_name(request.uri().path());
        // Before the stage is looked at: a request that is not refused is waited for.
        let _running = self.running.token();
        let is_refused = door != "operations" && self.stages.has_reached(Stage::Refusing);
        let uri = request.uri().clone();
        let client = request.extensions().get::<Client>().copied();
        let is_let_in = match client.filter(|_| takes_events(door)) {
            Some(client) => self.admit_unknown(client, &request),
            None => Ok(()),
        };
        let answered = if is_refused {
            Err(Problem::stopping())
        } else if let Err(problem) = is_let_in {
            self.request_refused(None, problem.code);
            Err(problem)
        } else {
            request.extensions_mut().insert(id.clone());
            answered(router, request).await
        };
        let response = answered.unwrap_or_else(|problem| in_words_of(uri.path(), problem, &id));
        self.finish(door, &id, response)
    }
}

/// Nothing is at this path. What is asked of the Graph API besides events, such as crash reports of SDKs, is answered
/// as Meta answers what it does not know, and goes nowhere.
async fn unknown_path(uri: Uri, axum::Extension(id): axum::Extension<RequestId>) -> Response {
    nothing_at(uri.path(), &id)
}

/// The answer where there is no door, in the words of whoever asks there.
pub(super) fn nothing_at(path: &str, id: &RequestId) -> Response {
    if is_of_the_graph_api(path) {
        GraphProblem::unknown_path().answer(id)
    } else {
        in_words_of(path, no_door(path), id)
    }
}

/// Something is at this path, but not for this method.
async fn wrong_method(uri: Uri, axum::Extension(id): axum::Extension<RequestId>) -> Response {
    let help = match door_name(uri.path()) {
        _ if is_of_the_graph_api(uri.path()) => return nothing_at(uri.path(), &id),
        "events" | "capi" => "send events with POST",
        "operations" => "use GET or HEAD",
        _ => return nothing_at(uri.path(), &id),
    };
    in_words_of(uri.path(), Problem::method(help), &id)
}
