//! Why a secret cannot be read, and how much one may be.

use std::fmt;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use super::last_words::LastWords;

/// Size of a secret, in bytes.
pub const SECRET_BYTES_MAX: usize = 16 * 1024;

/// How long a command may take to print a secret, and a pipe to hold one.
pub const SECRET_COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a secret could not be read. No message holds any part of it.
#[derive(Debug)]
pub enum SecretError {
    /// The environment has no such variable.
    NotSet,
    /// There is nothing but white space.
    Empty,
    /// The bytes are not UTF-8.
    NotText,
    /// There are line breaks or other control characters inside.
    SeveralLines,
    /// There is more than [`SECRET_BYTES_MAX`].
    TooLarge,
    /// The file cannot be read.
    Read(io::Error),
    /// The program cannot be run.
    Run(io::Error),
    /// The program ended badly.
    Failed {
        /// How.
        status: ExitStatus,
        /// What it said last on its standard error.
        said: Option<LastWords>,
    },
    /// The program, or the pipe, takes too long.
    Timeout,
}

impl SecretError {
    /// Leaves out of what a command said the words that are secret.
    pub(crate) fn hide(&mut self, is_secret: impl Fn(&str) -> bool) {
        if let SecretError::Failed {
            said: Some(words), ..
        } = self
        {
            words.hide(is_secret);
        }
    }

    /// What is said of the place: `is not set`.
    pub(super) fn predicate(&self) -> String {
        match self {
            SecretError::NotSet => "is not set".to_owned(),
            SecretError::Empty => "is empty".to_owned(),
            SecretError::NotText => "is not UTF-8 text".to_owned(),
            SecretError::SeveralLines => "has several lines, or control characters".to_owned(),
            SecretError::TooLarge => format!("is longer than {SECRET_BYTES_MAX} bytes"),
            SecretError::Read(error) => format!("cannot be read: {error}"),
            SecretError::Run(error) => format!("cannot be run: {error}"),
            SecretError::Failed { status, said } => {
                let said = said.as_ref().map(|words| format!("; it said: {words}"));
                format!("failed: {status}{}", said.unwrap_or_default())
            }
            SecretError::Timeout => {
                format!("did not end within {} s", SECRET_COMMAND_TIMEOUT.as_secs())
            }
        }
    }
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it {}", self.predicate())
    }
}

/// Without a source: the message has all of it.
impl std::error::Error for SecretError {}
