//! The command line: its top level.

use clap::{Parser, Subcommand};

use crate::commands::{
    audit, check, completions, config_check, config_init, config_schema, dead, events, hash, jobs,
    lane, man, reload, sandbox, send, serve, test, trial, waiting,
};

/// Self-hosted gateway for Meta's Conversions API
#[derive(Parser)]
#[command(
    name = "sluice",
    version,
    arg_required_else_help = true,
    after_help = FIRST_STEPS
)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

const FIRST_STEPS: &str = "\
First steps:
  sluice try                    Runs the whole job on this machine: paste the line that it prints
  sluice config init            Writes a configuration for Meta, and a key for your backend
  sluice config check --online  Says whether it is right, and asks Meta about token and dataset
  sluice serve                  Runs it, and says how to see a first event in Events Manager
  sluice audit                  Says what became of every event

`sluice COMMAND --help` has examples of each command.

Exit codes: 0 when all is well, 1 when what was looked at has errors, 2 when the command could not
do its work.";

/// The commands.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Try everything on this machine, with a sandbox in the place of Meta
    Try(trial::Arguments),
    /// Take events, keep them on disk, and deliver them to Meta
    Serve(serve::Arguments),
    /// Send events from options, a file or a pipe, to Meta or through a gateway
    Send(Box<send::Arguments>),
    /// Prove from the journal's rows that every accepted event is in exactly one state
    Audit(audit::Arguments),
    /// Find any event, show one, or watch them come
    Events(events::Arguments),
    /// List events that did not reach Meta, with the reasons; send them again, or drop them
    Dead(dead::Arguments),
    /// List events that are not delivered yet, or give them up
    Waiting(waiting::Arguments),
    /// Show how the lanes of a running gateway are doing; pause, resume and probe them
    Lane(lane::Arguments),
    /// Have a running gateway read its configuration, keys and tokens again
    Reload(reload::Arguments),
    /// Let events of a dataset go with a test code for a while
    Test(test::Arguments),
    /// List what the gateway did by the clock, and what came of it
    Jobs(jobs::Arguments),
    /// Run a Graph API on this machine that answers as Meta's does, faults included
    Sandbox(sandbox::Arguments),
    /// Normalise and hash values of `user_data`, exactly as the gateway does
    Hash(hash::Arguments),
    /// Check events against Meta's rules, and say what would be repaired, refused or left out
    Check(check::Arguments),
    /// Write a configuration, check it, or describe it
    #[command(subcommand)]
    Config(Config),
    /// Print the completion script of a shell
    Completions(completions::Arguments),
    /// Print the manual page, or write those of all commands
    Man(man::Arguments),
}

/// The commands about the configuration.
#[derive(Subcommand)]
pub(crate) enum Config {
    /// Write a sluice.toml to start from, and a key for your backend
    Init(config_init::Arguments),
    /// Say what is wrong with the configuration, and what would run with it
    Check(config_check::Arguments),
    /// Print the JSON Schema of sluice.toml, for editors
    Schema(config_schema::Arguments),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn no_line_of_help_is_too_long_for_its_column() {
        let mut commands = vec![<Arguments as clap::CommandFactory>::command()];
        while let Some(command) = commands.pop() {
            commands.extend(command.get_subcommands().cloned());
            let helps = [command.get_after_help(), command.get_after_long_help()];
            for help in helps.into_iter().flatten() {
                for line in help.to_string().lines() {
                    // Beyond this clap breaks it, and lines after it look torn.
                    assert!(
                        line.chars().count() <= 100,
                        "{}: {line}",
                        command.get_name()
                    );
                }
            }
        }
    }
}
