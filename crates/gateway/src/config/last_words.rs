//! What a command that failed said last, without what may be a secret.
//!
//! The line goes into the log, and a command may print anything: a trace of what it does, or the secret itself. So
//! words are left out that it printed for a secret too, that are a known secret, or that look like one.

use std::fmt;

/// Characters of the line that are shown.
const CHARS_MAX: usize = 200;

/// A word of this length with letters and digits may be a secret, in characters. Sentences have none such, but ids.
const SECRET_CHARS_MIN: usize = 16;

/// A word of this length that stands somewhere in what was printed is a part of the secret, in characters.
const PART_CHARS_MIN: usize = 8;

/// What stands in the place of such a word.
const HIDDEN: &str = "…";

/// The last line of an error output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastWords(String);

impl LastWords {
    /// The last line that is not empty, if anything of it can be shown. `printed` is what the command printed for
    /// the secret.
    pub(super) fn of(errors: &[u8], printed: &[u8]) -> Option<Self> {
        let errors = String::from_utf8_lossy(errors);
        let mut lines = errors.lines().rev().map(str::trim);
        let line = lines.find(|line| !line.is_empty())?;
        let line: String = line.chars().map(blank_if_control).collect();
        let printed = String::from_utf8_lossy(printed);
        let is_printed = |word: &str| {
            let is_part = word.chars().count() >= PART_CHARS_MIN && printed.contains(word);
            is_part || printed.split_whitespace().any(|it| it == word)
        };
        let mut words = Self(line.trim().to_owned());
        words.hide(|word| is_printed(word) || looks_secret(word));
        if let Some((end, _)) = words.0.char_indices().nth(CHARS_MAX) {
            words.0.truncate(end);
            words.0.push_str(HIDDEN);
        }
        words.0.contains(char::is_alphanumeric).then_some(words)
    }

    /// Leaves out the words that are secret.
    pub(crate) fn hide(&mut self, is_secret: impl Fn(&str) -> bool) {
        let mut shown = String::with_capacity(self.0.len());
        for part in self.0.split_inclusive(char::is_whitespace) {
            let word = part.trim_end();
            if !word.is_empty() && is_secret(word) {
                shown.push_str(HIDDEN);
            } else {
                hide_pieces(word, &is_secret, &mut shown);
            }
            shown.push_str(&part[word.len()..]);
        }
        self.0 = shown;
    }
}

impl fmt::Display for LastWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The pieces of a word that quotes, brackets and the like divide: `token="EAAB"` has two.
fn hide_pieces(word: &str, is_secret: &impl Fn(&str) -> bool, shown: &mut String) {
    for piece in word.split_inclusive(divides) {
        let inner = piece.trim_end_matches(divides).trim_end_matches('.');
        if !inner.is_empty() && is_secret(inner) {
            shown.push_str(HIDDEN);
        } else {
            shown.push_str(inner);
        }
        shown.push_str(&piece[inner.len()..]);
    }
}

fn divides(c: char) -> bool {
    c.is_ascii_punctuation() && !"-_.|+/~%".contains(c)
}

fn looks_secret(word: &str) -> bool {
    word.chars().count() >= SECRET_CHARS_MIN
        && !word.contains(divides)
        && word.contains(|c: char| c.is_ascii_digit())
        && word.contains(char::is_alphabetic)
}

fn blank_if_control(c: char) -> char {
    // Marks that turn the direction of writing could make a line read as another one.
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if c.is_control() || turns { ' ' } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(errors: &str, printed: &str) -> Option<String> {
        LastWords::of(errors.as_bytes(), printed.as_bytes()).map(|words| words.to_string())
    }

    #[test]
    fn the_last_line_is_shown_without_what_may_be_secret() {
        for (errors, printed, expected) in [
            ("permission denied\n", "", Some("permission denied")),
            ("one\ntwo\r\n\n  \n", "", Some("two")),
            ("\u{1b}[31mred\u{7}\u{202e}", "", Some("[31mred")),
            ("", "", None),
            ("\n \n", "", None),
            ("geheim", "geheim\n", None),
            ("token=geheim is old", "geheim", Some("token=… is old")),
            ("he is no part", "geheim-and-more", Some("he is no part")),
            ("half of geheim-and", "geheim-and-more", Some("half of …")),
            (
                "+ curl -H 'Authorization: Bearer EAABsbCS1234567890'",
                "",
                Some("+ curl -H 'Authorization: Bearer …'"),
            ),
            (
                "no field 'token' in secret/data/meta.",
                "",
                Some("no field 'token' in secret/data/meta."),
            ),
            (
                "(AccessDeniedException) when calling GetSecretValue",
                "",
                Some("(AccessDeniedException) when calling GetSecretValue"),
            ),
            (
                "{\"password\":\"wJalrXUtnFEMI/K7MDENG/bPxRfiCY\"}",
                "",
                Some("{\"password\":\"…\"}"),
            ),
        ] {
            assert_eq!(said(errors, printed).as_deref(), expected, "{errors:?}");
        }
        let long = said(&"word ".repeat(1_000), "").unwrap();
        assert_eq!(long.chars().count(), CHARS_MAX + 1);
        assert!(LastWords::of(b"no \xff text", b"").is_some());
    }

    #[test]
    fn a_known_secret_is_left_out_with_and_without_marks_around_it() {
        for (line, expected) in [
            ("bad key short-key", "bad key …"),
            ("bad key \"short-key\".", "bad key \"…\"."),
            ("key=short-key;", "key=…;"),
            ("short-keys are fine", "short-keys are fine"),
        ] {
            let mut words = LastWords::of(line.as_bytes(), b"").unwrap();
            words.hide(|word| word == "short-key");
            assert_eq!(words.to_string(), expected);
        }
    }
}
