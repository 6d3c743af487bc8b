//! `sluice try`, and `sluice serve` without a configuration: the whole job on this machine, with the sandbox in
//! the place of Meta.
//!
//! Everything of a trial is the same each time: the folder, the key, the ports, and what the sandbox shows, so
//! that what was pasted, bookmarked or learnt yesterday holds today.

use std::io::ErrorKind::AddrInUse;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;
use sluice_gateway::config::{Config, Loaded, LogFormat, ProcessEnvironment, Secret, SecretRef};
use sluice_gateway::{Gateway, Sockets, body_keys};
use sluice_graph::BaseUrl;
use sluice_journal::{
    BodyKeys, EmbeddedLedger, EventFilter, EventRecord, EventState, Ledger as _, OpenError,
    PAGE_MAX, Page,
};
use sluice_sandbox::{EarlierEvent, Sandbox};

use super::chosen;
use super::running::{self, Signals};
use crate::config_file;
use crate::ending::Ending;
use crate::failure::Failure;
use crate::output::{BOLD, DIM, Output, painted, shell_word};
use crate::{logging, trial};

/// The access token that the sandbox is called with: any will do there.
const TOKEN: &str = "sandbox-token";

/// The key of a trial. Everybody knows it, so a trial with it listens on this machine only.
const KEY: &str = "sluice-trial-key";

/// Where the sandbox listens, if it can.
const SANDBOX_PORT: u16 = 8090;

/// How many ports are tried, each the one after the last.
const PORTS_MAX: u16 = 50;

/// What `try` takes.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Arguments {}

const EXAMPLES: &str = "\
Examples:
  sluice try
      Runs the whole job on this machine, a sandbox in the place of Meta; says what to paste

The journal is ./sluice-trial, the key is always the same, and the sandbox shows what it had when
the trial ran before. Nothing leaves this machine. A sluice.toml is not looked at; the variables of
its keys are, as in SLUICE_SERVER_LISTEN.

What comes after: `sluice config init` writes a configuration for Meta.

Exit codes: 0 when a signal stopped it, 2 when it cannot start.";

/// Runs a trial until a signal stops it.
pub(crate) fn run(Arguments {}: &Arguments) -> Result<Ending, Failure> {
    running::told(None, serve_trial)
}

/// The same for `serve`, which has found no configuration.
pub(super) async fn serve_trial(sockets: Sockets) -> Result<Ending, Failure> {
    let mut ports = Ports::default();
    let sandbox = start_sandbox(&mut ports).await?;
    let base_url = BaseUrl::parse(&sandbox.base_url()).context("the sandbox's address")?;
    let mut config = configuration(&base_url)?;
    let format = config.log.format;
    tracing::warn!("this is a trial: events go to the sandbox on this machine and not to Meta");
    config.admin.listen = ports.free(config.admin.listen);
    config.server.listen = ports.free(config.server.listen);
    let folder = config.journal.path.clone();
    trial::prepare(&folder)?;
    let keys = body_keys(&config.journal, &ProcessEnvironment).map_err(anyhow::Error::new)?;
    sandbox.remember(&earlier(&folder, keys).await?);
    let key = key_for_shell(&config);
    let signals = Signals::listen()?;
    let gateway = running::start(config, None, sockets).await?;
    let greeting = Greeting::new(&gateway, &sandbox, &folder, &key);
    sandbox.invite(greeting.curl());
    greeting.show(format, &ports)?;
    let ending = signals.until_stopped(gateway).await;
    sandbox.stop().await;
    ending
}

/// A sandbox at its port, or at the next one that is free.
async fn start_sandbox(ports: &mut Ports) -> Result<Sandbox, Failure> {
    let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut port = SANDBOX_PORT;
    let started = loop {
        let settings = sluice_sandbox::Settings {
            listen: address(port),
            ..sluice_sandbox::Settings::default()
        };
        match Sandbox::start(settings).await {
            Err(error) if error.source.kind() == AddrInUse && port < SANDBOX_PORT + PORTS_MAX => {
                port += 1;
            }
            started => break started,
        }
    };
    if port != SANDBOX_PORT {
        ports.taken.push(address(SANDBOX_PORT));
    }
    ports.given.push(port);
    Ok(started.context("starting the sandbox")?)
}

/// What a trial runs with; the log is started.
fn configuration(base_url: &BaseUrl) -> Result<Config, Failure> {
    let loaded = Config::trial(
        base_url,
        Secret::new(TOKEN),
        Secret::new(KEY),
        &ProcessEnvironment,
        config_file::now_s(),
    );
    let format = Config::log_format(None, &ProcessEnvironment);
    let Loaded { config, warnings } =
        loaded.map_err(|problems| running::refused(&problems, format))?;
    // A trial promises that nothing leaves the machine.
    if config.graph.base_url != *base_url {
        return Err(Failure::with_help(
            "SLUICE_GRAPH_BASE_URL leads away from the sandbox of the trial",
            "unset it, or write a configuration, with which Sluice sends to that address: `sluice config init`",
        ));
    }
    let is_own_key = !matches!(config.sources[0].keys(), [SecretRef::Literal(_)]);
    if !config.server.listen.ip().is_loopback() && !is_own_key {
        return Err(Failure::with_help(
            "a trial whose key everybody knows listens on this machine only",
            "unset SLUICE_SERVER_LISTEN, or set a key of your own: SLUICE_SOURCE_DEFAULT_KEY",
        ));
    }
    logging::start(&config.log)?;
    running::warn_of(&warnings);
    Ok(config)
}

/// The key as a shell has it: one from a variable is not shown.
fn key_for_shell(config: &Config) -> String {
    match config.sources[0].keys() {
        [SecretRef::Env(name)] => format!("${name}"),
        _ => KEY.to_owned(),
    }
}

/// Ports that are free, each given once.
#[derive(Default)]
struct Ports {
    given: Vec<u16>,
    /// Addresses that other programs listen on.
    taken: Vec<SocketAddr>,
}

impl Ports {
    /// This address, or the next one on which nothing listens. An error of another kind is told when the address
    /// is used.
    fn free(&mut self, wanted: SocketAddr) -> SocketAddr {
        if wanted.port() == 0 {
            return wanted;
        }
        let mut address = wanted;
        for port in (wanted.port()..=u16::MAX).take(usize::from(PORTS_MAX)) {
            address.set_port(port);
            let is_ours = self.given.contains(&port);
            if !is_ours && !TcpListener::bind(address).is_err_and(|it| it.kind() == AddrInUse) {
                if address != wanted {
                    self.taken.push(wanted);
                }
                self.given.push(port);
                return address;
            }
        }
        wanted
    }
}

/// What the sandbox had when the trial ran before, from its journal, the oldest first.
async fn earlier(folder: &Path, keys: BodyKeys) -> Result<Vec<EarlierEvent>, Failure> {
    let ledger = match EmbeddedLedger::open(folder, keys) {
        // A gateway brings an old form up to date when it starts; the next run of the trial shows its events.
        Err(OpenError::Missing { .. } | OpenError::Older { .. }) => return Ok(Vec::new()),
        ledger => ledger?,
    };
    let answered = EventFilter {
        states: vec![EventState::Delivered, EventState::Refused],
        ..EventFilter::default()
    };
    let mut page = Page {
        before: None,
        limit: PAGE_MAX,
    };
    let (mut records, mut unreadable) = (Vec::new(), 0);
    loop {
        let found = ledger.search(&answered, page).await?;
        unreadable += found.unreadable;
        records.extend(found.rows);
        (page.before, page.limit) = (found.next, PAGE_MAX - records.len());
        if page.before.is_none() || page.limit == 0 {
            break;
        }
    }
    chosen::note_unreadable(unreadable);
    let mut events = Vec::new();
    for record in records.into_iter().rev() {
        // One whose body is deleted or cannot be read is in the books alone.
        let detail = ledger.event(record.key).await?;
        if let Some(event) = detail.and_then(|detail| detail.json) {
            events.push(EarlierEvent {
                refused: (record.state == EventState::Refused).then(|| reason(&record)),
                received_ms: record
                    .at_ms
                    .and_then(|ms| i64::try_from(ms).ok())
                    .unwrap_or_default(),
                dataset: record.dataset,
                test_event_code: record.test_code,
                event,
            });
        }
    }
    Ok(events)
}

/// Why an event was refused.
fn reason(record: &EventRecord) -> String {
    let cause = &record.cause;
    let code = match (cause.code, cause.subcode) {
        (Some(code), Some(subcode)) => format!("{code}/{subcode}: "),
        (Some(code), None) => format!("{code}: "),
        (None, _) => String::new(),
    };
    format!("{code}{}", cause.text)
}

/// What is said when a trial has started.
#[derive(Serialize)]
struct Greeting {
    message: &'static str,
    listen: String,
    admin: String,
    sandbox: String,
    journal: String,
    #[serde(skip)]
    key: String,
}

impl Greeting {
    fn new(gateway: &Gateway, sandbox: &Sandbox, folder: &Path, key: &str) -> Self {
        Self {
            message: "this is a trial",
            listen: format!("http://{}", gateway.address()),
            admin: format!("http://{}", gateway.admin_address()),
            sandbox: format!("{}/sandbox", sandbox.base_url()),
            journal: folder.display().to_string(),
            key: key.to_owned(),
        }
    }

    fn show(&self, format: LogFormat, ports: &Ports) -> Result<(), Failure> {
        if format == LogFormat::Json {
            let mut output = Output::for_programs();
            output.json(self)?;
            return output.finish();
        }
        let mut output = Output::for_people();
        let Self {
            listen,
            admin,
            sandbox,
            journal,
            key,
            ..
        } = self;
        let title = painted(BOLD, "Sluice runs");
        writeln!(
            output,
            "{title} on {listen}, as a trial: nothing leaves this machine"
        )?;
        writeln!(output, "  sandbox   {sandbox}  (in the place of Meta)")?;
        writeln!(output, "  metrics   {admin}/metrics")?;
        writeln!(output, "  journal   {journal}")?;
        writeln!(output, "  key       {key}")?;
        for address in &ports.taken {
            let note =
                format!("another program listens on {address}: the next free port was taken");
            writeln!(output, "  {}", painted(DIM, note))?;
        }
        writeln!(output, "\nSend a purchase, from another terminal:\n")?;
        writeln!(output, "{}", self.curl())?;
        writeln!(
            output,
            "Then look at {sandbox}, and see the books:\n\nsluice audit --journal {}\n",
            shell_word(journal)
        )?;
        writeln!(
            output,
            "To send to Meta: `sluice config init` writes a configuration and says what comes next.\n"
        )?;
        output.finish()
    }

    /// A line that can be pasted into a shell as often as one likes: the time and the id are the shell's.
    fn curl(&self) -> String {
        let Self { listen, key, .. } = self;
        format!(
            r#"curl {listen}/v1/events -H "Authorization: Bearer {key}" -d '{{
  "event_name": "Purchase", "event_time": '$(date +%s)', "event_id": "order-'$(date +%s)'",
  "action_source": "website", "event_source_url": "https://shop.example/thanks",
  "user_data": {{"em": "john@example.com", "client_user_agent": "Mozilla/5.0"}},
  "custom_data": {{"currency": "USD", "value": 129.99}}
}}'
"#
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once_and_never_one_that_is_taken() {
        let mut ports = Ports::default();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let wanted = taken.local_addr().unwrap();
        let (first, second) = (ports.free(wanted), ports.free(wanted));
        assert!(first.port() > wanted.port() && second.port() > first.port());
        assert_eq!(ports.taken, [wanted, wanted]);
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        assert_eq!(ports.free(any), any);
    }
}
