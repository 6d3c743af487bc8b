//! Texts that are encoded once too often: for HTML, for a URL, for JSON, or as UTF-8 that was read as
//! another encoding.
//!
//! Each of these is undone only where nothing else can be meant. So a text that has a `%` without two
//! hexadecimal digits behind it, or an `&` without a name that HTML knows, stays as it is.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use zeroize::{Zeroize as _, Zeroizing};

/// Name without `&` and `;`, code point in hexadecimal; written by `scripts/tables/entities.py`.
const TABLE: &str = include_str!("normalize/tables/entities.tsv");

static ENTITIES: LazyLock<HashMap<&'static str, char>> = LazyLock::new(|| {
    TABLE
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('\t'))
        .filter_map(|(name, code)| Some((name, code_point(code, 16)?)))
        .collect()
});

fn code_point(digits: &str, radix: u32) -> Option<char> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let code = u32::from_str_radix(digits, radix)
        .ok()
        .filter(|_| is_number)?;
    char::from_u32(code).filter(|c| *c != '\0')
}

/// A text with HTML's `&uuml;`, `&#252;` and `&#xfc;` undone.
pub(crate) fn without_entities(text: &str) -> Cow<'_, str> {
    if memchr::memchr(b'&', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    // No character is longer than its entity, so nothing grows and leaves a copy behind.
    let mut decoded = Zeroizing::new(String::with_capacity(text.len()));
    let mut is_encoded = false;
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'&', rest.as_bytes()) {
        let (c, length) = entity(&rest[at..]).unwrap_or(('&', 1));
        is_encoded |= length > 1;
        decoded.push_str(&rest[..at]);
        decoded.push(c);
        rest = &rest[at + length..];
    }
    if !is_encoded {
        return Cow::Borrowed(text);
    }
    decoded.push_str(rest);
    Cow::Owned(std::mem::take(&mut *decoded))
}

/// The entity at the start of a text, and its length.
fn entity(text: &str) -> Option<(char, usize)> {
    const NAME_BYTES_MAX: usize = 32;
    let body = text.strip_prefix('&')?;
    let end = memchr::memchr(b';', body.as_bytes().get(..NAME_BYTES_MAX.min(body.len()))?)?;
    let name = &body[..end];
    let c = match name.strip_prefix('#') {
        None => ENTITIES.get(name).copied()?,
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(digits) => code_point(digits, 16)?,
            None => code_point(number, 10)?,
        },
    };
    // The numbers 128 to 159 mean Windows' characters in every browser.
    let c = u8::try_from(u32::from(c)).map_or(c, windows_char);
    Some((c, end + 2))
}

/// What became of the per cent codes of a text.
pub(crate) enum Percent {
    /// There is none, or it is no encoding.
    None,
    /// They were undone.
    Decoded(String),
    /// They stand for bytes that are no UTF-8.
    Damaged,
}

/// A text with `%C3%BC` undone.
///
/// An encoder writes no code for a letter or a digit of ASCII, and leaves no `%` alone.
pub(crate) fn without_percent(text: &str) -> Percent {
    let bytes = text.as_bytes();
    if memchr::memchr(b'%', bytes).is_none() {
        return Percent::None;
    }
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'%' {
            decoded.push(bytes[at]);
            at += 1;
            continue;
        }
        let code = bytes.get(at + 1..at + 3).and_then(hex_byte);
        match code {
            Some(byte) if !byte.is_ascii_alphanumeric() => decoded.push(byte),
            _ => return Percent::None,
        }
        at += 3;
    }
    utf8(decoded).map_or(Percent::Damaged, Percent::Decoded)
}

/// The text of bytes, which are wiped if they are none.
pub(crate) fn utf8(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes)
        .map_err(|error| error.into_bytes().zeroize())
        .ok()
}

/// The byte that two hexadecimal digits write.
pub(crate) fn hex_byte(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits).ok()?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)
}

/// A text with `\u00fc` undone, as JSON that was written twice leaves it.
pub(crate) fn without_escapes(text: &str) -> Cow<'_, str> {
    if memchr::memmem::find(text.as_bytes(), b"\\u").is_none() {
        return Cow::Borrowed(text);
    }
    let mut units = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let unit = rest.strip_prefix("\\u").and_then(|digits| {
            let digits = digits.get(..4)?;
            let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            u16::from_str_radix(digits, 16).ok().filter(|_| is_hex)
        });
        if let Some(unit) = unit {
            units.push(unit);
            rest = &rest[6..];
        } else {
            units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
            rest = &rest[c.len_utf8()..];
        }
    }
    String::from_utf16(&units).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// A text that was UTF-8 and was read as Latin-1 or Windows-1252 (`MÃ¼ller`), as it was before.
///
/// Only where the bytes behind all its characters are UTF-8 to the last one, and at least one second byte was
/// read as a sign: that takes a capital such as `Ã` or `Å` and then a sign such as `¼` or `£`, which no name has.
pub(crate) fn without_mojibake(text: &str) -> Option<String> {
    // Nearly every text is done here: a letter read so is two signs or more, one behind the other.
    let mut behind = text.trim_start_matches(|c: char| c.is_ascii()).chars();
    let is_lead = |c| matches!(c, '\u{c2}'..='\u{f4}');
    if !behind.next().is_some_and(is_lead) || behind.next().is_none_or(|c| c.is_ascii()) {
        return None;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut has_sign = false;
    for c in text.chars() {
        let byte = windows_byte(c)?;
        has_sign |= matches!(byte, 0x80..0xc0) && !is_letter_of_names(c);
        bytes.push(byte);
    }
    has_sign
        .then(|| utf8(std::mem::take(&mut *bytes)))
        .flatten()
}

/// The letters among the characters of Windows-1252 that a second byte is read as: `NÉŽO` may be a name.
fn is_letter_of_names(c: char) -> bool {
    matches!(c, 'ƒ' | 'Š' | 'Œ' | 'Ž' | 'š' | 'œ' | 'ž' | 'Ÿ')
}

/// The characters of Windows-1252 at 128 to 159; where there is none, that of Latin-1.
const WINDOWS: [char; 32] = [
    '\u{20ac}', '\u{81}', '\u{201a}', '\u{192}', '\u{201e}', '\u{2026}', '\u{2020}', '\u{2021}',
    '\u{2c6}', '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{8d}', '\u{17d}', '\u{8f}',
    '\u{90}', '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}', '\u{2022}', '\u{2013}', '\u{2014}',
    '\u{2dc}', '\u{2122}', '\u{161}', '\u{203a}', '\u{153}', '\u{9d}', '\u{17e}', '\u{178}',
];

/// The character of a byte of Windows-1252.
pub(crate) fn windows_char(byte: u8) -> char {
    match byte {
        0x80..0xa0 => WINDOWS[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

fn windows_byte(c: char) -> Option<u8> {
    if c.is_ascii() {
        return u8::try_from(u32::from(c)).ok();
    }
    let special = (0x80..0xa0).zip(WINDOWS).find(|(_, known)| *known == c);
    special
        .map(|(byte, _)| byte)
        .or_else(|| u8::try_from(u32::from(c)).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn undoes_entities() {
        for (text, expected) in [
            ("M&uuml;ller", "Müller"),
            ("O&#039;Connor", "O'Connor"),
            ("D&#8217;Angelo", "D\u{2019}Angelo"),
            ("&#xFC;&#XFC;", "üü"),
            ("&#146;", "\u{2019}"),
            ("Jane &amp; Joe", "Jane & Joe"),
            ("&Ccaron;apek &lstrok;", "Čapek ł"),
            ("R&D; &uuml;", "R&D; ü"),
            ("Jane & Joe", "Jane & Joe"),
            ("&&amp;", "&&"),
            (
                "&;&#;&#x;&#xD800;&#0;&nothing;",
                "&;&#;&#x;&#xD800;&#0;&nothing;",
            ),
            ("&", "&"),
        ] {
            assert_eq!(without_entities(text), expected, "{text}");
        }
    }

    #[test]
    fn undoes_percent_codes() {
        let read = |text| match without_percent(text) {
            Percent::None => "-".to_owned(),
            Percent::Decoded(text) => text,
            Percent::Damaged => "damaged".to_owned(),
        };
        for (text, expected) in [
            ("K%C3%B6ln", "Köln"),
            ("%2b49", "+49"),
            ("M%FCller", "damaged"),
            ("100%", "-"),
            ("50% off", "-"),
            ("user%41", "-"),
            ("%zz", "-"),
            ("%+1", "-"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn undoes_what_was_read_as_another_encoding() {
        for (text, expected) in [
            ("MÃ¼ller", Some("Müller")),
            ("JosÃ©", Some("José")),
            ("Ã‰milie", Some("Émilie")),
            ("ÐŸÑ‘Ñ‚Ñ€", Some("Пётр")),
            ("å±±ç\u{94}°", Some("山田")),
            ("ÄžÃ¼l", Some("Ğül")),
            ("NÉŽO", None),
            ("ÄŒ", None),
            ("Müller", None),
            ("SÃO PAULO", None),
            ("MÃ¼ller José", None),
            ("Пётр", None),
        ] {
            assert_eq!(without_mojibake(text).as_deref(), expected, "{text}");
        }
        assert_eq!(without_escapes("M\\u00fcller \\u00"), "Müller \\u00");
        assert_eq!(without_escapes("\\ud83d\\ude00"), "😀");
        assert_eq!(without_escapes("\\ud83d"), "\\ud83d");
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in "\\PC{0,20}|[&#x;a-z0-9%\\\\uC3]{0,20}") {
            let _ = without_entities(&text);
            let _ = without_percent(&text);
            let _ = without_escapes(&text);
            let _ = without_mojibake(&text);
        }

        #[test]
        fn what_was_read_as_another_encoding_comes_back(name in "[A-Za-zà-ɏа-я]{0,8}[à-ÿ]") {
            let wrong: String = name.bytes().map(windows_char).collect();
            prop_assert_eq!(without_mojibake(&wrong), Some(name));
        }
    }
}
