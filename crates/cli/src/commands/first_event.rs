//! What `sluice serve` says when it listens: where its events go, and how to see the first one arrive at Meta.

use std::net::SocketAddr;

use serde::Serialize;
use sluice_gateway::config::{Config, LogFormat, SecretRef, Source};

use crate::failure::Failure;
use crate::output::{BOLD, Output, painted, printable, shell_word};

/// What is known of it before the gateway listens.
pub(super) struct Hint {
    format: LogFormat,
    datasets: Vec<String>,
    /// The name of the source that the test event comes from, and the words that show its key.
    source: Option<(String, Key)>,
}

/// How `sluice send` comes by the key.
#[derive(Debug, Default, PartialEq, Eq)]
struct Key {
    /// Before the command.
    variable: String,
    /// Behind it.
    option: String,
}

#[derive(Serialize)]
struct Listening<'a> {
    message: &'static str,
    listen: String,
    admin: String,
    datasets: &'a [String],
}

impl Hint {
    pub(super) fn of(config: &Config) -> Self {
        let datasets = config.datasets.iter().map(|dataset| match &dataset.name {
            Some(name) => format!("{} {}", dataset.id, printable(name)),
            None => dataset.id.to_string(),
        });
        let source = config
            .sources
            .iter()
            .find(|source| source.allows_test_codes());
        Self {
            format: config.log.format,
            datasets: datasets.collect(),
            source: source.map(|source| (source.name.to_string(), Key::of(source))),
        }
    }

    pub(super) fn show(&self, address: SocketAddr, admin: SocketAddr) -> Result<(), Failure> {
        let (listen, admin) = (format!("http://{address}"), format!("http://{admin}"));
        if self.format == LogFormat::Json {
            let mut output = Output::for_programs();
            output.json(&Listening {
                message: "listening",
                listen,
                admin,
                datasets: &self.datasets,
            })?;
            return output.finish();
        }
        let mut output = Output::for_people();
        writeln!(output, "{} on {listen}", painted(BOLD, "listening"))?;
        for dataset in &self.datasets {
            writeln!(output, "  dataset   {dataset}")?;
        }
        writeln!(output, "  metrics   {admin}/metrics")?;
        if let Some((source, key)) = &self.source {
            writeln!(
                output,
                "\nTo see a first event in Events Manager, under Test Events, put its code in the place of TEST123:\n\n\
                 {}\n\n\
                 To go live, send the events of {source} to {listen}/v1/events, without a code.",
                key.command(&listen)
            )?;
        }
        output.finish()
    }
}

impl Key {
    fn of(source: &Source) -> Self {
        let variable = |value: &str| Self {
            variable: format!("SLUICE_KEY={value} "),
            ..Self::default()
        };
        match source.keys().first() {
            Some(SecretRef::Env(name)) if name == "SLUICE_KEY" => Self::default(),
            Some(SecretRef::Env(name)) => variable(&format!("\"${name}\"")),
            Some(SecretRef::File(path)) => Self {
                option: format!(" --key-file {}", shell_word(&path.display().to_string())),
                ..Self::default()
            },
            // The one may be long, and the other is not shown.
            Some(SecretRef::Command(_) | SecretRef::Literal(_)) | None => variable("…"),
        }
    }

    /// The command that sends a test event.
    fn command(&self, listen: &str) -> String {
        let Self { variable, option } = self;
        format!(
            "{variable}sluice send --gateway {listen}{option} --test-event-code TEST123 \\\n  \
             --name Purchase --id test-$(date +%s) --value 129.99 --currency USD \\\n  \
             --user em=john@example.com --user client_user_agent=Mozilla/5.0 \\\n  \
             --action-source website --url https://shop.example/thanks"
        )
    }
}
