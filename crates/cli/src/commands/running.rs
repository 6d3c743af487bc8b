//! What `serve` and `try` have in common: starting a gateway, telling why it does not start, and stopping it by a signal.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use sluice_gateway::config::{
    Config, ConfigFile, LogFormat, Problems, ProcessEnvironment, Severity,
};
use sluice_gateway::{Gateway, SetFilter, Sockets, Start, SystemClock};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config_file;
use crate::ending::Ending;
use crate::failure::Failure;
use crate::{logging, runtime};

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

/// Starts a gateway. With a file it follows what is written into it.
pub(super) async fn start(
    config: Config,
    file: Option<(ConfigFile, SetFilter)>,
    sockets: Sockets,
) -> Result<Gateway, Failure> {
    let (file, set_filter) = file.unzip();
    let gateway = Gateway::start(Start {
        config,
        file,
        environment: Arc::new(ProcessEnvironment),
        clock: Arc::new(SystemClock::default()),
        sockets,
        set_filter,
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
