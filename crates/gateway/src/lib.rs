//! The running gateway: doors take events, the journal keeps them, lanes deliver them.
//!
//! [`Gateway::start`] wires it and reads as the architecture does. Everything that runs is owned by the
//! [`Gateway`] and finished by [`Gateway::stop`]: first the doors, then the lanes, then the journal.

mod body_keys;
mod clock;
pub mod config;
mod config_file;
mod door;
mod lane;
mod lane_state;
mod listeners;
mod roster;
mod time;
mod upkeep;
mod watch;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sluice_event::{Context, ExternalId, UserField, normalize};
use sluice_graph::{Client, ClientError, ClientSettings, Roots};
use sluice_journal::{Embedded, Encryption, Journal, OpenError, Options};
use tokio::sync::{Notify, watch as channel};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

pub use body_keys::body_keys;
pub use clock::{Clock, SharedClock, SystemClock};
use config::{Config, ConfigFile, Environment, FILE_HELP, KEY_HELP, OPEN_FILE};
use door::{Doors, Stage, Stages};
use lane::Supervisor;
use listeners::Listeners;
pub use listeners::{Sockets, SocketsError};
use roster::Roster;
pub use roster::RosterError;
pub use time::ClockError;
use time::Time;
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
    /// A socket that was handed over cannot be used.
    #[error(transparent)]
    Sockets(#[from] SocketsError),
    /// An address cannot be listened at.
    #[error("listening on {address}")]
    Listen {
        /// The key of the configuration.
        key: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// Meta cannot be reached with these settings.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The clock of this computer cannot be right.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// A thread ended before it should.
    #[error("a defect in Sluice: {0}")]
    Defect(String),
}

impl StartError {
    pub(crate) fn listen(key: &'static str, address: SocketAddr, error: io::Error) -> Self {
        Self::Listen {
            key,
            address,
            error,
        }
    }

    /// What would help, where more is to be said than what is wrong.
    pub fn help(&self) -> Option<String> {
        match self {
            StartError::Journal(error) => Some(error.help().to_owned()),
            StartError::Secret(_) => {
                Some("`sluice config check` shows which secrets can be read".to_owned())
            }
            StartError::Listen { key, error, .. } => Some(listen_help(key, error.kind())),
            StartError::Clock(_) => {
                Some("set the clock, best by NTP, and start again; nothing was changed".to_owned())
            }
            StartError::Sockets(_) | StartError::Client(_) | StartError::Defect(_) => None,
        }
    }
}

/// What a gateway is started with.
pub struct Start {
    /// What to do.
    pub config: Config,
    /// The file that says so. It is looked at for changes, which take effect with the next start.
    pub file: Option<ConfigFile>,
    /// Where secrets may be.
    pub environment: Arc<dyn Environment>,
    /// Time and chance.
    pub clock: SharedClock,
    /// Sockets that listen already; what they leave open, the configuration says.
    pub sockets: Sockets,
}

/// What helps against an address of this key that cannot be had.
fn listen_help(key: &str, kind: io::ErrorKind) -> String {
    let variable = format!("SLUICE_{}", key.replace('.', "_").to_ascii_uppercase());
    let (why, to) = match kind {
        io::ErrorKind::PermissionDenied => {
            ("ports below 1024 take special rights", "one from 1024 on")
        }
        io::ErrorKind::AddrNotAvailable => ("this machine has no such address", "one that it has"),
        io::ErrorKind::AddrInUse => ("another program listens there", "another port"),
        _ => return format!("see {key}, or {variable}"),
    };
    format!("{why}: set {key} ({variable}) to {to}")
}

/// How long batches that are on their way to Meta may arrive when the gateway stops. What has no answer by
/// then waits on disk and is sent again, under the same event ids.
const ARRIVAL: Duration = Duration::from_secs(1);

/// A running gateway.
pub struct Gateway {
    address: SocketAddr,
    admin_address: SocketAddr,
    journal: Arc<dyn Journal>,
    doors: Arc<Doors>,
    /// How far the doors are closed.
    stage: channel::Sender<Stage>,
    /// How long a drain takes at most; zero when there is no need of one.
    drain: Duration,
    shutdown_grace: Duration,
    servers: TaskTracker,
    /// Lanes and upkeep: nothing new is sent.
    stop: CancellationToken,
    /// Lanes: what is on its way is not waited for any longer.
    give_up: CancellationToken,
    workers: TaskTracker,
    reload: Arc<Notify>,
    failed: CancellationToken,
}

impl Gateway {
    /// Starts everything. When this returns, events can be sent to [`Gateway::address`].
    ///
    /// # Errors
    ///
    /// What keeps it from starting; nothing runs then.
    pub async fn start(start: Start) -> Result<Self, StartError> {
        let Start {
            config,
            file,
            environment,
            clock,
            sockets,
        } = start;
        let configuration = file.as_ref().map(|file| file.path().display().to_string());
        let watch = Watch::new();
        // At once, so that connections queue up while a large journal is loaded.
        let listeners = Listeners::open(&config, sockets);
        let client = Client::new(&ClientSettings {
            timeout: config.graph.timeout,
            connect_timeout: config.graph.connect_timeout,
            ..ClientSettings::default()
        })?;
        let clock = Time::new(
            clock,
            watch.clone(),
            client.clone(),
            config.graph.base_url.clone(),
        );
        let clock = Arc::new(clock?);
        let roster = {
            let (mut config, environment) = (config.clone(), Arc::clone(&environment));
            if let Ok(listeners) = &listeners {
                // That of a socket that was handed over is not in the file; keys may be short if no other machine
                // reaches any of them.
                config.server.listen = listeners.address;
            }
            Arc::new(blocking(move || Roster::read(&config, environment)).await??)
        };
        for (source, doubt) in roster.doubts() {
            warn!(source = source.as_str(), help = KEY_HELP, "{doubt}");
        }
        for (secret, file) in roster.open_files() {
            warn!(secret, file, help = FILE_HELP, "{OPEN_FILE}");
        }
        let now_ms = clock.unix_ms();
        blocking(move || warm_up(now_ms)).await?;
        let journal = open_journal(&config, &environment, &clock, &watch).await?;
        // After the journal's: a second gateway that was started by mistake is told that there is a first one,
        // and not to take another port.
        let listeners = listeners?;

        match client.roots() {
            Roots::System => {}
            roots @ Roots::Bundled => warn!("{roots}"),
        }

        let (stop, give_up) = (CancellationToken::new(), CancellationToken::new());
        let failed = CancellationToken::new();
        let (servers, workers) = (TaskTracker::new(), TaskTracker::new());
        let reload = Arc::new(Notify::new());
        let (stage, stages) = Stages::new();
        let doors = Arc::new(Doors::new(
            &config,
            Arc::clone(&journal),
            Arc::clone(&clock),
            watch.clone(),
            roster.keys(),
            stages.clone(),
        ));
        let (address, admin_address) = (listeners.address, listeners.admin_address);
        let drain = listeners.drain(config.server.drain);
        listeners.serve(&config.server, &doors, &stages, &servers);
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
            give_up: give_up.clone(),
        }));
        workers.spawn(upkeep::run(upkeep::Upkeep {
            roster,
            journal: Arc::clone(&journal),
            clock,
            watch,
            retention: config.journal.retention,
            datasets: config.datasets.clone(),
            reload: Arc::clone(&reload),
            edited: file.map(|file| config_file::Look::new(file, environment)),
            told: upkeep::Told::default(),
            stop: stop.clone(),
            failed: failed.clone(),
        }));
        info!(
            version = env!("CARGO_PKG_VERSION"),
            pid = std::process::id(),
            configuration,
            listen = %address,
            admin = %admin_address,
            journal = %config.journal.path.display(),
            datasets = config.datasets.len(),
            sources = config.sources.len(),
            waiting = doors.waiting(),
            "started"
        );
        Ok(Self {
            address,
            admin_address,
            journal,
            doors,
            stage,
            drain,
            shutdown_grace: config.server.shutdown_grace,
            servers,
            stop,
            give_up,
            workers,
            reload,
            failed,
        })
    }

    /// Where events are taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where metrics and the state of the lanes are shown.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// Reads all keys and tokens again, and wakes parked lanes.
    pub fn reload(&self) {
        self.reload.notify_one();
    }

    /// Returns when the journal's writer has ended by a defect. Nothing can be kept any more, and only a new
    /// process can change that: stop this one, so that what watches over it starts another.
    pub async fn failed(&self) {
        self.failed.cancelled().await;
    }

    /// Prepares a stop: goes on taking events, says on `/readyz` and with `Connection: close` that clients had
    /// better go elsewhere, and gives them the time that is configured. Returns at once when no
    /// client sends events.
    pub async fn drain(&self) {
        if self.drain.is_zero() || !self.doors.are_in_use() {
            return;
        }
        info!(
            seconds = self.drain.as_secs(),
            "draining: /readyz says 503, events are still taken"
        );
        self.stage.send_replace(Stage::Draining);
        sleep(self.drain).await;
    }

    /// Stops: refuses new requests, finishes those that have begun, lets batches that are on their way arrive
    /// for a moment, and leaves the rest on disk. Connections are accepted, and told so, until all of that is
    /// done.
    pub async fn stop(self) {
        self.stage.send_replace(Stage::Refusing);
        self.stop.cancel();
        tokio::join!(
            self.doors.answered(self.shutdown_grace),
            self.workers_ended()
        );
        let waiting = self.doors.waiting();
        if let Err(error) = self.journal.close().await {
            tracing::error!(%error, "closing the journal");
        }
        self.stage.send_replace(Stage::Closed);
        self.servers.close();
        self.servers.wait().await;
        info!(waiting, "stopped");
    }

    async fn workers_ended(&self) {
        self.workers.close();
        if timeout(ARRIVAL, self.workers.wait()).await.is_err() {
            self.give_up.cancel();
            self.workers.wait().await;
        }
    }
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

async fn open_journal(
    config: &Config,
    environment: &Arc<dyn Environment>,
    clock: &Time,
    watch: &Watch,
) -> Result<Arc<dyn Journal>, StartError> {
    let path = config.journal.path.clone();
    let (journal, environment) = (config.journal.clone(), Arc::clone(environment));
    let keys = blocking(move || body_keys(&journal, &*environment)).await??;
    let watch = watch.clone();
    let options = Options {
        observer: Some(Box::new(move |commit| watch.committed(&commit))),
        deletes_delivered: config.journal.retention.is_zero(),
        encryption: Some(Encryption {
            keys,
            chance: clock.chance(),
        }),
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
    use std::time::Duration;

    use super::*;
    use crate::config::FixedEnvironment;

    #[tokio::test]
    async fn a_gateway_whose_journal_has_closed_by_itself_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let environment = FixedEnvironment::new()
            .with("META_ACCESS_TOKEN", "EAAToken")
            .with("SLUICE_KEY", "key-of-the-shop-0123456789");
        let text = format!(
            "server.listen = \"127.0.0.1:0\"\nadmin.listen = \"127.0.0.1:0\"\njournal.path = \"{}\"\n{}",
            folder.path().join("journal").display(),
            config::tests::LEAST
        );
        let config = Config::parse("test.toml", &text, &environment, 0).unwrap();
        let clock = Arc::new(SystemClock::default());
        let started = Gateway::start(Start {
            config: config.config,
            file: None,
            environment: Arc::new(environment),
            clock,
            sockets: Sockets::default(),
        });
        let gateway = started.await.unwrap();
        // As if its writer had panicked.
        gateway.journal.close().await.unwrap();
        let failed = tokio::time::timeout(Duration::from_mins(1), gateway.failed());
        assert!(failed.await.is_ok());
        gateway.stop().await;
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
                let help = StartError::listen(key, address, kind.into()).help();
                let help = help.unwrap_or_default();
                let is_right = [expected, key, variable].iter().all(|it| help.contains(it));
                assert!(is_right, "{kind}: {help}");
            }
        }
    }
}
