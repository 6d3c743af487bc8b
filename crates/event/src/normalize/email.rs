//! `em`: trimmed, lower case.
//!
//! What is hashed is what the owner of the address typed, so nothing is "improved": dots and plus
//! tags stay, a domain in other scripts is not turned into punycode. The check is about form only.

use super::text;
use crate::bytes::{self, UnusualInEmail};
use crate::code::Code;
use crate::limits::EMAIL_BYTES_MAX;

pub(super) fn normalize(value: &str, out: &mut String) -> Result<(), Code> {
    let value = value.strip_prefix("mailto:").unwrap_or(value);
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

/// `local@domain.tld`, without white space or the punctuation that surrounds addresses in mail.
fn has_form(value: &str) -> bool {
    let at = bytes::find::<UnusualInEmail>(value.as_bytes());
    let Some(domain) = value[at..].strip_prefix('@') else {
        return false;
    };
    at > 0
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
