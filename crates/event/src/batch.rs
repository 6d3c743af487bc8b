//! Reading a body: one event, an array, `{"data": […]}`, or one event a line (NDJSON).

use std::borrow::Cow;

use crate::code::Code;
use crate::finding::{Findings, Path};
use crate::json::{Kind, Raw, Reader, SyntaxError};
use crate::model::Event;
use crate::parse::event as event_json;

/// One event of a body, in order.
pub struct Item<'a> {
    /// Its place, counted from 0.
    pub index: usize,
    /// The event; `None` when it could not be read, and then `findings` says why.
    pub event: Option<Event<'a>>,
    /// What was found while reading it.
    pub findings: Findings,
}

/// How the events of a body were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One event.
    Single,
    /// `[event, …]`
    Array,
    /// `{"data": [event, …], …}`, the body that Meta takes.
    Envelope,
    /// One event a line.
    Lines,
}

impl Layout {
    /// The path of event `index` within the body; for [`Layout::Lines`] the place is counted alone.
    pub fn path(self, index: usize) -> String {
        match self {
            Layout::Single => String::new(),
            Layout::Array | Layout::Lines => format!("[{index}]"),
            Layout::Envelope => format!("data[{index}]"),
        }
    }
}

/// What a body holds besides its events.
pub struct Body<'a> {
    /// How the events were written.
    pub layout: Layout,
    /// The members beside `data`, such as `test_event_code`; tokens may be among them.
    pub fields: Vec<(Cow<'a, str>, Raw<'a>)>,
}

impl<'a> Body<'a> {
    /// `test_event_code`, which sends the events as test events. What is written in its place is given as it
    /// is: a code that is none has to be told, or the events would go out as real ones.
    pub fn test_event_code(&self) -> Option<Cow<'a, str>> {
        let is_it = |key: &str| matches!(key, "test_event_code" | "testEventCode");
        let (_, raw) = self.fields.iter().find(|(key, _)| is_it(key))?;
        let text = raw.as_text().or(raw.as_digits());
        let text = text.unwrap_or_else(|| raw.text().into());
        (!matches!(&*text, "" | "null" | "false")).then_some(text)
    }

    /// Whether there are options of data processing for all events. Meta documents them for single events
    /// only: beside `data` they limit nothing.
    pub fn has_data_processing_options(&self) -> bool {
        let mut keys = self.fields.iter().map(|(key, _)| key);
        keys.any(|key| key.starts_with("data_processing_options"))
    }
}

/// The text of a body; bytes that are not UTF-8 become U+FFFD, which costs the values they are in
/// and nothing else. A byte-order mark is removed.
pub fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match simdutf8::basic::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

/// Calls `each` with every event of a body, in order.
///
/// In NDJSON a line that is not JSON is an [`Item`] without an event. In the other layouts text that
/// is not JSON ends the reading, because nothing says where the next event begins.
///
/// # Errors
///
/// Where and how the body is not JSON.
pub fn read<'a>(text: &'a str, mut each: impl FnMut(Item<'a>)) -> Result<Body<'a>, SyntaxError> {
    let layout = layout_of(text)?;
    let mut fields = Vec::new();
    let mut items = Items {
        each: &mut each,
        count: 0,
    };
    let mut reader = Reader::new(text);
    match layout {
        Layout::Lines => {
            let lines = text.lines().zip(1..);
            for (line, number) in lines.filter(|(line, _)| !line.trim().is_empty()) {
                let mut item = items.next();
                item.event = Event::parse_at(number, line, &mut item.findings);
                items.push(item);
            }
            return Ok(Body { layout, fields });
        }
        Layout::Array => reader.items(|reader| items.read(reader))?,
        Layout::Single => items.read(&mut reader)?,
        Layout::Envelope => reader.members(|reader, key| {
            if key != "data" {
                fields.push((key, reader.value()?));
                return Ok(());
            }
            match reader.kind()? {
                Kind::Null => reader.value().map(|_| ()),
                Kind::Array => reader.items(|reader| items.read(reader)),
                // Form-encoded senders put the list into a string.
                Kind::Text => items.read_list(&reader.value()?.as_text().unwrap_or_default()),
                _ => items.read(reader),
            }
        })?,
    }
    reader.end()?;
    Ok(Body { layout, fields })
}

struct Items<'e, F> {
    each: &'e mut F,
    count: usize,
}

impl<'a, F: FnMut(Item<'a>)> Items<'_, F> {
    /// The next item, still empty.
    fn next(&self) -> Item<'a> {
        Item {
            index: self.count,
            event: None,
            findings: Findings::new(),
        }
    }

    #[expect(
        clippy::inline_always,
        reason = "an item is large, and every call copies it"
    )]
    #[inline(always)]
    fn push(&mut self, item: Item<'a>) {
        (self.each)(item);
        self.count += 1;
    }

    fn read(&mut self, reader: &mut Reader<'a>) -> Result<(), SyntaxError> {
        let mut item = self.next();
        let start = reader.mark();
        match event_json(reader, &mut item.findings, &mut item.event) {
            Err(error) if error.is_depth() => {
                reader.pass_over(start)?;
                let message = format!("the event is nested too deeply: {error}");
                item.event = None;
                item.findings.add(Code::JsonInvalid, Path::root(), message);
            }
            result => result?,
        }
        self.push(item);
        Ok(())
    }

    /// The list inside a string; its events own their text.
    fn read_list(&mut self, text: &str) -> Result<(), SyntaxError> {
        let mut reader = Reader::new(text);
        let mut owned = Vec::new();
        if reader.kind()? == Kind::Array {
            reader.items(|reader| {
                owned.push(owned_event(reader)?);
                Ok::<_, SyntaxError>(())
            })?;
        } else {
            owned.push(owned_event(&mut reader)?);
        }
        reader.end()?;
        for (event, findings) in owned {
            self.push(Item {
                event,
                findings,
                ..self.next()
            });
        }
        Ok(())
    }
}

fn owned_event(reader: &mut Reader<'_>) -> Result<(Option<Event<'static>>, Findings), SyntaxError> {
    let mut findings = Findings::new();
    let mut event = None;
    event_json(reader, &mut findings, &mut event)?;
    Ok((event.map(Event::into_owned), findings))
}

fn layout_of(text: &str) -> Result<Layout, SyntaxError> {
    let mut reader = Reader::new(text);
    match reader.kind()? {
        Kind::Array => return Ok(Layout::Array),
        Kind::Object => {}
        _ => return Ok(Layout::Single),
    }
    if is_lines(text) {
        return Ok(Layout::Lines);
    }
    if is_envelope(&mut reader) {
        Ok(Layout::Envelope)
    } else {
        Ok(Layout::Single)
    }
}

/// Whether the first line is a whole value with more behind it, or the second starts another object.
fn is_lines(text: &str) -> bool {
    let text = text.trim_start();
    let Some(end) = memchr::memchr(b'\n', text.as_bytes()) else {
        return false;
    };
    let (first, rest) = (&text[..end], &text[end + 1..]);
    if rest.trim_start().is_empty() {
        return false;
    }
    Raw::parse(first).is_ok() || (rest.starts_with('{') && Raw::parse(text).is_err())
}

/// Whether the first key that tells is `data`: so an envelope is known without reading it twice.
fn is_envelope(reader: &mut Reader<'_>) -> bool {
    enum Told {
        Yes,
        No,
    }
    impl From<SyntaxError> for Told {
        fn from(_: SyntaxError) -> Self {
            Told::No
        }
    }
    let told = reader.members(|reader, key| {
        if key == "data" {
            return Err(Told::Yes);
        }
        if matches!(&*key, "event_name" | "event_time" | "user_data") {
            return Err(Told::No);
        }
        reader.value()?;
        Ok(())
    });
    matches!(told, Err(Told::Yes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(body: &str) -> (Layout, Vec<Option<String>>) {
        let mut names = Vec::new();
        let body = read(body, |item| {
            names.push(
                item.event
                    .and_then(|event| event.event_name.map(Cow::into_owned)),
            );
        })
        .unwrap();
        (body.layout, names)
    }

    #[test]
    fn reads_every_layout() {
        let one = Some("A".to_owned());
        let two = Some("B".to_owned());
        for (body, layout, expected) in [
            (r#"{"event_name":"A"}"#, Layout::Single, vec![one.clone()]),
            (
                r#"[{"event_name":"A"},{"event_name":"B"}]"#,
                Layout::Array,
                vec![one.clone(), two.clone()],
            ),
            ("[]", Layout::Array, vec![]),
            (
                r#"{"data":[{"event_name":"A"}],"test_event_code":"T"}"#,
                Layout::Envelope,
                vec![one.clone()],
            ),
            (
                r#"{"test_event_code":"T","data":[{"event_name":"A"}]}"#,
                Layout::Envelope,
                vec![one.clone()],
            ),
            (
                r#"{"data":["{\"event_name\":\"A\"}"]}"#,
                Layout::Envelope,
                vec![one.clone()],
            ),
            (
                r#"{"data":"[{\"event_name\":\"A\"}]"}"#,
                Layout::Envelope,
                vec![one.clone()],
            ),
            (
                "{\"event_name\":\"A\"}\n{\"event_name\":\"B\"}\n",
                Layout::Lines,
                vec![one.clone(), two.clone()],
            ),
            (
                "{\"event_name\":\"A\"}\n\nnot json\n{\"event_name\":\"B\"}",
                Layout::Lines,
                vec![one.clone(), None, two],
            ),
            ("{\n  \"event_name\": \"A\"\n}\n", Layout::Single, vec![one]),
            ("7", Layout::Single, vec![None]),
        ] {
            assert_eq!(names(body), (layout, expected), "{body}");
        }
    }

    #[test]
    fn a_broken_line_is_named_as_people_count_them() {
        let mut messages = Vec::new();
        let body = "{\"event_name\":\"A\"}\n\n[1,]\n{\"event_name\":\"B\"}\n{]";
        read(body, |item| {
            if item.event.is_none() {
                messages.extend(item.findings.iter().map(|it| it.message.clone()));
            }
        })
        .unwrap();
        assert_eq!(
            messages,
            [
                "line 3, column 4: expected a JSON value",
                "line 5, column 2: expected a key in double quotes"
            ]
        );
    }

    #[test]
    fn keeps_what_stands_beside_the_events() {
        for (beside, expected) in [
            (r#""test_event_code":"TEST1""#, Some("TEST1")),
            (r#""testEventCode":"TEST1""#, Some("TEST1")),
            (r#""test_event_code":12345"#, Some("12345")),
            (r#""test_event_code":["TEST1"]"#, Some(r#"["TEST1"]"#)),
            (r#""test_event_code":"""#, None),
            (r#""test_event_code":null"#, None),
            (r#""test_event_code":false"#, None),
            (r#""n":1"#, None),
        ] {
            let text = format!(r#"{{"data":[],{beside}}}"#);
            let body = read(&text, |_| {}).unwrap();
            assert_eq!(body.test_event_code().as_deref(), expected, "{beside}");
            assert!(!body.has_data_processing_options());
        }
        let text = r#"{"data_processing_options":["LDU"],"data":[]}"#;
        let body = read(text, |_| {}).unwrap();
        assert!(body.has_data_processing_options());
    }

    #[test]
    fn one_bad_byte_costs_one_value() {
        let text =
            text_of(b"\xef\xbb\xbf{\"event_name\":\"A\",\"user_data\":{\"fn\":\"Jos\xe9\"}}");
        assert_eq!(names(&text), (Layout::Single, vec![Some("A".to_owned())]));
    }
}
