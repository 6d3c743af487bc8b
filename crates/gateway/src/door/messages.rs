//! What `messages` of a Graph-shaped answer say about events.

use super::intake::Rejected;
use super::remarks::Warning;

/// Rejected events that are named in `messages`.
pub(crate) const MESSAGES_MAX: usize = 100;

/// Remarks about the other events in `messages`: one for each rule.
pub(crate) const REMARKS_MAX: usize = 10;

/// `data[1].custom_data was not taken: …`
pub(crate) fn message(rejected: &Rejected) -> String {
    let index = rejected.index;
    match rejected.findings.first() {
        None => format!("data[{index}] was not taken"),
        Some(finding) => {
            let (message, help) = (&finding.message, finding.help());
            let place = place(index, finding.path.as_str());
            format!("{place} was not taken: {message}; {help}")
        }
    }
}

/// `repaired in 3 events, first at data[1].user_data.ph: …`
pub(crate) fn remark(warning: &Warning) -> String {
    let (code, message, help) = (warning.code, &warning.message, warning.code.help());
    let place = place(warning.index, &warning.path);
    match warning.events {
        1 => format!("{} at {place}: {message}; {help}", code.severity()),
        events => format!(
            "{} in {events} events, first at {place}: {message}; {help}",
            code.severity()
        ),
    }
}

fn place(index: usize, path: &str) -> String {
    let dot = if path.is_empty() || path.starts_with('[') {
        ""
    } else {
        "."
    };
    format!("data[{index}]{dot}{path}")
}
