//! `sluice waiting`: events that are on disk and not yet delivered, and giving them up.

mod drop;
mod list;

use clap::Subcommand;
use sluice_journal::{EventFilter, EventRecord, Ledger, PAGE_MAX};

use super::chosen::{Origin, since_ms};
use crate::ending::Ending;
use crate::failure::Failure;
use crate::option_values::{self, Since};

/// What `waiting` takes.
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
    /// List waiting events in the order in which they came
    List(list::Arguments),
    /// Give waiting events up: they are not sent
    Drop(drop::Arguments),
}

const EXAMPLES: &str = "\
Examples:
  sluice waiting list --dataset 1234567890123456 --limit 10
  sluice waiting drop 1042 1043
  sluice waiting drop --all --source shop-backend --since 2h --dry-run

Events wait while Meta slows down or is gone, while a lane is parked, and for good when their
dataset left the configuration. All commands work beside a running gateway.

Exit codes: 0 when all is done, 1 when an event named by its KEY does not wait, or nobody wanted it
dropped, 2 when the command could not do its work.";

/// Does what `waiting` was asked for.
pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    match &arguments.command {
        Command::List(arguments) => list::run(arguments),
        Command::Drop(arguments) => drop::run(arguments),
    }
}

/// Filters; an event has to fit all that are given.
#[derive(Debug, Clone, PartialEq, clap::Args)]
#[command(next_help_heading = "Which events")]
struct Filters {
    #[command(flatten)]
    origin: Origin,
    /// That came since: 30m, 24h, 7d, Unix seconds or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = option_values::since)]
    since: Option<Since>,
}

impl Filters {
    /// Whether nothing was asked for.
    fn is_empty(&self) -> bool {
        let Self { origin, since } = self;
        origin.is_empty() && since.is_none()
    }

    /// The events that fit and wait now, in order of arrival: at most `max`, if there is a limit. And how many rows
    /// on the way cannot be read.
    async fn events(
        &self,
        ledger: &dyn Ledger,
        max: Option<usize>,
    ) -> Result<(Vec<EventRecord>, u64), Failure> {
        let filter = EventFilter {
            dataset: self.origin.dataset.clone(),
            source: self.origin.source.clone(),
            event_name: self.origin.name.clone(),
            from_ms: since_ms(self.since),
            ..EventFilter::default()
        };
        let mut events: Vec<EventRecord> = Vec::new();
        let (mut after, mut unreadable) = (None, 0);
        loop {
            let left = max.map_or(PAGE_MAX, |max| max - events.len());
            let found = ledger.waiting(&filter, after, left).await?;
            unreadable += found.unreadable;
            events.extend(found.rows);
            after = found.next;
            if after.is_none() || Some(events.len()) == max {
                return Ok((events, unreadable));
            }
        }
    }
}
