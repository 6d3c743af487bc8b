//! The report for programs: one JSON object an event, as it is checked.

use serde::Serialize;
use sluice_event::Code;

use super::explain::Explanation;
use super::report::{Broken, Checked, EMPTY, Report, Tally};
use crate::failure::Failure;
use crate::output::{Output, is_zero};
use crate::remark::Remark;

/// Prints a line of JSON for every event.
pub(super) struct ForPrograms {
    output: Output,
}

impl ForPrograms {
    pub(super) fn new() -> Self {
        Self {
            output: Output::for_programs(),
        }
    }
}

#[derive(Serialize)]
struct EventLine<'a> {
    index: usize,
    /// What could not be sealed may have anything for a name: then there is none here.
    event_name: Option<&'a str>,
    event_id: Option<&'a str>,
    valid: bool,
    findings: Vec<Remark<'a>>,
    /// Findings beyond those that are kept for one event.
    #[serde(skip_serializing_if = "is_zero")]
    findings_unlisted: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    explain: Option<&'a Explanation>,
}

impl Report for ForPrograms {
    fn event(&mut self, checked: &Checked) -> Result<(), Failure> {
        self.output.json(&EventLine {
            index: checked.index,
            event_name: checked.event_name(),
            event_id: checked.event_id(),
            valid: checked.sealed.is_ok(),
            findings: Remark::all(&checked.findings),
            findings_unlisted: checked.findings.unlisted(),
            explain: checked.explanation.as_ref(),
        })
    }

    /// Told as a last event that could not be read, so that a program that only reads these lines
    /// notices.
    fn broken(&mut self, broken: &Broken<'_>, tally: &Tally) -> Result<(), Failure> {
        let Broken {
            line,
            column,
            expected,
            is_empty,
            ..
        } = broken;
        let message = if *is_empty {
            EMPTY.to_owned()
        } else {
            format!("line {line}, column {column}: expected {expected}")
        };
        self.output.json(&EventLine {
            index: tally.events,
            event_name: None,
            event_id: None,
            valid: false,
            findings: vec![Remark::new(Code::JsonInvalid, "", &message)],
            findings_unlisted: 0,
            explain: None,
        })
    }

    fn finish(self: Box<Self>, _: &Tally) -> Result<(), Failure> {
        self.output.finish()
    }
}
