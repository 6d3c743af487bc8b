//! `sluice test list`.

use sluice_gateway::control::Test;
use sluice_gateway::control::wire::Request;

use crate::clock::shown;
use crate::commands::chosen;
use crate::ending::Ending;
use crate::failure::Failure;
use crate::journal::JournalOption;
use crate::output::{BOLD, Output, painted, printable};

/// What `test list` takes.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  sluice test list

Exit codes: 0, or 2 when no gateway runs with the journal.")]
pub(super) struct Arguments {
    /// Print one JSON array
    #[arg(long)]
    json: bool,
    #[command(flatten, next_help_heading = "Which gateway")]
    journal: JournalOption,
}

/// Shows the tests.
pub(super) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let tests: Vec<Test> = arguments.journal.ask(Request::Tests)?;
    chosen::tell(&tests, arguments.json, |tests| for_people(tests))?;
    Ok(Ending::Clean)
}

fn for_people(tests: &[Test]) -> Result<(), Failure> {
    let mut output = Output::for_people();
    for test in tests {
        writeln!(
            output,
            "{} {} from {} until {}, started by {}",
            painted(BOLD, test.dataset.as_str()),
            test.code.as_str(),
            shown(test.since_ms),
            shown(test.until_ms),
            printable(&test.by)
        )?;
    }
    if tests.is_empty() {
        writeln!(output, "No test runs.")?;
    }
    output.finish()
}
