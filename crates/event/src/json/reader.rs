//! Going through a JSON text from value to value.

#![expect(
    clippy::inline_always,
    reason = "reading is a third of the time of sealing; without it the tokens go through memory, a tenth slower"
)]

use std::borrow::Cow;

use super::{Expected, Kind, Raw, SyntaxError, next_special, unescape};
use crate::limits::JSON_DEPTH_MAX;

/// Reads one JSON value after another from a text.
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

/// What [`Reader::peek`] returns at the end of the text: no token starts with it.
const END: u8 = 0;

impl<'a> Reader<'a> {
    /// A reader at the start of `text`.
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
        }
    }

    /// Goes back to an earlier place, in front of a value that is nested too deeply, and passes over
    /// that value by counting brackets: it costs itself, not what follows.
    pub(crate) fn pass_over(&mut self, (at, depth): (usize, usize)) -> Result<(), SyntaxError> {
        (self.at, self.depth) = (at, depth);
        let mut open: usize = 0;
        loop {
            match self.peek() {
                b'"' => {
                    self.skip_text()?;
                }
                b'{' | b'[' => {
                    open += 1;
                    self.at += 1;
                }
                b'}' | b']' if open <= 1 => {
                    self.at += 1;
                    return Ok(());
                }
                b'}' | b']' => {
                    open -= 1;
                    self.at += 1;
                }
                END if self.at >= self.text.len() => return Err(self.expected(Expected::Value)),
                _ => {
                    // Bytes of other characters are passed over one by one; a slice never ends there.
                    self.at += 1;
                }
            }
        }
    }

    /// The place and depth, for [`Reader::pass_over`].
    pub(crate) fn mark(&self) -> (usize, usize) {
        (self.at, self.depth)
    }

    /// Offset of the next byte to be read.
    pub fn offset(&self) -> usize {
        self.at
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
        self.peek() == END && self.at >= self.text.len()
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
        let start = self.at;
        // Most values are short strings without escapes.
        if first == b'"'
            && let Some(end) = plain_end(self.text.as_bytes(), start + 1)
        {
            let raw = Raw {
                text: &self.text[start..=end],
                is_plain: true,
            };
            self.at = end + 1;
            return Ok(raw);
        }
        let is_plain = self.skip(first)?;
        Ok(Raw {
            text: self.slice(start),
            is_plain,
        })
    }

    /// Reads a value that `length` knows by a look at the rest of the text, nested as deeply as `depth`
    /// says; where it does not, nothing is read.
    pub(crate) fn value_if(
        &mut self,
        depth: usize,
        length: impl FnOnce(&[u8]) -> Option<usize>,
    ) -> Option<Raw<'a>> {
        self.peek();
        let rest = &self.text.as_bytes()[self.at..];
        let length = length(rest).filter(|_| self.depth + depth <= JSON_DEPTH_MAX)?;
        let start = self.at;
        self.at += length;
        Some(Raw::trusted(self.slice(start)))
    }

    /// Reads an array, calling `each` before every item; `each` must read exactly that item.
    pub fn items<E: From<SyntaxError>>(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'[', Expected::Array)?;
        if self.take(b']') {
            self.depth -= 1;
            return Ok(());
        }
        loop {
            each(self)?;
            match self.peek() {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    self.depth -= 1;
                    return Ok(());
                }
                _ => return Err(self.expected(Expected::CommaOrBracket).into()),
            }
        }
    }

    /// Reads an object, calling `each` with every key; `each` must read exactly that key's value.
    pub fn members<E: From<SyntaxError>>(
        &mut self,
        mut each: impl FnMut(&mut Self, Cow<'a, str>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'{', Expected::Object)?;
        if self.take(b'}') {
            self.depth -= 1;
            return Ok(());
        }
        loop {
            let key = self.key()?;
            each(self, key)?;
            match self.peek() {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    self.depth -= 1;
                    return Ok(());
                }
                _ => return Err(self.expected(Expected::CommaOrBrace).into()),
            }
        }
    }

    /// Reads a key and the colon behind it.
    #[inline(always)]
    fn key(&mut self) -> Result<Cow<'a, str>, SyntaxError> {
        if self.peek() != b'"' {
            return Err(self.expected(Expected::Key));
        }
        let start = self.at + 1;
        let bytes = self.text.as_bytes();
        let end = next_special(bytes, start);
        // Nearly every program writes the colon right behind the key.
        if bytes.get(end..end + 2) == Some(b"\":") {
            let key = &self.text[start..end];
            self.at = end + 2;
            return Ok(Cow::Borrowed(key));
        }
        self.unusual_key()
    }

    /// Reads a key with escapes in it, or with white space behind it.
    #[cold]
    fn unusual_key(&mut self) -> Result<Cow<'a, str>, SyntaxError> {
        let start = self.at + 1;
        self.skip_text()?;
        let key = unescape(&self.text[start..self.at - 1]);
        if !self.take(b':') {
            return Err(self.expected(Expected::Colon));
        }
        Ok(key)
    }

    fn open(&mut self, bracket: u8, expected: Expected) -> Result<(), SyntaxError> {
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
    fn expected(&self, expected: Expected) -> SyntaxError {
        SyntaxError {
            at: u32::try_from(self.at).unwrap_or(u32::MAX),
            expected,
        }
    }

    /// All that was read since `start`; both ends lie beside ASCII, so they are boundaries.
    #[inline(always)]
    fn slice(&self, start: usize) -> &'a str {
        &self.text[start..self.at]
    }

    /// The next byte that is no white space, or [`END`].
    #[inline(always)]
    fn peek(&mut self) -> u8 {
        match self.text.as_bytes().get(self.at) {
            Some(&byte) if byte > b' ' => byte,
            _ => self.peek_behind_space(),
        }
    }

    #[inline(never)]
    fn peek_behind_space(&mut self) -> u8 {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return byte;
            }
            self.at += 1;
        }
        END
    }

    #[inline(always)]
    fn take(&mut self, wanted: u8) -> bool {
        let is_there = self.peek() == wanted;
        self.at += usize::from(is_there);
        is_there
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
        self.open(b'{', Expected::Object)?;
        if !self.take(b'}') {
            loop {
                if self.peek() != b'"' {
                    return Err(self.expected(Expected::Key));
                }
                is_plain &= self.skip_text()?;
                if !self.take(b':') {
                    return Err(self.expected(Expected::Colon));
                }
                let first = self.peek();
                is_plain &= self.skip(first)?;
                if !self.take(b',') {
                    break;
                }
            }
            if !self.take(b'}') {
                return Err(self.expected(Expected::CommaOrBrace));
            }
        }
        self.depth -= 1;
        Ok(is_plain)
    }

    fn skip_array(&mut self) -> Result<bool, SyntaxError> {
        let mut is_plain = true;
        self.open(b'[', Expected::Array)?;
        if !self.take(b']') {
            loop {
                let first = self.peek();
                is_plain &= self.skip(first)?;
                if !self.take(b',') {
                    break;
                }
            }
            if !self.take(b']') {
                return Err(self.expected(Expected::CommaOrBracket));
            }
        }
        self.depth -= 1;
        Ok(is_plain)
    }

    fn skip_word(&mut self, word: &'static str) -> Result<bool, SyntaxError> {
        if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(true)
        } else {
            Err(self.expected(Expected::Word))
        }
    }

    fn skip_number(&mut self) -> Result<bool, SyntaxError> {
        let bytes = self.text.as_bytes();
        if bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        if bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else {
            self.skip_digits()?;
        }
        if bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.skip_digits()?;
        }
        if matches!(bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.skip_digits()?;
        }
        Ok(true)
    }

    #[inline]
    fn skip_digits(&mut self) -> Result<(), SyntaxError> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let mut at = start;
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        self.at = at;
        if at == start {
            Err(self.expected(Expected::Digit))
        } else {
            Ok(())
        }
    }

    /// Skips a string, its quotes included; tells whether it is free of escapes.
    fn skip_text(&mut self) -> Result<bool, SyntaxError> {
        let bytes = self.text.as_bytes();
        let mut is_plain = true;
        let mut at = self.at + 1;
        loop {
            at = next_special(bytes, at);
            match bytes.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok(is_plain);
                }
                Some(b'\\') => {
                    is_plain = false;
                    self.at = at;
                    self.skip_escape()?;
                    at = self.at;
                }
                other => {
                    self.at = at;
                    return Err(self.expected(match other {
                        Some(_) => Expected::NoControl,
                        None => Expected::ClosingQuote,
                    }));
                }
            }
        }
    }

    fn skip_escape(&mut self) -> Result<(), SyntaxError> {
        let bytes = self.text.as_bytes();
        match bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => {
                let digits = bytes.get(self.at + 2..self.at + 6);
                if digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    self.at += 6;
                    Ok(())
                } else {
                    Err(self.expected(Expected::FourDigits))
                }
            }
            _ => Err(self.expected(Expected::Escape)),
        }
    }
}

/// The closing quote of a string that begins at `at`, if there is nothing special before it.
#[inline(always)]
fn plain_end(bytes: &[u8], at: usize) -> Option<usize> {
    let end = next_special(bytes, at);
    (bytes.get(end) == Some(&b'"')).then_some(end)
}
