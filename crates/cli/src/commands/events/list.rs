//! `sluice events list`.

use sluice_journal::{EventKey, EventRecord, Ledger, PAGE_MAX, Page};

use super::choice::Filters;
use crate::commands::chosen::{Listing, event_key, note_unreadable};
use crate::commands::dead::{self, Line};
use crate::ending::Ending;
use crate::failure::Failure;
use crate::journal::JournalOption;
use crate::output::{Output, counted};
use crate::runtime;

/// What `events list` takes.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    listing: Listing,
    /// Only events before this one: the last KEY of the page before
    #[arg(long, value_name = "KEY", value_parser = event_key)]
    before: Option<EventKey>,
    #[command(flatten)]
    filters: Filters,
    #[command(flatten, next_help_heading = "Which journal")]
    journal: JournalOption,
}

const EXAMPLES: &str = "\
Examples:
  sluice events list --order A-1042
  sluice events list --id order-1042 --json | jq .state
  sluice events list --state delivered --name Purchase --since 2026-11-01T00:00:00Z --limit 0 --json
  sluice events list --email -
      Reads the address from standard input, so that it is in no history of the shell
  sluice events list --before 1042

An address, a number or an id of a person is normalised and hashed in memory, as the gateway does
it, and compared with `em`, `ph` and `external_id`. Bodies that retention has deleted have none, and
encrypted ones need the key: name the gateway's configuration with --config, or set
SLUICE_JOURNAL_ENCRYPTION_KEY. Searches by an id or a person use an index that a running gateway
builds some seconds after events came; what it does not have yet is read row by row.

Exit codes: 0, or 2 when the journal cannot be read.";

/// Lists events.
pub(super) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let filter = arguments.filters.filter()?;
    let ledger = if filter.identifier.is_some() {
        arguments.journal.open_bodies()?
    } else {
        arguments.journal.open()?
    };
    let Listing { limit, json } = arguments.listing;
    let mut list = List {
        output: if json {
            Output::for_programs()
        } else {
            Output::for_people()
        },
        is_json: json,
        limit,
        listed: 0,
        last: None,
        unreadable: 0,
    };
    let is_cut = runtime::block_on(list.all(&*ledger, &filter, arguments.before))?;
    list.end(is_cut)?;
    Ok(Ending::Clean)
}

struct List {
    output: Output,
    is_json: bool,
    /// 0: all.
    limit: usize,
    listed: usize,
    last: Option<EventKey>,
    unreadable: u64,
}

impl List {
    /// Whether there may be more.
    async fn all(
        &mut self,
        ledger: &dyn Ledger,
        filter: &sluice_journal::EventFilter,
        before: Option<EventKey>,
    ) -> Result<bool, Failure> {
        let mut page = Page {
            before,
            limit: PAGE_MAX,
        };
        loop {
            if self.limit > 0 {
                page.limit = (self.limit - self.listed).min(PAGE_MAX);
            }
            let found = ledger.search(filter, page).await?;
            self.unreadable += found.unreadable;
            for event in &found.rows {
                self.event(event)?;
            }
            page.before = found.next;
            let is_full = self.limit > 0 && self.listed == self.limit;
            if page.before.is_none() || is_full {
                return Ok(page.before.is_some());
            }
        }
    }

    fn event(&mut self, event: &EventRecord) -> Result<(), Failure> {
        (self.listed, self.last) = (self.listed + 1, Some(event.key));
        if self.is_json {
            self.output.json(&Line::new(event))
        } else {
            dead::in_list(&mut self.output, event)
        }
    }

    fn end(mut self, is_cut: bool) -> Result<(), Failure> {
        if !self.is_json {
            let count = counted(self.listed, "event");
            match (self.last, is_cut) {
                (None, _) => writeln!(self.output, "No events.")?,
                (Some(last), true) => writeln!(
                    self.output,
                    "{count}; there may be more: --before {last} lists the next, --limit 0 all.",
                    last = last.0
                )?,
                (Some(_), false) => writeln!(self.output, "{count}.")?,
            }
            if self.last.is_some() {
                writeln!(self.output, "`sluice events show KEY` tells more.")?;
            }
        }
        self.output.finish()?;
        note_unreadable(self.unreadable);
        Ok(())
    }
}
