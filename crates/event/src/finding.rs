//! Findings: what is wrong or worth saying about an event, and where.
//!
//! A finding never shows a value from `user_data`, nor any text that could be contact data: it
//! says what was found by kind and length, and names the place by path.

use std::fmt::{self, Write as _};

use crate::code::Code;
use crate::contact;
use crate::limits::FINDINGS_MAX;
use crate::severity::Severity;

/// A place in an event, such as `custom_data.contents[1].id`; empty for the event itself. Of an event that was made of
/// another document it is the place in that, such as `$.customer.email`.
///
/// A path always leads to something that is in the input. What is missing is reported at the
/// object that lacks it. A key that looks like contact data ends the path at its parent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Path {
    text: String,
    is_cut: bool,
}

/// The longest key that a path shows, in bytes.
const KEY_BYTES_MAX: usize = 64;

impl Path {
    /// The event itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// The document of a source of another form, from which an event was made: `$`.
    pub fn document() -> Self {
        Self::root().key("$")
    }

    /// The member `key` of this place.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        self.is_cut |= key.len() > KEY_BYTES_MAX || contact::could_be_contact(key);
        if self.is_cut {
            return self;
        }
        let is_plain = !key.is_empty()
            && key
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'$'));
        if is_plain {
            if !self.text.is_empty() {
                self.text.push('.');
            }
            self.text.push_str(key);
        } else {
            self.text.push('[');
            crate::json::write_text(&mut self.text, key);
            self.text.push(']');
        }
        self
    }

    /// The item `index` of this place, counted from 0.
    #[must_use]
    pub fn index(mut self, index: usize) -> Self {
        if !self.is_cut {
            // Writing to a `String` cannot fail.
            let _ = write!(self.text, "[{index}]");
        }
        self
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// One problem or remark about an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which rule it is about: stable, for programs.
    pub code: Code,
    /// Where, within the event.
    pub path: Path,
    /// What was found, for people; no personal data.
    pub message: String,
}

impl Finding {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }

    /// What would be right.
    pub fn help(&self) -> &'static str {
        self.code.help()
    }

    /// Where the rule comes from.
    pub fn source(&self) -> &'static str {
        self.code.source()
    }
}

/// The findings about one event, in the order in which they were made.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    list: Vec<Finding>,
    unlisted: usize,
    has_error: bool,
}

impl Findings {
    /// No findings yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a finding; beyond [`FINDINGS_MAX`] it is only counted, but for an error, which takes the place of
    /// the last one: it says why the event is refused.
    pub fn add(&mut self, code: Code, path: Path, message: impl Into<String>) {
        let is_error = code.severity() == Severity::Error;
        self.has_error |= is_error;
        if self.is_full() {
            self.unlisted += 1;
            if !is_error {
                return;
            }
            self.list.pop();
        }
        self.list.push(Finding {
            code,
            path,
            message: message.into(),
        });
    }

    /// Whether further findings are only counted, so that it is no use to word them well.
    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= FINDINGS_MAX
    }

    /// Whether the event cannot be sent.
    pub fn has_error(&self) -> bool {
        self.has_error
    }

    /// Whether there is a finding with this code.
    pub fn has(&self, code: Code) -> bool {
        self.list.iter().any(|finding| finding.code == code)
    }

    /// Whether there was a time that could not be read, so that it is not missing.
    pub(crate) fn has_unreadable_time(&self) -> bool {
        self.has(Code::EventTimeInvalid) || self.has(Code::EventTimeNoZone)
    }

    /// The findings.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.list.iter()
    }

    /// How many findings were counted but not kept.
    pub fn unlisted(&self) -> usize {
        self.unlisted
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl<'f> IntoIterator for &'f Findings {
    type Item = &'f Finding;
    type IntoIter = std::slice::Iter<'f, Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Findings {
    type Item = Finding;
    type IntoIter = std::vec::IntoIter<Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

/// `text` quoted for a message where it is harmless, else described by its length.
///
/// Only for values from closed vocabularies (an event name, a currency): what a sender put there by
/// mistake may be an address, a phone number or a whole document.
pub(crate) fn shown(text: &str) -> String {
    let is_harmless = text.len() <= 40
        && !contact::could_be_contact(text)
        && text.chars().all(|c| !c.is_control());
    if is_harmless {
        format!("`{text}`")
    } else {
        of_length(text)
    }
}

/// A text by its length alone.
pub(crate) fn of_length(text: &str) -> String {
    match text.chars().count() {
        1 => "a text of 1 character".to_owned(),
        count => format!("a text of {count} characters"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_quote_what_is_not_a_plain_key() {
        let path = Path::root().key("custom_data").key("a.b").index(2);
        assert_eq!(path.as_str(), "custom_data[\"a.b\"][2]");
    }

    #[test]
    fn paths_stop_before_a_key_that_is_contact_data() {
        let path = Path::root()
            .key("custom_data")
            .key("john@example.com")
            .key("x")
            .index(1);
        assert_eq!(path.as_str(), "custom_data");
    }

    #[test]
    fn shows_only_what_cannot_be_personal() {
        assert_eq!(shown("EURO"), "`EURO`");
        assert_eq!(shown("john@example.com"), "a text of 16 characters");
        assert_eq!(shown("16505551212"), "a text of 11 characters");
    }
}
