//! Knowing `contents` that need no repair.
//!
//! Most lists come as they go: compact JSON, keys that Meta knows, an id and a quantity in every
//! entry, nothing in them that could be contact data. Such a list is known by one look, while it is
//! read, and copied when it is sealed. Everything else takes the long way, through `seal::contents`,
//! which would write the same.

use crate::limits::CONTENTS_MAX;
use crate::shape::{CONTENT, Shape};

/// How deep such a list is nested.
pub(crate) const DEPTH: usize = 2;

/// The length of the list at the start of `text`, if there is one that is sent as it is.
pub(crate) fn contents_len(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    for _ in 0..CONTENTS_MAX {
        let opening = if at == 0 { b'[' } else { b',' };
        at = entry_end(text, behind(text, at, opening)?)?;
        if text.get(at) == Some(&b']') {
            return Some(at + 1);
        }
    }
    None
}

/// The end of the entry that begins at `at`.
fn entry_end(text: &[u8], mut at: usize) -> Option<usize> {
    let (mut has_id, mut has_quantity) = (false, false);
    let mut opening = b'{';
    loop {
        let key_at = behind(text, behind(text, at, opening)?, b'"')?;
        let key_end = text_end(text, key_at)?;
        let key = &text[key_at..key_end];
        let value_at = behind(text, behind(text, key_end, b'"')?, b':')?;
        at = match CONTENT.shape(CONTENT.find(key)?) {
            Shape::Text => {
                let start = behind(text, value_at, b'"')?;
                let end = text_end(text, start)?;
                has_id |= key == b"id";
                (end > start).then_some(end + 1)?
            }
            Shape::Number => number_end(text, value_at)?,
            Shape::Integer => {
                has_quantity |= key == b"quantity";
                count_end(text, value_at)?
            }
            _ => return None,
        };
        match text.get(at)? {
            b',' => opening = b',',
            b'}' => return (has_id && has_quantity).then_some(at + 1),
            _ => return None,
        }
    }
}

/// The place behind `wanted`, if that is the byte at `at`.
fn behind(text: &[u8], at: usize, wanted: u8) -> Option<usize> {
    (*text.get(at)? == wanted).then_some(at + 1)
}

/// The place of the closing quote of a text without anything unusual.
fn text_end(text: &[u8], at: usize) -> Option<usize> {
    let length = text[at..].iter().position(|byte| !is_usual(*byte))?;
    (text[at + length] == b'"').then_some(at + length)
}

fn is_usual(byte: u8) -> bool {
    const USUAL: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = b' ';
        while byte < 0x80 {
            table[byte as usize] = !matches!(byte, b'"' | b'\\' | b'@' | b'+' | b'%' | b'{');
            byte += 1;
        }
        table
    };
    USUAL[usize::from(byte)]
}

/// The end of a positive decimal of a length that every float holds.
fn number_end(text: &[u8], at: usize) -> Option<usize> {
    const DIGITS_MAX: usize = 16;
    let whole_end = digits_end(text, at);
    let is_whole = whole_end > at && (text[at] != b'0' || whole_end == at + 1);
    let end = if text.get(whole_end) == Some(&b'.') {
        let fraction = whole_end + 1;
        let end = digits_end(text, fraction);
        (end > fraction).then_some(end)?
    } else {
        whole_end
    };
    (is_whole && end - at <= DIGITS_MAX).then_some(end)
}

/// The end of a whole number above 0.
fn count_end(text: &[u8], at: usize) -> Option<usize> {
    const DIGITS_MAX: usize = 18;
    let end = digits_end(text, at);
    (end > at && end - at <= DIGITS_MAX && text[at] != b'0').then_some(end)
}

fn digits_end(text: &[u8], mut at: usize) -> usize {
    while text.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Event, Findings, Moment, Properties, Rules, UserField};

    /// What is sealed of `contents` by the long way, and whether there was anything to say.
    fn long_way(contents: &str) -> (String, bool) {
        let mut findings = Findings::new();
        let moment = Moment {
            unix_ms: 1_790_000_000_000,
            entropy: [0; 10],
        };
        let mut event = Event::new("ViewContent", 1_790_000_000)
            .source(crate::ActionSource::Other)
            .id("1")
            .user(UserField::Em, "a@b.c");
        event.custom_data =
            Properties::new().set("contents", crate::JsonText::parse(contents).unwrap());
        let sealed = event
            .seal(&Rules::default(), moment, &mut findings)
            .unwrap();
        let (_, custom_data) = sealed
            .json()
            .split_once("\"custom_data\":{")
            .unwrap_or_default();
        (custom_data.to_owned(), !findings.is_empty())
    }

    #[test]
    fn knows_what_is_usual() {
        for contents in [
            r#"[{"id":"MUG-1","quantity":2,"item_price":17.5}]"#,
            r#"[{"quantity":1,"id":"a b"},{"id":"c","quantity":10,"title":"d [e]"}]"#,
        ] {
            assert_eq!(contents_len(contents.as_bytes()), Some(contents.len()));
            assert_eq!(
                contents_len(format!("{contents},x").as_bytes()),
                Some(contents.len())
            );
        }
    }

    #[test]
    fn leaves_everything_else_to_the_long_way() {
        for contents in [
            "[]",
            "[{}]",
            r#"[ {"id":"a","quantity":1}]"#,
            r#"[{"id":"a"}]"#,
            r#"[{"quantity":1}]"#,
            r#"[{"id":"","quantity":1}]"#,
            r#"[{"id":7,"quantity":1}]"#,
            r#"[{"id":"a","quantity":0}]"#,
            r#"[{"id":"a","quantity":1.0}]"#,
            r#"[{"id":"a","quantity":"1"}]"#,
            r#"[{"id":"a","quantity":1,"colour":"red"}]"#,
            r#"[{"id":"a","quantity":1,"item_price":01}]"#,
            r#"[{"id":"a","quantity":1,"item_price":1.}]"#,
            r#"[{"id":"a","quantity":1,"item_price":1e3}]"#,
            r#"[{"id":"a@b.c","quantity":1}]"#,
            r#"[{"id":"\u0040","quantity":1}]"#,
            r#"[{"id":"é","quantity":1}]"#,
            r#"[{"id":"a","quantity":1}"#,
            r#"[{"id":"a","quantity":1},]"#,
            "[{\"id\":\"a\tb\",\"quantity\":1}]",
        ] {
            assert_eq!(contents_len(contents.as_bytes()), None, "{contents}");
        }
    }

    fn entry() -> impl Strategy<Value = String> {
        let key = "id|quantity|item_price|title|price|x";
        let value = "\"[a-z0-9 @+%\\[{-]{0,4}\"|[0-9]{1,3}(\\.[0-9]{0,2})?|null|true";
        prop::collection::vec((key, value), 0..5).prop_map(|members| {
            let members = members
                .into_iter()
                .map(|(key, value)| format!("\"{key}\":{value}"));
            format!(
                "{{\"id\":\"a\",\"quantity\":1,{}}}",
                members.collect::<Vec<_>>().join(",")
            )
            .replace(",}", "}")
        })
    }

    proptest! {
        #[test]
        fn what_is_usual_is_sealed_as_it_is(entries in prop::collection::vec(entry(), 1..4)) {
            let contents = format!("[{}]", entries.join(","));
            if contents_len(contents.as_bytes()) == Some(contents.len()) {
                let (sealed, has_findings) = long_way(&contents);
                prop_assert_eq!(sealed, format!("\"contents\":{}}}}}", contents));
                prop_assert!(!has_findings);
            }
        }
    }
}
