//! Why a secret cannot be used, without any part of it.

use std::error::Error as _;

use sha2::{Digest as _, Sha256};
use sluice_graph::InvalidToken;
use sluice_journal::InvalidBodyKey;

use crate::config::{KEY_HELP, SecretError};

/// Why a secret cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RosterError {
    /// It cannot be read.
    #[error("{what} ({place}) cannot be used")]
    Unreadable {
        /// Whose secret it is.
        what: String,
        /// Where it should be.
        place: String,
        /// Why not.
        #[source]
        error: SecretError,
    },
    /// It is no token.
    #[error("{what} ({place}) cannot be used")]
    NoToken {
        /// Whose secret it is.
        what: String,
        /// Where it is.
        place: String,
        /// Why not.
        #[source]
        error: InvalidToken,
    },
    /// It is no key that bodies can be encrypted with.
    #[error("{what} ({place}) cannot be used")]
    NoBodyKey {
        /// Which key it is.
        what: String,
        /// Where it is.
        place: String,
        /// Why not.
        #[source]
        error: InvalidBodyKey,
    },
    /// Two sources cannot be told apart.
    #[error("sources {first} and {second} have the same key")]
    SameKey {
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// It can be guessed, and other machines reach the doors.
    #[error("key of source {name}: {doubt}; {KEY_HELP}")]
    ShortKey {
        /// Whose key it is.
        name: String,
        /// What is wrong with it.
        doubt: String,
    },
    /// A caller that knows a token or an app secret could come in with it.
    #[error("source {name} has the {what} for its key")]
    KeyIsSecret {
        /// Whose key it is.
        name: String,
        /// Whose secret it is too.
        what: String,
    },
}

impl RosterError {
    /// Leaves out of what a command said the secrets that are known by their digests.
    pub(super) fn hide(&mut self, is_known: impl Fn([u8; 32]) -> bool) {
        if let RosterError::Unreadable { error, .. } = self {
            error.hide(|word| is_known(Sha256::digest(word.as_bytes()).into()));
        }
    }

    /// What is wrong, and why, in one line of the log.
    pub(crate) fn with_reason(&self) -> String {
        match self.source() {
            Some(reason) => format!("{self}: {reason}"),
            None => self.to_string(),
        }
    }
}
