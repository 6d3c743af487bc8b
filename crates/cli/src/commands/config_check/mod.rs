//! `sluice config check`: what is wrong with the configuration, and what would run with it.

mod online;

use serde::Serialize;
use sluice_gateway::config::{
    Checked, Config, ConfigProblem, Place, Problems, ProcessEnvironment, Severity,
};

use crate::config_file::{self, ConfigOption, painted_problem};
use crate::ending::Ending;
use crate::failure::Failure;
use crate::output::{BOLD, CYAN, DIM, GREEN, Output, RED, YELLOW, counted, painted, printable};

/// What `sluice config check` takes.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  sluice config check
  sluice config check --online
      Asks Meta as well: whether the token is valid, until when and for what, what the id is, and
      whether the token can send to it
  sluice config check --config /etc/sluice/sluice.toml
  sluice config check --json | jq '.problems[] | select(.severity == \"error\")'

Secrets are read, to see that they can be, and not shown. That runs the commands that print some.

Exit codes: 0 when the configuration can be used, perhaps with warnings, 1 when it cannot, or with
--online Meta says no or does not answer, 2 when the file cannot be read.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: ConfigOption,
    /// Ask Meta about every token and dataset; no event is sent
    #[arg(long)]
    online: bool,
    /// Print one JSON object, for programs
    #[arg(long)]
    json: bool,
}

/// Checks the configuration that the other commands would use.
pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let Some(path) = arguments.config.path() else {
        return Err(Failure::with_help(
            "there is no sluice.toml in this folder",
            "name a file with --config; `sluice config init` writes one to start from",
        ));
    };
    let checked = Config::check(&path, &ProcessEnvironment, config_file::now_s());
    let Checked { config, problems } = checked.map_err(config_file::unreadable)?;
    let answers = match &config {
        Some(config) if arguments.online => Some(online::ask(config, config_file::now_s())?),
        _ => None,
    };
    let answers = answers.as_deref();
    let found = Found {
        config: config.as_ref(),
        problems: &problems,
        answers,
    };
    if arguments.json {
        let mut output = Output::for_programs();
        output.json(&Report::new(&found))?;
        output.finish()?;
    } else {
        found.show()?;
    }
    Ok(Ending::flawed_if(!found.is_usable()))
}

/// What the file says, and what Meta says of it.
struct Found<'a> {
    config: Option<&'a Config>,
    problems: &'a Problems,
    answers: Option<&'a [online::Standing]>,
}

impl Found<'_> {
    fn remarks(&self) -> impl Iterator<Item = (&str, &online::Remark)> {
        let answers = self.answers.unwrap_or_default().iter();
        answers.flat_map(|answer| {
            let remarks = answer.remarks.iter();
            remarks.map(|remark| (answer.dataset.as_str(), remark))
        })
    }

    /// Of a severity, by the file and by Meta.
    fn count(&self, severity: Severity) -> usize {
        let remarks = self.remarks().filter(|(_, it)| it.severity == severity);
        self.problems.count(severity) + remarks.count()
    }

    fn is_usable(&self) -> bool {
        self.config.is_some() && self.count(Severity::Error) == 0
    }

    fn show(&self) -> Result<(), Failure> {
        let mut output = Output::for_people();
        for problem in self.problems {
            writeln!(output, "{}", painted_problem(problem, self.problems.file()))?;
        }
        if let Some(config) = self.config {
            summary(config, &mut output)?;
            answers(self.answers.unwrap_or_default(), &mut output)?;
            writeln!(output)?;
        }
        for (dataset, remark) in self.remarks() {
            told(dataset, remark, &mut output)?;
        }
        self.verdict(&mut output)?;
        output.finish()
    }

    fn verdict(&self, output: &mut Output) -> Result<(), Failure> {
        let (style, verdict) = match (self.config, self.is_usable()) {
            (_, true) => (GREEN, "can be used"),
            (Some(_), false) => (RED, "is right, but the Graph API does not say yes"),
            (None, false) => (RED, "cannot be used"),
        };
        let counts = [Severity::Error, Severity::Warning]
            .map(|severity| (self.count(severity), severity.name()))
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, name)| format!(", {}", counted(count, name)));
        let counts: String = counts.collect();
        let file = printable(self.problems.file()).into_owned();
        let line = format!("{file} {verdict}{counts}");
        writeln!(output, "{}", painted(style, line))
    }
}

/// What Meta says, a dataset at a time.
fn answers(answers: &[online::Standing], output: &mut Output) -> Result<(), Failure> {
    for answer in answers {
        writeln!(
            output,
            "Graph API   {}\n            token: {}\n            {}",
            painted(BOLD, &answer.dataset),
            printable(&answer.token),
            painted(DIM, printable(&answer.id).into_owned()),
        )?;
    }
    Ok(())
}

/// Something that Meta's answers show.
fn told(dataset: &str, remark: &online::Remark, output: &mut Output) -> Result<(), Failure> {
    let style = match remark.severity {
        Severity::Error => RED,
        Severity::Warning => YELLOW,
    };
    let severity = painted(style, remark.severity.name());
    let message = painted(BOLD, printable(&remark.message).into_owned());
    writeln!(output, "{severity}: {message}\n --> dataset {dataset}")?;
    if !remark.help.is_empty() {
        writeln!(output, "  {} {}", painted(CYAN, "help:"), remark.help)?;
    }
    writeln!(output)
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
        let keys: Vec<_> = source.keys().iter().map(ToString::to_string).collect();
        let key = keys.join(" and ");
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
    /// With --online.
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<&'a [online::Standing]>,
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
    fn new(found: &Found<'a>) -> Self {
        Self {
            file: found.problems.file(),
            usable: found.is_usable(),
            errors: found.count(Severity::Error),
            warnings: found.count(Severity::Warning),
            problems: found.problems.iter().map(Row::new).collect(),
            runs: found.config.map(Runs::new),
            meta: found.answers,
        }
    }
}

impl<'a> Row<'a> {
    fn new(problem: &'a ConfigProblem) -> Self {
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
