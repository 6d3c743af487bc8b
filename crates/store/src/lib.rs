//! The store: small durable tables of everything that is not an event, in SQLite or in PostgreSQL.
//!
//! It knows nothing of what the tables mean. An [`Owner`] brings the steps that make its tables and gets a handle,
//! [`Tables`], by having them taken: no table can be used before it is made. Losing the store costs history and
//! enrichment, never a conversion; events are in the journal.
//!
//! # Three calls
//!
//! * [`Tables::read`]: statements that see one state and change nothing.
//! * [`Tables::write`]: statements that are all done or none.
//! * [`Tables::change`]: reads, decides, writes. Nothing of the same owner is written in between.
//!
//! Why these, and no transaction that a caller holds: in SQLite a transaction belongs to the thread that writes, and
//! in PostgreSQL to a connection that is awaited. A handle for both would keep that thread waiting for a task that may
//! be slow, or dropped half-way, and every other writer with it. So statements are data, handed over at once, and what
//! a caller decides in between is a function: it gets rows, returns statements, and waits for nothing. It runs on the
//! writer's thread in SQLite and in the caller's task in PostgreSQL, where it may run again, after a deadlock. Each
//! transaction is as short as its statements, and code that is right on one database is right on the other. What needs
//! more than one round of reading is a join, or is two changes.
//!
//! In PostgreSQL, a write holds a lock of its owner that it shares with other writes, and a change holds the same lock
//! alone, so changes of one owner follow each other in a cluster as they do in a file. Writes run beside each other and
//! wait for each other's rows only; counters belong into a write (`ON CONFLICT … DO UPDATE SET n = t.n + excluded.n`).
//!
//! A call whose future is dropped may be done or not. So may one that ends in [`StoreError::Unavailable`].
//!
//! # One dialect
//!
//! [`migration`] says how tables are made. Statements are [`Sql`] constants, in what both databases understand:
//!
//! * parameters are `$1`, `$2`, …; values are integers, real numbers, text, bytes or null; truth is 0 or 1
//! * `INSERT … ON CONFLICT … DO UPDATE SET n = excluded.n`, `RETURNING`, `CASE`, `COALESCE`, common table expressions
//! * sums of integers are cast: `CAST(sum(n) AS BIGINT)`. PostgreSQL's are of a type without bounds
//! * in `ORDER BY`, a column that may be null says `NULLS FIRST` or `NULLS LAST`
//! * pages go by key: `WHERE id > $1 ORDER BY id LIMIT $2`; a statement returns at most [`ROWS_MAX`] rows
//! * no `LIKE`, which is blind to case in SQLite only; no `rowid`, no functions of dates, no arrays
//!
//! Every owner tests its statements on both, with the module `testing`.

mod error;
pub mod migration;
#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;
mod statement;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod value;

pub use error::{Fault, StoreError};
pub use migration::Owner;
pub use statement::{Outcome, Row, Sql, Statement};
pub use store::{Place, Store, Tables};
pub use value::{FromValue, Value};

/// The most rows that a statement returns. More would be an unbounded amount of memory.
pub const ROWS_MAX: usize = 10_000;
