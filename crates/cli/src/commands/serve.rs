//! `sluice serve`: the gateway itself.

use std::path::Path;

use sluice_gateway::Sockets;
use sluice_gateway::config::{Config, ConfigFile, LoadError, Loaded, ProcessEnvironment};

use super::first_event;
use super::running::{self, Signals};
use super::trial;
use crate::config_file::{self, ConfigOption};
use crate::ending::Ending;
use crate::failure::Failure;
use crate::logging;

/// What `serve` takes.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: ConfigOption,
}

const EXAMPLES: &str = "\
Examples:
  sluice serve
      Runs with ./sluice.toml; without one, a trial, as `sluice try` does
  sluice serve --config /etc/sluice/sluice.toml
      Runs with this configuration; `sluice config check --online` says whether it is right

Signals: SIGTERM and SIGINT stop it (events that are not delivered yet stay on disk), SIGTERM after
a drain of server.drain_s; SIGHUP reads the configuration, keys and tokens again. An edited
configuration takes effect by itself within seconds, as far as no key of it needs a restart.

With log.format = \"json\", what is printed at the start and why it does not start are JSON too.

Exit codes: 0 when a signal stopped it, 2 when it cannot start or go on.";

/// Runs the gateway until a signal stops it.
pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let file = arguments.config.path();
    running::told(file.as_deref(), async |sockets| match &file {
        Some(path) => with_config(path, sockets).await,
        None => trial::serve_trial(sockets).await,
    })
}

async fn with_config(path: &Path, sockets: Sockets) -> Result<Ending, Failure> {
    // Before it is read: what is written in between is noticed then.
    let file = ConfigFile::new(path);
    let Loaded { config, warnings } = load(path)?;
    let set_filter = logging::start(&config.log)?;
    running::warn_of(&warnings);
    crate::trial::refuse(&config.journal.path)?;
    let signals = Signals::listen()?;
    let first_event = first_event::Hint::of(&config);
    let gateway = running::start(config, Some((file, set_filter)), sockets).await?;
    first_event.show(gateway.address(), gateway.admin_address())?;
    signals.until_stopped(gateway).await
}

fn load(path: &Path) -> Result<Loaded, Failure> {
    let loaded = Config::load(path, &ProcessEnvironment, config_file::now_s());
    loaded.map_err(|error| match error {
        LoadError::Problems(problems) => {
            let format = Config::log_format(Some(path), &ProcessEnvironment);
            running::refused(&problems, format)
        }
        error => config_file::unreadable(error),
    })
}
