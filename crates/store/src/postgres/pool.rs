//! A few connections.

use std::sync::{Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::{Client, NoTls};

use super::run::fault;
use super::tls::{Connector, connector};
use super::url::{self, Tls, Way};
use crate::error::{Fault, StoreError};

/// Connections to the server. More calls wait for their turn.
const CONNECTIONS: usize = 4;

/// What every connection is told first. A statement, a lock and a caller that went away end before the whole call does.
const SETTINGS: &str = "SET statement_timeout = '20s'; SET lock_timeout = '15s'; \
     SET idle_in_transaction_session_timeout = '30s'";

pub(super) struct Pool {
    way: Way,
    connector: Connector,
    /// What a connection is told first.
    greeting: String,
    turns: Semaphore,
    idle: Mutex<Vec<Client>>,
}

/// A connection in use. One that is not given back is closed, and what it had begun is rolled back.
pub(super) struct Lease<'a> {
    pub(super) client: Client,
    _turn: SemaphorePermit<'a>,
}

impl Pool {
    pub(super) fn new(url: &str, schema: &str) -> Result<Self, String> {
        let way = url::read(url)?;
        let connector = connector(&way.tls)?;
        Ok(Self {
            way,
            connector,
            greeting: format!("{SETTINGS}; SET search_path = \"{schema}\""),
            turns: Semaphore::new(CONNECTIONS),
            idle: Mutex::new(Vec::new()),
        })
    }

    /// A connection that is open, as far as is known.
    pub(super) async fn take(&self, owner: &'static str) -> Result<Lease<'_>, StoreError> {
        let turn = self.turns.acquire().await.map_err(|_closed| {
            StoreError::Unavailable(Fault::of(owner, "call", None, "the store is closed"))
        })?;
        let client = match self.idle_client() {
            Some(client) => client,
            None => self.connect(owner).await?,
        };
        Ok(Lease {
            client,
            _turn: turn,
        })
    }

    fn idle_client(&self) -> Option<Client> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|client| !client.is_closed());
        idle.pop()
    }

    /// Takes a connection back on which no transaction is open.
    pub(super) fn give_back(&self, lease: Lease<'_>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(lease.client);
    }

    async fn connect(&self, owner: &'static str) -> Result<Client, StoreError> {
        let failed = |error| fault(owner, "connect", &error);
        let config = &self.way.config;
        let client = if self.way.tls == Tls::None {
            let (client, connection) = Box::pin(config.connect(NoTls)).await.map_err(failed)?;
            // It ends with its client, and tells it of every error.
            tokio::spawn(connection);
            client
        } else {
            let connected = Box::pin(config.connect(self.connector.clone())).await;
            let (client, connection) = connected.map_err(failed)?;
            tokio::spawn(connection);
            client
        };
        client.batch_execute(&self.greeting).await.map_err(failed)?;
        Ok(client)
    }
}
