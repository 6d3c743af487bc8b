//! Secrets in files: how much is read, how long that may take, and who else can read it.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Mode, OFlags, open};
use zeroize::Zeroizing;

use super::pauses::Pauses;
use super::secret_error::{SECRET_BYTES_MAX, SecretError};

/// Bytes that are read at most: one more than a secret may have, and white space around it.
const READ_BYTES_MAX: usize = SECRET_BYTES_MAX + 64;

/// Room for all that is read. It never moves, so that no copy of a secret stays behind.
pub(super) fn room() -> Zeroizing<Vec<u8>> {
    Zeroizing::new(Vec::with_capacity(READ_BYTES_MAX + 64))
}

/// Fills the room with what is there, as far as it goes.
pub(super) fn fill(room: &mut Vec<u8>, source: impl Read) -> io::Result<()> {
    let left = READ_BYTES_MAX.saturating_sub(room.len());
    source.take(left as u64).read_to_end(room)?;
    Ok(())
}

/// What a file holds. It may be a pipe, which has something to say within the time or is given up.
pub(super) fn content(path: &Path, time: Duration) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    // O_NONBLOCK: opening a pipe otherwise blocks until it has a writer, which may be for ever.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = open(path, flags, Mode::empty());
    let mut file = File::from(file.map_err(|error| SecretError::Read(error.into()))?);
    let is_whole = file.metadata().map_err(SecretError::Read)?.is_file();
    let mut bytes = room();
    let mut pauses = Pauses::of(time);
    loop {
        match fill(&mut bytes, &mut file) {
            // A pipe without a writer reads as ended: wait for one.
            Ok(()) if is_whole || !bytes.is_empty() => return Ok(bytes),
            Err(error) if error.kind() != ErrorKind::WouldBlock => {
                return Err(SecretError::Read(error));
            }
            _ => {}
        }
        if !pauses.pause() {
            return Err(SecretError::Timeout);
        }
    }
}

/// Whether every user of this machine can read a file: its own mode lets them, and those of all folders above.
pub(super) fn is_open_to_all(path: &Path) -> bool {
    const READ_BY_OTHERS: u32 = 0o004;
    const ENTERED_BY_OTHERS: u32 = 0o001;
    let Ok(path) = path.canonicalize() else {
        return false;
    };
    let has = |path: &Path, bit: u32| {
        let mode = path.metadata().map(|it| it.permissions().mode());
        mode.is_ok_and(|mode| mode & bit != 0)
    };
    path.is_file()
        && has(&path, READ_BY_OTHERS)
        && path
            .ancestors()
            .skip(1)
            .all(|folder| has(folder, ENTERED_BY_OTHERS))
}
