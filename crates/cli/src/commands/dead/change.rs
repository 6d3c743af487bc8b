//! `sluice dead replay` and `sluice dead drop`.

use serde::Serialize;
use sluice_journal::{Dropped, EventKey, EventRecord, EventState, Ledger};

use super::choice::{self, Filters, Key, Next};
use crate::clock::Clock;
use crate::commands::chosen::{self, Consent, Manner, events};
use crate::ending::Ending;
use crate::failure::Failure;
use crate::journal::JournalOption;
use crate::output::{GREEN, Output, YELLOW, painted};
use crate::runtime;

/// Which events to change.
#[derive(clap::Args)]
struct Chosen {
    /// The numbers of the events, as `sluice dead list` shows them
    #[arg(value_name = "KEY", required_unless_present = "all", conflicts_with = "all", value_parser = choice::key)]
    keys: Vec<Key>,
    /// All dead events, or those that fit the filters
    #[arg(long)]
    all: bool,
    /// Say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    filters: Filters,
    #[command(flatten, next_help_heading = "Which journal")]
    journal: JournalOption,
}

impl Chosen {
    /// The keys of the events, no key twice, and how many rows cannot be read that may belong to them.
    async fn keys(&self, ledger: &dyn Ledger) -> Result<(Vec<EventKey>, u64), Failure> {
        if self.filters.has_rejected() {
            return Err(bodiless());
        }
        if !self.all {
            let event_key = |key: &Key| match key {
                Key::Event(key) => Ok(*key),
                Key::Rejected(_) => Err(bodiless()),
            };
            let keys: Result<Vec<_>, _> = self.keys.iter().map(event_key).collect();
            let keys = chosen::named(&keys?, !self.filters.is_empty())?;
            return Ok((keys, 0));
        }
        let mut keys = Vec::new();
        let each = |event: EventRecord| {
            keys.push(event.key);
            Ok(Next::Go)
        };
        let unreadable = self.filters.each(ledger, each).await?;
        Ok((keys, unreadable))
    }
}

/// Rejected events cannot be changed.
fn bodiless() -> Failure {
    Failure::with_help(
        "a rejected event has no body: it can neither be sent again nor dropped",
        "mend it at its source and send it anew; its row goes away by itself, after journal.retention_days",
    )
}

/// What `dead replay` takes.
#[derive(clap::Args)]
#[command(after_long_help = REPLAY_EXAMPLES)]
pub(super) struct ReplayArguments {
    #[command(flatten)]
    chosen: Chosen,
}

const REPLAY_EXAMPLES: &str = "\
Examples:
  sluice dead replay 1042 1043
  sluice dead replay --all --code 100 --subcode 33 --dry-run
  sluice dead replay --all --since 24h
  sluice dead replay --all --state withheld --name Purchase

Events are sent again as they are, under the same event_id, so Meta counts none twice. That does
not hold for withheld business messaging events, which may have arrived: look for them in Events
Manager first. Mend the reason first: what was refused for its contents is refused again. Events
that are too old for Meta, that are damaged, whose bodies retention has deleted or that were never
kept, because the event came without consent for instance, or that a later event with the same name
and id has replaced stay where they are.

Exit codes: 0, 1 when an event named by its KEY cannot be sent again, or damaged rows were left
out, 2 when the journal cannot be read or written.";

/// What `dead drop` takes.
#[derive(clap::Args)]
#[command(after_long_help = DROP_EXAMPLES)]
pub(super) struct DropArguments {
    // First, or it would stand under a heading of the others.
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    chosen: Chosen,
}

const DROP_EXAMPLES: &str = "\
Examples:
  sluice dead drop 1042
  sluice dead drop --all --state expired --yes

Dropped events count as withheld from then on, with the note \"dropped by hand\"; they leave the
list, and nobody is reminded of them again. `sluice dead replay KEY` still sends one, as long as its
body is kept and Meta takes it. Without a terminal to ask at, --yes is needed.

Exit codes: 0, 1 when an event named by its KEY is neither refused nor expired, damaged rows were
left out, or the answer was no, 2 when nobody could be asked, or the journal cannot be read or
written.";

/// What became of the events, for programs.
#[derive(Debug, Default, Serialize)]
struct ReplayReport {
    replayed: u64,
    too_old: u64,
    gone: u64,
    never_kept: u64,
    damaged: u64,
    superseded: u64,
    not_dead: u64,
    dry_run: bool,
}

#[derive(Debug, Default, Serialize)]
struct DropReport {
    dropped: u64,
    not_dead: u64,
    dry_run: bool,
}

/// Lets events wait again.
pub(super) fn replay(arguments: &ReplayArguments) -> Result<Ending, Failure> {
    let chosen = &arguments.chosen;
    let ledger = chosen.journal.open()?;
    let now_ms = Clock::System.unix_ms();
    let (done, unreadable) = runtime::block_on(async {
        let (keys, unreadable) = chosen.keys(&*ledger).await?;
        let done = ledger.replay(keys, now_ms, chosen.dry_run).await?;
        Ok((done, unreadable))
    })?;
    let report = ReplayReport {
        replayed: done.replayed,
        too_old: done.too_old,
        gone: done.gone,
        never_kept: done.never_kept,
        damaged: done.damaged,
        superseded: done.superseded,
        not_dead: done.not_dead,
        dry_run: chosen.dry_run,
    };
    chosen::tell(&report, chosen.json, tell_replay)?;
    chosen::note_unreadable(unreadable);
    let stayed = report.too_old
        + report.gone
        + report.never_kept
        + report.damaged
        + report.superseded
        + report.not_dead;
    let is_flawed = unreadable > 0 || (!chosen.all && stayed > 0);
    Ok(Ending::flawed_if(is_flawed))
}

fn tell_replay(report: &ReplayReport) -> Result<(), Failure> {
    let mut output = Output::for_people();
    let (verb, then) = if report.dry_run {
        ("would wait again", "Nothing was changed.")
    } else {
        (
            "again under the same event_id",
            "A running gateway sends within seconds what waits; otherwise the next start does.",
        )
    };
    let sentence = match (report.replayed, report.dry_run) {
        (0, _) => "No event can be sent again.".to_owned(),
        (count, true) => format!("{} {verb} under the same event_id.", events(count)),
        (1, false) => format!("1 event waits {verb}."),
        (count, false) => format!("{} wait {verb}.", events(count)),
    };
    let style = if report.replayed > 0 { GREEN } else { YELLOW };
    writeln!(output, "{}", painted(style, sentence))?;
    for (count, why) in [
        (report.too_old, "too old: Meta does not take them any more"),
        (report.gone, "without a body: retention has deleted it"),
        (
            report.never_kept,
            "final when they came, without consent for instance: their bodies were never kept",
        ),
        (report.damaged, "damaged on disk: they stay withheld"),
        (
            report.superseded,
            "superseded: an event with the same id came later, and is delivered, waits or may have arrived",
        ),
        (report.not_dead, "not dead, or not in this journal"),
    ] {
        if count > 0 {
            writeln!(output, "  {} {why}", events(count))?;
        }
    }
    if report.replayed > 0 {
        writeln!(output, "{then}")?;
    }
    output.finish()
}

/// Gives events up.
pub(super) fn drop_events(arguments: &DropArguments) -> Result<Ending, Failure> {
    let ledger = arguments.chosen.journal.open()?;
    runtime::block_on(drop_chosen(arguments, &*ledger))
}

async fn drop_chosen(arguments: &DropArguments, ledger: &dyn Ledger) -> Result<Ending, Failure> {
    let chosen = &arguments.chosen;
    let (keys, unreadable) = chosen.keys(ledger).await?;
    let states = [EventState::Refused, EventState::Expired];
    let manner = Manner {
        dry_run: chosen.dry_run,
        yes: arguments.yes,
    };
    let consent = chosen::consent(ledger, &keys, &states, &manner).await?;
    let count = keys.len() as u64;
    let done = match consent {
        Consent::Given => ledger.drop_dead(keys, Clock::System.unix_ms()).await?,
        Consent::Denied => Dropped::default(),
        Consent::NotNeeded { droppable } => Dropped {
            dropped: droppable,
            not_dead: count - droppable,
        },
    };
    let report = DropReport {
        dropped: done.dropped,
        not_dead: done.not_dead,
        dry_run: chosen.dry_run,
    };
    chosen::tell(&report, chosen.json, tell_drop)?;
    chosen::note_unreadable(unreadable);
    // A script must not take a refusal for success.
    let is_told_no = matches!(consent, Consent::Denied);
    let is_flawed = is_told_no || unreadable > 0 || (!chosen.all && report.not_dead > 0);
    Ok(Ending::flawed_if(is_flawed))
}

fn tell_drop(report: &DropReport) -> Result<(), Failure> {
    let mut output = Output::for_people();
    let sentence = match (report.dropped, report.dry_run) {
        (0, _) => "No event was dropped.".to_owned(),
        (count, true) => format!("{} would be dropped. Nothing was changed.", events(count)),
        (1, false) => "1 event was dropped: it counts as withheld now.".to_owned(),
        (count, false) => {
            format!(
                "{} were dropped: they count as withheld now.",
                events(count)
            )
        }
    };
    writeln!(output, "{sentence}")?;
    if report.not_dead > 0 {
        let count = events(report.not_dead);
        writeln!(
            output,
            "  {count} neither refused nor expired, or not in this journal"
        )?;
    }
    output.finish()
}
