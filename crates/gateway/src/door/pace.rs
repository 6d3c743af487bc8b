//! How much callers may bring in a second: sources by their own limits, addresses whose requests show no key of a source
//! by one for all.

use std::net::IpAddr;

use axum::extract::Request;
use sluice_journal::SourceName;

use super::auth::{self, Caller};
use super::doors::Doors;
use super::forwarded;
use super::graph;
use super::peers::{Peer, network};
use super::problem::Problem;
use super::rates::Rates;

/// What callers have brought lately.
#[derive(Default)]
pub(super) struct Paces {
    requests: Rates<SourceName>,
    events: Rates<SourceName>,
    unknown: Rates<IpAddr>,
}

/// The address that a request comes from, behind all proxies that are trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Client(pub(crate) IpAddr);

impl Doors {
    /// Where a request comes from; `None` if it came over no connection.
    pub(super) fn client_of(&self, request: &Request) -> Option<Client> {
        let Peer(peer) = request.extensions().get::<Peer>()?;
        let proxies = &self.now().config.server.trusted_proxies;
        let client = forwarded::client(peer.exact, request.headers(), proxies);
        Some(Client(client))
    }

    /// Lets a request of a source in.
    ///
    /// # Errors
    ///
    /// The source has brought more than it may, and has to wait.
    pub(super) fn admit(&self, caller: &Caller) -> Result<(), Problem> {
        let (source, now_ms) = (&caller.source, self.clock.monotonic_ms());
        if let Some(max) = source.rates.events
            && let Some(wait) = self.paces.events.wait(&source.name, now_ms)
        {
            let detail = format!("the source brings more than {max} events a second");
            return Err(Problem::too_much(detail, wait));
        }
        let Some(max) = source.rates.requests else {
            return Ok(());
        };
        if let Some(wait) = self.paces.requests.wait(&source.name, now_ms) {
            let detail = format!("the source sends more than {max} requests a second");
            return Err(Problem::too_much(detail, wait));
        }
        (self.paces.requests).brought(source.name.clone(), 1, max, now_ms);
        Ok(())
    }

    /// Counts the events of a request that was let in.
    pub(super) fn brought(&self, caller: &Caller, events: usize) {
        if let Some(max) = caller.source.rates.events {
            let (name, now_ms) = (caller.source.name.clone(), self.clock.monotonic_ms());
            self.paces.events.brought(name, events, max, now_ms);
        }
    }

    /// Lets a request in whose address has sent wrong keys, or none, if it shows a right one where that can be seen
    /// before its body is read.
    ///
    /// # Errors
    ///
    /// Too many such requests came from there, and it has to wait.
    pub(super) fn admit_unknown(&self, client: Client, request: &Request) -> Result<(), Problem> {
        let now = self.now();
        let Some(max) = now.config.server.unknown_requests_per_second_max else {
            return Ok(());
        };
        let address = network(client.0);
        let Some(wait) = (self.paces.unknown).wait(&address, self.clock.monotonic_ms()) else {
            return Ok(());
        };
        let in_query = graph::key_in_query(request.uri());
        let keys = [auth::bearer(request.headers()), in_query.as_deref()];
        let mut keys = keys.into_iter().flatten();
        if keys.any(|key| Caller::with_key(&now, key).is_some()) {
            return Ok(());
        }
        let detail = format!(
            "the address sends more than {max} requests a second without the key of a source"
        );
        Err(Problem::too_much(detail, wait))
    }

    /// Counts a request with a wrong key, or without one; waits as long as its answer is to be kept back.
    pub(super) async fn wrong_key(&self, client: Client) {
        let address = network(client.0);
        if let Some(max) = self.now().config.server.unknown_requests_per_second_max {
            (self.paces.unknown).brought(address, 1, max, self.clock.monotonic_ms());
        }
        let (delay, guesses) = self.wrong_keys.met(address, self.clock.unix_ms());
        self.watch.wrong_key(guesses.as_ref());
        self.wrong_keys.keep_back(delay).await;
    }
}
