#![doc = include_str!("../README.md")]

mod answer;
mod arrival;
mod budget;
mod chance;
mod clock;
mod control;
mod events;
mod fault;
mod faults;
mod host;
mod ids;
mod node;
mod page;
mod refused;
mod request;
mod routes;
mod rules;
mod script;
mod server;
mod store;
mod tokens;
mod value;
mod versions;
mod wire;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sluice_graph::Version;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use clock::Clock;
pub use fault::{Effect, Fault};
pub use ids::{IdCount, Original, Sameness, Tally};
pub use refused::RefusedRequest;
pub use script::{ScriptError, ScriptProblem, parse_id, parse_script};
pub use store::{EarlierEvent, ReceivedEvent, Stats};
pub use tokens::{Token, TokenState, Tokens};

/// How a sandbox is set up. `Settings::default()` listens on a free port of this machine, takes any
/// token and any dataset, and has no faults.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Which tokens are good for what.
    pub tokens: Tokens,
    /// Faults in force from the start.
    pub faults: Vec<Fault>,
    /// The datasets that exist; empty: every number is one, unless it is a business.
    pub datasets: Vec<String>,
    /// Ids of businesses: they exist, but take no events.
    pub business_ids: Vec<String>,
    /// The version that serves a path without one, as an app's dashboard says.
    pub version_default: Version,
    /// How many of the newest events are kept as they came.
    pub keep_events_max: usize,
    /// How many bytes of requests are kept.
    pub keep_bytes_max: usize,
    /// How many event ids are remembered; 0: all of them.
    pub keep_ids_max: usize,
    /// How large a request may be, in bytes. Meta's own limit is not known.
    pub body_bytes_max: usize,
    /// How long a request may take to arrive.
    pub read_timeout: Duration,
    /// Calls an hour and token, above which it is throttled; 0: no limit.
    pub calls_per_hour: u32,
    /// The seed of everything that is left to chance.
    pub seed: u64,
    /// Where the time comes from.
    pub clock: Clock,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            tokens: Tokens::default(),
            faults: Vec::new(),
            datasets: Vec::new(),
            business_ids: Vec::new(),
            version_default: Version::NEWEST,
            keep_events_max: 10_000,
            keep_bytes_max: 64 << 20,
            keep_ids_max: 200_000,
            body_bytes_max: 16 << 20,
            read_timeout: Duration::from_mins(1),
            calls_per_hour: 0,
            seed: 0,
            clock: Clock::system(),
        }
    }
}

impl Settings {
    fn is_dataset(&self, id: &str) -> bool {
        let is_listed = self.datasets.is_empty() || self.datasets.iter().any(|known| known == id);
        is_listed && !self.business_ids.iter().any(|business| business == id)
    }
}

/// Everything that requests share.
struct State {
    settings: Settings,
    store: store::Store,
    wallet: tokens::Wallet,
    faults: faults::Faults,
    budget: budget::Budget,
    /// What the page says while nothing has arrived.
    invitation: OnceLock<String>,
    stop: CancellationToken,
}

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct StartError {
    /// The address of the settings.
    pub address: SocketAddr,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

impl StartError {
    /// What would help, if that is known.
    pub fn help(&self) -> Option<&'static str> {
        match self.source.kind() {
            io::ErrorKind::PermissionDenied => {
                Some("ports below 1024 take special rights: choose one from 1024 on")
            }
            io::ErrorKind::AddrInUse => {
                Some("another program listens there: choose another port, or 0 for a free one")
            }
            io::ErrorKind::AddrNotAvailable => Some(
                "this machine has no such address: choose 127.0.0.1, or 0.0.0.0 for every network",
            ),
            _ => None,
        }
    }
}

/// A running sandbox. It stops when it is dropped; [`Sandbox::stop`] waits until it has.
pub struct Sandbox {
    address: SocketAddr,
    state: Arc<State>,
    serving: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Starts a sandbox on the Tokio runtime that calls.
    pub async fn start(mut settings: Settings) -> Result<Self, StartError> {
        let (listener, address) =
            server::bind(settings.listen)
                .await
                .map_err(|source| StartError {
                    address: settings.listen,
                    source,
                })?;
        let faults = faults::Faults::new(settings.seed);
        faults.add(
            std::mem::take(&mut settings.faults),
            settings.clock.now_ms(),
        );
        let state = Arc::new(State {
            store: store::Store::new(
                settings.keep_events_max,
                settings.keep_bytes_max,
                settings.keep_ids_max,
            ),
            wallet: tokens::Wallet::new(settings.tokens.clone()),
            faults,
            budget: budget::Budget::new(settings.calls_per_hour),
            invitation: OnceLock::new(),
            stop: CancellationToken::new(),
            settings,
        });
        let serving = tokio::spawn(server::run(listener, Arc::clone(&state)));
        Ok(Self {
            address,
            state,
            serving: Some(serving),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What stands in for `https://graph.facebook.com`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Puts these faults in the place of all others; an empty list ends the bad day. Times begin now.
    pub fn script(&self, faults: Vec<Fault>) {
        self.state.faults.clear();
        let now_ms = self.state.settings.clock.now_ms();
        self.state.faults.add(faults, now_ms);
    }

    /// Lists a token, in place of what was said about it before.
    pub fn set_token(&self, token: Token) {
        self.state.wallet.set(token);
    }

    /// What arrived so far, in numbers.
    pub fn stats(&self) -> Stats {
        self.state.store.stats()
    }

    /// Waits until the numbers are as wanted; looks again after each answered request. It waits for
    /// as long as it takes: put a timeout around it.
    pub async fn wait_until(&self, is_enough: impl FnMut(&Stats) -> bool) -> Stats {
        self.state.store.wait_until(is_enough).await
    }

    /// The kept events, oldest first.
    pub fn received(&self) -> Vec<ReceivedEvent> {
        self.state.store.received(Some(0), usize::MAX)
    }

    /// The newest refused requests, oldest first.
    pub fn refused(&self) -> Vec<RefusedRequest> {
        self.state.store.refused(Some(0), usize::MAX)
    }

    /// How often each event id came, in the order of arrival.
    pub fn ids(&self) -> Vec<IdCount> {
        self.state.store.ids_page(0, usize::MAX).0
    }

    /// Lists events of an earlier run, in this order, as what arrived then.
    pub fn remember(&self, events: &[EarlierEvent]) {
        let version = self.state.settings.version_default.to_string();
        for event in events {
            self.state.store.remember(event, &version);
        }
    }

    /// Sets what the page shows while nothing has arrived: a command line that sends an event. Only the first
    /// call counts.
    pub fn invite(&self, command: String) {
        // A second one has nothing new to say.
        let _ = self.state.invitation.set(command);
    }

    /// Forgets what arrived. Faults and tokens stay.
    pub fn clear(&self) {
        self.state.store.clear();
    }

    /// Takes no more requests, lets those in flight end (for at most five seconds), and returns.
    pub async fn stop(mut self) {
        self.state.stop.cancel();
        if let Some(serving) = self.serving.take() {
            // A panic in the accept loop has nothing left to tell here.
            serving.await.ok();
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.state.stop.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_cannot_be_had_says_what_would_be_right() {
        for (kind, expected) in [
            (io::ErrorKind::PermissionDenied, "one from 1024 on"),
            (io::ErrorKind::AddrInUse, "choose another port"),
            (io::ErrorKind::AddrNotAvailable, "choose 127.0.0.1"),
            (io::ErrorKind::OutOfMemory, ""),
        ] {
            let error = StartError {
                address: Settings::default().listen,
                source: kind.into(),
            };
            let help = error.help().unwrap_or_default();
            assert!(help.contains(expected), "{kind}: {help}");
            assert_eq!(help.is_empty(), expected.is_empty(), "{kind}");
        }
    }
}
