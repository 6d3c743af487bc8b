//! Doors: the ways in over HTTP. A door knows who may come in and how its clients speak; what an event
//! is, it leaves to the event crate, and what becomes of it to the journal.

mod admin;
mod auth;
mod body;
mod capi;
mod descriptors;
mod discard;
mod events;
mod form;
mod graph;
mod head;
mod health;
mod intake;
mod peers;
mod problem;
mod remarks;
mod server;
mod stage;
mod test_codes;
mod wrong_keys;

use std::collections::HashMap;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use futures_util::FutureExt as _;
use sluice_event::DatasetId;
use sluice_journal::{Journal, LaneId, Waiting};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tower::Service as _;

use crate::config::{Config, TestEventCode};
use crate::roster::Keys;
use crate::time::Time;
use crate::watch::Watch;
pub(crate) use admin::{Admin, CONNECTIONS_MAX as ADMIN_CONNECTIONS_MAX};
use body::{BodyLimits, Room};
use graph::GraphProblem;
use peers::{Entered, Peer, Peers};
use problem::Problem;
use server::Service;
pub(crate) use server::{Limits as Serving, Listener, serve};
pub(crate) use stage::{Stage, Stages};
use test_codes::TestCodes;
pub(crate) use wrong_keys::Guesses;
use wrong_keys::WrongKeys;

/// Bytes that all bodies together may hold in memory.
const ROOM_BYTES: usize = 192 * 1024 * 1024;

/// What those of them may hold whose callers are not known before the body is read: half of it.
const STRANGERS_PART: usize = 2;

/// A gateway whose last request with events is older than this, in milliseconds, is not in use.
const IN_USE_MS: u64 = 60_000;

/// How much a request may bring.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    body: BodyLimits,
    events_per_request_max: usize,
}

/// What all doors share.
pub(crate) struct Doors {
    journal: Arc<dyn Journal>,
    clock: Arc<Time>,
    watch: Watch,
    keys: watch::Receiver<Arc<Keys>>,
    limits: Limits,
    room: Room,
    /// A part of the room.
    strangers_room: Room,
    wrong_keys: WrongKeys,
    peers: Arc<Peers>,
    /// Connections that may be open.
    pub(crate) places: usize,
    test_codes: HashMap<DatasetId, TestEventCode>,
    used_codes: TestCodes,
    pub(crate) stages: Stages,
    /// Requests that are being answered.
    running: TaskTracker,
    /// When the last request with events came, in milliseconds since 1970; 0 before the first.
    asked_ms: AtomicU64,
}

/// The name of one request, in its answer and in the log: the client's own, or one that is made here.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(HeaderValue);

impl Doors {
    pub(crate) fn new(
        config: &Config,
        journal: Arc<dyn Journal>,
        clock: Arc<Time>,
        watch: Watch,
        keys: watch::Receiver<Arc<Keys>>,
        stages: Stages,
    ) -> Self {
        let server = &config.server;
        let test_codes = config.datasets.iter().filter_map(|dataset| {
            let code = dataset.test_event_code.clone()?;
            Some((dataset.id.clone(), code))
        });
        let room_bytes = ROOM_BYTES.max(2 * server.decoded_bytes_max);
        let room = Room::new(room_bytes);
        let places = descriptors::connections_max(server.connections_max);
        let strangers_room = room.part(room_bytes / STRANGERS_PART);
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
            peers: Arc::new(Peers::new(
                places,
                (strangers_room.clone(), room_bytes / STRANGERS_PART),
                server.decoded_bytes_max.max(server.body_bytes_max),
            )),
            strangers_room,
            wrong_keys: WrongKeys::default(),
            places,
            room,
            test_codes: test_codes.collect(),
            used_codes: TestCodes::default(),
            stages,
            running: TaskTracker::new(),
            asked_ms: AtomicU64::new(0),
        }
    }

    /// Whether clients were here lately.
    pub(crate) fn are_in_use(&self) -> bool {
        let asked_ms = self.asked_ms.load(Ordering::Relaxed);
        asked_ms > 0 && self.clock.unix_ms().saturating_sub(asked_ms) < IN_USE_MS
    }

    /// Waits, as long as the grace is, until the requests that have begun are answered. To be called when new
    /// ones are refused.
    pub(crate) async fn answered(&self, grace: Duration) {
        self.running.close();
        // What has not finished by then meets a closed journal: its client is told, and will send again.
        let _ = tokio::time::timeout(grace, self.running.wait()).await;
    }

    /// How many events are on disk and not delivered.
    pub(crate) fn waiting(&self) -> usize {
        let lanes = self.lanes().into_iter();
        lanes
            .map(|(_, waiting)| waiting.ready + waiting.leased)
            .sum()
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
    async fn answer(&self, request: Request) -> Response {
        let peer = request.extensions().get::<Peer>().cloned();
        let response = self.doors.answer(self.router.clone(), request).await;
        if let Some(Peer(peer)) = peer
            && response.status() == StatusCode::UNAUTHORIZED
        {
            self.doors.wrong_key(peer.address).await;
        }
        response
    }

    fn enter(&self, address: IpAddr) -> Option<Entered> {
        let entered = self.doors.peers.enter(address);
        if entered.is_none() {
            let now_ms = self.doors.clock.unix_ms();
            self.doors.watch.address_has_too_many(address, now_ms);
        }
        entered
    }

    fn is_full(&self) {
        self.doors.watch.is_full(self.doors.clock.unix_ms());
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
        if matches!(door, "events" | "capi" | "graph") {
            self.asked_ms.store(self.clock.unix_ms(), Ordering::Relaxed);
        }
        // Before the stage is looked at: a request that is not refused is waited for.
        let _running = self.running.token();
        let is_refused = door != "operations" && self.stages.has_reached(Stage::Refusing);
        let response = if is_refused {
            stopping(request.uri().path(), &id)
        } else {
            request.extensions_mut().insert(id.clone());
            answered(router, request).await
        };
        self.finish(door, &id, response)
    }

    /// Counts a wrong key, or a request without one; waits as long as its answer is to be kept back.
    async fn wrong_key(&self, address: IpAddr) {
        let (delay, guesses) = self.wrong_keys.met(address, self.clock.unix_ms());
        self.watch.wrong_key(guesses.as_ref());
        self.wrong_keys.keep_back(delay).await;
    }

    /// Gives an answer its name, and counts it.
    fn finish(&self, door: &'static str, id: &RequestId, mut response: Response) -> Response {
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
async fn answered(mut router: Router, request: Request) -> Response {
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

/// The answer to a request that comes while the gateway stops, in the words of the door.
fn stopping(path: &str, id: &RequestId) -> Response {
    let problem = Problem::stopping();
    if is_of_the_graph_api(path) || path.starts_with("/capi/") {
        GraphProblem::from(problem).answer(id)
    } else {
        problem.into_response()
    }
}

/// A short name for a path: metrics must not have a label for every path that is tried.
fn door_name(path: &str) -> &'static str {
    match path {
        "/v1/events" | "/v1/events/" => "events",
        "/healthz" | "/hub/health" | "/hub/health/" | "/readyz" => "operations",
        _ if !path.trim_end_matches('/').ends_with("/events") => "other",
        _ if path.starts_with("/capi/") => "capi",
        _ => "graph",
    }
}

async fn unknown_path(uri: Uri, id: axum::Extension<RequestId>) -> Response {
    if is_of_the_graph_api(uri.path()) {
        return graph::other(id).await;
    }
    no_door(uri.path()).into_response()
}

fn no_door(path: &str) -> Problem {
    let help = match path {
        "/metrics" => "metrics are at the admin listener: see admin.listen",
        _ => {
            "send events to POST /v1/events, or to POST /{version}/{dataset}/events as to the Graph API"
        }
    };
    Problem::new(
        StatusCode::NOT_FOUND,
        "path_unknown",
        "there is no door at this path",
        help,
    )
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
    is_version(path.split('/').nth(1).unwrap_or_default())
}

fn is_version(first: &str) -> bool {
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
