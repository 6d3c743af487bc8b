//! Whether the journal's paths still lead to the files that are open.
//!
//! An open file outlives its name: after the folder was removed, moved or replaced, commits would still
//! succeed, into a file that the next start does not find. So device and inode of the folder and of every
//! file in it are compared with those of the start: after each commit before it is acknowledged, after each
//! lease was read, and once a second. What was found displaced once stays so until the journal is opened
//! again: the rows of a group that was committed, but not acknowledged, are in the file that went away.
//!
//! Not seen: a file that another program writes over in place.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::{FILE, OpenError, lock, schema};
use crate::JournalError;

/// Device and inode.
type Identity = (u64, u64);

fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

/// The folder and the files of an open journal.
pub(super) struct Place {
    paths: Vec<(PathBuf, Identity)>,
    /// Keeps the inode number of the folder from being given to another one; the journal's own connection
    /// and lock do the same for the files.
    _folder: File,
    displaced: OnceLock<JournalError>,
}

impl Place {
    /// Notes what the paths lead to now. The writer's connection has to be open already.
    pub(super) fn of(folder: &Path) -> Result<Self, OpenError> {
        let file = folder.join(FILE);
        let files = [
            schema::wal_path(&file),
            schema::shm_path(&file),
            folder.join(lock::NAME),
            file,
        ];
        let failed = |path: &Path, error: &io::Error| OpenError::of_io(path, error);
        let held = File::open(folder).map_err(|error| failed(folder, &error))?;
        let of_folder = held.metadata().map_err(|error| failed(folder, &error))?;
        let mut paths = vec![(folder.to_owned(), identity(&of_folder))];
        for path in files {
            let metadata = path.metadata().map_err(|error| failed(&path, &error))?;
            paths.push((path, identity(&metadata)));
        }
        Ok(Self {
            paths,
            _folder: held,
            displaced: OnceLock::new(),
        })
    }

    /// Compares every path with what is open. A handful of system calls, some microseconds in all.
    ///
    /// # Errors
    ///
    /// [`JournalError::Displaced`], from the first time on for ever.
    pub(super) fn check(&self) -> Result<(), JournalError> {
        if let Some(found) = self.displaced() {
            return Err(found);
        }
        let Some(detail) = self.paths.iter().find_map(difference) else {
            return Ok(());
        };
        Err(self
            .displaced
            .get_or_init(|| JournalError::Displaced(detail))
            .clone())
    }

    /// What an earlier check found.
    pub(super) fn displaced(&self) -> Option<JournalError> {
        self.displaced.get().cloned()
    }
}

/// What has become of a path, if it does not lead where it did.
fn difference((path, was): &(PathBuf, Identity)) -> Option<String> {
    match path.metadata() {
        Ok(metadata) if identity(&metadata) == *was => None,
        Ok(_) => Some(format!("{} was replaced by another one", path.display())),
        Err(error) if is_gone(&error) => {
            Some(format!("{} was removed or moved away", path.display()))
        }
        // The disk does not say; SQLite meets the same trouble and reports it.
        Err(_) => None,
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::StaleNetworkFileHandle
    )
}

/// Where the journal's folder stands: the folder above it, and its name there. Stays the same when the
/// journal's folder is removed and made again.
pub(super) struct Site {
    parent: Identity,
    name_crc: u32,
}

impl Site {
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let folder = folder.canonicalize()?;
        let parent = folder.parent().unwrap_or(&folder);
        let name = folder.file_name().map_or(&b""[..], OsStr::as_encoded_bytes);
        Ok(Self {
            parent: identity(&parent.metadata()?),
            name_crc: crc32fast::hash(name),
        })
    }

    /// A name that no other place on this machine has.
    pub(super) fn name(&self) -> String {
        let (device, inode) = self.parent;
        format!("sluice-journal-{device:x}-{inode:x}-{:08x}", self.name_crc)
    }
}
