//! `sluice reload`.

use sluice_gateway::control::Reloaded;
use sluice_gateway::control::wire::Request;

use super::chosen;
use crate::ending::Ending;
use crate::failure::Failure;
use crate::journal::JournalOption;
use crate::output::{Output, counted, printable};

/// What `reload` takes.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten, next_help_heading = "Which gateway")]
    journal: JournalOption,
}

const EXAMPLES: &str = "\
Examples:
  sluice reload

Does what SIGHUP does, and says what came of it: the configuration, keys and tokens are read again,
what can be changed without a restart takes effect, and parked lanes look at once. When the
configuration cannot be used, nothing of it takes effect.

Exit codes: 0, 1 when something waits for a restart or a secret cannot be read, 2 when the
configuration cannot be used, or no gateway runs with the journal.";

/// Asks for a reload.
pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let reloaded: Reloaded = arguments.journal.ask(Request::Reload)?;
    chosen::tell(&reloaded, arguments.json, for_people)?;
    let is_whole = reloaded.needs_restart.is_empty() && reloaded.secrets_unreadable.is_empty();
    Ok(Ending::flawed_if(!is_whole))
}

fn for_people(reloaded: &Reloaded) -> Result<(), Failure> {
    let mut output = Output::for_people();
    match reloaded.applied.len() {
        0 => writeln!(output, "The configuration in force is the same as before.")?,
        count => writeln!(output, "In force now ({}):", counted(count, "change"))?,
    }
    for change in &reloaded.applied {
        writeln!(output, "  {}", printable(change))?;
    }
    match reloaded.secrets_changed {
        0 => writeln!(output, "Keys and tokens are the same as before.")?,
        1 => writeln!(output, "1 key or token is another one.")?,
        count => writeln!(output, "{count} keys and tokens are others.")?,
    }
    for (what, lines) in [
        ("Waits for a restart:", &reloaded.needs_restart),
        ("Doubtful, and used all the same:", &reloaded.warnings),
        (
            "Cannot be read, so the known one stays in force:",
            &reloaded.secrets_unreadable,
        ),
    ] {
        if !lines.is_empty() {
            writeln!(output, "{what}")?;
        }
        for line in lines {
            writeln!(output, "  {}", printable(line))?;
        }
    }
    output.finish()
}
