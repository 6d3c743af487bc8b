//! PostgreSQL: a schema of a database that any number of gateways share.
//!
//! A session holds nothing that a call relies on: the schema, the longest times and the locks are those of its
//! transaction, and no statement is prepared. So a pooler in front of the server may hand its connections to others
//! between two transactions (`pool_mode = transaction` of `PgBouncer`), but not between two statements.

mod pool;
mod run;
mod tls;
mod url;

use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio_postgres::Client;

use crate::error::{Fault, StoreError};
use crate::migration::{Dialect, MIGRATION_MAX, NOTES, Owner, TAKE, TAKEN, missing};
use crate::statement::{self, Outcome, Statement};
use crate::value::Value;
use pool::{Lease, Pool};
use run::{fault, run, run_all};

/// A transaction that a deadlock ended is tried this often in all.
const TRIES_MAX: usize = 8;

/// The oldest server: 14.
const SERVER_VERSION_MIN: i64 = 140_000;

/// What every transaction is told first. A statement, a lock and a caller that went away end before the whole call does.
const LONGEST: [(&str, &str); 3] = [
    ("statement_timeout", "20s"),
    ("lock_timeout", "15s"),
    ("idle_in_transaction_session_timeout", "30s"),
];

/// The same of a migration.
const MIGRATION_LONGEST: [(&str, &str); 3] = [
    ("statement_timeout", "600s"),
    ("lock_timeout", "600s"),
    ("idle_in_transaction_session_timeout", "30s"),
];

/// How a server that can do so notices within a statement that its client has gone.
const LOOK_AFTER_CLIENT: (&str, &str) = ("client_connection_check_interval", "1s");

/// A store in a schema.
pub(crate) struct Postgres {
    pool: Pool,
    schema: String,
    /// How long a call may take, waiting included.
    answer_max: Duration,
}

impl Postgres {
    /// Finds the server, and whether it will do.
    pub(crate) async fn open(
        url: &str,
        schema: &str,
        answer_max: Duration,
    ) -> Result<Self, StoreError> {
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if schema.is_empty() || schema.len() > 63 || !schema.bytes().all(is_name) {
            return Err(StoreError::Refused(
                "a schema's name is up to 63 lower-case letters, digits and `_`".to_owned(),
            ));
        }
        let store = Self {
            pool: Pool::new(url).map_err(StoreError::Refused)?,
            schema: schema.to_owned(),
            answer_max,
        };
        within(answer_max, "store", store.check_server()).await?;
        Ok(store)
    }

    /// Closes its connections.
    pub(crate) fn close(&self) {
        self.pool.close();
    }

    async fn check_server(&self) -> Result<(), StoreError> {
        let lease = self.pool.take("store").await?;
        let asked = own(
            "SELECT CAST(current_setting('server_version_num') AS BIGINT), current_setting('server_encoding')",
            Vec::new(),
        );
        let found = run(lease.client(), "store", &asked).await?;
        self.pool.give_back(lease);
        for row in found.rows {
            if row.get::<i64>(0)? < SERVER_VERSION_MIN {
                return Err(StoreError::Refused(
                    "it needs PostgreSQL 14 or later, and the server is older".to_owned(),
                ));
            }
            if row.get::<String>(1)? != "UTF8" {
                return Err(StoreError::Refused(
                    "the database's encoding is not UTF8: `CREATE DATABASE … ENCODING 'UTF8'`"
                        .to_owned(),
                ));
            }
        }
        Ok(())
    }

    pub(crate) async fn migrate(&self, owner: Owner) -> Result<(), StoreError> {
        within(MIGRATION_MAX, owner.name, async {
            let lease = self.pool.take(owner.name).await?;
            let lock = format!("SELECT pg_advisory_xact_lock({})", self.lock("migration"));
            let begin = self.begin(&lease, "", &MIGRATION_LONGEST, &lock);
            let result = match batch(lease.client(), owner.name, &begin).await {
                Ok(()) => self.take_steps(lease.client(), &owner).await,
                Err(error) => Err(error),
            };
            self.end(owner.name, lease, result).await
        })
        .await
    }

    /// Takes the steps that are missing, in an open transaction.
    async fn take_steps(&self, client: &Client, owner: &Owner) -> Result<(), StoreError> {
        let schema = own(
            "SELECT count(*) FROM pg_namespace WHERE nspname = $1",
            vec![self.schema.as_str().into()],
        );
        let found = run(client, owner.name, &schema).await?;
        for row in found.rows {
            if row.get::<i64>(0)? == 0 {
                let create = format!("CREATE SCHEMA \"{}\"", self.schema);
                batch(client, owner.name, &create).await?;
            }
        }
        batch(client, owner.name, &Dialect::Postgres.write(NOTES)).await?;
        let taken = run(client, owner.name, &own(TAKEN, vec![owner.name.into()])).await?;
        let taken: Result<Vec<String>, _> = taken.rows.iter().map(|row| row.get(0)).collect();
        for step in missing(owner, &taken?)? {
            batch(client, owner.name, &Dialect::Postgres.write(step.text)).await?;
            let note = vec![owner.name.into(), step.number.into(), step.checksum.into()];
            run(client, owner.name, &own(TAKE, note)).await?;
        }
        Ok(())
    }

    pub(crate) async fn read(
        &self,
        owner: &'static str,
        statements: &[Statement],
    ) -> Result<Vec<Outcome>, StoreError> {
        within(self.answer_max, owner, async {
            let lease = self.pool.take(owner).await?;
            let mode = "ISOLATION LEVEL REPEATABLE READ, READ ONLY";
            let begin = self.begin(&lease, mode, &LONGEST, "");
            let result = match batch(lease.client(), owner, &begin).await {
                Ok(()) => run_all(lease.client(), owner, statements).await,
                Err(error) => Err(error),
            };
            self.end(owner, lease, result.map_err(as_reader)).await
        })
        .await
    }

    pub(crate) async fn write(
        &self,
        owner: &'static str,
        statements: &[Statement],
    ) -> Result<Vec<Outcome>, StoreError> {
        let lock = format!("SELECT pg_advisory_xact_lock_shared({})", self.lock(owner));
        within(self.answer_max, owner, async {
            let mut tries = 1;
            loop {
                let lease = self.pool.take(owner).await?;
                let begin = self.begin(&lease, "", &LONGEST, &lock);
                let result = match batch(lease.client(), owner, &begin).await {
                    Ok(()) => run_all(lease.client(), owner, statements).await,
                    Err(error) => Err(error),
                };
                match self.end(owner, lease, result).await {
                    Err(error) if is_passing(&error) && tries < TRIES_MAX => tries += 1,
                    result => return result,
                }
            }
        })
        .await
    }

    pub(crate) async fn change<T, D>(
        &self,
        owner: &'static str,
        reads: &[Statement],
        mut decide: D,
    ) -> Result<(T, Vec<Outcome>), StoreError>
    where
        T: Send + 'static,
        D: FnMut(Vec<Outcome>) -> (T, Vec<Statement>) + Send + 'static,
    {
        let lock = format!("SELECT pg_advisory_xact_lock({})", self.lock(owner));
        within(self.answer_max, owner, async {
            let mut tries = 1;
            loop {
                let lease = self.pool.take(owner).await?;
                let begin = self.begin(&lease, "", &LONGEST, &lock);
                let result = match batch(lease.client(), owner, &begin).await {
                    Ok(()) => decide_on(lease.client(), owner, reads, &mut decide).await,
                    Err(error) => Err(error),
                };
                match self.end(owner, lease, result).await {
                    Err(error) if is_passing(&error) && tries < TRIES_MAX => tries += 1,
                    result => return result,
                }
            }
        })
        .await
    }

    /// Begins a transaction in the schema: its mode, its longest times, and the lock that it waits for.
    fn begin(&self, lease: &Lease<'_>, mode: &str, longest: &[(&str, &str)], lock: &str) -> String {
        let client = lease.looks_after_client().then_some(&LOOK_AFTER_CLIENT);
        let mut begin = format!(
            "BEGIN {mode}; SET LOCAL search_path = \"{}\"; ",
            self.schema
        );
        for (name, value) in longest.iter().chain(client) {
            begin.extend(["SET LOCAL ", name, " = '", value, "'; "]);
        }
        begin + lock
    }

    /// Commits what went well, and rolls back what did not. A connection that cannot do even that is closed.
    async fn end<T>(
        &self,
        owner: &'static str,
        lease: Lease<'_>,
        result: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match result {
            Ok(done) => {
                batch(lease.client(), owner, "COMMIT").await?;
                self.pool.give_back(lease);
                Ok(done)
            }
            // The server may have become a standby: the next call looks for the primary.
            Err(error @ StoreError::Unavailable(_)) => Err(error),
            Err(error) => {
                if batch(lease.client(), owner, "ROLLBACK").await.is_ok() {
                    self.pool.give_back(lease);
                }
                Err(error)
            }
        }
    }

    /// The number of a lock. Locks belong to the whole database, so the schema is part of it.
    fn lock(&self, of: &str) -> i64 {
        let hash = Sha256::digest(format!("sluice-store/{}/{of}", self.schema));
        let bytes = hash.first_chunk().copied().unwrap_or_default();
        i64::from_be_bytes(bytes)
    }
}

async fn decide_on<T, D>(
    client: &Client,
    owner: &'static str,
    reads: &[Statement],
    decide: &mut D,
) -> Result<(T, Vec<Outcome>), StoreError>
where
    D: FnMut(Vec<Outcome>) -> (T, Vec<Statement>),
{
    let (decided, statements) = decide(run_all(client, owner, reads).await?);
    statement::check(owner, &statements)?;
    Ok((decided, run_all(client, owner, &statements).await?))
}

/// Bounds a call. One that is given up closes its connection, whatever the server does.
async fn within<T>(
    max: Duration,
    owner: &'static str,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(max, call)
        .await
        .unwrap_or_else(|_elapsed| {
            let fault = Fault::of(owner, "call", None, "it took too long");
            Err(StoreError::Unavailable(fault))
        })
}

async fn batch(client: &Client, owner: &'static str, sql: &str) -> Result<(), StoreError> {
    let run = client.batch_execute(sql).await;
    run.map_err(|error| fault(owner, "transaction", &error))
}

/// The store's own statement.
fn own(text: &'static str, parameters: Vec<Value>) -> Statement {
    Statement {
        name: "migration",
        text,
        parameters,
    }
}

/// A deadlock, which is over when one of its transactions is.
fn is_passing(error: &StoreError) -> bool {
    match error {
        StoreError::Conflict(fault) => {
            let code = fault.code().unwrap_or_default();
            code.starts_with("SQLSTATE 40")
        }
        _ => false,
    }
}

/// In a transaction that reads, "read-only" is about the statement, and not about the server.
fn as_reader(error: StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(fault) if fault.code() == Some("SQLSTATE 25006") => {
            StoreError::Broken(fault.saying("a reading call may not write"))
        }
        error => error,
    }
}
