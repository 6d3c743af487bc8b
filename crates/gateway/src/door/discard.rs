//! The rest of a body that is not used.
//!
//! A client that still sends when its connection is closed gets a reset, often before it looks for the answer
//! (RFC 9112 §9.6): it would not learn that its key is wrong or its body too large, and send the same again.
//! So the answer goes out at once, and what still comes is read and thrown away for a while.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::Request;
use axum::http::header::EXPECT;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::time::Instant;

use crate::clock::deadline;

/// Bytes of one body that are thrown away; a client that sends more is cut off.
const DISCARDED_BYTES_MAX: u64 = 128 << 20;

/// A body whose rest is discarded when it is dropped before its end.
pub(crate) struct Discarding {
    /// `None` when nothing more of it comes.
    body: Option<Incoming>,
    /// Whether the client waits to be asked for the body (`Expect: 100-continue`).
    waits: bool,
    /// When the whole body had to be here.
    until: Instant,
}

impl Discarding {
    /// The request, which came just now, with such a body; it may take `timeout` to arrive.
    pub(crate) fn body_of(request: Request<Incoming>, timeout: Duration) -> Request<Self> {
        let waits = request.headers().contains_key(EXPECT);
        request.map(|body| Self {
            body: Some(body),
            waits,
            until: deadline(timeout),
        })
    }
}

impl Body for Discarding {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        // It is asked for now.
        self.waits = false;
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let none = || SizeHint::with_exact(0);
        self.body.as_ref().map_or_else(none, Body::size_hint)
    }
}

impl Drop for Discarding {
    fn drop(&mut self) {
        let Some(body) = self.body.take() else { return };
        if body.is_end_stream() || self.waits || body.size_hint().lower() > DISCARDED_BYTES_MAX {
            return;
        }
        // The connection stays as long as its body is read, and ends when this does.
        tokio::spawn(tokio::time::timeout_at(self.until, discard(body)));
    }
}

async fn discard(mut body: Incoming) {
    let mut bytes = 0;
    while let Some(Ok(frame)) = body.frame().await {
        bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        if bytes > DISCARDED_BYTES_MAX {
            return;
        }
    }
}
