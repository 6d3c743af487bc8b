//! Puts an edited configuration and changed secrets in force while the gateway runs.
//!
//! A configuration takes effect as a whole or not at all: its file is read, checked as `sluice config check` does, its
//! new secrets are read and compared with all others, and then one [`Snapshot`](crate::roster::Snapshot) takes the place
//! of another. What needs a restart is left as it is, and said.

mod keep;
mod news;
mod outcome;
mod secrets;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tracing::{error, info, warn};

use crate::board::Board;
use crate::clock::seconds;
use crate::config::{Changes, Config, ConfigFile, Environment, LoadError, Loaded};
use crate::roster::{NamedSecret, Reading, Roster, RosterError};
use crate::time::Time;
use crate::watch::Watch;
pub(crate) use keep::Keeper;
use news::News;
pub use outcome::{ReloadError, Reloaded};
use outcome::{Said, in_line, listed};
pub(crate) use secrets::Secrets;

/// Puts a filter of the log in force, and says why if it is none.
pub type SetFilter = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// Reads the configuration and secrets again, when it is asked to.
pub(crate) struct Reloader {
    roster: Arc<Roster>,
    environment: Arc<dyn Environment>,
    clock: Arc<Time>,
    watch: Watch,
    board: Board,
    set_filter: Option<SetFilter>,
    /// `None` for a gateway that was started without one.
    file: Option<Arc<Mutex<ConfigFile>>>,
    /// One reload at a time. What was said of the file last.
    said: tokio::sync::Mutex<Said>,
    told: Told,
    /// What is not in the history yet.
    news: Mutex<News>,
    /// Says that commands run again, and whether a person asked for it.
    commands: watch::Sender<bool>,
}

/// What was said of each secret last, by what it is and where: the same is not said again each minute.
#[derive(Debug, Default)]
struct Told(Mutex<BTreeMap<String, String>>);

impl Told {
    /// Notes why a secret cannot be used, or that it can. Whether that is new.
    fn note(&self, secret: &str, error: Option<String>) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match error {
            Some(error) => told.insert(secret.to_owned(), error.clone()) != Some(error),
            None => told.remove(secret).is_some(),
        }
    }

    /// Forgets secrets that the configuration does not name any more.
    fn retain(&self, secrets: &[Arc<NamedSecret>]) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|name, _| secrets.iter().any(|secret| secret.name() == *name));
    }
}

/// What reading known secrets again came to.
#[derive(Default)]
struct SecretsRead {
    read: usize,
    changed: usize,
    unreadable: Vec<String>,
}

impl Reloader {
    pub(crate) fn new(
        roster: Arc<Roster>,
        (file, environment): (Option<ConfigFile>, Arc<dyn Environment>),
        clock: Arc<Time>,
        (watch, board): (Watch, Board),
        set_filter: Option<SetFilter>,
    ) -> Self {
        Self {
            roster,
            environment,
            clock,
            watch,
            board,
            set_filter,
            file: file.map(|file| Arc::new(Mutex::new(file))),
            said: tokio::sync::Mutex::default(),
            told: Told::default(),
            news: Mutex::default(),
            commands: watch::Sender::new(false),
        }
    }

    /// Reads all secrets and the configuration again because a person asks for it, and has everything tried at once
    /// that waits for something to be mended. Commands that print secrets run beside.
    ///
    /// # Errors
    ///
    /// Why nothing of the file was put in force. Secrets were read again all the same.
    pub(crate) async fn reload(&self) -> Result<Reloaded, ReloadError> {
        let mut said = self.said.lock().await;
        self.commands.send_replace(true);
        let secrets = self.read_secrets(true, |roster| roster.refresh(true)).await;
        let applied = self.apply_file().await;
        let is_any_news = self.tell(&applied, &mut said, true);
        if let Ok(reloaded) = &applied
            && !is_any_news
            && self.file.is_some()
        {
            let generation = reloaded.generation;
            info!(generation, "the configuration is the same as before");
        }
        Ok(Reloaded {
            secrets_changed: secrets.changed,
            secrets_unreadable: secrets.unreadable,
            ..applied?
        })
    }

    /// Puts the file in force if it was edited, or could not be before and `tries_again`. What comes of it is in the log.
    async fn look(&self, tries_again: bool) {
        let Some(file) = &self.file else { return };
        let mut said = self.said.lock().await;
        let file = Arc::clone(file);
        let again = tries_again && said.failed.is_some();
        let is_due = spawn_blocking(move || lock(&file).is_due(again)).await;
        if is_due.unwrap_or(false) {
            let applied = self.apply_file().await;
            // The next look finds it whole.
            if !matches!(applied, Err(ReloadError::File(LoadError::Changing(_)))) {
                self.tell(&applied, &mut said, false);
            }
        }
    }

    /// Reads the file, and puts in force what it changes.
    async fn apply_file(&self) -> Result<Reloaded, ReloadError> {
        let before = self.roster.now();
        let Some(file) = self.file.clone() else {
            return Ok(Reloaded {
                generation: before.generation,
                ..Reloaded::default()
            });
        };
        let (environment, now_s) = (Arc::clone(&self.environment), seconds(self.clock.unix_ms()));
        let read = spawn_blocking(move || lock(&file).read(&*environment, now_s)).await;
        let read = read.map_err(|error| ReloadError::Defect(error.to_string()))?;
        let Loaded { config, warnings } = read.map_err(ReloadError::File)?;
        let Changes { live, with_restart } = before.config.settings.changes_to(&config.settings);
        if !live.is_empty() {
            self.put_in_force(&before.config, before.config.applied(config))
                .await?;
        }
        let warnings = warnings.iter().map(in_line);
        Ok(Reloaded {
            generation: self.roster.now().generation,
            applied: live,
            needs_restart: with_restart,
            warnings: warnings.chain(self.roster.warnings()).collect(),
            ..Reloaded::default()
        })
    }

    async fn put_in_force(&self, before: &Config, config: Config) -> Result<(), ReloadError> {
        let filters = [&before.log.filter, &config.log.filter].map(Clone::clone);
        let [filter_before, filter] = &filters;
        if filter != filter_before {
            self.set_filter(filter)?;
        }
        let roster = Arc::clone(&self.roster);
        let applied = spawn_blocking(move || roster.apply(config)).await;
        let applied = applied.map_err(|error| ReloadError::Defect(error.to_string()));
        let applied = applied.and_then(|applied| applied.map_err(ReloadError::Secrets));
        if applied.is_err() && filter != filter_before {
            // It was in force until now, so it can be again.
            let _ = self.set_filter(filter_before);
        }
        applied?;
        self.told.retain(&self.roster.secrets());
        self.watch
            .configured(&self.roster.now().config, self.clock.unix_ms());
        Ok(())
    }

    fn set_filter(&self, filter: &str) -> Result<(), ReloadError> {
        let set = self.set_filter.as_ref();
        set.map_or(Ok(()), |set| set(filter))
            .map_err(ReloadError::Filter)
    }

    /// Logs what came of a reload, once; again when a person `asks`. Returns whether there was anything to say.
    fn tell(&self, applied: &Result<Reloaded, ReloadError>, said: &mut Said, asks: bool) -> bool {
        let path = self.file.as_ref().map(|file| lock(file).path().to_owned());
        let file = path.map(|path| path.display().to_string());
        let reloaded = match applied {
            Err(why) => {
                let problems = why.to_string();
                self.watch.configuration_read(true, true);
                let is_known = said.failed.as_ref() == Some(&problems);
                said.failed = Some(problems.clone());
                if asks || !is_known {
                    error!(
                        file,
                        problems,
                        "the configuration has changed and cannot be used: what was in force stays in force"
                    );
                }
                return true;
            }
            Ok(reloaded) => reloaded,
        };
        let Reloaded {
            generation,
            applied,
            needs_restart,
            warnings,
            ..
        } = reloaded;
        let had_failed = said.failed.take().is_some();
        let was_edited = !said.needs_restart.is_empty();
        let is_other = said.note_restart(needs_restart);
        self.watch
            .configuration_read(false, !needs_restart.is_empty());
        if !applied.is_empty() {
            let changes = listed(applied);
            info!(
                file,
                generation, changes, "the configuration was put in force"
            );
        }
        let is_restart_news = !applied.is_empty() || asks || is_other || had_failed;
        if !needs_restart.is_empty() && is_restart_news {
            let changes = listed(needs_restart);
            warn!(file, changes, "changes of the configuration need a restart");
        }
        said.warn_of(warnings, file.as_deref(), asks);
        let is_as_before = applied.is_empty() && needs_restart.is_empty();
        if is_as_before && (had_failed || was_edited) {
            info!(file, "the configuration is again the one in use");
        }
        !is_as_before || had_failed || was_edited
    }

    /// Reads known secrets, and logs those that cannot be used: each reason once, and all of them when a person asks.
    async fn read_secrets(
        &self,
        is_asked: bool,
        reading: impl FnOnce(&Roster) -> Reading + Send + 'static,
    ) -> SecretsRead {
        let secrets = self.read(is_asked, reading).await;
        match secrets.changed {
            0 if is_asked && secrets.read > 0 => info!("keys and tokens are the same as before"),
            0 => {}
            changed => info!(changed, "keys and tokens were read again"),
        }
        secrets
    }

    /// Runs a command that prints a secret.
    async fn read_command(&self, command: Arc<NamedSecret>, is_asked: bool) {
        let secret = command.what();
        let run = move |roster: &Roster| roster.refresh_command(&command);
        let read = self.read(is_asked, run).await;
        match read.changed {
            0 if is_asked && read.read > 0 => {
                info!(secret, "the command of a secret printed the same as before");
            }
            0 => {}
            _ => info!(secret, "the command of a secret was run again"),
        }
    }

    async fn read(
        &self,
        is_asked: bool,
        reading: impl FnOnce(&Roster) -> Reading + Send + 'static,
    ) -> SecretsRead {
        let roster = Arc::clone(&self.roster);
        let reading = match spawn_blocking(move || reading(&roster)).await {
            Ok(reading) => reading,
            Err(error) => {
                error!(%error, "reading secrets failed");
                return SecretsRead::default();
            }
        };
        let mut secrets = SecretsRead::default();
        for read in reading {
            let error = read.result.as_ref().err().map(RosterError::with_reason);
            let is_new = self.told.note(&read.secret.name(), error.clone());
            secrets.read += usize::from(read.result.is_ok());
            secrets.changed += usize::from(read.result.unwrap_or(false));
            let Some(error) = error else { continue };
            if is_new || is_asked {
                self.news().unreadable.push(error.clone());
                error!(
                    error,
                    "a secret cannot be read; the known one stays in force"
                );
            }
            secrets.unreadable.push(error);
        }
        self.news().changed += secrets.changed;
        secrets
    }

    fn news(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_news(&self) -> bool {
        !self.news().is_empty()
    }

    fn take_news(&self) -> News {
        std::mem::take(&mut self.news())
    }
}

/// Its stamps are replaced whole, so a holder that panicked leaves nothing half done.
fn lock(file: &Mutex<ConfigFile>) -> MutexGuard<'_, ConfigFile> {
    file.lock().unwrap_or_else(PoisonError::into_inner)
}
