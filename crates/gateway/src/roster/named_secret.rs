//! One secret of the configuration: whose it is, where it is, and what was made of it.

use sha2::{Digest as _, Sha256};
use sluice_event::DatasetId;
use sluice_graph::{AccessToken, AppSecret, InvalidToken};
use sluice_journal::SourceName;

use super::error::RosterError;
use crate::config::{Config, Environment, SecretRef, doubt_of_key};

/// A secret that a configuration names. Of two configurations it is the same one if it has the same owner and the same
/// place.
#[derive(PartialEq, Eq)]
pub(crate) struct NamedSecret {
    pub(super) place: SecretRef,
    pub(super) owner: Owner,
}

/// Whose secret it is.
#[derive(PartialEq, Eq)]
pub(super) enum Owner {
    Token(DatasetId),
    AppSecret(DatasetId),
    Key {
        source: SourceName,
        /// Whether only this machine reaches the doors, so that a short key does no more than raise a doubt.
        is_local: bool,
    },
}

/// A secret that can be used.
#[derive(Clone)]
pub(super) struct Held {
    /// Tells secrets apart.
    pub(super) digest: [u8; 32],
    pub(super) value: Value,
}

/// What it is used for. Of a key, the digest is all that is needed, and what is doubtful about it.
#[derive(Clone)]
pub(super) enum Value {
    Token(AccessToken),
    AppSecret(AppSecret),
    Key { doubt: Option<String> },
}

impl NamedSecret {
    /// All secrets that a configuration names: the token of a dataset before its app secret, and keys last.
    pub(super) fn all(config: &Config) -> Vec<Self> {
        let mut secrets = Vec::new();
        for dataset in &config.datasets {
            secrets.push(Self {
                place: dataset.access_token.clone(),
                owner: Owner::Token(dataset.id.clone()),
            });
            if let Some(place) = dataset.app_secret.clone() {
                let owner = Owner::AppSecret(dataset.id.clone());
                secrets.push(Self { place, owner });
            }
        }
        let is_local = config.server.listen.ip().is_loopback();
        for source in &config.sources {
            secrets.extend(source.keys().iter().map(|place| Self {
                place: place.clone(),
                owner: Owner::Key {
                    source: source.name.clone(),
                    is_local,
                },
            }));
        }
        secrets
    }

    /// Whose secret it is, for people.
    pub(crate) fn what(&self) -> String {
        match &self.owner {
            Owner::Token(dataset) => format!("access token of dataset {dataset}"),
            Owner::AppSecret(dataset) => format!("app secret of dataset {dataset}"),
            Owner::Key { source, .. } => format!("key of source {source}"),
        }
    }

    /// The same, and where it is: tells it from all others of a configuration.
    pub(crate) fn name(&self) -> String {
        format!("{} ({})", self.what(), self.place)
    }

    /// Why it cannot be the same secret as another; `None` if it can.
    pub(super) fn clash_with(&self, other: &Self) -> Option<RosterError> {
        let (source, secret) = match (&self.owner, &other.owner) {
            (Owner::Key { source: second, .. }, Owner::Key { source: first, .. }) => {
                // A source may have the same key twice for a while, until one of them is changed.
                if first == second {
                    return None;
                }
                return Some(RosterError::SameKey {
                    first: first.to_string(),
                    second: second.to_string(),
                });
            }
            (Owner::Key { source, .. }, _) => (source, other),
            (_, Owner::Key { source, .. }) => (source, self),
            // Datasets may share what they are reached with.
            _ => return None,
        };
        Some(RosterError::KeyIsSecret {
            name: source.to_string(),
            what: secret.what(),
        })
    }

    pub(super) fn is_file(&self) -> bool {
        matches!(self.place, SecretRef::File(_))
    }

    pub(super) fn is_command(&self) -> bool {
        matches!(self.place, SecretRef::Command(_))
    }

    /// Reads it. This blocks.
    pub(super) fn read(&self, environment: &dyn Environment) -> Result<Held, RosterError> {
        let secret = self.place.read(environment);
        let secret = secret.map_err(|error| RosterError::Unreadable {
            what: self.what(),
            place: self.place.to_string(),
            error,
        })?;
        let text = secret.expose();
        let value = match &self.owner {
            Owner::Token(_) => AccessToken::new(text.to_owned()).map(Value::Token),
            Owner::AppSecret(_) => AppSecret::new(text.to_owned()).map(Value::AppSecret),
            Owner::Key { source, is_local } => match doubt_of_key(&secret) {
                Some(doubt) if !is_local => {
                    return Err(RosterError::ShortKey {
                        name: source.to_string(),
                        doubt,
                    });
                }
                doubt => Ok(Value::Key { doubt }),
            },
        };
        Ok(Held {
            digest: Sha256::digest(text.as_bytes()).into(),
            value: value.map_err(|error| self.no_token(error))?,
        })
    }

    fn no_token(&self, error: InvalidToken) -> RosterError {
        RosterError::NoToken {
            what: self.what(),
            place: self.place.to_string(),
            error,
        }
    }
}
