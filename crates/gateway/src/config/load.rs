//! From a file, or none, to a configuration or everything that is wrong with it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sluice_graph::{AccessToken, AppSecret, BaseUrl};
use toml::de::DeTable;

use super::contradictions;
use super::environment::Environment;
use super::excerpt;
use super::problem::{Place, Problem, Problems, Severity};
use super::raw::RawConfig;
use super::resolve::resolve;
use super::resolved::Config;
use super::secret::{Secret, SecretRef};
use super::written::{Notes, Origin};

/// Every key with its default, as the program has it and as people read it.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// The JSON Schema (2020-12) of `sluice.toml`, for editors and programs that write one.
pub const SCHEMA: &str = include_str!("schema.json");

/// Size of a configuration file, in bytes.
pub const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// Problems of a file that cannot be parsed; those behind the first few follow from them.
const SYNTAX_PROBLEMS_MAX: usize = 5;

/// Length of a source's key below which it can be guessed, in characters.
const KEY_CHARS_MIN: usize = 16;

/// The dataset of the sandbox.
const SANDBOX_DATASET: &str = "1234567890123456";

/// A configuration that can be used.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What to use.
    pub config: Config,
    /// What is doubtful about it.
    pub warnings: Problems,
    secrets: Vec<SecretPlace>,
}

/// A secret, and where the configuration names it.
#[derive(Debug, Clone)]
struct SecretPlace {
    path: String,
    place: Place,
    secret: SecretRef,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("reading {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The file is larger than any configuration.
    #[error("{0} is larger than {max} KiB", max = CONFIG_BYTES_MAX >> 10)]
    TooLarge(PathBuf),
    /// Something is wrong with what it says.
    #[error("{0}")]
    Problems(Problems),
}

impl Config {
    /// Reads a file, and the environment, which wins over it. `now_s` is the time in Unix seconds:
    /// versions of the Graph API and test codes come to an end.
    ///
    /// # Errors
    ///
    /// [`LoadError`] with everything that is wrong, not only the first thing.
    pub fn load(
        path: &Path,
        environment: &dyn Environment,
        now_s: i64,
    ) -> Result<Loaded, LoadError> {
        let read = |error| LoadError::Read {
            path: path.to_owned(),
            error,
        };
        let file = File::open(path).map_err(read)?;
        let mut bytes = Vec::new();
        file.take(CONFIG_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(read)?;
        if bytes.len() as u64 > CONFIG_BYTES_MAX {
            return Err(LoadError::TooLarge(path.to_owned()));
        }
        let name = path.display().to_string();
        let text = std::str::from_utf8(&bytes)
            .map_err(|error| LoadError::Problems(not_text(&name, &bytes[..error.valid_up_to()])))?;
        Self::parse(&name, text, environment, now_s).map_err(LoadError::Problems)
    }

    /// Reads the text of a file of this name, and the environment, which wins over it.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, and the warnings.
    pub fn parse(
        file: &str,
        text: &str,
        environment: &dyn Environment,
        now_s: i64,
    ) -> Result<Loaded, Problems> {
        let mut notes = Notes::new(text);
        let (defaults, _) = DeTable::parse_recoverable(DEFAULTS);
        let (document, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            for error in errors.iter().take(SYNTAX_PROBLEMS_MAX) {
                let span = error.span().unwrap_or_default();
                let help = syntax_help(text, span.start);
                notes.note(
                    Severity::Error,
                    &Origin::File(span),
                    "",
                    error.message(),
                    help,
                );
            }
            return Err(Problems::new(file, notes.list));
        }
        let raw = RawConfig::read(
            document.get_ref(),
            defaults.get_ref(),
            environment,
            &mut notes,
        );
        let written: Vec<_> = raw.secrets().collect();
        contradictions::variables(environment, &raw, &mut notes);
        let config = resolve(&raw, &mut notes).filter(|_| !notes.has_errors());
        let Some(config) = config else {
            return Err(Problems::new(file, notes.list));
        };
        contradictions::note(&raw, &config, now_s, &mut notes);
        let secrets = written.into_iter().map(|secret| SecretPlace {
            path: secret.path.clone(),
            place: notes.place(&secret.origin),
            secret: secret.value.clone(),
        });
        Ok(Loaded {
            config,
            secrets: secrets.collect(),
            warnings: Problems::new(file, notes.list),
        })
    }

    /// What to use without a file: the defaults and the environment, one dataset behind `base_url`,
    /// and one source of kind `api` that sends to it.
    ///
    /// # Errors
    ///
    /// What is wrong with environment variables.
    pub fn sandbox_default(
        base_url: &BaseUrl,
        access_token: Secret,
        source_key: Secret,
        environment: &dyn Environment,
        now_s: i64,
    ) -> Result<Loaded, Problems> {
        // A URL has no quotes and no backslashes.
        let text = format!(
            "graph.base_url = \"{base_url}\"\n\
             dataset = [{{ id = \"{SANDBOX_DATASET}\", access_token = {{ env = \"_\" }} }}]\n\
             source = [{{ name = \"default\", kind = \"api\", key = {{ env = \"__\" }}, \
             datasets = [\"{SANDBOX_DATASET}\"] }}]\n"
        );
        let mut loaded = Self::parse("the defaults", &text, environment, now_s)?;
        let access_token = SecretRef::Literal(access_token);
        let source_key = SecretRef::Literal(source_key);
        for dataset in &mut loaded.config.datasets {
            dataset.access_token = access_token.clone();
        }
        for source in &mut loaded.config.sources {
            source.key = source_key.clone();
        }
        for place in &mut loaded.secrets {
            let is_key = place.path.starts_with("source");
            place.secret = if is_key { &source_key } else { &access_token }.clone();
        }
        Ok(loaded)
    }
}

/// What to do about a line that cannot be parsed: most often the quotes are missing.
fn syntax_help(text: &str, at: usize) -> &'static str {
    let at = excerpt::floor(text, at);
    let line = text[..at].rfind('\n').map_or(0, |at| at + 1);
    let line = text[line..].lines().next().unwrap_or_default();
    let value = line.split_once('=').map(|(_, value)| value.trim());
    match value.and_then(|value| value.chars().next()) {
        Some('"' | '\'' | '[' | '{') | None => "",
        Some(_) => "texts stand in quotes, as in listen = \"127.0.0.1:8080\"",
    }
}

fn not_text(file: &str, readable: &[u8]) -> Problems {
    let text = String::from_utf8_lossy(readable);
    let mut notes = Notes::new(&text);
    let origin = Origin::File(text.len()..text.len());
    let message = "the file is not UTF-8 from here on";
    notes.note(Severity::Error, &origin, "", message, "");
    Problems::new(file, notes.list)
}

impl Loaded {
    /// Reads every secret, and says which ones cannot be used and which ones are doubtful. This
    /// blocks, as [`SecretRef::read`] does.
    pub fn check_secrets(&self, environment: &dyn Environment) -> Problems {
        let mut list = Vec::new();
        let mut read: Vec<(&str, Secret)> = Vec::new();
        for secret in &self.secrets {
            let mut note = |severity, message: &str, help: &str| {
                let place = secret.place.clone();
                list.push(Problem::new(severity, place, &secret.path, message, help));
            };
            let text = match secret.secret.read(environment) {
                Ok(text) => text,
                Err(error) => {
                    note(Severity::Error, &secret.secret.explain(&error), "");
                    continue;
                }
            };
            match secret.path.rsplit('.').next() {
                Some("access_token") => token(&text, &mut note),
                Some("app_secret") => app_secret(&text, &mut note),
                _ => {
                    key(&text, &mut note);
                    let same = read.iter().find(|(_, other)| *other == text);
                    if let Some((path, _)) = same {
                        let message = format!("key is the same secret as {path}");
                        let help = "give each source a key of its own, and no one's access token";
                        note(Severity::Error, &message, help);
                    }
                }
            }
            read.push((&secret.path, text));
        }
        Problems::new(self.warnings.file(), list)
    }
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

fn key(text: &Secret, note: &mut impl FnMut(Severity, &str, &str)) {
    const HELP: &str = "make one with `openssl rand -hex 24`";
    if !text.expose().chars().all(|c| c.is_ascii_graphic()) {
        let message = "a key has ASCII letters, digits and marks, and no spaces";
        note(Severity::Error, message, HELP);
    } else if text.expose().len() < KEY_CHARS_MIN {
        let message =
            format!("the key has fewer than {KEY_CHARS_MIN} characters and can be guessed");
        note(Severity::Warning, &message, HELP);
    }
}
