//! The configuration: from `sluice.toml` and the environment to what the gateway uses.
//!
//! ```text
//! keys: one row a key ──┐
//! environment ──┐       ▼
//! sluice.toml ──┴────▶ read ──────────▶ relations ──▶ resolve ──▶ Config
//!                      each value with  values       as used
//!                      its place, of    beside
//!                      the row's kind   each other
//! ```
//!
//! - Everything that is wrong is told at once, each with line and column, what was found and what
//!   would be right. A key that does not exist is an error: it would be silently without effect.
//! - Settings that contradict each other are warned about.
//! - The rows of `keys` are all there is to know about a key: the JSON Schema and the tables of the
//!   documentation are made from them too.
//! - Secrets are referred to, not held; see [`SecretRef`]. No message, excerpt or `Debug` shows one.
//! - There is one place that reads environment variables, [`ProcessEnvironment`], and no static:
//!   the environment and the time are passed in.

mod applied;
mod changes;
mod check;
mod contradictions;
mod edited;
mod environment;
mod excerpt;
mod forms;
mod key;
mod keys;
mod last_words;
mod load;
mod network;
mod pauses;
mod problem;
mod read;
mod read_secret;
mod relations;
mod resolve;
mod resolved;
mod scalar;
mod schema;
mod secret;
mod secret_command;
mod secret_error;
mod secret_file;
mod table;
mod written;

#[cfg(test)]
pub(crate) mod tests;

pub use changes::Change;
pub(crate) use changes::Changes;
pub use check::Checked;
pub(crate) use check::{FILE_HELP, KEY_HELP, OPEN_FILE, doubt_of_key};
pub use edited::ConfigFile;
pub use environment::{Environment, FixedEnvironment, ProcessEnvironment};
pub use excerpt::Excerpt;
pub use last_words::LastWords;
pub use load::{CONFIG_BYTES_MAX, LoadError, Loaded, TRIAL_FOLDER};
pub use network::{InvalidNetwork, Network};
pub use problem::{ConfigProblem, Ink, Place, Problems, Severity};
pub use resolved::{
    Admin, AfterLostAnswer, Api, Config, Dataset, Delivery, Graph, Journal, Log, LogFormat, Rates,
    Server, Source, SourceKind, TestEventCode,
};
pub use schema::schema;
pub use secret::{Secret, SecretRef};
pub use secret_error::{SECRET_BYTES_MAX, SECRET_COMMAND_TIMEOUT, SecretError};
