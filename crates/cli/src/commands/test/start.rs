//! `sluice test start`.

use sluice_event::DatasetId;
use sluice_gateway::control::TestStarted;
use sluice_gateway::control::wire::Request;
use sluice_journal::TestCode;

use crate::clock::shown;
use crate::commands::chosen;
use crate::ending::Ending;
use crate::failure::Failure;
use crate::journal::JournalOption;
use crate::option_values;
use crate::output::Output;

/// What `test start` takes.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The dataset
    #[arg(value_name = "DATASET", value_parser = DatasetId::parse)]
    dataset: DatasetId,
    /// The code that Events Manager shows under Test Events
    #[arg(value_name = "CODE", value_parser = TestCode::parse)]
    code: TestCode,
    /// For how long, such as 30m or 2h; at most 24h
    #[arg(long = "for", value_name = "LENGTH", default_value = "1h", value_parser = option_values::length)]
    length_s: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten, next_help_heading = "Which gateway")]
    journal: JournalOption,
}

const EXAMPLES: &str = "\
Examples:
  sluice test start 1234567890123456 TEST12345
  sluice test start 1234567890123456 TEST12345 --for 15m

A code that comes with a request or an event goes first; that of the configuration does not. A test
that runs already for the dataset ends. The test goes on after a restart of the gateway.

Exit codes: 0, or 2 when no gateway runs or its configuration does not name the dataset.";

/// Starts a test.
pub(super) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let started: TestStarted = arguments.journal.ask(Request::StartTest {
        dataset: arguments.dataset.clone(),
        code: arguments.code.clone(),
        seconds: arguments.length_s,
    })?;
    chosen::tell(&started, arguments.json, for_people)?;
    Ok(Ending::Clean)
}

fn for_people(started: &TestStarted) -> Result<(), Failure> {
    let mut output = Output::for_people();
    let test = &started.test;
    let (dataset, code, until) = (
        test.dataset.as_str(),
        test.code.as_str(),
        shown(test.until_ms),
    );
    writeln!(
        output,
        "Events of {dataset} go with the test code {code} until {until}."
    )?;
    if let Some(replaced) = &started.replaced {
        writeln!(
            output,
            "The test with {} has ended.",
            replaced.code.as_str()
        )?;
    }
    output.finish()
}
