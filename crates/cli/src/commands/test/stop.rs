//! `sluice test stop`.

use sluice_event::DatasetId;
use sluice_gateway::control::Test;
use sluice_gateway::control::wire::Request;

use crate::commands::chosen;
use crate::ending::Ending;
use crate::failure::Failure;
use crate::journal::JournalOption;
use crate::output::Output;

/// What `test stop` takes.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  sluice test stop 1234567890123456

Events that came before and still wait keep their code, for 24 hours after they came.

Exit codes: 0, or 2 when no test runs for the dataset, or no gateway runs.")]
pub(super) struct Arguments {
    /// The dataset
    #[arg(value_name = "DATASET", value_parser = DatasetId::parse)]
    dataset: DatasetId,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten, next_help_heading = "Which gateway")]
    journal: JournalOption,
}

/// Ends a test.
pub(super) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let dataset = arguments.dataset.clone();
    let ended: Test = arguments.journal.ask(Request::EndTest { dataset })?;
    chosen::tell(&ended, arguments.json, for_people)?;
    Ok(Ending::Clean)
}

fn for_people(ended: &Test) -> Result<(), Failure> {
    let mut output = Output::for_people();
    let (dataset, code) = (ended.dataset.as_str(), ended.code.as_str());
    writeln!(output, "The test of {dataset} with {code} has ended.")?;
    output.finish()
}
