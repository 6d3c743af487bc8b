//! Doors: the ways in over HTTP. A door knows who may come in and how its clients speak; what an event
//! is, it leaves to the event crate, and what becomes of it to the journal.

mod auth;
mod body;
mod capi;
mod descriptors;
mod discard;
mod events;
mod form;
mod graph;
mod health;
mod intake;
mod problem;
mod server;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use futures_util::FutureExt as _;
use sluice_event::DatasetId;
use sluice_journal::{Journal, LaneId, Waiting};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::Service as _;

use crate::clock::SharedClock;
use crate::config::{Config, TestEventCode};
use crate::roster::Keys;
use crate::watch::Watch;
use body::{BodyLimits, Room};
use problem::Problem;
pub(crate) use server::{Listener, serve};

/// Bytes that all bodies together may hold in memory.
const ROOM_BYTES: usize = 192 * 1024 * 1024;

/// What those of them may hold whose callers are not known before the body is read: half of it.
const STRANGERS_PART: usize = 2;

/// How much a request may bring.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    body: BodyLimits,
    events_per_request_max: usize,
}

/// What all doors share.
pub(crate) struct Doors {
    journal: Arc<dyn Journal>,
    clock: SharedClock,
    watch: Watch,
    keys: watch::Receiver<Arc<Keys>>,
    limits: Limits,
    room: Room,
    /// A part of the room.
    strangers_room: Room,
    test_codes: HashMap<DatasetId, TestEventCode>,
    stop: CancellationToken,
}

/// The name of one request, in its answer and in the log: the client's own, or one that is made here.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(HeaderValue);

impl Doors {
    pub(crate) fn new(
        config: &Config,
        journal: Arc<dyn Journal>,
        clock: SharedClock,
        watch: Watch,
        keys: watch::Receiver<Arc<Keys>>,
        stop: CancellationToken,
    ) -> Self {
        let server = &config.server;
        let test_codes = config.datasets.iter().filter_map(|dataset| {
            let code = dataset.test_event_code.clone()?;
            Some((dataset.id.clone(), code))
        });
        let room_bytes = ROOM_BYTES.max(2 * server.decoded_bytes_max);
        let room = Room::new(room_bytes);
        Self {
            journal,
            clock,
            watch,
            keys,
            limits: Limits {
                body: BodyLimits {
                    bytes_max: server.body_bytes_max,
                    decoded_bytes_max: server.decoded_bytes_max,
                    timeout: server.read_timeout,
                },
                events_per_request_max: server.events_per_request_max,
            },
            strangers_room: room.part(room_bytes / STRANGERS_PART),
            room,
            test_codes: test_codes.collect(),
            stop,
        }
    }

    /// What waits in every lane.
    fn lanes(&self) -> Vec<(LaneId, Waiting)> {
        let ids = self.journal.lanes().borrow().clone();
        ids.into_iter()
            .map(|id| {
                let waiting = self.journal.waiting(&id);
                (id, waiting)
            })
            .collect()
    }
}

/// Every way in.
fn router(doors: Arc<Doors>) -> Router {
    Router::new()
        .route("/v1/events", post(events::post))
        .route("/v1/events/", post(events::post))
        .route("/capi/{dataset}/events", post(capi::post))
        .route("/capi/{dataset}/events/", post(capi::post))
        .route("/{version}/{dataset}/events", post(graph::post))
        .route("/{version}/{dataset}/events/", post(graph::post))
        .route("/{version}/debug_token", get(graph::debug_token))
        .route("/{version}/{node}/instruments", any(graph::other))
        .route("/healthz", get(health::alive))
        .route("/hub/health", get(health::alive))
        .route("/hub/health/", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .with_state(doors)
}

impl Doors {
    /// Answers a request: gives it a name, sees to it that a defect costs this request only, and counts.
    async fn answer(&self, mut router: Router, mut request: Request) -> Response {
        let id = RequestId::of(&request, self.clock.chance());
        let door = door_name(request.uri().path());
        request.extensions_mut().insert(id.clone());
        // What a panic leaves behind is the state of this one request, which nobody sees again.
        let answered = AssertUnwindSafe(router.call(request)).catch_unwind().await;
        let mut response = match answered {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_) => defect().into_response(),
        };
        let status = response.status().as_u16();
        self.watch.answered(door, status, id.as_str());
        response.headers_mut().insert("x-request-id", id.0);
        response
    }
}

/// A short name for a path: metrics must not have a label for every path that somebody tries.
fn door_name(path: &str) -> &'static str {
    match path {
        "/v1/events" | "/v1/events/" => "events",
        "/healthz" | "/hub/health" | "/hub/health/" | "/readyz" | "/metrics" => "operations",
        _ if !path.trim_end_matches('/').ends_with("/events") => "other",
        _ if path.starts_with("/capi/") => "capi",
        _ => "graph",
    }
}

async fn unknown_path(uri: Uri, id: axum::Extension<RequestId>) -> Response {
    if is_of_the_graph_api(uri.path()) {
        return graph::other(id).await;
    }
    Problem::new(
        StatusCode::NOT_FOUND,
        "path_unknown",
        "there is no door at this path",
        "send events to POST /v1/events, or to POST /{version}/{dataset}/events as to the Graph API",
    )
    .into_response()
}

async fn wrong_method(uri: Uri, id: axum::Extension<RequestId>) -> Response {
    if is_of_the_graph_api(uri.path()) {
        return graph::other(id).await;
    }
    let help = match door_name(uri.path()) {
        "events" | "capi" | "graph" => "send events with POST",
        _ => "use GET or HEAD",
    };
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_wrong",
        "this door does not take this method",
        help,
    )
    .into_response()
}

/// Whether a path begins with a version of the Graph API, such as `/v26.0`. Meta's SDKs take any JSON
/// without `error` for success, so they have to be refused in their own way.
fn is_of_the_graph_api(path: &str) -> bool {
    let first = path.split('/').nth(1).unwrap_or_default();
    let numbers = first.strip_prefix('v').and_then(|it| it.split_once('.'));
    let is_number = |it: &str| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit());
    numbers.is_some_and(|(major, minor)| is_number(major) && is_number(minor))
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

impl RequestId {
    /// The client's own name if it is a sensible one.
    fn of(request: &Request, chance: [u8; 16]) -> Self {
        let is_sensible = |value: &&HeaderValue| {
            (1..=64).contains(&value.len())
                && value
                    .as_bytes()
                    .iter()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        };
        let given = request.headers().get("x-request-id").filter(is_sensible);
        Self(given.cloned().unwrap_or_else(|| {
            let text = format!("{:032x}", u128::from_be_bytes(chance));
            HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("unknown"))
        }))
    }

    /// The name as text.
    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}
