//! A request: what is known of it before it is answered, and how its body is read.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::header::EXPECT;
use hyper::{Method, Request};

use crate::State;
use crate::answer::{GraphError, Reaction};
use crate::clock::deadline;
use crate::fault::Effect;
use crate::faults::Plan;

/// Bytes of one body that are thrown away; whoever sends more is cut off.
const DISCARDED_BYTES_MAX: usize = 128 << 20;

/// A request to the Graph API, with what is known about it before its body is read.
pub(crate) struct Call<'a> {
    pub(crate) state: &'a Arc<State>,
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) query: String,
    pub(crate) content_type: String,
    pub(crate) bearer: Option<String>,
    pub(crate) trace_id: String,
    pub(crate) now_ms: i64,
    pub(crate) plan: Plan,
}

impl Call<'_> {
    /// What a fault makes of the request, before or after its events are taken.
    pub(crate) fn fault(&self, late: bool) -> Option<Reaction> {
        let effect = self
            .plan
            .effect
            .as_ref()
            .filter(|_| self.plan.late == late)?;
        match effect {
            Effect::Reset => Some(Reaction::Reset),
            Effect::Hang => Some(Reaction::Hang),
            _ => {
                let reply = self.plan.reply(&self.id, &self.trace_id, self.now_ms)?;
                Some(Reaction::Reply(reply))
            }
        }
    }
}

/// Whether a method only reads.
pub(crate) fn is_read(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

/// A body that fits and comes in time.
pub(crate) async fn body(
    request: Request<Incoming>,
    bytes_max: usize,
    timeout: Duration,
) -> Result<Bytes, GraphError> {
    let waits = request.headers().contains_key(EXPECT);
    let mut body = request.into_body();
    let text = format!("(#100) The request is larger than {bytes_max} bytes");
    let too_large = GraphError::new(413, 100, text);
    if waits && body.size_hint().lower() > bytes_max as u64 {
        // The client has not begun to send it, and sees from the answer that it need not.
        return Err(too_large);
    }
    let until = deadline(timeout);
    let collected = tokio::time::timeout_at(until, Limited::new(&mut body, bytes_max).collect());
    match collected.await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            tokio::spawn(tokio::time::timeout_at(until, discard(body)));
            Err(too_large)
        }
        Ok(Err(_)) => Err(GraphError::new(400, 100, "(#100) The request is torn")),
        Err(_) => Err(GraphError::new(
            408,
            100,
            "(#100) The request came too slowly",
        )),
    }
}

/// Reads the rest of a body and throws it away: a client that still sends when its connection is closed
/// gets a reset, often before it looks for the answer (RFC 9112 §9.6). The connection stays as long as this
/// reads from it.
async fn discard(mut body: Incoming) {
    let mut bytes = 0;
    while let Some(Ok(frame)) = body.frame().await {
        bytes += frame.data_ref().map_or(0, Bytes::len);
        if bytes > DISCARDED_BYTES_MAX {
            return;
        }
    }
}
