//! `sluice jobs`: what the gateway did by the clock, and what came of it.

use clap::Subcommand;
use serde::Serialize;
use sluice_gateway::jobs::{Came, History, Run};

use crate::clock::shown;
use crate::ending::Ending;
use crate::failure::Failure;
use crate::journal::JournalOption;
use crate::output::{BOLD, DIM, GREEN, Output, RED, YELLOW, counted, painted, printable};
use crate::runtime;

/// What `jobs` takes.
#[derive(clap::Args)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    after_long_help = EXAMPLES
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List runs of jobs, the newest first
    List(List),
}

/// What `jobs list` takes.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
struct List {
    /// Runs of this job only, such as retention
    #[arg(long, value_name = "NAME")]
    job: Option<String>,
    /// List at most this many
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    limit: u16,
    /// Print one JSON object a run
    #[arg(long)]
    json: bool,
    #[command(flatten, next_help_heading = "Which journal")]
    journal: JournalOption,
}

const EXAMPLES: &str = "\
Examples:
  sluice jobs list
  sluice jobs list --job retention --limit 5
  sluice jobs list --json | jq 'select(.state == \"failed\")'

A run is running, done, failed, or abandoned: its gateway ended before it did. The history is in
records.db beside the journal; this works beside a running gateway and without one.

Exit codes: 0, or 2 when the history cannot be read.";

/// A run as programs read it.
#[derive(Serialize)]
struct Line<'a> {
    id: i64,
    job: &'a str,
    state: &'static str,
    started: String,
    ended: Option<String>,
    said: &'a str,
}

/// Does what `jobs` was asked for.
pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let Command::List(list) = &arguments.command;
    let runs = runtime::block_on(read(list))?;
    if list.json {
        let mut output = Output::for_programs();
        for run in &runs {
            output.json(&Line {
                id: run.id,
                job: &run.job,
                state: run.came.name(),
                started: shown(run.started_ms),
                ended: run.ended_ms.map(shown),
                said: &run.said,
            })?;
        }
        output.finish()?;
    } else {
        for_people(&runs)?;
    }
    Ok(Ending::Clean)
}

async fn read(list: &List) -> Result<Vec<Run>, Failure> {
    let folder = list.journal.folder()?;
    let history = History::look(&folder).await;
    let history = history.map_err(|error| unreadable(&error))?;
    let Some(history) = history else {
        let said = format!("there is no history of jobs in {}", folder.display());
        let help = "name the journal's folder with --journal DIR; the gateway makes records.db in it when it starts";
        return Err(Failure::with_help(said, help));
    };
    let runs = history.runs(list.job.as_deref(), list.limit).await;
    runs.map_err(|error| unreadable(&error))
}

fn unreadable(error: &impl std::fmt::Display) -> Failure {
    Failure::with_help(
        format!("the history of jobs cannot be read: {error}"),
        "it can be deleted while no gateway runs; that costs the history and no event",
    )
}

/// Two lines a run, one where nothing was said.
fn for_people(runs: &[Run]) -> Result<(), Failure> {
    let mut output = Output::for_people();
    for run in runs {
        let style = match run.came {
            Came::Done => GREEN,
            Came::Failed => RED,
            Came::Running | Came::Abandoned => YELLOW,
        };
        writeln!(
            output,
            "{} {} {}",
            painted(BOLD, printable(&run.job)),
            painted(style, run.came.name()),
            painted(DIM, when(run)),
        )?;
        if !run.said.is_empty() {
            writeln!(output, "    {}", printable(&run.said))?;
        }
    }
    match runs.len() {
        0 => writeln!(output, "No runs of jobs.")?,
        count => writeln!(output, "\n{}.", counted(count, "run"))?,
    }
    output.finish()
}

/// When it started, and how long it took.
fn when(run: &Run) -> String {
    let started = shown(run.started_ms);
    let Some(ended_ms) = run.ended_ms else {
        return started;
    };
    let took_ms = ended_ms.saturating_sub(run.started_ms);
    format!("{started}, {}.{:03} s", took_ms / 1_000, took_ms % 1_000)
}
