//! `sluice serve`: the gateway itself.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use sluice_gateway::config::{
    Config, ConfigFile, LoadError, Loaded, LogFormat, Problems, ProcessEnvironment, Severity,
};
use sluice_gateway::{Gateway, Sockets, Start, SystemClock};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Ending;
use super::first_event;
use super::trial;
use crate::config_file::{self, ConfigOption};
use crate::failure::Failure;
use crate::{logging, runtime};

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
a drain of server.drain_s; SIGHUP reads keys and tokens again.

With log.format = \"json\", what is printed at the start and why it does not start are JSON too.

Exit codes: 0 when a signal stopped it, 2 when it cannot start or go on.";

/// Runs the gateway until a signal stops it.
pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let file = arguments.config.path();
    told(file.as_deref(), async |sockets| match &file {
        Some(path) => with_config(path, sockets).await,
        None => trial::serve_trial(sockets).await,
    })
}

/// Runs a gateway; why it fails is told in the form that the log has by this configuration.
pub(super) fn told(
    file: Option<&Path>,
    serve: impl AsyncFnOnce(Sockets) -> Result<Ending, Failure>,
) -> Result<Ending, Failure> {
    let format = Config::log_format(file, &ProcessEnvironment);
    // Before there are threads.
    let sockets = Sockets::handed_over(&ProcessEnvironment).context("socket activation");
    let served = match sockets {
        Ok(sockets) => runtime::block_on(serve(sockets)),
        Err(error) => Err(error.into()),
    };
    match (served, format) {
        (Err(Failure::Told { error, help }), LogFormat::Json) => {
            logging::start_for_failure();
            tracing::error!(help, "{error:#}");
            Ok(Ending::Failed)
        }
        (served, _) => served,
    }
}

async fn with_config(path: &Path, sockets: Sockets) -> Result<Ending, Failure> {
    // Before it is read: what is written in between is noticed then.
    let file = ConfigFile::new(path);
    let Loaded { config, warnings } = load(path)?;
    logging::start(&config.log)?;
    warn_of(&warnings);
    crate::trial::refuse(&config.journal.path)?;
    let signals = Signals::listen()?;
    let first_event = first_event::Hint::of(&config);
    let gateway = start(config, Some(file), sockets).await?;
    first_event.show(gateway.address(), gateway.admin_address())?;
    signals.until_stopped(gateway).await
}

fn load(path: &Path) -> Result<Loaded, Failure> {
    let loaded = Config::load(path, &ProcessEnvironment, config_file::now_s());
    loaded.map_err(|error| match error {
        LoadError::Problems(problems) => {
            let format = Config::log_format(Some(path), &ProcessEnvironment);
            refused(&problems, format)
        }
        error => config_file::unreadable(error),
    })
}

/// Says what is wrong with a configuration, in the form that the log would have.
pub(super) fn refused(problems: &Problems, format: LogFormat) -> Failure {
    match format {
        LogFormat::Human => config_file::refused(problems),
        LogFormat::Json => {
            logging::start_for_failure();
            warn_of(problems);
            config_file::unusable(problems)
        }
    }
}

/// What is wrong or doubtful about the configuration, into the log.
pub(super) fn warn_of(problems: &Problems) {
    for problem in problems {
        // What is wrong with the file as a whole has no key.
        let key = Some(problem.path.as_str()).filter(|key| !key.is_empty());
        let line = problem.line();
        let help = problem.help.as_deref();
        match problem.severity {
            Severity::Error => tracing::error!(key, line, help, "{}", problem.message),
            Severity::Warning => tracing::warn!(key, line, help, "{}", problem.message),
        }
    }
}

/// Starts a gateway.
pub(super) async fn start(
    config: Config,
    file: Option<ConfigFile>,
    sockets: Sockets,
) -> Result<Gateway, Failure> {
    let gateway = Gateway::start(Start {
        config,
        file,
        environment: Arc::new(ProcessEnvironment),
        clock: Arc::new(SystemClock::default()),
        sockets,
    })
    .await;
    gateway.map_err(|error| Failure::Told {
        help: error.help(),
        error: anyhow::Error::new(error),
    })
}

/// The signals that a gateway hears from its start on.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    pub(super) fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("listening for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("listening for SIGINT")?,
            hang_up: signal(SignalKind::hangup()).context("listening for SIGHUP")?,
        })
    }

    /// Waits for one that stops the gateway, and stops it.
    pub(super) async fn until_stopped(mut self, gateway: Gateway) -> Result<Ending, Failure> {
        let mut has_failed = false;
        let drains = loop {
            tokio::select! {
                // A service manager that sends clients elsewhere, or a person who wants it to end.
                _ = self.terminate.recv() => break true,
                _ = self.interrupt.recv() => break false,
                _ = self.hang_up.recv() => gateway.reload(),
                () = gateway.failed() => {
                    has_failed = true;
                    break false;
                }
            }
        };
        tracing::info!("stopping: a second signal stops at once");
        let stop = async {
            if drains {
                gateway.drain().await;
            }
            gateway.stop().await;
        };
        tokio::select! {
            () = stop => {}
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        if has_failed {
            return Err(Failure::with_help(
                "a defect in Sluice ended the journal's writer",
                "start the gateway again: what was acknowledged is on disk. The log names the defect; please report it",
            ));
        }
        Ok(Ending::Clean)
    }
}
