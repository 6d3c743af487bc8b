//! Going through a JSON text from value to value.

#![expect(
    clippy::inline_always,
    reason = "reading is a third of the time of sealing; without it the tokens go through memory, a tenth slower"
)]

use std::borrow::Cow;

use super::{Expected, Kind, Raw, SyntaxError, unescape};
use crate::bytes::{self, Special};
use crate::limits::JSON_DEPTH_MAX;

/// Reads one JSON value after another from a text.
///
/// What is seldom needed takes a copy and gives it back, so that in a loop over the members of an
/// object the reader stays in registers.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// What is still to be read. It is cut off bit by bit, because a cut needs one look at whether it
    /// falls between characters, and a range within the whole text needs two.
    rest: &'a str,
    /// The length of the whole text.
    length: usize,
    depth: usize,
}

/// What [`Reader::peek`] returns at the end of the text: no token starts with it.
const END: u8 = 0;

impl<'a> Reader<'a> {
    /// A reader at the start of `text`.
    pub fn new(text: &'a str) -> Self {
        Self {
            rest: text,
            length: text.len(),
            depth: 0,
        }
    }

    /// Goes back to an earlier place, in front of a value that is nested too deeply, and passes over
    /// that value by counting brackets: it costs itself, not what follows.
    pub(crate) fn pass_over(&mut self, (rest, depth): (&'a str, usize)) -> Result<(), SyntaxError> {
        (self.rest, self.depth) = (rest, depth);
        let mut open: usize = 0;
        loop {
            match self.peek() {
                b'"' => {
                    self.skip_text()?;
                    continue;
                }
                b'{' | b'[' => open += 1,
                b'}' | b']' if open <= 1 => {
                    self.skip_char();
                    return Ok(());
                }
                b'}' | b']' => open -= 1,
                END if self.rest.is_empty() => return Err(self.expected(Expected::Value)),
                _ => {}
            }
            self.skip_char();
        }
    }

    /// The place and depth, for [`Reader::pass_over`].
    pub(crate) fn mark(&self) -> (&'a str, usize) {
        (self.rest, self.depth)
    }

    /// Offset of the next byte to be read.
    pub fn offset(&self) -> usize {
        self.length - self.rest.len()
    }

    /// The kind of the value that comes next.
    #[inline]
    pub fn kind(&mut self) -> Result<Kind, SyntaxError> {
        match self.peek() {
            b'"' => Ok(Kind::Text),
            b'{' => Ok(Kind::Object),
            b'[' => Ok(Kind::Array),
            b't' | b'f' => Ok(Kind::Bool),
            b'n' => Ok(Kind::Null),
            b'-' | b'0'..=b'9' => Ok(Kind::Number),
            _ => Err(self.expected(Expected::Value)),
        }
    }

    /// Whether only white space is left.
    pub fn is_at_end(&mut self) -> bool {
        self.peek() == END && self.rest.is_empty()
    }

    /// Insists that only white space is left.
    pub fn end(&mut self) -> Result<(), SyntaxError> {
        if self.is_at_end() {
            Ok(())
        } else {
            Err(self.expected(Expected::End))
        }
    }

    /// Reads one value of any kind and returns it as written.
    #[inline(always)]
    pub fn value(&mut self) -> Result<Raw<'a>, SyntaxError> {
        let first = self.peek();
        let rest = self.rest;
        // Most values are short strings without escapes.
        if first == b'"' {
            let end = quoted_end(rest);
            if rest.as_bytes().get(end) == Some(&b'"') {
                let text;
                (text, self.rest) = rest.split_at(end + 1);
                return Ok(Raw {
                    text,
                    is_plain: true,
                });
            }
        }
        let result;
        (result, *self) = self.other_value(first);
        let is_plain = result?;
        let text = &rest[..rest.len() - self.rest.len()];
        Ok(Raw { text, is_plain })
    }

    #[inline(never)]
    fn other_value(mut self, first: u8) -> (Result<bool, SyntaxError>, Self) {
        (self.skip(first), self)
    }

    /// Reads a value without escapes that `length` knows by a look at the rest of the text, nested as
    /// deeply as `depth` says; where it does not, nothing is read.
    pub(crate) fn value_if(
        &mut self,
        depth: usize,
        length: impl FnOnce(&[u8]) -> Option<usize>,
    ) -> Option<Raw<'a>> {
        self.peek();
        let length =
            length(self.rest.as_bytes()).filter(|_| self.depth + depth <= JSON_DEPTH_MAX)?;
        let text;
        (text, self.rest) = self.rest.split_at(length);
        Some(Raw {
            text,
            is_plain: true,
        })
    }

    /// Reads an array, calling `each` before every item; `each` must read exactly that item.
    pub fn items<E: From<SyntaxError>>(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open("[", Expected::Array)?;
        if !self.take("]") {
            loop {
                each(self)?;
                if !self.take(",") {
                    break;
                }
            }
            if !self.take("]") {
                return Err(self.expected(Expected::CommaOrBracket).into());
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads an object, calling `each` with every key; `each` must read exactly that key's value.
    pub fn members<E: From<SyntaxError>>(
        &mut self,
        mut each: impl FnMut(&mut Self, Cow<'a, str>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open("{", Expected::Object)?;
        let mut inner = *self;
        if !inner.take("}") {
            loop {
                let key = inner.key()?;
                each(&mut inner, key)?;
                if !inner.take(",") {
                    break;
                }
            }
            if !inner.take("}") {
                return Err(inner.expected(Expected::CommaOrBrace).into());
            }
        }
        *self = inner;
        self.depth -= 1;
        Ok(())
    }

    /// Reads a key and the colon behind it.
    #[inline(always)]
    pub(super) fn key(&mut self) -> Result<Cow<'a, str>, SyntaxError> {
        if self.peek() != b'"' {
            return Err(self.expected(Expected::Key));
        }
        let rest = self.rest;
        let (quoted, behind) = rest.split_at(quoted_end(rest));
        // Nearly every program writes the colon right behind the key.
        if let (Some(key), Some(behind)) = (quoted.strip_prefix('"'), behind.strip_prefix("\":")) {
            self.rest = behind;
            return Ok(Cow::Borrowed(key));
        }
        let result;
        (result, *self) = self.other_key();
        result
    }

    /// Reads a key with escapes in it, or with white space behind it.
    #[inline(never)]
    fn other_key(mut self) -> (Result<Cow<'a, str>, SyntaxError>, Self) {
        let quoted = self.rest;
        if let Err(error) = self.skip_text() {
            return (Err(error), self);
        }
        let quoted = &quoted[..quoted.len() - self.rest.len()];
        if !self.take(":") {
            return (Err(self.expected(Expected::Colon)), self);
        }
        (Ok(unescape(&quoted[1..quoted.len() - 1])), self)
    }

    fn open(&mut self, bracket: &str, expected: Expected) -> Result<(), SyntaxError> {
        if !self.take(bracket) {
            return Err(self.expected(expected));
        }
        if self.depth == JSON_DEPTH_MAX {
            return Err(self.expected(Expected::LessNesting));
        }
        self.depth += 1;
        Ok(())
    }

    #[cold]
    fn expected(self, expected: Expected) -> SyntaxError {
        SyntaxError {
            at: u32::try_from(self.offset()).unwrap_or(u32::MAX),
            expected,
        }
    }

    /// The next byte that is no white space, or [`END`].
    #[inline(always)]
    fn peek(&mut self) -> u8 {
        match self.rest.as_bytes().first() {
            Some(&byte) if byte > b' ' => byte,
            _ => {
                self.rest = behind_space(self.rest);
                self.rest.as_bytes().first().copied().unwrap_or(END)
            }
        }
    }

    /// Takes the one byte that is `wanted`, if it comes next.
    #[inline(always)]
    pub(super) fn take(&mut self, wanted: &str) -> bool {
        self.peek();
        let behind = self.rest.strip_prefix(wanted);
        self.rest = behind.unwrap_or(self.rest);
        behind.is_some()
    }

    fn skip_char(&mut self) {
        let mut chars = self.rest.chars();
        chars.next();
        self.rest = chars.as_str();
    }

    /// Skips bytes that end between characters.
    #[inline(always)]
    fn skip_bytes(&mut self, count: usize) {
        self.rest = &self.rest[count..];
    }

    /// Skips the value that begins with `first`; tells whether it is free of escapes.
    fn skip(&mut self, first: u8) -> Result<bool, SyntaxError> {
        match first {
            b'"' => self.skip_text(),
            b'-' | b'0'..=b'9' => self.skip_number(),
            b'{' => self.skip_object(),
            b'[' => self.skip_array(),
            b't' => self.skip_word("true"),
            b'f' => self.skip_word("false"),
            b'n' => self.skip_word("null"),
            _ => Err(self.expected(Expected::Value)),
        }
    }

    fn skip_object(&mut self) -> Result<bool, SyntaxError> {
        let mut is_plain = true;
        self.open("{", Expected::Object)?;
        if !self.take("}") {
            loop {
                if self.peek() != b'"' {
                    return Err(self.expected(Expected::Key));
                }
                is_plain &= self.skip_text()?;
                if !self.take(":") {
                    return Err(self.expected(Expected::Colon));
                }
                let first = self.peek();
                is_plain &= self.skip(first)?;
                if !self.take(",") {
                    break;
                }
            }
            if !self.take("}") {
                return Err(self.expected(Expected::CommaOrBrace));
            }
        }
        self.depth -= 1;
        Ok(is_plain)
    }

    fn skip_array(&mut self) -> Result<bool, SyntaxError> {
        let mut is_plain = true;
        self.open("[", Expected::Array)?;
        if !self.take("]") {
            loop {
                let first = self.peek();
                is_plain &= self.skip(first)?;
                if !self.take(",") {
                    break;
                }
            }
            if !self.take("]") {
                return Err(self.expected(Expected::CommaOrBracket));
            }
        }
        self.depth -= 1;
        Ok(is_plain)
    }

    fn skip_word(&mut self, word: &'static str) -> Result<bool, SyntaxError> {
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest;
                Ok(true)
            }
            None => Err(self.expected(Expected::Word)),
        }
    }

    fn skip_number(&mut self) -> Result<bool, SyntaxError> {
        let (length, is_whole) = number_length(self.rest.as_bytes());
        self.skip_bytes(length);
        if is_whole {
            Ok(true)
        } else {
            Err(self.expected(Expected::Digit))
        }
    }

    /// Skips a string, its quotes included; tells whether it is free of escapes.
    fn skip_text(&mut self) -> Result<bool, SyntaxError> {
        let mut is_plain = true;
        self.skip_bytes(1);
        loop {
            self.skip_bytes(bytes::find::<Special>(self.rest.as_bytes()));
            match self.rest.as_bytes().first() {
                Some(b'"') => {
                    self.skip_bytes(1);
                    return Ok(is_plain);
                }
                Some(b'\\') => {
                    is_plain = false;
                    self.skip_escape()?;
                }
                Some(_) => return Err(self.expected(Expected::NoControl)),
                None => return Err(self.expected(Expected::ClosingQuote)),
            }
        }
    }

    fn skip_escape(&mut self) -> Result<(), SyntaxError> {
        let length = match *self.rest.as_bytes() {
            [
                _,
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't',
                ..,
            ] => 2,
            [_, b'u', a, b, c, d, ..] if [a, b, c, d].iter().all(u8::is_ascii_hexdigit) => 6,
            [_, b'u', ..] => return Err(self.expected(Expected::FourDigits)),
            _ => return Err(self.expected(Expected::Escape)),
        };
        self.skip_bytes(length);
        Ok(())
    }
}

#[inline(never)]
fn behind_space(text: &str) -> &str {
    text.trim_start_matches([' ', '\n', '\r', '\t'])
}

/// The place of what ends a quoted text without escapes, normally the second quote.
#[inline(always)]
fn quoted_end(text: &str) -> usize {
    match text.as_bytes() {
        [_, inner @ ..] => 1 + bytes::find::<Special>(inner),
        [] => 0,
    }
}

/// How many bytes at the start belong to a number, and whether no digit is missing behind them.
fn number_length(bytes: &[u8]) -> (usize, bool) {
    let is = |at: usize, wanted: u8| bytes.get(at) == Some(&wanted);
    let digits_end = |start: usize| {
        let mut at = start;
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        (at, at > start)
    };
    let start = usize::from(is(0, b'-'));
    let (mut at, mut is_whole) = if is(start, b'0') {
        (start + 1, true)
    } else {
        digits_end(start)
    };
    if is_whole && is(at, b'.') {
        (at, is_whole) = digits_end(at + 1);
    }
    if is_whole && (is(at, b'e') || is(at, b'E')) {
        let is_signed = is(at + 1, b'+') || is(at + 1, b'-');
        (at, is_whole) = digits_end(at + 1 + usize::from(is_signed));
    }
    (at, is_whole)
}
