//! Accepting connections: a bounded number, none of them for ever, and each of them finished properly
//! when the gateway stops.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use super::discard::Discarding;
use super::peers::{Entered, Peer};
use super::stage::{Stage, Stages};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 4_096;

/// Bytes that a connection may keep of what it has read and not yet handed on.
const CONNECTION_BYTES_MAX: usize = 64 * 1024;

/// Bytes of a request's first line and headers together. Every connection may hold an unfinished one without
/// showing a key, and bodies alone ask for room.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// How long to wait when the system has no descriptor left for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a connection that has not asked for anything yet may still do so once the doors are closed. Its
/// request is most often on its way, and closing now would reset it.
const FIRST_REQUEST_WAIT: Duration = Duration::from_millis(250);

/// How long connections may take to end once the doors are closed: to write their last answer, and to read
/// what their client still sends.
const END_WAIT: Duration = Duration::from_secs(1);

/// A socket that listens.
pub(crate) struct Listener {
    socket: TcpListener,
    /// Another process has it too, and goes on accepting.
    is_shared: bool,
}

/// What a listener leads to.
pub(crate) trait Service: Send + Sync + 'static {
    /// Answers a request.
    fn answer(&self, request: Request) -> impl Future<Output = Response> + Send;

    /// How long a connection that is opened now may take.
    fn timeouts(&self) -> Timeouts;

    /// A connection comes from an address; `None` if there are too many of it, and the connection is closed.
    fn enter(&self, address: IpAddr) -> Option<Entered>;

    /// All places are taken: further connections wait.
    fn is_full(&self);

    /// A connection was opened (1) or closed (-1).
    fn connections(&self, change: i64);
}

/// How long a connection may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    /// How long it is kept open between requests.
    pub(crate) idle: Duration,
    /// How long a client may take to send a request's body.
    pub(crate) read: Duration,
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
        Ok(Self {
            socket,
            is_shared: false,
        })
    }

    /// Takes a socket that listens already and stays open when this process ends. Connections queue up in it
    /// from one process to the next.
    pub(crate) fn shared(socket: StdListener) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: TcpListener::from_std(socket)?,
            is_shared: true,
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// When it stops accepting: what a process behind it cannot take is better off waiting for the next one,
    /// and refused where there is none.
    fn last_stage(&self) -> Stage {
        if self.is_shared {
            Stage::Refusing
        } else {
            Stage::Closed
        }
    }
}

/// Serves until the doors are closed; then lets connections end. There is one of `places` for each connection.
pub(crate) async fn serve<S: Service>(
    listener: Listener,
    service: Arc<S>,
    places: Arc<Semaphore>,
    mut stages: Stages,
) {
    let connections = TaskTracker::new();
    let open = |stream: TcpStream, place: Option<OwnedSemaphorePermit>| {
        // A connection that has no address any more is gone.
        let address = stream.peer_addr().ok();
        let Some(peer) = address.and_then(|address| service.enter(address.ip())) else {
            return;
        };
        let peer = Peer(Arc::new(peer));
        let (service, stages) = (Arc::clone(&service), stages.clone());
        connections.spawn(async move {
            service.connections(1);
            connection((stream, peer), &*service, stages).await;
            service.connections(-1);
            drop(place);
        });
    };
    let mut until = stages.clone();
    loop {
        let accepted = tokio::select! {
            () = until.reached(listener.last_stage()) => break,
            accepted = listener.socket.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // Asked for when there is a connection for it: a listener at which nothing comes leaves all places to the
        // others.
        let place = tokio::select! {
            () = until.reached(listener.last_stage()) => None,
            place = place(&places, &*service) => place,
        };
        open(stream, place);
    }
    if !listener.is_shared {
        for stream in the_rest(listener) {
            open(stream, None);
        }
    }
    stages.reached(Stage::Closed).await;
    connections.close();
    // What has not finished by then goes on beside the end of the process: its client may have no answer,
    // and will send again.
    let _ = timeout(END_WAIT, connections.wait()).await;
}

/// A place for a connection, once there is one.
async fn place<S: Service>(places: &Arc<Semaphore>, service: &S) -> Option<OwnedSemaphorePermit> {
    if places.available_permits() == 0 {
        service.is_full();
    }
    Arc::clone(places).acquire_owned().await.ok()
}

/// Closes the socket and returns its backlog: connections that are established and not accepted, which closing
/// would reset.
fn the_rest(listener: Listener) -> Vec<TcpStream> {
    let Ok(socket) = listener.socket.into_std() else {
        return Vec::new();
    };
    let mut streams = Vec::new();
    while let Ok((stream, _)) = socket.accept() {
        let stream = stream.set_nonblocking(true).map(|()| stream);
        streams.extend(stream.and_then(TcpStream::from_std));
    }
    streams
}

async fn connection<S: Service>(
    (stream, peer): (TcpStream, Peer),
    service: &S,
    mut stages: Stages,
) {
    let timeouts = service.timeouts();
    // Answers are small; they must not wait for more to come.
    let _ = stream.set_nodelay(true);
    // A client that does not read its answers is gone after this time. Where the system does not know the
    // option, its own limits hold.
    let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(timeouts.idle));
    let has_asked = AtomicBool::new(false);
    let answering = service_fn(|mut request: Request<Incoming>| {
        has_asked.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(peer.clone());
        let request = Discarding::body_of(request, timeouts.read);
        // In a box: hyper keeps room for this future with every connection, also while it idles.
        let answer = Box::pin(service.answer(request.map(Body::new)));
        async { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // A client that has sent all it will send still wants its answer.
        .half_close(true)
        // It runs between requests too, so it is also how long a connection may idle.
        .header_read_timeout(timeouts.idle)
        .max_headers(64)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(CONNECTION_BYTES_MAX)
        // An answer is small: copying it behind its head costs less than a vectored write.
        .writev(false)
        .serve_connection(TokioIo::new(stream), answering);
    tokio::pin!(connection);
    let closed = async {
        stages.reached(Stage::Closed).await;
        if !has_asked.load(Ordering::Relaxed) {
            sleep(FIRST_REQUEST_WAIT).await;
        }
    };
    tokio::select! {
        // A client that went away, or spoke no HTTP, needs neither an answer nor a line of the log.
        _ = connection.as_mut() => return,
        () = closed => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::door::body::Room;
    use crate::door::peers::Peers;

    struct Says(Arc<Peers>);

    impl Service for Says {
        async fn answer(&self, _: Request) -> Response {
            "an answer".into_response()
        }

        fn timeouts(&self) -> Timeouts {
            Timeouts {
                idle: Duration::from_mins(1),
                read: Duration::from_mins(1),
            }
        }

        fn enter(&self, address: IpAddr) -> Option<Entered> {
            self.0.enter(address)
        }

        fn is_full(&self) {}

        fn connections(&self, _: i64) {}
    }

    async fn asked(address: SocketAddr) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_listener_at_which_nothing_comes_takes_no_place() {
        let peers = Arc::new(Peers::new(1, (Room::new(0), 0), 0));
        let service = Arc::new(Says(peers));
        let places = Arc::new(Semaphore::new(1));
        let (stage, stages) = Stages::new();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let listeners = [any, any].map(|address| Listener::bind(address).unwrap());
        let addresses = listeners.each_ref().map(|it| it.address().unwrap());
        let servers = listeners.map(|listener| {
            let serving = serve(
                listener,
                Arc::clone(&service),
                Arc::clone(&places),
                stages.clone(),
            );
            tokio::spawn(serving)
        });
        let [first, second] = addresses;
        for address in [first, first, second, second, first] {
            let answer = timeout(Duration::from_secs(30), asked(address)).await;
            let answer = answer.expect("the only place is free");
            assert!(answer.ends_with("an answer"), "{answer}");
        }
        stage.send_replace(Stage::Closed);
        for server in servers {
            server.await.unwrap();
        }
    }
}
