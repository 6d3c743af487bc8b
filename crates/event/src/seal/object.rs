//! Writing `custom_data` and the other objects: each value by its shape, a bad one left out.

use std::borrow::Cow;

use super::scan::{has_contact, has_infinite, has_personal, is_half_surrogate, is_ordinary};

use crate::amount;
use crate::code::Code;
use crate::contact;
use crate::contact_key::{self, Around};
use crate::finding::{Findings, Path, shown};
use crate::json::{self, Kind, Raw};
use crate::money::Currency;
use crate::nothing;
use crate::objection;
use crate::personal;
use crate::properties::Properties;
use crate::shape::{self, Keys, Shape, Table};
use crate::switch::{self, Switch};
use crate::time;

/// What to do with a key that the table does not know.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// It is a property of the sender's own.
    Pass,
    /// Meta knows no such key here, so it could be anything.
    Drop,
}

/// Writes values and collects what was wrong with them.
pub(super) struct Writer<'f> {
    pub(super) findings: &'f mut Findings,
    /// The currency of the event's amounts, if it names one.
    pub(super) currency: Option<Currency>,
}

/// A path that is only made when there is something to say.
pub(super) type PathOf<'p> = &'p dyn Fn() -> Path;

/// What an object has to do with its members.
pub(super) trait Members {
    /// Whether a member may be sent.
    fn wants(&self, _findings: &mut Findings, _key: &str, _path: PathOf<'_>) -> bool {
        true
    }

    /// Hears of a member that was written, and of its value in JSON.
    fn written(&mut self, _key: &str, _value: &str) {}
}

/// An object whose members are all alike.
pub(super) struct AllMembers;

impl Members for AllMembers {}

impl Writer<'_> {
    /// Writes those of an object's members that may be sent, and tells which were written.
    /// Nothing is written, braces included, when no member is left.
    pub(super) fn properties(
        &mut self,
        properties: &Properties<'_>,
        section: &str,
        (table, unknown): (&Table, Unknown),
        out: &mut String,
        members: &mut impl Members,
    ) -> Keys {
        let mut keys = Keys::default();
        let start = out.len();
        out.push('{');
        for property in &properties.0 {
            let path = || property.path(section);
            let key = &*property.key;
            let place = table.find(key.as_bytes());
            if !members.wants(self.findings, key, &path) {
                continue;
            }
            let raw = property.value.raw();
            // Behind a comma, but for the first member, and the key.
            let value_at = out.len() + usize::from(!out.ends_with('{')) + key.len() + "\"\":".len();
            let is_contents = place.map(|place| table.shape(place)) == Some(Shape::Contents);
            let is_written = if property.is_usual && is_contents {
                open(key, out);
                out.push_str(raw.text());
                true
            } else {
                self.member(key, raw, (table, place, unknown), &path, out)
            };
            if is_written {
                keys.insert(place);
            }
            // A key of Meta's has nothing to escape in it.
            if is_written && place.is_some() {
                members.written(key, &out[value_at..]);
            }
        }
        close(out, start, '}');
        keys
    }

    /// Writes an object of the input by a table.
    fn object(&mut self, raw: Raw<'_>, table: &Table, path: PathOf<'_>, out: &mut String) -> bool {
        let start = out.len();
        out.push('{');
        for (key, value) in raw.members() {
            let member_path = || path().key(&key);
            let place = (table, table.find(key.as_bytes()), Unknown::Pass);
            self.member(&key, value, place, &member_path, out);
        }
        close(out, start, '}')
    }

    /// Writes `"key":value` and a comma before it where one is due; tells whether it did.
    pub(super) fn member(
        &mut self,
        key: &str,
        raw: Raw<'_>,
        (table, place, unknown): (&Table, Option<usize>, Unknown),
        path: PathOf<'_>,
        out: &mut String,
    ) -> bool {
        let shape = place.map(|place| table.shape(place));
        if raw.kind() == Kind::Null {
            return false;
        }
        if shape.is_none() && !self.may_pass((key, raw), table, unknown, path) {
            return false;
        }
        // Nearly every text is plain, and there is nothing more to look for in it.
        if matches!(shape, Some(Shape::Text | Shape::Id))
            && (raw.plain_text()).is_some_and(|text| nothing::is_plain(text.as_bytes()))
        {
            open(key, out);
            out.push_str(raw.text());
            return true;
        }
        let is_ordinary = is_ordinary(raw);
        let is_free_text = shape == Some(Shape::Text) && personal::may_hold(raw.text());
        if (!is_ordinary || is_free_text || shape.is_none())
            && !self.is_clean((key, raw), shape, path)
        {
            return false;
        }
        let start = out.len();
        if shape.is_some() {
            open(key, out);
        } else {
            if !out.ends_with('{') {
                out.push(',');
            }
            json::write_text(out, key);
            out.push(':');
        }
        let is_written = self.value(shape.unwrap_or(Shape::Any), raw, path, out);
        if !is_written {
            out.truncate(start);
        }
        is_written
    }

    /// Whether a value with unusual bytes in it may be sent.
    fn is_clean(
        &mut self,
        (key, raw): (&str, Raw<'_>),
        shape: Option<Shape>,
        path: PathOf<'_>,
    ) -> bool {
        // Members of these are looked at one by one, so that only the offending one is left out.
        let is_table = matches!(
            shape,
            Some(Shape::Contents | Shape::StoreData | Shape::AttributionSetting)
        );
        let has_contact = match shape {
            None => has_personal(raw, Around::within(key)),
            Some(Shape::Text) => has_personal(raw, Around::Things),
            Some(_) => !is_table && has_contact(raw),
        };
        if has_contact {
            self.contact(path);
            return false;
        }
        if raw.text().contains(char::REPLACEMENT_CHARACTER) || is_half_surrogate(raw) {
            let is_id = shape == Some(Shape::Id);
            let message = if is_id {
                "the id is damaged, and may be what is left of another; left out"
            } else {
                "the text is damaged; what was lost is sent as U+FFFD"
            };
            self.findings.add(Code::TextDamaged, path(), message);
            return !is_id;
        }
        true
    }

    fn contact(&mut self, path: PathOf<'_>) {
        let message = "holds contact data in the clear; left out";
        self.findings.add(Code::CustomDataContact, path(), message);
    }

    fn may_pass(
        &mut self,
        (key, value): (&str, Raw<'_>),
        table: &Table,
        unknown: Unknown,
        path: PathOf<'_>,
    ) -> bool {
        if contact::is_contact(key) {
            self.contact(path);
            return false;
        }
        // Elsewhere a `name` is that of a product.
        let around = if std::ptr::eq(table, &raw const shape::CUSTOM_DATA) {
            Around::Event
        } else {
            Around::Things
        };
        if contact_key::tells(key, value, around) {
            let message = "the name says contact data, which belongs into user_data; left out";
            self.findings.add(Code::CustomDataContact, path(), message);
            return false;
        }
        if objection::is_objection(key, value) {
            let message = "says that the person objects; as a property it restricts nothing";
            self.findings.add(Code::ObjectionUnused, path(), message);
        }
        let meant = if self.findings.is_full() {
            None
        } else {
            shape::did_you_mean(table.keys(), key)
        };
        match (unknown, meant) {
            (Unknown::Pass, Some(meant)) => {
                let message = format!("a custom property; did you mean {meant}?");
                self.findings.add(Code::CustomKeyClose, path(), message);
            }
            (Unknown::Drop, meant) => {
                let guess = meant.map(|meant| format!("; did you mean {meant}?"));
                let message = format!("unknown key, not sent{}", guess.unwrap_or_default());
                self.findings.add(Code::KeyUnknown, path(), message);
                return false;
            }
            _ => {}
        }
        true
    }

    fn value(&mut self, shape: Shape, raw: Raw<'_>, path: PathOf<'_>, out: &mut String) -> bool {
        match shape {
            Shape::Any => self.any(raw, path, out),
            Shape::Text => self.text(raw, nothing::is_unsaid, path, out),
            Shape::Id => self.text(raw, nothing::is_missing, path, out),
            Shape::Number => self.number(raw, path, out),
            Shape::Money | Shape::Price => self.money(shape, raw, path, out),
            Shape::Integer => self.integer(raw, path, out),
            Shape::Flag => self.flag(raw, path, out),
            Shape::Currency => self.currency(raw, path, out),
            Shape::Time => self.time(raw, path, out),
            Shape::Enum(values) => self.one_of(values, raw, path, out),
            Shape::List => self.list(raw, path, out),
            Shape::Contents => self.contents(raw, path, out),
            Shape::Extinfo => self.extinfo(raw, path, out),
            Shape::StoreData => self.nested(raw, &shape::STORE_DATA, path, out),
            Shape::AttributionSetting => self.nested(raw, &shape::ATTRIBUTION_SETTING, path, out),
        }
    }

    pub(super) fn wrong_type(&mut self, expected: &str, raw: Raw<'_>, path: PathOf<'_>) -> bool {
        let message = format!("expected {expected}, found {}; left out", raw.kind());
        self.findings.add(Code::ValueType, path(), message);
        false
    }

    fn any(&mut self, raw: Raw<'_>, path: PathOf<'_>, out: &mut String) -> bool {
        if has_infinite(raw) {
            return self.wrong_type("numbers that a computer can hold", raw, path);
        }
        if raw.kind() == Kind::Text
            && (raw.as_text()).is_some_and(|text| nothing::is_trace_or_template(text.trim()))
        {
            return self.says_nothing(path);
        }
        json::write_clean(out, raw);
        true
    }

    /// Says that a text is a word for nothing.
    fn says_nothing(&mut self, path: PathOf<'_>) -> bool {
        let message = "holds a word for nothing, or a template that was not filled in; left out";
        self.findings.add(Code::ValuePlaceholder, path(), message);
        false
    }

    /// Whether a text is neither blank nor, by this rule, a word for nothing.
    pub(super) fn says(
        &mut self,
        raw: Raw<'_>,
        is_nothing: fn(&str) -> bool,
        path: PathOf<'_>,
    ) -> bool {
        let text = raw.as_text().unwrap_or_default();
        let text = text.trim();
        if text.is_empty() {
            let message = "an empty text; left out";
            self.findings.add(Code::ValueEmpty, path(), message);
            return false;
        }
        !is_nothing(text) || self.says_nothing(path)
    }

    fn text(
        &mut self,
        raw: Raw<'_>,
        is_nothing: fn(&str) -> bool,
        path: PathOf<'_>,
        out: &mut String,
    ) -> bool {
        match raw.kind() {
            Kind::Text => {
                let is_said = self.says(raw, is_nothing, path);
                if is_said {
                    json::write_clean(out, raw);
                }
                is_said
            }
            Kind::Number => {
                json::write_text(out, &raw.as_digits().unwrap_or_default());
                true
            }
            Kind::Bool => {
                json::write_text(out, raw.text());
                true
            }
            _ => self.wrong_type("a string", raw, path),
        }
    }

    fn integer(&mut self, raw: Raw<'_>, path: PathOf<'_>, out: &mut String) -> bool {
        if is_count(raw.text()) {
            out.push_str(raw.text());
            return true;
        }
        let text: Cow<'_, str> = match raw.kind() {
            Kind::Number => raw.as_digits().unwrap_or_default(),
            Kind::Text => raw.as_text().unwrap_or_default(),
            _ => return self.wrong_type("a whole number", raw, path),
        };
        let Some(number) = amount::whole_number(&text) else {
            return self.wrong_type("a whole number", raw, path);
        };
        if let Cow::Owned(read) = &number {
            let message = format!("read as {}", shown(read));
            self.findings.add(Code::ValueCleaned, path(), message);
        }
        out.push_str(&number);
        true
    }

    fn flag(&mut self, raw: Raw<'_>, path: PathOf<'_>, out: &mut String) -> bool {
        match (raw.text(), switch::switch(raw)) {
            // 0 and 1 are documented beside true and false, so they stay what they are.
            (text @ ("0" | "1"), _) => out.push_str(text),
            (_, Switch::Said(true)) => out.push_str("true"),
            (_, Switch::Said(false)) => out.push_str("false"),
            (_, Switch::Nothing) => return self.says_nothing(path),
            _ => return self.wrong_type("true or false", raw, path),
        }
        true
    }

    fn currency(&mut self, raw: Raw<'_>, path: PathOf<'_>, out: &mut String) -> bool {
        let Some(text) = raw.as_text() else {
            return self.wrong_type("a currency code", raw, path);
        };
        let Some(currency) = Currency::parse(&text) else {
            let message = format!("found {}, no currency of ISO 4217; left out", shown(&text));
            self.findings.add(Code::CurrencyUnknown, path(), message);
            return false;
        };
        if currency.is_withdrawn() {
            let message = format!("{} was withdrawn", currency.code());
            self.findings.add(Code::CurrencyWithdrawn, path(), message);
        }
        out.push('"');
        out.push_str(currency.code());
        out.push('"');
        true
    }

    fn time(&mut self, raw: Raw<'_>, path: PathOf<'_>, out: &mut String) -> bool {
        match time::parse(raw) {
            Ok(time) => {
                json::write_number(out, time.unix_s);
                true
            }
            Err(_) => self.wrong_type("a time in Unix seconds or ISO 8601 with a zone", raw, path),
        }
    }

    fn one_of(
        &mut self,
        values: &[&str],
        raw: Raw<'_>,
        path: PathOf<'_>,
        out: &mut String,
    ) -> bool {
        let Some(text) = raw.as_text() else {
            return self.wrong_type("a string", raw, path);
        };
        let folded = text.trim().to_ascii_lowercase().replace([' ', '-'], "_");
        let Some(value) = values.iter().find(|value| **value == folded) else {
            let message = format!(
                "found {}; one of {}; left out",
                shown(&text),
                values.join(", ")
            );
            self.findings.add(Code::EnumUnknown, path(), message);
            return false;
        };
        json::write_text(out, value);
        true
    }

    fn nested(&mut self, raw: Raw<'_>, table: &Table, path: PathOf<'_>, out: &mut String) -> bool {
        if raw.kind() == Kind::Object {
            self.object(raw, table, path, out)
        } else {
            self.wrong_type("an object", raw, path)
        }
    }
}

/// Writes a key of a table, which needs no escapes, and a comma before it where one is due.
#[inline]
fn open(key: &str, out: &mut String) {
    if out.as_bytes().last() != Some(&b'{') {
        out.push(',');
    }
    out.push('"');
    out.push_str(key);
    out.push_str("\":");
}

/// Closes what was opened at `start`; takes the opening back when nothing was written since.
pub(super) fn close(out: &mut String, start: usize, bracket: char) -> bool {
    if out.len() == start + 1 {
        out.truncate(start);
        return false;
    }
    out.push(bracket);
    true
}

/// Whether a number is written as a whole one that every reader holds.
pub(super) fn is_integer(number: &str) -> bool {
    const DIGITS_MAX: usize = 18;
    let digits = number.strip_prefix('-').unwrap_or(number);
    digits.len() <= DIGITS_MAX && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a JSON value is a whole number above 0, written as such.
fn is_count(text: &str) -> bool {
    let mut digits = text.bytes();
    text.len() <= 18
        && matches!(digits.next(), Some(b'1'..=b'9'))
        && digits.all(|byte| byte.is_ascii_digit())
}

/// The list or object that a string holds as JSON text, as form senders write it.
pub(super) fn inner_list(raw: Raw<'_>) -> Option<String> {
    let text = raw.as_text()?;
    json::inner(&text).map(|inner| inner.text().to_owned())
}
