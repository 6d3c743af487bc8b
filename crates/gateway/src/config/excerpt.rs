//! A line of the configuration that may be shown.
//!
//! A token can stand anywhere in the file: inline, behind a mistyped key, in a comment, in a text
//! whose closing quote is missing. So a value is shown only when its key is known and holds no
//! secret; everything else becomes `…`. This looks at the line alone, because it also has to work
//! when the file cannot be parsed.

use std::ops::Range;

use super::key::is_variable;
use super::keys::is_plain;

/// A value that is longer is not shown whatever its key is: access tokens are, addresses are not.
const SHOWN_CHARS_MAX: usize = 64;

const HIDDEN: char = '…';

/// A line, and the part of it that is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The line without what may not be shown.
    pub line: String,
    /// How many characters of it stand before the part that is meant.
    pub start_chars: usize,
    /// How many characters are meant, at least one.
    pub len_chars: usize,
}

impl Excerpt {
    /// The line around a span of bytes.
    pub(super) fn new(text: &str, span: &Range<usize>) -> Self {
        let start = floor(text, span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_len = text[line_start..].find('\n');
        let line_end = line_len.map_or(text.len(), |len| line_start + len);
        let end = floor(text, span.end).clamp(start, line_end.max(start));
        let line = text[line_start..line_end].trim_end();
        let shown = Shown::new(line);
        let start_chars = shown.column(start - line_start);
        let end_chars = shown.column(end - line_start);
        Self {
            line: shown.line,
            start_chars,
            len_chars: end_chars.saturating_sub(start_chars).max(1),
        }
    }
}

/// Whether a value may be shown whose key holds no secret. Some have one all the same: a token under
/// the wrong key, an address with a password in it.
pub(super) fn may_be_shown(value: &str) -> bool {
    let is_telling = value.contains("://") && value.contains(['@', '?', '#']);
    value.chars().count() <= SHOWN_CHARS_MAX && !is_telling
}

/// A text in quotes, if it may be shown.
pub(super) fn quoted(text: &str, may_show: bool) -> String {
    if may_show && may_be_shown(text) {
        format!("{text:?}")
    } else {
        "a text".to_owned()
    }
}

/// The start of the character at or before an offset.
pub(super) fn floor(text: &str, offset: usize) -> usize {
    text.floor_char_boundary(offset.min(text.len()))
}

/// The line as it is shown, with the way from its bytes to its characters.
#[derive(Default)]
struct Shown {
    line: String,
    chars: usize,
    /// Where pieces start: byte of the original, character of what is shown. Inside a piece both go
    /// on in step, unless the piece is hidden.
    pieces: Vec<Piece>,
}

struct Piece {
    start: usize,
    chars: usize,
    text: String,
    is_hidden: bool,
}

impl Shown {
    fn new(line: &str) -> Self {
        let mut shown = Self::default();
        let tokens = tokens(line);
        let is_header = is_header(line);
        let mut key: Option<&str> = None;
        for (index, token) in tokens.iter().enumerate() {
            let text = &line[token.range.clone()];
            let is_short = may_be_shown(text);
            let next = tokens[index + 1..]
                .iter()
                .find(|token| token.kind != Kind::Space);
            let is_shown = match token.kind {
                Kind::Space | Kind::Mark => true,
                Kind::Comment => false,
                Kind::Word if next.is_some_and(|next| line[next.range.clone()] == *"=") => {
                    key = text.rsplit('.').next().map(unquoted);
                    is_short
                }
                // A token that was put where the name of its variable belongs.
                Kind::Word if key == Some("env") => is_short && is_variable(unquoted(text)),
                Kind::Word => is_short && (is_header || key.is_some_and(is_plain)),
            };
            shown.push(token.range.start, text, !is_shown);
        }
        shown
    }

    fn push(&mut self, start: usize, text: &str, is_hidden: bool) {
        let before = self.chars;
        if is_hidden {
            self.line.push(HIDDEN);
            self.chars += 1;
        } else {
            for c in text.chars() {
                self.line.push(visible(c));
                self.chars += 1;
            }
        }
        self.pieces.push(Piece {
            start,
            chars: before,
            text: text.to_owned(),
            is_hidden,
        });
    }

    /// The character of the shown line at which a byte of the original is.
    fn column(&self, byte: usize) -> usize {
        let piece = self.pieces.iter().rev().find(|piece| piece.start <= byte);
        let Some(piece) = piece else {
            return 0;
        };
        let into = floor(&piece.text, byte - piece.start);
        let chars = if piece.is_hidden {
            usize::from(into == piece.text.len())
        } else {
            piece.text[..into].chars().count()
        };
        piece.chars + chars
    }
}

/// A text that cannot command a terminal.
pub(super) fn tame(text: &str) -> String {
    text.chars().map(visible).collect()
}

/// One column for one character, and nothing that moves the cursor or turns text round.
fn visible(c: char) -> char {
    match c {
        '\t' => ' ',
        '\u{ad}'
        | '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' => char::REPLACEMENT_CHARACTER,
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

/// `[server]`, `[[dataset]]`, but not a line of an array.
fn is_header(line: &str) -> bool {
    let name = line.trim_start_matches(' ').trim_end();
    let name = name.split('#').next().unwrap_or_default();
    name.starts_with('[') && !name.contains([',', '"', '\'', '='])
}

fn unquoted(key: &str) -> &str {
    key.trim_matches(['"', '\''])
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Space,
    /// `=`, brackets and commas.
    Mark,
    /// A key or a value, with its quotes.
    Word,
    Comment,
}

struct Token {
    kind: Kind,
    range: Range<usize>,
}

fn tokens(line: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut start = 0;
    while let Some(first) = line[start..].chars().next() {
        let rest = &line[start..];
        let len_while = |is_part: fn(char) -> bool| {
            let end = rest.find(|c| !is_part(c));
            end.unwrap_or(rest.len())
        };
        let (kind, len) = match first {
            c if c.is_whitespace() => (Kind::Space, len_while(char::is_whitespace)),
            '=' | '{' | '}' | '[' | ']' | ',' => (Kind::Mark, 1),
            '#' => (Kind::Comment, rest.len()),
            '"' | '\'' => (Kind::Word, quoted_len(rest, first)),
            _ => (Kind::Word, len_while(is_bare)),
        };
        let range = start..start + len;
        start = range.end;
        tokens.push(Token { kind, range });
    }
    tokens
}

fn is_bare(c: char) -> bool {
    !c.is_whitespace() && !matches!(c, '=' | '{' | '}' | '[' | ']' | ',' | '#' | '"' | '\'')
}

/// Up to the closing quote, or all of the line if there is none.
fn quoted_len(rest: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if c == quote && !is_escaped {
            return at + c.len_utf8();
        }
        is_escaped = quote == '"' && c == '\\' && !is_escaped;
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> String {
        Shown::new(line).line
    }

    #[test]
    fn only_values_of_known_keys_are_shown() {
        for (line, expected) in [
            (
                r#"listen = "127.0.0.1:8080""#,
                r#"listen = "127.0.0.1:8080""#,
            ),
            (r"timeout_s = 10 # EAABtoken", "timeout_s = 10 …"),
            (r#"access_token = "EAABtoken""#, "access_token = …"),
            (r#"access_token = "EAABtoken"#, "access_token = …"),
            (r"access_token = EAAB|to.ken", "access_token = …"),
            (r#"base_url = "http://me:word@proxy""#, "base_url = …"),
            (r#"acess_token = "EAABtoken""#, "acess_token = …"),
            (r#"access_token "EAABtoken""#, "… …"),
            (
                r#"access_token = { env = "TOKEN" }"#,
                r#"access_token = { env = "TOKEN" }"#,
            ),
            (
                r#"key = { value = "geheim", env = "KEY" }"#,
                r#"key = { value = …, env = "KEY" }"#,
            ),
            (
                r#"access_token.env = "TOKEN""#,
                r#"access_token.env = "TOKEN""#,
            ),
            (r#"key = { env = "EAAB-x" }"#, r"key = { env = … }"),
            (r#""key" = 'a#b'"#, r#""key" = …"#),
            (r#"    "vault", "read""#, "    …, …"),
            ("[[dataset]] # EAAB", "[[dataset]] …"),
            (r#"["EAABtoken"]"#, "[…]"),
            ("# token: EAAB", "…"),
            (
                "\tname = \"a\u{202e}b\u{1b}\"",
                " name = \"a\u{fffd}b\u{fffd}\"",
            ),
            ("", ""),
        ] {
            assert_eq!(shown(line), expected, "{line}");
        }
    }

    #[test]
    fn long_values_are_never_shown() {
        let token = "E".repeat(SHOWN_CHARS_MAX + 1);
        for line in [
            format!("env = \"{token}\""),
            format!("name = {token}"),
            format!("{token} = 1"),
            format!("[{token}]"),
        ] {
            assert!(!shown(&line).contains(&token), "{line}");
        }
    }

    #[test]
    fn the_part_that_is_meant_is_found_again() {
        let text = "a = 1\nkey = \"geheim\" # x\nname = \"é\"";
        let at = |part: &str| {
            let start = text.find(part).unwrap();
            let excerpt = Excerpt::new(text, &(start..start + part.len()));
            (excerpt.line, excerpt.start_chars, excerpt.len_chars)
        };
        assert_eq!(at("key"), ("key = … …".to_owned(), 0, 3));
        assert_eq!(at("\"geheim\""), ("key = … …".to_owned(), 6, 1));
        assert_eq!(at("heim"), ("key = … …".to_owned(), 6, 1));
        assert_eq!(at("\"é\""), ("name = \"é\"".to_owned(), 7, 3));
        assert_eq!(at("geheim\" # x\nname"), ("key = … …".to_owned(), 6, 3));
    }

    #[test]
    fn any_span_is_taken() {
        let text = "é = \"ü\"\n\n";
        for start in 0..text.len() + 3 {
            for end in 0..text.len() + 3 {
                assert!(Excerpt::new(text, &(start..end)).len_chars >= 1);
            }
        }
    }
}
