//! The appendix of Meta's parameter builder: who wrote a value, and how.
//!
//! Two forms stand behind a dot at the end of `fbc`, `fbp`, addresses, hashes and URLs:
//!
//! ```text
//! v1 = two characters, one per language
//! v2 = eight characters, base64url of [1, language, kind, major, minor, patch]
//! ```
//!
//! Meta asks to forward it unchanged. We read it, and write one only when the caller says who it is.

use std::fmt;

/// Length of the first form, in bytes.
pub(crate) const V1_LEN: usize = 2;
/// Length of the second form, in bytes.
pub(crate) const V2_LEN: usize = 8;

const FORMAT: u8 = 1;
const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The library that wrote a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// PHP
    Php,
    /// Python
    Python,
    /// Java
    Java,
    /// Node.js
    Node,
    /// Ruby
    Ruby,
    /// JavaScript in the browser
    Browser,
}

impl Language {
    const ALL: [(Language, &'static str); 6] = [
        (Language::Php, "AQ"),
        (Language::Python, "Ag"),
        (Language::Java, "Aw"),
        (Language::Node, "BA"),
        (Language::Ruby, "BQ"),
        (Language::Browser, "Bg"),
    ];

    /// The two characters of the first form.
    pub fn token(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    fn number(self) -> u8 {
        self as u8 + 1
    }

    fn from_number(number: u8) -> Option<Self> {
        let index = usize::from(number).checked_sub(1)?;
        Self::ALL.get(index).map(|(language, _)| *language)
    }
}

/// What the library did to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Passed on as it came.
    Unchanged,
    /// Made, in some way.
    New,
    /// Made where there was none.
    NetNew,
    /// Put in the place of another.
    Modified,
}

impl Change {
    const ALL: [Change; 4] = [
        Change::Unchanged,
        Change::New,
        Change::NetNew,
        Change::Modified,
    ];
}

/// A version of three numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version(pub u8, pub u8, pub u8);

impl Version {
    /// Reads `major.minor.patch`, each at most 255.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(|part| part.parse().ok());
        let version = Self(parts.next()??, parts.next()??, parts.next()??);
        parts.next().is_none().then_some(version)
    }
}

/// An appendix, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appendix {
    /// The first form: the language alone.
    V1(Language),
    /// The second form.
    V2(Language, Change, Version),
}

impl Appendix {
    /// The appendix that a library of this language and version text writes: the second form, or
    /// the first when the version is not three numbers.
    pub fn for_version(language: Language, change: Change, version: &str) -> Self {
        match Version::parse(version) {
            Some(version) => Self::V2(language, change, version),
            None => Self::V1(language),
        }
    }

    /// Reads either form.
    pub fn parse(text: &str) -> Option<Self> {
        match text.len() {
            V1_LEN => Language::ALL
                .into_iter()
                .find(|(_, token)| *token == text)
                .map(|(language, _)| Self::V1(language)),
            V2_LEN => {
                let [format, language, change, major, minor, patch] = decode(text)?;
                let language = Language::from_number(language)?;
                let change = *Change::ALL.get(usize::from(change))?;
                (format == FORMAT).then_some(Self::V2(
                    language,
                    change,
                    Version(major, minor, patch),
                ))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Appendix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::V1(language) => f.write_str(language.token()),
            Self::V2(language, change, Version(major, minor, patch)) => {
                let bytes = [FORMAT, language.number(), change as u8, major, minor, patch];
                for group in bytes.chunks_exact(3) {
                    let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
                    for shift in [18, 12, 6, 0] {
                        let digit = BASE64URL[(bits >> shift) as usize & 63];
                        write!(f, "{}", char::from(digit))?;
                    }
                }
                Ok(())
            }
        }
    }
}

fn decode(text: &str) -> Option<[u8; 6]> {
    let mut bits: u64 = 0;
    for byte in text.bytes() {
        let digit = BASE64URL.iter().position(|&known| known == byte)?;
        bits = bits << 6 | digit as u64;
    }
    bits.to_be_bytes()[2..].try_into().ok()
}

/// Whether a suffix has the form of an appendix, known or not: 2 or 8 base64url characters.
pub fn has_form(suffix: &str) -> bool {
    matches!(suffix.len(), V1_LEN | V2_LEN)
        && suffix
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Whether a suffix is an appendix for certain: a known token, or eight characters that decode to one.
///
/// The stricter test, for values in which a chance suffix may look like an appendix.
pub fn is_known(suffix: &str) -> bool {
    Appendix::parse(suffix).is_some()
}

/// The value without its appendix, or appendices: a released browser library wrote two.
pub fn strip(value: &str) -> &str {
    let mut rest = value;
    while let Some((before, suffix)) = rest.rsplit_once('.') {
        if !is_known(suffix) {
            break;
        }
        rest = before;
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_reads_metas_own() {
        use Change::{Modified, NetNew, New, Unchanged};
        for (language, change, version, expected) in [
            (Language::Node, Unchanged, "1.0.0", "AQQAAQAA"),
            (Language::Node, NetNew, "1.0.0", "AQQCAQAA"),
            (Language::Node, Modified, "1.0.0", "AQQDAQAA"),
            (Language::Node, Unchanged, "1.0.1", "AQQAAQAB"),
            (Language::Node, New, "1.0.1", "AQQBAQAB"),
            (Language::Node, NetNew, "1.0.1", "AQQCAQAB"),
            (Language::Node, Modified, "1.0.1", "AQQDAQAB"),
            (Language::Node, NetNew, "1.15.24", "AQQCAQ8Y"),
            (Language::Node, NetNew, "1.3.2", "AQQCAQMC"),
            (Language::Browser, Unchanged, "1.0.0", "AQYAAQAA"),
            (Language::Browser, NetNew, "1.0.0", "AQYCAQAA"),
            (Language::Browser, Modified, "1.0.0", "AQYDAQAA"),
            (Language::Php, NetNew, "1.2.1", "AQECAQIB"),
            (Language::Python, NetNew, "1.1.2", "AQICAQEC"),
            (Language::Java, NetNew, "1.1.1", "AQMCAQEB"),
            (Language::Node, NetNew, "1.2.1", "AQQCAQIB"),
            (Language::Ruby, NetNew, "1.1.1", "AQUCAQEB"),
            (Language::Browser, NetNew, "1.3.0", "AQYCAQMA"),
        ] {
            let appendix = Appendix::for_version(language, change, version);
            assert_eq!(appendix.to_string(), expected);
            assert_eq!(Appendix::parse(expected), Some(appendix));
        }
    }

    #[test]
    fn falls_back_to_the_token_without_three_numbers() {
        for version in ["invalid", "1.0", "1.0.0.1", "a.b.c", "1.0.256", ""] {
            let appendix = Appendix::for_version(Language::Node, Change::NetNew, version);
            assert_eq!(appendix.to_string(), "BA", "{version}");
            assert_eq!(Appendix::parse("BA"), Some(appendix));
        }
    }

    #[test]
    fn strips_repeatedly_and_only_what_decodes() {
        assert_eq!(strip("2001:db8::1.AQYCAQAA.AQYCAQAA"), "2001:db8::1");
        assert_eq!(strip("203.0.113.77"), "203.0.113.77");
        assert_eq!(strip("a.abcdefgh"), "a.abcdefgh");
    }
}
