//! Names of properties and parameters that say that contact data is in them, in the languages of the larger
//! markets.
//!
//! A name is cut into words (`billingPhone2`: billing, phone), and the words at its end are looked up. The value
//! has to be able to be what the name says: `smart_phone: "Pixel 8"` and `newsletter_email: true` are nobody's.

use unicode_normalization::UnicodeNormalization as _;

use crate::contact_names::{self, Says, Scope};
use crate::json::{Kind, Raw};

/// From here on a character is a word: Chinese, Japanese and Korean put nothing between words.
const IDEOGRAPHS: char = '\u{2e80}';

/// What a name stands among.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Around {
    /// Things, or nobody knows what.
    Things,
    /// The properties of an event, where a bare `name` is a person's.
    Event,
    /// The parts of a person.
    Person,
}

impl Around {
    /// What stands in the value of this name.
    pub(crate) fn within(name: &str) -> Self {
        if is_person(name) {
            Around::Person
        } else {
            Around::Things
        }
    }
}

/// The words of a name, in lower case and without accents, one behind the other.
struct Words {
    text: [u8; Self::BYTES_MAX],
    len: usize,
    /// A bit for each byte that begins a word.
    starts: u64,
}

impl Words {
    const BYTES_MAX: usize = 64;

    fn of(name: &str) -> Self {
        let mut words = Self {
            text: [0; Self::BYTES_MAX],
            len: 0,
            starts: 0,
        };
        // The end of a name says what it is.
        let name = &name[name.ceil_char_boundary(name.len().saturating_sub(Self::BYTES_MAX))..];
        if name.is_ascii() {
            words.push_ascii(name.as_bytes());
        } else {
            words.push_any(name);
        }
        words
    }

    fn push_ascii(&mut self, name: &[u8]) {
        let mut before = b' ';
        for (at, &byte) in name.iter().enumerate() {
            let is_camel = byte.is_ascii_uppercase()
                && (before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || name.get(at + 1).is_some_and(u8::is_ascii_lowercase));
            if byte.is_ascii_alphanumeric() {
                self.push(
                    &[byte.to_ascii_lowercase()],
                    is_camel || !before.is_ascii_alphanumeric(),
                );
            }
            before = byte;
        }
    }

    fn push_any(&mut self, name: &str) {
        /// The accents of Latin, Greek and Cyrillic letters.
        const ACCENTS: std::ops::RangeInclusive<char> = '\u{300}'..='\u{36f}';
        let mut before = ' ';
        for c in name.nfkd().filter(|c| !ACCENTS.contains(c)).nfc() {
            let is_start = !before.is_alphanumeric()
                || c >= IDEOGRAPHS
                || before.is_lowercase() && c.is_uppercase();
            let plain = match c {
                'ß' => "ss",
                'ø' | 'Ø' => "o",
                'ł' | 'Ł' => "l",
                'ı' => "i",
                'đ' | 'Đ' => "d",
                'æ' | 'Æ' => "ae",
                _ => "",
            };
            if !plain.is_empty() {
                self.push(plain.as_bytes(), is_start);
            } else if c.is_alphanumeric() {
                for (at, lower) in c.to_lowercase().enumerate() {
                    self.push(
                        lower.encode_utf8(&mut [0; 4]).as_bytes(),
                        is_start && at == 0,
                    );
                }
            }
            before = c;
        }
    }

    fn push(&mut self, bytes: &[u8], is_start: bool) {
        let Some(room) = self.text.get_mut(self.len..self.len + bytes.len()) else {
            return;
        };
        room.copy_from_slice(bytes);
        self.starts |= u64::from(is_start) << self.len;
        self.len += bytes.len();
    }

    /// Drops digits at the end, and words that say which of several it is: `phone2`, `email_home`.
    fn trim_end(&mut self) {
        loop {
            while self.len > 0 && self.text[self.len - 1].is_ascii_digit() {
                self.len -= 1;
            }
            let last = self.starts_before(self.len).last().unwrap_or_default();
            if last == 0 || !contact_names::is_which(&self.text[last..self.len]) {
                return;
            }
            self.len = last;
        }
    }

    /// Where words begin, up to a place.
    fn starts_before(&self, end: usize) -> impl Iterator<Item = usize> {
        let mut rest = self.starts;
        std::iter::from_fn(move || {
            let start = rest.trailing_zeros() as usize;
            rest &= rest.wrapping_sub(1);
            (start < end).then_some(start)
        })
    }

    /// Whether all words before a place are about whose it is.
    fn are_of_person(&self, end: usize) -> bool {
        let mut starts = self.starts_before(end).peekable();
        while let Some(start) = starts.next() {
            let word = &self.text[start..starts.peek().copied().unwrap_or(end)];
            if !contact_names::is_owner(word) {
                return false;
            }
        }
        true
    }

    /// Whether the word before a place is a person's part in a sale.
    fn is_of_person(&self, end: usize) -> bool {
        let start = self.starts_before(end).last().unwrap_or_default();
        contact_names::is_person(&self.text[start..end])
    }
}

/// What a name says is there; `None` for most.
pub(crate) fn of_name(name: &str) -> Option<Says> {
    let mut words = Words::of(name);
    let whole = &words.text[..words.len];
    if whole.last().is_some_and(u8::is_ascii_digit)
        && let Some((says, _)) = contact_names::find(whole)
    {
        return Some(says);
    }
    words.trim_end();
    let end = words.len;
    for start in words.starts_before(end) {
        let Some((says, scope)) = contact_names::find(&words.text[start..end]) else {
            continue;
        };
        let is_meant = scope == Scope::End || words.are_of_person(start);
        match says {
            Says::Harmless => return None,
            Says::BareName | Says::NamePart if start > 0 => {
                return words.is_of_person(start).then_some(Says::Words);
            }
            _ if is_meant => return Some(says),
            _ => {}
        }
    }
    written_together(&words.text[..end])
}

/// What a name of words that are written together says: `customerphone`, `homeaddress`.
fn written_together(name: &[u8]) -> Option<Says> {
    contact_names::behind_owner(name).find_map(|(rest, is_person)| {
        match contact_names::find(rest)?.0 {
            Says::Harmless => None,
            Says::BareName | Says::NamePart => is_person.then_some(Says::Words),
            says => Some(says),
        }
    })
}

/// Whether a name is that of a person's part in a sale, or of somebody to send or turn to, so that what is in it is
/// the person's.
fn is_person(name: &str) -> bool {
    let words = Words::of(name);
    words.is_of_person(words.len)
        || contact_names::is_person(&words.text[..words.len])
        || matches!(of_name(name), Some(Says::Recipient | Says::Contact))
}

/// Whether contact data is in `value` by the name of it.
pub(crate) fn tells(name: &str, value: Raw<'_>, around: Around) -> bool {
    match of_name(name) {
        None => false,
        Some(Says::BareName) => around != Around::Things && can_be(Says::Words, value),
        Some(Says::NamePart) => around == Around::Person && can_be(Says::Words, value),
        Some(says) => can_be(says, value),
    }
}

/// Whether a value can be what a name says.
fn can_be(says: Says, value: Raw<'_>) -> bool {
    match value.kind() {
        Kind::Null | Kind::Bool => false,
        Kind::Number => can_be_text(says, value.text()),
        Kind::Text => value.as_text().is_some_and(|text| can_be_text(says, &text)),
        Kind::Array => value.items().any(|item| can_be(says, item)),
        Kind::Object if matches!(says, Says::Recipient | Says::Contact) => false,
        Kind::Object => value.members().any(|(_, member)| can_be(says, member)),
    }
}

/// Whether a text can be what a name says.
pub(crate) fn can_be_text(says: Says, text: &str) -> bool {
    /// Digits of the shortest phone number, of a passport or a tax number.
    const NUMBER_DIGITS: usize = 5;
    /// Digits of a phone number that is none of a place's own.
    const PHONE_DIGITS: usize = 7;
    /// Digits of the shortest payment card.
    const CARD_DIGITS: usize = 12;
    let text = text.trim();
    let digits = || text.chars().filter(|c| c.is_numeric()).count();
    if text.is_empty() || is_flag(text) {
        return false;
    }
    match says {
        Says::Number => digits() >= NUMBER_DIGITS,
        Says::Card => digits() >= CARD_DIGITS,
        Says::Birth => digits() > 0,
        Says::Email
        | Says::Words
        | Says::Address
        | Says::Recipient
        | Says::NamePart
        | Says::BareName => text.contains(char::is_alphabetic),
        Says::Contact => digits() >= PHONE_DIGITS || is_of_words(text),
        Says::Secret => true,
        Says::Harmless => false,
    }
}

/// Whether a text has several words, as the name of a person or a street has. Chinese and its like put nothing
/// between them.
fn is_of_words(text: &str) -> bool {
    text.contains(char::is_alphabetic)
        && (text.split_whitespace().nth(1).is_some() || text.contains(|c| c >= IDEOGRAPHS))
}

/// Whether a text is the answer to a question with yes or no. Fewer words than a switch knows: `Si` and `On` are
/// names.
fn is_flag(text: &str) -> bool {
    ["true", "false", "yes", "no", "0", "1"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every row of the vector file: `left out` or `sent`, the key, and its value as JSON.
    #[test]
    fn names_and_values() {
        let mut rows = 0;
        for line in include_str!("../tests/vectors/contact_names.tsv").lines() {
            if line.starts_with('#') || line.is_empty() {
                continue;
            }
            let [expected, key, value] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("three columns: {line}");
            };
            let raw = Raw::parse(value).unwrap();
            let found = if tells(key, raw, Around::Event) {
                "left out"
            } else {
                "sent"
            };
            assert_eq!(found, expected, "{key}: {value}");
            rows += 1;
        }
        assert!(rows >= 200, "{rows} rows");
    }

    #[test]
    fn parts_of_a_name_are_told_in_a_person() {
        let name = Raw::parse("\"Jane\"").unwrap();
        for (around, expected) in [
            (Around::within("customer"), true),
            (Around::within("shipTo"), true),
            (Around::within("ship_to"), true),
            (Around::within("kontakt"), true),
            (Around::within("page"), false),
            (Around::Event, false),
        ] {
            assert_eq!(tells("first", name, around), expected, "{around:?}");
            assert_eq!(tells("last", name, around), expected, "{around:?}");
        }
        let number = Raw::parse("7").unwrap();
        assert!(!tells("last", number, Around::Person));
    }
}
