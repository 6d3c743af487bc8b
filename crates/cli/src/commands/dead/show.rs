//! `sluice dead show`.

use serde::Serialize;
use serde_json::value::RawValue;
use sluice_event::UserField;
use sluice_journal::{
    EventDetail, EventKey, EventRecord, EventState, PastOutcome, RejectionRecord, SentRequest,
};

use super::choice::{self, Key};
use super::list::{Line, sale};
use super::reason::{self, Reason, is_dead};
use super::rejected;
use crate::clock::shown;
use crate::ending::Ending;
use crate::failure::Failure;
use crate::journal::JournalOption;
use crate::output::{BOLD, CYAN, DIM, Output, counted, painted, printable};
use crate::runtime;

/// What `dead show` takes.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The number of the event, as `sluice dead list` shows it
    #[arg(value_parser = choice::key)]
    key: Key,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten, next_help_heading = "Which journal")]
    journal: JournalOption,
}

const EXAMPLES: &str = "\
Examples:
  sluice dead show 1042
  sluice dead show 1042 --json | jq .body

The body is what Meta got, or would get: hashes in the place of personal data. It is kept for as
long as journal.retention_days says. A rejected event (r and a number) has none.

A dead event is replaced when an event with the same name and id came later, and is delivered,
waits or may have arrived: then nothing is left to do. With --json, \"replaced_by\" is the later
one's KEY, or null.

Exit codes: 0, or 2 when there is no such event or the journal cannot be read.";

/// Shows one event, whatever its state, or what is kept of a rejected one.
pub(super) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let key = match arguments.key {
        Key::Event(key) => return show_event(&arguments.journal, key, arguments.json),
        Key::Rejected(key) => key,
    };
    let ledger = arguments.journal.open()?;
    let event = runtime::block_on(async { Ok(ledger.rejection(key).await?) })?;
    let event = event.ok_or_else(|| not_there(&choice::shown_key(key)))?;
    show_rejected(&event, arguments.json)
}

/// Shows one event, whatever its state.
pub(in crate::commands) fn show_event(
    journal: &JournalOption,
    key: EventKey,
    is_json: bool,
) -> Result<Ending, Failure> {
    let (detail, successor) = runtime::block_on(read(journal, key))?;
    if is_json {
        let mut output = Output::for_programs();
        output.json(&Shown::new(&detail, successor.as_ref()))?;
        output.finish()?;
    } else {
        let mut output = Output::for_people();
        for_people(&mut output, &detail, successor.as_ref())?;
        output.finish()?;
    }
    Ok(Ending::Clean)
}

/// An event, and the later one that has replaced it, if it is dead. Keys of bodies are read when one is needed.
async fn read(
    journal: &JournalOption,
    key: EventKey,
) -> Result<(EventDetail, Option<EventRecord>), Failure> {
    let missing = || not_there(&key.0.to_string());
    let mut ledger = journal.open()?;
    let mut detail = ledger.event(key).await?.ok_or_else(missing)?;
    if detail.missing_key.is_some() {
        ledger = journal.open_bodies()?;
        detail = ledger.event(key).await?.ok_or_else(missing)?;
    }
    let successor = if is_dead(detail.record.state) {
        sluice_journal::successor(&*ledger, &detail.record).await?
    } else {
        None
    };
    Ok((detail, successor))
}

fn not_there(key: &str) -> Failure {
    Failure::with_help(
        format!("the journal has no event {key}"),
        "`sluice events list` and `sluice dead list` show which there are",
    )
}

fn show_rejected(event: &RejectionRecord, is_json: bool) -> Result<Ending, Failure> {
    let mut output = if is_json {
        Output::for_programs()
    } else {
        Output::for_people()
    };
    if is_json {
        output.json(&rejected::Line::new(event))?;
    } else {
        rejected::show(&mut output, event)?;
    }
    output.finish()?;
    Ok(Ending::Clean)
}

/// The event for programs.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    event: Line<'a>,
    replaced_by: Option<i64>,
    request: Option<Request<'a>>,
    past: Vec<Past<'a>>,
    /// As it was sealed, number by number.
    body: Option<Box<RawValue>>,
    /// The key that the body is encrypted with, if it is not known.
    missing_key: Option<String>,
}

#[derive(Serialize)]
struct Request<'a> {
    id: i64,
    sent_at: String,
    elapsed_ms: u64,
    events: u64,
    bytes: u64,
    status: u16,
    code: Option<i64>,
    subcode: Option<i64>,
    events_received: Option<u64>,
    fbtrace_id: Option<&'a str>,
    verdict: &'a str,
}

#[derive(Serialize)]
struct Past<'a> {
    state: &'static str,
    at: String,
    replayed_at: String,
    code: Option<i64>,
    subcode: Option<i64>,
    recorded: &'a str,
}

impl<'a> Shown<'a> {
    fn new(detail: &'a EventDetail, successor: Option<&EventRecord>) -> Self {
        let body = detail.json.clone();
        Self {
            event: Line::new(&detail.record),
            replaced_by: successor.map(|later| later.key.0),
            missing_key: detail.missing_key.map(|key| key.to_string()),
            request: detail.record.request.as_ref().map(Request::new),
            past: detail.past.iter().map(Past::new).collect(),
            body: body.and_then(|json| RawValue::from_string(json).ok()),
        }
    }
}

impl<'a> Request<'a> {
    fn new(request: &'a SentRequest) -> Self {
        Self {
            id: request.id,
            sent_at: shown(request.sent_ms),
            elapsed_ms: request.elapsed_ms,
            events: request.events,
            bytes: request.bytes,
            status: request.status,
            code: request.code,
            subcode: request.subcode,
            events_received: request.received,
            fbtrace_id: request.fbtrace_id.as_deref(),
            verdict: &request.verdict,
        }
    }
}

impl<'a> Past<'a> {
    fn new(past: &'a PastOutcome) -> Self {
        Self {
            state: past.state.name(),
            at: shown(past.at_ms),
            replayed_at: shown(past.replayed_ms),
            code: past.cause.code,
            subcode: past.cause.subcode,
            recorded: &past.cause.text,
        }
    }
}

/// What a waiting event waits for, the running gateway knows.
const WAITS: &str = "it goes out by itself as long as the configuration names its dataset; /readyz of the admin listener says how its lane is doing, and names events that stand back";

/// Why the event is in its state, and what there is to do.
fn standing(event: &EventRecord, successor: Option<&EventRecord>) -> Vec<(&'static str, String)> {
    if event.state == EventState::Waiting {
        return vec![("help", WAITS.to_owned())];
    }
    if !is_dead(event.state) {
        return Vec::new();
    }
    let reason = Reason::new(event.state, &event.cause, &event.action_source);
    let mut facts = vec![("reason", reason.line())];
    match successor {
        None if event.never_kept => {
            let help = "nothing is left to do: it was final when it came";
            facts.push(("help", help.to_owned()));
        }
        None => facts.push(("help", reason.help)),
        Some(later) => {
            let (key, state) = (later.key.0, later.state.name());
            let line = format!("by event {key}, which came later with the same id and is {state}");
            let help = match event.state {
                EventState::Withheld => "nothing is left to do",
                _ => "nothing is left to do; `sluice dead drop KEY` takes it off the list",
            };
            facts.extend([("replaced", line), ("help", help.to_owned())]);
        }
    }
    facts
}

fn for_people(
    output: &mut Output,
    detail: &EventDetail,
    successor: Option<&EventRecord>,
) -> Result<(), Failure> {
    let event = &detail.record;
    let name = painted(BOLD, printable(&event.event_name));
    writeln!(output, "{name} {}\n", printable(&event.event_id))?;
    let mut fact = |label: &str, text: &str| {
        let label = painted(DIM, format!("{label:<10}"));
        writeln!(output, "  {label} {}", printable(text))
    };
    let since = event.at_ms.map(|at_ms| format!(" since {}", shown(at_ms)));
    let state = format!("{}{}", event.state.name(), since.unwrap_or_default());
    fact("key", &event.key.0.to_string())?;
    fact("state", &state)?;
    for (label, text) in standing(event, successor) {
        fact(label, &text)?;
    }
    fact("dataset", &event.dataset)?;
    fact("source", &event.source)?;
    fact("happened", &event.action_source)?;
    if let Some(code) = &event.test_code {
        fact("test code", code)?;
    }
    if let Some(sale) = sale(event) {
        fact("sale", &sale)?;
    }
    if let Some(facts) = event
        .facts
        .as_ref()
        .filter(|facts| !facts.identifiers.is_empty())
    {
        let names: Vec<_> = facts.identifiers.iter().map(UserField::name).collect();
        fact("carries", &names.join(", "))?;
    }
    fact("accepted", &shown(event.accepted_ms))?;
    if event.is_completed {
        fact("completed", "with identifiers that its source did not send")?;
    }
    match event.revision.0 {
        0 => {}
        1 => fact("amended", "once, while it waited")?,
        times => fact("amended", &format!("{times} times, while it waited"))?,
    }
    if let Some(due_ms) = event.due_ms {
        fact("on hold", &format!("until {}", shown(due_ms)))?;
    }
    let expires_ms = u64::try_from(event.expires_s)
        .unwrap_or(0)
        .saturating_mul(1_000);
    fact("Meta takes", &format!("it until {}", shown(expires_ms)))?;
    if let Some(request) = &event.request {
        fact("request", &request_line(request))?;
    }
    for past in &detail.past {
        let reason = Reason::new(past.state, &past.cause, &event.action_source);
        let (state, at) = (past.state.name(), shown(past.at_ms));
        let replayed = shown(past.replayed_ms);
        let line = format!(
            "{state} at {at}, sent again at {replayed}: {}",
            reason.line()
        );
        fact("before", &line)?;
    }
    writeln!(output)?;
    match (&detail.json, detail.missing_key) {
        (Some(json), _) => {
            writeln!(output, "{}", painted(CYAN, "body"))?;
            writeln!(output, "{}", printable_lines(&indented(json)))
        }
        (None, Some(key)) => writeln!(
            output,
            "The body is encrypted with the key {key}: name the gateway's configuration with --config, or set \
             SLUICE_JOURNAL_ENCRYPTION_KEY."
        ),
        (None, None) if event.never_kept => writeln!(
            output,
            "The body was never kept, because the event was not to be sent when it came."
        ),
        (None, None) if event.has_body => writeln!(output, "The stored body is damaged."),
        (None, None) => writeln!(
            output,
            "The body was deleted, as journal.retention_days says; the event cannot be sent again."
        ),
    }
}

/// `of 500 events at …: HTTP 400, error 100/2804003, fbtrace_id A1b2 (refused, 87 ms)`
fn request_line(request: &SentRequest) -> String {
    let events = usize::try_from(request.events).unwrap_or(usize::MAX);
    let status = match request.status {
        0 => "no answer".to_owned(),
        status => format!("HTTP {status}"),
    };
    let error = request
        .code
        .map(|code| format!(", error {}", reason::error(code, request.subcode)));
    let trace = request.fbtrace_id.as_ref();
    let trace = trace.map(|trace| format!(", fbtrace_id {trace}"));
    format!(
        "of {} at {}: {status}{}{} ({}, {} ms)",
        counted(events, "event"),
        shown(request.sent_ms),
        error.unwrap_or_default(),
        trace.unwrap_or_default(),
        request.verdict,
        request.elapsed_ms,
    )
}

fn printable_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(printable).collect();
    lines.join("\n")
}

/// JSON over several lines. It is not parsed and written anew, so that every number stays as it is.
fn indented(json: &str) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let (mut depth, mut is_text, mut is_escaped) = (1_usize, false, false);
    let line = |text: &mut String, depth: usize| {
        text.push('\n');
        text.push_str(&"  ".repeat(depth));
    };
    text.push_str("  ");
    let mut chars = json.chars().peekable();
    while let Some(c) = chars.next() {
        if is_text {
            text.push(c);
            is_text = is_escaped || c != '"';
            is_escaped = !is_escaped && c == '\\';
            continue;
        }
        match c {
            '{' | '[' if matches!(chars.peek(), Some('}' | ']')) => text.push(c),
            '{' | '[' => {
                depth += 1;
                text.push(c);
                line(&mut text, depth);
            }
            '}' | ']' if text.ends_with(['{', '[']) => text.push(c),
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut text, depth);
                text.push(c);
            }
            ',' => {
                text.push(c);
                line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            c => {
                is_text = c == '"';
                text.push(c);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indents_without_touching_texts_and_numbers() {
        let json = r#"{"a":[1.50,{"b":"x:{,\"\\"}],"c":{},"d":[]}"#;
        let expected = r#"  {
    "a": [
      1.50,
      {
        "b": "x:{,\"\\"
      }
    ],
    "c": {},
    "d": []
  }"#;
        assert_eq!(indented(json), expected);
    }
}
