//! `sluice lane resume`.

use sluice_gateway::control::Resumed;
use sluice_gateway::control::wire::Request;

use super::Chosen;
use crate::clock::shown;
use crate::commands::chosen;
use crate::ending::Ending;
use crate::failure::Failure;
use crate::journal::JournalOption;
use crate::output::{Output, counted};

/// What `lane resume` takes.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    chosen: Chosen,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten, next_help_heading = "Which gateway")]
    journal: JournalOption,
}

const EXAMPLES: &str = "\
Examples:
  sluice lane resume 1234567890123456

A dataset that was paused as a whole is resumed as a whole. What should not be sent is given up
before, with `sluice waiting drop`.

Exit codes: 0, or 2 when none of the lanes is paused, or no gateway runs.";

/// Resumes lanes.
pub(super) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let lanes = arguments.chosen.lanes();
    let resumed: Resumed = arguments.journal.ask(Request::Resume { lanes })?;
    chosen::tell(&resumed, arguments.json, for_people)?;
    Ok(Ending::Clean)
}

fn for_people(resumed: &Resumed) -> Result<(), Failure> {
    let mut output = Output::for_people();
    for pause in &resumed.pauses {
        let (lanes, since) = (&pause.lanes, shown(pause.since_ms));
        writeln!(output, "Resumed {lanes}, which was paused since {since}.")?;
    }
    match resumed.waiting {
        0 => {}
        1 => writeln!(output, "1 event that waits is sent now.")?,
        count => writeln!(
            output,
            "{} that wait are sent now.",
            counted(count, "event")
        )?,
    }
    output.finish()
}
