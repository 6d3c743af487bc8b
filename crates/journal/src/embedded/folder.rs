//! The journal's folder: made to last, and closed to other users.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::process::geteuid;

use super::error::OpenError;
use super::files::{PRIVATE, new_file};
use super::schema;

/// Group and others may write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Anything that group and others may do.
const OTHERS: u32 = 0o077;

/// Makes the folder, for this user only, and sees to it that it is still there after a power failure: every
/// folder in which another one was made is synced.
pub(super) fn make(folder: &Path) -> Result<(), OpenError> {
    let parent = |path: &Path| {
        let parent = path.parent().filter(|path| !path.as_os_str().is_empty());
        parent.unwrap_or(Path::new(".")).to_owned()
    };
    let mut changed = vec![parent(folder)];
    while let Some(missing) = changed.last().filter(|path| !path.exists()) {
        changed.push(parent(missing));
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| OpenError::of_io(folder, &error))?;
    for folder in changed {
        // Not every system can sync a folder; then there is nothing more to do.
        if let Ok(folder) = File::open(folder) {
            let _synced = folder.sync_all();
        }
    }
    Ok(())
}

/// Refuses a folder in which another user could put files, or links to files, in the place of the journal's.
/// Root may use the folder of another user, as in containers: that user can do nothing to root's files that
/// root has not allowed by using the folder.
pub(super) fn refuse_exposed(folder: &Path) -> Result<(), OpenError> {
    let metadata = folder.metadata();
    let metadata = metadata.map_err(|error| OpenError::of_io(folder, &error))?;
    let me = geteuid();
    let is_foreign = metadata.uid() != me.as_raw() && !me.is_root();
    let is_writable = metadata.mode() & WRITABLE_BY_OTHERS != 0;
    let why = match (is_foreign, is_writable) {
        (true, _) => "belongs to another user",
        (false, true) => "can be written by other users",
        (false, false) => return Ok(()),
    };
    Err(OpenError::Exposed {
        folder: folder.to_owned(),
        why,
    })
}

/// Makes the journal's file where there is none, readable by its user only: SQLite gives the files beside it the
/// same rights. Takes rights of others away from files of earlier versions.
pub(super) fn keep_private(path: &Path) -> Result<(), OpenError> {
    let failed = |error: io::Error| OpenError::of_io(path, &error);
    match new_file(path) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
    }
    for file in [path, &schema::wal_path(path), &schema::shm_path(path)] {
        match file.metadata() {
            Ok(found) if found.mode() & OTHERS != 0 => {
                std::fs::set_permissions(file, Permissions::from_mode(PRIVATE)).map_err(failed)?;
            }
            _ => {}
        }
    }
    Ok(())
}
