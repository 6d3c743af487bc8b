//! What several normalisers do to text.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

/// Marks that cannot be seen and never belong to a value: they come along with copy and paste.
///
/// Zero-width joiners (U+200C, U+200D) are not among them: Persian and Indic spelling needs them.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
    )
}

/// The value without white space and invisible marks at its ends.
#[inline]
pub(super) fn trim(value: &str) -> &str {
    if has_visible_ends(value) {
        return value;
    }
    // Behind blanks there is seldom anything else to cut.
    let value = value.trim_ascii();
    if has_visible_ends(value) {
        return value;
    }
    trim_odd(value)
}

fn has_visible_ends(value: &str) -> bool {
    let is_visible = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
    is_visible(value.as_bytes().first()) && is_visible(value.as_bytes().last())
}

#[cold]
fn trim_odd(value: &str) -> &str {
    value.trim_matches(|c: char| c.is_whitespace() || c.is_control() || is_invisible(c))
}

/// Lower case, composed (NFC), without invisible marks.
pub(super) fn lower(value: &str) -> Cow<'_, str> {
    if value.is_ascii() {
        return if value.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(value.to_ascii_lowercase())
        } else {
            Cow::Borrowed(value)
        };
    }
    let composed: Cow<'_, str> = match is_nfc_quick(value.chars()) {
        IsNormalized::Yes => Cow::Borrowed(value),
        _ => Cow::Owned(value.nfc().collect()),
    };
    // The whole text at once: a Greek sigma at the end of a word has a form of its own.
    let mut lower = composed.to_lowercase();
    lower.retain(|c| !is_invisible(c));
    Cow::Owned(lower)
}

/// Letters only, lower case, without accents: the form in which tables of names are looked up.
pub(super) fn fold(value: &str) -> String {
    value
        .to_lowercase()
        .nfkd()
        .filter(|c| c.is_alphabetic() && !unicode_normalization::char::is_combining_mark(*c))
        .collect()
}

/// What kinds of bytes there are in a text: one look answers what each rule would ask for itself.
#[derive(Clone, Copy)]
struct Bytes(u8);

impl Bytes {
    const LOWER: u8 = 1;
    const UPPER: u8 = 2;
    const OTHER_ASCII: u8 = 4;
    const BEYOND_ASCII: u8 = 8;

    const KIND: [u8; 256] = {
        let mut kinds = [Self::BEYOND_ASCII; 256];
        let mut byte: u8 = 0;
        while byte < 0x80 {
            kinds[byte as usize] = match byte {
                b'a'..=b'z' => Self::LOWER,
                b'A'..=b'Z' => Self::UPPER,
                _ => Self::OTHER_ASCII,
            };
            byte += 1;
        }
        kinds
    };

    fn of(text: &str) -> Self {
        Self(
            text.bytes()
                .fold(0, |kinds, byte| kinds | Self::KIND[usize::from(byte)]),
        )
    }

    fn has(self, kinds: u8) -> bool {
        self.0 & kinds != 0
    }
}

/// Appends `value` in lower case, less everything that `is_dropped`, which is never an ASCII letter.
pub(super) fn push_lower_without(value: &str, out: &mut String, is_dropped: impl Fn(char) -> bool) {
    let bytes = Bytes::of(value);
    if !bytes.has(Bytes::BEYOND_ASCII) {
        let start = out.len();
        let mut rest = value;
        if bytes.has(Bytes::OTHER_ASCII) {
            while let Some(at) = rest.bytes().position(|byte| is_dropped(char::from(byte))) {
                out.push_str(&rest[..at]);
                rest = &rest[at + 1..];
            }
        }
        out.push_str(rest);
        if bytes.has(Bytes::UPPER) {
            out[start..].make_ascii_lowercase();
        }
        return;
    }
    // Composed once more: what stood apart may stand together now.
    out.extend(lower(value).chars().filter(|c| !is_dropped(*c)).nfc());
}

/// White space, control characters and ASCII punctuation.
pub(super) fn is_space_or_punctuation(c: char) -> bool {
    if c.is_ascii() {
        !c.is_ascii_alphanumeric()
    } else {
        c.is_whitespace() || c.is_control()
    }
}
