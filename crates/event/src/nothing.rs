//! What stands where there is no value: words that programs write, templates that were never filled in, and
//! ids that name nothing.
//!
//! An id is often put together (`order_` and a number). Where the number was missing, a word for nothing, a
//! template, zeros or nothing at all stands in its place, and all events that have such an id would be one.

use crate::digest::{self, Prehashed};
use crate::id_date;
use crate::names;

/// Whether the whole text is a word that programs write where there is no value, or a template.
///
/// Case matters where the word is a name, too: `NaN` is a bug, Nan a first name. `null` and
/// `undefined` are bugs in any case, because their hashes are recognised as well.
pub(crate) fn is_word(text: &str) -> bool {
    match text.as_bytes().first() {
        Some(b'n' | b'N') => {
            matches!(text, "nil" | "n/a" | "N/A" | "None" | "NaN")
                || is_repeated(text, "null")
                || text == "NaNNaN"
        }
        Some(b'u' | b'U') => text == "unknown" || is_repeated(text, "undefined"),
        Some(b'(') => matches!(text, "(null)" | "(not set)" | "(none)" | "(not provided)"),
        Some(b'"' | b'\'') => matches!(text, "\"\"" | "''" | "\"null\"" | "\"undefined\""),
        Some(b'\\') => text == "\\N",
        Some(b'#') => is_error_of_a_sheet(text) || is_template(text),
        Some(b'<') => matches!(text, "<null>" | "<nil>" | "<no value>") || is_template(text),
        Some(b'[') => text == "[]" || text.starts_with("[object ") || is_template(text),
        Some(b'{') => text == "{}" || is_template(text),
        Some(b'%') => text.starts_with("%!") || is_template(text),
        Some(b'$' | b'*' | b'@') => is_template(text),
        _ => false,
    }
}

/// Whether a text is nothing but this word, in any case, once or several times.
fn is_repeated(text: &str, word: &str) -> bool {
    text.len().is_multiple_of(word.len())
        && (text.as_bytes().chunks(word.len()))
            .all(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}

/// What a spreadsheet shows in a cell that it could not work out.
fn is_error_of_a_sheet(text: &str) -> bool {
    matches!(
        text,
        "#N/A" | "#NAME?" | "#NULL!" | "#NUM!" | "#REF!" | "#VALUE!" | "#DIV/0!" | "#ERROR!"
    )
}

/// Marks between which template languages have a name, and which are written for nothing else.
const TEMPLATE_MARKS: [(&str, &str); 11] = [
    ("{{", "}}"),
    ("${", "}"),
    ("#{", "}"),
    ("@{", "}"),
    ("%{", "}"),
    ("{%", "%}"),
    ("<%", "%>"),
    ("<?", "?>"),
    ("[[", "]]"),
    ("*|", "|*"),
    ("%%", "%%"),
];

/// Marks of templates that are written for other things as well, so that what is between them has to be a name.
const NAME_MARKS: [(&str, &str); 5] = [("{", "}"), ("<", ">"), ("%", "%"), ("#", "#"), ("[", "]")];

/// Whether a text surely says something and holds nothing that needs a closer look, by a single look at its bytes.
/// It has none of the bytes that JSON escapes and none beyond ASCII.
#[inline]
pub(crate) fn is_plain(text: &[u8]) -> bool {
    /// Digits of the shortest number that only a person has.
    const DIGITS_MIN: usize = 9;
    let [first, .., last] = *text else {
        return matches!(text, [byte] if byte.is_ascii_alphanumeric());
    };
    let mut digits = 0;
    let mut found = 0;
    for &byte in text {
        digits += usize::from(byte.is_ascii_digit());
        found |= LOOK[usize::from(byte)];
    }
    // Words for nothing begin with these, `undefined` has an `f` in it, and ` at ` stands in a spelt address.
    found & MARK == 0
        && (found & SPACE == 0 || found & AT != AT && first != b' ' && last != b' ')
        && digits < DIGITS_MIN
        && !matches!(first, b'n' | b'N' | b'u' | b'U')
        && (found & UNDEFINED != UNDEFINED || !has_undefined(text))
}

/// A byte of templates, lists, or addresses in disguise.
const MARK: u8 = 1;
const SPACE: u8 = 2;
const LETTER_A: u8 = 4;
const LETTER_T: u8 = 8;
const LETTER_U: u8 = 16;
const LETTER_F: u8 = 32;
const AT: u8 = SPACE | LETTER_A | LETTER_T;
const UNDEFINED: u8 = LETTER_U | LETTER_F;

/// What [`is_plain`] looks for.
const LOOK: [u8; 256] = {
    let mut look = [MARK; 256];
    let mut byte = b' ';
    while byte < 0x7f {
        look[byte as usize] = match byte {
            b'(' | b'[' | b'{' | b'<' | b'%' | b'#' | b'$' | b'*' | b'&' | b'@' | b'+' | b'='
            | b'"' | b'\'' | b'\\' => MARK,
            b' ' => SPACE,
            b'a' | b'A' => LETTER_A,
            b't' | b'T' => LETTER_T,
            b'u' | b'U' => LETTER_U,
            b'f' | b'F' => LETTER_F,
            _ => 0,
        };
        byte += 1;
    }
    look
};

/// Whether a text of `custom_data` says nothing: it is a word for nothing, or a template stands in it.
pub(crate) fn is_unsaid(text: &str) -> bool {
    is_word(text) || has_template(text)
}

/// The same of an id of a product or an order, which may be put together.
pub(crate) fn is_missing(id: &str) -> bool {
    is_unsaid(id) || has_undefined(id.as_bytes())
}

/// Whether a property of the sender's own says nothing. `none` or `unknown` may be what it wants to say.
pub(crate) fn is_trace_or_template(text: &str) -> bool {
    is_trace(text) || text.starts_with("[object ") || is_template(text)
}

/// Whether the whole text is a template.
fn is_template(text: &str) -> bool {
    let between = |(open, close): (&str, &str)| {
        let inner = text.strip_prefix(open)?.strip_suffix(close)?;
        (!inner.is_empty()).then(|| inner.to_owned())
    };
    TEMPLATE_MARKS
        .into_iter()
        .any(|marks| between(marks).is_some())
        || (NAME_MARKS.into_iter()).any(|marks| between(marks).is_some_and(|inner| is_name(&inner)))
        || text.strip_prefix('$').is_some_and(is_name)
}

/// Whether there is a template anywhere in a text, by marks that are written for nothing else.
pub(crate) fn has_template(text: &str) -> bool {
    let may_hold = memchr::memchr3(b'{', b'<', b'%', text.as_bytes()).is_some()
        || memchr::memchr2(b'[', b'*', text.as_bytes()).is_some();
    may_hold && (TEMPLATE_MARKS.into_iter()).any(|marks| has_between(text, marks, |_| true))
}

/// Whether there is a template anywhere in an id.
fn id_has_template(id: &str) -> bool {
    id.bytes()
        .any(|byte| matches!(byte, b'{' | b'<' | b'%' | b'#' | b'[' | b'*' | b'$'))
        && (TEMPLATE_MARKS
            .into_iter()
            .any(|marks| has_between(id, marks, |_| true))
            || NAME_MARKS.into_iter().any(|marks| {
                has_between(id, marks, |inner| {
                    is_name(inner) && is_unfilled(id, marks, inner)
                })
            })
            || (id.rsplit_once('$'))
                .is_some_and(|(_, name)| is_name(name) && is_unfilled(id, ("$", ""), name)))
}

/// Whether a name between marks was meant to be filled in, and does not say of which kind the number beside it
/// is: `{order_id}-2`, but not `[WEB]-1001`. Databases join parts with `#`, so there the number decides alone:
/// `EU#ORDER#1001`.
fn is_unfilled(id: &str, (open, _): (&str, &str), name: &str) -> bool {
    let has_number = id.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
    !has_number || open != "#" && !Parts::of(name).has_own(name)
}

fn has_between(text: &str, (open, close): (&str, &str), is_inner: impl Fn(&str) -> bool) -> bool {
    let Some(start) = text.find(open) else {
        return false;
    };
    let inner = &text[start + open.len()..];
    let end = inner.find(close);
    end.is_some_and(|end| end > 0 && is_inner(&inner[..end]))
}

/// Whether a text can be the name of a variable: letters and what joins words, but no digits, which GUIDs in
/// braces and encoded bytes have.
fn is_name(text: &str) -> bool {
    text.len() >= 2
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && (text.bytes()).all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-' | b'.' | b' '))
}

/// Whether an id names nothing: it is empty, a word for nothing, a template, or put together of such and of
/// words that every id of its kind has.
pub(crate) fn is_no_id(id: &str) -> bool {
    if is_word(id) || matches!(digest::recognize(id), Some(Prehashed::Nothing)) {
        return true;
    }
    let parts = Parts::of(id);
    // What is unique by itself, such as the time in milliseconds, tells an id apart whatever stands beside it.
    if parts.has_unique {
        return false;
    }
    parts.has_nothing() && !parts.has_number_behind(id)
        || !parts.has_own(id)
        || is_minus_one(id)
        || is_not_available(id)
        || memchr::memmem::find(id.as_bytes(), NIL_UUID.as_bytes()).is_some()
        || id_has_template(id)
        || (!parts.has_digit && (is_dangling(id) || names::standard_spelling(id).is_some()))
}

const NIL_UUID: &str = "00000000-0000-0000-0000-000000000000";

/// What the parts of an id are, between all that is neither letter nor digit.
#[derive(Default)]
struct Parts {
    /// How many parts there are up to the last one that is a trace of a missing value; 0 if none is.
    before: usize,
    /// One is a number above 0, or has one in it.
    has_value: bool,
    /// One surely tells this id from others.
    has_unique: bool,
    has_digit: bool,
}

impl Parts {
    fn of(id: &str) -> Self {
        /// The seconds of a time have ten digits.
        const UNIQUE_LEN: usize = 10;
        let mut parts = Self::default();
        for (at, part) in parts_of(id).enumerate() {
            let (mut has_digit, mut has_value) = (false, false);
            for byte in part {
                has_digit |= byte.is_ascii_digit();
                has_value |= matches!(byte, b'1'..=b'9');
            }
            parts.has_digit |= has_digit;
            if has_undefined(part) {
                parts.before = at + 1;
            } else if has_value {
                parts.has_value = true;
                parts.has_unique |= part.len() >= UNIQUE_LEN;
            } else if may_be_trace(part) {
                let text = as_text(part);
                if is_trace(text) || ends_in_trace(text) {
                    parts.before = at + 1;
                }
            }
        }
        parts
    }

    fn has_nothing(&self) -> bool {
        self.before > 0
    }

    /// Whether what is missing is not the number, which stands behind it: `order-null-77`. A single digit
    /// (`order_undefined_1`) is that of a shop, or of how many there are, as often; behind a year it counts for
    /// one: `INV-2026/NaN/5`. A year or a date is no number: the orders of a day would be one.
    fn has_number_behind(&self, id: &str) -> bool {
        const YEAR_DIGITS: usize = 4;
        let numbers = |part: &&[u8]| {
            part.iter().all(u8::is_ascii_digit) && part.iter().any(|byte| *byte != b'0')
        };
        let behind: Vec<_> = parts_of(id).skip(self.before).filter(numbers).collect();
        match id_date::digits_beside_dates(&behind) {
            0 => false,
            1 => {
                let before = parts_of(id).take(self.before).filter(numbers);
                before.map(<[u8]>::len).sum::<usize>() >= YEAR_DIGITS
            }
            _ => true,
        }
    }

    /// Whether a part may tell this id from others.
    fn has_own(&self, id: &str) -> bool {
        self.has_value || parts_of(id).any(|part| !is_general(as_text(part)))
    }
}

fn parts_of(id: &str) -> impl Iterator<Item = &[u8]> {
    let is_separator = |byte: &u8| byte.is_ascii() && !byte.is_ascii_alphanumeric();
    let parts = id.as_bytes().split(is_separator);
    parts.filter(|part| !part.is_empty())
}

/// A part as text: cut at ASCII, a text stays one.
fn as_text(part: &[u8]) -> &str {
    std::str::from_utf8(part).unwrap_or_default()
}

/// Whether a part may end in what a program writes for a missing value, by its last letter.
fn may_be_trace(part: &[u8]) -> bool {
    matches!(part.last(), Some(b'l' | b'L' | b'N' | b'n' | b'e'))
}

/// Whether `undefined` stands anywhere in a part, in any case: it is in no other word.
fn has_undefined(part: &[u8]) -> bool {
    const WORD: &[u8] = b"undefined";
    memchr::memchr2(b'u', b'U', part).is_some()
        && part
            .windows(WORD.len())
            .any(|window| window.eq_ignore_ascii_case(WORD))
}

/// Whether a part is a general word and, without a separator, what a program writes for a missing value.
fn ends_in_trace(part: &str) -> bool {
    (["null", "NULL", "NaN", "None"].into_iter())
        .any(|trace| part.strip_suffix(trace).is_some_and(is_general))
}

/// Whether a part of a text is what a program writes for a missing value.
pub(crate) fn is_trace(part: &str) -> bool {
    match part.as_bytes().first() {
        Some(b'n' | b'N') => {
            matches!(part, "NaN" | "nan" | "NAN" | "None") || is_repeated(part, "null")
        }
        Some(b'u' | b'U') => is_repeated(part, "undefined"),
        _ => false,
    }
}

/// Whether an id without digits is words with a separator before or behind them: the number was missing.
fn is_dangling(id: &str) -> bool {
    const BYTES_MAX: usize = 24;
    let is_separator = |c: char| matches!(c, '-' | '_' | '.' | ':' | '#' | '/' | '|' | '=');
    let is_open = id.starts_with(is_separator) || id.ends_with(is_separator);
    let has_both_cases = || {
        id.contains(char::is_lowercase)
            && (id.split(|c: char| !c.is_alphanumeric()))
                .any(|part| part.chars().skip(1).any(char::is_uppercase))
    };
    is_open && id.len() <= BYTES_MAX && !has_both_cases()
}

/// Whether an id is -1, alone or behind words: what a search gives that found nothing.
fn is_minus_one(id: &str) -> bool {
    let Some(before) = id.strip_suffix("-1") else {
        return false;
    };
    before.is_empty()
        || before.ends_with(|c: char| !c.is_alphanumeric()) && !Parts::of(before).has_own(before)
}

/// Whether an id ends in `n/a`, behind a separator.
fn is_not_available(id: &str) -> bool {
    let end = id.len().checked_sub(4).and_then(|at| id.get(at..));
    end.is_some_and(|end| {
        !end.starts_with(char::is_alphanumeric)
            && end
                .trim_start_matches(|c: char| c != 'n' && c != 'N')
                .eq_ignore_ascii_case("n/a")
    })
}

/// Whether a part of an id stands in every id of its kind, or is zeros only.
fn is_general(part: &str) -> bool {
    const LEN_MAX: usize = 20;
    let part = part.trim_end_matches('0');
    if part.is_empty() {
        return true;
    }
    if part.len() > LEN_MAX {
        return false;
    }
    let lower = part.to_lowercase();
    let is_known = |word: &str| GENERAL.binary_search(&word).is_ok();
    is_known(&lower)
        || ([
            "id", "uuid", "number", "no", "nr", "num", "key", "ref", "code",
        ]
        .into_iter())
        .any(|ending| {
            lower
                .strip_suffix(ending)
                .is_some_and(|word| word.is_empty() || is_known(word))
        })
}

/// Words that name a kind of thing and none of the things, or a person who is not known; in order.
const GENERAL: &[&str] = &[
    "account",
    "anon",
    "anonimo",
    "anonym",
    "anonyme",
    "anonymous",
    "auftrag",
    "basket",
    "bestellung",
    "booking",
    "buyer",
    "cart",
    "checkout",
    "client",
    "cliente",
    "code",
    "commande",
    "compra",
    "contact",
    "conversion",
    "convidado",
    "customer",
    "deal",
    "default",
    "empty",
    "event",
    "evt",
    "external",
    "false",
    "fb",
    "gast",
    "guest",
    "guestuser",
    "id",
    "in",
    "invitado",
    "invite",
    "invoice",
    "kunde",
    "lead",
    "logged",
    "loggedout",
    "meta",
    "misafir",
    "missing",
    "my",
    "na",
    "name",
    "nil",
    "no",
    "nobody",
    "none",
    "not",
    "notset",
    "number",
    "order",
    "ordine",
    "ospite",
    "out",
    "payment",
    "pedido",
    "pixel",
    "purchase",
    "quote",
    "receipt",
    "registration",
    "sale",
    "session",
    "set",
    "shop",
    "siparis",
    "subscription",
    "the",
    "transaction",
    "true",
    "trx",
    "tx",
    "txn",
    "unassigned",
    "undefined",
    "unique",
    "unknown",
    "unregistered",
    "user",
    "uuid",
    "value",
    "visitor",
    "wc",
    "woo",
    "your",
    "zamowienie",
    "гость",
    "ゲスト",
    "游客",
    "게스트",
];

/// Whether a text of several words is a composed one of which every word is missing, or one was surely meant to be
/// filled in: `undefined undefined`, `Jane undefined`, `Hello {{name}}`.
pub(crate) fn is_composed(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphabetic();
    if text.bytes().all(is_letter) || !text.bytes().any(is_letter) {
        return false;
    }
    if has_undefined(text.as_bytes()) {
        return true;
    }
    let mut words = 0;
    let mut traces = 0;
    for part in text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|part| !part.is_empty())
    {
        if part == "null" {
            return true;
        }
        words += 1;
        traces += usize::from(is_trace(part));
    }
    words > 0 && words == traces || has_template(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every row of the vector file: an id, and whether it names nothing.
    #[test]
    fn ids() {
        let mut rows = 0;
        for line in include_str!("../tests/vectors/ids.tsv").lines() {
            if line.starts_with('#') || line.is_empty() {
                continue;
            }
            let (what, id) = line
                .split_once('\t')
                .unwrap_or_else(|| panic!("two columns: {line}"));
            let id: String = serde_json::from_str(id).unwrap();
            assert_eq!(is_no_id(&id), what == "nothing", "{id:?} is {what}");
            assert!(matches!(what, "nothing" | "id"), "{line}");
            rows += 1;
        }
        assert!(rows >= 150, "{rows} rows");
    }

    #[test]
    fn words_are_in_order() {
        assert!(GENERAL.is_sorted());
        assert!((GENERAL.iter()).all(|word| word.to_lowercase() == **word));
    }
}
