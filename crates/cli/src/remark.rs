//! A finding as people and programs see it.

use std::borrow::Cow;

use anstyle::Style;
use serde::{Deserialize, Serialize};
use sluice_event::{Code, Finding, Findings};

use crate::failure::Failure;
use crate::output::{CYAN, DIM, MAGENTA, Output, RED, YELLOW, painted, printable};

/// A finding, of our own or as a gateway told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remark<'a> {
    severity: Cow<'a, str>,
    code: Cow<'a, str>,
    /// Within the event.
    path: Cow<'a, str>,
    message: Cow<'a, str>,
    #[serde(default)]
    help: Cow<'a, str>,
    /// Where the rule comes from; a gateway does not tell.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    source: Cow<'a, str>,
}

impl<'a> Remark<'a> {
    pub(crate) fn new(code: Code, path: &'a str, message: &'a str) -> Self {
        Self {
            severity: code.severity().name().into(),
            code: code.name().into(),
            path: path.into(),
            message: message.into(),
            help: code.help().into(),
            source: code.source().into(),
        }
    }

    pub(crate) fn of(finding: &'a Finding) -> Self {
        Self::new(finding.code, finding.path.as_str(), &finding.message)
    }

    /// All of an event, the worst first, as a gateway tells them.
    pub(crate) fn all(findings: &'a Findings) -> Vec<Self> {
        let mut all: Vec<_> = findings.iter().map(Self::of).collect();
        all.sort_by_key(Self::rank);
        all
    }

    pub(crate) fn into_owned(self) -> Remark<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Remark {
            severity: owned(self.severity),
            code: owned(self.code),
            path: owned(self.path),
            message: owned(self.message),
            help: owned(self.help),
            source: owned(self.source),
        }
    }

    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// From 0 for the worst.
    pub(crate) fn rank(&self) -> usize {
        let names = ["error", "repaired", "warning", "hint"];
        let known = names.iter().position(|name| *name == self.severity);
        known.unwrap_or(names.len())
    }

    /// A block of lines; `place` is where in the body.
    pub(crate) fn show(&self, output: &mut Output, place: &str) -> Result<(), Failure> {
        self.show_lines(output, place, &[&*self.message])
    }

    /// The same with other lines in the place of the message.
    pub(crate) fn show_lines(
        &self,
        output: &mut Output,
        place: &str,
        lines: &[impl AsRef<str>],
    ) -> Result<(), Failure> {
        let (symbol, style) = mark(&self.severity);
        let head = format!("{symbol} {}[{}]", self.severity, self.code);
        let head = painted(style, printable(&head).into_owned());
        writeln!(output, "  {head} {}", printable(place))?;
        for line in lines {
            writeln!(output, "    {}", printable(line.as_ref()))?;
        }
        let more = [("help:", CYAN, &self.help), ("source:", DIM, &self.source)];
        for (label, style, text) in more {
            if !text.is_empty() {
                writeln!(output, "    {} {}", painted(style, label), printable(text))?;
            }
        }
        Ok(())
    }
}

/// Where in the body: `data[3].user_data.em`.
pub(crate) fn place(event: &str, path: &str) -> String {
    match (event, path) {
        ("", "") => "(the whole event)".to_owned(),
        ("", path) => path.to_owned(),
        (event, "") => event.to_owned(),
        (event, path) if path.starts_with('[') => format!("{event}{path}"),
        (event, path) => format!("{event}.{path}"),
    }
}

fn mark(severity: &str) -> (char, Style) {
    match severity {
        "error" => ('✖', RED),
        "repaired" => ('✎', MAGENTA),
        "warning" => ('⚠', YELLOW),
        _ => ('·', CYAN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_paths_from_the_body() {
        assert_eq!(place("data[3]", "user_data.em"), "data[3].user_data.em");
        assert_eq!(place("data[3]", ""), "data[3]");
        assert_eq!(place("", "user_data"), "user_data");
        assert_eq!(place("[0]", "[\"a b\"]"), "[0][\"a b\"]");
    }
}
