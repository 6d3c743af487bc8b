//! Why a command ended without doing its work.

use std::path::Path;

/// The two ways to fail, which differ in whether there is anybody to tell.
pub(crate) enum Failure {
    /// Whoever read our output has gone away, as `head` does. That is no error of ours.
    ReaderGone,
    /// Something to tell the person at the terminal.
    Told {
        /// What went wrong, with its causes.
        error: anyhow::Error,
        /// What would help.
        help: Option<String>,
    },
}

impl Failure {
    /// A failure that knows its remedy.
    pub(crate) fn with_help(message: impl Into<String>, help: impl Into<String>) -> Self {
        Failure::Told {
            error: anyhow::Error::msg(message.into()),
            help: Some(help.into()),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Failure::Told { error, help: None }
    }
}

/// Where a file was looked for that is not there.
pub(crate) fn where_looked_for(path: &Path) -> String {
    let folder = std::env::current_dir().ok().filter(|_| path.is_relative());
    match folder {
        Some(folder) => format!("it was looked for in {}", folder.display()),
        None => "a part of the path does not exist".to_owned(),
    }
}
