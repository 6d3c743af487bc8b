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
    let is_ascii = value.is_ascii();
    if value.len() > EMAIL_BYTES_MAX || !has_form(value, is_ascii) {
        return Err(Code::EmInvalid);
    }
    if is_ascii {
        let start = out.len();
        out.push_str(value);
        out[start..].make_ascii_lowercase();
    } else {
        // No NFC here: an address is an identifier, not prose, and Meta's libraries keep it as it is.
        out.push_str(&value.to_lowercase());
        out.retain(|c| !text::is_invisible(c));
    }
    Ok(())
}

/// `local@domain.tld`, without white space or the punctuation that surrounds addresses in mail.
fn has_form(value: &str, is_ascii: bool) -> bool {
    let at = bytes::find::<UnusualInEmail>(value.as_bytes());
    let Some(domain) = value[at..].strip_prefix('@') else {
        return false;
    };
    at > 0
        && bytes::is_free::<UnusualInEmail>(domain.as_bytes())
        && has_labels(domain.as_bytes())
        && (is_ascii || !value.contains(char::is_whitespace))
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
        ] {
            assert!(normalize(value, &mut String::new()).is_err(), "{value}");
        }
    }
}
