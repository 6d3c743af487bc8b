//! Why a journal does not open, and what SQLite's errors mean.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::files;
use crate::error::JournalError;
use crate::types::BodyKeyId;

/// Why a journal could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another gateway has it.
    #[error("the journal in {} is in use by {}", folder.display(), holder(*pid))]
    InUse {
        /// The journal's folder.
        folder: PathBuf,
        /// The process that holds it, if it said so.
        pid: Option<u32>,
    },
    /// There is none, and the command that asked for it does not create one.
    #[error("there is no journal in {}", folder.display())]
    Missing {
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// Other users could change what is in the folder.
    #[error("the journal's folder {} {why}", folder.display())]
    Exposed {
        /// The journal's folder.
        folder: PathBuf,
        /// Who can.
        why: &'static str,
    },
    /// The path of the folder leads to a file.
    #[error("{} is not a folder", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// Another program's file, or no database at all.
    #[error("{} is not a journal", path.display())]
    NotAJournal {
        /// The file.
        path: PathBuf,
    },
    /// A later Sluice wrote it.
    #[error("{} has format {found}; this program knows formats up to {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest one that this program knows.
        known: usize,
    },
    /// An earlier Sluice wrote it, and no gateway has brought it up to date since.
    #[error("{} has the old format {found}; this program reads format {known}", path.display())]
    Older {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: usize,
        /// The format that this program reads.
        known: usize,
    },
    /// The file's structure is broken.
    #[error("{} is damaged: {detail}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
    /// The file or folder may not be written, or not be read.
    #[error("no permission to read or write {}", path.display())]
    NoPermission {
        /// The file or folder.
        path: PathBuf,
    },
    /// The file system may not be written, which a journal has to be even to be read.
    #[error("the file system of {} can only be read", path.display())]
    ReadOnly {
        /// The file or folder.
        path: PathBuf,
    },
    /// There is no room on the disk.
    #[error("no room on the disk of {}", path.display())]
    Full {
        /// The file or folder.
        path: PathBuf,
    },
    /// Anything else.
    #[error("{} does not open: {detail}", path.display())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        detail: String,
    },
    /// Bodies of waiting events are encrypted with a key that was not given.
    #[error("events that wait in {} are encrypted with the key {key}, which is not given", path.display())]
    MissingKey {
        /// The file.
        path: PathBuf,
        /// Which key.
        key: BodyKeyId,
    },
    /// The program was built with an SQLite that can corrupt the file.
    #[error("built with SQLite {found}, which can corrupt a journal")]
    OldSqlite {
        /// Its version.
        found: &'static str,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or("another process".to_owned(), |pid| format!("process {pid}"))
}

impl OpenError {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            OpenError::InUse { .. } => {
                "stop the other gateway, or give this one a folder of its own"
            }
            OpenError::Missing { .. } => {
                "name the folder that the gateway writes to; it makes a journal when it starts"
            }
            OpenError::Exposed { .. } => {
                "give it to the gateway's user alone (chown, chmod 700), or name a folder below it, which is then made so"
            }
            OpenError::NotAFolder { .. } => "name a folder; it is made if it does not exist",
            OpenError::NotAJournal { .. } => {
                "another program wrote this file; move it away or name another folder"
            }
            OpenError::Newer { .. } => {
                "run the version of Sluice that wrote it, or a later one; nothing was changed"
            }
            OpenError::Older { .. } => "start the gateway once; it brings the journal up to date",
            OpenError::Damaged { .. } => {
                "nothing was changed; keep a copy of the folder, then restore a backup or start with an empty folder"
            }
            OpenError::NoPermission { .. } => {
                "the gateway's user has to own the folder and the files in it"
            }
            OpenError::ReadOnly { .. } => {
                "mount it writable, or copy the folder: SQLite makes its shared memory beside the file. Under \
                 systemd, name the folder in ReadWritePaths"
            }
            OpenError::Full { .. } => "make room on the disk and start again",
            OpenError::Disk { .. } => "check the disk and the system's log",
            OpenError::MissingKey { .. } => {
                "set journal.encryption_key or journal.encryption_key_previous to it; `sluice waiting drop` gives \
                 events up whose key is lost"
            }
            OpenError::OldSqlite { .. } => {
                "build with the bundled SQLite, as the project's Cargo.toml does"
            }
        }
    }

    pub(super) fn of_io(path: &Path, error: &std::io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => OpenError::NoPermission { path },
            std::io::ErrorKind::ReadOnlyFilesystem => OpenError::ReadOnly { path },
            std::io::ErrorKind::NotADirectory | std::io::ErrorKind::AlreadyExists => {
                OpenError::NotAFolder { path }
            }
            std::io::ErrorKind::StorageFull => OpenError::Full { path },
            _ => OpenError::Disk {
                path,
                detail: error.to_string(),
            },
        }
    }

    /// What keeps a journal from being opened, of an error that its rows gave.
    pub(super) fn of_journal(path: &Path, error: JournalError) -> Self {
        let path = path.to_owned();
        match error {
            JournalError::Full => OpenError::Full { path },
            JournalError::Damaged(detail) => OpenError::Damaged { path, detail },
            other => OpenError::Disk {
                path,
                detail: other.to_string(),
            },
        }
    }

    pub(super) fn of_sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        let owned = path.to_owned();
        let error_of_open = match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => return OpenError::NotAJournal { path: owned },
            Some(ErrorCode::DatabaseCorrupt) | None => {
                let detail = damage(error);
                return OpenError::Damaged {
                    path: owned,
                    detail,
                };
            }
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                OpenError::NoPermission { path: owned }
            }
            Some(ErrorCode::DiskFull) => OpenError::Full { path: owned },
            _ => OpenError::Disk {
                path: owned,
                detail: error.to_string(),
            },
        };
        // SQLite says little of a file beside the journal's that it could not make, or not make larger.
        probe(path).map_or(error_of_open, |error| OpenError::of_io(path, &error))
    }
}

/// Why a small file beside this one cannot be written.
fn probe(path: &Path) -> Option<std::io::Error> {
    let probe = path.with_extension("probe");
    // Of the name it may have nothing is touched that is there already.
    let mut file = match files::new_file(&probe) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return None,
        Err(error) => return Some(error),
    };
    let written = file.write_all(&vec![1; 64 << 10]);
    let _removed = std::fs::remove_file(&probe);
    written.err()
}

impl From<rusqlite::Error> for JournalError {
    /// The messages name tables and columns at most: values are bound, never written into SQL.
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => JournalError::Full,
            Some(code) if is_of_the_disk(code) => JournalError::Disk(error.to_string()),
            _ => JournalError::Damaged(damage(&error)),
        }
    }
}

/// Whether an error says something about the disk, or about this moment, and nothing about the rows that were
/// read or written: whatever else was to be written would have met it as well.
fn is_of_the_disk(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::SystemIoFailure
            | ErrorCode::ReadOnly
            | ErrorCode::CannotOpen
            | ErrorCode::PermissionDenied
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::NoLargeFileSupport
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted
    )
}

/// What SQLite says; or, where the error is not SQLite's, which value has not the type that its column
/// promises.
fn damage(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::InvalidColumnType(_, column, _) => {
            format!("a value of the column `{column}` is not of the kind that was written")
        }
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..) => {
            "a value is not of the kind that was written".to_owned()
        }
        other => other.to_string(),
    }
}
