//! The events of a body as they are written, for a gateway that seals them by its own rules.

use std::borrow::Cow;

use sluice_event::batch::{self, Layout};
use sluice_event::json::{Kind, Raw, Reader, SyntaxError, write_text};
use sluice_event::{ActionSource, Event, Findings};

/// The JSON of each place of a body, as [`read`](sluice_event::batch::read) counts them: of its events, and of what
/// stands among them for all.
pub(super) fn slices(text: &str, layout: Layout) -> Result<Vec<Cow<'_, str>>, SyntaxError> {
    let mut slices = Vec::new();
    let mut reader = Reader::new(text);
    match layout {
        Layout::Lines => {
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            slices.extend(lines.map(Cow::Borrowed));
        }
        Layout::Single => slices.push(unquoted(reader.value()?)),
        Layout::Array => list(&mut reader, &mut slices)?,
        Layout::Envelope => reader.members(|reader, key| {
            if key != "data" {
                return reader.value().map(drop);
            }
            match reader.kind()? {
                Kind::Array => list(reader, &mut slices),
                Kind::Object if batch::is_numbered(reader) => list(reader, &mut slices),
                Kind::Text => {
                    // The whole list inside a string, as form-encoded senders write it.
                    let inner = reader.value()?.as_text().unwrap_or_default().into_owned();
                    let mut reader = Reader::new(&inner);
                    let mut owned = Vec::new();
                    if reader.kind()? == Kind::Array || batch::is_numbered(&reader) {
                        list(&mut reader, &mut owned)?;
                    } else {
                        owned.push(unquoted(reader.value()?));
                    }
                    let owned = owned
                        .into_iter()
                        .map(|slice| Cow::Owned(slice.into_owned()));
                    slices.extend(owned);
                    Ok(())
                }
                _ => {
                    slices.push(unquoted(reader.value()?));
                    Ok(())
                }
            }
        })?,
    }
    Ok(slices)
}

/// The events of a list, or of a map with numbered keys.
fn list<'a>(reader: &mut Reader<'a>, slices: &mut Vec<Cow<'a, str>>) -> Result<(), SyntaxError> {
    if reader.kind()? == Kind::Object {
        return reader.members(|reader, key| {
            let is_beside = batch::is_beside(reader, &key);
            let raw = reader.value()?;
            if !is_beside {
                slices.push(unquoted(raw));
            }
            Ok(())
        });
    }
    reader.items(|reader| {
        slices.push(unquoted(reader.value()?));
        Ok(())
    })
}

/// An event that stands in a string is taken out of it.
fn unquoted(raw: Raw<'_>) -> Cow<'_, str> {
    match raw.kind() {
        Kind::Text => raw.as_text().unwrap_or(Cow::Borrowed(raw.text())),
        _ => Cow::Borrowed(raw.text()),
    }
}

/// The event with an `event_id`, so that it keeps one and the same when it has to be sent again.
pub(super) fn with_id(json: &str, id: &str) -> String {
    with_member(json, "event_id", id, |event| {
        event.event_id.as_deref() == Some(id)
    })
}

/// The event with an action source.
pub(super) fn with_action_source(json: &str, action_source: ActionSource) -> String {
    with_member(json, "action_source", action_source.name(), |event| {
        event.action_source == Some(action_source)
    })
}

fn with_member(json: &str, key: &str, value: &str, has_it: impl Fn(&Event<'_>) -> bool) -> String {
    let json = json.trim();
    let (Some(rest), Some(head)) = (json.strip_prefix('{'), json.strip_suffix('}')) else {
        return json.to_owned();
    };
    let mut member = format!("\"{key}\":");
    write_text(&mut member, value);
    // Of a key that comes twice one counts, and an empty value may stand there already.
    [format!("{{{member},{rest}"), format!("{head},{member}}}")]
        .into_iter()
        .find(|json| Event::parse(json, &mut Findings::new()).is_some_and(|event| has_it(&event)))
        .unwrap_or_else(|| json.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_events_that_the_reader_finds() {
        let (one, two) = (
            r#"{"event_name":"A","x":[1,{"y":"}"}]}"#,
            r#"{"event_name":"B"}"#,
        );
        let quoted = one.replace('"', "\\\"");
        for body in [
            one.to_owned(),
            format!("[{one}, {two}]"),
            format!(r#"{{"test_event_code":"T","data":[{one},{two}]}}"#),
            format!(r#"{{"data":["{quoted}"]}}"#),
            format!(r#"{{"data":"[{quoted}]"}}"#),
            format!("{one}\n\n{two}\n"),
            format!("{{\"test_event_code\":\"T\"}}\n{one}\n{two}\n"),
            format!(r#"[{{"test_event_code":"T"}},{one}]"#),
            format!(r#"{{"data":{{"0":{one},"2":{two}}},"test_event_code":"T"}}"#),
            format!(r#"{{"test_event_code":"T","0":{one},"1":{two}}}"#),
            format!(r#"{{"data":"{{\"3\":{quoted}}}"}}"#),
            format!(r#"{{"data":"{{\"3\":{quoted},\"test_event_code\":\"T\",\"n\":1}}"}}"#),
            format!(r#"{{"data":{{"test_event_code":"T","3":{one},"n":"x","4":7,"last":{two}}}}}"#),
            format!(r#"[{{"event_name":null,"test_event_code":"T"}},{one},{two}]"#),
            format!(r#"[{{"user_data":{{}},"opt_out":true}},{one},{two}]"#),
            format!(r#"{{"3":"x",{}"#, &two[1..]),
            "[]".to_owned(),
        ] {
            let mut names = Vec::new();
            let read = batch::read(&body, |item| {
                let name = item.event.and_then(|event| event.event_name);
                names.push((item.index, name.map(Cow::into_owned)));
            });
            let read = read.unwrap();
            let slices = slices(&body, read.layout).unwrap();
            assert_eq!(slices.len(), read.places, "{body}");
            for (index, name) in names {
                let event = Event::parse(&slices[index], &mut Findings::new());
                let found = event.and_then(|event| event.event_name.map(Cow::into_owned));
                assert_eq!(found, name, "{body}");
            }
        }
    }

    #[test]
    fn an_id_is_added_whatever_stood_there() {
        for json in [
            r#"{"event_name":"A"}"#,
            r#" {"event_name":"A","event_id":null} "#,
            r#"{"event_id":"","event_name":"A"}"#,
        ] {
            let json = with_id(json, "x\"1");
            let event = Event::parse(&json, &mut Findings::new()).unwrap();
            assert_eq!(event.event_id.as_deref(), Some("x\"1"), "{json}");
        }
        assert_eq!(with_id("[]", "x"), "[]");
    }

    #[test]
    fn an_action_source_is_added_whatever_stood_there() {
        for json in [
            r#"{"event_name":"A"}"#,
            r#"{"event_name":"A","action_source":null}"#,
            r#"{"action_source":"moon","event_name":"A"}"#,
            r#"{"actionSource":"moon"}"#,
        ] {
            let json = with_action_source(json, ActionSource::Email);
            let event = Event::parse(&json, &mut Findings::new()).unwrap();
            assert_eq!(event.action_source, Some(ActionSource::Email), "{json}");
        }
    }
}
