//! Recognising contact data where it must not be: in URLs, custom properties, ids and keys.
//!
//! The aim is to catch what people really leak (an e-mail address in a query string, a phone number
//! in a custom property) without touching order ids and SKUs: so only unmistakable shapes count.

use std::borrow::Cow;

use crate::encoded::hex_byte;

/// Whether the text holds an e-mail address, or is an international phone number.
pub(crate) fn is_contact(text: &str) -> bool {
    has_email(text) || is_international_phone(text)
}

/// Whether the text holds an e-mail address, or an international phone number anywhere.
///
/// Stricter than [`is_contact`], for texts that are written to the disk and sent in the clear.
pub(crate) fn holds_contact(text: &str) -> bool {
    has_email(text)
        || memchr::memchr_iter(b'+', text.as_bytes()).any(|at| is_before_phone(&text[at + 1..]))
}

/// Whether what stands behind a plus sign begins with 8 to 15 digits of a phone number, whatever follows them.
fn is_before_phone(text: &str) -> bool {
    /// Longer than any number with its punctuation; so a text of plus signs is not read again and again.
    const BYTES_MAX: usize = 40;
    let text = &text[..text.floor_char_boundary(BYTES_MAX)];
    let end = text.find(|c| !is_in_phone(c)).unwrap_or(text.len());
    let (number, behind) = text.split_at(end);
    if is_amount(number, behind) {
        return false;
    }
    let mut digits = 0;
    (before_time(number, behind).split_inclusive(char::is_whitespace)).any(|group| {
        digits += group.bytes().filter(u8::is_ascii_digit).count();
        DIGITS.contains(&digits)
    })
}

/// Whether digits are those of an amount: in groups of thousands, with one or two decimals behind a comma.
fn is_amount(number: &str, behind: &str) -> bool {
    /// An amount of a billion with decimals is rarer than a phone number in groups of three.
    const GROUPS_MAX: usize = 3;
    let Some(behind) = behind.strip_prefix(',') else {
        return false;
    };
    let decimals = behind.bytes().take_while(u8::is_ascii_digit).count();
    let mut groups = number.split([' ', '.', '\u{a0}']);
    (1..=2).contains(&decimals)
        && (groups.next()).is_some_and(|first| has_digits(first, 1..=3))
        && groups.clone().count() < GROUPS_MAX
        && groups.all(|group| has_digits(group, 3..=3))
}

/// What stands before a date and the hour of a time of the day (`2026-11-27 14`), if a colon follows that hour.
fn before_time<'t>(number: &'t str, behind: &str) -> &'t str {
    let Some((before, hour)) = number.rsplit_once(' ').filter(|_| behind.starts_with(':')) else {
        return number;
    };
    let day = before.rsplit(' ').next().unwrap_or_default();
    if has_digits(hour, 1..=2) && is_date(day) {
        &before[..before.len() - day.len()]
    } else {
        number
    }
}

/// Whether a text is a day with its year first or last: `2026-11-27`, `27.11.2026`.
fn is_date(text: &str) -> bool {
    let is_year =
        |part: &str| has_digits(part, 4..=4) && (part.starts_with("19") || part.starts_with("20"));
    (['-', '.', '/'].into_iter()).any(|separator| {
        let mut parts = text.split(separator);
        let (Some(first), Some(middle), Some(last), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return false;
        };
        has_digits(middle, 1..=2)
            && (is_year(first) && has_digits(last, 1..=2)
                || has_digits(first, 1..=2) && is_year(last))
    })
}

fn has_digits(text: &str, count: std::ops::RangeInclusive<usize>) -> bool {
    count.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a key or a name shown in a finding could be contact data: also a national phone number,
/// or an address in disguise (full-width `@`, an HTML entity).
pub(crate) fn could_be_contact(text: &str) -> bool {
    is_contact(text)
        || text.bytes().filter(u8::is_ascii_digit).count() >= 7
        || (text.contains('@') || text.contains(WIDE_AT))
        || text.contains("&#")
}

/// Whether there is `something@domain.tld` anywhere in the text, also percent-encoded once or twice, or with the
/// wide `＠` of Chinese and Japanese keyboards.
pub(crate) fn has_email(text: &str) -> bool {
    if has_clear_email(text) {
        return true;
    }
    if !text.is_ascii() && text.contains(WIDE_AT) {
        return has_clear_email(&text.replace(WIDE_AT, "@"));
    }
    if memchr::memchr(b'%', text.as_bytes()).is_none() {
        return false;
    }
    let once = percent_decode(text);
    has_clear_email(&once) || has_clear_email(&percent_decode(&once))
}

const WIDE_AT: [char; 2] = ['\u{ff20}', '\u{fe6b}'];

fn has_clear_email(text: &str) -> bool {
    memchr::memchr_iter(b'@', text.as_bytes()).any(|at| is_email_around(text, at))
}

fn is_email_around(text: &str, at: usize) -> bool {
    // As wide as what is taken for an address in `em`, or one could be hashed there and clear here.
    let is_outside = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(
                c,
                '@' | '<' | '>' | '(' | ')' | ',' | ';' | ':' | '"' | '/' | '?' | '&' | '=' | '#'
            )
    };
    let has_local = text[..at]
        .chars()
        .next_back()
        .is_some_and(|c| !is_outside(c) && c != '[');
    let domain = text[at + 1..].split(is_outside).next().unwrap_or_default();
    let has_domain = domain
        .trim_end_matches(|c: char| c.is_ascii_punctuation())
        .rsplit_once('.')
        .is_some_and(|(name, tld)| !name.is_empty() && tld.chars().any(char::is_alphabetic));
    has_local && has_domain
}

/// Digits of an international phone number.
const DIGITS: std::ops::RangeInclusive<usize> = 8..=15;

/// A digit, or the punctuation that people put between digits of a phone number.
fn is_in_phone(c: char) -> bool {
    c.is_ascii_digit()
        || matches!(
            c,
            ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}' | '\u{2010}'..='\u{2015}'
        )
}

/// Whether the whole text is `+`, then 8 to 15 digits with the punctuation people put between them.
fn is_international_phone(text: &str) -> bool {
    text.trim().strip_prefix('+').is_some_and(|rest| {
        DIGITS.contains(&rest.bytes().filter(u8::is_ascii_digit).count())
            && rest.chars().all(is_in_phone)
    })
}

/// Decodes `%41` and `+`; what does not decode stays as it is.
pub(crate) fn percent_decode(text: &str) -> Cow<'_, str> {
    if memchr::memchr2(b'%', b'+', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = bytes
            .get(at + 1..at + 3)
            .filter(|_| bytes[at] == b'%')
            .and_then(hex_byte);
        match (bytes[at], code) {
            (_, Some(byte)) => {
                decoded.push(byte);
                at += 3;
            }
            (b'+', _) => {
                decoded.push(b' ');
                at += 1;
            }
            (byte, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_addresses_and_international_numbers() {
        for text in [
            "john@example.com",
            "order for john.smith+x@mail.example.co.uk, thanks",
            "john%40example.com",
            "+1 (650) 555-1212",
            "+49 30 1234567",
        ] {
            assert!(is_contact(text), "{text}");
        }
    }

    #[test]
    fn leaves_ordinary_text_alone() {
        for text in [
            "ORD-2023-112900042",
            "16505551212",
            "SKU@2",
            "@mention",
            "a @ b.c",
            "user@localhost",
            "50% off",
            "+1",
            "+5 bonus",
            "1+1=2",
        ] {
            assert!(!is_contact(text), "{text}");
        }
    }

    #[test]
    fn finds_numbers_in_texts_whatever_stands_behind_them() {
        for text in [
            "call +49 151 1234567, please",
            "+4915112345678, 2 pieces",
            "Tel. +49 (0)151/1234567; ring twice",
            "+49 151 1234567 2026-11-27",
            "+4915112345678\n",
            "(+1 650 555 1212)",
            "x=+16505551212&y",
            "+4915112345678:1",
            "Jane;+4915112345678,4711",
            "+49 151 1234567,2",
            "+49 151 123 456,2",
            "+4915112345678:30",
            "+49 151 1234567 2026-11-27 14:00",
            "+49 151 1234567 14:00",
        ] {
            assert!(holds_contact(text), "{text}");
        }
        for text in [
            "+5 bonus, 20261127",
            "1+1=2",
            "+12 345 678,90 EUR",
            "+12.345.678,9",
            "+2 2026-11-27 14:00",
            "+2 27.11.2026 14:00",
            "+1234567",
            "+1234567890123456",
            "++++",
        ] {
            assert!(!holds_contact(text), "{text}");
        }
    }

    #[test]
    fn decodes_percent_signs_leniently() {
        assert_eq!(percent_decode("a%40b%2Ec+d%zz%"), "a@b.c d%zz%");
        assert_eq!(percent_decode("%C3%A9"), "é");
    }
}
