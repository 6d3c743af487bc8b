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
    let mut at = None;
    let mut has_dot = false;
    let mut last = b'.';
    for (place, &byte) in value.as_bytes().iter().enumerate() {
        match byte {
            b'@' if at.is_some() || place == 0 => return false,
            b'@' => {
                at = Some(place);
                last = b'.';
                continue;
            }
            // No empty label: no dot first, last, or behind another.
            b'.' if at.is_some() => {
                if last == b'.' {
                    return false;
                }
                has_dot = true;
            }
            0..=b' ' | b'<' | b'>' | b',' | b';' | b'(' | b')' | b'"' | 0x7f => return false,
            _ => {}
        }
        last = byte;
    }
    has_dot && last != b'.' && (value.is_ascii() || !value.contains(char::is_whitespace))
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
