//! `sluice events tail`.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use sluice_journal::{EventFilter, EventKey, EventRecord, EventState, Ledger, PAGE_MAX, Page};

use super::choice::Common;
use crate::commands::dead::{self, Line};
use crate::ending::Ending;
use crate::failure::Failure;
use crate::journal::JournalOption;
use crate::output::{Output, note};
use crate::runtime;

/// What `events tail` takes.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    common: Common,
    #[command(flatten, next_help_heading = "Which journal")]
    journal: JournalOption,
}

const EXAMPLES: &str = "\
Examples:
  sluice events tail
  sluice events tail --name Purchase --json | jq -c '[.key, .state, .event_id]'

An event is shown when it comes, and again each time its state has changed, until it is final. Only
events are shown that come after the command was started. A second may pass until one is seen; what
happens in between is not shown.

Exit codes: 0 when a signal stopped it, 2 when the journal cannot be read.";

/// How often the journal is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Events whose states are followed; of further ones only the coming is shown.
const FOLLOWED_MAX: usize = 10_000;

/// Shows events until it is interrupted.
pub(super) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let ledger = arguments.journal.open()?;
    runtime::block_on(async {
        let mut stopped = pin!(runtime::stopped()?);
        let mut tail = Tail {
            output: if arguments.json {
                Output::for_programs()
            } else {
                Output::for_people()
            },
            is_json: arguments.json,
            filter: arguments.common.filter(),
            followed: BTreeMap::new(),
        };
        tail.filter.after = newest(&*ledger).await?;
        if !arguments.json {
            note("Events are shown as they come; interrupt it with Ctrl-C.");
        }
        loop {
            tokio::select! {
                () = &mut stopped => return Ok(Ending::Clean),
                () = tokio::time::sleep(LOOK) => tail.look(&*ledger).await?,
            }
        }
    })
}

/// The last event that has come.
async fn newest(ledger: &dyn Ledger) -> Result<Option<EventKey>, Failure> {
    let last = Page {
        before: None,
        limit: 1,
    };
    let found = ledger.search(&EventFilter::default(), last).await?;
    Ok(found.rows.first().map(|event| event.key))
}

struct Tail {
    output: Output,
    is_json: bool,
    filter: EventFilter,
    /// In which states events were shown that are not final.
    followed: BTreeMap<EventKey, EventState>,
}

impl Tail {
    async fn look(&mut self, ledger: &dyn Ledger) -> Result<(), Failure> {
        let newest = newest(ledger).await?;
        self.changed(ledger).await?;
        if newest > self.filter.after {
            for event in self.come(ledger).await?.iter().rev() {
                self.show(event)?;
            }
            // What came meanwhile and fits was shown; what did not fit is not looked at again.
            self.filter.after = self.filter.after.max(newest);
        }
        self.output.flush()
    }

    /// Events that have come since the last look, the newest first.
    async fn come(&mut self, ledger: &dyn Ledger) -> Result<Vec<EventRecord>, Failure> {
        let mut events = Vec::new();
        let mut page = Page {
            before: None,
            limit: PAGE_MAX,
        };
        loop {
            let found = ledger.search(&self.filter, page).await?;
            events.extend(found.rows);
            page.before = found.next;
            if page.before.is_none() {
                self.filter.after = events.first().map(|event| event.key).max(self.filter.after);
                return Ok(events);
            }
        }
    }

    /// Shows what has become of events that were shown.
    async fn changed(&mut self, ledger: &dyn Ledger) -> Result<(), Failure> {
        let keys: Vec<EventKey> = self.followed.keys().copied().collect();
        for some in keys.chunks(PAGE_MAX) {
            for event in ledger.records(some.to_vec()).await? {
                if self.followed.get(&event.key) != Some(&event.state) {
                    self.show(&event)?;
                }
            }
        }
        Ok(())
    }

    fn show(&mut self, event: &EventRecord) -> Result<(), Failure> {
        if event.state == EventState::Waiting && self.followed.len() < FOLLOWED_MAX {
            self.followed.insert(event.key, event.state);
        } else {
            self.followed.remove(&event.key);
        }
        if self.is_json {
            self.output.json(&Line::new(event))
        } else {
            let head = dead::head(event);
            writeln!(self.output, "{head}")
        }
    }
}
