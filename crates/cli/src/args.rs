//! The command line: its top level, and the readers of values that several commands take.

use clap::{Parser, Subcommand};
use jiff::Timestamp;
use sluice_event::{ActionSource, Country};

use crate::commands::{check, completions, config_check, hash, sandbox, serve};

/// Self-hosted gateway for Meta's Conversions API
#[derive(Parser)]
#[command(name = "sluice", version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Take events, keep them on disk, and deliver them to Meta
    Serve(serve::Arguments),
    /// Run a Graph API on this machine that answers as Meta's does, faults included
    Sandbox(sandbox::Arguments),
    /// Normalise and hash values of `user_data`, exactly as the gateway does
    Hash(hash::Arguments),
    /// Check events against Meta's rules, and say what would be repaired, refused or left out
    Check(check::Arguments),
    /// Check the configuration
    #[command(subcommand)]
    Config(Config),
    /// Print the completion script of a shell
    Completions(completions::Arguments),
}

/// The commands about the configuration.
#[derive(Subcommand)]
pub(crate) enum Config {
    /// Say what is wrong with the configuration, and what would run with it
    Check(config_check::Arguments),
}

/// Reads `--country`.
pub(crate) fn country(text: &str) -> Result<Country, &'static str> {
    Country::parse(text).ok_or("no country of ISO 3166-1; use a code such as de, or a name")
}

/// Reads `--action-source`; the words that events may use are understood here too.
pub(crate) fn action_source(text: &str) -> Result<ActionSource, String> {
    let source = ActionSource::from_name(text).or_else(|| ActionSource::from_alias(text));
    source.ok_or_else(|| {
        let names: Vec<_> = ActionSource::ALL.map(ActionSource::name).into();
        format!("use one of {}", names.join(", "))
    })
}

/// Reads `--now`, in milliseconds since 1970.
pub(crate) fn time(text: &str) -> Result<u64, &'static str> {
    let timestamp = match text.parse() {
        Ok(unix_s) => Timestamp::from_second(unix_s).ok(),
        Err(_) => text.parse().ok(),
    };
    timestamp
        .and_then(|timestamp| u64::try_from(timestamp.as_millisecond()).ok())
        .ok_or("use Unix seconds, such as 1701234567, or RFC 3339, such as 2023-11-29T05:09:27Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn reads_both_forms_of_time() {
        for (text, expected) in [
            ("1701234567", Some(1_701_234_567_000)),
            ("2023-11-29T05:09:27Z", Some(1_701_234_567_000)),
            ("2023-11-29T06:09:27.5+01:00", Some(1_701_234_567_500)),
            ("0", Some(0)),
            ("-1", None),
            ("2023-11-29", None),
            ("2023-11-29T05:09:27", None),
            ("99999999999999999", None),
            ("now", None),
            ("", None),
        ] {
            assert_eq!(time(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn action_sources_have_their_common_words_too() {
        assert_eq!(action_source("website"), Ok(ActionSource::Website));
        assert_eq!(action_source("POS"), Ok(ActionSource::PhysicalStore));
        assert!(action_source("teapot").is_err());
    }
}
