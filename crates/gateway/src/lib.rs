//! The running gateway: doors take events, the journal keeps them, lanes deliver them.
//!
//! [`Gateway::start`] wires it and reads as the architecture does. Everything that runs is owned by the
//! [`Gateway`] and finished by [`Gateway::stop`]: first the doors, then the lanes, then the journal.

mod board;
mod body_keys;
mod clock;
pub mod config;
mod config_file;
mod door;
mod doubt;
pub mod jobs;
mod lane;
mod lane_state;
mod listeners;
mod maintenance;
mod roster;
mod start;
mod time;
mod watch;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sluice_graph::{Client, ClientSettings, Roots};
use sluice_journal::Journal;
use tokio::sync::{Notify, watch as channel};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use board::Board;
pub use body_keys::body_keys;
pub use clock::{Clock, SharedClock, SystemClock};
use config::{Config, ConfigFile, Environment};
use door::{Doors, Stage, Stages};
use lane::Supervisor;
use listeners::Listeners;
pub use listeners::{ListenError, Sockets, SocketsError};
use roster::Roster;
pub use roster::RosterError;
pub use start::{Start, StartError};
pub use time::ClockError;
use time::Time;
use watch::Watch;

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
    /// Lanes and maintenance: nothing new is sent.
    stop: CancellationToken,
    /// Lanes: what is on its way is not waited for any longer.
    give_up: CancellationToken,
    workers: TaskTracker,
    reload: Arc<Notify>,
    failed: CancellationToken,
    watch: Watch,
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
        let watch = Watch::new(Arc::clone(&clock));
        // At once, so that connections queue up while a large journal is loaded.
        let listeners = Listeners::open(&config, sockets);
        let client = Client::new(&ClientSettings {
            timeout: config.graph.timeout,
            connect_timeout: config.graph.connect_timeout,
            ..ClientSettings::default()
        })?;
        let time = Time::new(
            clock,
            watch.clone(),
            client.clone(),
            config.graph.base_url.clone(),
        );
        let time = Arc::new(time?);
        watch.begin(&config, time.unix_ms());
        let roster = start::read_secrets(&config, &environment, listeners.as_ref().ok()).await?;
        start::warm_up(time.unix_ms()).await?;
        let journal = start::open_journal(&config, &environment, &time, &watch).await?;
        // After the journal's: a second gateway that was started by mistake is told that there is a first one,
        // and not to take another port.
        let listeners = listeners?;
        if let roots @ Roots::Bundled = client.roots() {
            warn!("{roots}");
        }
        let parts = Parts {
            config,
            file,
            environment,
            watch,
            board: Board::default(),
            client,
            time,
            roster,
            journal,
        };
        Ok(parts.run(listeners))
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
        self.watch.tell_rest();
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

/// What a gateway is made of, before anything runs.
struct Parts {
    config: Config,
    file: Option<ConfigFile>,
    environment: Arc<dyn Environment>,
    watch: Watch,
    board: Board,
    client: Client,
    time: Arc<Time>,
    roster: Arc<Roster>,
    journal: Arc<dyn Journal>,
}

impl Parts {
    /// Starts the doors, the lanes and the maintenance.
    fn run(self, listeners: Listeners) -> Gateway {
        let (stage, stages) = Stages::new();
        let (servers, workers) = (TaskTracker::new(), TaskTracker::new());
        let (stop, give_up) = (CancellationToken::new(), CancellationToken::new());
        let (failed, reload) = (CancellationToken::new(), Arc::new(Notify::new()));
        let config = &self.config;
        let doors = Arc::new(Doors::new(
            config,
            Arc::clone(&self.journal),
            Arc::clone(&self.time),
            self.watch.clone(),
            self.board.clone(),
            self.roster.keys(),
            stages.clone(),
        ));
        let (address, admin_address) = (listeners.address, listeners.admin_address);
        let drain = listeners.drain(config.server.drain);
        listeners.serve(&config.server, &doors, &stages, &servers);
        info!(
            version = env!("CARGO_PKG_VERSION"),
            pid = std::process::id(),
            configuration = (self.file.as_ref()).map(|file| file.path().display().to_string()),
            listen = %address,
            admin = %admin_address,
            journal = %config.journal.path.display(),
            datasets = config.datasets.len(),
            sources = config.sources.len(),
            waiting = doors.waiting(),
            "started"
        );
        workers.spawn(lane::supervise(self.lanes(&stop, &give_up)));
        let watch = self.watch.clone();
        let (journal, shutdown_grace) = (Arc::clone(&self.journal), config.server.shutdown_grace);
        workers.spawn(maintenance::run(self.maintenance(&reload, &stop, &failed)));
        Gateway {
            address,
            admin_address,
            journal,
            doors,
            stage,
            drain,
            shutdown_grace,
            servers,
            stop,
            give_up,
            workers,
            reload,
            failed,
            watch,
        }
    }

    fn lanes(&self, stop: &CancellationToken, give_up: &CancellationToken) -> Supervisor {
        let datasets = self.config.datasets.iter();
        Supervisor {
            journal: Arc::clone(&self.journal),
            client: self.client.clone(),
            clock: Arc::clone(&self.time),
            watch: self.watch.clone(),
            board: self.board.clone(),
            graph: self.config.graph.clone(),
            datasets: datasets
                .map(|dataset| (dataset.id.clone(), dataset.clone()))
                .collect(),
            destinations: self.roster.destinations(),
            stop: stop.clone(),
            give_up: give_up.clone(),
        }
    }

    fn maintenance(
        self,
        reload: &Arc<Notify>,
        stop: &CancellationToken,
        failed: &CancellationToken,
    ) -> maintenance::Maintenance {
        maintenance::Maintenance {
            roster: self.roster,
            journal: self.journal,
            clock: self.time,
            watch: self.watch,
            board: self.board,
            retention: self.config.journal.retention,
            datasets: self.config.datasets,
            reload: Arc::clone(reload),
            edited: (self.file).map(|file| config_file::Look::new(file, self.environment)),
            told: maintenance::Told::default(),
            stop: stop.clone(),
            failed: failed.clone(),
        }
    }
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
}
