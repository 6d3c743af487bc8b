//! Rejected events: shown from the little that is kept of them.

use serde::Serialize;
use sluice_event::Code;
use sluice_journal::RejectionRecord;

use super::choice::shown_key;
use crate::clock::shown;
use crate::failure::Failure;
use crate::output::{BOLD, CYAN, DIM, Output, RED, painted, printable};

/// Why there is no body, and what follows from it.
const BODILESS: &str = "Its body was never written: no dataset could take it, so it was not hashed either. Mend it at its \
     source and send it anew; what was rejected has no copies.";

/// A rejected event for programs.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    key: String,
    state: &'static str,
    event_name: Option<&'a str>,
    /// As it was sent, or its hash where that held contact data.
    event_id: Option<&'a str>,
    order_id: Option<&'a str>,
    dataset: &'a str,
    source: &'a str,
    /// When it came in.
    at: String,
    findings: Vec<Finding<'a>>,
    request_id: &'a str,
    has_body: bool,
}

#[derive(Serialize)]
struct Finding<'a> {
    code: &'a str,
    severity: &'static str,
    help: &'static str,
}

impl<'a> Finding<'a> {
    fn new(name: &'a String) -> Self {
        let code = Code::from_name(name);
        Self {
            code: name,
            severity: code.map_or("error", |code| code.severity().name()),
            help: code.map_or("see the changelog for this rule", Code::help),
        }
    }
}

impl<'a> Line<'a> {
    pub(super) fn new(event: &'a RejectionRecord) -> Self {
        Self {
            key: shown_key(event.key),
            state: "rejected",
            event_name: event.event_name.as_deref(),
            event_id: event.event_id.as_deref(),
            order_id: event.order_id.as_deref(),
            dataset: &event.dataset,
            source: &event.source,
            at: shown(event.at_ms),
            findings: event.codes.iter().map(Finding::new).collect(),
            request_id: &event.request_id,
            has_body: false,
        }
    }
}

/// Name and id, as far as there are any.
fn title(event: &RejectionRecord) -> (String, String) {
    let name = event.event_name.as_deref().unwrap_or("(no name)");
    let id = event.event_id.as_deref().unwrap_or("(no id)");
    (printable(name).into_owned(), printable(id).into_owned())
}

/// A few lines in the list.
pub(super) fn in_list(output: &mut Output, event: &RejectionRecord) -> Result<(), Failure> {
    let (name, id) = title(event);
    writeln!(
        output,
        "{} {} {} {id} → {} {}",
        painted(BOLD, shown_key(event.key)),
        painted(RED, "rejected"),
        painted(BOLD, name),
        event.dataset,
        painted(DIM, format!("from {}", event.source)),
    )?;
    writeln!(output, "    {}", event.codes.join(", "))?;
    if let Some(finding) = event.codes.first().map(Finding::new) {
        writeln!(output, "    {} {}", painted(CYAN, "help:"), finding.help)?;
    }
    let when = format!(
        "{}, request {}",
        shown(event.at_ms),
        printable(&event.request_id)
    );
    writeln!(output, "    {}\n", painted(DIM, when))
}

/// All that is kept.
pub(super) fn show(output: &mut Output, event: &RejectionRecord) -> Result<(), Failure> {
    let (name, id) = title(event);
    writeln!(output, "{} {id}\n", painted(BOLD, name))?;
    let mut fact = |label: &str, text: &str| {
        let label = painted(DIM, format!("{label:<10}"));
        writeln!(output, "  {label} {}", printable(text))
    };
    fact("key", &shown_key(event.key))?;
    fact("state", &format!("rejected at {}", shown(event.at_ms)))?;
    for finding in event.codes.iter().map(Finding::new) {
        fact(
            finding.severity,
            &format!("{}: {}", finding.code, finding.help),
        )?;
    }
    if let Some(order_id) = &event.order_id {
        fact("order", order_id)?;
    }
    fact("dataset", &event.dataset)?;
    fact("source", &event.source)?;
    fact("request", &event.request_id)?;
    writeln!(output, "\n{BODILESS}")
}
