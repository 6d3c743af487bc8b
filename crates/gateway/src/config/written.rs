//! Values with the place where each was written, and problems as they are found in them.
//!
//! Problems are collected, never returned, so that one run tells all of them.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::excerpt::{may_be_shown, quoted};
use super::problem::{ConfigProblem, Place, Severity};

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// From these bytes of the file.
    File(Range<usize>),
    /// From this environment variable.
    Variable(String),
    /// From nobody: it is the default.
    Default,
}

/// A value, and where it was written.
#[derive(Debug, Clone)]
pub(super) struct Written<T> {
    pub(super) value: T,
    pub(super) origin: Origin,
    /// Its key: `dataset[0].id`.
    pub(super) path: String,
}

impl<T> Written<T> {
    pub(super) fn new(value: T, origin: Origin, path: impl Into<String>) -> Self {
        let path = path.into();
        Self {
            value,
            origin,
            path,
        }
    }

    /// Another value from the same place.
    pub(super) fn with<U>(&self, value: U) -> Written<U> {
        Written {
            value,
            origin: self.origin.clone(),
            path: self.path.clone(),
        }
    }
}

/// Problems as they are found.
pub(super) struct Notes<'t> {
    text: &'t str,
    pub(super) list: Vec<ConfigProblem>,
}

impl<'t> Notes<'t> {
    /// None yet about this text.
    pub(super) fn new(text: &'t str) -> Self {
        let list = Vec::new();
        Self { text, list }
    }

    /// Notes an error in a value; an empty help is none.
    pub(super) fn error<T>(&mut self, about: &Written<T>, message: impl Into<String>, help: &str) {
        self.note(Severity::Error, about, &message.into(), help);
    }

    /// Notes that a value is doubtful.
    pub(super) fn warning<T>(
        &mut self,
        about: &Written<T>,
        message: impl Into<String>,
        help: &str,
    ) {
        self.note(Severity::Warning, about, &message.into(), help);
    }

    fn note<T>(&mut self, severity: Severity, about: &Written<T>, message: &str, help: &str) {
        let place = self.place(&about.origin);
        let problem = ConfigProblem::new(severity, place, &about.path, message, help);
        self.list.push(problem);
    }

    /// Where something is.
    pub(super) fn place(&self, origin: &Origin) -> Place {
        match origin {
            Origin::File(span) => Place::in_file(self.text, span),
            Origin::Variable(name) => Place::Variable(name.clone()),
            Origin::Default => Place::Default,
        }
    }

    /// Whether anything was found that forbids to go on.
    pub(super) fn has_errors(&self) -> bool {
        let mut list = self.list.iter();
        list.any(|problem| problem.severity == Severity::Error)
    }
}

/// A value before its type is known.
pub(super) enum Found<'a> {
    /// From the environment, where everything is text, or the default, which is written so too.
    Text(String),
    /// From a variable that is not UTF-8.
    NoText,
    /// From the file.
    Value(&'a DeValue<'a>),
}

impl Found<'_> {
    /// What it is, for people. Texts are shown if they may be.
    pub(super) fn describe(&self, may_show: bool) -> String {
        let text = match self {
            Found::Text(text) => text,
            Found::NoText => "",
            Found::Value(DeValue::String(text)) => text.as_ref(),
            Found::Value(DeValue::Integer(number)) if may_show => return number.to_string(),
            Found::Value(DeValue::Boolean(flag)) if may_show => return flag.to_string(),
            Found::Value(value @ (DeValue::Integer(_) | DeValue::Array(_))) => {
                return format!("an {}", value.type_str());
            }
            Found::Value(value) => return format!("a {}", value.type_str()),
        };
        quoted(text, may_show)
    }
}

/// Notes a key that does not exist.
pub(super) fn unknown(
    notes: &mut Notes<'_>,
    key: &Spanned<std::borrow::Cow<'_, str>>,
    path: &str,
    message: impl FnOnce(&str) -> String,
    help: &str,
) {
    let shown = if may_be_shown(key.get_ref()) {
        key.get_ref().escape_debug().to_string()
    } else {
        "…".to_owned()
    };
    let path = match path {
        "" => shown.clone(),
        path => format!("{path}.{shown}"),
    };
    let message = message(&shown);
    let about = Written::new((), Origin::File(key.span()), path);
    notes.error(&about, message, help);
}
