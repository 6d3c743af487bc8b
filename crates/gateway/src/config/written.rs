//! Reading values from the layers of the configuration: environment, file, defaults.
//!
//! A [`Reader`] stands for one table. It finds a key in the first layer that has it, says what is
//! wrong with its type, and at the end which keys nobody asked for. Problems are collected, never
//! returned, so that one run tells all of them.

use std::ffi::OsString;
use std::ops::Range;

use toml::de::{DeTable, DeValue};
use toml::{Spanned, de::DeInteger};

use super::environment::Environment;
use super::excerpt::may_be_shown;
use super::keys::{self, Section};
use super::problem::{Place, Problem, Severity};

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
    pub(super) list: Vec<Problem>,
}

impl<'t> Notes<'t> {
    /// None yet about this text.
    pub(super) fn new(text: &'t str) -> Self {
        let list = Vec::new();
        Self { text, list }
    }

    /// Notes an error in a value.
    pub(super) fn error<T>(&mut self, about: &Written<T>, message: impl Into<String>, help: &str) {
        self.note(
            Severity::Error,
            &about.origin,
            &about.path,
            &message.into(),
            help,
        );
    }

    /// Notes that a value is doubtful.
    pub(super) fn warning<T>(
        &mut self,
        about: &Written<T>,
        message: impl Into<String>,
        help: &str,
    ) {
        self.note(
            Severity::Warning,
            &about.origin,
            &about.path,
            &message.into(),
            help,
        );
    }

    /// Notes a problem; an empty help is none.
    pub(super) fn note(
        &mut self,
        severity: Severity,
        origin: &Origin,
        path: &str,
        message: &str,
        help: &str,
    ) {
        let place = self.place(origin);
        self.list
            .push(Problem::new(severity, place, path, message, help));
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
    /// From the environment, where everything is text.
    Variable(String),
    /// From a file.
    Value(&'a DeValue<'a>),
}

impl Found<'_> {
    /// What it is, for people. Texts are shown if they may be.
    fn describe(&self, may_show: bool) -> String {
        let text = match self {
            Found::Variable(text) => text,
            Found::Value(DeValue::String(text)) => text.as_ref(),
            Found::Value(DeValue::Integer(number)) if may_show => return number.to_string(),
            Found::Value(DeValue::Boolean(flag)) if may_show => return flag.to_string(),
            Found::Value(value) => return format!("{} {}", article(value), value.type_str()),
        };
        quoted(text, may_show)
    }
}

fn article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::Integer(_) | DeValue::Array(_) => "an",
        _ => "a",
    }
}

/// A text in quotes, if it may be shown.
pub(super) fn quoted(text: &str, may_show: bool) -> String {
    if may_show && may_be_shown(text) {
        format!("{text:?}")
    } else {
        "a text".to_owned()
    }
}

/// The environment variables of a table.
#[derive(Clone)]
pub(super) struct Variables<'a> {
    pub(super) environment: &'a dyn Environment,
    /// What their names start with.
    pub(super) prefix: String,
}

/// The layers of a table.
#[derive(Clone, Default)]
pub(super) struct Layers<'a> {
    /// The environment, if its variables can set keys of this table.
    pub(super) variables: Option<Variables<'a>>,
    /// The file.
    pub(super) file: Option<&'a DeTable<'a>>,
    /// The defaults.
    pub(super) defaults: Option<&'a DeTable<'a>>,
}

/// One table.
pub(super) struct Reader<'a, 'n, 't> {
    layers: Layers<'a>,
    section: Section,
    path: String,
    /// Where what is missing is missing.
    span: Origin,
    pub(super) notes: &'n mut Notes<'t>,
}

impl<'a, 'n, 't> Reader<'a, 'n, 't> {
    pub(super) fn new(
        section: Section,
        path: impl Into<String>,
        span: Origin,
        layers: Layers<'a>,
        notes: &'n mut Notes<'t>,
    ) -> Self {
        let path = path.into();
        Self {
            layers,
            section,
            path,
            span,
            notes,
        }
    }

    /// Where the table itself is.
    pub(super) fn place(&self) -> Written<()> {
        Written {
            value: (),
            origin: self.span.clone(),
            path: self.path.clone(),
        }
    }

    /// The value of a key, from the first layer that has it.
    pub(super) fn find(&mut self, key: &'static str) -> Option<Written<Found<'a>>> {
        debug_assert!(self.section.keys.contains(&key), "{key} is listed");
        let path = format!("{}.{key}", self.path);
        if let Some((name, value)) = self.variable(key) {
            let origin = Origin::Variable(name);
            let Some(text) = value.to_str() else {
                let about = format!("{path} cannot be read: the variable is not UTF-8");
                self.notes.note(Severity::Error, &origin, &path, &about, "");
                return None;
            };
            return Some(Written {
                value: Found::Variable(text.to_owned()),
                origin,
                path,
            });
        }
        let in_file = self.layers.file.and_then(|table| table.get(key));
        let origin = in_file.map_or(Origin::Default, |value| Origin::File(value.span()));
        let value = in_file.or_else(|| self.layers.defaults?.get(key))?;
        Some(Written {
            value: Found::Value(value.get_ref()),
            origin,
            path,
        })
    }

    /// The variable that sets a key, if there is one. An empty one is none.
    fn variable(&self, key: &str) -> Option<(String, OsString)> {
        let variables = self.layers.variables.as_ref()?;
        let name = self.section.variable(&variables.prefix, key)?;
        let value = variables.environment.get(&name)?;
        (!value.is_empty()).then_some((name, value))
    }

    /// Notes that a key is missing, if no layer has it.
    pub(super) fn require(&mut self, key: &'static str, help: &str) {
        let layers = [self.layers.file, self.layers.defaults];
        if self.variable(key).is_none()
            && !layers.iter().flatten().any(|table| table.contains_key(key))
        {
            let path = format!("{}.{key}", self.path);
            let message = format!("{} has no {key}", self.section.header());
            self.notes
                .note(Severity::Error, &self.span, &path, &message, help);
        }
    }

    /// A text.
    pub(super) fn text(&mut self, key: &'static str) -> Option<Written<String>> {
        let found = self.find(key)?;
        let text = match &found.value {
            Found::Variable(text) => text.clone(),
            Found::Value(DeValue::String(text)) => text.clone().into_owned(),
            other @ Found::Value(_) => {
                let other = other.describe(keys::is_plain(key));
                let message = format!("{key} is a text, found {other}");
                self.notes.error(&found, message, "write it in quotes");
                return None;
            }
        };
        Some(found.with(text))
    }

    /// A moment: as a text, or as TOML writes it, without quotes.
    pub(super) fn moment(&mut self, key: &'static str) -> Option<Written<String>> {
        let found = self.find(key)?;
        match &found.value {
            Found::Value(DeValue::Datetime(moment)) => Some(found.with(moment.to_string())),
            _ => self.text(key),
        }
    }

    /// A whole number, not below 0.
    pub(super) fn number(&mut self, key: &'static str) -> Option<Written<u64>> {
        let found = self.find(key)?;
        let number = match &found.value {
            Found::Variable(text) => text.trim().replace('_', "").parse().ok(),
            Found::Value(DeValue::Integer(number)) => integer(number),
            Found::Value(_) => None,
        };
        if number.is_none() {
            let other = found.value.describe(true);
            let unit = unit(key).map(|unit| format!(" of {unit}"));
            let unit = unit.unwrap_or_default();
            let message = format!("{key} is a whole number{unit}, found {other}");
            let help = match &found.value {
                Found::Value(DeValue::String(_)) => "write it without quotes and without a unit",
                _ => "",
            };
            self.notes.error(&found, message, help);
        }
        Some(found.with(number?))
    }

    /// Yes or no.
    pub(super) fn flag(&mut self, key: &'static str) -> Option<Written<bool>> {
        let found = self.find(key)?;
        let flag = match &found.value {
            Found::Variable(text) => text.trim().parse().ok(),
            Found::Value(value) => value.as_bool(),
        };
        if flag.is_none() {
            let other = found.value.describe(true);
            let message = format!("{key} is true or false, found {other}");
            self.notes.error(&found, message, "");
        }
        Some(found.with(flag?))
    }

    /// A list of texts. Those that are none are noted and left out.
    pub(super) fn texts(&mut self, key: &'static str) -> Option<Written<Vec<Written<String>>>> {
        let found = self.find(key)?;
        if let Found::Variable(text) = &found.value {
            let words = text
                .split(',')
                .map(str::trim)
                .filter(|word| !word.is_empty());
            let words = words.map(|word| found.with(word.to_owned())).collect();
            return Some(found.with(words));
        }
        let Found::Value(DeValue::Array(values)) = &found.value else {
            let other = found.value.describe(keys::is_plain(key));
            let message = format!("{key} is a list of texts, found {other}");
            let help = format!("write {key} = [\"…\"]");
            self.notes.error(&found, message, &help);
            return None;
        };
        let mut texts = Vec::new();
        for (index, value) in values.iter().enumerate() {
            let one = Written {
                value: Found::Value(value.get_ref()),
                origin: Origin::File(value.span()),
                path: format!("{}[{index}]", found.path),
            };
            if let Some(text) = value.get_ref().as_str() {
                texts.push(one.with(text.to_owned()));
            } else {
                let other = one.value.describe(keys::is_plain(key));
                let message = format!("{key} is a list of texts, found {other} in it");
                self.notes.error(&one, message, "write it in quotes");
            }
        }
        Some(found.with(texts))
    }

    /// Notes the keys of the file that do not exist.
    pub(super) fn finish(self) {
        let Some(table) = self.layers.file else {
            return;
        };
        let header = self.section.header();
        for (key, _) in table {
            let name = key.get_ref().as_ref();
            if self.section.keys.contains(&name) {
                continue;
            }
            let known = self.section.keys;
            let help = match (
                keys::suggestion(name, known.iter().copied()),
                keys::home(name),
            ) {
                (Some(meant), _) => format!("did you mean {meant}?"),
                (None, Some(home)) => format!("it belongs into {}", home.header()),
                (None, None) => format!("{header} has {}", known.join(", ")),
            };
            let message = |name: &str| format!("{header} has no key {name}");
            unknown(self.notes, key, &self.path, message, &help);
        }
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
    let origin = Origin::File(key.span());
    notes.note(Severity::Error, &origin, &path, &message, help);
}

fn integer(number: &DeInteger<'_>) -> Option<u64> {
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// What a number counts, as the end of its key says.
fn unit(key: &str) -> Option<&'static str> {
    const UNITS: [(&str, &str); 6] = [
        ("_ms", "milliseconds"),
        ("_s", "seconds"),
        ("_days", "days"),
        ("_bytes_max", "bytes"),
        ("body_bytes_max", "bytes"),
        ("events_max", "events"),
    ];
    let unit = UNITS.iter().find(|(end, _)| key.ends_with(end));
    unit.map(|(_, unit)| *unit)
}
