//! `sluice test`: events of a dataset go with a test code for a while, and show under Test Events.

mod list;
mod start;
mod stop;

use clap::Subcommand;

use crate::ending::Ending;
use crate::failure::Failure;

/// What `test` takes.
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
    /// Let events of a dataset go with a test code, for an hour if nothing else is said
    Start(start::Arguments),
    /// End the test of a dataset before its time
    Stop(stop::Arguments),
    /// Show the tests that run
    List(list::Arguments),
}

const EXAMPLES: &str = "\
Examples:
  sluice test start 1234567890123456 TEST12345
  sluice test stop 1234567890123456

Events that come meanwhile show under Test Events in Events Manager. Meta uses them as it uses
others: a test is for looking, not for trying things out that must not count.

Exit codes: 0 when it is done, 2 when no gateway runs or it refused.";

/// Does what `test` was asked for.
pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    match &arguments.command {
        Command::Start(arguments) => start::run(arguments),
        Command::Stop(arguments) => stop::run(arguments),
        Command::List(arguments) => list::run(arguments),
    }
}
