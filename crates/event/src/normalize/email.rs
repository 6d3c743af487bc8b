//! `em`: trimmed, lower case.
//!
//! What is hashed is what the owner of the address typed, so nothing is "improved": dots and plus
//! tags stay, a domain in other scripts is not turned into punycode. The check is about form only.

use super::text;
use crate::code::Code;
use crate::limits::EMAIL_BYTES_MAX;

pub(super) fn normalize(value: &str, out: &mut String) -> Result<(), Code> {
    let value = value.strip_prefix("mailto:").unwrap_or(value);
    if value.len() > EMAIL_BYTES_MAX || !has_form(value) {
        return Err(Code::EmInvalid);
    }
    if value.is_ascii() {
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
fn has_form(value: &str) -> bool {
    let is_forbidden = |byte: u8| {
        byte <= b' ' || matches!(byte, b'<' | b'>' | b',' | b';' | b'(' | b')' | b'"' | 0x7f)
    };
    let Some(at) = memchr::memrchr(b'@', value.as_bytes()) else {
        return false;
    };
    let (local, domain) = (&value.as_bytes()[..at], &value.as_bytes()[at + 1..]);
    let is_outside = |byte: &u8| is_forbidden(*byte);
    !local.is_empty()
        && !local.contains(&b'@')
        && !local.iter().any(is_outside)
        && !domain.iter().any(is_outside)
        && domain.contains(&b'.')
        && domain
            .split(|byte| *byte == b'.')
            .all(|label| !label.is_empty())
        && (value.is_ascii() || !value.contains(char::is_whitespace))
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
