//! `sluice completions`: the script that makes a shell complete our commands.

use clap::Command;
use clap_complete::Shell;

use crate::ending::Ending;
use crate::failure::Failure;
use crate::output::Output;

/// What `sluice completions` takes.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  sluice completions bash > ~/.local/share/bash-completion/completions/sluice
  sluice completions zsh > \"${fpath[1]}/_sluice\"
  sluice completions fish > ~/.config/fish/completions/sluice.fish")]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

/// Prints the script of a command line.
pub(crate) fn run(arguments: &Arguments, mut command: Command) -> Result<Ending, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "sluice", &mut script);
    let mut output = Output::for_programs();
    output.bytes(&script)?;
    output.finish()?;
    Ok(Ending::Clean)
}
