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

/// Tries whether the server can look after its clients. Then it ends the statement of a connection that was closed, and
/// not only the connection; not every system can tell it of a closed socket.
const LOOK_AFTER_CLIENT: &str =
    "BEGIN; SET LOCAL client_connection_check_interval = '1s'; ROLLBACK";

/// The pool.
pub(super) struct Pool {
    way: Way,
    connector: Connector,
    turns: Semaphore,
    idle: Mutex<Vec<Session>>,
}

/// A connection. Its socket is closed with it, whatever the server does: one that is frozen would keep it open.
struct Session {
    client: Client,
    connection: AbortHandle,
    looks_after_client: bool,
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

    /// Whether the server can notice within a statement that its client has gone.
    pub(super) fn looks_after_client(&self) -> bool {
        self.session.looks_after_client
    }
}

impl Pool {
    pub(super) fn new(url: &str) -> Result<Self, String> {
        let way = url::read(url)?;
        let connector = connector(&way.tls)?;
        Ok(Self {
            way,
            connector,
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
        if !self.turns.is_closed() {
            idle.push(lease.session);
        }
    }

    /// Closes connections that are idle, and the others when they are given back or up; opens no more.
    pub(super) fn close(&self) {
        self.turns.close();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.clear();
    }

    async fn connect(&self, owner: &'static str) -> Result<Session, StoreError> {
        let failed = |error: tokio_postgres::Error| fault(owner, "connect", &error);
        let config = &self.way.config;
        // What ends a connection is told by its client.
        let (client, connection) = if self.way.tls == Tls::None {
            let connected = Box::pin(config.connect(NoTls)).await;
            let (client, connection) = connected.map_err(failed)?;
            (client, tokio::spawn(connection).abort_handle())
        } else {
            let connected = Box::pin(config.connect(self.connector.clone())).await;
            let (client, connection) = connected.map_err(failed)?;
            (client, tokio::spawn(connection).abort_handle())
        };
        let mut session = Session {
            client,
            connection,
            looks_after_client: false,
        };
        match session.client.batch_execute(LOOK_AFTER_CLIENT).await {
            Ok(()) => session.looks_after_client = true,
            Err(error) if error.as_db_error().is_none() => return Err(failed(error)),
            Err(_cannot) => session
                .client
                .batch_execute("ROLLBACK")
                .await
                .map_err(failed)?,
        }
        Ok(session)
    }
}
