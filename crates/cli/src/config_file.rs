//! Which configuration a command uses, and how problems with it are shown.

use std::io;
use std::path::{Path, PathBuf};

use clap::builder::{OsStringValueParser, TypedValueParser};
use sluice_gateway::config::{
    Config, ConfigProblem, Ink, LoadError, Loaded, Problems, ProcessEnvironment, Severity,
};

use crate::clock::Clock;
use crate::failure::{self, Failure};
use crate::output::{self, BOLD, CYAN, DIM, RED, YELLOW, counted, painted, printable};

/// Which configuration to use.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ConfigOption {
    /// The configuration [default: ./sluice.toml, if there is one]
    #[arg(long, value_name = "FILE", env = "SLUICE_CONFIG", value_parser = path())]
    pub(crate) config: Option<PathBuf>,
}

impl ConfigOption {
    /// The file that is used when none is named.
    pub(crate) const DEFAULT: &'static str = "sluice.toml";

    /// The file that was named, or `./sluice.toml` if there is one.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        let default = || Some(PathBuf::from(Self::DEFAULT)).filter(|path| path.exists());
        let named = self.config.clone();
        // An empty variable counts as not set.
        named
            .filter(|path| !path.as_os_str().is_empty())
            .or_else(default)
    }
}

/// A path, which may be empty: clap's own parser refuses an empty variable.
pub(crate) fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// Reads a configuration that has to be right.
pub(crate) fn load(path: &Path) -> Result<Loaded, Failure> {
    let now_s = now_s();
    Config::load(path, &ProcessEnvironment, now_s).map_err(|error| match error {
        LoadError::Problems(problems) => refused(&problems),
        error => unreadable(error),
    })
}

/// The failure when a configuration cannot be read.
pub(crate) fn unreadable(error: LoadError) -> Failure {
    let help = match &error {
        LoadError::Read { path, error } if error.kind() == io::ErrorKind::NotFound => {
            Some(format!(
                "{}; `sluice config init` writes a configuration to start from",
                failure::where_looked_for(path)
            ))
        }
        _ => None,
    };
    Failure::Told {
        error: error.into(),
        help,
    }
}

/// Says what is wrong with a configuration, which ends the command.
pub(crate) fn refused(problems: &Problems) -> Failure {
    for problem in problems {
        output::tell(&painted_problem(problem, problems.file()));
    }
    unusable(problems)
}

/// The failure when a configuration has errors that were told.
pub(crate) fn unusable(problems: &Problems) -> Failure {
    let errors = counted(problems.count(Severity::Error), "error");
    anyhow::anyhow!("{} cannot be used: {errors}", problems.file()).into()
}

/// A problem with its colours, for people.
pub(crate) fn painted_problem(problem: &ConfigProblem, file: &str) -> String {
    problem.render(&printable(file), |ink, text| {
        let style = match ink {
            Ink::Severity(Severity::Error) => RED,
            Ink::Severity(Severity::Warning) => YELLOW,
            Ink::Message => BOLD,
            Ink::Frame => DIM,
            Ink::Help => CYAN,
        };
        painted(style, text).to_string()
    })
}

/// Now, in Unix seconds.
pub(crate) fn now_s() -> i64 {
    i64::try_from(Clock::System.unix_ms() / 1_000).unwrap_or(i64::MAX)
}
