//! Which journal a command reads, beside a running gateway or without one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use sluice_gateway::body_keys;
use sluice_gateway::config::{
    Config, Environment as _, Journal, ProcessEnvironment, SecretRef, TRIAL_FOLDER,
};
use sluice_gateway::control::client::{AskError, ask};
use sluice_gateway::control::wire::Request;
use sluice_journal::{BodyKeys, EmbeddedLedger, JournalError, Ledger, OpenError};

use crate::config_file::{self, ConfigOption};
use crate::failure::Failure;
use crate::trial;

/// Where a gateway keeps its journal whose configuration does not say where.
const DEFAULT: &str = "./sluice-data";

/// Which journal to read.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct JournalOption {
    /// The journal's folder [default: that of the configuration, else ./sluice-data or ./sluice-trial]
    // The variable is the configuration's own, which wins over its file as well.
    #[arg(long, value_name = "DIR", env = "SLUICE_JOURNAL_PATH", value_parser = config_file::path())]
    journal: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigOption,
}

impl JournalOption {
    /// The folder.
    pub(crate) fn folder(&self) -> Result<PathBuf, Failure> {
        self.folder_by(|file| Ok(config_file::load(file)?.config.journal.path))
    }

    /// The folder, as `said` by the configuration where it is not named.
    fn folder_by(
        &self,
        said: impl FnOnce(&Path) -> Result<PathBuf, Failure>,
    ) -> Result<PathBuf, Failure> {
        // An empty variable counts as not set.
        let named = self.journal.as_ref();
        if let Some(folder) = named.filter(|path| !path.as_os_str().is_empty()) {
            return Ok(folder.clone());
        }
        if let Some(file) = self.config.path() {
            return said(&file);
        }
        // Without a configuration a trial may have run here.
        let mut known = [DEFAULT, TRIAL_FOLDER].map(Path::new).into_iter();
        let found = known.find(|folder| folder.exists());
        Ok(found.unwrap_or(Path::new(DEFAULT)).to_owned())
    }

    /// The keys that its bodies are encrypted with: those of the configuration, or of its variables where there is
    /// none.
    fn body_keys(&self) -> Result<BodyKeys, Failure> {
        let journal = match self.config.path() {
            Some(file) => config_file::load(&file)?.config.journal,
            None => Journal {
                path: self.folder()?,
                retention: Duration::ZERO,
                history: Duration::ZERO,
                encryption_key: of_variable("SLUICE_JOURNAL_ENCRYPTION_KEY"),
                encryption_key_previous: of_variable("SLUICE_JOURNAL_ENCRYPTION_KEY_PREVIOUS"),
            },
        };
        body_keys(&journal, &ProcessEnvironment).map_err(|error| anyhow::Error::new(error).into())
    }

    /// Asks the gateway that runs with the journal, whatever has become of its configuration since it started.
    pub(crate) fn ask<T: DeserializeOwned>(&self, request: Request) -> Result<T, Failure> {
        let folder = self.folder_by(|file| {
            let said = Config::journal_path(file, &ProcessEnvironment);
            said.map_or_else(|| Ok(config_file::load(file)?.config.journal.path), Ok)
        });
        ask(&folder?, request).map_err(Failure::from)
    }

    /// Opens the journal for reading, and for what a person does about its events; makes nothing. Encrypted bodies
    /// are not read.
    pub(crate) fn open(&self) -> Result<Box<dyn Ledger>, Failure> {
        self.open_with(BodyKeys::default())
    }

    /// The same, and encrypted bodies are read as far as their keys are known.
    pub(crate) fn open_bodies(&self) -> Result<Box<dyn Ledger>, Failure> {
        self.open_with(self.body_keys()?)
    }

    fn open_with(&self, keys: BodyKeys) -> Result<Box<dyn Ledger>, Failure> {
        Ok(Box::new(EmbeddedLedger::open(&self.folder()?, keys)?))
    }

    /// Whether it is the journal of a trial: what was delivered went to the sandbox.
    pub(crate) fn is_trial(&self) -> Result<bool, Failure> {
        Ok(trial::is_trial(&self.folder()?))
    }
}

/// The secret in a variable, if that is set.
fn of_variable(name: &str) -> Option<SecretRef> {
    ProcessEnvironment.get(name)?;
    Some(SecretRef::Env(name.to_owned()))
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        let help = error.help();
        Failure::with_help(error.to_string(), help)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let help = match &error {
            OpenError::Missing { .. } => {
                "name the folder that the gateway writes to with --journal DIR; it makes a journal when it \
                 starts: `sluice try` on this machine alone, or `sluice config init` for Meta"
            }
            error => error.help(),
        };
        Failure::with_help(error.to_string(), help)
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
