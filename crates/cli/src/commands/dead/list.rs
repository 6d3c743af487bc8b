//! `sluice dead list`.

use serde::Serialize;
use serde_json::value::RawValue;
use sluice_event::{Amount, Severity, UserField};
use sluice_journal::{EventRecord, EventState, KeptFacts, Ledger, RejectionRecord};

use super::choice::{Filters, Next};
use super::reason::{Reason, is_dead};
use super::rejected;
use crate::clock::shown;
use crate::commands::chosen::{Listing, note_unreadable};
use crate::ending::Ending;
use crate::failure::Failure;
use crate::journal::JournalOption;
use crate::output::{BOLD, CYAN, DIM, GREEN, Output, RED, YELLOW, counted, painted, printable};
use crate::runtime;

/// What `dead list` takes.
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
  sluice dead list
  sluice dead list --since 24h --name Purchase
  sluice dead list --code 100 --subcode 2804003 --limit 0 --json | jq -r .event_id
  sluice dead list --limit 0 --json | jq -r 'select(.value) | [.order_id, .value, .currency] | @csv'
  sluice dead list --state withheld
  sluice dead list --state rejected --since 1h

An event that was mended at its source and came again under the same id stays in the list, without
a mark: the whole journal would have to be read for it. `sluice dead show KEY` says whether a later
event replaced one, `sluice dead replay` leaves it alone then, and `sluice dead drop KEY` takes it
off the list.

Exit codes: 0, or 2 when the journal cannot be read.";

/// Lists dead events.
pub(super) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let ledger = arguments.journal.open()?;
    runtime::block_on(list(arguments, &*ledger))
}

async fn list(arguments: &Arguments, ledger: &dyn Ledger) -> Result<Ending, Failure> {
    let mut list = List {
        output: if arguments.listing.json {
            Output::for_programs()
        } else {
            Output::for_people()
        },
        is_json: arguments.listing.json,
        limit: arguments.listing.limit,
        listed: 0,
        is_cut: false,
    };
    let each = |event: EventRecord| list.event(&event);
    let mut unreadable = arguments.filters.each(ledger, each).await?;
    if !list.is_cut {
        let each = |event: RejectionRecord| list.rejected(&event);
        unreadable += arguments.filters.each_rejected(ledger, each).await?;
    }
    if !arguments.listing.json {
        list.end(arguments, ledger).await?;
    }
    list.output.finish()?;
    note_unreadable(unreadable);
    Ok(Ending::Clean)
}

struct List {
    output: Output,
    is_json: bool,
    limit: usize,
    listed: usize,
    is_cut: bool,
}

impl List {
    /// Whether there is room for one more, which is counted then.
    fn has_room(&mut self) -> bool {
        self.is_cut = self.limit > 0 && self.listed == self.limit;
        self.listed += usize::from(!self.is_cut);
        !self.is_cut
    }

    fn rejected(&mut self, event: &RejectionRecord) -> Result<Next, Failure> {
        if !self.has_room() {
            return Ok(Next::Stop);
        }
        if self.is_json {
            self.output.json(&rejected::Line::new(event))?;
        } else {
            rejected::in_list(&mut self.output, event)?;
        }
        Ok(Next::Go)
    }

    fn event(&mut self, event: &EventRecord) -> Result<Next, Failure> {
        if !self.has_room() {
            return Ok(Next::Stop);
        }
        if self.is_json {
            self.output.json(&Line::new(event))?;
        } else {
            in_list(&mut self.output, event)?;
        }
        Ok(Next::Go)
    }

    async fn end(&mut self, arguments: &Arguments, ledger: &dyn Ledger) -> Result<(), Failure> {
        let output = &mut self.output;
        match (self.listed, self.is_cut) {
            (0, _) => writeln!(output, "No dead events.")?,
            (listed, true) => {
                let listed = counted(listed, "event");
                writeln!(
                    output,
                    "The newest {listed}; there are more: --limit 0 lists all."
                )?;
            }
            (listed, false) => writeln!(output, "{}.", counted(listed, "dead event"))?,
        }
        if self.listed > 0 {
            let more = if arguments.filters.is_rejected_only() {
                "`sluice dead show KEY` tells more. Rejected events have no body: mend them at their source."
            } else {
                "`sluice dead show KEY` tells more, `sluice dead replay KEY` sends one again."
            };
            writeln!(output, "{more}")?;
        }
        if arguments.filters.leaves_out_withheld(ledger).await? {
            writeln!(output, "Withheld events are not listed: --state withheld.")?;
        }
        Ok(())
    }
}

/// The line that names an event in a list: its key, its state, what it is, and from where to where it goes.
pub(in crate::commands) fn head(event: &EventRecord) -> String {
    let style = match event.state {
        EventState::Delivered => GREEN,
        EventState::Refused => RED,
        EventState::Expired => YELLOW,
        EventState::Waiting | EventState::Withheld | EventState::Recorded => DIM,
    };
    let test_code = event.test_code.as_ref();
    let test_code = test_code.map(|code| format!(", test code {code}"));
    format!(
        "{} {} {} {} → {} {}",
        painted(BOLD, event.key.0),
        painted(style, event.state.name()),
        painted(BOLD, printable(&event.event_name)),
        printable(&event.event_id),
        event.dataset,
        painted(
            DIM,
            format!("from {}{}", event.source, test_code.unwrap_or_default())
        ),
    )
}

/// A few lines for an event: why it is dead, if it is, and what would help.
pub(in crate::commands) fn in_list(
    output: &mut Output,
    event: &EventRecord,
) -> Result<(), Failure> {
    writeln!(output, "{}", head(event))?;
    if is_dead(event.state) {
        let reason = Reason::new(event.state, &event.cause, &event.action_source);
        writeln!(output, "    {}", printable(&reason.line()))?;
        writeln!(
            output,
            "    {} {}",
            painted(CYAN, "help:"),
            printable(&reason.help)
        )?;
    }
    // A waiting event is in its state since it came.
    let at = event.at_ms.unwrap_or(event.accepted_ms);
    let trace = event.request.as_ref();
    let trace = trace.and_then(|request| request.fbtrace_id.as_deref());
    let trace = trace.map(|trace| format!(", fbtrace_id {}", printable(trace)));
    let when = format!(
        "{}{}{}",
        shown(at),
        and_sale(event),
        trace.unwrap_or_default()
    );
    writeln!(output, "    {}\n", painted(DIM, when))
}

/// An event for programs.
#[derive(Serialize)]
pub(in crate::commands) struct Line<'a> {
    key: i64,
    state: &'static str,
    event_name: &'a str,
    event_id: &'a str,
    dataset: &'a str,
    source: &'a str,
    action_source: &'a str,
    test_code: Option<&'a str>,
    accepted_at: String,
    expires_at: String,
    /// Until when it is on hold, or was.
    due_at: Option<String>,
    /// It has identifiers that its source did not send.
    completed: bool,
    /// How often its body was replaced while it waited.
    amended: u32,
    #[serde(flatten)]
    facts: Option<Facts<'a>>,
    /// Since when it is in this state.
    at: Option<String>,
    #[serde(flatten)]
    reason: Option<Reason>,
    fbtrace_id: Option<&'a str>,
    /// Whether its body is still there; without it, it cannot be sent again.
    has_body: bool,
}

/// What is known of an event without its body, for programs. An older version's events have none of it.
#[derive(Serialize)]
struct Facts<'a> {
    event_time: i64,
    /// The fields of `user_data` that it carries.
    identifiers: Vec<&'static str>,
    order_id: Option<&'a str>,
    value: Option<Box<RawValue>>,
    currency: Option<&'static str>,
    worst_finding: Option<&'static str>,
}

impl<'a> Facts<'a> {
    fn new(facts: &'a KeptFacts) -> Self {
        let decimal = facts.amount.map(Amount::decimal);
        Self {
            event_time: facts.event_s,
            identifiers: facts.identifiers.iter().map(UserField::name).collect(),
            order_id: facts.order_id.as_deref(),
            value: decimal.and_then(|decimal| RawValue::from_string(decimal).ok()),
            currency: facts.amount.map(|amount| amount.currency.code()),
            worst_finding: facts.worst.map(Severity::name),
        }
    }
}

/// The order and the value of an event, as far as it has them: `order A-17, 129.95 EUR`.
pub(super) fn sale(event: &EventRecord) -> Option<String> {
    let facts = event.facts.as_ref()?;
    let order = facts
        .order_id
        .as_ref()
        .map(|order| format!("order {order}"));
    let amount =
        (facts.amount).map(|amount| format!("{} {}", amount.decimal(), amount.currency.code()));
    let parts: Vec<String> = order.into_iter().chain(amount).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// The same behind other things of a line, for people; empty if there is nothing to show.
pub(in crate::commands) fn and_sale(event: &EventRecord) -> String {
    let sale = sale(event).map(|sale| format!(", {}", printable(&sale)));
    sale.unwrap_or_default()
}

impl<'a> Line<'a> {
    pub(in crate::commands) fn new(event: &'a EventRecord) -> Self {
        let expires_ms = u64::try_from(event.expires_s)
            .unwrap_or(0)
            .saturating_mul(1_000);
        let request = event.request.as_ref();
        Self {
            key: event.key.0,
            state: event.state.name(),
            event_name: &event.event_name,
            event_id: &event.event_id,
            dataset: &event.dataset,
            source: &event.source,
            action_source: &event.action_source,
            test_code: event.test_code.as_deref(),
            accepted_at: shown(event.accepted_ms),
            expires_at: shown(expires_ms),
            due_at: event.due_ms.map(shown),
            completed: event.is_completed,
            amended: event.revision.0,
            facts: event.facts.as_ref().map(Facts::new),
            at: event.at_ms.map(shown),
            reason: is_dead(event.state)
                .then(|| Reason::new(event.state, &event.cause, &event.action_source)),
            fbtrace_id: request.and_then(|request| request.fbtrace_id.as_deref()),
            has_body: event.has_body,
        }
    }
}
