//! The store and an owner's handle to its tables.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::error::StoreError;
use crate::migration::Owner;
#[cfg(feature = "postgres")]
use crate::postgres::Postgres;
use crate::sqlite::Sqlite;
use crate::statement::{self, Outcome, Statement};

/// How long a call may take, waiting included.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Where a store is.
#[derive(Clone, Copy)]
pub enum Place<'a> {
    /// `records.db` in this folder, which is made when it is missing.
    Folder(&'a Path),
    /// A schema of a PostgreSQL database, which is made when it is missing. The URL is
    /// `postgres://user:password@host:port/database`. A server that is not on this machine is spoken to by TLS only, and
    /// has to prove its name: with a certificate that the system trusts, or with one of `sslrootcert=FILE`.
    ///
    /// A pooler may stand in front that keeps a session for the length of a transaction at least: `PgBouncer` with
    /// `pool_mode` `session` or `transaction`. That a client has gone, the server hears from the pooler.
    #[cfg(feature = "postgres")]
    Postgres {
        /// The URL.
        url: &'a str,
        /// The schema's name: lower-case letters, digits and `_`.
        schema: &'a str,
    },
}

/// An open store. Clones are the same store.
#[derive(Clone)]
pub struct Store {
    engine: Arc<Engine>,
}

enum Engine {
    Sqlite(Sqlite),
    #[cfg(feature = "postgres")]
    Postgres(Box<Postgres>),
}

impl Store {
    /// Opens a store, or makes it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] when the place is not for this program, in words for a person; otherwise what the
    /// database says.
    pub async fn open(place: Place<'_>) -> Result<Self, StoreError> {
        Self::open_with(place, ANSWER_MAX).await
    }

    pub(crate) async fn open_with(
        place: Place<'_>,
        answer_max: Duration,
    ) -> Result<Self, StoreError> {
        let engine = match place {
            Place::Folder(folder) => {
                let folder = folder.to_owned();
                let open = move || Sqlite::open(&folder, answer_max);
                let opened = tokio::task::spawn_blocking(open).await;
                Engine::Sqlite(opened.map_err(ended)??)
            }
            #[cfg(feature = "postgres")]
            Place::Postgres { url, schema } => {
                let opened = Box::pin(Postgres::open(url, schema, answer_max)).await?;
                Engine::Postgres(Box::new(opened))
            }
        };
        Ok(Self {
            engine: Arc::new(engine),
        })
    }

    /// Opens the store in a folder to read it, beside the program that writes it or without one. `None` where there is
    /// none; nothing is made or changed.
    ///
    /// # Errors
    ///
    /// As [`Store::open`].
    pub async fn look(folder: &Path) -> Result<Option<Self>, StoreError> {
        let folder = folder.to_owned();
        let looked = tokio::task::spawn_blocking(move || Sqlite::look(&folder, ANSWER_MAX)).await;
        Ok(looked.map_err(ended)??.map(|sqlite| Self {
            engine: Arc::new(Engine::Sqlite(sqlite)),
        }))
    }

    /// Closes the store, once the calls that have begun are done: then its files are as after any orderly end. Later
    /// calls are [`StoreError::Unavailable`].
    pub async fn close(&self) {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.close().await,
            #[cfg(feature = "postgres")]
            Engine::Postgres(postgres) => postgres.close(),
        }
    }

    /// Takes the steps of an owner that are missing, and gives a handle to its tables. Any number of programs may do so
    /// at the same time.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] when a newer version made the tables, a step is not the one that was taken, or one is
    /// missing in a store that is only read.
    pub async fn tables(&self, owner: Owner) -> Result<Tables, StoreError> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.migrate(owner).await?,
            #[cfg(feature = "postgres")]
            Engine::Postgres(postgres) => Box::pin(postgres.migrate(owner)).await?,
        }
        Ok(Tables {
            store: self.clone(),
            owner: owner.name,
        })
    }
}

/// The runtime is being shut down.
fn ended(_error: tokio::task::JoinError) -> StoreError {
    StoreError::Refused("the program is ending".to_owned())
}

/// The tables of one owner. Clones are the same tables.
#[derive(Clone)]
pub struct Tables {
    store: Store,
    owner: &'static str,
}

impl Tables {
    /// Runs statements that change nothing; all see the same state. One outcome for each.
    ///
    /// # Errors
    ///
    /// [`StoreError`]. A statement that writes is [`StoreError::Broken`].
    pub async fn read(&self, statements: Vec<Statement>) -> Result<Vec<Outcome>, StoreError> {
        statement::check(self.owner, &statements)?;
        match &*self.store.engine {
            Engine::Sqlite(sqlite) => sqlite.read(self.owner, statements).await,
            #[cfg(feature = "postgres")]
            Engine::Postgres(postgres) => Box::pin(postgres.read(self.owner, &statements)).await,
        }
    }

    /// Runs statements in one transaction: all of them or none. One outcome for each. Once this returns, it is on disk.
    ///
    /// # Errors
    ///
    /// [`StoreError`] of the first statement that failed.
    pub async fn write(&self, statements: Vec<Statement>) -> Result<Vec<Outcome>, StoreError> {
        statement::check(self.owner, &statements)?;
        match &*self.store.engine {
            Engine::Sqlite(sqlite) => sqlite.write(self.owner, statements).await,
            #[cfg(feature = "postgres")]
            Engine::Postgres(postgres) => Box::pin(postgres.write(self.owner, &statements)).await,
        }
    }

    /// Reads, decides what to write, and writes it, in one transaction; nothing of the same owner is written in
    /// between. Returns what was decided, and the outcomes of the writes.
    ///
    /// `decide` only computes, quickly: all writers wait for it. It may be called again with other rows.
    ///
    /// # Errors
    ///
    /// [`StoreError`] of the first statement that failed.
    pub async fn change<T, D>(
        &self,
        reads: Vec<Statement>,
        decide: D,
    ) -> Result<(T, Vec<Outcome>), StoreError>
    where
        T: Send + 'static,
        D: FnMut(Vec<Outcome>) -> (T, Vec<Statement>) + Send + 'static,
    {
        statement::check(self.owner, &reads)?;
        match &*self.store.engine {
            Engine::Sqlite(sqlite) => sqlite.change(self.owner, reads, decide).await,
            #[cfg(feature = "postgres")]
            Engine::Postgres(postgres) => {
                Box::pin(postgres.change(self.owner, &reads, decide)).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sql;
    use crate::testing::Server;

    const OWNER: Owner = Owner {
        name: "slow",
        steps: &["CREATE TABLE slow_count (n {integer}) {strict}"],
    };
    const ADD: Sql<0> = Sql::new("add", "INSERT INTO slow_count (n) VALUES (1)");
    const COUNT: Sql<0> = Sql::new("count", "SELECT count(*) FROM slow_count");

    /// More endless calls than there are connections: none of them may keep its place.
    async fn ends_what_takes_too_long(place: Place<'_>, endless: Sql<0>) {
        let store = Store::open_with(place, Duration::from_secs(3))
            .await
            .unwrap();
        let tables = store.tables(OWNER).await.unwrap();
        let reads = (0..5).map(|_| {
            tokio::spawn({
                let tables = tables.clone();
                async move { tables.read(vec![endless.with([])]).await }
            })
        });
        let write = tables.write(vec![ADD.with([]), endless.with([])]).await;
        assert!(
            matches!(write, Err(StoreError::Unavailable(_))),
            "{write:?}"
        );
        for read in reads.collect::<Vec<_>>() {
            let read = read.await.unwrap();
            assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
        }
        tables.write(vec![ADD.with([])]).await.unwrap();
        let found = tables.read(vec![COUNT.with([])]).await.unwrap();
        assert_eq!(found[0].rows[0].get::<i64>(0).unwrap(), 1);
    }

    #[tokio::test]
    async fn a_call_that_takes_too_long_ends_on_sqlite() {
        const ENDLESS: Sql<0> = Sql::new(
            "endless",
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT count(*) FROM n",
        );
        let folder = tempfile::TempDir::new().unwrap();
        ends_what_takes_too_long(Place::Folder(folder.path()), ENDLESS).await;
    }

    /// The end of a statement that writes is that of its transaction, which other calls may share.
    #[tokio::test]
    async fn calls_of_an_ended_commit_are_told_so_on_sqlite() {
        const ENDLESS: Sql<0> = Sql::new(
            "endless",
            "INSERT INTO slow_count (n)
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT count(*) FROM n",
        );
        let folder = tempfile::TempDir::new().unwrap();
        let place = Place::Folder(folder.path());
        let store = Store::open_with(place, Duration::from_secs(3))
            .await
            .unwrap();
        let tables = store.tables(OWNER).await.unwrap();
        let (open, gate) = std::sync::mpsc::channel();
        let (begun, mut has_begun) = tokio::sync::mpsc::unbounded_channel();
        let before = tables.clone();
        let before = tokio::spawn(async move {
            let decide = move |_| ((begun.send(()), gate.recv()), Vec::new());
            before.change(Vec::new(), decide).await
        });
        has_begun.recv().await.unwrap();
        // Both are handed over before the commit before theirs may end.
        let (shared, endless, opened) = tokio::join!(
            biased;
            tables.write(vec![ADD.with([])]),
            tables.write(vec![ENDLESS.with([])]),
            async { open.send(()) },
        );
        opened.unwrap();
        let ((told, waited), _) = before.await.unwrap().unwrap();
        told.unwrap();
        waited.unwrap();
        for told in [shared, endless] {
            assert!(matches!(told, Err(StoreError::Unavailable(_))), "{told:?}");
        }
        let found = tables.read(vec![COUNT.with([])]).await.unwrap();
        assert_eq!(found[0].rows[0].get::<i64>(0).unwrap(), 0);
    }

    #[tokio::test]
    async fn a_call_that_takes_too_long_ends_on_postgresql() {
        const ENDLESS: Sql<0> = Sql::new("endless", "SELECT count(*) FROM pg_sleep(3600)");
        const SLEEPERS: Sql<0> = Sql::new(
            "sleepers",
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
        );
        let server = Server::start();
        let url = server.url();
        let place = Place::Postgres {
            url: &url,
            schema: "slow",
        };
        ends_what_takes_too_long(place, ENDLESS).await;
        // The server has heard of it too, before the time of a statement was over.
        let store = Store::open(place).await.unwrap();
        let tables = store.tables(OWNER).await.unwrap();
        loop {
            let found = tables.read(vec![SLEEPERS.with([])]).await.unwrap();
            if found[0].rows[0].get::<i64>(0).unwrap() == 0 {
                break;
            }
        }
        assert!(!server.log().contains("statement timeout"));
    }
}
