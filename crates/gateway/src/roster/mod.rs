//! Who may come in and how Meta is reached: the configuration in force, keys and tokens, as they are at this moment.
//!
//! Secrets are read at the start; those in files when a file changes; all on SIGHUP, and every minute while a
//! lane is parked; those that another configuration names when it is put in force. Each takes effect when it was read,
//! and one that cannot be used leaves the one that was known in force. All that takes effect is in one [`Snapshot`],
//! and nowhere else. Nothing here decides when to read.

mod callers;
mod destinations;
mod error;
mod named_secret;
mod snapshot;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::SystemTime;

use sluice_journal::SourceName;
use tokio::sync::watch;

use crate::config::{Config, Environment, FILE_HELP, KEY_HELP, OPEN_FILE};
pub(crate) use callers::Callers;
pub(crate) use destinations::{Destinations, Reachable};
pub use error::RosterError;
pub(crate) use named_secret::NamedSecret;
use named_secret::{Held, Owner, Value};
pub(crate) use snapshot::{Snapshot, Snapshots};

/// What became of secrets that were read again.
pub(crate) type Reading = Vec<SecretRead>;

/// What became of a secret that was read again.
pub(crate) struct SecretRead {
    pub(crate) secret: Arc<NamedSecret>,
    /// Whether it is another one than before, or why it cannot be used.
    pub(crate) result: Result<bool, RosterError>,
}

/// A secret that the configuration in force names, and what was made of it.
#[derive(Clone)]
struct Known {
    secret: Arc<NamedSecret>,
    held: Held,
}

/// The writer of the snapshot.
pub(crate) struct Roster {
    environment: Arc<dyn Environment>,
    /// Every secret of the configuration in force.
    in_force: Mutex<Vec<Known>>,
    snapshot: watch::Sender<Arc<Snapshot>>,
    seen: Mutex<Vec<Option<SystemTime>>>,
}

impl Roster {
    /// Reads every secret. This blocks.
    pub(crate) fn read(
        config: Config,
        environment: Arc<dyn Environment>,
    ) -> Result<Self, RosterError> {
        let secrets: Vec<_> = NamedSecret::all(&config)
            .into_iter()
            .map(Arc::new)
            .collect();
        let seen = Mutex::new(last_written(&secrets));
        let read = read_all(&secrets, &*environment, &[]);
        let read = read.into_iter().collect::<Result<Vec<_>, _>>()?;
        let known = secrets.into_iter().zip(read);
        let known: Vec<_> = known.map(|(secret, held)| Known { secret, held }).collect();
        if let Some((_, error)) = clash(&known, |_| true) {
            return Err(error);
        }
        let first = snapshot(Arc::new(config), &known, 1, 0);
        Ok(Self {
            environment,
            in_force: Mutex::new(known),
            snapshot: watch::Sender::new(Arc::new(first)),
            seen,
        })
    }

    /// The snapshot of this moment, and those that follow.
    pub(crate) fn snapshots(&self) -> Snapshots {
        self.snapshot.subscribe()
    }

    /// The snapshot of this moment.
    pub(crate) fn now(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.borrow())
    }

    /// Puts another configuration in force, with the secrets that are known of the one before; those that only this one
    /// names are read. This blocks. One call at a time.
    ///
    /// # Errors
    ///
    /// Every secret that cannot be used. Nothing has changed then.
    pub(crate) fn apply(&self, config: Config) -> Result<(), Vec<RosterError>> {
        let known = self.in_force().clone();
        let of_known = |secret: &NamedSecret| {
            let mut known = known.iter();
            known.find(|known| *known.secret == *secret)
        };
        let secrets = NamedSecret::all(&config).into_iter();
        let secrets: Vec<_> = secrets
            .map(|secret| match of_known(&secret) {
                Some(known) => Arc::clone(&known.secret),
                None => Arc::new(secret),
            })
            .collect();
        let new = secrets.iter().filter(|secret| of_known(secret).is_none());
        let new: Vec<_> = new.cloned().collect();
        let read = read_all(&new, &*self.environment, &known);
        let (read, errors): (Vec<_>, Vec<_>) = read.into_iter().partition(Result::is_ok);
        let errors: Vec<_> = errors.into_iter().filter_map(Result::err).collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        let read = new.into_iter().zip(read.into_iter().flatten());
        let read: Vec<_> = read.map(|(secret, held)| Known { secret, held }).collect();
        // What was known may have been read again meanwhile.
        let mut in_force = self.in_force();
        let all = secrets.iter().filter_map(|secret| {
            let mut all = in_force.iter().chain(&read);
            all.find(|known| Arc::ptr_eq(&known.secret, secret))
                .cloned()
        });
        let all: Vec<_> = all.collect();
        if let Some((_, error)) = clash(&all, |_| true) {
            return Err(vec![error]);
        }
        self.snapshot.send_modify(|it| {
            let next = snapshot(Arc::new(config), &all, it.generation + 1, it.calls);
            *it = Arc::new(next);
        });
        *in_force = all;
        Ok(())
    }

    /// What is doubtful about keys that can be used, beside the names of their sources.
    pub(crate) fn doubts(&self) -> Vec<(SourceName, String)> {
        let in_force = self.in_force();
        let doubts =
            in_force
                .iter()
                .filter_map(|known| match (&known.secret.owner, &known.held.value) {
                    (Owner::Key { source, .. }, Value::Key { doubt }) => {
                        Some((source.clone(), doubt.clone()?))
                    }
                    _ => None,
                });
        doubts.collect()
    }

    /// Whose secrets are in files that every user of this machine can read, with the file.
    pub(crate) fn open_files(&self) -> Vec<(String, String)> {
        let secrets = self.secrets();
        let open = secrets.iter().filter_map(|secret| {
            let file = secret.place.open_file()?;
            Some((secret.what(), file.display().to_string()))
        });
        open.collect()
    }

    /// Both in words for people, each in one line.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let doubts = self.doubts().into_iter();
        let doubts =
            doubts.map(|(source, doubt)| format!("key of source {source}: {doubt}; {KEY_HELP}"));
        let open = self.open_files().into_iter();
        let open = open.map(|(secret, file)| format!("{secret}: {OPEN_FILE}: {file}; {FILE_HELP}"));
        doubts.chain(open).collect()
    }

    /// Whether a file that holds a secret was written since the last time this was asked.
    pub(crate) fn have_files_changed(&self) -> bool {
        let now = last_written(&self.secrets());
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
    pub(crate) fn refresh_command(&self, command: &Arc<NamedSecret>) -> Reading {
        let read = command.read(&*self.environment);
        self.take(vec![(Arc::clone(command), read)], false)
    }

    /// The secrets that the configuration in force names.
    pub(crate) fn secrets(&self) -> Vec<Arc<NamedSecret>> {
        let in_force = self.in_force();
        in_force
            .iter()
            .map(|known| Arc::clone(&known.secret))
            .collect()
    }

    /// Those of them that commands print.
    pub(crate) fn commands(&self) -> Vec<Arc<NamedSecret>> {
        let mut secrets = self.secrets();
        secrets.retain(|secret| secret.is_command());
        secrets
    }

    fn refresh_those(&self, is_meant: impl Fn(&NamedSecret) -> bool, wakes: bool) -> Reading {
        let mut secrets = self.secrets();
        secrets.retain(|secret| is_meant(secret));
        let read = secrets.into_iter().map(|secret| {
            let read = secret.read(&*self.environment);
            (secret, read)
        });
        self.take(read.collect(), wakes)
    }

    /// Puts in force what was read, as far as it can be used and the configuration in force still names it.
    fn take(
        &self,
        read: Vec<(Arc<NamedSecret>, Result<Held, RosterError>)>,
        wakes: bool,
    ) -> Reading {
        let mut in_force = self.in_force();
        let mut new = in_force.clone();
        // What became of each, by its place in the list.
        let mut results = BTreeMap::new();
        for (secret, held) in read {
            let Some(index) = (new.iter()).position(|known| Arc::ptr_eq(&known.secret, &secret))
            else {
                continue;
            };
            match held {
                Ok(held) => {
                    new[index].held = held;
                    results.insert(index, Ok(false));
                }
                Err(mut error) => {
                    error.hide(|digest| in_force.iter().any(|it| it.held.digest == digest));
                    results.insert(index, Err(error));
                }
            }
        }
        let is_new =
            |new: &[Known], index: usize| new[index].held.digest != in_force[index].held.digest;
        while let Some((index, error)) = clash(&new, |index| is_new(&new, index)) {
            new[index] = in_force[index].clone();
            results.insert(index, Err(error));
        }
        for (index, result) in &mut results {
            if let Ok(is_other) = result {
                *is_other = is_new(&new, *index);
            }
        }
        let is_any_new = (0..new.len()).any(|index| is_new(&new, index));
        self.snapshot.send_if_modified(|it| {
            if is_any_new || wakes {
                let (config, calls) = (Arc::clone(&it.config), it.calls + u64::from(wakes));
                *it = Arc::new(snapshot(config, &new, it.generation, calls));
            }
            is_any_new || wakes
        });
        *in_force = new;
        let reading = results.into_iter().map(|(index, result)| SecretRead {
            secret: Arc::clone(&in_force[index].secret),
            result,
        });
        reading.collect()
    }

    fn in_force(&self) -> MutexGuard<'_, Vec<Known>> {
        // It is replaced as a whole or not at all.
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The snapshot of a configuration and its secrets.
fn snapshot(config: Arc<Config>, known: &[Known], generation: u64, calls: u64) -> Snapshot {
    let mut destinations = Destinations::default();
    let mut callers = Callers::default();
    let sources = config.sources.iter().cloned().map(Arc::new);
    let sources: Vec<_> = sources.collect();
    for Known { secret, held } in known {
        match (&secret.owner, &held.value) {
            (Owner::Token(id), Value::Token(token)) => {
                if let Some(dataset) = config.dataset(id) {
                    destinations.insert(Reachable::new(&config.graph, dataset, token));
                }
            }
            (Owner::AppSecret(id), Value::AppSecret(secret)) => {
                if let Some(reachable) = destinations.get_mut(id) {
                    reachable.prove_with(secret.clone());
                }
            }
            (Owner::Key { source, .. }, Value::Key { .. }) => {
                if let Some(source) = sources.iter().find(|it| it.name == *source) {
                    callers.add_key(held.digest, Arc::clone(source));
                }
            }
            // A secret is read as what its owner needs.
            _ => {}
        }
    }
    Snapshot {
        config,
        callers,
        destinations,
        generation,
        calls,
    }
}

/// When the file of each secret was last written.
fn last_written(secrets: &[Arc<NamedSecret>]) -> Vec<Option<SystemTime>> {
    secrets
        .iter()
        .map(|secret| secret.place.modified())
        .collect()
}

/// Reads secrets beside each other, so that commands together take as long as the slowest. What a command says of one
/// that cannot be read shows none of the others, nor of those that are known already.
fn read_all(
    secrets: &[Arc<NamedSecret>],
    environment: &dyn Environment,
    known: &[Known],
) -> Vec<Result<Held, RosterError>> {
    let mut read: Vec<_> = thread::scope(|scope| {
        let readers = secrets
            .iter()
            .map(|secret| scope.spawn(|| secret.read(environment)));
        let readers: Vec<_> = readers.collect();
        let read = readers.into_iter().map(thread::ScopedJoinHandle::join);
        read.map(|read| read.unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    });
    let readable: Vec<_> = read.iter().flatten().map(|held| held.digest).collect();
    for error in read.iter_mut().filter_map(|read| read.as_mut().err()) {
        error.hide(|digest| {
            let mut known = known.iter().map(|known| known.held.digest);
            readable.contains(&digest) || known.any(|known| known == digest)
        });
    }
    read
}

/// The last new secret that cannot be in force beside the others, and why.
fn clash(known: &[Known], is_new: impl Fn(usize) -> bool) -> Option<(usize, RosterError)> {
    let mut new = (0..known.len()).rev().filter(|index| is_new(*index));
    new.find_map(|index| {
        let same = (0..known.len()).filter(|other| *other != index);
        let mut same = same.filter(|other| known[*other].held.digest == known[index].held.digest);
        let secret = &known[index].secret;
        let error = same.find_map(|other| secret.clash_with(&known[other].secret))?;
        Some((index, error))
    })
}

#[cfg(test)]
impl Roster {
    /// Of this configuration, with what [`LEAST`](crate::config::tests::LEAST) needs in the environment.
    pub(crate) fn for_tests(text: &str) -> Self {
        let environment = crate::config::FixedEnvironment::new()
            .with("META_ACCESS_TOKEN", "EAAToken")
            .with("SLUICE_KEY", "key-of-the-shop-0123456789");
        let config = Config::parse("test.toml", text, &environment, 0);
        let config = config.unwrap_or_else(|problems| panic!("{problems}"));
        Self::read(config.config, Arc::new(environment)).unwrap()
    }
}
