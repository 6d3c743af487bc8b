//! Where log lines go, and how they look.
//!
//! Only this program's own lines may be as detailed as somebody wishes. Libraries have not promised to keep
//! personal data and tokens out of theirs: what they say below `info` is never written, whatever the filter.
//! What comes through the `log` crate is not written at all, for that reason.

use std::io::IsTerminal as _;
use std::sync::Arc;

use anyhow::Context as _;
use sluice_gateway::SetFilter;
use sluice_gateway::config::{Log, LogFormat};
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, reload};

/// Starts logging to standard error. Returns what puts another filter in force.
pub(crate) fn start(log: &Log) -> anyhow::Result<SetFilter> {
    let wanted = EnvFilter::try_new(&log.filter)
        .with_context(|| format!("log filter {:?} cannot be understood", log.filter))?;
    let (wanted, handle) = reload::Layer::new(wanted);
    let filter = wanted.and(filter_fn(is_harmless));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match log.format {
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .boxed(),
        LogFormat::Human => lines
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .boxed(),
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .try_init()
        .context("starting the log")?;
    Ok(Arc::new(move |filter| {
        let filter = EnvFilter::try_new(filter).map_err(|error| error.to_string())?;
        handle.reload(filter).map_err(|error| error.to_string())
    }))
}

/// Starts it for a program that does not run, if it has not been started: errors only, as JSON.
pub(crate) fn start_for_failure() {
    // It fails when the log was started, which is as good.
    let _ = start(&Log {
        format: LogFormat::Json,
        filter: "warn".to_owned(),
    });
}

fn is_harmless(line: &Metadata<'_>) -> bool {
    line.target().starts_with("sluice") || *line.level() <= Level::INFO
}
