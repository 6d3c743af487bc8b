//! Times as senders write them, as Unix seconds.

mod words;
mod wrapped;

use crate::json::{Kind, Raw};

/// A time that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Time {
    /// Seconds since 1970-01-01 UTC.
    pub(crate) unix_s: i64,
    /// What had to be done to it.
    pub(crate) change: Option<Change>,
}

/// What makes whole seconds of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It came in milliseconds, or in smaller parts of a second.
    Unit,
    /// It had a fraction of a second, which is left out.
    Fraction,
    /// It came with an exponent and without its last digits, up to three of them.
    Rounded,
}

/// Why a time could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeError {
    /// A date or time of day without a zone: it could be any of some thirty moments.
    NoZone,
    /// The zone has a name that is not known to mean one offset: that of a place, or of several zones.
    ZoneName,
    /// No time at all.
    Invalid,
}

/// Unix times above this are no seconds: it is the year 5138.
const SECONDS_MAX: i64 = 100_000_000_000;

/// Reads a JSON value: Unix seconds (milli- and microseconds are recognised by their size) as a
/// number or text, ISO 8601 or RFC 2822 text with a zone, .NET's `/Date(ms)/`, or a time in [`words`].
pub(crate) fn parse(raw: Raw<'_>) -> Result<Time, TimeError> {
    if let Some(unix_s) = seconds(raw.text()) {
        return Ok(Time {
            unix_s,
            change: None,
        });
    }
    match raw.kind() {
        Kind::Number => match with_exponent(raw.text()) {
            Some(time) => Ok(time),
            // With an exponent, and without more digits than may be gone.
            None if raw.text().contains(['e', 'E']) => Err(TimeError::Invalid),
            None => parse_number(&raw.as_digits().unwrap_or_default()),
        },
        Kind::Text => parse_text(&raw.as_text().unwrap_or_default()),
        Kind::Object => wrapped::object(raw),
        _ => Err(TimeError::Invalid),
    }
}

/// Whole seconds, written as such.
fn seconds(text: &str) -> Option<i64> {
    const DIGITS_MAX: usize = 11;
    let is_short = (1..=DIGITS_MAX).contains(&text.len());
    let mut seconds = 0;
    for byte in text.bytes().filter(|_| is_short) {
        if !byte.is_ascii_digit() {
            return None;
        }
        seconds = seconds * 10 + i64::from(byte - b'0');
    }
    (is_short && seconds <= SECONDS_MAX).then_some(seconds)
}

/// As [`parse`], from text.
pub(crate) fn parse_text(text: &str) -> Result<Time, TimeError> {
    let text = text.trim();
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if is_number && text.matches('.').count() <= 1 {
        return parse_number(text);
    }
    if let Some(time) = with_exponent(text) {
        return Ok(time);
    }
    if let Some(undone) = wrapped::undone(text) {
        return parse_text(&undone);
    }
    if let Some(milliseconds) = dot_net(text) {
        return parse_number(milliseconds).map(|time| Time {
            change: None,
            ..time
        });
    }
    let zulu = [" UTC", " GMT", "UTC", "GMT"]
        .iter()
        .find_map(|zone| text.strip_suffix(zone))
        .map(|bare| format!("{bare}Z"));
    let iso = zulu.as_deref().unwrap_or(text);
    let timestamp = iso
        .parse::<jiff::Timestamp>()
        .or_else(|_| jiff::fmt::rfc2822::parse(text).map(|zoned| zoned.timestamp()));
    if let Ok(timestamp) = timestamp {
        return match timestamp.as_second() {
            unix_s @ 0..=SECONDS_MAX => Ok(Time {
                unix_s,
                change: None,
            }),
            _ => Err(TimeError::Invalid),
        };
    }
    let is_civil = || {
        text.parse::<jiff::civil::DateTime>().is_ok() || text.parse::<jiff::civil::Date>().is_ok()
    };
    if !text.contains('[') && is_civil() {
        return Err(TimeError::NoZone);
    }
    match words::parse(text)? {
        unix_s @ 0..=SECONDS_MAX => Ok(Time {
            unix_s,
            change: None,
        }),
        _ => Err(TimeError::Invalid),
    }
}

/// The milliseconds of .NET's `/Date(1701234567000)/`; an offset behind them says where it was, not when.
fn dot_net(text: &str) -> Option<&str> {
    let text = text.trim_matches(['/', '\\']);
    let inner = text.strip_prefix("Date(")?.strip_suffix(')')?;
    let end = inner.find(['+', '-']).unwrap_or(inner.len());
    let (milliseconds, offset) = inner.split_at(end);
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_offset = offset.is_empty() || (offset.len() == 5 && is_digits(&offset[1..]));
    // Fewer digits are a day of the year 2001 at most, or no milliseconds.
    (milliseconds.len() > 11 && is_digits(milliseconds) && is_offset).then_some(milliseconds)
}

fn parse_number(text: &str) -> Result<Time, TimeError> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, fraction.trim_end_matches('0')),
        None => (text, ""),
    };
    let number: i64 = whole.parse().map_err(|_| TimeError::Invalid)?;
    if number < 0 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(TimeError::Invalid);
    }
    let mut unix_s = number;
    while unix_s > SECONDS_MAX {
        unix_s /= 1_000;
    }
    Ok(Time {
        unix_s,
        change: if unix_s != number {
            Some(Change::Unit)
        } else if fraction.is_empty() {
            None
        } else {
            Some(Change::Fraction)
        },
    })
}

/// A number with an exponent, such as `1.795787657e+09`: all of its digits are there, or all but the last three of
/// the seconds, as a program leaves it that prints six decimals.
fn with_exponent(text: &str) -> Option<Time> {
    const LOST_MAX: usize = 3;
    const DIGITS_MAX: usize = 18;
    let (mantissa, exponent) = text.split_once(['e', 'E'])?;
    let exponent: usize = exponent
        .strip_prefix('+')
        .unwrap_or(exponent)
        .parse()
        .ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() != 1 || exponent > DIGITS_MAX || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let there = fraction.len().min(exponent);
    let zeros = "0".repeat(exponent - there);
    let (shown, rest) = fraction.split_at(there);
    let time = parse_number(&format!("{whole}{shown}{zeros}.{rest}")).ok()?;
    // Of a time in milliseconds the last three digits are no seconds.
    let digits_of_seconds = time.unix_s.checked_ilog10()? as usize + 1;
    let lost = digits_of_seconds.saturating_sub(there + 1);
    match lost {
        0 => Some(time),
        1..=LOST_MAX => Some(Time {
            change: Some(Change::Rounded),
            ..time
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_shapes_that_senders_use() {
        let (unit, fraction) = (Some(Change::Unit), Some(Change::Fraction));
        for (text, change) in [
            ("1701234567", None),
            ("1701234567.0", None),
            ("1701234567.123", fraction),
            ("1701234567123", unit),
            ("1701234567123.5", unit),
            ("1701234567123456", unit),
            ("2023-11-29T05:09:27Z", None),
            ("2023-11-29T06:09:27+01:00", None),
            ("2023-11-29T06:09:27+0100", None),
            ("2023-11-29 05:09:27 UTC", None),
            ("2023-11-29T05:09:27.999Z", None),
            ("Wed, 29 Nov 2023 05:09:27 GMT", None),
            ("Wed Nov 29 05:09:27 UTC 2023", None),
            ("/Date(1701234567000)/", None),
            ("/Date(1701234567000+0100)/", None),
            ("\\/Date(1701234567000)\\/", None),
            ("2023-11-29T05:09:27+00:00[UTC]", None),
            ("2023-11-29 05:09:27+00", None),
            ("20231129T050927Z", None),
        ] {
            let expected = Time {
                unix_s: 1_701_234_567,
                change,
            };
            assert_eq!(parse_text(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn says_when_the_zone_is_missing() {
        for text in ["2023-11-29T05:09:27", "2023-11-29 05:09", "2023-11-29"] {
            assert_eq!(parse_text(text), Err(TimeError::NoZone), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "-5",
            "1e9",
            "05:09",
            "2023-13-01T00:00:00Z",
            "1.2.3",
            "1960-01-01T00:00:00Z",
            "Fri Jan 01 00:00:00 UTC 1960",
            "/Date(1701234567)/",
            "/Date(soon)/",
        ] {
            assert_eq!(parse_text(text), Err(TimeError::Invalid), "{text}");
        }
    }
}
