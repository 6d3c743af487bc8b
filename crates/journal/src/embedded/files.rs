//! Files of the journal: for its user alone, and never behind a link.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

/// The mode of a file of the journal: the group and others may do nothing with it.
pub(super) const PRIVATE: u32 = 0o600;

/// Makes a file that was not there, neither as a file nor as a link.
pub(super) fn new_file(path: &Path) -> io::Result<File> {
    options().create_new(true).open(path)
}

/// Opens a file for writing, or makes it. A link in its place is an error.
pub(super) fn open_file(path: &Path) -> io::Result<File> {
    options().read(true).create(true).open(path)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options
        .write(true)
        .mode(PRIVATE)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    options
}
