//! What is wrong with a configuration, and how that is shown.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::ops::Range;

use super::excerpt::{self, Excerpt, tame};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can be used, but probably does not do what was meant.
    Warning,
}

impl Severity {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// Where something was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the file.
    File {
        /// The line, counted from 1.
        line: usize,
        /// The character of the line, counted from 1.
        column: usize,
        /// The line itself, as far as it may be shown.
        excerpt: Excerpt,
    },
    /// In an environment variable.
    Variable(String),
    /// Nowhere: it is the default.
    Default,
}

impl Place {
    /// The place of a span of bytes in a file.
    pub(super) fn in_file(text: &str, span: &Range<usize>) -> Self {
        let start = excerpt::floor(text, span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        Place::File {
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            excerpt: Excerpt::new(text, span),
        }
    }

    /// Places of the file first, from top to bottom.
    fn order(&self) -> (u8, usize, usize) {
        match self {
            Place::File { line, column, .. } => (0, *line, *column),
            Place::Variable(_) => (1, 0, 0),
            Place::Default => (2, 0, 0),
        }
    }
}

/// One thing that is wrong. No text in it holds a secret, or characters that command a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// How bad it is.
    pub severity: Severity,
    /// Where it was written.
    pub place: Place,
    /// The key, such as `dataset[0].id`; empty when the file cannot be parsed.
    pub path: String,
    /// What was found.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

/// What a piece of a shown problem is, for the code that gives it a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// The word for the severity, and the marks below what is meant.
    Severity(Severity),
    /// The message.
    Message,
    /// Line numbers, rules and arrows.
    Frame,
    /// The word `help`.
    Help,
}

impl ConfigProblem {
    /// A problem whose texts may hold what was written; an empty help is none.
    pub(super) fn new(
        severity: Severity,
        place: Place,
        path: &str,
        message: &str,
        help: &str,
    ) -> Self {
        Self {
            severity,
            place,
            path: tame(path),
            message: tame(message),
            help: (!help.is_empty()).then(|| tame(help)),
        }
    }

    /// The line in the file, if that is where it is.
    pub fn line(&self) -> Option<usize> {
        match self.place {
            Place::File { line, .. } => Some(line),
            _ => None,
        }
    }

    /// The character of the line, if it is in the file.
    pub fn column(&self) -> Option<usize> {
        match self.place {
            Place::File { column, .. } => Some(column),
            _ => None,
        }
    }

    /// The problem as several lines for people. `file` is the name of the file, `paint` gives a
    /// piece its colour.
    pub fn render(&self, file: &str, paint: impl Fn(Ink, &str) -> String) -> String {
        let frame = |text: &str| paint(Ink::Frame, text);
        let mut shown = String::new();
        let severity = paint(Ink::Severity(self.severity), self.severity.name());
        let message = paint(Ink::Message, &self.message);
        // Writing to a string does not fail.
        let _ = writeln!(shown, "{severity}: {message}");
        let path = match self.path.as_str() {
            "" => String::new(),
            path => format!(" ({path})"),
        };
        match &self.place {
            Place::File {
                line,
                column,
                excerpt,
            } => {
                let number = line.to_string();
                let margin = " ".repeat(number.len());
                let arrow = frame("-->");
                let _ = writeln!(shown, "{margin}{arrow} {file}:{line}:{column}{path}");
                let indent = " ".repeat(excerpt.start_chars);
                let marks = "^".repeat(excerpt.len_chars);
                let marks = paint(Ink::Severity(self.severity), &marks);
                let rule = frame("|");
                let _ = writeln!(shown, "{margin} {rule}");
                let _ = writeln!(shown, "{} {rule} {}", frame(&number), excerpt.line);
                let _ = writeln!(shown, "{margin} {rule} {indent}{marks}");
            }
            Place::Variable(name) => {
                let arrow = frame("-->");
                let _ = writeln!(shown, " {arrow} environment variable {name}{path}");
            }
            Place::Default => {
                let arrow = frame("-->");
                let _ = writeln!(shown, " {arrow} not set in {file}{path}");
            }
        }
        if let Some(help) = &self.help {
            let _ = writeln!(shown, "  {}: {help}", paint(Ink::Help, "help"));
        }
        shown
    }
}

/// Everything that is wrong with a configuration, in the order of the file.
#[derive(Clone, PartialEq, Eq)]
pub struct Problems {
    file: String,
    list: Vec<ConfigProblem>,
}

impl Problems {
    pub(super) fn new(file: &str, mut list: Vec<ConfigProblem>) -> Self {
        list.sort_by_key(|problem| problem.place.order());
        let file = file.to_owned();
        Self { file, list }
    }

    /// The name of the file they are about.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// All of them, in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, ConfigProblem> {
        self.list.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        let same = self.list.iter().filter(|one| one.severity == severity);
        same.count()
    }

    /// Adds those of the same file.
    pub fn extend(&mut self, others: Problems) {
        self.list.extend(others.list);
        self.list.sort_by_key(|problem| problem.place.order());
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a ConfigProblem;
    type IntoIter = std::slice::Iter<'a, ConfigProblem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// All of them for people, without colours.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n" };
            let shown = problem.render(&self.file, |_, text| text.to_owned());
            write!(f, "{gap}{shown}")?;
        }
        Ok(())
    }
}

/// As people see them: that is what a failing test should print.
impl fmt::Debug for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for Problems {}
