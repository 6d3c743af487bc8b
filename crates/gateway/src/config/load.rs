//! From a file, or none, to a configuration or everything that is wrong with it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sluice_graph::BaseUrl;
use toml::de::DeTable;

use super::contradictions;
use super::environment::Environment;
use super::excerpt;
use super::key::{SecretKind, Shape};
use super::keys::SECTIONS;
use super::problem::{Place, Problems};
use super::read::read;
use super::relations;
use super::resolve::{self, resolve};
use super::resolved::{Config, LogFormat, SourceKind};
use super::secret::{Secret, SecretRef};
use super::written::{Notes, Origin, Written};

/// Size of a configuration file, in bytes.
pub const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// Problems of a file that cannot be parsed; those behind the first few follow from them.
const SYNTAX_PROBLEMS_MAX: usize = 5;

/// The folder in which a trial keeps its events, unless a variable says otherwise. No other command and no default
/// leads there, so that they never mix with those of a shop.
pub const TRIAL_FOLDER: &str = "./sluice-trial";

/// The dataset of a trial.
const TRIAL_DATASET: &str = "1234567890123456";

/// A configuration that can be used.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What to use.
    pub config: Config,
    /// What is doubtful about it.
    pub warnings: Problems,
}

/// What a text says, right or wrong.
pub(super) struct Reading {
    /// `None` if it cannot be used.
    pub(super) config: Option<Config>,
    pub(super) problems: Problems,
    /// Every secret that it names, whatever else is wrong with it.
    pub(super) secrets: Vec<SecretPlace>,
}

/// A secret, and where the configuration names it.
pub(super) struct SecretPlace {
    pub(super) kind: SecretKind,
    /// Its key.
    pub(super) path: String,
    pub(super) place: Place,
    pub(super) secret: SecretRef,
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
    /// Somebody is writing it at this moment.
    #[error("{0} is being written")]
    Changing(PathBuf),
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
        let (name, text) = content(path)?;
        Self::parse(&name, &text, environment, now_s).map_err(LoadError::Problems)
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
        let reading = Reading::new(file, text, environment, now_s);
        match reading.config {
            None => Err(reading.problems),
            Some(config) => Ok(Loaded {
                config,
                warnings: reading.problems,
            }),
        }
    }

    /// How the log is to look, by a file that may be unusable otherwise: for people, unless it or the
    /// environment says something else. Why a program does not start is told in the same form as all else.
    pub fn log_format(path: Option<&Path>, environment: &dyn Environment) -> LogFormat {
        let text = path.and_then(|path| content(path).ok());
        let text = text.map_or_else(String::new, |(_, text)| text);
        let (document, _) = DeTable::parse_recoverable(&text);
        let tables = read(document.get_ref(), environment, &mut Notes::new(&text));
        resolve::log(&tables.log).map_or(LogFormat::Human, |log| log.format)
    }

    /// The journal's folder, by a file that may be unusable otherwise: a gateway that runs can be told to pause while its
    /// file is being edited. `None` if the file cannot be read, or does not say.
    pub fn journal_path(path: &Path, environment: &dyn Environment) -> Option<PathBuf> {
        let (_, text) = content(path).ok()?;
        let (document, _) = DeTable::parse_recoverable(&text);
        let tables = read(document.get_ref(), environment, &mut Notes::new(&text));
        tables.journal.text("path").map(PathBuf::from)
    }

    /// What to use for a trial: the defaults and the environment, a folder of its own, one dataset behind
    /// `base_url`, and one source of kind `api` that sends to it. The token and the key are for what no variable
    /// sets.
    ///
    /// # Errors
    ///
    /// What is wrong with environment variables.
    pub fn trial(
        base_url: &BaseUrl,
        access_token: Secret,
        source_key: Secret,
        environment: &dyn Environment,
        now_s: i64,
    ) -> Result<Loaded, Problems> {
        // A URL has no quotes and no backslashes.
        let text = format!(
            "graph.base_url = \"{base_url}\"\n\
             journal.path = \"{TRIAL_FOLDER}\"\n\
             dataset = [{{ id = \"{TRIAL_DATASET}\", access_token = {{ env = \"_\" }} }}]\n\
             source = [{{ name = \"default\", kind = \"api\", key = {{ env = \"__\" }}, \
             datasets = [\"{TRIAL_DATASET}\"] }}]\n"
        );
        let mut loaded = Self::parse("the trial's configuration", &text, environment, now_s)?;
        // Others were set by variables.
        let is = |secret: &SecretRef, name: &str| *secret == SecretRef::Env(name.to_owned());
        let mut datasets = loaded.config.datasets.iter_mut();
        if let Some(dataset) = datasets.find(|it| is(&it.access_token, "_")) {
            dataset.access_token = SecretRef::Literal(access_token);
        }
        let mut keys = loaded.config.sources.iter_mut().flat_map(|source| {
            let SourceKind::Api(api) = &mut source.kind;
            &mut api.keys
        });
        if let Some(key) = keys.find(|key| is(key, "__")) {
            *key = SecretRef::Literal(source_key);
        }
        Ok(loaded)
    }
}

impl Reading {
    pub(super) fn new(file: &str, text: &str, environment: &dyn Environment, now_s: i64) -> Self {
        let mut notes = Notes::new(text);
        let (document, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            for error in errors.iter().take(SYNTAX_PROBLEMS_MAX) {
                let span = error.span().unwrap_or_default();
                let help = syntax_help(text, span.start);
                let about = Written::new((), Origin::File(span), "");
                notes.error(&about, error.message(), &help);
            }
            return Self {
                config: None,
                problems: Problems::new(file, notes.list),
                secrets: Vec::new(),
            };
        }
        let tables = read(document.get_ref(), environment, &mut notes);
        let secrets = tables.secrets().map(|(kind, secret)| SecretPlace {
            kind,
            place: notes.place(&secret.origin),
            path: secret.path,
            secret: secret.value,
        });
        let secrets = secrets.collect();
        contradictions::variables(environment, &tables, &mut notes);
        relations::note(&tables, &mut notes);
        let config = resolve(&tables).filter(|_| !notes.has_errors());
        if let Some(config) = &config {
            contradictions::note(&tables, config, now_s, &mut notes);
        }
        Self {
            config,
            problems: Problems::new(file, notes.list),
            secrets,
        }
    }
}

/// The name and the text of a file.
pub(super) fn content(path: &Path) -> Result<(String, String), LoadError> {
    let failed = |error| LoadError::Read {
        path: path.to_owned(),
        error,
    };
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(CONFIG_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > CONFIG_BYTES_MAX {
        return Err(LoadError::TooLarge(path.to_owned()));
    }
    let name = path.display().to_string();
    match String::from_utf8(bytes) {
        Ok(text) => Ok((name, text)),
        Err(error) => {
            let end = error.utf8_error().valid_up_to();
            let problems = not_text(&name, &error.as_bytes()[..end]);
            Err(LoadError::Problems(problems))
        }
    }
}

/// What to do about a line that cannot be parsed: most often the quotes are missing.
fn syntax_help(text: &str, at: usize) -> String {
    let at = excerpt::floor(text, at);
    let line = text[..at].rfind('\n').map_or(0, |at| at + 1);
    let line = text[line..].lines().next().unwrap_or_default().trim();
    let mut repeated = SECTIONS
        .into_iter()
        .filter(|section| section.shape == Shape::Repeated);
    if let Some(section) = repeated.find(|section| line == format!("[{}]", section.name)) {
        return section.two_brackets();
    }
    let value = line.split_once('=').map(|(_, value)| value.trim());
    match value.and_then(|value| value.chars().next()) {
        Some('"' | '\'' | '[' | '{') | None => String::new(),
        Some(_) => "texts stand in quotes, as in listen = \"127.0.0.1:8080\"".to_owned(),
    }
}

fn not_text(file: &str, readable: &[u8]) -> Problems {
    let text = String::from_utf8_lossy(readable);
    let mut notes = Notes::new(&text);
    let origin = Origin::File(text.len()..text.len());
    let message = "the file is not UTF-8 from here on";
    notes.error(&Written::new((), origin, ""), message, "");
    Problems::new(file, notes.list)
}
