//! The `sluice` command: a gateway for Meta's Conversions API, and the tools around it.
//!
//! Exit codes: 0 when all is well, 1 when what was looked at has errors, 2 when the command could not
//! do its work (wrong usage, a file that cannot be read, a full disk behind the output).

mod args;
mod clock;
mod commands;
mod config_file;
mod defect;
mod ending;
mod failure;
mod field;
mod input;
mod journal;
mod logging;
mod option_values;
mod output;
mod remark;
mod runtime;
mod sealing;
mod trial;
mod value;

use std::process::ExitCode;

use clap::Parser as _;

use args::Arguments;
use ending::Ending;
use failure::Failure;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    defect::hide_values();
    // For wrong usage clap prints what is wrong and ends the process with 2.
    match commands::run(Arguments::parse().command) {
        Ok(Ending::Clean) | Err(Failure::ReaderGone) => ExitCode::SUCCESS,
        Ok(Ending::Flawed) => ExitCode::from(1),
        Ok(Ending::Failed) => ExitCode::from(2),
        Err(Failure::Told { error, help }) => {
            output::complain(&format!("{error:#}"), help.as_deref());
            ExitCode::from(2)
        }
    }
}
