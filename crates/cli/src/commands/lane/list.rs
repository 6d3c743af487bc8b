//! `sluice lane list`.

use anstyle::Style;
use sluice_gateway::control::wire::Request;
use sluice_gateway::control::{LaneList, LaneStatus, Pause};

use crate::clock::shown;
use crate::ending::Ending;
use crate::failure::Failure;
use crate::journal::JournalOption;
use crate::output::{BOLD, DIM, GREEN, Output, RED, YELLOW, counted, painted, printable};

/// What `lane list` takes.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten, next_help_heading = "Which gateway")]
    journal: JournalOption,
}

const EXAMPLES: &str = "\
Examples:
  sluice lane list
  sluice lane list --json | jq '.lanes[] | select(.state != \"flowing\")'

A lane appears with its first event after the start of the gateway, or when events wait in it.

Exit codes: 0, or 2 when no gateway runs with the journal.";

/// Shows the lanes.
pub(super) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let list: LaneList = arguments.journal.ask(Request::Lanes)?;
    if arguments.json {
        let mut output = Output::for_programs();
        output.json(&list)?;
        output.finish()?;
    } else {
        for_people(&list)?;
    }
    Ok(Ending::Clean)
}

fn for_people(list: &LaneList) -> Result<(), Failure> {
    let mut output = Output::for_people();
    for lane in &list.lanes {
        writeln!(
            output,
            "{} {} {}",
            painted(BOLD, &lane.lane),
            painted(colour(&lane.state), printable(&lane.state)),
            painted(DIM, waiting(lane))
        )?;
        if let Some(reason) = &lane.reason {
            writeln!(output, "    {}", printable(reason))?;
        }
        writeln!(output, "    {}\n", painted(DIM, times(lane)))?;
    }
    // Those of lanes above are told there.
    let has_lane = |pause: &&Pause| list.lanes.iter().any(|it| pause.lanes.cover(&it.lane));
    for pause in list.pauses.iter().filter(|pause| !has_lane(pause)) {
        let note = pause.note.as_deref().map(|note| format!(": {note}"));
        let note = note.unwrap_or_default();
        writeln!(
            output,
            "{} {} {} paused it{}",
            painted(BOLD, &pause.lanes),
            painted(YELLOW, "paused"),
            printable(&pause.by),
            printable(&note)
        )?;
        writeln!(output, "    {}\n", painted(DIM, since(pause.since_ms)))?;
    }
    match (list.lanes.len(), list.pauses.len()) {
        (0, 0) => writeln!(output, "No lane has had an event since the start.")?,
        (_, 0) => {}
        _ => writeln!(
            output,
            "`sluice lane resume DATASET` lets a paused lane send again."
        )?,
    }
    output.finish()
}

fn colour(state: &str) -> Style {
    match state {
        "flowing" => GREEN,
        "parked" => RED,
        _ => YELLOW,
    }
}

/// What waits in a lane.
fn waiting(lane: &LaneStatus) -> String {
    let waiting = match lane.waiting {
        0 => "nothing waits".to_owned(),
        1 => "1 event waits".to_owned(),
        count => format!("{} wait", counted(count, "event")),
    };
    let held = (lane.held > 0).then(|| format!("{} of them stand back", lane.held));
    let on_their_way = match lane.in_flight {
        0 => None,
        1 => Some("1 batch is on its way".to_owned()),
        count => Some(format!("{count} batches are on their way")),
    };
    let parts = [Some(waiting), held, on_their_way];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn since(since_ms: u64) -> String {
    format!("since {}", shown(since_ms))
}

/// Since when, until when, and how much of Meta's allowance is used.
fn times(lane: &LaneStatus) -> String {
    let mut parts: Vec<String> = lane.since_ms.map(since).into_iter().collect();
    if let Some(until_ms) = lane.until_ms {
        parts.push(format!("tries again {}", shown(until_ms)));
    }
    if let Some(expiry_s) = lane.first_expiry_s {
        let expiry_ms = u64::try_from(expiry_s)
            .unwrap_or_default()
            .saturating_mul(1_000);
        parts.push(format!(
            "Meta takes the first event until {}",
            shown(expiry_ms)
        ));
    }
    parts.push(format!("{} % of Meta's allowance used", lane.usage_percent));
    parts.join(", ")
}
