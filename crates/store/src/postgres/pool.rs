//! A few connections.

use std::sync::{Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::AbortHandle;
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

/// A server that knows how ends the statement of a connection that was closed, and not only the connection.
const LOOK_AFTER_CLIENT: &str = "SET client_connection_check_interval = '1s'";

/// The pool.
pub(super) struct Pool {
    way: Way,
    connector: Connector,
    /// What a connection is told first.
    greeting: String,
    turns: Semaphore,
    idle: Mutex<Vec<Session>>,
}

/// A connection. Its socket is closed with it, whatever the server does: one that is frozen would keep it open.
struct Session {
    client: Client,
    connection: AbortHandle,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// A connection in use. One that is not given back is closed, and what it had begun is rolled back.
pub(super) struct Lease<'a> {
    session: Session,
    _turn: SemaphorePermit<'a>,
}

impl Lease<'_> {
    /// Where statements go.
    pub(super) fn client(&self) -> &Client {
        &self.session.client
    }
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
        let session = match self.idle_session() {
            Some(session) => session,
            None => self.connect(owner).await?,
        };
        Ok(Lease {
            session,
            _turn: turn,
        })
    }

    fn idle_session(&self) -> Option<Session> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|session| !session.client.is_closed());
        idle.pop()
    }

    /// Takes a connection back on which no transaction is open.
    pub(super) fn give_back(&self, lease: Lease<'_>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(lease.session);
    }

    async fn connect(&self, owner: &'static str) -> Result<Session, StoreError> {
        let failed = |error| fault(owner, "connect", &error);
        let config = &self.way.config;
        // What ends a connection is told by its client.
        let session = if self.way.tls == Tls::None {
            let connected = Box::pin(config.connect(NoTls)).await;
            let (client, connection) = connected.map_err(failed)?;
            let connection = tokio::spawn(connection).abort_handle();
            Session { client, connection }
        } else {
            let connected = Box::pin(config.connect(self.connector.clone())).await;
            let (client, connection) = connected.map_err(failed)?;
            let connection = tokio::spawn(connection).abort_handle();
            Session { client, connection }
        };
        let greeted = session.client.batch_execute(&self.greeting).await;
        greeted.map_err(failed)?;
        // Not every system can tell a server of a closed socket; then a statement ends by its time.
        let _told = session.client.batch_execute(LOOK_AFTER_CLIENT).await;
        Ok(session)
    }
}
