//! The file: its tables, its settings, its versions.
//!
//! | table | a row is | goes away |
//! |---|---|---|
//! | `term` | a text that repeats: dataset, source, event name, action source, test code, currency | never |
//! | `event` | an accepted event without its body, in order of arrival, and what is known of it | with the history |
//! | `body` | the JSON of an event, in the clear or encrypted, with a checksum | by retention |
//! | `segment` | events that follow each other and are indexed | when one of them is amended or leaves; it comes again |
//! | `id_run` | ids of events of a segment, for searches | with the segment |
//! | `person_run` | identifiers of events of a segment, for searches | with the segment, and with the first body of it |
//! | `encryption` | from which event on bodies are encrypted, and with which key | never |
//! | `outcome` | the final state of an event; without one it waits | when a person sends it again; with the history |
//! | `intent` | an event that may be on its way to Meta and would count twice if it were sent again | when it is known what became of the event; with the history |
//! | `replay` | the outcome that an event had before it was sent again | with the history |
//! | `dropped` | an event that a person gave up while it waited, for a gateway that runs | with the history |
//! | `request` | a request to Meta and its answer | by retention |
//! | `rejection` | an event that no dataset could take, without its body | by retention |
//! | `tally` | a count per hour, dataset, source, event name and state | never |
//! | `received_tally` | events that came in, per hour, dataset and source | never |
//! | `rejected_tally` | rejected events, per hour, dataset, source, event name and code | never |
//! | `left_tally` | events whose rows have left, per dataset, source, event name and final state | never |
//! | `tally_sum` | the sum of all counts of a state | never |
//! | `mark` | a number that the start begins from | never |
//! | `amendment` | another body, and other facts, of an event that waited | with the history; the body by retention |
//! | `straggler` | an event that waits before the mark where the start begins | when the mark is written anew |
//!
//! Events and bodies are two tables so that start-up reads only small rows. No table that is written per
//! event has an index beside its key, except those of few events: that died, or have a window of their own. Events that are
//! amended are few as well, and their rows have two.
//!
//! | `user_version` | Sluice |
//! |---|---|
//! | 1 | 0.1 |
//! | 2 | not released: waiting events that were dropped; rejected events; names that are counted together; facts of events; holds, notes, windows of their own; amendments |

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::error::OpenError;

/// The journal's file in its folder.
pub(super) const FILE: &str = "journal.db";

/// The size of a page, the smallest part that is written.
pub(super) const PAGE_BYTES: u64 = 16_384;

/// Steps from an empty file to the newest form; `user_version` counts those that were taken.
pub(super) const MIGRATIONS: [&str; 2] = [
    "
    CREATE TABLE term (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE event (
        id INTEGER PRIMARY KEY,
        dataset INTEGER NOT NULL,
        source INTEGER NOT NULL,
        name INTEGER NOT NULL,
        test_code INTEGER,
        identity BLOB NOT NULL,
        event_id TEXT NOT NULL,
        action_source INTEGER NOT NULL,
        accepted_ms INTEGER NOT NULL,
        expires_s INTEGER NOT NULL,
        bytes INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE body (id INTEGER PRIMARY KEY, crc INTEGER NOT NULL, json TEXT NOT NULL) STRICT;
    CREATE TABLE outcome (
        event INTEGER PRIMARY KEY,
        state INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        request INTEGER,
        code INTEGER,
        subcode INTEGER,
        text TEXT
    ) STRICT;
    CREATE INDEX outcome_dead ON outcome (event) WHERE state > 1;
    CREATE TABLE replay (
        seq INTEGER PRIMARY KEY,
        event INTEGER NOT NULL,
        replayed_ms INTEGER NOT NULL,
        state INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        request INTEGER,
        code INTEGER,
        subcode INTEGER,
        text TEXT
    ) STRICT;
    CREATE TABLE request (
        id INTEGER PRIMARY KEY,
        dataset INTEGER NOT NULL,
        test_code INTEGER,
        sent_ms INTEGER NOT NULL,
        elapsed_ms INTEGER NOT NULL,
        events INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        status INTEGER NOT NULL,
        code INTEGER,
        subcode INTEGER,
        received INTEGER,
        fbtrace_id TEXT,
        verdict TEXT NOT NULL
    ) STRICT;
    CREATE TABLE tally (
        hour INTEGER NOT NULL,
        dataset INTEGER NOT NULL,
        source INTEGER NOT NULL,
        name INTEGER NOT NULL,
        state INTEGER NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (hour, dataset, source, name, state)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE mark (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE dropped (seq INTEGER PRIMARY KEY, event INTEGER NOT NULL) STRICT;
    CREATE TABLE intent (event INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT;
    CREATE TABLE straggler (event INTEGER PRIMARY KEY) STRICT;
    -- The name of an event that is counted under another one.
    ALTER TABLE event ADD COLUMN own_name TEXT;
    -- What is known of the event without its body; NULL where version 1 wrote the row.
    ALTER TABLE event ADD COLUMN event_s INTEGER;
    ALTER TABLE event ADD COLUMN identifiers INTEGER;
    ALTER TABLE event ADD COLUMN order_id TEXT;
    ALTER TABLE event ADD COLUMN minor INTEGER;
    ALTER TABLE event ADD COLUMN currency INTEGER;
    ALTER TABLE event ADD COLUMN worst INTEGER;
    -- It has identifiers that were known from elsewhere.
    ALTER TABLE event ADD COLUMN completed INTEGER;
    -- No lease takes it before this time.
    ALTER TABLE event ADD COLUMN due_ms INTEGER;
    -- Its own window for copies. The start reads the events that have one, and not all that came in such a window.
    ALTER TABLE event ADD COLUMN window_ms INTEGER;
    CREATE INDEX event_window ON event (id) WHERE window_ms IS NOT NULL;
    -- What replaces the body and the facts of an event. The last one of an event counts; the body of any other is blank.
    CREATE TABLE amendment (
        id INTEGER PRIMARY KEY,
        event INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        expires_s INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        action_source INTEGER NOT NULL,
        event_s INTEGER NOT NULL,
        identifiers INTEGER NOT NULL,
        order_id TEXT,
        minor INTEGER,
        currency INTEGER,
        worst INTEGER,
        -- 1 as long as the body is not blank, and then NULL. Neither takes a byte, so the row stays where it lies.
        live INTEGER,
        crc INTEGER NOT NULL,
        key INTEGER,
        json TEXT NOT NULL,
        sealed BLOB
    ) STRICT;
    CREATE INDEX amendment_event ON amendment (event);
    CREATE INDEX amendment_live ON amendment (event) WHERE live = 1;
    CREATE TABLE rejection (
        id INTEGER PRIMARY KEY,
        dataset INTEGER NOT NULL,
        source INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        codes TEXT NOT NULL,
        event_name TEXT,
        event_id TEXT,
        order_id TEXT,
        request_id TEXT NOT NULL
    ) STRICT;
    CREATE TABLE received_tally (
        hour INTEGER NOT NULL,
        dataset INTEGER NOT NULL,
        source INTEGER NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (hour, dataset, source)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE rejected_tally (
        hour INTEGER NOT NULL,
        dataset INTEGER NOT NULL,
        source INTEGER NOT NULL,
        name INTEGER NOT NULL,
        code INTEGER NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (hour, dataset, source, name, code)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE left_tally (
        dataset INTEGER NOT NULL,
        source INTEGER NOT NULL,
        name INTEGER NOT NULL,
        state INTEGER NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (dataset, source, name, state)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE tally_sum (state INTEGER PRIMARY KEY, count INTEGER NOT NULL) STRICT;
    INSERT INTO received_tally SELECT hour, dataset, source, sum(count) FROM tally
        WHERE state IN (0, 5) GROUP BY hour, dataset, source;
    INSERT INTO tally_sum SELECT state, sum(count) FROM tally GROUP BY state;
    INSERT INTO tally_sum SELECT 7, sum(count) FROM received_tally HAVING count(*) > 0;
    ALTER TABLE body ADD COLUMN key INTEGER;
    ALTER TABLE body ADD COLUMN sealed BLOB;
    -- Between which events those are whose state it decided; NULL where version 1 wrote the row.
    ALTER TABLE request ADD COLUMN first_event INTEGER;
    ALTER TABLE request ADD COLUMN last_event INTEGER;
    CREATE INDEX request_trace ON request (fbtrace_id) WHERE fbtrace_id IS NOT NULL;
    CREATE TABLE segment (
        id INTEGER PRIMARY KEY,
        first_ms INTEGER NOT NULL,
        last_ms INTEGER NOT NULL,
        run INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE id_run (id INTEGER PRIMARY KEY, entries BLOB NOT NULL) STRICT;
    CREATE TABLE person_run (id INTEGER PRIMARY KEY, entries BLOB NOT NULL) STRICT;
    CREATE TABLE encryption (from_event INTEGER PRIMARY KEY, key INTEGER) STRICT;
",
];

/// The version of the file that this program writes.
pub(super) const VERSION: usize = MIGRATIONS.len();

/// "SLUC": this is a journal, and no other program's database.
const APPLICATION_ID: i64 = 0x534c_5543;

/// Older ones can corrupt a file in WAL mode that has two connections (sqlite.org/wal.html#walresetbug).
const SQLITE_VERSION_MIN: i32 = 3_053_000;

/// How often one process asks whether the other's transaction is over, and how long in between. SQLite's
/// own waiting grows to a tenth of a second, which never meets the gap between two commits of a busy writer.
const BUSY_ASKS_MAX: i32 = 10_000;
const BUSY_PAUSE: Duration = Duration::from_millis(1);

/// A file of up to this size is checked wholly at start, which takes some tens of milliseconds.
const CHECKED_BYTES_MAX: u64 = 64 << 20;

/// What a connection may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Creates the file where there is none. Only the gateway's writer does.
    Create,
    /// Changes a file that is there.
    Write,
    /// Reads.
    Read,
}

/// Opens the file, whatever is in it.
pub(super) fn connect(path: &Path, access: Access) -> rusqlite::Result<Connection> {
    let mode = match access {
        Access::Create => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
        Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    // No SQLITE_OPEN_URI: a folder's name may hold a question mark. No mutex: a connection is used by
    // one thread at a time, which the compiler sees to.
    let mut conn = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    be_patient(&mut conn)?;
    if access != Access::Read {
        // What is deleted is overwritten, in the page and in pages that become free.
        conn.query_row("PRAGMA secure_delete = ON", [], |_| Ok(()))?;
    }
    conn.set_prepared_statement_cache_capacity(32);
    Ok(conn)
}

/// Makes a connection wait for the other process.
pub(super) fn be_patient(conn: &mut Connection) -> rusqlite::Result<()> {
    conn.busy_handler(Some(|asked| {
        std::thread::sleep(BUSY_PAUSE);
        asked < BUSY_ASKS_MAX
    }))
}

/// Keeps a connection from emptying and deleting the log when it is the last one to close: SQLite deletes
/// it by its path, which may lead to another journal's log by then.
pub(super) fn leave_log(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .map(drop)
}

/// Opens the journal for the writer: makes it or brings it to the newest form.
pub(super) fn open(path: &Path) -> Result<Connection, OpenError> {
    if rusqlite::version_number() < SQLITE_VERSION_MIN {
        return Err(OpenError::OldSqlite {
            found: rusqlite::version(),
        });
    }
    refuse_orphaned_log(path)?;
    let failed = |error| OpenError::of_sqlite(path, &error);
    let mut conn = connect(path, Access::Create).map_err(failed)?;
    let version = version(&conn, path)?;
    if version == 0 {
        create(&conn).map_err(failed)?;
    } else {
        quick_check(&conn, path)?;
    }
    prepare(&conn).map_err(failed)?;
    migrate(&mut conn, version).map_err(failed)?;
    Ok(conn)
}

/// A log without its file holds acknowledged events. SQLite would take it for a leftover and delete it.
fn refuse_orphaned_log(path: &Path) -> Result<(), OpenError> {
    let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    if bytes(path) == 0 && bytes(&wal_path(path)) > 0 {
        return Err(OpenError::Damaged {
            path: path.to_owned(),
            detail: "it is empty or gone, but its log journal.db-wal is there".to_owned(),
        });
    }
    Ok(())
}

/// The write-ahead log of a journal's file.
pub(super) fn wal_path(path: &Path) -> PathBuf {
    beside(path, "-wal")
}

/// The shared memory of the processes that have a journal's file open.
pub(super) fn shm_path(path: &Path) -> PathBuf {
    beside(path, "-shm")
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// The version of the journal; 0 for an empty file.
pub(super) fn version(conn: &Connection, path: &Path) -> Result<usize, OpenError> {
    let failed = |error| OpenError::of_sqlite(path, &error);
    let number = |sql| conn.query_row(sql, [], |row| row.get::<_, i64>(0));
    let tables = number("SELECT count(*) FROM sqlite_schema").map_err(failed)?;
    if tables == 0 {
        return Ok(0);
    }
    let version = number("PRAGMA user_version").map_err(failed)?;
    if number("PRAGMA application_id").map_err(failed)? != APPLICATION_ID {
        return Err(OpenError::NotAJournal {
            path: path.to_owned(),
        });
    }
    match usize::try_from(version) {
        Ok(version) if version <= VERSION => Ok(version),
        _ => Err(OpenError::Newer {
            path: path.to_owned(),
            found: version,
            known: VERSION,
        }),
    }
}

/// What can be said only before the first table is made.
fn create(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update(None, "page_size", PAGE_BYTES.cast_signed())?;
    conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")
}

/// The writer itself copies the log into the file (`upkeep.rs`), because SQLite would do it before
/// the commit returns.
fn prepare(conn: &Connection) -> rusqlite::Result<()> {
    conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    conn.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = 67108864;
         PRAGMA cache_size = -24576;",
    )
}

fn migrate(conn: &mut Connection, from: usize) -> rusqlite::Result<()> {
    for (index, step) in MIGRATIONS.iter().enumerate().skip(from) {
        let transaction = conn.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", index + 1)?;
        transaction.commit()?;
    }
    Ok(())
}

/// Refuses a file whose structure is broken, as long as that is quickly seen.
fn quick_check(conn: &Connection, path: &Path) -> Result<(), OpenError> {
    let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
    if bytes > CHECKED_BYTES_MAX {
        return Ok(());
    }
    let said = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match said {
        Ok(said) if said == "ok" => Ok(()),
        Ok(said) => Err(OpenError::Damaged {
            path: path.to_owned(),
            detail: said,
        }),
        Err(error) => Err(OpenError::of_sqlite(path, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_form_becomes_the_newest() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("journal.db");
        let old = Connection::open(&path).unwrap();
        create(&old).unwrap();
        old.execute_batch(MIGRATIONS[0]).unwrap();
        old.execute_batch(
            "INSERT INTO term (id, text) VALUES (1, 'kept');
             INSERT INTO event VALUES (7, 1, 1, 1, NULL, x'00', 'id', 1, 5, 6, 7);",
        )
        .unwrap();
        old.pragma_update(None, "application_id", APPLICATION_ID)
            .unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        drop(old);

        let conn = open(&path).unwrap();
        assert_eq!(version(&conn, &path).unwrap(), VERSION);
        let kept = conn.query_row("SELECT text FROM term", [], |row| row.get::<_, String>(0));
        assert_eq!(kept.unwrap(), "kept");
        let intents = conn.query_row("SELECT count(*) FROM intent", [], |row| {
            row.get::<_, i64>(0)
        });
        assert_eq!(intents.unwrap(), 0);
        drop(conn);
        let books = crate::Books::open(folder.path()).unwrap();
        let old = books.event(crate::EventKey(7)).unwrap().unwrap();
        assert_eq!(old.record.event_name, "kept");
        assert_eq!(old.record.facts, None);
    }
}
