//! The file `records.db`: where it may be, who may read it, how it is opened.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use rustix::fs::OFlags;
use rustix::process::geteuid;

use super::run::fault;
use crate::error::StoreError;

/// The store's file in its folder.
const FILE: &str = "records.db";

/// "SLUR": this is a store, and no other program's database.
const APPLICATION_ID: i64 = 0x534c_5552;

/// The group and others may do nothing with a file of the store.
const PRIVATE: u32 = 0o600;

/// Group and others may write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Anything that group and others may do.
const OTHERS: u32 = 0o077;

/// Older ones can corrupt a file in WAL mode that has two connections (sqlite.org/wal.html#walresetbug).
const SQLITE_VERSION_MIN: i32 = 3_053_000;

/// How long a connection waits for another process's transaction.
const BUSY_MAX: Duration = Duration::from_secs(10);

/// What a connection may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Write,
    /// Beside the writer of the same program.
    Read,
    /// Beside another program, or without one: nothing is changed, but as the last one it clears away the log.
    Look,
}

/// Finds the store's file, for reading only; `None` where there is none.
pub(super) fn look(folder: &Path) -> Result<Option<PathBuf>, StoreError> {
    let path = match folder.canonicalize() {
        Ok(folder) => folder.join(FILE),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(folder, &error)),
    };
    match path.symlink_metadata() {
        Ok(file) if file.is_file() => {}
        Ok(_) => return Err(no_file(&path)),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(&path, &error)),
    }
    let failed = |error| fault("store", "open", &error);
    let conn = connect(&path, Access::Look).map_err(failed)?;
    if is_store(&conn).map_err(failed)? {
        return Ok(Some(path));
    }
    Err(anothers(&path))
}

/// Opens the store's file for the writer, or makes it; its path is free of links.
pub(super) fn open(folder: &Path) -> Result<(PathBuf, Connection), StoreError> {
    if rusqlite::version_number() < SQLITE_VERSION_MIN {
        return Err(StoreError::Refused(format!(
            "it needs SQLite 3.53 or later, and this program has {}",
            rusqlite::version()
        )));
    }
    let refused = |error: &io::Error| refused(folder, error);
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(folder).map_err(|error| refused(&error))?;
    let folder = folder.canonicalize().map_err(|error| refused(&error))?;
    refuse_exposed(&folder)?;
    let path = folder.join(FILE);
    keep_private(&path)?;
    let failed = |error| fault("store", "open", &error);
    let conn = connect(&path, Access::Write).map_err(failed)?;
    check_kind(&conn, &path)?;
    Ok((path, conn))
}

/// Refuses a folder in which another user could put files, or links to files, in the place of the store's. Root may
/// use the folder of another user, as in containers.
fn refuse_exposed(folder: &Path) -> Result<(), StoreError> {
    let metadata = folder.metadata().map_err(|error| refused(folder, &error))?;
    let me = geteuid();
    let why = if metadata.uid() != me.as_raw() && !me.is_root() {
        "belongs to another user"
    } else if metadata.mode() & WRITABLE_BY_OTHERS != 0 {
        "can be written by other users"
    } else {
        return Ok(());
    };
    Err(StoreError::Refused(format!(
        "the folder {} {why}, who could exchange the store's file; `chown` it to this user and `chmod 700` it",
        folder.display()
    )))
}

/// Makes the file where there is none, readable by its user only: SQLite gives the files beside it the same rights.
/// Takes rights of others away from a file that is there.
fn keep_private(path: &Path) -> Result<(), StoreError> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(PRIVATE)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path);
    match made {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(refused(path, &error));
        }
        _ => {}
    }
    for ending in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(ending);
        let file = PathBuf::from(file);
        let Ok(found) = file.symlink_metadata() else {
            continue;
        };
        if !found.is_file() {
            return Err(no_file(&file));
        }
        if found.mode() & OTHERS != 0 {
            std::fs::set_permissions(&file, Permissions::from_mode(PRIVATE))
                .map_err(|error| refused(&file, &error))?;
        }
    }
    Ok(())
}

/// Opens the file, whatever is in it.
pub(super) fn connect(path: &Path, access: Access) -> rusqlite::Result<Connection> {
    let mode = match access {
        Access::Write | Access::Look => OpenFlags::SQLITE_OPEN_READ_WRITE,
        Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    // No SQLITE_OPEN_URI: a folder's name may hold a question mark. No mutex: a connection is used by one thread at
    // a time, which the compiler sees to.
    let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY_MAX)?;
    conn.set_prepared_statement_cache_capacity(64);
    if access == Access::Write {
        conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        // What is deleted is overwritten, in the page and in pages that become free.
        conn.query_row("PRAGMA secure_delete = ON", [], |_| Ok(()))?;
        conn.execute_batch(
            "PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON;
             PRAGMA journal_size_limit = 16777216;",
        )?;
    }
    if access == Access::Look {
        conn.execute_batch("PRAGMA query_only = ON")?;
    }
    Ok(conn)
}

/// Refuses another program's database, and marks an empty one as a store.
fn check_kind(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |error| fault("store", "open", &error);
    if is_store(conn).map_err(failed)? {
        return Ok(());
    }
    if number(conn, "SELECT count(*) FROM sqlite_schema").map_err(failed)? > 0 {
        return Err(anothers(path));
    }
    conn.pragma_update(None, "application_id", APPLICATION_ID)
        .map_err(failed)
}

fn is_store(conn: &Connection) -> rusqlite::Result<bool> {
    Ok(number(conn, "PRAGMA application_id")? == APPLICATION_ID)
}

fn number(conn: &Connection, sql: &str) -> rusqlite::Result<i64> {
    conn.query_row(sql, [], |row| row.get(0))
}

fn anothers(path: &Path) -> StoreError {
    StoreError::Refused(format!(
        "{} is the database of another program; move it away",
        path.display()
    ))
}

fn no_file(path: &Path) -> StoreError {
    StoreError::Refused(format!(
        "{} is no file but something else, such as a link; move it away",
        path.display()
    ))
}

fn refused(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Refused(format!("{}: {error}", path.display()))
}
