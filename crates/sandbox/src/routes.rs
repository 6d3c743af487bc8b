//! Which path is which, and what every answer of the Graph API has in common.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body as _, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{Method, Request};

use crate::answer::{GraphError, Reaction, Reply};
use crate::fault::Effect;
use crate::faults::usage_headers;
use crate::refused::{Asked, Refusal};
use crate::request::{Call, body, is_read};
use crate::{State, control, events, node, versions};

/// What a path of the Graph API asks for.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Ask {
    Events,
    Node,
    DebugToken,
    /// Crash reports of SDKs: nobody reads them.
    Instruments,
    Unsupported,
    Nothing,
}

/// What browsers ask for by themselves, beside every page: not worth a line.
const ICON: &str = "/favicon.ico";

/// Answers a request.
pub(crate) async fn route(state: &Arc<State>, request: Request<Incoming>) -> Reaction {
    let path = request.uri().path().to_owned();
    if path == "/" && is_read(request.method()) {
        // Whoever types the address alone is a person.
        return Reaction::Reply(Reply::to("/sandbox"));
    }
    let mut segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    if segments.first() == Some(&"sandbox") {
        return control::route(state, &segments[1..], request).await;
    }
    let now_ms = state.settings.clock.now_ms();
    let mut version = Some(state.settings.version_default);
    if segments
        .first()
        .is_some_and(|first| versions::is_version(first))
    {
        version = versions::served(segments[0], now_ms / 1_000);
        segments.remove(0);
    }
    let ask = match version {
        Some(_) => ask(request.method(), &segments),
        None => Ask::Nothing,
    };
    let id = segments.first().copied().unwrap_or_default().to_owned();
    let header = |name| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let bytes = request.body().size_hint().lower();
    let bearer = header(AUTHORIZATION).and_then(|value| value.split_once(' '));
    let bearer = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let call = Call {
        state,
        plan: state.faults.plan(&id, bytes, ask == Ask::Events, now_ms),
        id,
        version: version
            .unwrap_or(state.settings.version_default)
            .to_string(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        content_type: header(CONTENT_TYPE).unwrap_or_default().to_owned(),
        bearer: bearer.map(|(_, token)| token.trim().to_owned()),
        trace_id: state.faults.trace_id(),
        now_ms,
    };
    let outcome = respond(&call, ask, &path, request).await;
    finish(&call, ask, outcome).await
}

fn ask(method: &Method, segments: &[&str]) -> Ask {
    let is_read = is_read(method);
    match segments {
        ["debug_token"] if is_read => Ask::DebugToken,
        [_, "events"] if method == Method::POST => Ask::Events,
        [_, "instruments"] if method == Method::POST => Ask::Instruments,
        [_] if is_read => Ask::Node,
        [_] | [_, "events"] => Ask::Unsupported,
        _ => Ask::Nothing,
    }
}

async fn respond(call: &Call<'_>, ask: Ask, path: &str, request: Request<Incoming>) -> Reaction {
    let method = request.method().clone();
    let settings = &call.state.settings;
    let limits = (settings.body_bytes_max, settings.read_timeout);
    // A bare version, such as /v26.0: a gateway looks what `Date` the error has.
    let first = path.trim_matches('/');
    let is_for_the_time = versions::is_version(first) && !first.contains('/');
    let refuse = |refusal: Box<Refusal<'_>>| {
        let reply = Reply::error(&refusal.error, &call.trace_id);
        let asked = Asked {
            method: method.as_str(),
            path,
            now_ms: call.now_ms,
        };
        if path != ICON && !is_for_the_time {
            call.state.store.refuse(asked, *refusal);
        }
        reply
    };
    let body = match body(request, limits.0, limits.1).await {
        Ok(body) => body,
        Err(error) => return Reaction::Reply(refuse(error.into())),
    };
    if call.plan.upload_us > 0 {
        // A client that gives up closes its connection, and this ends here.
        tokio::time::sleep(Duration::from_micros(call.plan.upload_us)).await;
    }
    if let Some(outcome) = call.fault(false) {
        return outcome;
    }
    let answered = match ask {
        Ask::Events => events::post(call, body).await,
        Ask::Node => node::get(call).map_err(Into::into),
        Ask::DebugToken => node::debug_token(call).map_err(Into::into),
        Ask::Instruments => Ok(Reply::json(200, &serde_json::json!({"success": true}))),
        Ask::Unsupported => {
            let method = method.as_str().to_ascii_lowercase();
            Err(crate::tokens::no_object(&method, &call.id).into())
        }
        Ask::Nothing => {
            let text = format!("Unknown path components: {path}");
            Err(GraphError::new(404, 2500, text).into())
        }
    };
    let reply = answered.unwrap_or_else(refuse);
    if let Some(outcome) = call.fault(true) {
        return outcome;
    }
    Reaction::Reply(reply)
}

/// Adds what every answer has, waits if a fault wants it, and counts.
async fn finish(call: &Call<'_>, ask: Ask, outcome: Reaction) -> Reaction {
    if call.plan.slow_ms > 0 {
        tokio::time::sleep(Duration::from_millis(call.plan.slow_ms)).await;
    }
    let (label, outcome) = match outcome {
        Reaction::Reply(mut reply) => {
            if call.plan.effect == Some(Effect::HalfBody) {
                reply.torn = true;
                "half-body".clone_into(&mut reply.label);
            }
            let label = reply.label.clone();
            (label, Reaction::Reply(dress(call, reply)))
        }
        Reaction::Reset => ("reset".to_owned(), Reaction::Reset),
        Reaction::Hang => ("hang".to_owned(), Reaction::Hang),
        outcome @ Reaction::Ids => (String::new(), outcome),
    };
    if ask == Ask::Events {
        call.state.store.answered(&label);
    } else {
        call.state.store.answered_elsewhere();
    }
    outcome
}

fn dress(call: &Call<'_>, mut reply: Reply) -> Reply {
    let is_json = reply.content_type.starts_with("application/json");
    if is_json {
        reply
            .headers
            .push(("facebook-api-version", call.version.clone()));
        reply.headers.push(("x-fb-trace-id", call.trace_id.clone()));
        reply.headers.push((
            "cache-control",
            "private, no-cache, no-store, must-revalidate".to_owned(),
        ));
        if let Some(percent) = call.plan.usage_percent {
            reply
                .headers
                .extend(usage_headers(&call.id, Some(percent), percent, 0));
        }
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for (method, segments, expected) in [
            (Method::POST, &["1", "events"][..], Ask::Events),
            (Method::GET, &["1", "events"], Ask::Unsupported),
            (Method::GET, &["1"], Ask::Node),
            (Method::HEAD, &["1"], Ask::Node),
            (Method::POST, &["1"], Ask::Unsupported),
            (Method::GET, &["debug_token"], Ask::DebugToken),
            (Method::POST, &["1", "instruments"], Ask::Instruments),
            (Method::GET, &["1", "2", "3"], Ask::Nothing),
            (Method::GET, &[], Ask::Nothing),
        ] {
            assert_eq!(ask(&method, segments), expected, "{method} {segments:?}");
        }
    }
}
