//! `sluice lane probe`.

use sluice_gateway::control::wire::Request;
use sluice_gateway::control::{ProbeAnswer, Probed};

use super::Chosen;
use crate::commands::chosen;
use crate::ending::Ending;
use crate::failure::Failure;
use crate::journal::JournalOption;
use crate::output::{BOLD, Output, painted};

/// What `lane probe` takes.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    chosen: Chosen,
    /// Print one JSON array
    #[arg(long)]
    json: bool,
    #[command(flatten, next_help_heading = "Which gateway")]
    journal: JournalOption,
}

const EXAMPLES: &str = "\
Examples:
  sluice lane probe 1234567890123456
      After something was mended at Meta: a parked lane looks by itself only once a minute

One batch goes first, which begins with a single event. `sluice lane list` shows what came of it.

Exit codes: 0, or 2 when no gateway runs or it does not know the dataset.";

/// Has lanes try again.
pub(super) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let lanes = arguments.chosen.lanes();
    let probed: Vec<Probed> = arguments.journal.ask(Request::Probe { lanes })?;
    chosen::tell(&probed, arguments.json, |probed| for_people(probed))?;
    Ok(Ending::Clean)
}

fn for_people(probed: &[Probed]) -> Result<(), Failure> {
    let mut output = Output::for_people();
    for Probed { lane, answer } in probed {
        let answer = match answer {
            ProbeAnswer::Tries => "tries again now; `sluice lane list` shows what comes of it",
            ProbeAnswer::Flows => "flows: there is nothing to try",
            ProbeAnswer::Paused => "is paused: `sluice lane resume` lets it send",
            ProbeAnswer::Unconfigured => "is of a dataset that the configuration does not name",
        };
        writeln!(output, "{} {answer}", painted(BOLD, lane))?;
    }
    if probed.is_empty() {
        writeln!(output, "No such lane has had an event since the start.")?;
    }
    output.finish()
}
