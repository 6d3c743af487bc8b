//! `sluice events show`.

use sluice_journal::EventKey;

use crate::commands::chosen::event_key;
use crate::commands::dead;
use crate::ending::Ending;
use crate::failure::Failure;
use crate::journal::JournalOption;

/// What `events show` takes.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The number of the event, as `sluice events list` shows it
    #[arg(value_parser = event_key)]
    key: EventKey,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten, next_help_heading = "Which journal")]
    journal: JournalOption,
}

const EXAMPLES: &str = "\
Examples:
  sluice events show 1042
  sluice events show 1042 --json | jq .body

The body is what Meta got, or would get: hashes in the place of personal data. It is kept for as
long as journal.retention_days says.

Exit codes: 0, or 2 when there is no such event or the journal cannot be read.";

/// Shows one event, whatever its state.
pub(super) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    dead::show_event(&arguments.journal, arguments.key, arguments.json)
}
