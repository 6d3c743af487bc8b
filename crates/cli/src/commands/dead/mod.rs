//! `sluice dead`: events that did not reach Meta, why, and what a person can do about them.

mod change;
mod choice;
mod list;
mod reason;
mod rejected;
mod show;

use clap::Subcommand;

pub(super) use list::{Line, and_sale, head, in_list};
pub(super) use show::show_event;

use crate::ending::Ending;
use crate::failure::Failure;

/// What `dead` takes.
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
    /// List dead events, the newest first, with the reasons in plain words
    List(list::Arguments),
    /// Show one event: its way, the request that decided it, and the JSON that Meta got or would get
    Show(show::Arguments),
    /// Let dead events wait again; a running gateway sends them within seconds
    Replay(change::ReplayArguments),
    /// Give refused and expired events up
    Drop(change::DropArguments),
}

const EXAMPLES: &str = "\
Examples:
  sluice dead list --since 24h
  sluice dead show 1042
  sluice dead replay --all --code 100 --dry-run
  sluice dead drop 1042 1043

An event is dead when Meta refused it (refused), when it grew too old before Meta could take it
(expired), or when Sluice keeps it back (withheld: damaged on disk, dropped by hand, or a business
messaging event that may have arrived already). Only `--state withheld` lists withheld events.
Events that no dataset could take when they came in (rejected) have no body and keys that begin
with r; `--state rejected` lists them. All commands work beside a running gateway.

Exit codes: 0 when all is done, 1 when an event named by its KEY could not be sent again or dropped,
or nobody wanted it dropped, 2 when the command could not do its work.";

/// Does what `dead` was asked for.
pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    match &arguments.command {
        Command::List(arguments) => list::run(arguments),
        Command::Show(arguments) => show::run(arguments),
        Command::Replay(arguments) => change::replay(arguments),
        Command::Drop(arguments) => change::drop_events(arguments),
    }
}
