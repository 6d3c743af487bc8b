//! Who may come in and how Meta is reached: keys and tokens, as they are at this moment.
//!
//! Secrets are read at the start; those in files when a file changes; all on SIGHUP, and every minute while a
//! lane is parked. Each takes effect when it was read, and one that cannot be used leaves the one that was
//! known in force. Nothing here decides when to read: that is maintenance.

mod error;
mod named_secret;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};
use sluice_event::DatasetId;
use sluice_graph::{AccessToken, AppSecret, Destination};
use sluice_journal::SourceName;
use subtle::ConstantTimeEq as _;
use tokio::sync::watch;

use crate::config::{Config, Dataset, Environment, Graph, Source};
pub use error::RosterError;
use named_secret::{Held, NamedSecret, Value};

/// What became of each secret that was read again, by its number: whether it is another one than before, or why
/// it cannot be used.
pub(crate) type Reading = BTreeMap<usize, Result<bool, RosterError>>;

/// How a dataset is reached.
#[derive(Clone)]
pub(crate) struct Reachable {
    pub(crate) destination: Destination,
    /// Tells tokens apart without showing them.
    pub(crate) fingerprint: String,
}

impl Reachable {
    /// Proves requests with the secret of the token's app.
    fn prove_with(&mut self, secret: AppSecret) {
        // The proof changes with either of them.
        let proof = secret.appsecret_proof(&self.destination.token);
        self.fingerprint.push_str(&proof[..8]);
        self.destination.app_secret = Some(secret);
    }
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

    /// Whether any dataset is reached otherwise. The datasets themselves never change.
    fn differ_from(&self, others: &Self) -> bool {
        self.by_dataset.iter().any(|(id, reachable)| {
            let other = others.by_dataset.get(id);
            other.is_none_or(|other| other.fingerprint != reachable.fingerprint)
        })
    }
}

/// The keys of all sources, as hashes: what is compared tells nothing about how much of it was right.
#[derive(Default)]
pub(crate) struct Keys {
    sources: Vec<([u8; 32], Arc<Source>)>,
}

impl Keys {
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
    secrets: Vec<NamedSecret>,
    graph: Graph,
    environment: Arc<dyn Environment>,
    /// What was made of each of them.
    in_force: Mutex<Vec<Held>>,
    destinations: watch::Sender<Arc<Destinations>>,
    keys: watch::Sender<Arc<Keys>>,
    seen: Mutex<Vec<Option<SystemTime>>>,
}

impl Roster {
    /// Reads every secret. This blocks.
    pub(crate) fn read(
        config: &Config,
        environment: Arc<dyn Environment>,
    ) -> Result<Self, RosterError> {
        let secrets = NamedSecret::all(config);
        let seen = Mutex::new(last_written(&secrets));
        let held = read_all(&secrets, &*environment)?;
        if let Some((_, error)) = clash(&secrets, &held, |_| true) {
            return Err(error);
        }
        let roster = Self {
            secrets,
            graph: config.graph.clone(),
            environment,
            in_force: Mutex::default(),
            destinations: watch::Sender::new(Arc::default()),
            keys: watch::Sender::new(Arc::default()),
            seen,
        };
        roster.publish(&held, true);
        *roster.in_force() = held;
        Ok(roster)
    }

    /// What is doubtful about keys that can be used, beside the names of their sources.
    pub(crate) fn doubts(&self) -> Vec<(SourceName, String)> {
        let in_force = self.in_force();
        let doubts = in_force.iter().filter_map(|held| match &held.value {
            Value::Key(source, doubt) => Some((source.name.clone(), doubt.clone()?)),
            Value::Token(..) | Value::AppSecret(..) => None,
        });
        doubts.collect()
    }

    /// Whose secrets are in files that every user of this machine can read, with the file.
    pub(crate) fn open_files(&self) -> Vec<(String, String)> {
        let open = self.secrets.iter().filter_map(|secret| {
            let file = secret.place.open_file()?;
            Some((secret.what(), file.display().to_string()))
        });
        open.collect()
    }

    pub(crate) fn destinations(&self) -> watch::Receiver<Arc<Destinations>> {
        self.destinations.subscribe()
    }

    pub(crate) fn keys(&self) -> watch::Receiver<Arc<Keys>> {
        self.keys.subscribe()
    }

    /// Whether a file that holds a secret was written since the last time this was asked.
    pub(crate) fn have_files_changed(&self) -> bool {
        let now = last_written(&self.secrets);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let is_changed = *seen != now;
        *seen = now;
        is_changed
    }

    /// Reads the secrets in files again. This blocks. Those that can be used take effect, whatever is wrong with
    /// the others.
    pub(crate) fn refresh_files(&self) -> Reading {
        self.refresh_those(NamedSecret::is_file, false)
    }

    /// The same with every secret that no command prints; `wakes` parked lanes even when nothing has changed.
    pub(crate) fn refresh(&self, wakes: bool) -> Reading {
        self.refresh_those(|secret| !secret.is_command(), wakes)
    }

    /// The same with one secret that a command prints. This may take long, and nothing else waits meanwhile.
    pub(crate) fn refresh_command(&self, command: SecretCommand) -> Reading {
        let SecretCommand(index) = command;
        let read = self.secrets[index].read(&*self.environment);
        self.take(vec![(index, read)], false)
    }

    /// The secrets that commands print.
    pub(crate) fn commands(&self) -> Vec<SecretCommand> {
        let secrets = self.secrets.iter().enumerate();
        let commands = secrets.filter(|(_, secret)| secret.is_command());
        commands.map(|(index, _)| SecretCommand(index)).collect()
    }

    /// Whose secret a command prints, for people.
    pub(crate) fn what(&self, command: SecretCommand) -> String {
        self.secrets[command.0].what()
    }

    fn refresh_those(&self, is_meant: impl Fn(&NamedSecret) -> bool, wakes: bool) -> Reading {
        let secrets = self.secrets.iter().enumerate();
        let meant = secrets.filter(|(_, secret)| is_meant(secret));
        let read = meant.map(|(index, secret)| (index, secret.read(&*self.environment)));
        self.take(read.collect(), wakes)
    }

    /// Puts in force what was read, as far as it can be used.
    fn take(&self, read: Vec<(usize, Result<Held, RosterError>)>, wakes: bool) -> Reading {
        let mut reading = Reading::new();
        let mut in_force = self.in_force();
        let mut new = in_force.clone();
        for (index, held) in read {
            match held {
                Ok(held) => {
                    new[index] = held;
                    reading.insert(index, Ok(false));
                }
                Err(mut error) => {
                    error.hide(&in_force);
                    reading.insert(index, Err(error));
                }
            }
        }
        let is_new = |new: &[Held], index: usize| new[index].digest != in_force[index].digest;
        while let Some((index, error)) = clash(&self.secrets, &new, |index| is_new(&new, index)) {
            new[index] = in_force[index].clone();
            reading.insert(index, Err(error));
        }
        for (index, read) in &mut reading {
            if let Ok(is_other) = read {
                *is_other = is_new(&new, *index);
            }
        }
        self.publish(&new, wakes);
        *in_force = new;
        reading
    }

    fn in_force(&self) -> MutexGuard<'_, Vec<Held>> {
        // It is replaced as a whole or not at all.
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells doors and lanes.
    fn publish(&self, held: &[Held], wakes: bool) {
        let mut destinations = Destinations::default();
        let mut keys = Keys::default();
        for Held { digest, value } in held {
            match value {
                Value::Token(dataset, token) => {
                    let reachable = self.reachable(dataset, token);
                    let id = dataset.id.clone();
                    destinations.by_dataset.insert(id, reachable);
                }
                Value::AppSecret(dataset, secret) => {
                    if let Some(reachable) = destinations.by_dataset.get_mut(&dataset.id) {
                        reachable.prove_with(secret.clone());
                    }
                }
                Value::Key(source, _) => keys.sources.push((*digest, Arc::clone(source))),
            }
        }
        self.destinations.send_if_modified(|known| {
            let is_changed = wakes || destinations.differ_from(known);
            if is_changed {
                *known = Arc::new(destinations);
            }
            is_changed
        });
        self.keys.send_replace(Arc::new(keys));
    }

    fn reachable(&self, dataset: &Dataset, token: &AccessToken) -> Reachable {
        Reachable {
            destination: Destination {
                base_url: self.graph.base_url.clone(),
                version: dataset.delivery.version,
                dataset: dataset.id.clone(),
                token: token.clone(),
                app_secret: None,
                placement: self.graph.token_placement,
            },
            fingerprint: token.fingerprint(),
        }
    }
}

/// A secret of a roster that a command prints.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SecretCommand(usize);

/// When the file of each secret was last written.
fn last_written(secrets: &[NamedSecret]) -> Vec<Option<SystemTime>> {
    secrets
        .iter()
        .map(|secret| secret.place.modified())
        .collect()
}

/// Reads secrets beside each other, so that commands together take as long as the slowest.
fn read_all(
    secrets: &[NamedSecret],
    environment: &dyn Environment,
) -> Result<Vec<Held>, RosterError> {
    thread::scope(|scope| {
        let readers = secrets
            .iter()
            .map(|secret| scope.spawn(|| secret.read(environment)));
        let readers: Vec<_> = readers.collect();
        let read = readers.into_iter().map(thread::ScopedJoinHandle::join);
        let read: Vec<_> = read
            .map(|read| read.unwrap_or_else(|panic| resume_unwind(panic)))
            .collect();
        let known: Vec<Held> = read.iter().flatten().cloned().collect();
        let shown = |mut error: RosterError| {
            error.hide(&known);
            error
        };
        read.into_iter().map(|read| read.map_err(shown)).collect()
    })
}

/// The last new secret that cannot be in force beside the others, and why.
fn clash(
    secrets: &[NamedSecret],
    held: &[Held],
    is_new: impl Fn(usize) -> bool,
) -> Option<(usize, RosterError)> {
    let mut new = (0..held.len()).rev().filter(|index| is_new(*index));
    new.find_map(|index| {
        let same = (0..held.len()).filter(|other| *other != index);
        let mut same = same.filter(|other| held[*other].digest == held[index].digest);
        let error = same.find_map(|other| secrets[index].clash_with(&secrets[other]))?;
        Some((index, error))
    })
}
