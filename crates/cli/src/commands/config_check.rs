//! `sluice config check`: what is wrong with the configuration, and what would run with it.

use serde::Serialize;
use sluice_gateway::config::{
    Checked, Config, Place, Problem, Problems, ProcessEnvironment, Severity,
};

use super::Ending;
use crate::config_file::{self, ConfigOption, painted_problem};
use crate::failure::Failure;
use crate::output::{BOLD, DIM, GREEN, Output, RED, counted, painted, printable};

/// What `sluice config check` takes.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  sluice config check
  sluice config check --config /etc/sluice/sluice.toml
  sluice config check --json | jq '.problems[] | select(.severity == \"error\")'

Secrets are read, to see that they can be, and not shown. That runs the commands that print some.

Exit codes: 0 the configuration can be used, perhaps with warnings; 1 it cannot;
2 the file cannot be read.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: ConfigOption,
    /// Print one JSON object, for programs
    #[arg(long)]
    json: bool,
}

/// Checks the configuration that the other commands would use.
pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let Some(path) = arguments.config.path() else {
        return Err(Failure::with_help(
            "there is no sluice.toml in this folder",
            "name a file with --config; docs/configuration.md has one to start from",
        ));
    };
    let checked = Config::check(&path, &ProcessEnvironment, config_file::now_s());
    let Checked { config, problems } = checked.map_err(anyhow::Error::new)?;
    if arguments.json {
        let mut output = Output::for_programs();
        output.json(&Report::new(config.as_ref(), &problems))?;
        output.finish()?;
    } else {
        show(config.as_ref(), &problems)?;
    }
    Ok(Ending::flawed_if(config.is_none()))
}

fn show(config: Option<&Config>, problems: &Problems) -> Result<(), Failure> {
    let mut output = Output::for_people();
    for problem in problems {
        writeln!(output, "{}", painted_problem(problem, problems.file()))?;
    }
    if let Some(config) = config {
        summary(config, &mut output)?;
        writeln!(output)?;
    }
    let (style, verdict) = match config {
        Some(_) => (GREEN, "can be used"),
        None => (RED, "cannot be used"),
    };
    let counts = [Severity::Error, Severity::Warning]
        .map(|severity| (problems.count(severity), severity.name()))
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!(", {}", counted(count, name)));
    let counts: String = counts.collect();
    let file = printable(problems.file()).into_owned();
    writeln!(
        output,
        "{}",
        painted(style, format!("{file} {verdict}{counts}"))
    )?;
    output.finish()
}

/// What would run.
fn summary(config: &Config, output: &mut Output) -> Result<(), Failure> {
    let days = config.journal.retention.as_secs() / (24 * 60 * 60);
    let journal = config.journal.path.display().to_string();
    let kept = match usize::try_from(days).unwrap_or(usize::MAX) {
        0 => "until they are delivered".to_owned(),
        days => format!("for {}", counted(days, "day")),
    };
    let is_encrypted = config.journal.encryption_key.is_some();
    let encrypted = if is_encrypted { ", encrypted" } else { "" };
    writeln!(output, "listens on  http://{}", config.server.listen)?;
    writeln!(output, "admin       http://{}", config.admin.listen)?;
    writeln!(
        output,
        "journal     {}, bodies are kept {kept}{encrypted}",
        printable(&journal)
    )?;
    writeln!(output, "sends to    {}", config.graph.base_url)?;
    for dataset in &config.datasets {
        let name = dataset.name.as_deref().map(|name| format!(" {name}"));
        let token = dataset.access_token.to_string();
        writeln!(
            output,
            "dataset     {}{}\n            {}",
            painted(BOLD, &dataset.id),
            printable(name.as_deref().unwrap_or_default()),
            painted(
                DIM,
                format!("{}; token: {}", dataset.delivery.version, printable(&token))
            ),
        )?;
    }
    for source in &config.sources {
        let targets: Vec<_> = source.datasets.iter().map(ToString::to_string).collect();
        let key = source.key.to_string();
        writeln!(
            output,
            "source      {} → {}\n            {}",
            painted(BOLD, &source.name),
            targets.join(", "),
            painted(
                DIM,
                format!("{}; key: {}", source.kind.name(), printable(&key))
            ),
        )?;
    }
    Ok(())
}

/// The answer for programs.
#[derive(Serialize)]
struct Report<'a> {
    file: &'a str,
    usable: bool,
    errors: usize,
    warnings: usize,
    problems: Vec<Row<'a>>,
    runs: Option<Runs>,
}

#[derive(Serialize)]
struct Row<'a> {
    severity: &'static str,
    key: &'a str,
    line: Option<usize>,
    column: Option<usize>,
    variable: Option<&'a str>,
    message: &'a str,
    help: Option<&'a str>,
}

/// What would run.
#[derive(Serialize)]
struct Runs {
    listen: String,
    admin_listen: String,
    journal: String,
    base_url: String,
    datasets: Vec<String>,
    sources: Vec<String>,
}

impl<'a> Report<'a> {
    fn new(config: Option<&Config>, problems: &'a Problems) -> Self {
        Self {
            file: problems.file(),
            usable: config.is_some(),
            errors: problems.count(Severity::Error),
            warnings: problems.count(Severity::Warning),
            problems: problems.iter().map(Row::new).collect(),
            runs: config.map(Runs::new),
        }
    }
}

impl<'a> Row<'a> {
    fn new(problem: &'a Problem) -> Self {
        let variable = match &problem.place {
            Place::Variable(name) => Some(name.as_str()),
            _ => None,
        };
        Self {
            severity: problem.severity.name(),
            key: &problem.path,
            line: problem.line(),
            column: problem.column(),
            variable,
            message: &problem.message,
            help: problem.help.as_deref(),
        }
    }
}

impl Runs {
    fn new(config: &Config) -> Self {
        let datasets = config.datasets.iter();
        let sources = config.sources.iter();
        Self {
            listen: config.server.listen.to_string(),
            admin_listen: config.admin.listen.to_string(),
            journal: config.journal.path.display().to_string(),
            base_url: config.graph.base_url.to_string(),
            datasets: datasets.map(|dataset| dataset.id.to_string()).collect(),
            sources: sources.map(|source| source.name.to_string()).collect(),
        }
    }
}
