//! Who may come in and how Meta is reached: keys and tokens, as they are at this moment.
//!
//! Secrets are read at the start, when a file that holds one changes, on SIGHUP, and every minute while a
//! lane is parked. A secret that cannot be read then leaves the one that was known in force.

use std::collections::HashMap;
use std::error::Error as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};
use sluice_event::DatasetId;
use sluice_graph::{AccessToken, AppSecret, Destination, InvalidToken};
use subtle::ConstantTimeEq as _;
use tokio::sync::watch;

use crate::config::{Config, Dataset, Environment, SecretError, SecretRef, Source};

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
    /// Two sources cannot be told apart.
    #[error("sources {first} and {second} have the same key")]
    SameKey {
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
}

impl RosterError {
    /// What is wrong, and why, in one line of the log.
    pub(crate) fn with_reason(&self) -> String {
        match self.source() {
            Some(reason) => format!("{self}: {reason}"),
            None => self.to_string(),
        }
    }
}

/// How a dataset is reached.
#[derive(Clone)]
pub(crate) struct Reachable {
    pub(crate) destination: Destination,
    /// Tells tokens apart without showing them.
    pub(crate) fingerprint: String,
}

/// How every dataset is reached.
#[derive(Default)]
pub(crate) struct Destinations {
    by_dataset: HashMap<DatasetId, Reachable>,
}

impl Destinations {
    pub(crate) fn of(&self, dataset: &DatasetId) -> Option<Reachable> {
        self.by_dataset.get(dataset).cloned()
    }
}

/// The keys of all sources, as hashes: what is compared tells nothing about how much of it was right.
#[derive(Default)]
pub(crate) struct Keys {
    sources: Vec<([u8; 32], Arc<Source>)>,
}

impl Keys {
    fn digest(&self, source: &Source) -> Option<[u8; 32]> {
        let mut sources = self.sources.iter();
        let known = sources.find(|(_, known)| known.name == source.name);
        known.map(|(digest, _)| *digest)
    }

    /// The source with this key.
    pub(crate) fn source(&self, key: &str) -> Option<Arc<Source>> {
        let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        let mut found = None;
        // To the end in any case, so the time does not tell which source it was.
        for (known, source) in &self.sources {
            if bool::from(known.ct_eq(&digest)) {
                found = Some(source);
            }
        }
        found.cloned()
    }
}

/// Keys and tokens, as they are at this moment.
pub(crate) struct Roster {
    config: Config,
    environment: Arc<dyn Environment>,
    destinations: watch::Sender<Arc<Destinations>>,
    keys: watch::Sender<Arc<Keys>>,
    seen: Mutex<Vec<Option<SystemTime>>>,
}

impl Roster {
    /// Reads every secret. This blocks.
    pub(crate) fn read(
        config: Config,
        environment: Arc<dyn Environment>,
    ) -> Result<Self, RosterError> {
        let roster = Self {
            config,
            environment,
            destinations: watch::Sender::new(Arc::default()),
            keys: watch::Sender::new(Arc::default()),
            seen: Mutex::default(),
        };
        roster.have_files_changed();
        roster.refresh(false)?;
        Ok(roster)
    }

    pub(crate) fn destinations(&self) -> watch::Receiver<Arc<Destinations>> {
        self.destinations.subscribe()
    }

    pub(crate) fn keys(&self) -> watch::Receiver<Arc<Keys>> {
        self.keys.subscribe()
    }

    /// Reads every secret again. This blocks. What has changed takes effect at once, tokens whatever is wrong
    /// with the keys, and the first that cannot be read is told in the end; `wakes` parked lanes even when
    /// nothing has changed.
    pub(crate) fn refresh(&self, wakes: bool) -> Result<(), RosterError> {
        // One secret that cannot be read does not keep the others from being renewed.
        let mut failed = None;
        let mut destinations = Destinations::default();
        let known = Arc::clone(&self.destinations.borrow());
        for dataset in &self.config.datasets {
            let reachable = match (self.reachable(dataset), known.of(&dataset.id)) {
                (Ok(reachable), _) => reachable,
                (Err(error), Some(known)) => {
                    failed = failed.or(Some(error));
                    known
                }
                (Err(error), None) => return Err(error),
            };
            destinations
                .by_dataset
                .insert(dataset.id.clone(), reachable);
        }
        self.destinations.send_if_modified(|known| {
            let is_changed = wakes
                || known.by_dataset.len() != destinations.by_dataset.len()
                || known.by_dataset.iter().any(|(id, reachable)| {
                    destinations
                        .by_dataset
                        .get(id)
                        .is_none_or(|new| new.fingerprint != reachable.fingerprint)
                });
            if is_changed {
                *known = Arc::new(destinations);
            }
            is_changed
        });
        let mut keys = Keys::default();
        let known = Arc::clone(&self.keys.borrow());
        for source in &self.config.sources {
            let what = format!("key of source {}", source.name);
            let digest = match (self.secret(&what, &source.key), known.digest(source)) {
                (Ok(secret), _) => Sha256::digest(secret.expose().as_bytes()).into(),
                (Err(error), Some(known)) => {
                    failed = failed.or(Some(error));
                    known
                }
                (Err(error), None) => return Err(error),
            };
            if let Some((_, first)) = keys.sources.iter().find(|(known, _)| *known == digest) {
                return Err(RosterError::SameKey {
                    first: first.name.to_string(),
                    second: source.name.to_string(),
                });
            }
            keys.sources.push((digest, Arc::new(source.clone())));
        }
        self.keys.send_replace(Arc::new(keys));
        failed.map_or(Ok(()), Err)
    }

    /// Whether a file that holds a secret was written since the last time this was asked.
    pub(crate) fn have_files_changed(&self) -> bool {
        let datasets = self.config.datasets.iter();
        let tokens = datasets.flat_map(|it| [Some(&it.access_token), it.app_secret.as_ref()]);
        let keys = self.config.sources.iter().map(|source| Some(&source.key));
        let now: Vec<_> = tokens
            .chain(keys)
            .flatten()
            .map(SecretRef::modified)
            .collect();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let is_changed = *seen != now;
        *seen = now;
        is_changed
    }

    fn reachable(&self, dataset: &Dataset) -> Result<Reachable, RosterError> {
        let what = format!("access token of dataset {}", dataset.id);
        let secret = self.secret(&what, &dataset.access_token)?;
        let token =
            AccessToken::new(secret.expose().to_owned()).map_err(|error| RosterError::NoToken {
                what,
                place: dataset.access_token.to_string(),
                error,
            })?;
        let mut fingerprint = token.fingerprint();
        let app_secret = match &dataset.app_secret {
            None => None,
            Some(place) => {
                let what = format!("app secret of dataset {}", dataset.id);
                let secret = self.secret(&what, place)?;
                let secret = AppSecret::new(secret.expose().to_owned()).map_err(|error| {
                    RosterError::NoToken {
                        what,
                        place: place.to_string(),
                        error,
                    }
                })?;
                // The proof changes with either of them.
                fingerprint.push_str(&secret.appsecret_proof(&token)[..8]);
                Some(secret)
            }
        };
        Ok(Reachable {
            destination: Destination {
                base_url: self.config.graph.base_url.clone(),
                version: dataset.delivery.version,
                dataset: dataset.id.clone(),
                token,
                app_secret,
                placement: self.config.graph.token_placement,
            },
            fingerprint,
        })
    }

    fn secret(&self, what: &str, place: &SecretRef) -> Result<crate::config::Secret, RosterError> {
        place
            .read(&*self.environment)
            .map_err(|error| RosterError::Unreadable {
                what: what.to_owned(),
                place: place.to_string(),
                error,
            })
    }
}
