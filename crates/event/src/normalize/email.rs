//! `em`: trimmed, lower case.
//!
//! What is hashed is what the owner of the address typed, so nothing is "improved": dots and plus
//! tags stay, a domain in other scripts is not turned into punycode. The check is about form only.

use super::text;
use crate::bytes::{self, UnusualInEmail};
use crate::code::Code;
use crate::limits::EMAIL_BYTES_MAX;

pub(super) fn normalize(value: &str, out: &mut String) -> Result<(), Code> {
    let value = alone(value);
    let start = out.len();
    if value.is_ascii() {
        out.push_str(value);
        out[start..].make_ascii_lowercase();
    } else {
        // No NFC here: an address is an identifier, not prose, and Meta's libraries keep it as it is.
        let lower = value.to_lowercase();
        out.extend(lower.chars().filter(|c| !text::is_invisible(*c)));
    }
    // What is hashed must have the form: a mark that cannot be seen may stand between two dots.
    let address = &out[start..];
    if address.len() > EMAIL_BYTES_MAX || !has_form(address) {
        out.truncate(start);
        return Err(Code::EmInvalid);
    }
    Ok(())
}

/// What is put before addresses in links, in directories and by hand.
const LABELS: [&str; 5] = ["mailto:", "smtp:", "email:", "e-mail:", "mail:"];

/// What is put round addresses in mail and in tables.
const BRACKETS: [(char, char); 9] = [
    ('<', '>'),
    ('(', ')'),
    ('"', '"'),
    ('\'', '\''),
    ('`', '`'),
    ('[', ']'),
    ('\u{201c}', '\u{201d}'),
    ('\u{2018}', '\u{2019}'),
    ('\u{ab}', '\u{bb}'),
];

/// An address without what stands round it: brackets, quotation marks, `mailto:` with what a link has
/// behind the address, and a comma or semicolon at the end.
fn alone(value: &str) -> &str {
    let is_plain = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = value.as_bytes();
    if is_plain(bytes.first()) && is_plain(bytes.last()) && !bytes.contains(&b':') {
        return value;
    }
    let mut value = value;
    loop {
        let before = value;
        value = text::trim(value.trim_end_matches([',', ';']));
        let label = LABELS.iter().find_map(|label| {
            let (start, rest) = value.split_at_checked(label.len())?;
            start.eq_ignore_ascii_case(label).then_some(rest)
        });
        if let Some(rest) = label {
            value = text::trim(rest.split('?').next().unwrap_or_default());
        }
        let inner = BRACKETS
            .iter()
            .find_map(|(open, close)| value.strip_prefix(*open)?.strip_suffix(*close));
        value = text::trim(inner.unwrap_or(value));
        if value.len() == before.len() {
            return value;
        }
    }
}

/// `local@domain.tld`, without white space or the punctuation that surrounds addresses in mail.
fn has_form(value: &str) -> bool {
    let at = bytes::find::<UnusualInEmail>(value.as_bytes());
    let Some(domain) = value[at..].strip_prefix('@') else {
        return false;
    };
    // A domain has letters, digits, dots and hyphens; `_` is in use, and a bare address stands in brackets.
    let is_of_domain = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b'[' | b']' | b':' | 0x80..)
    };
    at > 0
        && domain.bytes().all(is_of_domain)
        && bytes::is_free::<UnusualInEmail>(domain.as_bytes())
        && has_labels(domain.as_bytes())
        && (value.is_ascii() || !value.contains(char::is_whitespace))
}

/// Whether there is a dot, but none first, last, or behind another.
fn has_labels(domain: &[u8]) -> bool {
    let mut has_dot = false;
    let mut last = b'.';
    for &byte in domain {
        if byte == b'.' && last == b'.' {
            return false;
        }
        has_dot |= byte == b'.';
        last = byte;
    }
    has_dot && last != b'.'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_addresses_from_other_text() {
        for value in [
            "a@b.c",
            "x.y+z@mail.example.co.uk",
            "o'neil@example.ie",
            "user@bücher.example",
        ] {
            assert!(normalize(value, &mut String::new()).is_ok(), "{value}");
        }
        for value in [
            "not-an-email",
            "@b.c",
            "a@",
            "a@b",
            "a@b.",
            "a@.b",
            "a@@b.c",
            "a b@c.de",
            "John <a@b.c>",
            "a@b..c",
            "a@b.\u{202e}.c",
            "a@b.c.\u{ad}",
            "\u{200b}@b.c",
        ] {
            assert!(normalize(value, &mut String::new()).is_err(), "{value}");
        }
    }
}
