//! `sluice man`: the manual pages.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Command;
use clap_mangen::Man;

use crate::ending::Ending;
use crate::failure::Failure;
use crate::output::Output;

/// What `sluice man` takes.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  sluice man | man -l -
  sudo sluice man /usr/local/share/man/man1

Exit codes: 0 when they are written, 2 when they cannot be.")]
pub(crate) struct Arguments {
    /// The folder for a page of each command; without it that of `sluice` itself is printed
    folder: Option<PathBuf>,
}

/// Writes those of a command line.
pub(crate) fn run(arguments: &Arguments, command: Command) -> Result<Ending, Failure> {
    if let Some(folder) = &arguments.folder {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        clap_mangen::generate_to(command, folder)
            .with_context(|| format!("writing into {}", folder.display()))?;
        return Ok(Ending::Clean);
    }
    let mut page = Vec::new();
    Man::new(command)
        .render(&mut page)
        .context("writing the page")?;
    let mut output = Output::for_programs();
    output.bytes(&page)?;
    output.finish()?;
    Ok(Ending::Clean)
}
