//! `POST /{version}/{dataset}/events`: the Graph API's own door, for Meta's SDKs and everything else that
//! was written for it. The version may be missing, as with Meta. Only the host changes, and the access token is the key of a source.
//!
//! Answers are Meta's: Python's SDK wants HTTP 200 with three keys, and reads `error` from every other
//! body. One thing differs: Meta refuses a whole request for one bad event, and here only that event is
//! refused. `events_received` then says how many were taken, and `messages` names the others.

use std::borrow::Cow;
use std::mem;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::Uri;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use sluice_event::batch::{Beside, is_asked_for};
use sluice_event::json::{Raw, Reader, SyntaxError};
use sluice_event::{DatasetId, Severity};

use super::auth::{self, Caller};
use super::body;
use super::body::{BodyLimits, ReadBody, text_of};
use super::doors::Doors;
use super::form::{self, Form, FormError};
use super::graph_problem::GraphProblem;
use super::intake::{self, IntakeError, Receipt, aside};
use super::messages::{MESSAGES_MAX, REMARKS_MAX, message, remark};
use super::paths::{is_number, is_versioned, no_door};
use super::peers::Peer;
use super::problem::Problem;
use super::public::nothing_at;
use super::remarks::Warning;
use super::request_id::RequestId;
use super::route::switch_misplaced;
use crate::roster::Snapshot;

/// Takes events as the Graph API does.
pub(crate) async fn post(
    State(doors): State<Arc<Doors>>,
    path: Result<Path<(String, String)>, PathRejection>,
    axum::Extension(id): axum::Extension<RequestId>,
    request: Request,
) -> Response {
    if !is_versioned(request.uri().path()) {
        return nothing_at(request.uri().path(), &id);
    }
    let dataset = path.map_or_else(not_text, |Path((_, dataset))| dataset);
    match take(&doors, &dataset, request, &id).await {
        Ok(outcome) => success(&outcome, &id),
        Err(problem) => problem.answer(&id),
    }
}

/// The same of a path without a version.
pub(crate) async fn post_unversioned(
    State(doors): State<Arc<Doors>>,
    path: Result<Path<String>, PathRejection>,
    axum::Extension(id): axum::Extension<RequestId>,
    request: Request,
) -> Response {
    let dataset = path.map_or_else(not_text, |Path(dataset)| dataset);
    if !is_number(&dataset) {
        return nothing_at(request.uri().path(), &id);
    }
    match take(&doors, &dataset, request, &id).await {
        Ok(outcome) => success(&outcome, &id),
        Err(problem) => problem.answer(&id),
    }
}

/// What stands in for a part of a path that is no text, such as `%ff`: no dataset has it for its id.
pub(crate) fn not_text(_: PathRejection) -> String {
    String::new()
}

/// Takes the events of a request in any of the Graph API's forms, and counts one that is refused as a whole.
pub(crate) async fn take(
    doors: &Doors,
    dataset: &str,
    request: Request,
    id: &RequestId,
) -> Result<Receipt, GraphProblem> {
    let mut caller = None;
    let taken = take_of(doors, dataset, request, (id, &mut caller)).await;
    if let Err(GraphProblem {
        name: Some(name), ..
    }) = &taken
    {
        doors.request_refused(caller.as_ref(), name);
    }
    taken
}

/// The same; `known` is set as soon as it is known whose events they are.
async fn take_of(
    doors: &Doors,
    dataset: &str,
    request: Request,
    (id, known): (&RequestId, &mut Option<Caller>),
) -> Result<Receipt, GraphProblem> {
    let (head, body) = request.into_parts();
    let query = head.uri.query().unwrap_or_default();
    let now = doors.now();
    let opened = open(doors, &now, &head, body).await?;
    let bearer = || auth::bearer(&head.headers).map(str::to_owned);
    let key = opened.key.or_else(bearer);
    let key = key.ok_or_else(GraphProblem::no_token)?;
    let caller = Caller::with_key(&now, &key).ok_or_else(GraphProblem::unknown_token)?;
    *known = Some(caller.clone());
    doors.are_asked();
    doors.admit(&caller)?;
    let dataset = DatasetId::parse(dataset)
        .ok()
        .filter(|dataset| caller.source.datasets.contains(dataset))
        .ok_or_else(GraphProblem::unknown_dataset)?;
    let (form, mut rest) = (opened.form, opened.rest);
    if form.has_switch() || has_switch(query) {
        return Err(switch_misplaced().into());
    }
    let code = test_code(query).or_else(|| form.test_event_code());
    // A form has its field `data`, which may hold one event.
    let is_json = form.json().is_some();
    rest.bytes = form.into_events()?;
    let sealed = doors.seal(rest, &caller).await;
    let sealed = sealed.map_err(|error| GraphProblem::unreadable(error, is_json))?;
    if is_json && sealed.is_single {
        return Err(FormError::NoData.into());
    }
    let route = sealed.route(&caller, vec![dataset], code.as_deref())?;
    let receipt = doors.keep(sealed, &route, id).await?;
    if receipt.accepted + receipt.duplicates == 0 {
        return Err(GraphProblem::refused(&receipt.rejected));
    }
    Ok(receipt)
}

/// Reads the body, as much of it as the keys allow that come before it.
async fn open(
    doors: &Doors,
    now: &Arc<Snapshot>,
    head: &Parts,
    body: Body,
) -> Result<Opened, GraphProblem> {
    let (query, headers) = (head.uri.query().unwrap_or_default(), &head.headers);
    let in_query = parameter(query, "access_token");
    let bearer = auth::bearer(headers);
    let known = match &in_query {
        // A key that counts whatever the body holds has to be right before the body is taken.
        Some(key) => {
            let caller = Caller::with_key(now, key);
            Some(caller.ok_or_else(GraphProblem::unknown_token)?)
        }
        // One that no source has may be meant for a proxy on the way.
        None => bearer.and_then(|key| Caller::with_key(now, key)),
    };
    let known_bearer = bearer.filter(|_| in_query.is_none() && known.is_some());
    let peer = head.extensions.get::<Peer>();
    let strangers_room = peer.map_or(&doors.strangers_room, |Peer(peer)| peer.strangers_room());
    let room = known.as_ref().map(|caller| doors.room_of(caller));
    let room = room.as_ref().unwrap_or(strangers_room);
    let limits = BodyLimits::of(&now.config.server);
    let received = body::receive(headers, body, limits, room)
        .await
        .map_err(Problem::from)?;
    let content_type = headers.get(CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_owned();
    let shown = Shown {
        query: query.to_owned(),
        key_in_query: in_query.map(Cow::into_owned),
        known_bearer: known_bearer.map(str::to_owned),
    };
    let opened = aside(received.bytes.len(), move || {
        Opened::of(&content_type, received, shown)
    });
    opened.await
}

/// What was seen before the body was read.
struct Shown {
    query: String,
    key_in_query: Option<String>,
    known_bearer: Option<String>,
}

/// A body whose form is known, and the key that counts.
struct Opened {
    form: Form,
    key: Option<String>,
    /// Without its bytes, which are in the form: the room for them, and for the fields, which are a copy.
    rest: ReadBody,
}

impl Opened {
    fn of(content_type: &str, mut rest: ReadBody, shown: Shown) -> Result<Self, GraphProblem> {
        if !form::is_json(content_type, &rest.bytes) {
            let bytes = rest.bytes.len() + form::fields_bytes(&rest.bytes);
            rest.more(bytes).map_err(Problem::from)?;
        }
        let form = Form::read(content_type, mem::take(&mut rest.bytes))?;
        let form = form.or_data_of(&shown.query);
        let key = match (shown.key_in_query, shown.known_bearer, form.json()) {
            (Some(key), ..) => Some(key),
            (None, known, None) => in_field(&form).or(known),
            (None, Some(known), Some(_)) => Some(known),
            (None, None, Some(bytes)) => {
                let (text, _copy) = text_of(bytes, rest.beside()).map_err(Problem::from)?;
                in_json(&text).map_err(|error| GraphProblem::unreadable(error, true))?
            }
        };
        Ok(Self { form, key, rest })
    }
}

/// The key in a form, from where most clients of the Graph API put their token.
fn in_field(form: &Form) -> Option<String> {
    let in_field = |name| form.field(name).filter(|key| !key.is_empty());
    let key = in_field("access_token").or_else(|| in_field("accessKey"));
    key.map(str::to_owned)
}

/// The key in the query of a request, where Meta's documents put the token.
pub(super) fn key_in_query(uri: &Uri) -> Option<Cow<'_, str>> {
    parameter(uri.query().unwrap_or_default(), "access_token")
}

/// The test code in a query.
fn test_code(query: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let named = pairs
        .find(|(key, value)| Beside::of(key) == Some(Beside::TestEventCode) && !value.is_empty());
    named.map(|(_, code)| code.into_owned())
}

/// Whether a query asks for what only an event can ask for.
fn has_switch(query: &str) -> bool {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.any(|(key, value)| Beside::of(&key) == Some(Beside::Switch) && is_asked_for(&value))
}

fn parameter<'q>(query: &'q str, name: &str) -> Option<Cow<'q, str>> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let named = pairs.find(|(key, value)| key == name && !value.is_empty());
    named.map(|(_, value)| value)
}

/// `access_token` or `accessKey` at the top of a JSON body, which has to be known before it is read.
///
/// # Errors
///
/// [`IntakeError::Syntax`] if it is a broken object: that it holds no key would send people looking for one.
fn in_json(text: &str) -> Result<Option<String>, IntakeError> {
    if !text.trim_start().starts_with('{') {
        return Ok(None);
    }
    let mut found = None;
    let mut reader = Reader::new(text);
    let read = reader.members(|reader, key| {
        let value: Raw<'_> = reader.value()?;
        if matches!(&*key, "access_token" | "accessKey") {
            found = value.as_text().map(Cow::into_owned);
        }
        Ok::<(), SyntaxError>(())
    });
    read.map_err(|error| intake::syntax(text, error))?;
    Ok(found.filter(|key| !key.is_empty()))
}

/// Success, with what there is to say about the events. A hint is nothing that a client has to be told.
pub(crate) fn success(outcome: &Receipt, id: &RequestId) -> Response {
    let rejected = outcome.rejected.iter().take(MESSAGES_MAX).map(message);
    let is_told = |warning: &&Warning| warning.code.severity() < Severity::Hint;
    let remarks = outcome.warnings.iter().filter(is_told);
    let remarks = remarks.take(REMARKS_MAX).map(remark);
    let messages: Vec<_> = rejected.chain(remarks).collect();
    Json(json!({
        "events_received": outcome.accepted + outcome.duplicates,
        "messages": messages,
        "fbtrace_id": id.as_str(),
    }))
    .into_response()
}

/// Asks about a token. Node's SDK does so after a crash, takes an error of the answer for the next crash,
/// and asks again without end: so the answer is a success, and says nothing.
pub(crate) async fn debug_token(uri: Uri) -> Response {
    if !is_versioned(uri.path()) {
        return no_door(uri.path()).into_response();
    }
    let message = "Sluice does not tell what a token is good for";
    Json(json!({
        "data": {
            "error": {"code": 190, "message": message},
            "is_valid": false,
            "scopes": [],
        }
    }))
    .into_response()
}
