//! What came of a reload.

use std::error::Error as _;
use std::fmt::Write as _;

use tracing::warn;

use crate::config::{Change, ConfigProblem, LoadError, Severity};
use crate::roster::RosterError;

/// Problems that a line of the log names.
const PROBLEMS_MAX: usize = 20;

/// What a reload has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// The configuration in force is this one since the start, counted from 1.
    pub generation: u64,
    /// What of the file is in force now, and was not before.
    pub applied: Vec<Change>,
    /// What of the file waits for a restart.
    pub needs_restart: Vec<Change>,
    /// What is doubtful about the file and about the secrets in force, each in one line.
    pub warnings: Vec<String>,
    /// How many keys and tokens are others than before, of those that are known and that no command prints. Commands
    /// run on; the log says what they print is new.
    pub secrets_changed: usize,
    /// Why known secrets could not be read again, each in one line. The ones that were known stay in force.
    pub secrets_unreadable: Vec<String>,
}

/// What was said of the file last: the same is not said again at each look.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Why it could not be used; it is tried again from time to time.
    pub(super) failed: Option<String>,
    pub(super) needs_restart: Vec<Change>,
    warnings: Vec<String>,
}

impl Said {
    /// Notes what waits for a restart. Whether it is something else than before.
    pub(super) fn note_restart(&mut self, changes: &[Change]) -> bool {
        let is_other = self.needs_restart != changes;
        self.needs_restart = changes.to_vec();
        is_other
    }

    /// Notes what is doubtful. Returns what of it is new.
    fn note_warnings<'a>(&mut self, warnings: &'a [String]) -> Vec<&'a String> {
        let new = warnings.iter().filter(|it| !self.warnings.contains(it));
        let new = new.collect();
        self.warnings = warnings.to_vec();
        new
    }

    /// Logs what is doubtful and was not said before; all of it when a person `asks`.
    pub(super) fn warn_of(&mut self, warnings: &[String], file: Option<&str>, asks: bool) {
        let new = self.note_warnings(warnings);
        for warning in warnings.iter().filter(|it| asks || new.contains(it)) {
            warn!(file, warning, "the configuration can be used, with a doubt");
        }
    }
}

/// Why nothing of the file was put in force.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// It cannot be read, or what it says cannot be used.
    #[error("the configuration cannot be used: {}", reasons(.0))]
    File(LoadError),
    /// Secrets that only it names cannot be used.
    #[error("secrets of the configuration cannot be used: {}", secret_reasons(.0))]
    Secrets(Vec<RosterError>),
    /// Its `log.filter` is none.
    #[error("log.filter cannot be used: {0}")]
    Filter(String),
    /// A thread ended before it should.
    #[error("a defect in Sluice: {0}")]
    Defect(String),
}

/// What is wrong with a file, in one line.
fn reasons(why: &LoadError) -> String {
    let LoadError::Problems(problems) = why else {
        return match why.source() {
            Some(cause) => format!("{why}: {cause}"),
            None => why.to_string(),
        };
    };
    let mut text = String::new();
    let errors = problems.iter().filter(|it| it.severity == Severity::Error);
    for problem in errors.clone().take(PROBLEMS_MAX) {
        let between = if text.is_empty() { "" } else { "; " };
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{between}{}", in_line(problem));
    }
    let more = errors.count().saturating_sub(PROBLEMS_MAX);
    if more > 0 {
        let _ = write!(text, "; and {more} more");
    }
    text
}

/// A problem in one line, with its place in the file.
pub(super) fn in_line(problem: &ConfigProblem) -> String {
    let message = &problem.message;
    match (problem.line(), problem.column()) {
        (Some(line), Some(column)) => format!("line {line}, column {column}: {message}"),
        _ => message.clone(),
    }
}

fn secret_reasons(errors: &[RosterError]) -> String {
    let reasons = errors.iter().map(RosterError::with_reason);
    reasons.collect::<Vec<_>>().join("; ")
}

/// Changes in one line.
pub(super) fn listed(changes: &[Change]) -> String {
    let changes = changes.iter().map(ToString::to_string);
    changes.collect::<Vec<_>>().join("; ")
}
