//! Secrets: where they are, and how they are read.
//!
//! The configuration holds a [`SecretRef`]: the place, not the secret. It can be read again at any
//! time, so a rotated token takes effect without a restart. What was read is a [`Secret`], which is
//! wiped from memory when it is dropped and never shows what it holds; neither do errors.

use std::fmt;
use std::path::PathBuf;
use std::time::SystemTime;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::environment::Environment;
use super::secret_command::printed;
use super::secret_error::{SECRET_BYTES_MAX, SECRET_COMMAND_TIMEOUT, SecretError};
use super::secret_file;

/// A text that only those may see who ask for it by name.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Keeps a text secret from now on.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What was read from somewhere, without the white space around it.
    fn from_bytes(bytes: &[u8]) -> Result<Self, SecretError> {
        let text = std::str::from_utf8(bytes).map_err(|_| SecretError::NotText)?;
        let text = text.trim();
        if text.is_empty() {
            Err(SecretError::Empty)
        } else if text.len() > SECRET_BYTES_MAX {
            Err(SecretError::TooLarge)
        } else if text.contains(char::is_control) {
            Err(SecretError::SeveralLines)
        } else {
            Ok(Self::new(text))
        }
    }
}

/// Compares in a time that does not tell how much of it is right.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where a secret is.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// In an environment variable.
    Env(String),
    /// In a file.
    File(PathBuf),
    /// In what a program prints: the program and its arguments, without a shell.
    Command(Vec<String>),
    /// Here.
    Literal(Secret),
}

impl SecretRef {
    /// Reads the secret. This blocks: on the disk, or until the command or the pipe ends, which may take
    /// [`SECRET_COMMAND_TIMEOUT`].
    ///
    /// # Errors
    ///
    /// [`SecretError`], which never shows the secret.
    pub fn read(&self, environment: &dyn Environment) -> Result<Secret, SecretError> {
        match self {
            SecretRef::Env(name) => {
                let value = environment.get(name).ok_or(SecretError::NotSet)?;
                let value = value.into_string().map(Zeroizing::new);
                Secret::from_bytes(value.map_err(|_| SecretError::NotText)?.as_bytes())
            }
            SecretRef::File(path) => {
                Secret::from_bytes(&secret_file::content(path, SECRET_COMMAND_TIMEOUT)?)
            }
            SecretRef::Command(words) => {
                Secret::from_bytes(&printed(words, SECRET_COMMAND_TIMEOUT)?)
            }
            SecretRef::Literal(secret) => Secret::from_bytes(secret.expose().as_bytes()),
        }
    }

    /// An error as a sentence: `environment variable META_ACCESS_TOKEN is not set`.
    pub fn explain(&self, error: &SecretError) -> String {
        use SecretError::{Empty, NotText, SeveralLines, TooLarge};
        let is_output = matches!(self, SecretRef::Command(_))
            && matches!(error, Empty | NotText | SeveralLines | TooLarge);
        let what = if is_output { "the output of " } else { "" };
        format!("{what}{self} {}", error.predicate())
    }

    /// The file of the secret, if every user of this machine can read it.
    pub fn open_file(&self) -> Option<&PathBuf> {
        match self {
            SecretRef::File(path) if secret_file::is_open_to_all(path) => Some(path),
            _ => None,
        }
    }

    /// When the file of the secret was last written; `None` if it is in no file, or there is none.
    /// A change says that it is time to read again.
    pub fn modified(&self) -> Option<SystemTime> {
        match self {
            SecretRef::File(path) => path.metadata().and_then(|file| file.modified()).ok(),
            _ => None,
        }
    }
}

/// Says where the secret is, for people. Arguments of a command are left out: there may be one that
/// should have been secret too.
impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretRef::Env(name) => write!(f, "environment variable {name}"),
            SecretRef::File(path) => write!(f, "file {}", path.display()),
            SecretRef::Command(words) => {
                write!(f, "command {}", words.first().map_or("", String::as_str))
            }
            SecretRef::Literal(_) => f.write_str("the text in the configuration"),
        }
    }
}

/// As for people, and for the same reason.
impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretRef({self})")
    }
}
