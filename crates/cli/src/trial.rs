//! What tells the journal of a trial from that of a shop: a file beside it.
//!
//! The events of a trial went to a sandbox. Books in which they stood beside those of a shop would say of them
//! that Meta has them, so neither of the two is used as the other.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use anyhow::Context as _;
use sluice_journal::{Books, OpenError};

use crate::failure::Failure;

/// The file that says so.
const MARK: &str = "TRIAL";

const TEXT: &str = "\
The journal in this folder is that of a trial of Sluice. What it calls delivered went to the sandbox, and
not to Meta. The folder can be deleted when the trial is over.
";

/// Whether the journal in a folder is that of a trial.
pub(crate) fn is_trial(folder: &Path) -> bool {
    folder.join(MARK).exists()
}

/// Makes the folder of a trial, or uses that of an earlier one.
pub(crate) fn prepare(folder: &Path) -> Result<(), Failure> {
    if is_trial(folder) {
        return Ok(());
    }
    if !matches!(Books::open(folder), Err(OpenError::Missing { .. })) {
        return Err(Failure::with_help(
            format!(
                "{} has a journal that is not one of a trial",
                folder.display()
            ),
            "unset SLUICE_JOURNAL_PATH to try Sluice in ./sluice-trial; to run a gateway with this journal, \
             name its configuration with --config",
        ));
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("making {}", folder.display()))?;
    let path = folder.join(MARK);
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path);
    match file.and_then(|mut file| file.write_all(TEXT.as_bytes())) {
        // Another trial was quicker; the journal takes one of them.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        written => Ok(written.with_context(|| format!("writing {}", path.display()))?),
    }
}

/// Refuses the journal of a trial to a gateway with a configuration.
pub(crate) fn refuse(folder: &Path) -> Result<(), Failure> {
    if !is_trial(folder) {
        return Ok(());
    }
    Err(Failure::with_help(
        format!("the journal in {} is that of a trial", folder.display()),
        "give journal.path (SLUICE_JOURNAL_PATH) a folder of its own: what the trial calls delivered went to a \
         sandbox and not to Meta",
    ))
}
