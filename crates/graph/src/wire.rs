//! The body of a request that carries events.
//!
//! ```text
//! {"data":[<event>,<event>],"test_event_code":"TEST123","partner_agent":"mysluice"}
//! ```

use bytes::Bytes;

/// The body for events that are sealed already: their bytes, one after the other, in one allocation.
///
/// Meta takes up to [`BATCH_EVENTS_MAX`](sluice_event::limits::BATCH_EVENTS_MAX) events in a request.
///
/// `test_code` is `test_event_code` and covers the whole request, so test events and production events
/// never share one. `partner_agent` names the platform; Meta takes fewer than 23 characters of it, at
/// least two of them letters.
pub fn body<'a>(
    events: impl Iterator<Item = &'a str> + Clone,
    test_code: Option<&str>,
    partner_agent: Option<&str>,
) -> Bytes {
    let extras = [
        ("test_event_code", test_code),
        ("partner_agent", partner_agent),
    ];
    let mut body = Vec::with_capacity(size(events.clone(), &extras));
    body.extend_from_slice(b"{\"data\":[");
    for (place, event) in events.enumerate() {
        if place > 0 {
            body.push(b',');
        }
        body.extend_from_slice(event.as_bytes());
    }
    body.push(b']');
    for (key, text) in extras {
        if let Some(text) = text {
            body.extend_from_slice(b",\"");
            body.extend_from_slice(key.as_bytes());
            body.extend_from_slice(b"\":");
            push_text(&mut body, text);
        }
    }
    body.push(b'}');
    Bytes::from(body)
}

/// How many bytes the body takes at most.
fn size<'a>(events: impl Iterator<Item = &'a str>, extras: &[(&str, Option<&str>)]) -> usize {
    // An escaped character takes six bytes at most: \u001f
    let texts = extras
        .iter()
        .filter_map(|(key, text)| Some(key.len() + 6 * (*text)?.len() + r#","":"""#.len()));
    let events = events.map(|event| event.len() + ",".len());
    r#"{"data":[]}"#.len() + events.sum::<usize>() + texts.sum::<usize>()
}

/// A text as JSON writes it.
fn push_text(body: &mut Vec<u8>, text: &str) {
    body.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => body.extend_from_slice(&[b'\\', byte]),
            ..0x20 => {
                let last = b"0123456789abcdef"[usize::from(byte & 0xf)];
                body.extend_from_slice(b"\\u00");
                body.extend_from_slice(&[b'0' + (byte >> 4), last]);
            }
            _ => body.push(byte),
        }
    }
    body.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(events: &[&str], test_code: Option<&str>, partner_agent: Option<&str>) -> Bytes {
        body(events.iter().copied(), test_code, partner_agent)
    }

    #[test]
    fn concatenates_what_is_sealed() {
        for (events, test_code, partner_agent, expected) in [
            (&[][..], None, None, r#"{"data":[]}"#),
            (&[r#"{"a":1}"#], None, None, r#"{"data":[{"a":1}]}"#),
            (
                &["{}", "{ }", "{}"],
                Some("TEST1"),
                Some("pläne"),
                r#"{"data":[{},{ },{}],"test_event_code":"TEST1","partner_agent":"pläne"}"#,
            ),
        ] {
            assert_eq!(written(events, test_code, partner_agent), expected);
        }
    }

    #[test]
    fn a_code_cannot_break_out_of_its_text() {
        let code = "\",\"data\":[]\\ \n\u{0}\u{1f}\u{7f}é😀";
        let body = written(&["{}"], Some(code), None);
        let read: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(read["test_event_code"], code);
        assert_eq!(read["data"], serde_json::json!([{}]));
    }

    #[test]
    fn is_allocated_once() {
        let hard = "\u{1}".repeat(50);
        for (test_code, partner_agent) in [(None, None), (Some("T"), Some(hard.as_str()))] {
            let events = ["{}"; 100];
            let extras = [
                ("test_event_code", test_code),
                ("partner_agent", partner_agent),
            ];
            let reserved = size(events.iter().copied(), &extras);
            assert!(written(&events, test_code, partner_agent).len() <= reserved);
        }
    }
}
