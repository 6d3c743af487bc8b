//! What a start needs, what can keep a gateway from it, and the work that blocks.

use std::path::Path;
use std::sync::Arc;

use sluice_event::{Context, ExternalId, UserField, normalize};
use sluice_graph::ClientError;
use sluice_journal::{BodyKeys, Embedded, EmbeddedLedger, Encryption, Journal, OpenError, Options};
use tracing::warn;

use crate::body_keys::{self, body_keys};
use crate::clock::{self, SharedClock};
use crate::config::{Config, ConfigFile, Environment, FILE_HELP, KEY_HELP, OPEN_FILE};
use crate::directives::{Directives, DirectivesError};
use crate::listeners::{ListenError, Listeners, Sockets, SocketsError};
use crate::operate::OpenLedger;
use crate::reload::SetFilter;
use crate::roster::{Roster, RosterError};
use crate::time::{ClockError, Time};
use crate::watch::Watch;

/// Why the gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A key or a token cannot be read.
    #[error(transparent)]
    Secret(#[from] RosterError),
    /// The journal cannot be opened.
    #[error(transparent)]
    Journal(#[from] OpenError),
    /// A socket that was handed over cannot be used.
    #[error(transparent)]
    Sockets(#[from] SocketsError),
    /// What is paused cannot be read.
    #[error(transparent)]
    Directives(#[from] DirectivesError),
    /// An address cannot be listened at.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Meta cannot be reached with these settings.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The clock of this computer cannot be right.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// A thread ended before it should.
    #[error("a defect in Sluice: {0}")]
    Defect(String),
}

impl StartError {
    /// What would help, where more is to be said than what is wrong.
    pub fn help(&self) -> Option<String> {
        match self {
            StartError::Journal(error) => Some(error.help().to_owned()),
            StartError::Secret(_) => {
                Some("`sluice config check` shows which secrets can be read".to_owned())
            }
            StartError::Listen(error) => Some(error.help()),
            StartError::Directives(error) => Some(error.help()),
            StartError::Clock(_) => {
                Some("set the clock, best by NTP, and start again; nothing was changed".to_owned())
            }
            StartError::Sockets(_) | StartError::Client(_) | StartError::Defect(_) => None,
        }
    }
}

/// What a gateway is started with.
pub struct Start {
    /// What to do.
    pub config: Config,
    /// The file that says so. It is looked at for changes.
    pub file: Option<ConfigFile>,
    /// Where secrets may be.
    pub environment: Arc<dyn Environment>,
    /// Time and chance.
    pub clock: SharedClock,
    /// Sockets that listen already; what they leave open, the configuration says.
    pub sockets: Sockets,
    /// Changes which lines are logged, when another configuration says so.
    pub set_filter: Option<SetFilter>,
}

/// Reads all keys and tokens, and logs what is doubtful about them.
pub(crate) async fn read_secrets(
    config: &Config,
    environment: &Arc<dyn Environment>,
    listeners: Option<&Listeners>,
) -> Result<Arc<Roster>, StartError> {
    let (mut config, environment) = (config.clone(), Arc::clone(environment));
    if let Some(listeners) = listeners {
        // That of a socket that was handed over is not in the file; keys may be short if no other machine
        // reaches any of them.
        config.server.listen = listeners.address;
    }
    let body_keys = body_keys::open_files(&config.journal);
    let roster = blocking(move || Roster::read(config, environment)).await??;
    for (source, doubt) in roster.doubts() {
        warn!(source = source.as_str(), help = KEY_HELP, "{doubt}");
    }
    for (secret, file) in roster.open_files().into_iter().chain(body_keys) {
        warn!(secret, file, help = FILE_HELP, "{OPEN_FILE}");
    }
    Ok(Arc::new(roster))
}

/// Loads the metadata of phone numbers, which takes some milliseconds, before the first event needs it.
pub(crate) async fn warm_up(now_ms: u64) -> Result<(), StartError> {
    let context = Context {
        country: None,
        now_s: clock::seconds(now_ms),
        external_id: ExternalId::Hash,
    };
    blocking(move || {
        // A number of an example; what it becomes does not matter.
        let _normalized = normalize(UserField::Ph, "+16505551212", &context);
    })
    .await
}

/// Opens the journal, which may take seconds.
pub(crate) async fn open_journal(
    config: &Config,
    environment: &Arc<dyn Environment>,
    clock: &Time,
    watch: &Watch,
) -> Result<Arc<dyn Journal>, StartError> {
    let path = config.journal.path.clone();
    let (journal, environment) = (config.journal.clone(), Arc::clone(environment));
    let keys = blocking(move || body_keys(&journal, &*environment)).await??;
    let watch = watch.clone();
    let options = Options {
        observer: Some(Box::new(move |commit| watch.committed(&commit))),
        deletes_delivered: config.journal.retention.is_zero(),
        encryption: Some(Encryption {
            keys,
            chance: clock.chance(),
        }),
    };
    Ok(Arc::new(
        blocking(move || Embedded::open(&path, options)).await??,
    ))
}

/// Reads what people told an earlier gateway and still holds, and logs it: what is paused now was paused days ago,
/// perhaps by another person. After the journal was opened, whose folder it is in.
pub(crate) async fn read_directives(config: &Config) -> Result<Directives, StartError> {
    let path = config.journal.path.clone();
    let directives = blocking(move || Directives::read(&path)).await??;
    Watch::still_holds(&directives.now());
    Ok(directives)
}

/// How the ledger of the journal in this folder is opened.
pub(crate) fn ledger_in(folder: &Path) -> OpenLedger {
    let folder = folder.to_owned();
    Arc::new(move || {
        let ledger = EmbeddedLedger::open(&folder, BodyKeys::default())?;
        Ok(Box::new(ledger))
    })
}

/// Does something that blocks, away from the threads that serve.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StartError> {
    let task = tokio::task::spawn_blocking(work);
    task.await
        .map_err(|error| StartError::Defect(error.to_string()))
}
