//! The parts of a value that was read before: items of an array, members of an object.
//!
//! One after the other and never as a list: two bytes of `1,1,1` would take 24 in a list of values.

use std::borrow::Cow;

use super::{Raw, Reader};

/// The items of an array.
pub struct Items<'a> {
    reader: Reader<'a>,
    /// What stands before the next item.
    before: &'static str,
}

impl<'a> Items<'a> {
    pub(super) fn of(raw: Raw<'a>) -> Self {
        Self {
            reader: raw.reader(),
            before: "[",
        }
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Raw<'a>;

    fn next(&mut self) -> Option<Raw<'a>> {
        if !self.reader.take(self.before) {
            return None;
        }
        self.before = ",";
        // A `Raw` is known to be well formed: what is no value here is the end of an empty array.
        self.reader.value().ok()
    }
}

/// The members of an object.
pub struct Members<'a> {
    reader: Reader<'a>,
    /// What stands before the next member.
    before: &'static str,
}

impl<'a> Members<'a> {
    pub(super) fn of(raw: Raw<'a>) -> Self {
        Self {
            reader: raw.reader(),
            before: "{",
        }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, str>, Raw<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if !self.reader.take(self.before) {
            return None;
        }
        self.before = ",";
        // As in `Items`: what is no key here is the end of an empty object.
        let key = self.reader.key().ok()?;
        Some((key, self.reader.value().ok()?))
    }
}

/// The object or list that a text holds as JSON, as form senders write it.
pub(crate) fn inner(text: &str) -> Option<Raw<'_>> {
    let text = text.trim();
    text.starts_with(['[', '{'])
        .then(|| Raw::parse(text).ok())
        .flatten()
}

impl Raw<'_> {
    /// Whether an object is a list as PHP writes one that has gaps: all of its keys are whole numbers.
    pub(crate) fn is_numbered(self) -> bool {
        let is_number =
            |key: &str| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit());
        let mut keys = self.members().map(|(key, _)| key).peekable();
        keys.peek().is_some() && keys.all(|key| is_number(&key))
    }
}
