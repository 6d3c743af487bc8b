//! Everything that can be known about a configuration before it runs: what it says, and whether its secrets
//! can be read.

use std::path::Path;

use sluice_graph::{AccessToken, AppSecret};
use sluice_journal::BodyKey;

use super::environment::Environment;
use super::key::SecretKind;
use super::load::{self, LoadError, Reading, SecretPlace};
use super::problem::{ConfigProblem, Problems, Severity};
use super::resolved::Config;
use super::secret::Secret;

/// Length of a source's key below which it can be guessed, in characters.
const KEY_CHARS_MIN: usize = 16;

/// How to come by a good key.
pub(crate) const KEY_HELP: &str = "make one with `openssl rand -hex 24`";

/// What is said of a file with a secret whose mode is too wide.
pub(crate) const OPEN_FILE: &str = "a file with a secret can be read by every user of this machine";

/// What to do about it.
pub(crate) const FILE_HELP: &str = "chmod 600, or 640 with the group of the gateway's user";

/// A configuration that was looked through.
#[derive(Debug)]
pub struct Checked {
    /// What to use; `None` if there is an error.
    pub config: Option<Config>,
    /// Everything that is wrong or doubtful.
    pub problems: Problems,
}

impl Config {
    /// Reads a file as [`Config::load`] does, and every secret that it names, whatever else is wrong. This
    /// blocks, as [`SecretRef::read`](super::SecretRef::read) does.
    ///
    /// # Errors
    ///
    /// [`LoadError`] if the file cannot be read. What it says is no error here.
    pub fn check(
        path: &Path,
        environment: &dyn Environment,
        now_s: i64,
    ) -> Result<Checked, LoadError> {
        let (name, text) = match load::content(path) {
            Err(LoadError::Problems(problems)) => {
                return Ok(Checked {
                    config: None,
                    problems,
                });
            }
            read => read?,
        };
        Ok(Self::check_text(&name, &text, environment, now_s))
    }

    /// Looks through the text of a file of this name.
    pub(super) fn check_text(
        file: &str,
        text: &str,
        environment: &dyn Environment,
        now_s: i64,
    ) -> Checked {
        let Reading {
            config,
            mut problems,
            secrets,
        } = Reading::new(file, text, environment, now_s);
        let is_local = config
            .as_ref()
            .is_none_or(|config| config.server.listen.ip().is_loopback());
        let found = check_secrets(&secrets, environment, is_local);
        problems.extend(Problems::new(file, found));
        let is_usable = problems.count(Severity::Error) == 0;
        Checked {
            config: config.filter(|_| is_usable),
            problems,
        }
    }
}

/// Which secrets cannot be used, and which ones are doubtful; `is_local` if only this machine reaches the doors.
fn check_secrets(
    secrets: &[SecretPlace],
    environment: &dyn Environment,
    is_local: bool,
) -> Vec<ConfigProblem> {
    let texts: Vec<_> = secrets
        .iter()
        .map(|secret| secret.secret.read(environment))
        .collect();
    let known: Vec<Secret> = texts.iter().flatten().cloned().collect();
    let is_known = |word: &str| known.iter().any(|secret| secret.expose() == word);
    let mut list = Vec::new();
    let mut read: Vec<(&SecretPlace, Secret)> = Vec::new();
    for (secret, text) in secrets.iter().zip(texts) {
        let mut note = |severity, message: &str, help: &str| {
            let place = secret.place.clone();
            list.push(ConfigProblem::new(
                severity,
                place,
                &secret.path,
                message,
                help,
            ));
        };
        let text = match text {
            Ok(text) => text,
            Err(mut error) => {
                error.hide(is_known);
                note(Severity::Error, &secret.secret.explain(&error), "");
                continue;
            }
        };
        if secret.secret.open_file().is_some() {
            note(Severity::Warning, OPEN_FILE, FILE_HELP);
        }
        match secret.kind {
            SecretKind::AccessToken => token(&text, &mut note),
            SecretKind::AppSecret => app_secret(&text, &mut note),
            SecretKind::EncryptionKey => encryption_key(&text, &mut note),
            SecretKind::SourceKey => {
                key(&text, is_local, &mut note);
                let same = read.iter().find(|(_, other)| *other == text);
                // Two sources with the same words for their keys were told so when they were read.
                let is_told = read.iter().any(|(other, _)| {
                    other.kind == SecretKind::SourceKey && other.secret == secret.secret
                });
                if let Some((first, _)) = same.filter(|_| !is_told) {
                    if is_of_same_source(first, secret) {
                        let message = format!("key is the same secret as {}", first.path);
                        note(Severity::Warning, &message, "one of them is enough");
                        continue;
                    }
                    let message = format!("key is the same secret as {}", first.path);
                    let help = "give each source a key of its own, and no one's access token";
                    note(Severity::Error, &message, help);
                }
            }
        }
        read.push((secret, text));
    }
    list
}

/// Whether two keys let the same source in.
fn is_of_same_source(key: &SecretPlace, other: &SecretPlace) -> bool {
    let source = |key: &SecretPlace| key.path.split('.').next().map(str::to_owned);
    key.kind == other.kind && source(key) == source(other)
}

fn token(text: &Secret, note: &mut impl FnMut(Severity, &str, &str)) {
    if let Err(error) = AccessToken::new(text.expose().to_owned()) {
        let message = format!("this is no access token: {error}");
        note(Severity::Error, &message, "");
    }
}

fn app_secret(text: &Secret, note: &mut impl FnMut(Severity, &str, &str)) {
    if let Err(error) = AppSecret::new(text.expose().to_owned()) {
        let message = format!("this is no app secret: {error}");
        note(Severity::Error, &message, "");
    }
}

fn encryption_key(text: &Secret, note: &mut impl FnMut(Severity, &str, &str)) {
    if let Err(error) = BodyKey::parse(text.expose()) {
        let message = format!("this is no encryption key: {error}");
        let help = "make one with `openssl rand -hex 32`";
        note(Severity::Error, &message, help);
    }
}

fn key(text: &Secret, is_local: bool, note: &mut impl FnMut(Severity, &str, &str)) {
    if !text.expose().chars().all(|c| c.is_ascii_graphic()) {
        let message = "a key has ASCII letters, digits and marks, and no spaces";
        note(Severity::Error, message, KEY_HELP);
    } else if let Some(doubt) = doubt_of_key(text) {
        let severity = if is_local {
            Severity::Warning
        } else {
            Severity::Error
        };
        note(severity, &doubt, KEY_HELP);
    }
}

/// Why a key had better be another one. Where others than this machine reach the doors, it is not taken.
pub(crate) fn doubt_of_key(key: &Secret) -> Option<String> {
    (key.expose().len() < KEY_CHARS_MIN)
        .then(|| format!("the key has fewer than {KEY_CHARS_MIN} characters and can be guessed"))
}
