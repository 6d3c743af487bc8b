//! What `dead` and `waiting` have in common: how a person chooses events, and hears what became of them.

use serde::Serialize;
use sluice_event::DatasetId;
use sluice_journal::{EventKey, EventRecord, EventState, Ledger, PAGE_MAX, SourceName};

use crate::clock::Clock;
use crate::failure::Failure;
use crate::option_values::Since;
use crate::output::{self, Output, grouped};

/// Filters that both have; an event has to fit all that are given.
#[derive(Debug, Clone, PartialEq, clap::Args)]
pub(super) struct Origin {
    /// For this dataset, in the configuration or not
    #[arg(long, value_name = "ID", value_parser = DatasetId::parse)]
    pub(super) dataset: Option<DatasetId>,
    /// From this source
    #[arg(long, value_name = "NAME", value_parser = SourceName::parse)]
    pub(super) source: Option<SourceName>,
    /// Of this `event_name`, such as Purchase
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
}

impl Origin {
    /// Whether nothing was asked for.
    pub(super) fn is_empty(&self) -> bool {
        let Self {
            dataset,
            source,
            name,
        } = self;
        dataset.is_none() && source.is_none() && name.is_none()
    }
}

/// When `--since` is, in milliseconds since 1970.
pub(super) fn since_ms(since: Option<Since>) -> Option<u64> {
    since.map(|since| since.unix_ms(Clock::System.unix_ms()))
}

/// How a list is printed.
#[derive(clap::Args)]
pub(super) struct Listing {
    /// List at most this many; 0: all
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    pub(super) limit: usize,
    /// Print one JSON object an event
    #[arg(long)]
    pub(super) json: bool,
}

/// Reads the number in front of an event in a list.
pub(super) fn event_key(text: &str) -> Result<EventKey, &'static str> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number
        .map(EventKey)
        .ok_or("a key is the number in front of an event in a list")
}

/// The keys of named events in order, no key twice. Filters beside them are an error.
pub(super) fn named(keys: &[EventKey], has_filters: bool) -> Result<Vec<EventKey>, Failure> {
    if has_filters {
        return Err(Failure::with_help(
            "filters choose among all events, but events were named by their keys",
            "use either keys, or --all with filters",
        ));
    }
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}

/// Whether chosen events are dropped.
pub(super) enum Consent {
    Given,
    Denied,
    /// Nothing is changed, because nothing is to be, or because none of them can be dropped.
    NotNeeded {
        /// How many could be dropped.
        droppable: u64,
    },
}

/// How a command that drops was called.
pub(super) struct Manner {
    pub(super) dry_run: bool,
    pub(super) yes: bool,
}

/// Looks which of the events are in a state in which they can be dropped, shows some of them, and asks.
pub(super) async fn consent(
    ledger: &dyn Ledger,
    keys: &[EventKey],
    states: &[EventState],
    manner: &Manner,
) -> Result<Consent, Failure> {
    if manner.yes && !manner.dry_run {
        return Ok(Consent::Given);
    }
    let mut droppable = 0;
    let mut shown = Vec::new();
    for some in keys.chunks(PAGE_MAX) {
        let records = ledger.records(some.to_vec()).await?.into_iter();
        for record in records.filter(|record| states.contains(&record.state)) {
            droppable += 1;
            if shown.len() < SHOWN_MAX {
                shown.push(record);
            }
        }
    }
    if manner.dry_run || droppable == 0 {
        return Ok(Consent::NotNeeded { droppable });
    }
    Ok(if may_drop(&shown, droppable)? {
        Consent::Given
    } else {
        Consent::Denied
    })
}

/// How many events are shown before they are dropped.
const SHOWN_MAX: usize = 5;

fn may_drop(shown: &[EventRecord], count: u64) -> Result<bool, Failure> {
    for event in shown {
        output::note(&format!(
            "{} {} {} {} → {} from {}",
            event.key.0,
            event.state.name(),
            event.event_name,
            event.event_id,
            event.dataset,
            event.source
        ));
    }
    let more = count.saturating_sub(shown.len() as u64);
    if more > 0 {
        output::note(&format!("and {more} more", more = grouped(more)));
    }
    let count = events(count);
    output::ask(&format!("Drop {count}?"))?.ok_or_else(|| {
        Failure::with_help(
            format!("nobody confirmed that {count} may be dropped"),
            "--dry-run says how many would be; --yes drops without asking",
        )
    })
}

/// Prints a report: one JSON object for programs, or what `for_people` prints.
pub(super) fn tell<R: Serialize>(
    report: &R,
    is_json: bool,
    for_people: impl FnOnce(&R) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if !is_json {
        return for_people(report);
    }
    let mut output = Output::for_programs();
    output.json(report)?;
    output.finish()
}

/// Says how many rows that may fit cannot be read, if there are any: they are in no list and in no choice.
pub(super) fn note_unreadable(rows: u64) {
    if rows > 0 {
        output::note(&format!(
            "{} damaged on disk and left out: `sluice audit --deep` says more",
            events(rows)
        ));
    }
}

/// `1,234 events`
pub(super) fn events(count: u64) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} event{plural}", grouped(count))
}
