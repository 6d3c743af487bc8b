//! The sockets that the gateway listens on: its own, or those of a service manager.
//!
//! A service manager that holds a socket (`sd_listen_fds(3)`) hands it to one process after the other.
//! Connections queue up in it meanwhile, so a restart refuses none.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use listenfd::ListenFd;
use socket2::SockRef;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::StartError;
use crate::config::{Config, Server};
use crate::door::{Listener, Public, Serving, Stages, connections_max, serve};

/// Sockets that listen already, from who started this process.
#[derive(Debug, Default)]
pub struct Sockets {
    doors: Vec<TcpListener>,
}

/// A socket that was handed over cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("socket {number} of those in LISTEN_FDS is no TCP socket that listens")]
pub struct SocketsError {
    /// Which of them, from 1 on.
    number: usize,
    /// Why not.
    #[source]
    error: io::Error,
}

impl Sockets {
    /// The sockets that the environment names (`LISTEN_FDS`, `LISTEN_PID`), which are taken out of it. To be called
    /// before any thread is started, as the environment must not change beside one.
    ///
    /// # Errors
    ///
    /// [`SocketsError`] for the first that cannot be used.
    pub fn handed_over() -> Result<Self, SocketsError> {
        let mut handed = ListenFd::from_env();
        let mut sockets = Self::default();
        for index in 0..handed.len() {
            let number = index + 1;
            let socket = listening(handed.take_tcp_listener(index));
            let socket = socket.map_err(|error| SocketsError { number, error })?;
            sockets.doors.extend(socket);
        }
        Ok(sockets)
    }
}

/// The socket, if it is one that accepts connections and not one of them.
fn listening(socket: io::Result<Option<TcpListener>>) -> io::Result<Option<TcpListener>> {
    let socket = socket?;
    match &socket {
        Some(socket) if !SockRef::from(socket).is_listener()? => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it does not listen (Accept= has to be no)",
        )),
        _ => Ok(socket),
    }
}

/// Everything that the gateway listens on.
pub(crate) struct Listeners {
    doors: Vec<Listener>,
    /// Where events are taken.
    pub(crate) address: SocketAddr,
    /// Whether another process goes on accepting when this one stops.
    is_shared: bool,
}

impl Listeners {
    /// Takes the sockets that were handed over, and opens what they leave to the configuration.
    pub(crate) fn open(config: &Config, sockets: Sockets) -> Result<Self, StartError> {
        let configured = config.server.listen;
        let failed = |error| StartError::Listen {
            address: configured,
            error,
        };
        let is_shared = !sockets.doors.is_empty();
        let doors = if is_shared {
            let shared = sockets.doors.into_iter().map(Listener::shared);
            shared.collect::<io::Result<Vec<_>>>().map_err(failed)?
        } else {
            vec![Listener::bind(configured).map_err(failed)?]
        };
        let address = match doors.first() {
            Some(listener) => listener.address().map_err(failed)?,
            None => configured,
        };
        Ok(Self {
            doors,
            address,
            is_shared,
        })
    }

    /// How long a stop has to be prepared. Clients of a shared socket need not go elsewhere: what they send now,
    /// the next process answers.
    pub(crate) fn drain(&self, configured: Duration) -> Duration {
        if self.is_shared {
            Duration::ZERO
        } else {
            configured
        }
    }

    /// Serves them all.
    pub(crate) fn serve(
        self,
        settings: &Server,
        public: Public,
        stages: &Stages,
        servers: &TaskTracker,
    ) {
        let public = Arc::new(public);
        let limits = Serving {
            places: Arc::new(Semaphore::new(connections_max(settings.connections_max))),
            idle_timeout: settings.idle_timeout,
            read_timeout: settings.read_timeout,
        };
        for listener in self.doors {
            let served = serve(
                listener,
                Arc::clone(&public),
                limits.clone(),
                stages.clone(),
            );
            servers.spawn(served);
        }
    }
}
