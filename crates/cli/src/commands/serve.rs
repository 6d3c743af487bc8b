//! `sluice serve`: the gateway itself.

use std::io::ErrorKind::AddrInUse;
use std::net::TcpListener;
use std::sync::Arc;

use anyhow::Context as _;
use sluice_gateway::config::{
    Config, ConfigFile, Loaded, Problems, ProcessEnvironment, Secret, SecretRef,
};
use sluice_gateway::{Gateway, Sockets, Start, SystemClock};
use sluice_graph::BaseUrl;
use sluice_sandbox::Sandbox;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Ending;
use crate::config_file::{self, ConfigOption};
use crate::failure::Failure;
use crate::output::{BOLD, DIM, Output, painted};
use crate::{logging, runtime};

/// The access token that the built-in sandbox is called with: any will do there.
const SANDBOX_TOKEN: &str = "sandbox-token";

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
      Runs the whole job on this machine, with a sandbox in place of Meta
  sluice serve --config sluice.toml
      Runs with a configuration; `sluice config check` says whether it is right

Signals: SIGTERM and SIGINT stop it (events that are not delivered yet stay on disk), SIGTERM after
a drain of server.drain_s; SIGHUP reads keys and tokens again.";

/// Runs the gateway until a signal stops it.
pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let file = arguments.config.path();
    // Before there are threads.
    let sockets = Sockets::handed_over(&ProcessEnvironment).context("socket activation")?;
    runtime::block_on(async {
        match file {
            Some(path) => {
                // Before it is read: what is written in between is noticed then.
                let file = ConfigFile::new(&path);
                with_config(config_file::load(&path)?, file, sockets).await
            }
            None => with_sandbox(sockets).await,
        }
    })
}

async fn with_config(
    loaded: Loaded,
    file: ConfigFile,
    sockets: Sockets,
) -> Result<Ending, Failure> {
    logging::start(&loaded.config.log)?;
    warn_of(&loaded.warnings);
    let signals = Signals::listen()?;
    let gateway = start(loaded.config, Some(file), sockets).await?;
    let mut output = Output::for_people();
    writeln!(output, "listening on http://{}", gateway.address())?;
    output.finish()?;
    signals.until_stopped(gateway).await
}

/// What is doubtful about the configuration, into the log.
fn warn_of(warnings: &Problems) {
    for warning in warnings {
        let (key, line) = (warning.path.as_str(), warning.line());
        let help = warning.help.as_deref();
        tracing::warn!(key, line, help, "{}", warning.message);
    }
}

async fn with_sandbox(sockets: Sockets) -> Result<Ending, Failure> {
    let sandbox = Sandbox::start(sluice_sandbox::Settings::default())
        .await
        .context("starting the sandbox")?;
    let base_url = BaseUrl::parse(&sandbox.base_url()).context("the sandbox's address")?;
    let key = new_key()?;
    let loaded = Config::sandbox_default(
        &base_url,
        Secret::new(SANDBOX_TOKEN),
        Secret::new(key.as_str()),
        &ProcessEnvironment,
        config_file::now_s(),
    );
    let Loaded {
        mut config,
        warnings,
    } = loaded.map_err(|problems| config_file::refused(&problems))?;
    // A key that a variable set is not shown, as no other secret of the configuration is: the shell fills it in.
    let variable = config.sources.first().and_then(|source| match &source.key {
        SecretRef::Env(name) => Some(format!("'\"${name}\"'")),
        _ => None,
    });
    // This command promises that nothing leaves the machine.
    if config.graph.base_url != base_url {
        return Err(Failure::with_help(
            "SLUICE_GRAPH_BASE_URL leads away from the built-in sandbox",
            "unset it, or write a sluice.toml, with which Sluice sends to that address",
        ));
    }
    logging::start(&config.log)?;
    warn_of(&warnings);
    tracing::warn!("no configuration: events go to the built-in sandbox and not to Meta");
    // A trial has nothing that looks for its metrics at a certain port.
    if TcpListener::bind(config.admin.listen).is_err_and(|error| error.kind() == AddrInUse) {
        config.admin.listen.set_port(0);
    }
    let path = config.journal.path.clone();
    let signals = Signals::listen()?;
    let gateway = start(config, None, sockets).await?;
    let address = gateway.address();
    let mut output = Output::for_people();
    let page = format!("{}/sandbox", sandbox.base_url());
    writeln!(
        output,
        "{} on http://{address}",
        painted(BOLD, "Sluice runs")
    )?;
    writeln!(output, "  journal   {}", path.display())?;
    writeln!(
        output,
        "  metrics   http://{}/metrics",
        gateway.admin_address()
    )?;
    writeln!(
        output,
        "  sandbox   {page}  (in place of Meta; nothing leaves this machine)"
    )?;
    if variable.is_none() {
        let note = painted(DIM, "(for this run only)");
        writeln!(output, "  key       {key}  {note}")?;
    }
    writeln!(output, "\nSend a purchase:\n")?;
    let key = variable.unwrap_or(key);
    writeln!(output, "{}", curl(&format!("http://{address}"), &key))?;
    writeln!(output, "Then look at {page}, or run `sluice audit`.")?;
    writeln!(
        output,
        "To send to Meta, write a sluice.toml: see docs/configuration.md, and `sluice config check`.\n"
    )?;
    output.finish()?;
    let ending = signals.until_stopped(gateway).await;
    sandbox.stop().await;
    ending
}

/// A line that can be pasted into a shell. The time is the shell's, so that it can be pasted later too.
fn curl(base: &str, key: &str) -> String {
    format!(
        r#"curl {base}/v1/events -H 'Authorization: Bearer {key}' -d '{{
  "event_name": "Purchase", "event_time": '$(date +%s)', "event_id": "order-1",
  "action_source": "website", "event_source_url": "https://shop.example/thanks",
  "user_data": {{"em": "john@example.com", "client_user_agent": "Mozilla/5.0"}},
  "custom_data": {{"currency": "USD", "value": 129.99}}
}}'
"#
    )
}

async fn start(
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

/// A key that nobody can guess.
fn new_key() -> anyhow::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).context("asking the system for random bytes")?;
    Ok(format!("sluice-{:032x}", u128::from_be_bytes(bytes)))
}

/// The signals that a gateway hears from its start on.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("listening for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("listening for SIGINT")?,
            hang_up: signal(SignalKind::hangup()).context("listening for SIGHUP")?,
        })
    }

    async fn until_stopped(mut self, gateway: Gateway) -> Result<Ending, Failure> {
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
