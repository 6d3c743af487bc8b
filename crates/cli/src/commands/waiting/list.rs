//! `sluice waiting list`.

use sluice_journal::EventRecord;

use super::Filters;
use crate::clock::shown;
use crate::commands::chosen::{Listing, note_unreadable};
use crate::commands::dead::{Line, and_sale};
use crate::ending::Ending;
use crate::failure::Failure;
use crate::journal::JournalOption;
use crate::output::{BOLD, DIM, Output, counted, painted, printable};
use crate::runtime;

/// What `waiting list` takes.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    listing: Listing,
    #[command(flatten)]
    filters: Filters,
    #[command(flatten, next_help_heading = "Which journal")]
    journal: JournalOption,
}

const EXAMPLES: &str = "\
Examples:
  sluice waiting list
  sluice waiting list --name Purchase --since 2h
  sluice waiting list --dataset 1234567890123456 --limit 0 --json | jq -r .event_id

Why they wait is said by the gateway's log and by /readyz: the state of the lane, and the reason.

Exit codes: 0, or 2 when the journal cannot be read.";

/// Lists waiting events.
pub(super) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let ledger = arguments.journal.open()?;
    let limit = (arguments.listing.limit > 0).then_some(arguments.listing.limit);
    // One more than is shown, to know whether there are more.
    let max = limit.map(|limit| limit.saturating_add(1));
    let (mut events, unreadable) = runtime::block_on(arguments.filters.events(&*ledger, max))?;
    let is_cut = limit.is_some_and(|limit| events.len() > limit);
    events.truncate(limit.unwrap_or(usize::MAX));
    if arguments.listing.json {
        let mut output = Output::for_programs();
        for event in &events {
            output.json(&Line::new(event))?;
        }
        output.finish()?;
    } else {
        for_people(&events, is_cut)?;
    }
    note_unreadable(unreadable);
    Ok(Ending::Clean)
}

/// Two lines an event, and how many there are.
fn for_people(events: &[EventRecord], is_cut: bool) -> Result<(), Failure> {
    let mut output = Output::for_people();
    for event in events {
        let test_code = event.test_code.as_ref();
        let test_code = test_code.map(|code| format!(", test code {code}"));
        writeln!(
            output,
            "{} {} {} → {} {}",
            painted(BOLD, event.key.0),
            painted(BOLD, printable(&event.event_name)),
            printable(&event.event_id),
            event.dataset,
            painted(
                DIM,
                format!("from {}{}", event.source, test_code.unwrap_or_default())
            ),
        )?;
        let expires_s = u64::try_from(event.expires_s).unwrap_or_default();
        let times = format!(
            "came {}, Meta takes it until {}{}",
            shown(event.accepted_ms),
            shown(expires_s.saturating_mul(1_000)),
            and_sale(event)
        );
        writeln!(output, "    {}\n", painted(DIM, times))?;
    }
    let count = counted(events.len(), "event");
    match (events.len(), is_cut) {
        (0, _) => writeln!(output, "No events wait.")?,
        (_, true) => writeln!(output, "The first {count}; more wait: --limit 0 lists all.")?,
        (1, false) => writeln!(output, "1 event waits.")?,
        (_, false) => writeln!(output, "{count} wait.")?,
    }
    if !events.is_empty() {
        writeln!(
            output,
            "`sluice dead show KEY` tells more, `sluice waiting drop KEY` gives one up."
        )?;
    }
    output.finish()
}
