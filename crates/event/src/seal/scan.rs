//! Looking at values by their bytes: what could be contact data, damaged text or no number at all.

use crate::bytes::{self, Unusual};
use crate::contact;
use crate::contact_key::{self, Around};
use crate::json::{self, Kind, Raw};
use crate::personal;

/// Whether a value holds, at any depth, a number too large for a float: other readers refuse the
/// whole text for it.
pub(super) fn has_infinite(raw: Raw<'_>) -> bool {
    const DIGITS_MAX: usize = 300;
    let text = raw.text().as_bytes();
    let may_be = text.len() > DIGITS_MAX || memchr::memchr2(b'e', b'E', text).is_some();
    match raw.kind() {
        Kind::Number => may_be && !raw.text().parse::<f64>().is_ok_and(f64::is_finite),
        Kind::Array => may_be && raw.items().any(has_infinite),
        Kind::Object => may_be && raw.members().any(|(_, value)| has_infinite(value)),
        _ => false,
    }
}

/// Whether decoding a string's escapes loses something.
pub(super) fn is_half_surrogate(raw: Raw<'_>) -> bool {
    memchr::memchr(b'\\', raw.text().as_bytes()).is_some()
        && raw
            .as_text()
            .is_some_and(|text| text.contains(char::REPLACEMENT_CHARACTER))
}

/// Whether a value, at any depth, holds contact data: by its text, or by the name of a key.
pub(super) fn has_contact(raw: Raw<'_>) -> bool {
    holds(raw, Around::Things, contact::holds_contact)
}

/// The same of a value in which nobody but the sender knows what stands: also by the shape of other numbers of a
/// person's.
pub(super) fn has_personal(raw: Raw<'_>, around: Around) -> bool {
    holds(raw, around, personal::holds_personal)
}

/// Whether a value holds contact data by `is_it`, or by the names in it, which stand among `around`.
fn holds(raw: Raw<'_>, around: Around, is_it: fn(&str) -> bool) -> bool {
    match raw.kind() {
        Kind::Text => {
            let text = raw.as_text().unwrap_or_default();
            is_it(&text) || json::inner(&text).is_some_and(|raw| holds(raw, around, is_it))
        }
        Kind::Array => raw.items().any(|item| holds(item, around, is_it)),
        Kind::Object => raw.members().any(|(key, value)| {
            contact::is_contact(&key)
                || contact_key::tells(&key, value, around)
                || holds(value, Around::within(&key), is_it)
        }),
        _ => false,
    }
}

/// Whether nothing in a value asks for a closer look.
pub(super) fn is_ordinary(raw: Raw<'_>) -> bool {
    raw.kind() == Kind::Number || bytes::is_free::<Unusual>(raw.text().as_bytes())
}

/// Whether a JSON number is a plain positive decimal of a length that every float holds.
pub(super) fn is_small(number: &str) -> bool {
    number.len() <= 16
        && number
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
}
