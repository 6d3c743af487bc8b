//! `/sandbox/…`: what people and tests read, and how they script faults.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{HOST, ORIGIN};
use hyper::{Method, Request};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::State;
use crate::answer::{Reaction, Reply};
use crate::host;
use crate::page;
use crate::refused::RefusedRequest;
use crate::request;
use crate::script::parse_script;
use crate::store::ReceivedEvent;
use crate::tokens::{Change, Token};
use crate::wire::{only, pairs, pick_number};

/// How much a script may weigh.
const BODY_BYTES_MAX: usize = 1 << 20;
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// How many events one page of the list has.
const PAGE_MAX: usize = 1_000;
const PAGE_DEFAULT: usize = 100;

/// Answers a request; `segments` come after `/sandbox`.
pub(crate) async fn route(
    state: &Arc<State>,
    segments: &[&str],
    request: Request<Incoming>,
) -> Reaction {
    let method = request.method().clone();
    let is_read = request::is_read(&method);
    if let Some(why) = host::foreign(&request, state.settings.listen) {
        return problem(403, why);
    }
    if !is_read && is_foreign(&request) {
        return problem(403, "a page of another site may not change the sandbox");
    }
    let query = pairs(request.uri().query().unwrap_or_default().as_bytes());
    match segments {
        [] if is_read => answered(page::page(state, &query)),
        ["page.css"] if is_read => Reaction::Reply(page::style()),
        ["page.js"] if is_read => Reaction::Reply(page::script()),
        ["received"] if is_read => answered(received(state, &query)),
        ["refused"] if is_read => answered(refused(state, &query)),
        ["ids"] if is_read => Reaction::Ids,
        ["stats"] if is_read => Reaction::Reply(Reply::json(200, &state.store.stats())),
        ["faults"] if is_read => faults(state),
        ["received"] if method == Method::DELETE => {
            state.store.clear();
            done()
        }
        ["faults"] if method == Method::DELETE => {
            state.faults.clear();
            done()
        }
        ["tokens"] if method == Method::DELETE => {
            state.wallet.reset();
            done()
        }
        ["faults"] if method == Method::POST || method == Method::PUT => {
            change(state, request, method == Method::PUT, add_faults).await
        }
        ["tokens"] if method == Method::POST => change(state, request, false, set_tokens).await,
        ["received" | "refused" | "ids" | "stats" | "faults" | "tokens"] | [] => {
            problem(405, "this path does not take this method")
        }
        _ => problem(404, "there is no such path; see /sandbox"),
    }
}

/// Whether a browser sends the request for a page of another site. A tool sends no `Origin`.
fn is_foreign(request: &Request<Incoming>) -> bool {
    let header = |name| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let Some(origin) = header(ORIGIN) else {
        return false;
    };
    let host = origin.split_once("://").map(|(_, host)| host);
    host.is_none() || host != header(HOST)
}

fn done() -> Reaction {
    Reaction::Reply(Reply::json(200, &json!({"success": true})))
}

fn problem(status: u16, text: &str) -> Reaction {
    Reaction::Reply(Reply::json(status, &json!({"error": text})))
}

/// The answer to a question whose query may be wrong.
fn answered(reply: Result<Reply, String>) -> Reaction {
    reply.map_or_else(|text| problem(400, &text), Reaction::Reply)
}

/// A page of the list. Written straight, not through `Value`: that would sort the keys of the events.
#[derive(Serialize)]
struct ReceivedPage {
    events: Vec<ReceivedEvent>,
    /// The `after` to go on with.
    next: Option<u64>,
}

/// A page of the requests that were refused.
#[derive(Serialize)]
struct RefusedPage {
    requests: Vec<RefusedRequest>,
    next: Option<u64>,
}

/// `after` and `limit` of a list.
fn range(query: &[(String, String)]) -> Result<(Option<u64>, usize), String> {
    only(query, &["after", "limit"])?;
    let limit: Option<usize> = pick_number(query, "limit")?;
    let limit = limit.unwrap_or(PAGE_DEFAULT).min(PAGE_MAX);
    Ok((pick_number(query, "after")?, limit))
}

fn received(state: &State, query: &[(String, String)]) -> Result<Reply, String> {
    let (after, limit) = range(query)?;
    let events = state.store.received(after, limit);
    let next = events.last().map_or(after, |event| Some(event.number));
    Ok(Reply::json(200, &ReceivedPage { events, next }))
}

fn refused(state: &State, query: &[(String, String)]) -> Result<Reply, String> {
    let (after, limit) = range(query)?;
    let requests = state.store.refused(after, limit);
    let next = requests
        .last()
        .map_or(after, |request| Some(request.number));
    Ok(Reply::json(200, &RefusedPage { requests, next }))
}

fn faults(state: &State) -> Reaction {
    let list = state.faults.list(state.settings.clock.now_ms());
    Reaction::Reply(Reply::json(200, &json!({"faults": list})))
}

async fn change(
    state: &Arc<State>,
    request: Request<Incoming>,
    replaces: bool,
    apply: fn(&State, &Bytes, bool) -> Result<Reaction, String>,
) -> Reaction {
    match request::body(request, BODY_BYTES_MAX, BODY_TIMEOUT).await {
        Ok(body) => apply(state, &body, replaces).unwrap_or_else(|text| problem(400, &text)),
        Err(error) => problem(error.status, &error.message),
    }
}

/// A script as JSON: one text, a list of texts, or either under `faults`.
fn script(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(lines) => {
            let lines: Option<Vec<&str>> = lines.iter().map(Value::as_str).collect();
            lines.map(|lines| lines.join("\n"))
        }
        Value::Object(object) => script(object.get("faults")?),
        _ => None,
    }
}

fn add_faults(state: &State, body: &Bytes, replaces: bool) -> Result<Reaction, String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    let lines = if text.trim_start().starts_with(['{', '[', '"']) {
        let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        script(&value).ok_or("expected a text, a list of texts, or {\"faults\": [\"500 x 3\"]}")?
    } else {
        text.to_owned()
    };
    let faults_read = parse_script(&lines).map_err(|error| error.to_string())?;
    if replaces {
        state.faults.clear();
    }
    state.faults.add(faults_read, state.settings.clock.now_ms());
    Ok(faults(state))
}

/// One token, a list of tokens, or `{"unlisted": "unknown", "tokens": […]}`.
fn set_tokens(state: &State, body: &Bytes, _: bool) -> Result<Reaction, String> {
    let value: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let change = match &value {
        Value::Array(_) => read(value).map(|tokens| Change {
            unlisted: None,
            tokens,
        }),
        value if value.get("token").is_some() => read::<Token>(value.clone()).map(|token| Change {
            unlisted: None,
            tokens: vec![token],
        }),
        _ => read(value),
    }?;
    if let Some(unlisted) = change.unlisted {
        state.wallet.set_unlisted(unlisted);
    }
    for token in change.tokens {
        state.wallet.set(token);
    }
    Ok(done())
}

fn read<T: for<'de> Deserialize<'de>>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}
