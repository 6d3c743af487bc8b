//! The text of an amount, brought into the characters that the rest is read with.

use std::borrow::Cow;

use crate::encoded;
use crate::normalize::is_invisible;

/// A text with the digits and dashes of ASCII, without HTML and without marks that nobody sees.
pub(super) struct Written<'t> {
    pub(super) text: Cow<'t, str>,
    /// The text has a mark that separates decimals and nothing else (Arabic's `٫`); it is a dot now.
    pub(super) has_decimal_mark: bool,
}

impl<'t> Written<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        if text.is_ascii() && memchr::memchr(b'&', text.as_bytes()).is_none() {
            return Self {
                text: Cow::Borrowed(text),
                has_decimal_mark: false,
            };
        }
        let decoded = encoded::without_entities(text);
        let has_decimal_mark = decoded.contains(DECIMAL_MARK);
        let is_grouping = |c: char| matches!(c, ',' | '\u{60c}' | '\u{66c}');
        let text: String = decoded
            .chars()
            .filter(|c| !is_invisible(*c))
            .filter(|c| !has_decimal_mark || !is_grouping(*c))
            .map(plain)
            .collect();
        Self {
            text: Cow::Owned(text.trim().to_owned()),
            has_decimal_mark,
        }
    }
}

const DECIMAL_MARK: char = '\u{66b}';

/// The first digit of every script whose digits shops write.
const ZEROS: [char; 16] = [
    '\u{660}', '\u{6f0}', '\u{966}', '\u{9e6}', '\u{a66}', '\u{ae6}', '\u{b66}', '\u{be6}',
    '\u{c66}', '\u{ce6}', '\u{d66}', '\u{e50}', '\u{ed0}', '\u{1040}', '\u{17e0}', '\u{ff10}',
];

fn plain(c: char) -> char {
    if c.is_ascii() {
        return c;
    }
    let digit = ZEROS.iter().find_map(|zero| {
        let digit = u32::from(c).checked_sub(u32::from(*zero))?;
        char::from_digit(digit, 10)
    });
    if let Some(digit) = digit {
        return digit;
    }
    match c {
        DECIMAL_MARK | '\u{ff0e}' => '.',
        '\u{60c}' | '\u{ff0c}' => ',',
        // Apostrophes in all their shapes, and Arabic's mark between thousands.
        '\u{66c}' | '\u{2018}' | '\u{2019}' | '\u{2bc}' | '\u{b4}' | '\u{2032}' => '\'',
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe63}' | '\u{ff0d}' => '-',
        '\u{ff0b}' => '+',
        '\u{ff08}' => '(',
        '\u{ff09}' => ')',
        c if c.is_whitespace() => ' ',
        c => c,
    }
}
