//! Reading JSON without losing anything.
//!
//! A pull reader over text, for three reasons that no general parser met at once (figures in
//! `docs/dependencies.md`):
//!
//! - numbers keep their exact text: `129.90` stays `129.90`, an id of 20 digits stays an id;
//! - a flaw inside one value (a lone surrogate, `1e400`) costs that value, not the document;
//! - strings are borrowed from the input, and clear personal data is not copied about.
//!
//! The grammar is RFC 8259, nothing more: no comments, no trailing commas, no `NaN`. Depth is
//! limited, so a megabyte of `[` costs no stack.

mod parts;
mod reader;
mod write;

use std::borrow::Cow;
use std::fmt;

pub(crate) use parts::inner;
pub use parts::{Items, Members};
pub use reader::Reader;
pub(crate) use write::write_number;
pub use write::{write_clean, write_compact, write_text};

/// Where and how a text stops being JSON.
///
/// Small on purpose: it is the other half of every result in this file, and a result that fits into
/// registers made reading a third faster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyntaxError {
    at: u32,
    expected: Expected,
}

/// What would have been right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Value,
    End,
    Array,
    Object,
    CommaOrBracket,
    CommaOrBrace,
    Key,
    Colon,
    LessNesting,
    Word,
    Digit,
    NoControl,
    ClosingQuote,
    FourDigits,
    Escape,
}

impl SyntaxError {
    /// Offset of the offending byte, from the start of the text.
    pub fn at(&self) -> usize {
        self.at as usize
    }

    /// Whether the text is nested too deeply, which says nothing against what follows.
    pub(crate) fn is_depth(self) -> bool {
        self.expected == Expected::LessNesting
    }

    /// What would have been right there.
    pub fn expected(&self) -> &'static str {
        match self.expected {
            Expected::Value => "a JSON value",
            Expected::End => "the end of the text",
            Expected::Array => "an array",
            Expected::Object => "an object",
            Expected::CommaOrBracket => "`,` or `]`",
            Expected::CommaOrBrace => "`,` or `}`",
            Expected::Key => "a key in double quotes",
            Expected::Colon => "`:`",
            Expected::LessNesting => "less nesting (at most 32 levels)",
            Expected::Word => "`true`, `false` or `null`",
            Expected::Digit => "a digit",
            Expected::NoControl => "a string without raw control characters",
            Expected::ClosingQuote => "a closing `\"`",
            Expected::FourDigits => "four hexadecimal digits after `\\u`",
            Expected::Escape => "an escape that JSON knows",
        }
    }

    /// Line and column of the error, both counted from 1; the column counts characters.
    pub fn line_column(&self, text: &str) -> (usize, usize) {
        let before = text.get(..self.at()).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (line, column)
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {} at byte {}", self.expected(), self.at)
    }
}

impl std::error::Error for SyntaxError {}

/// The six kinds of JSON values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// a number
    Number,
    /// a string
    Text,
    /// an array
    Array,
    /// an object
    Object,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Null => "null",
            Kind::Bool => "a boolean",
            Kind::Number => "a number",
            Kind::Text => "a string",
            Kind::Array => "an array",
            Kind::Object => "an object",
        })
    }
}

/// One JSON value exactly as it was written, known to be well formed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Raw<'a> {
    text: &'a str,
    /// Whether no string in it, at any depth, has an escape.
    is_plain: bool,
}

impl<'a> Raw<'a> {
    /// Reads `text` as exactly one JSON value.
    pub fn parse(text: &'a str) -> Result<Self, SyntaxError> {
        let mut reader = Reader::new(text);
        let raw = reader.value()?;
        reader.end()?;
        Ok(raw)
    }

    /// Text that was read as one JSON value before, or written by this crate.
    pub(crate) fn trusted(text: &'a str) -> Self {
        Self::known(text, memchr::memchr(b'\\', text.as_bytes()).is_none())
    }

    /// As [`Raw::trusted`], where it is known whether there is no escape in it.
    pub(crate) fn known(text: &'a str, is_plain: bool) -> Self {
        Self { text, is_plain }
    }

    /// Whether no string in it, at any depth, has an escape.
    pub(crate) fn is_plain(self) -> bool {
        self.is_plain
    }

    /// The inside of a string that has no escapes.
    #[inline]
    pub(crate) fn plain_text(self) -> Option<&'a str> {
        let text = self.text.strip_prefix('"')?.strip_suffix('"')?;
        self.is_plain.then_some(text)
    }

    /// The value's own text.
    pub fn text(self) -> &'a str {
        self.text
    }

    /// What kind of value it is.
    pub fn kind(self) -> Kind {
        match self.text.as_bytes().first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::Text,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') => Kind::Null,
            _ => Kind::Number,
        }
    }

    /// The decoded string; lone surrogates become U+FFFD.
    pub fn as_text(self) -> Option<Cow<'a, str>> {
        if self.kind() != Kind::Text {
            return None;
        }
        let inner = &self.text[1..self.text.len() - 1];
        Some(if self.is_plain {
            Cow::Borrowed(inner)
        } else {
            unescape(inner)
        })
    }

    /// The digits of a number, as written.
    pub fn as_number(self) -> Option<&'a str> {
        (self.kind() == Kind::Number).then_some(self.text)
    }

    /// A number for a place that wants an id or a text: `12345.0` and `1.2345e4`, which tables and
    /// spreadsheets make of 12345, as whole digits; anything else as written.
    pub fn as_digits(self) -> Option<Cow<'a, str>> {
        const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
        let number = self.as_number()?;
        if number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Cow::Borrowed(number));
        }
        if let Some((whole, fraction)) = number.split_once('.')
            && fraction.bytes().all(|byte| byte == b'0')
        {
            return Some(Cow::Borrowed(whole));
        }
        if number.contains(['e', 'E'])
            && let Ok(value) = number.parse::<f64>()
            && value.fract() == 0.0
            && value.abs() < EXACT_MAX
        {
            return Some(Cow::Owned(format!("{value:.0}")));
        }
        Some(Cow::Borrowed(number))
    }

    /// The boolean.
    pub fn as_bool(self) -> Option<bool> {
        match self.text {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// A reader over this value.
    pub fn reader(self) -> Reader<'a> {
        Reader::new(self.text)
    }

    /// The items of an array; none of anything else.
    pub fn items(self) -> Items<'a> {
        Items::of(self)
    }

    /// The members of an object, in order, repeated keys included; none of anything else.
    pub fn members(self) -> Members<'a> {
        Members::of(self)
    }
}

/// Decodes the inside of a well-formed string; half a surrogate pair becomes U+FFFD.
fn unescape(inner: &str) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'\\', inner.as_bytes()) else {
        return Cow::Borrowed(inner);
    };
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    let mut next = Some(first);
    while let Some(at) = next {
        text.push_str(&rest[..at]);
        let (decoded, length) = decode_escape(&rest[at..]);
        text.push(decoded);
        rest = &rest[at + length..];
        next = memchr::memchr(b'\\', rest.as_bytes());
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// The character that an escape at the start of `text` stands for, and the escape's length.
fn decode_escape(text: &str) -> (char, usize) {
    let simple = match text.as_bytes().get(1) {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return decode_unicode_escape(text),
        Some(&byte) => char::from(byte),
        None => char::REPLACEMENT_CHARACTER,
    };
    (simple, 2)
}

fn decode_unicode_escape(text: &str) -> (char, usize) {
    let unit = |from: usize| {
        let digits = text.get(from..from + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let Some(first) = unit(0) else {
        return (char::REPLACEMENT_CHARACTER, text.len().min(6));
    };
    if let Some(second) = unit(6)
        && let Some(Ok(pair)) = char::decode_utf16([first, second]).next()
        && u32::from(pair) > 0xffff
    {
        return (pair, 12);
    }
    let single = char::from_u32(u32::from(first)).unwrap_or(char::REPLACEMENT_CHARACTER);
    (single, 6)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads a document to the bottom, decoding everything.
    fn read(text: &str) -> Result<(), SyntaxError> {
        fn walk(raw: Raw<'_>) {
            raw.as_text();
            raw.items().for_each(walk);
            raw.members().for_each(|(_, value)| walk(value));
        }
        Raw::parse(text).map(walk)
    }

    #[test]
    fn keeps_numbers_as_written() {
        for number in ["129.90", "1e400", "-0.0", "12345678901234567890123", "1E+2"] {
            assert_eq!(Raw::parse(number).unwrap().as_number(), Some(number));
        }
    }

    #[test]
    fn refuses_what_is_not_json() {
        let deep = "[".repeat(10_000_000);
        for text in [
            "",
            " ",
            "nul",
            "NaN",
            "01",
            "1.",
            ".5",
            "+1",
            "-",
            "1e",
            "\"",
            "\"\\x\"",
            "\"\\u12\"",
            "[1,]",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\" 1}",
            "[1 2]",
            "\"\t\"",
            "1 2",
            "]",
            &deep,
        ] {
            assert!(read(text).is_err(), "{text:.20}");
        }
    }

    #[test]
    fn half_a_surrogate_pair_costs_one_character() {
        for (text, expected) in [
            (r#""a\ud83db""#, "a\u{fffd}b"),
            (r#""\ude00""#, "\u{fffd}"),
            (r#""\ud83d\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83d\u0041""#, "\u{fffd}A"),
            (r#""\ud83d\ude00""#, "😀"),
            (r#""\u00e9\/\"\\\n""#, "é/\"\\\n"),
        ] {
            assert_eq!(Raw::parse(text).unwrap().as_text().unwrap(), expected);
        }
    }

    #[test]
    fn writes_whole_numbers() {
        for number in [0, 7, -1, 1_751_462_400, i64::MAX, i64::MIN] {
            let mut out = String::new();
            write_number(&mut out, number);
            assert_eq!(out, number.to_string());
        }
    }

    #[test]
    fn counts_lines_and_columns_from_one() {
        let text = "{\n  \"ä\": x\n}";
        let error = Raw::parse(text).err().unwrap();
        assert_eq!(error.line_column(text), (2, 8));
    }

    #[test]
    fn compacts_outside_strings_only() {
        let mut out = String::new();
        write_compact(
            &mut out,
            Raw::parse("{ \"a b\" : [ 1 , \"c\\\" d\\\\\" ] }").unwrap(),
        );
        assert_eq!(out, "{\"a b\":[1,\"c\\\" d\\\\\"]}");
    }

    fn document() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<i32>().prop_map(|number| (f64::from(number) / 8.0).into()),
            ".{0,20}".prop_map(Into::into),
        ];
        leaf.prop_recursive(5, 60, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
                prop::collection::hash_map(".{0,9}", inner, 0..8)
                    .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    /// Rebuilds a document from our reading of it.
    fn rebuild(raw: Raw<'_>) -> serde_json::Value {
        match raw.kind() {
            Kind::Text => raw.as_text().unwrap().into_owned().into(),
            Kind::Array => raw.items().map(rebuild).collect(),
            Kind::Object => raw
                .members()
                .map(|(key, value)| (key.into_owned(), rebuild(value)))
                .collect(),
            _ => serde_json::from_str(raw.text()).unwrap(),
        }
    }

    proptest! {
        #[test]
        fn reads_what_serde_json_wrote(document in document(), pretty: bool) {
            let text = if pretty {
                serde_json::to_string_pretty(&document).unwrap()
            } else {
                document.to_string()
            };
            let raw = Raw::parse(&text).unwrap();
            prop_assert_eq!(rebuild(raw), document.clone());
            let mut compact = String::new();
            write_compact(&mut compact, raw);
            prop_assert_eq!(rebuild(Raw::parse(&compact).unwrap()), document);
        }

        /// On damaged documents both say no, but for the two flaws we forgive on purpose.
        #[test]
        fn agrees_with_serde_json_on_damaged_text(
            document in document(), at in 0usize..200, with in "[\\[\\]{}\",:\\\\0-9a-fnuteE.+ -]{0,3}",
        ) {
            let mut text = document.to_string();
            let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
            let end = (at + 1..=text.len()).find(|end| text.is_char_boundary(*end)).unwrap_or(at);
            text.replace_range(at..end, &with);
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            let forgiven = theirs.as_ref().err().is_some_and(|error| {
                let error = error.to_string();
                error.contains("surrogate") || error.contains("hex escape") || error.contains("out of range")
            });
            if !forgiven {
                prop_assert_eq!(read(&text).is_ok(), theirs.is_ok(), "{}", text);
            }
        }

        #[test]
        fn writes_what_serde_json_reads(text in "\\PC{0,40}|[\\x00-\\x7f]{0,40}") {
            let mut out = String::new();
            write_text(&mut out, &text);
            prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }
}
