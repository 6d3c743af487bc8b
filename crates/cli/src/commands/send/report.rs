//! What became of the events, for people and for programs.

use serde::Serialize;
use serde_json::value::RawValue;
use sluice_event::batch::Layout;

use super::load::{Load, Outgoing};
use super::refusal::{Refused, Rejected};
use super::route::RouteOptions;
use super::warnings::Warnings;
use crate::failure::Failure;
use crate::output::{BOLD, CYAN, DIM, GREEN, Output, RED, YELLOW, grouped, painted, printable};
use crate::remark;

/// What became of the events.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    /// Where they went.
    pub(super) to: String,
    pub(super) events: usize,
    pub(super) taken: usize,
    /// Copies of events that the gateway knew.
    pub(super) duplicates: usize,
    /// Events that were sent and that Meta did not count.
    pub(super) missing: usize,
    /// By our own rules.
    pub(super) rejected: Vec<Rejected>,
    /// By Meta.
    pub(super) refused: Vec<Refused>,
    /// What there is to say about the others.
    #[serde(flatten)]
    pub(super) warnings: Warnings,
    /// Not sent, or without an answer that settles what became of them.
    pub(super) unsent: usize,
    /// The place in the body of the first of these: what stands before it is settled, so a script goes on
    /// from there.
    pub(super) first_unsent: Option<usize>,
    /// Some events have no `event_id` of their own: sent once more, they are other events.
    pub(super) makes_ids: bool,
    pub(super) requests: usize,
    pub(super) retries: usize,
    pub(super) fbtrace_ids: Vec<String>,
    /// Why it stopped before the end.
    pub(super) error: Option<String>,
    #[serde(skip)]
    outgoing: usize,
    #[serde(skip)]
    rejected_before: usize,
}

impl Report {
    /// For `outgoing` events that leave, after `rejected_before` were rejected.
    pub(super) fn new(outgoing: usize, rejected_before: usize) -> Self {
        Self {
            events: outgoing + rejected_before,
            outgoing,
            rejected_before,
            ..Self::default()
        }
    }

    /// How many of those that leave are settled.
    pub(super) fn settled(&self) -> usize {
        let rejected = self.rejected.len().saturating_sub(self.rejected_before);
        self.taken + self.duplicates + self.missing + self.refused.len() + rejected
    }

    /// How many are not.
    pub(super) fn unsent(&self) -> usize {
        self.outgoing.saturating_sub(self.settled())
    }

    /// Whether something is wrong with some of the events.
    pub(super) fn is_flawed(&self) -> bool {
        !self.rejected.is_empty() || !self.refused.is_empty() || self.missing > 0
    }

    /// One JSON object.
    pub(super) fn for_programs(&self) -> Result<(), Failure> {
        let mut output = Output::for_programs();
        output.json(self)?;
        output.finish()
    }

    /// A block for every event that was not taken, and the sum of it all.
    pub(super) fn for_people(&self, load: &Load) -> Result<(), Failure> {
        let mut output = Output::for_people();
        for rejected in &self.rejected {
            rejected.show(&mut output, load.layout)?;
        }
        for refused in &self.refused {
            refused.show(&mut output, load.layout)?;
        }
        show_warnings(&self.warnings, load, &mut output)?;
        writeln!(output, "{}", self.summary(load))?;
        output.finish()
    }

    fn summary(&self, load: &Load) -> String {
        let mut sentence = match load.outgoing.as_slice() {
            [one] if self.taken == 1 && self.events == 1 => {
                format!("{} was taken by {}", named(one), self.to)
            }
            _ => {
                let (taken, events) = (number(self.taken), number(self.events));
                let to = &self.to;
                format!("{taken} of {events} events were taken by {to}")
            }
        };
        for (count, what) in [
            (self.duplicates, "known there already"),
            (self.rejected.len(), "rejected"),
            (self.refused.len(), "refused by Meta"),
            (self.missing, "missing in Meta's count"),
            (self.unsent, "not sent"),
        ] {
            if count > 0 {
                sentence = format!("{sentence}; {} {what}", number(count));
            }
        }
        // All of them, or the only one: then its place says nothing new.
        if let Some(first) = self.first_unsent.filter(|_| self.settled() > 0) {
            sentence = format!("{sentence}, the first of them {}", load.layout.path(first));
        }
        if let [trace] = self.fbtrace_ids.as_slice() {
            sentence = format!("{sentence} (fbtrace_id {})", printable(trace));
        }
        let style = match (self.unsent, self.is_flawed()) {
            (0, false) => GREEN,
            (0, true) => YELLOW,
            _ => RED,
        };
        painted(style, format!("{sentence}.")).to_string()
    }
}

fn number(count: usize) -> String {
    grouped(u64::try_from(count).unwrap_or(u64::MAX))
}

/// `Purchase order-17`
fn named(event: &Outgoing) -> String {
    match &event.known_as {
        Some((name, id)) => format!("{} {}", printable(name), printable(id)),
        None => "The event".to_owned(),
    }
}

fn heading(layout: Layout, index: usize) -> String {
    match layout.path(index) {
        path if path.is_empty() => "event".to_owned(),
        path => path,
    }
}

/// What there is to say about the events that can be sent.
fn show_warnings(warnings: &Warnings, load: &Load, output: &mut Output) -> Result<(), Failure> {
    if warnings.is_empty() {
        return Ok(());
    }
    match load.outgoing.as_slice() {
        [one] => {
            let place = painted(BOLD, heading(load.layout, one.index));
            let (name, id) = one
                .known_as
                .as_ref()
                .map_or(("", ""), |(name, id)| (name, id));
            let (name, id) = (printable(name), printable(id));
            writeln!(
                output,
                "{place} {} {}",
                painted(BOLD, name),
                painted(DIM, id)
            )?;
        }
        _ => writeln!(output, "{}", painted(BOLD, "events that can be sent"))?,
    }
    warnings.show(output, load.layout)?;
    if warnings.is_cut() && load.has_body {
        let text = "`sluice check` shows all of it, event by event";
        writeln!(output, "  {}", painted(DIM, text))?;
    }
    writeln!(output)
}

impl Rejected {
    fn show(&self, output: &mut Output, layout: Layout) -> Result<(), Failure> {
        let heading = heading(layout, self.index);
        writeln!(output, "{} was rejected", painted(RED, heading))?;
        let event = layout.path(self.index);
        for finding in &self.findings {
            finding.show(output, &remark::place(&event, finding.path()))?;
        }
        writeln!(output)
    }
}

impl Refused {
    fn show(&self, output: &mut Output, layout: Layout) -> Result<(), Failure> {
        let heading = painted(RED, heading(layout, self.index));
        let (name, id) = (printable(&self.event_name), printable(&self.event_id));
        writeln!(output, "{heading} {name} {id} was refused")?;
        writeln!(output, "  {}", printable(&self.why.line()))?;
        writeln!(
            output,
            "  {} {}",
            painted(CYAN, "help:"),
            printable(&self.why.help)
        )?;
        if let Some(trace) = &self.why.fbtrace_id {
            let trace = format!("fbtrace_id {}", printable(trace));
            writeln!(output, "  {}", painted(DIM, trace))?;
        }
        writeln!(output)
    }
}

/// What would be sent, for programs.
#[derive(Serialize)]
struct Foreseen<'a> {
    dry_run: bool,
    to: &'a str,
    events: usize,
    rejected: &'a [Rejected],
    #[serde(flatten)]
    warnings: &'a Warnings,
    would_send: Vec<Box<RawValue>>,
}

/// Shows what would be sent: sealed, byte for byte.
pub(super) fn foreseen(load: &Load, route: &RouteOptions, is_json: bool) -> Result<(), Failure> {
    let to = &route.shown();
    if is_json {
        let raw = |event: &Outgoing| RawValue::from_string(event.json.clone());
        let would_send = load.outgoing.iter().map(raw).collect::<Result<_, _>>();
        let mut output = Output::for_programs();
        output.json(&Foreseen {
            dry_run: true,
            to,
            events: load.events,
            rejected: &load.rejected,
            warnings: &load.warnings,
            would_send: would_send.map_err(anyhow::Error::new)?,
        })?;
        return output.finish();
    }
    let mut output = Output::for_people();
    for rejected in &load.rejected {
        rejected.show(&mut output, load.layout)?;
    }
    for event in &load.outgoing {
        writeln!(output, "{}", printable(&event.json))?;
    }
    show_warnings(&load.warnings, load, &mut output)?;
    let (goes, events) = (number(load.outgoing.len()), number(load.events));
    let seals = if route.is_gateway() {
        ", which seals them by its own rules"
    } else {
        ""
    };
    let sentence = format!("{goes} of {events} events would go to {to}{seals}. Nothing was sent.");
    writeln!(output, "{}", painted(DIM, sentence))?;
    output.finish()
}
