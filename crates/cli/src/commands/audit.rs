//! `sluice audit`: whether it is known of every event that came in what became of it, counted from the rows.

use serde::Serialize;
use sluice_journal::{Audit, AuditGroup, AuditSource, CodeCount, JournalError, Ledger, Tally};

use crate::ending::Ending;
use crate::failure::Failure;
use crate::journal::JournalOption;
use crate::output::{BOLD, DIM, GREEN, Output, RED, grouped, painted, printable};
use crate::runtime;

/// What `audit` takes.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    journal: JournalOption,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Also check the whole file, every index and the checksum of every event; takes minutes on a large one
    #[arg(long)]
    deep: bool,
}

const EXAMPLES: &str = "\
Examples:
  sluice audit
      Counts the journal of ./sluice.toml, else ./sluice-data or that of a trial, with the gateway
      running or not
  sluice audit --journal /var/lib/sluice --json | jq .balanced
  sluice audit --deep
      Looks for damage on the disk as well

Every accepted event is counted again from its own rows; nothing of that is taken from counters.
The books balance when
  received = accepted + duplicate + rejected
for every dataset and source, and
  accepted = waiting + delivered + refused + expired + withheld + recorded
for every dataset, source and event name, and when the counters kept on the way say the same. An
event that was meant for two datasets counts once for each.

Exit codes: 0 when the books balance (and --deep finds no damage), 1 when not, 2 when the journal
cannot be read. --deep counts what cannot be read as damage (1), and JSON has null for what could
not be counted because of it.";

/// Audits the journal.
pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let ledger = arguments.journal.open()?;
    let mut found = runtime::block_on(Found::look(&*ledger, arguments.deep))?;
    found.is_trial = arguments.journal.is_trial()?;
    if arguments.json {
        let mut output = Output::for_programs();
        output.json(&Report::new(&found))?;
        output.finish()?;
    } else {
        let mut people = ForPeople {
            output: Output::for_people(),
        };
        people.show(&ledger.place(), &found)?;
        people.output.finish()?;
    }
    Ok(Ending::flawed_if(found.is_flawed()))
}

/// What the rows and the file say.
struct Found {
    /// `None` if the file is too damaged to be counted.
    audit: Option<Audit>,
    /// What is damaged, as far as somebody looked.
    damage: Vec<String>,
    /// What was delivered went to the sandbox.
    is_trial: bool,
}

impl Found {
    async fn look(ledger: &dyn Ledger, is_deep: bool) -> Result<Self, Failure> {
        let mut damage = if is_deep {
            ledger.check().await?
        } else {
            Vec::new()
        };
        let audit = match ledger.audit().await {
            Err(JournalError::Damaged(detail)) if is_deep => {
                damage.push(format!("the rows cannot be counted: {detail}"));
                None
            }
            audit => Some(audit?),
        };
        Ok(Self {
            audit,
            damage,
            is_trial: false,
        })
    }

    fn is_balanced(&self) -> bool {
        self.audit.as_ref().is_some_and(|audit| audit.balanced)
    }

    fn is_flawed(&self) -> bool {
        !self.is_balanced() || !self.damage.is_empty()
    }

    fn problems(&self) -> impl Iterator<Item = &str> {
        let problems = self.audit.iter().flat_map(|audit| &audit.problems);
        problems.chain(&self.damage).map(String::as_str)
    }
}

/// The JSON object; its first keys are the law of the books. Counts are null if the file is too damaged to be
/// counted.
#[derive(Serialize)]
struct Report<'a> {
    received: Option<u64>,
    rejected: Option<u64>,
    accepted: Option<u64>,
    waiting: Option<u64>,
    delivered: Option<u64>,
    refused: Option<u64>,
    expired: Option<u64>,
    withheld: Option<u64>,
    recorded: Option<u64>,
    duplicate: Option<u64>,
    balanced: bool,
    /// What was delivered went to the sandbox, and not to Meta.
    #[serde(skip_serializing_if = "is_false")]
    trial: bool,
    sources: Vec<Arrivals<'a>>,
    books: Vec<Book<'a>>,
    rejected_by_code: Vec<Rejected<'a>>,
    problems: Vec<&'a str>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// What came in from one source for one dataset.
#[derive(Serialize)]
struct Arrivals<'a> {
    dataset: &'a str,
    source: &'a str,
    received: u64,
    accepted: u64,
    duplicate: u64,
    rejected: u64,
    balanced: bool,
}

/// Events that were rejected by one rule.
#[derive(Serialize)]
struct Rejected<'a> {
    dataset: &'a str,
    source: &'a str,
    event_name: &'a str,
    code: &'a str,
    events: u64,
}

/// The books of one dataset, source and event name.
#[derive(Serialize)]
struct Book<'a> {
    dataset: &'a str,
    source: &'a str,
    event_name: &'a str,
    rejected: u64,
    accepted: u64,
    waiting: u64,
    delivered: u64,
    refused: u64,
    expired: u64,
    withheld: u64,
    recorded: u64,
    duplicate: u64,
    balanced: bool,
}

impl<'a> Report<'a> {
    fn new(found: &'a Found) -> Self {
        let tally = found.audit.as_ref().map(|audit| &audit.tally);
        let groups = found.audit.iter().flat_map(|audit| &audit.groups);
        let sources = found.audit.iter().flat_map(|audit| &audit.sources);
        let rejected = found.audit.iter().flat_map(|audit| &audit.rejected);
        Self {
            received: tally.map(|tally| tally.received),
            rejected: tally.map(|tally| tally.rejected),
            accepted: tally.map(|tally| tally.accepted),
            waiting: tally.map(|tally| tally.waiting),
            delivered: tally.map(|tally| tally.delivered),
            refused: tally.map(|tally| tally.refused),
            expired: tally.map(|tally| tally.expired),
            withheld: tally.map(|tally| tally.withheld),
            recorded: tally.map(|tally| tally.recorded),
            duplicate: tally.map(|tally| tally.duplicate),
            balanced: found.is_balanced(),
            trial: found.is_trial,
            sources: sources.map(Arrivals::new).collect(),
            books: groups.map(Book::new).collect(),
            rejected_by_code: rejected.map(Rejected::new).collect(),
            problems: found.problems().collect(),
        }
    }
}

impl<'a> Arrivals<'a> {
    fn new(source: &'a AuditSource) -> Self {
        Self {
            dataset: &source.dataset,
            source: &source.source,
            received: source.received,
            accepted: source.accepted,
            duplicate: source.duplicate,
            rejected: source.rejected,
            balanced: source.balances(),
        }
    }
}

impl<'a> Rejected<'a> {
    fn new(count: &'a CodeCount) -> Self {
        Self {
            dataset: &count.dataset,
            source: &count.source,
            event_name: &count.event_name,
            code: &count.code,
            events: count.events,
        }
    }
}

impl<'a> Book<'a> {
    fn new(group: &'a AuditGroup) -> Self {
        let rows = &group.rows;
        Self {
            dataset: &group.dataset,
            source: &group.source,
            event_name: &group.event_name,
            rejected: rows.rejected,
            accepted: rows.accepted,
            waiting: rows.waiting,
            delivered: rows.delivered,
            refused: rows.refused,
            expired: rows.expired,
            withheld: rows.withheld,
            recorded: rows.recorded,
            duplicate: rows.duplicate,
            balanced: group.balances(),
        }
    }
}

/// The counts in the order in which they are shown.
fn counts(tally: &Tally) -> [(&'static str, u64); 10] {
    [
        ("received", tally.received),
        ("rejected", tally.rejected),
        ("accepted", tally.accepted),
        ("waiting", tally.waiting),
        ("delivered", tally.delivered),
        ("refused", tally.refused),
        ("expired", tally.expired),
        ("withheld", tally.withheld),
        ("recorded", tally.recorded),
        ("duplicate", tally.duplicate),
    ]
}

/// Those of one event name: what came in is counted by source alone.
fn by_name(tally: &Tally) -> [(&'static str, u64); 9] {
    let [_received, counts @ ..] = counts(tally);
    counts
}

/// What stands behind a total.
fn note(state: &str, is_trial: bool) -> &'static str {
    match state {
        "delivered" if is_trial => {
            "the sandbox took them: this is a trial, and nothing went to Meta"
        }
        "refused" if is_trial => "the sandbox refused them: `sluice dead list`",
        "received" => "came in: accepted, copies or rejected",
        "rejected" => "no dataset could take them: `sluice dead list --state rejected`",
        "accepted" => "taken and kept on disk",
        "waiting" => "on disk, not yet delivered",
        "delivered" => "Meta took them",
        "refused" => "Meta refused them: `sluice dead list`",
        "expired" => "too old before Meta could take them",
        "withheld" => {
            "kept back: damaged, perhaps arrived already, dropped by hand, or without consent"
        }
        "recorded" => "notes, such as refunds, which are not meant for Meta",
        _ => "copies of accepted events, which go nowhere",
    }
}

/// What stands in the place of a name that a rejected event did not have, or that may not be kept.
const NAMELESS: &str = "(no name)";

/// Groups that are listed; --json has all of them.
const GROUPS_MAX: usize = 30;

struct ForPeople {
    output: Output,
}

impl ForPeople {
    fn show(&mut self, file: &str, found: &Found) -> Result<(), Failure> {
        writeln!(self.output, "{}\n", painted(DIM, printable(file)))?;
        if let Some(audit) = &found.audit {
            self.totals(&audit.tally, found.is_trial)?;
            self.groups(&audit.groups)?;
            self.rejected(&audit.rejected)?;
        }
        self.conclusion(found)
    }

    fn totals(&mut self, tally: &Tally, is_trial: bool) -> Result<(), Failure> {
        let rows = counts(tally).map(|(state, count)| (state, grouped(count)));
        let width = rows.iter().map(|(_, count)| count.len()).max();
        let width = width.unwrap_or(0);
        for (state, count) in rows {
            let note = painted(DIM, note(state, is_trial));
            writeln!(self.output, "  {state:<9}  {count:>width$}  {note}")?;
        }
        writeln!(self.output)
    }

    /// One line a dataset, source and event name.
    fn groups(&mut self, groups: &[AuditGroup]) -> Result<(), Failure> {
        if groups.is_empty() {
            return Ok(());
        }
        let mut rows = vec![Row::head()];
        rows.extend(groups.iter().take(GROUPS_MAX).map(Row::new));
        let width = |column: usize| {
            let cells = rows.iter().map(|row| row.cells[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: [usize; 12] = std::array::from_fn(width);
        for (number, row) in rows.iter().enumerate() {
            let mut line = String::new();
            for (column, (cell, width)) in row.cells.iter().zip(widths).enumerate() {
                let cell = match column {
                    0..3 => format!("  {cell:<width$}"),
                    _ => format!("  {cell:>width$}"),
                };
                line.push_str(&cell);
            }
            match (number, row.is_balanced) {
                (0, _) => writeln!(self.output, "{}", painted(BOLD, line))?,
                (_, true) => writeln!(self.output, "{line}")?,
                (_, false) => writeln!(self.output, "{}", painted(RED, line))?,
            }
        }
        if groups.len() > GROUPS_MAX {
            let more = groups.len() - GROUPS_MAX;
            writeln!(self.output, "  … and {more} more; --json lists all")?;
        }
        writeln!(self.output)
    }

    /// One line a dataset, source, event name and rule.
    fn rejected(&mut self, counts: &[CodeCount]) -> Result<(), Failure> {
        for count in counts.iter().take(GROUPS_MAX) {
            let name = match count.event_name.as_str() {
                "" => NAMELESS,
                name => name,
            };
            writeln!(
                self.output,
                "  {} {} from {} for {}: rejected by {}",
                grouped(count.events),
                printable(name),
                count.source,
                count.dataset,
                count.code
            )?;
        }
        if counts.len() > GROUPS_MAX {
            let more = counts.len() - GROUPS_MAX;
            writeln!(self.output, "  … and {more} more; --json lists all")?;
        }
        if !counts.is_empty() {
            writeln!(self.output)?;
        }
        Ok(())
    }

    fn conclusion(&mut self, found: &Found) -> Result<(), Failure> {
        for problem in found.problems() {
            writeln!(
                self.output,
                "  {} {}",
                painted(RED, "✖"),
                printable(problem)
            )?;
        }
        let style = if found.is_flawed() { RED } else { GREEN };
        if let Some(audit) = &found.audit {
            writeln!(self.output, "{}", painted(style, sentence(audit)))?;
        }
        if !found.damage.is_empty() {
            writeln!(self.output, "{}", painted(RED, DAMAGED))?;
        }
        Ok(())
    }
}

const DAMAGED: &str = "The file is damaged. Keep a copy of its folder, then restore a backup.";

fn sentence(audit: &Audit) -> String {
    match (audit.balanced, audit.tally.accepted) {
        (false, _) => "The books do not balance.".to_owned(),
        (true, 0) => "The books balance: no event was accepted yet.".to_owned(),
        (true, 1) => {
            "The books balance: the one accepted event is in exactly one state.".to_owned()
        }
        (true, accepted) => format!(
            "The books balance: each of the {} accepted events is in exactly one state.",
            grouped(accepted)
        ),
    }
}

struct Row {
    cells: [String; 12],
    is_balanced: bool,
}

impl Row {
    fn head() -> Self {
        let words = ["dataset", "source", "event"];
        let states = by_name(&Tally::default()).map(|(state, _)| state);
        let mut cells = words.into_iter().chain(states).map(str::to_owned);
        Self {
            cells: std::array::from_fn(|_| cells.next().unwrap_or_default()),
            is_balanced: true,
        }
    }

    fn new(group: &AuditGroup) -> Self {
        let name = match group.event_name.as_str() {
            "" => NAMELESS,
            name => name,
        };
        let words = [group.dataset.as_str(), &group.source, name];
        let words = words.map(|word| printable(word).into_owned());
        let numbers = by_name(&group.rows).map(|(_, count)| grouped(count));
        let mut cells = words.into_iter().chain(numbers);
        Self {
            cells: std::array::from_fn(|_| cells.next().unwrap_or_default()),
            is_balanced: group.balances(),
        }
    }
}
