//! `sluice lane pause`.

use sluice_gateway::control::Paused;
use sluice_gateway::control::wire::Request;

use super::Chosen;
use crate::commands::chosen;
use crate::ending::Ending;
use crate::failure::Failure;
use crate::journal::JournalOption;
use crate::output::{Output, counted};

/// What `lane pause` takes.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    chosen: Chosen,
    /// Why, in a few words without personal data: shown wherever the lane is
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten, next_help_heading = "Which gateway")]
    journal: JournalOption,
}

const EXAMPLES: &str = "\
Examples:
  sluice lane pause 1234567890123456 --note 'wrong prices since noon'
  sluice lane pause 1234567890123456 --replay

Events are taken as ever and wait on disk; they expire when they are older than Meta takes them, 7
days for most. No request begins after the command has ended. What was on its way at that moment is
waited for, up to 5 seconds.

Exit codes: 0, 1 when batches are still on their way then (Meta may take their events), 2 when no
gateway runs or it does not know the dataset.";

/// Pauses lanes.
pub(super) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let paused: Paused = arguments.journal.ask(Request::Pause {
        lanes: arguments.chosen.lanes(),
        note: arguments.note.clone(),
    })?;
    chosen::tell(&paused, arguments.json, for_people)?;
    Ok(Ending::flawed_if(paused.in_flight > 0))
}

fn for_people(paused: &Paused) -> Result<(), Failure> {
    let mut output = Output::for_people();
    let lanes = &paused.pause.lanes;
    let waiting = match paused.waiting {
        1 => "1 event waits".to_owned(),
        count => format!("{} wait", counted(count, "event")),
    };
    writeln!(
        output,
        "Paused {lanes}: {waiting}, and nothing is sent until `sluice lane resume`."
    )?;
    match paused.in_flight {
        0 => {}
        1 => writeln!(
            output,
            "1 batch is still on its way: Meta may take its events."
        )?,
        count => writeln!(
            output,
            "{count} batches are still on their way: Meta may take their events."
        )?,
    }
    output.finish()
}
