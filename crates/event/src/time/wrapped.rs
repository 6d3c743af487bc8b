//! Times that stand in something else: in the objects in which databases and languages write them, or in the encoding
//! of a URL.

use super::{Change, Time, TimeError, parse, parse_text};
use crate::encoded::{self, Percent};
use crate::json::{Kind, Raw};

/// The time in an object: `{"$date": …}` and `{"$numberLong": "…"}` of `MongoDB`, the seconds and their parts of
/// Firestore, protocol buffers and Java, the date and zone of PHP.
pub(super) fn object(raw: Raw<'_>) -> Result<Time, TimeError> {
    let find = |names: &[&str]| {
        let mut members = raw.members();
        members.find_map(|(key, value)| names.contains(&&*key).then_some(value))
    };
    if let Some(inner) = find(&["$date", "$numberLong"]) {
        return parse(inner);
    }
    if let Some(seconds) = find(&["seconds", "_seconds", "epochSecond"]) {
        let parts = find(&["nanoseconds", "_nanoseconds", "nanos", "nano"]);
        let has_fraction = parts.is_some_and(|parts| parts.text() != "0");
        let time = parse(seconds)?;
        let fraction = has_fraction.then_some(Change::Fraction);
        return Ok(Time {
            change: time.change.or(fraction),
            ..time
        });
    }
    let text = |name: &str| {
        find(&[name])
            .filter(|raw| raw.kind() == Kind::Text)?
            .as_text()
    };
    match (text("date"), text("timezone")) {
        (Some(date), Some(zone)) => parse_text(&format!("{date} {zone}")),
        _ => Err(TimeError::Invalid),
    }
}

/// A time without the encoding of a URL: `%2B01:00`, or a plus sign that became a space (`T10:00:00 01:00`).
pub(super) fn undone(text: &str) -> Option<String> {
    /// Longer than any time, encoded twice.
    const BYTES_MAX: usize = 100;
    if text.len() > BYTES_MAX {
        return None;
    }
    if let Percent::Decoded(text) = encoded::without_percent(text) {
        return Some(text);
    }
    let (time, offset) = text.rsplit_once(' ')?;
    let is_offset = match *offset.as_bytes() {
        [a, b, b':', c, d] | [a, b, c, d] => [a, b, c, d].iter().all(u8::is_ascii_digit),
        _ => false,
    };
    // Behind a day and a `T` stands the time of that day, and nothing but an offset behind it.
    let is_time = time.as_bytes().get(10) == Some(&b'T') && time.contains(':');
    (is_offset && is_time).then(|| format!("{time}+{offset}"))
}
