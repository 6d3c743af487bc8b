//! The report for people: a block for every finding, and the sum of it all in the last line.

use sluice_event::batch::Layout;
use sluice_event::{Code, Severity};

use super::explain::{Explained, Explanation, Payload, Sent};
use super::report::{Broken, Checked, EMPTY, Report, SEVERITIES, Tally};
use crate::failure::Failure;
use crate::output::{BOLD, DIM, GREEN, Output, RED, counted, painted, printable};
use crate::remark::{self, Remark};

/// Prints blocks of text.
pub(super) struct ForPeople {
    output: Output,
    layout: Layout,
    /// The last line, of a body that is not JSON.
    broken: Option<String>,
}

impl ForPeople {
    pub(super) fn new(layout: Layout) -> Self {
        Self {
            output: Output::for_people(),
            layout,
            broken: None,
        }
    }

    /// `data[3] Purchase order-17`
    fn header(&mut self, checked: &Checked) -> Result<(), Failure> {
        let place = self.layout.path(checked.index);
        let place = if place.is_empty() { "event" } else { &place };
        let output = &mut self.output;
        write!(output, "{}", painted(BOLD, place))?;
        if let Some(name) = checked.event_name() {
            write!(output, " {}", painted(BOLD, printable(name)))?;
        }
        if let Some(id) = checked.event_id() {
            write!(output, " {}", painted(DIM, printable(id)))?;
        }
        writeln!(output)
    }

    fn explanation(&mut self, explanation: &Explanation) -> Result<(), Failure> {
        let rows: Vec<_> = explanation.user_data.iter().map(Row::new).collect();
        let width = |of: fn(&Row) -> &str| {
            let widths = rows.iter().map(|row| of(row).chars().count());
            widths.max().unwrap_or(0).min(COLUMN_CHARS_MAX)
        };
        let (field, came) = (width(|row| row.field), width(|row| &row.came));
        let output = &mut self.output;
        for row in &rows {
            write!(output, "  {:field$}  {:came$}  →", row.field, row.came)?;
            for part in &row.became {
                write!(output, " {part}")?;
            }
            match &row.remark {
                Some(remark) => writeln!(output, " {}", painted(DIM, remark))?,
                None => writeln!(output)?,
            }
            for variant in &row.variants {
                let remark = painted(DIM, "variant");
                writeln!(
                    output,
                    "  {:field$}  {:came$}  → {variant} {remark}",
                    "", ""
                )?;
            }
        }
        match &explanation.payload {
            Some(Payload {
                bytes,
                event_id,
                expires_at,
            }) => {
                let bytes = counted(*bytes, "byte");
                let event_id = printable(event_id);
                writeln!(output, "  payload of {bytes}, event_id {event_id}")?;
                writeln!(output, "  Meta takes it until {expires_at}")
            }
            None => writeln!(output, "  {}", painted(RED, "nothing is sent")),
        }
    }
}

impl Report for ForPeople {
    fn event(&mut self, checked: &Checked) -> Result<(), Failure> {
        if checked.findings.is_empty() && checked.explanation.is_none() {
            return Ok(());
        }
        self.header(checked)?;
        let event = self.layout.path(checked.index);
        for remark in Remark::all(&checked.findings) {
            let place = remark::place(&event, remark.path());
            remark.show(&mut self.output, &place)?;
        }
        let unlisted = checked.findings.unlisted();
        if unlisted > 0 {
            writeln!(self.output, "  … and {} more", counted(unlisted, "finding"))?;
        }
        if let Some(explanation) = &checked.explanation {
            self.explanation(explanation)?;
        }
        writeln!(self.output)
    }

    fn broken(&mut self, broken: &Broken<'_>, tally: &Tally) -> Result<(), Failure> {
        let Broken {
            name,
            line,
            column,
            expected,
            is_empty,
        } = broken;
        let (place, message, summary) = if *is_empty {
            let summary = format!("{} is empty: no events to check", printable(name));
            ((*name).to_owned(), EMPTY.to_owned(), summary)
        } else {
            let place = format!("{name}:{line}:{column}");
            let message = format!("expected {expected}; nothing behind this place was read");
            let summary = broken_summary(&printable(&place), tally);
            (place, message, summary)
        };
        writeln!(self.output, "{}", painted(BOLD, printable(name)))?;
        Remark::new(Code::JsonInvalid, "", &message).show(&mut self.output, &place)?;
        writeln!(self.output)?;
        self.broken = Some(summary);
        Ok(())
    }

    fn finish(mut self: Box<Self>, tally: &Tally) -> Result<(), Failure> {
        let style = if tally.is_flawed() { RED } else { GREEN };
        let summary = self.broken.unwrap_or_else(|| summary(tally));
        writeln!(self.output, "{}", painted(style, summary))?;
        self.output.finish()
    }
}

/// A wider cell pushes its own row aside, not every row.
const COLUMN_CHARS_MAX: usize = 40;

/// One value of `user_data` in the table of `--explain`.
struct Row {
    field: &'static str,
    came: String,
    /// The normalised text, if it may be shown, and what is sent of it.
    became: Vec<String>,
    remark: Option<String>,
    variants: Vec<String>,
}

impl Row {
    fn new(value: &Explained) -> Self {
        let mut hashes = value.sha256.iter().cloned();
        let hash = hashes.next();
        // What was a hash before is its own normalised text.
        let text = value.normalized.as_deref();
        let text = text
            .filter(|text| hash.as_deref() != Some(text))
            .map(quoted);
        let note = value.note;
        let (became, remark) = match (value.sent, hash) {
            (Sent::LeftOut, _) => (
                vec![],
                Some(format!("left out: {}", note.unwrap_or_default())),
            ),
            (Sent::Clear, _) => {
                let note = note.map(|note| format!(" ({note})")).unwrap_or_default();
                (
                    Vec::from_iter(text),
                    Some(format!("sent in the clear{note}")),
                )
            }
            (Sent::Hashed, hash) => {
                let arrow = text.is_some().then(|| "→".to_owned());
                let became = text.into_iter().chain(arrow).chain(hash);
                (became.collect(), note.map(|note| format!("({note})")))
            }
        };
        let came = value.value.as_deref().map(quoted);
        Self {
            field: value.field,
            came: came.unwrap_or_else(|| value.came.clone()),
            became,
            remark,
            variants: hashes.collect(),
        }
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", printable(text))
}

/// `3 events: 1 error, 2 repaired, 4 warnings; 2 ready to send, 1 not`
fn summary(tally: &Tally) -> String {
    let ready = match (tally.sendable, tally.events) {
        (_, 0) => return "no events: nothing to send".to_owned(),
        (ready, all) if ready == all => "ready to send".to_owned(),
        (0, 1) => "cannot be sent".to_owned(),
        (0, _) => "none can be sent".to_owned(),
        (ready, all) => format!("{ready} ready to send, {} not", all - ready),
    };
    let events = counted(tally.events, "event");
    match found(tally) {
        found if found.is_empty() => format!("{events}, no findings: {ready}"),
        found => format!("{events}: {found}; {ready}"),
    }
}

/// `not JSON at events.json:3:1, after 2 events with 1 warning`
fn broken_summary(place: &str, tally: &Tally) -> String {
    let events = match tally.events {
        0 => String::new(),
        count => format!(", after {}", counted(count, "event")),
    };
    let found = match found(tally) {
        found if found.is_empty() => String::new(),
        found => format!(" with {found}"),
    };
    format!("not JSON at {place}{events}{found}")
}

fn found(tally: &Tally) -> String {
    let mut parts: Vec<_> = SEVERITIES
        .into_iter()
        .zip(tally.findings)
        .filter(|(_, count)| *count > 0)
        .map(|(severity, count)| match severity {
            Severity::Repaired => format!("{count} {severity}"),
            severity => counted(count, severity.name()),
        })
        .collect();
    if tally.unlisted > 0 {
        parts.push(format!("{} not listed", tally.unlisted));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_what_will_happen() {
        let tally = |events, sendable, findings| {
            summary(&Tally {
                events,
                sendable,
                findings,
                ..Tally::default()
            })
        };
        for (summary, expected) in [
            (tally(1, 1, [0; 4]), "1 event, no findings: ready to send"),
            (tally(0, 0, [0; 4]), "no events: nothing to send"),
            (
                tally(3, 2, [1, 2, 4, 1]),
                "3 events: 1 error, 2 repaired, 4 warnings, 1 hint; 2 ready to send, 1 not",
            ),
            (
                tally(1, 0, [2, 0, 0, 0]),
                "1 event: 2 errors; cannot be sent",
            ),
            (tally(2, 2, [0, 0, 0, 1]), "2 events: 1 hint; ready to send"),
        ] {
            assert_eq!(summary, expected);
        }
    }
}
