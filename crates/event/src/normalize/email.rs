//! `em`: trimmed, lower case.
//!
//! What is hashed is what the owner of the address typed, so nothing is "improved": dots and plus
//! tags stay, a domain in other scripts is not turned into punycode. The check is about form only.

use super::text;
use crate::codes::{self, Code};
use crate::limits::EMAIL_BYTES_MAX;

pub(super) fn normalize(value: &str, out: &mut String) -> Result<(), Code> {
    if value.len() > EMAIL_BYTES_MAX || !has_form(value) {
        return Err(codes::EM_INVALID);
    }
    if value.is_ascii() {
        out.extend(value.chars().map(|c| c.to_ascii_lowercase()));
    } else {
        // No NFC here: an address is an identifier, not prose, and Meta's libraries keep it as it is.
        out.push_str(&value.to_lowercase());
        out.retain(|c| !text::is_invisible(c));
    }
    Ok(())
}

/// `local@domain.tld`, without white space or the punctuation that surrounds addresses in mail.
fn has_form(value: &str) -> bool {
    let is_forbidden = |c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',' | ';' | '(' | ')' | '"')
    };
    let Some((local, domain)) = value.rsplit_once('@') else {
        return false;
    };
    !local.is_empty()
        && !local.contains('@')
        && !value.chars().any(is_forbidden)
        && domain.contains('.')
        && domain.split('.').all(|label| !label.is_empty())
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
