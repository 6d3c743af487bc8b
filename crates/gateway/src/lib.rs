//! The running gateway: doors take events, the journal keeps them, lanes deliver them.
//!
//! [`Gateway::start`] wires it and reads as the architecture does. Everything that runs is owned by the
//! [`Gateway`] and finished by [`Gateway::stop`]: first the doors, then the lanes, then the journal.

mod board;
mod body_keys;
mod clock;
pub mod config;
pub mod control;
mod directives;
mod door;
mod doubt;
pub mod jobs;
mod lane;
mod lane_state;
mod listeners;
mod maintenance;
mod operate;
mod records;
mod reload;
mod roster;
mod start;
mod ticks;
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
use control::Control;
use directives::Directives;
pub use directives::DirectivesError;
use door::{Doors, Stage, Stages};
use jobs::{Job, Retention, Scheduler, Versions};
use lane::Supervisor;
use listeners::Listeners;
pub use listeners::{ListenError, Sockets, SocketsError};
use operate::Operations;
use records::Records;
use reload::{Keeper, Reloader, Secrets};
pub use reload::{ReloadError, Reloaded, SetFilter};
pub use roster::RosterError;
use roster::Snapshots;
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
    /// Another process goes on taking events when this one stops.
    is_shared: bool,
    snapshots: Snapshots,
    servers: TaskTracker,
    /// Lanes and maintenance: nothing new is sent.
    stop: CancellationToken,
    /// Lanes: what is on its way is not waited for any longer.
    give_up: CancellationToken,
    workers: TaskTracker,
    reloader: Arc<Reloader>,
    reload: Arc<Notify>,
    failed: CancellationToken,
    watch: Watch,
    operations: Arc<Operations>,
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
            set_filter,
        } = start;
        let watch = Watch::new(Arc::clone(&clock));
        let configuration = file.as_ref().map(|file| file.path().display().to_string());
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
        watch.begin(time.unix_ms());
        watch.configured(&config, time.unix_ms());
        let roster = start::read_secrets(&config, &environment, listeners.as_ref().ok()).await?;
        start::warm_up(time.unix_ms()).await?;
        let journal = start::open_journal(&config, &environment, &time, &watch).await?;
        let directives = start::read_directives(&config).await?;
        // After the journal's: a second gateway that was started by mistake is told that there is a first one,
        // and not to take another port.
        let listeners = listeners?;
        if let roots @ Roots::Bundled = client.roots() {
            warn!("{roots}");
        }
        let board = Board::default();
        let reloader = Reloader::new(
            Arc::clone(&roster),
            (file, environment),
            Arc::clone(&time),
            (watch.clone(), board.clone()),
            set_filter,
        );
        let parts = Parts {
            configuration,
            watch,
            board,
            directives,
            client,
            time,
            snapshots: roster.snapshots(),
            reloader: Arc::new(reloader),
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

    /// Asks for what [`Gateway::reloaded`] does. What comes of it is in the log.
    pub fn reload(&self) {
        self.reload.notify_one();
    }

    /// Reads the configuration and all secrets again, puts in force what can be, and has everything tried at once that
    /// waits for something to be mended.
    ///
    /// # Errors
    ///
    /// Why nothing of the configuration was put in force.
    pub async fn reloaded(&self) -> Result<Reloaded, ReloadError> {
        self.reloader.reload().await
    }

    /// What people may do to it.
    pub fn control(&self) -> Arc<dyn Control> {
        Arc::clone(&self.operations) as Arc<dyn Control>
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
        let drain = self.snapshots.borrow().config.server.drain;
        // Clients of a shared socket need not go elsewhere: what they send now, the next process answers.
        if self.is_shared || drain.is_zero() || !self.doors.are_in_use() {
            return;
        }
        info!(
            seconds = drain.as_secs(),
            "draining: /readyz says 503, events are still taken"
        );
        self.stage.send_replace(Stage::Draining);
        sleep(drain).await;
    }

    /// Stops: refuses new requests, finishes those that have begun, lets batches that are on their way arrive
    /// for a moment, and leaves the rest on disk. Connections are accepted, and told so, until all of that is
    /// done.
    pub async fn stop(self) {
        self.stage.send_replace(Stage::Refusing);
        self.stop.cancel();
        let grace = self.snapshots.borrow().config.server.shutdown_grace;
        tokio::join!(self.doors.answered(grace), self.workers_ended());
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
    /// Where the configuration is, for people.
    configuration: Option<String>,
    watch: Watch,
    board: Board,
    directives: Directives,
    client: Client,
    time: Arc<Time>,
    snapshots: Snapshots,
    reloader: Arc<Reloader>,
    journal: Arc<dyn Journal>,
}

impl Parts {
    /// Starts the doors, the lanes, the jobs and the maintenance.
    fn run(self, listeners: Listeners) -> Gateway {
        let (stage, stages) = Stages::new();
        let (servers, workers) = (TaskTracker::new(), TaskTracker::new());
        let (stop, give_up) = (CancellationToken::new(), CancellationToken::new());
        let (failed, reload) = (CancellationToken::new(), Arc::new(Notify::new()));
        let config = Arc::clone(&self.snapshots.borrow().config);
        let doors = Arc::new(Doors::new(
            self.snapshots.clone(),
            Arc::clone(&self.journal),
            Arc::clone(&self.time),
            self.watch.clone(),
            (self.board.clone(), self.directives.clone()),
            stages.clone(),
        ));
        let (address, admin_address) = (listeners.address, listeners.admin_address);
        let is_shared = listeners.is_shared;
        listeners.serve(&doors, &stages, &servers);
        info!(
            version = env!("CARGO_PKG_VERSION"),
            pid = std::process::id(),
            configuration = self.configuration,
            listen = %address,
            admin = %admin_address,
            journal = %config.journal.path.display(),
            datasets = config.datasets.len(),
            sources = config.sources.len(),
            waiting = doors.waiting(),
            "started"
        );
        workers.spawn(lane::supervise(self.lanes(&stop, &give_up)));
        workers.spawn(self.jobs(&stop).run());
        workers.spawn(maintenance::run(self.maintenance(&stop, &failed)));
        let keeper = Keeper {
            reloader: Arc::clone(&self.reloader),
            asked: Arc::clone(&reload),
        };
        let kept_until = stop.clone();
        workers.spawn(async move {
            kept_until.run_until_cancelled(keeper.run()).await;
        });
        let operations = Arc::new(self.operations());
        operate::start(&operations, &workers, &stop);
        Gateway {
            address,
            admin_address,
            journal: self.journal,
            doors,
            stage,
            is_shared,
            snapshots: self.snapshots,
            servers,
            stop,
            give_up,
            workers,
            reloader: self.reloader,
            reload,
            failed,
            watch: self.watch,
            operations,
        }
    }

    fn operations(&self) -> Operations {
        let folder = self.snapshots.borrow().config.journal.path.clone();
        Operations {
            journal: Arc::clone(&self.journal),
            open_ledger: start::ledger_in(&folder),
            folder,
            clock: Arc::clone(&self.time),
            watch: self.watch.clone(),
            board: self.board.clone(),
            directives: self.directives.clone(),
            snapshots: self.snapshots.clone(),
            reloader: Arc::clone(&self.reloader),
        }
    }

    fn lanes(&self, stop: &CancellationToken, give_up: &CancellationToken) -> Supervisor {
        Supervisor {
            journal: Arc::clone(&self.journal),
            client: self.client.clone(),
            clock: Arc::clone(&self.time),
            watch: self.watch.clone(),
            board: self.board.clone(),
            directives: self.directives.clone(),
            snapshots: self.snapshots.clone(),
            stop: stop.clone(),
            give_up: give_up.clone(),
        }
    }

    fn jobs(&self, stop: &CancellationToken) -> Scheduler {
        let (clock, watch) = (Arc::clone(&self.time), self.watch.clone());
        let jobs: Vec<Arc<dyn Job>> = vec![
            Arc::new(Retention {
                journal: Arc::clone(&self.journal),
                clock: Arc::clone(&clock),
                snapshots: self.snapshots.clone(),
            }),
            Arc::new(Versions {
                snapshots: self.snapshots.clone(),
                clock: Arc::clone(&clock),
            }),
            Arc::new(Secrets::new(Arc::clone(&self.reloader))),
        ];
        let folder = self.snapshots.borrow().config.journal.path.clone();
        let records = Arc::new(Records::new(folder, watch.clone()));
        Scheduler::new(jobs, records, clock, watch, stop.clone())
    }

    fn maintenance(
        &self,
        stop: &CancellationToken,
        failed: &CancellationToken,
    ) -> maintenance::Maintenance {
        maintenance::Maintenance {
            journal: Arc::clone(&self.journal),
            clock: Arc::clone(&self.time),
            watch: self.watch.clone(),
            board: self.board.clone(),
            stop: stop.clone(),
            failed: failed.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{Config, FixedEnvironment};

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
            set_filter: None,
        });
        let gateway = started.await.unwrap();
        // As if its writer had panicked.
        gateway.journal.close().await.unwrap();
        let failed = tokio::time::timeout(Duration::from_mins(1), gateway.failed());
        assert!(failed.await.is_ok());
        gateway.stop().await;
    }
}
