//! Writing JSON: text as strings, and values as they were read.

use super::{Kind, Raw};
use crate::bytes::{self, Special};

/// Appends `text` as a JSON string, quotes included.
pub fn write_text(out: &mut String, text: &str) {
    out.push('"');
    if bytes::is_free::<Special>(text.as_bytes()) {
        out.push_str(text);
    } else {
        write_escaped(out, text);
    }
    out.push('"');
}

fn write_escaped(out: &mut String, text: &str) {
    let mut rest = text;
    loop {
        let at = bytes::find::<Special>(rest.as_bytes());
        out.push_str(&rest[..at]);
        let Some(&byte) = rest.as_bytes().get(at) else {
            break;
        };
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            _ => {
                out.push_str("\\u00");
                out.push(char::from(b'0' + (byte >> 4)));
                out.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
            }
        }
        rest = &rest[at + 1..];
    }
}

/// Appends a whole number.
pub(crate) fn write_number(out: &mut String, number: i64) {
    const DIGITS_MAX: usize = 20;
    let mut digits = [b'0'; DIGITS_MAX];
    let mut first = DIGITS_MAX;
    let mut rest = number.unsigned_abs();
    while rest > 0 || first == DIGITS_MAX {
        first -= 1;
        digits[first] += u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
    if number < 0 {
        out.push('-');
    }
    // Digits are ASCII, so this never falls back.
    out.push_str(std::str::from_utf8(&digits[first..]).unwrap_or_default());
}

/// Appends a value as written, less the white space between its tokens.
pub fn write_compact(out: &mut String, raw: Raw<'_>) {
    let text = raw.text.as_bytes();
    let is_scalar = !matches!(text.first(), Some(b'{' | b'['));
    if is_scalar || !text.iter().any(u8::is_ascii_whitespace) {
        out.push_str(raw.text);
        return;
    }
    let mut at = 0;
    while at < text.len() {
        let start = at;
        if text[at] == b'"' {
            at += 1;
            loop {
                at += bytes::find::<Special>(&text[at..]);
                match text.get(at) {
                    Some(b'\\') => at += 2,
                    _ => break,
                }
            }
            at += 1;
        } else if text[at].is_ascii_whitespace() {
            at += 1;
            continue;
        } else {
            while at < text.len() && text[at] != b'"' && !text[at].is_ascii_whitespace() {
                at += 1;
            }
        }
        out.push_str(&raw.text[start..at]);
    }
}

/// Appends a value so that every reader can take it: compact, and without half surrogate pairs.
///
/// A value without escapes goes as written; escapes are decoded and written anew.
pub fn write_clean(out: &mut String, raw: Raw<'_>) {
    if raw.is_plain {
        write_compact(out, raw);
        return;
    }
    match raw.kind() {
        Kind::Text => write_text(out, &raw.as_text().unwrap_or_default()),
        Kind::Array => {
            out.push('[');
            for (at, item) in raw.items().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_clean(out, item);
            }
            out.push(']');
        }
        Kind::Object => {
            out.push('{');
            for (at, (key, value)) in raw.members().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_text(out, &key);
                out.push(':');
                write_clean(out, value);
            }
            out.push('}');
        }
        _ => out.push_str(raw.text),
    }
}
