//! Which journal a command reads, beside a running gateway or without one.

use std::path::PathBuf;
use std::time::Duration;

use sluice_gateway::body_keys;
use sluice_gateway::config::{Environment as _, Journal, ProcessEnvironment, SecretRef};
use sluice_journal::{BodyKeys, Books, JournalError, OpenError};

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

    /// The keys that its bodies are encrypted with: those of the configuration, or of its variables where there is
    /// none.
    pub(crate) fn body_keys(&self) -> Result<BodyKeys, Failure> {
        let journal = match self.config.path() {
            Some(file) => config_file::load(&file)?.config.journal,
            None => Journal {
                path: self.folder()?,
                retention: Duration::ZERO,
                encryption_key: of_variable("SLUICE_JOURNAL_ENCRYPTION_KEY"),
                encryption_key_previous: of_variable("SLUICE_JOURNAL_ENCRYPTION_KEY_PREVIOUS"),
            },
        };
        body_keys(&journal, &ProcessEnvironment).map_err(|error| anyhow::Error::new(error).into())
    }

    /// Opens the journal's books; makes nothing.
    pub(crate) fn open(&self) -> Result<Books, Failure> {
        Books::open(&self.folder()?).map_err(Failure::from)
    }
}

/// The secret in a variable, if that is set.
fn of_variable(name: &str) -> Option<SecretRef> {
    ProcessEnvironment.get(name)?;
    Some(SecretRef::Env(name.to_owned()))
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
