//! The configuration: from `sluice.toml` and the environment to what the gateway uses.

mod environment;
mod resolved;
mod secret;

pub use environment::{Environment, FixedEnvironment, ProcessEnvironment};
pub use resolved::{
    BaseUrl, Config, Dataset, Delivery, Graph, Journal, Log, LogFormat, Server, Source, SourceKind,
    TestEventCode, TokenPlacement,
};
pub use secret::{SECRET_BYTES_MAX, SECRET_COMMAND_TIMEOUT, Secret, SecretError, SecretRef};
