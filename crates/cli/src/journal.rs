//! Which journal a command reads, beside a running gateway or without one.

use std::path::PathBuf;

use sluice_journal::{Books, JournalError, OpenError};

use crate::config_file::{self, ConfigOption};
use crate::failure::Failure;

/// Where a gateway without a configuration keeps its journal.
const DEFAULT: &str = "./sluice-data";

/// Which journal to read.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct JournalOption {
    /// The journal's folder [default: that of the configuration, else ./sluice-data]
    // The variable is the configuration's own, which wins over its file as well.
    #[arg(long, value_name = "DIR", env = "SLUICE_JOURNAL_PATH", value_parser = config_file::path())]
    journal: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigOption,
}

impl JournalOption {
    /// The folder.
    fn folder(&self) -> Result<PathBuf, Failure> {
        // An empty variable counts as not set.
        let named = self.journal.as_ref();
        if let Some(folder) = named.filter(|path| !path.as_os_str().is_empty()) {
            return Ok(folder.clone());
        }
        match self.config.path() {
            Some(file) => Ok(config_file::load(&file)?.config.journal.path),
            None => Ok(PathBuf::from(DEFAULT)),
        }
    }

    /// Opens the journal's books; makes nothing.
    pub(crate) fn open(&self) -> Result<Books, Failure> {
        Books::open(&self.folder()?).map_err(Failure::from)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Failure::with_help(error.to_string(), error.help())
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        let help = match error {
            JournalError::Full => "make room on the disk, then try again; nothing was changed",
            JournalError::Damaged(_) => {
                "keep a copy of the folder; `sluice audit --deep` says what is damaged"
            }
            JournalError::Disk(_) | JournalError::Displaced(_) | JournalError::Closed => {
                "try again; if it stays so, check the disk and the system's log"
            }
        };
        Failure::with_help(error.to_string(), help)
    }
}
