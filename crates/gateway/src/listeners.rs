//! The sockets that the gateway listens on: its own, or those of a service manager.
//!
//! A service manager that holds a socket (`sd_listen_fds(3)`) hands it to one process after the other.
//! Connections queue up in it meanwhile, so a restart refuses none.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use listenfd::ListenFd;
use socket2::SockRef;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::config::{Config, Environment};
use crate::door::{ADMIN_CONNECTIONS_MAX, Admin, Doors, Listener, Public, Stages, serve};

/// Sockets that listen already, from who started this process.
#[derive(Debug, Default)]
pub struct Sockets {
    doors: Vec<TcpListener>,
    admin: Vec<TcpListener>,
}

/// The name of the admin listener's sockets among those that are handed over.
const ADMIN: &str = "admin";

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

/// An address cannot be listened at.
#[derive(Debug, thiserror::Error)]
#[error("listening on {address}")]
pub struct ListenError {
    /// The key of the configuration.
    pub key: &'static str,
    /// Where.
    pub address: SocketAddr,
    /// Why not.
    #[source]
    error: io::Error,
}

impl ListenError {
    /// What would help.
    pub(crate) fn help(&self) -> String {
        let key = self.key;
        let variable = format!("SLUICE_{}", key.replace('.', "_").to_ascii_uppercase());
        let (why, to) = match self.error.kind() {
            io::ErrorKind::PermissionDenied => {
                ("ports below 1024 take special rights", "one from 1024 on")
            }
            io::ErrorKind::AddrNotAvailable => {
                ("this machine has no such address", "one that it has")
            }
            io::ErrorKind::AddrInUse => ("another program listens there", "another port"),
            _ => return format!("see {key}, or {variable}"),
        };
        format!("{why}: set {key} ({variable}) to {to}")
    }
}

impl Sockets {
    /// The sockets that the environment names (`LISTEN_FDS`, `LISTEN_PID`), which are taken out of it. Those that are
    /// called `admin` (`LISTEN_FDNAMES`) are the admin listener's, all others are the doors'. To be called before any
    /// thread is started, as the environment must not change beside one.
    ///
    /// # Errors
    ///
    /// [`SocketsError`] for the first that cannot be used.
    pub fn handed_over(environment: &dyn Environment) -> Result<Self, SocketsError> {
        let names = environment.get("LISTEN_FDNAMES").unwrap_or_default();
        let names = names.to_string_lossy();
        let mut names = names.split(':');
        let mut handed = ListenFd::from_env();
        let mut sockets = Self::default();
        for index in 0..handed.len() {
            let number = index + 1;
            let socket = listening(handed.take_tcp_listener(index));
            let socket = socket.map_err(|error| SocketsError { number, error })?;
            match names.next() {
                Some(ADMIN) => sockets.admin.extend(socket),
                _ => sockets.doors.extend(socket),
            }
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
    admin: Vec<Listener>,
    /// Where events are taken.
    pub(crate) address: SocketAddr,
    /// Where the gateway shows how it is doing.
    pub(crate) admin_address: SocketAddr,
    /// Whether another process goes on taking events when this one stops.
    pub(crate) is_shared: bool,
}

impl Listeners {
    /// Takes the sockets that were handed over, and opens what they leave to the configuration.
    pub(crate) fn open(config: &Config, sockets: Sockets) -> Result<Self, ListenError> {
        let (server, admin) = (config.server.listen, config.admin.listen);
        let cannot = |key, address| {
            move |error| ListenError {
                key,
                address,
                error,
            }
        };
        let is_shared = !sockets.doors.is_empty();
        let (doors, address) =
            listeners(sockets.doors, server).map_err(cannot("server.listen", server))?;
        let (admin, admin_address) =
            listeners(sockets.admin, admin).map_err(cannot("admin.listen", admin))?;
        Ok(Self {
            doors,
            admin,
            address,
            admin_address,
            is_shared,
        })
    }

    /// Serves them all.
    pub(crate) fn serve(self, doors: &Arc<Doors>, stages: &Stages, servers: &TaskTracker) {
        let public = Arc::new(Public::new(Arc::clone(doors)));
        let public_places = Arc::new(Semaphore::new(doors.places));
        for listener in self.doors {
            let (public, places) = (Arc::clone(&public), Arc::clone(&public_places));
            servers.spawn(serve(listener, public, places, stages.clone()));
        }
        let admin = Arc::new(Admin::new(Arc::clone(doors)));
        let admin_places = Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX));
        for listener in self.admin {
            let (admin, places) = (Arc::clone(&admin), Arc::clone(&admin_places));
            servers.spawn(serve(listener, admin, places, stages.clone()));
        }
    }
}

/// Listeners at the sockets that were handed over, else at the configured address; and the address of one that
/// other machines reach, if there is one.
fn listeners(
    handed: Vec<TcpListener>,
    configured: SocketAddr,
) -> io::Result<(Vec<Listener>, SocketAddr)> {
    let listeners = if handed.is_empty() {
        vec![Listener::bind(configured)?]
    } else {
        let shared = handed.into_iter().map(Listener::shared);
        shared.collect::<io::Result<Vec<_>>>()?
    };
    let addresses = listeners.iter().map(Listener::address);
    let addresses = addresses.collect::<io::Result<Vec<_>>>()?;
    let reached = addresses.iter().find(|it| !it.ip().is_loopback());
    let address = reached.or(addresses.first()).copied();
    Ok((listeners, address.unwrap_or(configured)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(address: &str) -> TcpListener {
        TcpListener::bind(address).unwrap()
    }

    #[tokio::test]
    async fn all_sockets_are_served_and_one_that_others_reach_counts() {
        let sockets = [socket("127.0.0.1:0"), socket("0.0.0.0:0")];
        let [local, open] = sockets.each_ref().map(|it| it.local_addr().unwrap());
        let (both, address) = listeners(sockets.into(), local).unwrap();
        assert_eq!((both.len(), address), (2, open));

        let sockets = [socket("127.0.0.1:0"), socket("127.0.0.1:0")];
        let first = sockets[0].local_addr().unwrap();
        let (both, address) = listeners(sockets.into(), open).unwrap();
        assert_eq!((both.len(), address), (2, first));

        let (own, address) = listeners(Vec::new(), "127.0.0.1:0".parse().unwrap()).unwrap();
        assert_eq!((own.len(), own[0].address().unwrap()), (1, address));
    }

    #[test]
    fn an_address_that_cannot_be_had_says_why() {
        for (kind, expected) in [
            (io::ErrorKind::PermissionDenied, "ports below 1024"),
            (io::ErrorKind::AddrInUse, "another program listens there"),
            (io::ErrorKind::AddrNotAvailable, "no such address"),
            (io::ErrorKind::OutOfMemory, "see "),
        ] {
            for (key, variable) in [
                ("server.listen", "SLUICE_SERVER_LISTEN"),
                ("admin.listen", "SLUICE_ADMIN_LISTEN"),
            ] {
                let address = SocketAddr::from(([127, 0, 0, 1], 80));
                let error = kind.into();
                let help = ListenError {
                    key,
                    address,
                    error,
                }
                .help();
                let is_right = [expected, key, variable].iter().all(|it| help.contains(it));
                assert!(is_right, "{kind}: {help}");
            }
        }
    }
}
