//! `sluice config schema`: what an editor needs to complete and check `sluice.toml` while it is written.

use sluice_gateway::config;

use crate::ending::Ending;
use crate::failure::Failure;
use crate::output::Output;

/// What `sluice config schema` takes.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  sluice config schema > sluice.schema.json

With `#:schema ./sluice.schema.json` as its first line, editors that know TOML complete and check
sluice.toml while it is written. `sluice config check` knows more: it reads the secrets too.")]
pub(crate) struct Arguments {}

/// Prints the schema.
pub(crate) fn run(Arguments {}: &Arguments) -> Result<Ending, Failure> {
    let mut output = Output::for_programs();
    output.bytes(config::schema().as_bytes())?;
    output.finish()?;
    Ok(Ending::Clean)
}
