//! `sluice lane`: how the lanes of a running gateway are doing, and telling them what to do.

mod list;
mod pause;
mod probe;
mod resume;

use clap::Subcommand;
use sluice_event::DatasetId;
use sluice_gateway::control::Lanes;
use sluice_journal::TestCode;

use crate::ending::Ending;
use crate::failure::Failure;

/// What `lane` takes.
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
    /// Show what each lane does, why, and what waits in it
    List(list::Arguments),
    /// Send nothing to Meta until the lanes are resumed, also after a restart
    Pause(pause::Arguments),
    /// Let paused lanes send again
    Resume(resume::Arguments),
    /// Let lanes that are throttled or parked try again at once
    Probe(probe::Arguments),
}

const EXAMPLES: &str = "\
Examples:
  sluice lane list
  sluice lane pause 1234567890123456 --note 'wrong prices since noon'
  sluice waiting drop --all --name Purchase --since 2h
  sluice lane resume 1234567890123456

A lane delivers the events of one dataset; those with a test code and those that were sent again
have lanes of their own. The commands reach the gateway by a socket in its journal's folder, as the
gateway's user or root.

Exit codes: 0 when it is done, 1 when a pause came while batches were on their way that are not back
yet, 2 when no gateway runs or it refused.";

/// Does what `lane` was asked for.
pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    match &arguments.command {
        Command::List(arguments) => list::run(arguments),
        Command::Pause(arguments) => pause::run(arguments),
        Command::Resume(arguments) => resume::run(arguments),
        Command::Probe(arguments) => probe::run(arguments),
    }
}

/// Which lanes.
#[derive(clap::Args)]
struct Chosen {
    /// The dataset: all of its lanes
    #[arg(value_name = "DATASET", value_parser = DatasetId::parse)]
    dataset: DatasetId,
    /// Only lanes of this test code
    #[arg(long, value_name = "CODE", value_parser = TestCode::parse)]
    test_code: Option<TestCode>,
    /// Only lanes of events that were sent again with `sluice dead replay`
    #[arg(long)]
    replay: bool,
}

impl Chosen {
    fn lanes(&self) -> Lanes {
        Lanes {
            dataset: self.dataset.clone(),
            test_code: self.test_code.clone(),
            replay: self.replay,
        }
    }
}
