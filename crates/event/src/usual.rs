//! Knowing `contents` that need no repair.
//!
//! Most lists come as they go: compact JSON, keys that Meta knows, an id and a quantity in every
//! entry, nothing in them that could be contact data. Such a list is known by one look, while it is
//! read, and copied when it is sealed. Everything else takes the long way, through `seal::contents`,
//! which would write the same.

use crate::bytes::{self, SpecialOrUnusual};
use crate::limits::CONTENTS_MAX;
use crate::nothing;

/// How deep such a list is nested.
pub(crate) const DEPTH: usize = 2;

/// The length of the list at the start of `text`, if there is one that is sent as it is.
pub(crate) fn contents_len(text: &[u8]) -> Option<usize> {
    let mut rest = text.strip_prefix(b"[")?;
    for _ in 0..CONTENTS_MAX {
        rest = behind_entry(rest)?;
        match rest {
            [b']', rest @ ..] => return Some(text.len() - rest.len()),
            [b',', behind @ ..] => rest = behind,
            _ => return None,
        }
    }
    None
}

/// What is behind the entry at the start of `text`.
fn behind_entry(text: &[u8]) -> Option<&[u8]> {
    let (mut has_id, mut has_quantity) = (false, false);
    let mut rest = text.strip_prefix(b"{")?;
    loop {
        let (key, behind) = split_text(rest)?;
        let value = behind.strip_prefix(b":")?;
        let behind = match key {
            b"id" | b"title" | b"brand" | b"category" | b"description" => {
                has_id |= key == b"id";
                let (text, behind) = split_text(value)?;
                nothing::is_plain(text).then_some(behind)?
            }
            b"item_price" | b"price" => behind_number(value)?,
            b"quantity" => {
                has_quantity = true;
                behind_count(value)?
            }
            _ => return None,
        };
        match behind {
            [b',', behind @ ..] => rest = behind,
            [b'}', behind @ ..] => return (has_id && has_quantity).then_some(behind),
            _ => return None,
        }
    }
}

/// The inside of the text at the start, and what is behind it, if nothing in it is unusual.
#[inline]
fn split_text(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = text.strip_prefix(b"\"")?;
    let (inner, behind) = inner.split_at(bytes::find::<SpecialOrUnusual>(inner));
    Some((inner, behind.strip_prefix(b"\"")?))
}

/// What is behind a positive decimal of a length that every float holds.
fn behind_number(text: &[u8]) -> Option<&[u8]> {
    const DIGITS_MAX: usize = 16;
    let (whole, mut behind) = split_digits(text)?;
    if let [b'.', fraction @ ..] = behind {
        (_, behind) = split_digits(fraction)?;
    }
    let is_short = text.len() - behind.len() <= DIGITS_MAX;
    (is_short && (whole[0] != b'0' || whole.len() == 1)).then_some(behind)
}

/// What is behind a whole number above 0.
fn behind_count(text: &[u8]) -> Option<&[u8]> {
    const DIGITS_MAX: usize = 18;
    let (digits, behind) = split_digits(text)?;
    (digits.len() <= DIGITS_MAX && digits[0] != b'0').then_some(behind)
}

/// The digits at the start, at least one, and what is behind them.
#[inline]
fn split_digits(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (count > 0).then(|| text.split_at(count))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::shape::{CONTENT, Shape};
    use crate::{Event, Findings, Moment, Properties, Rules, UserField};

    /// What is sealed of `contents` by the long way, and whether there was anything to say.
    fn long_way(contents: &str) -> (String, bool) {
        let mut findings = Findings::new();
        let moment = Moment {
            unix_ms: 1_790_000_000_000,
            in_doubt: false,
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
    fn knows_the_shapes_of_the_table() {
        for key in CONTENT.keys() {
            let written = match CONTENT
                .find(key.as_bytes())
                .map(|place| CONTENT.shape(place))
            {
                Some(Shape::Text) => "\"x\"",
                Some(Shape::Number) => "1.5",
                Some(Shape::Integer) => "1",
                _ => continue,
            };
            let contents = format!("[{{\"id\":\"a\",\"quantity\":1,\"{key}\":{written}}}]");
            assert_eq!(
                contents_len(contents.as_bytes()),
                Some(contents.len()),
                "{key}"
            );
        }
    }

    #[test]
    fn knows_what_is_usual() {
        for contents in [
            r#"[{"id":"MUG-1","quantity":2,"item_price":17.5}]"#,
            r#"[{"quantity":1,"id":"a b"},{"id":"c","quantity":10,"title":"d: e"}]"#,
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
