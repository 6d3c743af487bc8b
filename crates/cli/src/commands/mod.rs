//! What the command line can do, one file or folder per command.

pub(crate) mod audit;
pub(crate) mod check;
mod chosen;
pub(crate) mod completions;
pub(crate) mod config_check;
pub(crate) mod config_init;
pub(crate) mod config_schema;
pub(crate) mod dead;
pub(crate) mod events;
mod first_event;
pub(crate) mod hash;
pub(crate) mod jobs;
pub(crate) mod lane;
pub(crate) mod man;
pub(crate) mod reload;
mod running;
pub(crate) mod sandbox;
pub(crate) mod send;
pub(crate) mod serve;
pub(crate) mod test;
pub(crate) mod trial;
pub(crate) mod waiting;

use clap::CommandFactory as _;

use crate::args::{Arguments, Command, Config};
use crate::ending::Ending;
use crate::failure::Failure;

/// Does what the command line asks for.
pub(crate) fn run(command: Command) -> Result<Ending, Failure> {
    match command {
        Command::Try(arguments) => trial::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Send(arguments) => send::run(&arguments),
        Command::Audit(arguments) => audit::run(&arguments),
        Command::Dead(arguments) => dead::run(&arguments),
        Command::Events(arguments) => events::run(&arguments),
        Command::Waiting(arguments) => waiting::run(&arguments),
        Command::Lane(arguments) => lane::run(&arguments),
        Command::Reload(arguments) => reload::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Jobs(arguments) => jobs::run(&arguments),
        Command::Sandbox(arguments) => sandbox::run(&arguments),
        Command::Hash(arguments) => hash::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Config(Config::Check(arguments)) => config_check::run(&arguments),
        Command::Config(Config::Init(arguments)) => config_init::run(&arguments),
        Command::Config(Config::Schema(arguments)) => config_schema::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments, Arguments::command()),
        Command::Man(arguments) => man::run(&arguments, Arguments::command()),
    }
}
