//! The running gateway: doors take events, the journal keeps them, lanes deliver them.
//!
//! [`Gateway::start`] wires it and reads as the architecture does. Everything that runs is owned by the
//! [`Gateway`] and finished by [`Gateway::stop`]: first the doors, then the lanes, then the journal.

mod clock;
pub mod config;
mod door;
mod lane;
mod lane_state;
mod roster;
mod upkeep;
mod watch;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use sluice_event::{Context, ExternalId, UserField, normalize};
use sluice_graph::{Client, ClientError, ClientSettings, Roots};
use sluice_journal::{Embedded, Journal, OpenError, Options};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

pub use clock::{Clock, SharedClock, SystemClock};
use config::{Config, Environment, KEY_HELP};
use door::{Doors, Listener};
use lane::Supervisor;
use roster::Roster;
pub use roster::RosterError;
use watch::Watch;

/// Why the gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A key or a token cannot be read.
    #[error(transparent)]
    Secret(#[from] RosterError),
    /// The journal cannot be opened.
    #[error(transparent)]
    Journal(#[from] OpenError),
    /// Nobody can connect.
    #[error("listening on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// Meta cannot be reached with these settings.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A thread ended before it should.
    #[error("a defect in Sluice: {0}")]
    Defect(String),
}

impl StartError {
    /// What would help, where more is to be said than what is wrong.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            StartError::Journal(error) => Some(error.help()),
            StartError::Secret(_) => Some("`sluice config check` shows which secrets can be read"),
            StartError::Listen { error, .. } => Some(match error.kind() {
                io::ErrorKind::PermissionDenied => {
                    "ports below 1024 take special rights: set server.listen (SLUICE_SERVER_LISTEN) to one from 1024 on"
                }
                io::ErrorKind::AddrNotAvailable => {
                    "this machine has no such address: set server.listen (SLUICE_SERVER_LISTEN) to one that it has"
                }
                io::ErrorKind::AddrInUse => {
                    "another program listens there: set server.listen (SLUICE_SERVER_LISTEN) to another port"
                }
                _ => "see server.listen, or SLUICE_SERVER_LISTEN",
            }),
            StartError::Client(_) | StartError::Defect(_) => None,
        }
    }
}

/// A running gateway.
pub struct Gateway {
    address: SocketAddr,
    journal: Arc<dyn Journal>,
    /// Doors: no new requests.
    close_doors: CancellationToken,
    doors: TaskTracker,
    /// Lanes and upkeep: nothing new is sent.
    stop: CancellationToken,
    workers: TaskTracker,
    reload: Arc<Notify>,
}

impl Gateway {
    /// Starts everything. When this returns, events can be sent to [`Gateway::address`].
    ///
    /// # Errors
    ///
    /// What keeps it from starting; nothing runs then.
    pub async fn start(
        config: Config,
        environment: Arc<dyn Environment>,
        clock: SharedClock,
    ) -> Result<Self, StartError> {
        let watch = Watch::new();
        // At once, so that connections queue up while a large journal is loaded.
        let listener = listen(config.server.listen);
        let roster = {
            let config = config.clone();
            Arc::new(blocking(move || Roster::read(&config, environment)).await??)
        };
        for (source, doubt) in roster.doubts() {
            warn!(source = source.as_str(), help = KEY_HELP, "{doubt}");
        }
        let now_ms = clock.unix_ms();
        blocking(move || warm_up(now_ms)).await?;
        let journal = open_journal(&config, &watch).await?;
        // After the journal's: a second gateway that was started by mistake is told that there is a first one,
        // and not to take another port.
        let listener = listener?;
        let address = listener.address().map_err(|error| StartError::Listen {
            address: config.server.listen,
            error,
        })?;
        let client = Client::new(&ClientSettings {
            timeout: config.graph.timeout,
            connect_timeout: config.graph.connect_timeout,
            ..ClientSettings::default()
        })?;

        match client.roots() {
            Roots::System => {}
            roots @ Roots::Bundled => warn!("{roots}"),
        }

        let (close_doors, stop) = (CancellationToken::new(), CancellationToken::new());
        let (doors, workers) = (TaskTracker::new(), TaskTracker::new());
        let reload = Arc::new(Notify::new());
        let ways_in = Arc::new(Doors::new(
            &config,
            Arc::clone(&journal),
            Arc::clone(&clock),
            watch.clone(),
            roster.keys(),
            close_doors.clone(),
        ));
        doors.spawn(door::serve(
            listener,
            ways_in,
            config.server.clone(),
            close_doors.clone(),
        ));
        workers.spawn(lane::supervise(Supervisor {
            journal: Arc::clone(&journal),
            client,
            clock: Arc::clone(&clock),
            watch: watch.clone(),
            graph: config.graph.clone(),
            datasets: config
                .datasets
                .iter()
                .map(|dataset| (dataset.id.clone(), dataset.clone()))
                .collect(),
            destinations: roster.destinations(),
            stop: stop.clone(),
        }));
        workers.spawn(upkeep::run(upkeep::Upkeep {
            roster,
            journal: Arc::clone(&journal),
            clock,
            watch,
            retention: config.journal.retention,
            datasets: config.datasets.clone(),
            reload: Arc::clone(&reload),
            stop: stop.clone(),
        }));
        Ok(Self {
            address,
            journal,
            close_doors,
            doors,
            stop,
            workers,
            reload,
        })
    }

    /// Where events are taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Reads all keys and tokens again, and wakes parked lanes.
    pub fn reload(&self) {
        self.reload.notify_one();
    }

    /// Stops: takes no more requests, finishes those that have begun, lets batches that are on their way
    /// arrive, and leaves the rest on disk.
    pub async fn stop(self) {
        self.close_doors.cancel();
        self.doors.close();
        self.doors.wait().await;
        self.stop.cancel();
        self.workers.close();
        self.workers.wait().await;
        if let Err(error) = self.journal.close().await {
            tracing::error!(%error, "closing the journal");
        }
    }
}

fn listen(address: SocketAddr) -> Result<Listener, StartError> {
    Listener::bind(address).map_err(|error| StartError::Listen { address, error })
}

/// Loads the metadata of phone numbers, which takes some milliseconds, before the first event needs it.
fn warm_up(now_ms: u64) {
    let context = Context {
        country: None,
        now_s: clock::seconds(now_ms),
        external_id: ExternalId::Hash,
    };
    // A number of an example; what it becomes does not matter.
    let _normalized = normalize(UserField::Ph, "+16505551212", &context);
}

async fn open_journal(config: &Config, watch: &Watch) -> Result<Arc<dyn Journal>, StartError> {
    let path = config.journal.path.clone();
    let watch = watch.clone();
    let options = Options {
        observer: Some(Box::new(move |commit| watch.committed(commit.elapsed))),
    };
    Ok(Arc::new(
        blocking(move || Embedded::open(&path, options)).await??,
    ))
}

/// Does something that blocks, away from the threads that serve.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StartError> {
    let task = tokio::task::spawn_blocking(work);
    task.await
        .map_err(|error| StartError::Defect(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_cannot_be_had_says_why() {
        for (kind, expected) in [
            (io::ErrorKind::PermissionDenied, "ports below 1024"),
            (io::ErrorKind::AddrInUse, "another program listens there"),
            (io::ErrorKind::AddrNotAvailable, "no such address"),
            (io::ErrorKind::OutOfMemory, "server.listen"),
        ] {
            let error = StartError::Listen {
                address: SocketAddr::from(([127, 0, 0, 1], 80)),
                error: kind.into(),
            };
            let help = error.help().unwrap_or_default();
            let is_right = help.contains(expected) && help.contains("server.listen");
            assert!(is_right, "{kind}: {help}");
        }
    }
}
