//! SQLite: one file, one thread that writes, a few connections that read.

mod caller;
mod file;
mod run;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::error::{Fault, StoreError};
use crate::migration::{Dialect, MIGRATION_MAX, NOTES, Owner, TAKE, TAKEN, missing};
use crate::statement::{Outcome, Statement};
use crate::value::Value;
use caller::{Call, LOOK_EVERY};
use file::{Access, connect};
use run::{fault, run, run_all};
use writer::Writer;

/// Reads that run at the same time. More wait for their turn.
const READERS: u8 = 4;

/// Whether steps were noted at all.
const NOTED: &str = "SELECT 1 FROM sqlite_schema WHERE name = 'store_step'";

/// A store in a file.
pub(crate) struct Sqlite {
    /// `None` for one that is only read.
    writer: Option<Writer>,
    readers: Arc<Readers>,
    /// How long a call may take, waiting included.
    answer_max: Duration,
}

/// Connections that read, and are idle.
struct Readers {
    path: PathBuf,
    access: Access,
    turns: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

impl Sqlite {
    /// Opens `records.db` in a folder, or makes it. Blocks.
    pub(crate) fn open(folder: &Path, answer_max: Duration) -> Result<Self, StoreError> {
        let (path, conn) = file::open(folder)?;
        let writer = Some(Writer::start(conn)?);
        Ok(Self::new(writer, path, Access::Read, answer_max))
    }

    /// Opens `records.db` in a folder to read it, if there is one. Blocks.
    pub(crate) fn look(folder: &Path, answer_max: Duration) -> Result<Option<Self>, StoreError> {
        let path = file::look(folder)?;
        Ok(path.map(|path| Self::new(None, path, Access::Look, answer_max)))
    }

    fn new(writer: Option<Writer>, path: PathBuf, access: Access, answer_max: Duration) -> Self {
        Self {
            writer,
            readers: Arc::new(Readers {
                path,
                access,
                turns: Arc::new(Semaphore::new(usize::from(READERS))),
                idle: Mutex::new(Vec::new()),
            }),
            answer_max,
        }
    }

    /// Closes the file once the calls that have begun are done.
    pub(crate) async fn close(&self) {
        let _ended = self.readers.turns.acquire_many(READERS.into()).await;
        self.readers.turns.close();
        let idle = &self.readers.idle;
        idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        if let Some(writer) = &self.writer {
            writer.close().await;
        }
    }

    pub(crate) async fn migrate(&self, owner: Owner) -> Result<(), StoreError> {
        if self.writer.is_none() {
            return self.lacks_nothing(owner).await;
        }
        self.on_writer(owner.name, MIGRATION_MAX, move |conn| migrate(conn, &owner))
            .await
    }

    /// Refuses tables that lack a step, where none can be taken.
    async fn lacks_nothing(&self, owner: Owner) -> Result<(), StoreError> {
        let noted = self.read(owner.name, vec![own(NOTED, Vec::new())]).await?;
        let mut taken: Vec<String> = Vec::new();
        if noted.iter().any(|noted| !noted.rows.is_empty()) {
            let asked = own(TAKEN, vec![owner.name.into()]);
            let found = self.read(owner.name, vec![asked]).await?;
            let rows = found.iter().flat_map(|found| &found.rows);
            taken = rows.map(|row| row.get(0)).collect::<Result<_, _>>()?;
        }
        if missing(&owner, &taken)?.is_empty() {
            return Ok(());
        }
        Err(StoreError::Refused(format!(
            "the tables of {} were made by an older version of Sluice, or not yet: start the gateway once",
            owner.name
        )))
    }

    pub(crate) async fn write(
        &self,
        owner: &'static str,
        statements: Vec<Statement>,
    ) -> Result<Vec<Outcome>, StoreError> {
        self.on_writer(owner, self.answer_max, move |conn| {
            run_all(conn, owner, &statements)
        })
        .await
    }

    pub(crate) async fn change<T, D>(
        &self,
        owner: &'static str,
        reads: Vec<Statement>,
        mut decide: D,
    ) -> Result<(T, Vec<Outcome>), StoreError>
    where
        T: Send + 'static,
        D: FnMut(Vec<Outcome>) -> (T, Vec<Statement>) + Send + 'static,
    {
        self.on_writer(owner, self.answer_max, move |conn| {
            let (decided, statements) = decide(run_all(conn, owner, &reads)?);
            crate::statement::check(owner, &statements)?;
            Ok((decided, run_all(conn, owner, &statements)?))
        })
        .await
    }

    async fn on_writer<T: Send + 'static>(
        &self,
        owner: &'static str,
        answer_max: Duration,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (caller, call) = Call::new();
        let Some(writer) = &self.writer else {
            let fault = Fault::of(owner, "call", None, "it was opened to read only");
            return Err(StoreError::Broken(fault));
        };
        let answer = writer.submit(owner, call, work)?;
        let told = tokio::time::timeout(answer_max, answer).await;
        drop(caller);
        match told {
            Ok(Ok(Ok(result))) => result,
            Ok(Ok(Err(panic))) => std::panic::resume_unwind(panic),
            Ok(Err(_gone)) => Err(writer::is_gone(owner)),
            Err(_elapsed) => Err(too_long(owner)),
        }
    }

    pub(crate) async fn read(
        &self,
        owner: &'static str,
        statements: Vec<Statement>,
    ) -> Result<Vec<Outcome>, StoreError> {
        tokio::time::timeout(self.answer_max, self.read_in_turn(owner, statements))
            .await
            .unwrap_or_else(|_elapsed| Err(too_long(owner)))
    }

    async fn read_in_turn(
        &self,
        owner: &'static str,
        statements: Vec<Statement>,
    ) -> Result<Vec<Outcome>, StoreError> {
        let turn = Arc::clone(&self.readers.turns).acquire_owned().await;
        let turn = turn.map_err(|_closed| writer::is_gone(owner))?;
        let readers = Arc::clone(&self.readers);
        let (caller, call) = Call::new();
        let read = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            readers.read(owner, &statements, call)
        });
        let result = read.await.map_err(|_panicked| ended(owner))?;
        drop(caller);
        result
    }
}

impl Readers {
    /// Reads on a connection of its own, as long as somebody waits for it.
    fn read(
        &self,
        owner: &'static str,
        statements: &[Statement],
        call: Call,
    ) -> Result<Vec<Outcome>, StoreError> {
        if call.is_given_up() {
            return Err(too_long(owner));
        }
        let failed = |error| fault(owner, "open", &error);
        let mut conn = self.take().map_err(failed)?;
        // In the place of the call's before.
        conn.progress_handler(LOOK_EVERY, Some(move || call.is_given_up()))
            .map_err(failed)?;
        let result = read(&conn, owner, statements);
        // A connection that failed does not come back.
        if result.is_ok() {
            self.give_back(conn);
        }
        result
    }

    fn take(&self) -> rusqlite::Result<Connection> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        match idle {
            Some(conn) => Ok(conn),
            None => connect(&self.path, self.access),
        }
    }

    fn give_back(&self, conn: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < usize::from(READERS) {
            idle.push(conn);
        }
    }
}

/// Reads in one transaction, so all statements see the same state.
fn read(
    conn: &Connection,
    owner: &'static str,
    statements: &[Statement],
) -> Result<Vec<Outcome>, StoreError> {
    let failed = |error| fault(owner, "transaction", &error);
    let transaction = conn.unchecked_transaction().map_err(failed)?;
    let outcomes = run_all(&transaction, owner, statements)?;
    transaction.rollback().map_err(failed)?;
    Ok(outcomes)
}

/// Takes the steps that are missing. Runs within the writer's transaction: all of them or none.
fn migrate(conn: &Connection, owner: &Owner) -> Result<(), StoreError> {
    let failed = |error| fault(owner.name, "migration", &error);
    conn.execute_batch(&Dialect::Sqlite.write(NOTES))
        .map_err(failed)?;
    let taken = run(conn, owner.name, &own(TAKEN, vec![owner.name.into()]))?;
    let taken: Result<Vec<String>, _> = taken.rows.iter().map(|row| row.get(0)).collect();
    let known = things(conn).map_err(failed)?;
    for step in missing(owner, &taken?)? {
        conn.execute_batch(&Dialect::Sqlite.write(step.text))
            .map_err(failed)?;
        let note: Vec<Value> = vec![owner.name.into(), step.number.into(), step.checksum.into()];
        run(conn, owner.name, &own(TAKE, note))?;
    }
    for (thing, is_loose) in things(conn).map_err(failed)?.difference(&known) {
        if is_foreign(thing, owner.name) {
            return Err(bad_step(
                owner,
                format!("{thing} does not begin with {}_", owner.name),
            ));
        }
        if *is_loose {
            return Err(bad_step(
                owner,
                format!("{thing} does not end with {{strict}}"),
            ));
        }
    }
    Ok(())
}

/// The store's own statement.
fn own(text: &'static str, parameters: Vec<Value>) -> Statement {
    Statement {
        name: "migration",
        text,
        parameters,
    }
}

fn is_foreign(thing: &str, owner: &str) -> bool {
    let rest = thing.strip_prefix(owner);
    !rest.is_some_and(|rest| rest.starts_with('_'))
}

fn bad_step(owner: &Owner, said: String) -> StoreError {
    StoreError::Broken(Fault::of(owner.name, "migration", None, said))
}

/// Tables, indexes and views that were made by name, and whether they take values of any kind.
fn things(conn: &Connection) -> rusqlite::Result<HashSet<(String, bool)>> {
    let mut statement = conn.prepare(
        "SELECT s.name, s.type = 'table' AND l.strict = 0
         FROM sqlite_schema s LEFT JOIN pragma_table_list l ON l.name = s.name AND l.schema = 'main'
         WHERE s.name NOT LIKE 'sqlite_%'",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

fn too_long(owner: &'static str) -> StoreError {
    StoreError::Unavailable(Fault::of(owner, "call", None, "it took too long"))
}

/// The runtime is being shut down.
fn ended(owner: &'static str) -> StoreError {
    StoreError::Unavailable(Fault::of(owner, "call", None, "the program is ending"))
}
