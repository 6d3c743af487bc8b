//! `sluice waiting drop`.

use serde::Serialize;
use sluice_journal::{DroppedWaiting, EventKey, EventState, Ledger};

use super::Filters;
use crate::clock::Clock;
use crate::commands::chosen::{self, Consent, Manner, event_key, events};
use crate::ending::Ending;
use crate::failure::Failure;
use crate::journal::JournalOption;
use crate::output::Output;
use crate::runtime;

/// What `waiting drop` takes.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten, next_help_heading = "Which journal")]
    journal: JournalOption,
}

/// Which events to drop.
#[derive(clap::Args)]
struct Chosen {
    /// The numbers of the events, as `sluice waiting list` shows them
    #[arg(value_name = "KEY", required_unless_present = "all", conflicts_with = "all", value_parser = event_key)]
    keys: Vec<EventKey>,
    /// All events that wait now, or those that fit the filters
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    filters: Filters,
}

const EXAMPLES: &str = "\
Examples:
  sluice waiting drop 1042 1043
  sluice waiting drop --all --dataset 1234567890123456 --dry-run
  sluice waiting drop --all --source shop-backend --name Purchase --since 2h --yes

Dropped events count as withheld from then on, with the note \"dropped by hand\", and a running
gateway does not send them any more. Those that it has in its hands at that moment, at most a few
batches a lane, may be on their way to Meta already: what Meta takes of them counts as delivered,
not as withheld, so look at `sluice audit` afterwards. `sluice dead replay KEY` sends a dropped
event after all, as long as its body is kept and Meta takes it. Events that come later stay.

Without a terminal to ask at, --yes is needed.

Exit codes: 0, 1 when an event named by its KEY does not wait, damaged rows were left out, or the
answer was no, 2 when nobody could be asked, or the journal cannot be read or written.";

/// What became of the events, for programs.
#[derive(Debug, Default, Serialize)]
struct Report {
    dropped: u64,
    not_waiting: u64,
    dry_run: bool,
}

/// Gives waiting events up.
pub(super) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let ledger = arguments.journal.open()?;
    runtime::block_on(drop_waiting(arguments, &*ledger))
}

async fn drop_waiting(arguments: &Arguments, ledger: &dyn Ledger) -> Result<Ending, Failure> {
    let (keys, unreadable) = arguments.chosen.keys(ledger).await?;
    let states = [EventState::Waiting];
    let manner = Manner {
        dry_run: arguments.dry_run,
        yes: arguments.yes,
    };
    let consent = chosen::consent(ledger, &keys, &states, &manner).await?;
    let count = keys.len() as u64;
    let done = match consent {
        Consent::Given => ledger.drop_waiting(keys, Clock::System.unix_ms()).await?,
        Consent::Denied => DroppedWaiting::default(),
        Consent::NotNeeded { droppable } => DroppedWaiting {
            dropped: droppable,
            not_waiting: count - droppable,
        },
    };
    let report = Report {
        dropped: done.dropped,
        not_waiting: done.not_waiting,
        dry_run: arguments.dry_run,
    };
    chosen::tell(&report, arguments.json, tell)?;
    chosen::note_unreadable(unreadable);
    // A script must not take a refusal for success.
    let is_told_no = matches!(consent, Consent::Denied);
    let is_flawed =
        is_told_no || unreadable > 0 || (!arguments.chosen.all && report.not_waiting > 0);
    Ok(Ending::flawed_if(is_flawed))
}

impl Chosen {
    /// The keys of the events, no key twice, and how many rows cannot be read that may belong to them.
    async fn keys(&self, ledger: &dyn Ledger) -> Result<(Vec<EventKey>, u64), Failure> {
        if self.all {
            let (events, unreadable) = self.filters.events(ledger, None).await?;
            return Ok((events.iter().map(|event| event.key).collect(), unreadable));
        }
        let keys = chosen::named(&self.keys, !self.filters.is_empty())?;
        Ok((keys, 0))
    }
}

fn tell(report: &Report) -> Result<(), Failure> {
    let mut output = Output::for_people();
    let count = events(report.dropped);
    match (report.dropped, report.dry_run) {
        (0, _) => writeln!(output, "No event was dropped.")?,
        (_, true) => writeln!(output, "{count} would be dropped. Nothing was changed.")?,
        (1, false) => writeln!(output, "1 event was dropped: it counts as withheld now.")?,
        (_, false) => writeln!(output, "{count} were dropped: they count as withheld now.")?,
    }
    if report.not_waiting > 0 {
        let count = events(report.not_waiting);
        writeln!(output, "  {count} not waiting, or not in this journal")?;
    }
    if report.dropped > 0 && !report.dry_run {
        writeln!(
            output,
            "What a running gateway was sending at that moment may still arrive; it counts as delivered then."
        )?;
    }
    output.finish()
}
