//! Which configuration a command uses, and how problems with it are shown.

use std::path::{Path, PathBuf};

use sluice_gateway::config::{Config, LoadError, Loaded, ProcessEnvironment};

use crate::clock::Clock;
use crate::failure::Failure;

/// The file that is used when none is named.
const DEFAULT: &str = "sluice.toml";

/// Which configuration to use.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ConfigOption {
    /// The configuration [default: ./sluice.toml, if there is one]
    #[arg(long, value_name = "FILE", env = "SLUICE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}

impl ConfigOption {
    /// The file that was named, or `./sluice.toml` if there is one.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        let default = || Some(PathBuf::from(DEFAULT)).filter(|path| path.exists());
        self.config.clone().or_else(default)
    }
}

/// Reads a configuration that has to be right.
pub(crate) fn load(path: &Path) -> Result<Loaded, Failure> {
    let now_s = now_s();
    Config::load(path, &ProcessEnvironment, now_s).map_err(|error| match error {
        LoadError::Problems(problems) => Failure::with_help(
            problems.to_string(),
            "`sluice config check` shows each problem with its line",
        ),
        error => anyhow::Error::new(error).into(),
    })
}

/// Now, in Unix seconds.
pub(crate) fn now_s() -> i64 {
    i64::try_from(Clock::System.unix_ms() / 1_000).unwrap_or(i64::MAX)
}
