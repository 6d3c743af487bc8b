//! What every owner of tables tests itself with: both databases, and the laws that hold on both.
//!
//! ```no_run
//! # use sluice_store::{Owner, testing::Database};
//! # const SHOP: Owner = Owner { name: "shop", steps: &[] };
//! # async fn orders_are_found_again(database: Database) {
//! let place = database.fresh();
//! let tables = place.open().await.tables(SHOP).await.unwrap();
//! # }
//! ```
//!
//! A test calls the same function with [`Database::sqlite`] and with [`Database::postgres`].

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a law that does not hold is a panic, and so is a machine on which it cannot be tried"
)]

mod laws;
mod migrations;
mod model;
mod server;
mod together;

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use crate::{Owner, Place, Sql, Store, Tables};

pub use model::{Op, upserts_are_a_map};
pub use server::Server;

/// A database to try things on.
pub enum Database {
    /// Files in temporary folders.
    Sqlite,
    /// A server of its own, which ends with this.
    Postgres(Server, AtomicU32),
}

impl Database {
    /// SQLite.
    #[must_use]
    pub fn sqlite() -> Self {
        Self::Sqlite
    }

    /// PostgreSQL: starts a server, which takes some two seconds.
    #[must_use]
    pub fn postgres() -> Self {
        Self::Postgres(Server::start(), AtomicU32::new(0))
    }

    /// An empty place.
    #[must_use]
    pub fn fresh(&self) -> Fresh {
        match self {
            Self::Sqlite => Fresh::Folder(TempDir::new().expect("a temporary folder")),
            Self::Postgres(server, places) => Fresh::Schema {
                url: server.url(),
                schema: format!("test_{}", places.fetch_add(1, Ordering::Relaxed)),
            },
        }
    }
}

/// A place for one test's store.
pub enum Fresh {
    /// A folder that goes away with this.
    Folder(TempDir),
    /// A schema of a server.
    Schema {
        /// Of the server.
        url: String,
        /// The schema's name.
        schema: String,
    },
}

impl Fresh {
    /// Opens the store there, as one more program that uses it.
    pub async fn open(&self) -> Store {
        let place = match self {
            Self::Folder(folder) => Place::Folder(folder.path()),
            Self::Schema { url, schema } => Place::Postgres { url, schema },
        };
        Store::open(place).await.unwrap()
    }

    /// The tables of the laws, in one more store.
    async fn law(&self) -> Tables {
        self.open().await.tables(LAW).await.unwrap()
    }
}

/// What the laws are tried on.
const LAW: Owner = Owner {
    name: "law",
    steps: &[
        "CREATE TABLE law_value (id {id}, whole {integer}, part {real}, words {text}, raw {bytes}) {strict};
         CREATE TABLE law_count (key {text} PRIMARY KEY, n {integer} NOT NULL CHECK (n >= 0)) {strict};
         CREATE TABLE law_part (of {text} NOT NULL REFERENCES law_count (key), at {integer} NOT NULL) {strict};",
    ],
};

const INSERT: Sql<2> = Sql::new("insert", "INSERT INTO law_count (key, n) VALUES ($1, $2)");
const ADD: Sql<2> = Sql::new(
    "add",
    "INSERT INTO law_count AS c (key, n) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET n = c.n + excluded.n",
);
const COUNT: Sql<1> = Sql::new("count", "SELECT n FROM law_count WHERE key = $1");
const ALL: Sql<0> = Sql::new(
    "all",
    "SELECT count(*), CAST(sum(n) AS BIGINT) FROM law_count",
);

/// The count of a key.
async fn count(tables: &Tables, key: &str) -> Option<i64> {
    let found = tables.read(vec![COUNT.with([key.into()])]).await.unwrap();
    found[0].rows.first().map(|row| row.get(0).unwrap())
}

/// How many keys there are, and the sum of their counts.
async fn all(tables: &Tables) -> (i64, i64) {
    let found = tables.read(vec![ALL.with([])]).await.unwrap();
    let row = &found[0].rows[0];
    let sum: Option<i64> = row.get(1).unwrap();
    (row.get(0).unwrap(), sum.unwrap_or_default())
}

/// Tries every law, each in a place of its own.
pub async fn obeys_the_laws(database: &Database) {
    laws::values_come_back(&database.fresh()).await;
    laws::what_one_of_them_cannot_store_is_refused(&database.fresh()).await;
    laws::errors_say_what_is_to_be_done(&database.fresh()).await;
    laws::errors_hold_no_value(&database.fresh()).await;
    laws::a_write_is_done_wholly_or_not(&database.fresh()).await;
    laws::changed_rows_are_counted(&database.fresh()).await;
    laws::ids_ascend_and_do_not_come_back(&database.fresh()).await;
    laws::pages_go_by_bytes(&database.fresh()).await;
    laws::a_reading_call_writes_nothing(&database.fresh()).await;
    laws::rows_are_bounded(&database.fresh()).await;
    laws::thousands_of_rows_are_one_write(&database.fresh()).await;
    laws::a_panic_changes_nothing(&database.fresh()).await;
    together::a_read_sees_one_state(&database.fresh()).await;
    together::counters_are_exact(&database.fresh()).await;
    together::changes_follow_each_other(&database.fresh()).await;
    together::opposite_orders_all_succeed(&database.fresh()).await;
    together::a_dropped_call_holds_nothing(&database.fresh()).await;
    together::a_closed_store_is_closed_for_all(&database.fresh()).await;
    migrations::owners_come_in_any_order(&database.fresh()).await;
    migrations::many_programs_start_at_once(&database.fresh()).await;
    migrations::newer_and_edited_tables_are_refused(&database.fresh()).await;
    migrations::a_step_that_fails_leaves_nothing(&database.fresh()).await;
}

/// Runs tasks at the same time, and waits for all.
async fn at_once<F>(tasks: impl IntoIterator<Item = F>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let running: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
    for task in running {
        task.await.unwrap();
    }
}
