//! The accept loop, and what happens on a connection.
//!
//! Written over `hyper` by hand, because a fault has to reach the socket: a reset is a real TCP reset,
//! and a hang a connection on which nothing comes.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::State;
use crate::answer::{Reaction, Reply};
use crate::routes;

/// How many connections are served at once; more wait to be accepted.
const CONNECTIONS_MAX: usize = 4_096;
/// How long requests in flight may take to end when the sandbox stops.
const GRACE: Duration = Duration::from_secs(5);
/// How long a fault keeps a request waiting for nothing.
const HANG_MAX: Duration = Duration::from_mins(10);
/// How long after the first half of a torn answer the connection ends: the half has to get out.
const TORN_AFTER: Duration = Duration::from_millis(30);
/// How many ids are written at a time.
const IDS_PAGE: usize = 2_000;

/// Accepts connections until the sandbox stops; returns when the last one has ended.
pub(crate) async fn run(listener: TcpListener, state: Arc<State>) {
    let connections = TaskTracker::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            () = state.stop.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, place)) = accepted else {
            continue;
        };
        let state = Arc::clone(&state);
        connections.spawn(async move {
            connection(stream, state).await;
            drop(place);
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    if let Ok((stream, _)) = listener.accept().await {
        return Some((stream, place));
    }
    // Out of file descriptors, or the peer left: neither gets better by trying at once.
    tokio::time::sleep(Duration::from_millis(20)).await;
    None
}

/// What a request may do to its connection.
#[derive(Default)]
struct Line {
    resets: AtomicBool,
    cut: CancellationToken,
}

async fn connection(stream: TcpStream, state: Arc<State>) {
    // Small answers should not wait for more; a socket that refuses works all the same.
    stream.set_nodelay(true).ok();
    let line = Arc::new(Line::default());
    let socket = TokioIo::new(Socket {
        stream,
        line: Arc::clone(&line),
    });
    let service = service_fn(|request| answer(Arc::clone(&state), Arc::clone(&line), request));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(state.settings.read_timeout)
        .serve_connection(socket, service);
    let mut serving = pin!(serving);
    let stops = tokio::select! {
        // How a connection ends is the client's business: there is nobody to tell.
        _ = serving.as_mut() => false,
        () = line.cut.cancelled() => false,
        () = state.stop.cancelled() => true,
    };
    if stops {
        serving.as_mut().graceful_shutdown();
        tokio::select! {
            _ = tokio::time::timeout(GRACE, serving) => {}
            () = line.cut.cancelled() => {}
        }
    }
}

async fn answer(
    state: Arc<State>,
    line: Arc<Line>,
    request: Request<Incoming>,
) -> Result<Response<ReplyBody>, Infallible> {
    match routes::route(&state, request).await {
        Reaction::Reply(reply) => Ok(response(reply, state.settings.clock.http_date())),
        Reaction::Ids => Ok(ids(state)),
        Reaction::Reset => {
            line.resets.store(true, Ordering::Release);
            line.cut.cancel();
            std::future::pending().await
        }
        Reaction::Hang => {
            tokio::select! {
                () = state.stop.cancelled() => {}
                () = tokio::time::sleep(HANG_MAX) => {}
            }
            line.cut.cancel();
            std::future::pending().await
        }
    }
}

/// An answer of Meta's at this time.
fn response(reply: Reply, date: Option<String>) -> Response<ReplyBody> {
    let length = reply.body.len();
    let body = if reply.torn {
        ReplyBody::Torn {
            first: Some(reply.body.slice(..length / 2)),
            wait: Box::pin(tokio::time::sleep(TORN_AFTER)),
        }
    } else {
        ReplyBody::Full(Some(reply.body))
    };
    let mut response = Response::new(body);
    *response.status_mut() = hyper::StatusCode::from_u16(reply.status).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    if let Some(date) = date.and_then(|date| HeaderValue::try_from(date).ok()) {
        headers.insert(DATE, date);
    }
    if reply.torn {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    for (name, value) in reply.headers {
        // A dataset id of odd characters may not fit into a header: then it is left out.
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    response
}

fn ids(state: Arc<State>) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::Ids { state, next: 0 });
    let kind = HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// The body of an answer.
enum ReplyBody {
    Full(Option<Bytes>),
    /// Half of it, and then the connection ends.
    Torn {
        first: Option<Bytes>,
        wait: Pin<Box<Sleep>>,
    },
    /// Every id that is known, a page at a time, so that millions need no memory here.
    Ids {
        state: Arc<State>,
        next: u64,
    },
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut *self {
            ReplyBody::Full(body) => {
                let body = body.take().filter(|body| !body.is_empty());
                Poll::Ready(body.map(|body| Ok(Frame::data(body))))
            }
            ReplyBody::Torn { first, wait } => {
                if let Some(first) = first.take() {
                    return Poll::Ready(Some(Ok(Frame::data(first))));
                }
                let over = wait.as_mut().poll(context);
                over.map(|()| Some(Err(io::Error::from(io::ErrorKind::ConnectionAborted))))
            }
            ReplyBody::Ids { state, next } => {
                let (page, following) = state.store.ids_page(*next, IDS_PAGE);
                *next = following;
                let mut lines = Vec::new();
                for id in &page {
                    lines.extend_from_slice(&crate::answer::json(id));
                    lines.push(b'\n');
                }
                let has_more = !page.is_empty();
                Poll::Ready(has_more.then(|| Ok(Frame::data(lines.into()))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, ReplyBody::Full(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ReplyBody::Full(body) => {
                SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64))
            }
            _ => SizeHint::default(),
        }
    }
}

/// A socket that ends with a reset when a fault wants it.
struct Socket {
    stream: TcpStream,
    line: Arc<Line>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.line.resets.load(Ordering::Acquire) {
            // Without it the connection ends in the usual way, which is still an end.
            self.stream.set_zero_linger().ok();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }
}

/// Binds the address.
pub(crate) async fn bind(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
