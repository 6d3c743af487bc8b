//! What is said about the events of a request, once for each rule.

use std::collections::BTreeMap;

use sluice_event::{Code, Findings, Severity};

/// A remark about events, told once for all of them.
#[derive(Debug)]
pub(crate) struct Warning {
    /// The rule.
    pub(crate) code: Code,
    /// How many events it is about.
    pub(crate) events: usize,
    /// The first of them.
    pub(crate) index: usize,
    /// Where in that event.
    pub(crate) path: String,
    /// What was found there.
    pub(crate) message: String,
    /// The last of them, by which an event with several findings of the rule counts once.
    last: usize,
}

/// Remarks by rule, those that matter most first.
#[derive(Debug, Default)]
pub(crate) struct Remarks(BTreeMap<(Severity, &'static str), Warning>);

impl Remarks {
    /// Adds what was found in an event.
    pub(crate) fn add(&mut self, index: usize, findings: &Findings) {
        for finding in findings {
            let key = (finding.severity(), finding.code.name());
            let warning = self.0.entry(key).or_insert_with(|| Warning {
                code: finding.code,
                events: 1,
                index,
                path: finding.path.as_str().to_owned(),
                message: finding.message.clone(),
                last: index,
            });
            warning.events += usize::from(warning.last != index);
            warning.last = index;
        }
    }

    /// The rules, and how many events each is about.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (Code, usize)> {
        self.0
            .values()
            .map(|warning| (warning.code, warning.events))
    }

    /// The remarks.
    pub(crate) fn into_list(self) -> Vec<Warning> {
        self.0.into_values().collect()
    }
}
