//! Accepting connections: a bounded number, none of them for ever, and each of them finished properly
//! when the gateway stops.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::discard::Discarding;
use super::{Doors, descriptors, router};
use crate::config::Server;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 4_096;

/// Bytes that a connection may keep of what it has read and not yet handed on.
const CONNECTION_BYTES_MAX: usize = 64 * 1024;

/// Bytes of a request's first line and headers together. Of its own, because what is read at once may be more
/// than a connection keeps.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// How long to wait when the system has no descriptor left for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A socket that listens.
pub(crate) struct Listener {
    socket: TcpListener,
}

impl Listener {
    /// Listens; connections queue up from now on.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // A gateway that was killed may start again at once.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let socket = socket.listen(BACKLOG)?;
        Ok(Self { socket })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// Serves until it is told to stop; then finishes the requests that have begun, within the grace.
pub(crate) async fn serve(
    listener: Listener,
    doors: Arc<Doors>,
    settings: Server,
    stop: CancellationToken,
) {
    let router = router(Arc::clone(&doors));
    let connections = TaskTracker::new();
    let places = Arc::new(Semaphore::new(descriptors::connections_max(
        settings.connections_max,
    )));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, place)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // Answers are small; they must not wait for more to come.
        let _ = stream.set_nodelay(true);
        // A client that does not read its answers is gone after this time. Where the system does not know
        // the option, its own limits hold.
        let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(settings.idle_timeout));
        let (doors, router, stop) = (Arc::clone(&doors), router.clone(), stop.clone());
        let idle_timeout = settings.idle_timeout;
        connections.spawn(async move {
            doors.watch.connections(1);
            connection(stream, &doors, &router, idle_timeout, stop).await;
            doors.watch.connections(-1);
            drop(place);
        });
    }
    drop(listener);
    connections.close();
    // What has not finished by then goes on beside the end of the process: its client may have no answer,
    // and will send again.
    let _ = tokio::time::timeout(settings.shutdown_grace, connections.wait()).await;
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &Listener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.socket.accept().await {
        Ok((stream, _)) => Some((stream, place)),
        Err(_) => None,
    }
}

async fn connection(
    stream: TcpStream,
    doors: &Doors,
    router: &Router,
    idle_timeout: Duration,
    stop: CancellationToken,
) {
    let service = service_fn(|request: Request<Incoming>| {
        let request = Discarding::body_of(request, doors.limits.body.timeout);
        let answer = doors.answer(router.clone(), request.map(Body::new));
        async { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // A client that has sent all it will send still wants its answer.
        .half_close(true)
        // It runs between requests too, so it is also how long a connection may idle.
        .header_read_timeout(idle_timeout)
        .max_headers(64)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(CONNECTION_BYTES_MAX)
        // An answer is small: copying it behind its head costs less than a vectored write.
        .writev(false)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let mut is_stopping = false;
    loop {
        tokio::select! {
            // A client that went away, or spoke no HTTP, needs no answer and nobody to know.
            _ = connection.as_mut() => return,
            () = stop.cancelled(), if !is_stopping => {
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
