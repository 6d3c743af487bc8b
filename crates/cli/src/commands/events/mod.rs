//! `sluice events`: any event, found by what a person knows of it; and those that come now.

mod choice;
mod list;
mod show;
mod tail;

use clap::Subcommand;

use crate::ending::Ending;
use crate::failure::Failure;

/// What `events` takes.
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
    /// List events, the newest first
    List(Box<list::Arguments>),
    /// Show one event: its way, the requests that carried it, and the JSON that Meta got or would get
    Show(show::Arguments),
    /// Show events as they come, and what becomes of them, until interrupted
    Tail(tail::Arguments),
}

const EXAMPLES: &str = "\
Examples:
  sluice events list --order A-1042
  sluice events list --state delivered --name Purchase --since 1h
  sluice events show 1042
  sluice events tail --source shop-backend

All commands work beside a running gateway. An event has a KEY, the number in front of it.

Exit codes: 0, or 2 when there is no such event or the journal cannot be read.";

/// Does what `events` was asked for.
pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    match &arguments.command {
        Command::List(arguments) => list::run(arguments),
        Command::Show(arguments) => show::run(arguments),
        Command::Tail(arguments) => tail::run(arguments),
    }
}
