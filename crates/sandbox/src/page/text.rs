//! How texts, times and events are written on the page.

use std::borrow::Cow;
use std::fmt::Write;

use jiff::Timestamp;

use crate::value::Value;

pub(super) fn put(html: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    html.write_fmt(text).ok();
}

/// Text that is safe between tags and in quoted attributes.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(letter),
        }
    }
    Cow::Owned(safe)
}

/// The tag of a time, for people and for programs.
pub(super) fn put_time(html: &mut String, ms: i64) {
    let time = time(ms);
    let machine = time.replace(" UTC", "Z").replace(' ', "T");
    put(
        html,
        format_args!("<time datetime=\"{machine}\">{time}</time>"),
    );
}

/// `1,234,567`
pub(super) fn grouped(count: u64) -> String {
    grouped_digits(&count.to_string())
}

/// Digits with a comma between thousands.
fn grouped_digits(digits: &str) -> String {
    let mut shown = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// An amount of money: `1,299.90`. What is not a plain number stays as it was sent.
pub(super) fn amount(value: &Value<'_>) -> String {
    let text = match value {
        Value::Integer(number) => number.to_string(),
        // Cents are what people expect; more decimals are shown as they are.
        Value::Float(number) => {
            let (exact, cents) = (number.to_string(), format!("{number:.2}"));
            if exact.len() > cents.len() {
                exact
            } else {
                cents
            }
        }
        Value::Text(text) => text.to_string(),
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Object(_) => return String::new(),
    };
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => ("-", unsigned),
        None => ("", text.as_str()),
    };
    let (whole, rest) = unsigned.split_at(unsigned.find('.').unwrap_or(unsigned.len()));
    let is_number = !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit());
    if is_number {
        format!("{sign}{}{rest}", grouped_digits(whole))
    } else {
        text
    }
}

/// `2026-11-23 12:00:00 UTC`
pub(super) fn time(ms: i64) -> String {
    // No event is so old or so far ahead that it cannot be written.
    let time = Timestamp::from_millisecond(ms).unwrap_or_default();
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// JSON with a line for each entry, and otherwise as it was sent: no number or order is changed.
pub(super) fn indented(json: &str) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_text, mut is_escaped) = (0_usize, false, false);
    for letter in json.chars() {
        if in_text {
            in_text = is_escaped || letter != '"';
            is_escaped = !is_escaped && letter == '\\';
            text.push(letter);
            continue;
        }
        match letter {
            ' ' | '\t' | '\r' | '\n' => {}
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut text, depth);
                text.push(letter);
            }
            '{' | '[' | ',' => {
                depth += usize::from(letter != ',');
                text.push(letter);
                line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            letter => {
                in_text = letter == '"';
                text.push(letter);
            }
        }
    }
    text
}

fn line(text: &mut String, depth: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_shown_as_they_were_sent() {
        let json = r#"{"b":142.50, "a":[1,"x,\"{y"]}"#;
        let expected = "{\n  \"b\": 142.50,\n  \"a\": [\n    1,\n    \"x,\\\"{y\"\n  ]\n}";
        assert_eq!(indented(json), expected);
    }

    #[test]
    fn amounts_have_cents_and_groups_of_thousands() {
        for (json, expected) in [
            ("129.99", "129.99"),
            ("1299.9", "1,299.90"),
            ("1234567", "1,234,567"),
            ("-1500.5", "-1,500.50"),
            ("0.125", "0.125"),
            (r#""2500.00""#, "2,500.00"),
            (r#""12 EUR""#, "12 EUR"),
            (r#""""#, ""),
            ("true", ""),
            ("null", ""),
        ] {
            let value = Value::parse(json.as_bytes()).unwrap();
            assert_eq!(amount(&value), expected, "{json}");
        }
    }

    #[test]
    fn times() {
        for (ms, expected) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (1_795_435_200_000, "2026-11-23 12:00:00 UTC"),
            (1_709_210_096_000, "2024-02-29 12:34:56 UTC"),
            (-1, "1969-12-31 23:59:59 UTC"),
        ] {
            assert_eq!(time(ms), expected);
        }
    }
}
