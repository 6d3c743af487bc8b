//! What is known of a body and its events, and how it is told.

use sluice_event::{Findings, Remains, SealedEvent, Severity};

use super::explain::Explanation;
use crate::failure::Failure;

/// One event after sealing.
pub(super) struct Checked {
    pub(super) index: usize,
    /// What may be shown of it, if the event cannot be sent.
    pub(super) sealed: Result<SealedEvent, Remains>,
    pub(super) findings: Findings,
    pub(super) explanation: Option<Explanation>,
}

impl Checked {
    /// Its name, if it has one that may be shown.
    pub(super) fn event_name(&self) -> Option<&str> {
        match &self.sealed {
            Ok(sealed) => Some(sealed.event_name()),
            Err(remains) => remains.event_name.as_deref(),
        }
    }

    /// Its id; of an event that can be sent also one that was made for it.
    pub(super) fn event_id(&self) -> Option<&str> {
        match &self.sealed {
            Ok(sealed) => Some(sealed.event_id()),
            Err(remains) => remains.event_id.as_deref(),
        }
    }
}

/// The place at which a body stops being JSON.
pub(super) struct Broken<'a> {
    /// The file.
    pub(super) name: &'a str,
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) expected: &'static str,
    /// Whether there is nothing in it at all.
    pub(super) is_empty: bool,
}

/// What is said of a body with nothing in it.
pub(super) const EMPTY: &str = "there is nothing in it; expected events";

/// How the results are told.
pub(super) trait Report {
    fn event(&mut self, checked: &Checked) -> Result<(), Failure>;
    fn broken(&mut self, broken: &Broken<'_>, tally: &Tally) -> Result<(), Failure>;
    fn finish(self: Box<Self>, tally: &Tally) -> Result<(), Failure>;
}

/// What was found in all events together.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) events: usize,
    pub(super) sendable: usize,
    /// Findings, by [`SEVERITIES`].
    pub(super) findings: [usize; SEVERITIES.len()],
    pub(super) unlisted: usize,
    pub(super) is_broken: bool,
}

/// From the worst to the mildest.
pub(super) const SEVERITIES: [Severity; 4] = [
    Severity::Error,
    Severity::Repaired,
    Severity::Warning,
    Severity::Hint,
];

impl Tally {
    pub(super) fn add(&mut self, checked: &Checked) {
        self.events += 1;
        self.sendable += usize::from(checked.sealed.is_ok());
        self.unlisted += checked.findings.unlisted();
        for (count, severity) in self.findings.iter_mut().zip(SEVERITIES) {
            let is_of_it = |finding: &&sluice_event::Finding| finding.severity() == severity;
            *count += checked.findings.iter().filter(is_of_it).count();
        }
    }

    pub(super) fn is_flawed(&self) -> bool {
        self.is_broken || self.sendable < self.events
    }
}
