//! `POST /{version}/{dataset}/events`.

use bytes::Bytes;

use crate::answer::{GraphError, Reply};
use crate::arrival::Arrival;
use crate::fault::Effect;
use crate::faults::{throttled, usage_headers};
use crate::refused::{Refusal, RefusedEvents};
use crate::request::Call;
use crate::rules::{self, Offence};
use crate::tokens::no_object;
use crate::wire::Posted;

/// Meta's order: who is it, may they, and only then what they bring.
pub(crate) async fn post<'c>(call: &'c Call<'_>, body: Bytes) -> Result<Reply, Box<Refusal<'c>>> {
    let state = call.state;
    let posted = Posted::read(&call.content_type, &call.query, body).await;
    let parameters = posted.parameters()?;
    let token = parameters
        .text("access_token")
        .map(std::borrow::Cow::into_owned);
    let token = token.or_else(|| call.bearer.clone());
    let proof = parameters.text("appsecret_proof");
    let now_s = call.now_ms / 1_000;
    if !call.id.bytes().all(|byte| byte.is_ascii_digit()) {
        let text = format!(
            "(#803) Some of the aliases you requested do not exist: {}",
            call.id
        );
        return Err(GraphError::new(404, 803, text).into());
    }
    let may = state
        .wallet
        .check(token.as_deref(), proof.as_deref(), &call.id, now_s);
    may?;
    if !state.settings.is_dataset(&call.id) {
        return Err(no_object("post", &call.id).into());
    }
    let used = state
        .budget
        .spend(token.as_deref().unwrap_or_default(), call.now_ms);
    if let Some(used) = used.filter(|used| used.regain_min > 0) {
        return Ok(throttled(80_004, &call.id, used.regain_min, &call.trace_id));
    }
    let test_event_code = parameters
        .text("test_event_code")
        .map(std::borrow::Cow::into_owned);
    let events = parameters.events()?;
    let arrival = Arrival {
        dataset: &call.id,
        version: &call.version,
        test_event_code,
        now_ms: call.now_ms,
        kept: posted.keep(),
    };
    if let Err(offence) = rules::check(&events, call.now_ms) {
        let Offence { error, place } = *offence;
        let events = Some(RefusedEvents {
            arrival,
            count: events.len(),
            place,
        });
        return Err(Box::new(Refusal { error, events }));
    }
    let missing = match call.plan.effect {
        Some(Effect::Partial { missing }) => missing.min(events.len()),
        _ => 0,
    };
    state.store.take(arrival, &events, missing);
    let mut reply = Reply::taken(events.len() - missing, &call.trace_id);
    if let Some(used) = used {
        let headers = usage_headers(&call.id, Some(used.percent), used.percent, 0);
        reply.headers.extend(headers);
    }
    Ok(reply)
}
