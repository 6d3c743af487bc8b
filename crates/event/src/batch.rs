//! Reading a body: one event, an array, `{"data": […]}`, or one event a line (NDJSON).

use std::borrow::Cow;
use std::convert::Infallible;
use std::marker::PhantomData;
use std::ops::ControlFlow;

pub use crate::beside::{Beside, Body, is_asked_for, names_test_code};
use crate::code::Code;
use crate::finding::{Findings, Path};
use crate::json::{Kind, Raw, Reader, SyntaxError};
pub use crate::layout::Layout;
use crate::model::Event;
use crate::parse::event as event_json;

/// One event of a body, in order.
pub struct Item<'a> {
    /// Its place, counted from 0. What stands among the events and is none has a place, too.
    pub index: usize,
    /// The event; `None` when it could not be read, and then `findings` says why.
    pub event: Option<Event<'a>>,
    /// What was found while reading it.
    pub findings: Findings,
}

/// The text of a body; bytes that are not UTF-8 become U+FFFD, which costs the values they are in
/// and nothing else. A byte-order mark is removed.
pub fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    let Ok(text) = text_within(bytes, |_| Ok::<_, Infallible>(()));
    text
}

/// As [`text_of`]. Where the text has to be a copy, `room` is asked first for its bytes: they may be three times
/// as many.
///
/// # Errors
///
/// That of `room`.
pub fn text_within<E>(
    bytes: &[u8],
    room: impl FnOnce(usize) -> Result<(), E>,
) -> Result<Cow<'_, str>, E> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(Cow::Borrowed(text));
    }
    let pieces = || {
        let chunks = bytes.utf8_chunks();
        chunks.flat_map(|chunk| [chunk.valid(), mark_of(chunk.invalid())])
    };
    let size = pieces().map(str::len).sum();
    room(size)?;
    let mut text = String::with_capacity(size);
    text.extend(pieces());
    Ok(Cow::Owned(text))
}

/// What stands for bytes that are not UTF-8.
fn mark_of(invalid: &[u8]) -> &'static str {
    if invalid.is_empty() { "" } else { "\u{fffd}" }
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
    let ControlFlow::Continue(body) = read_while(text, |item| {
        each(item);
        ControlFlow::<Infallible>::Continue(())
    })?;
    Ok(body)
}

/// As [`read`], until `each` breaks off. Then nothing is known of what follows, and what `each` gave is returned.
///
/// # Errors
///
/// Where and how the body, as far as it was read, is not JSON.
pub fn read_while<'a, B>(
    text: &'a str,
    mut each: impl FnMut(Item<'a>) -> ControlFlow<B>,
) -> Result<ControlFlow<B, Body<'a>>, SyntaxError> {
    let layout = layout_of(text)?;
    let mut body = Body::of(layout);
    let mut items = Items {
        each: &mut each,
        body: &mut body,
        given: PhantomData,
    };
    match items.read_all(text) {
        Ok(()) => Ok(ControlFlow::Continue(body)),
        Err(Stop::Break(given)) => Ok(ControlFlow::Break(given)),
        Err(Stop::Syntax(error)) => Err(error),
    }
}

/// Why the reading ends before the body does.
enum Stop<B> {
    Syntax(SyntaxError),
    Break(B),
}

impl<B> From<SyntaxError> for Stop<B> {
    fn from(error: SyntaxError) -> Self {
        Stop::Syntax(error)
    }
}

struct Items<'e, 'a, F, B> {
    each: &'e mut F,
    body: &'e mut Body<'a>,
    given: PhantomData<B>,
}

impl<'a, B, F: FnMut(Item<'a>) -> ControlFlow<B>> Items<'_, 'a, F, B> {
    fn read_all(&mut self, text: &'a str) -> Result<(), Stop<B>> {
        let mut reader = Reader::new(text);
        match self.body.layout {
            Layout::Lines => return self.read_lines(text),
            Layout::Array => self.read_each(&mut reader)?,
            Layout::Single => self.read(&mut reader)?,
            Layout::Envelope => reader.members(|reader, key| {
                if key != "data" {
                    self.body.field(&key, reader.value()?, as_it_is);
                    return Ok(());
                }
                match reader.kind()? {
                    Kind::Null => Ok(reader.value().map(|_| ())?),
                    Kind::Array => self.read_each(reader),
                    Kind::Object if is_numbered(reader) => self.read_each(reader),
                    // Form-encoded senders put the list into a string.
                    Kind::Text => self.read_list(&reader.value()?.as_text().unwrap_or_default()),
                    _ => self.read(reader),
                }
            })?,
        }
        Ok(reader.end()?)
    }

    /// The events of a list, or of a map with numbered keys.
    fn read_each(&mut self, reader: &mut Reader<'a>) -> Result<(), Stop<B>> {
        if reader.kind()? == Kind::Array {
            return reader.items(|reader| self.read(reader));
        }
        self.read_map(reader, as_it_is, Self::read)
    }

    /// The events of a map with numbered keys, each by `read`; `keep` makes the text of what stands beside them last.
    fn read_map<'t>(
        &mut self,
        reader: &mut Reader<'t>,
        keep: fn(Cow<'t, str>) -> Cow<'a, str>,
        read: fn(&mut Self, &mut Reader<'t>) -> Result<(), Stop<B>>,
    ) -> Result<(), Stop<B>> {
        reader.members(|reader, key| {
            if is_beside(reader, &key) {
                self.body.field(&key, reader.value()?, keep);
                return Ok(());
            }
            read(self, reader)
        })
    }

    fn read_lines(&mut self, text: &'a str) -> Result<(), Stop<B>> {
        let lines = text.lines().zip(1..);
        for (line, number) in lines.filter(|(line, _)| !line.trim().is_empty()) {
            let mut item = self.next();
            item.event = Event::parse_at(number, line, &mut item.findings);
            self.push(item)?;
        }
        Ok(())
    }

    /// The next item, still empty.
    fn next(&self) -> Item<'a> {
        Item {
            index: self.body.places,
            event: None,
            findings: Findings::new(),
        }
    }

    #[expect(
        clippy::inline_always,
        reason = "an item is large, and every call copies it"
    )]
    #[inline(always)]
    fn push(&mut self, item: Item<'a>) -> Result<(), Stop<B>> {
        self.body.places += 1;
        if (item.event.as_ref()).is_some_and(|event| self.body.takes(event)) {
            return Ok(());
        }
        match (self.each)(item) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(given) => Err(Stop::Break(given)),
        }
    }

    fn read(&mut self, reader: &mut Reader<'a>) -> Result<(), Stop<B>> {
        let mut item = self.next();
        one_event(reader, &mut item.findings, &mut item.event)?;
        self.push(item)
    }

    /// The list inside a string; its events own their text.
    fn read_list(&mut self, text: &str) -> Result<(), Stop<B>> {
        let mut reader = Reader::new(text);
        match reader.kind()? {
            Kind::Array => reader.items(|reader| self.read_owned(reader))?,
            Kind::Object if is_numbered(&reader) => {
                let keep = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
                self.read_map(&mut reader, keep, Self::read_owned)?;
            }
            _ => self.read_owned(&mut reader)?,
        }
        Ok(reader.end()?)
    }

    fn read_owned(&mut self, reader: &mut Reader<'_>) -> Result<(), Stop<B>> {
        let mut item = self.next();
        let mut event = None;
        one_event(reader, &mut item.findings, &mut event)?;
        item.event = event.map(Event::into_owned);
        self.push(item)
    }
}

/// Keeps the text of a body.
fn as_it_is(text: Cow<'_, str>) -> Cow<'_, str> {
    text
}

/// Reads the next event into `slot`; one that is nested too deeply costs only itself.
#[inline]
fn one_event<'t>(
    reader: &mut Reader<'t>,
    findings: &mut Findings,
    slot: &mut Option<Event<'t>>,
) -> Result<(), SyntaxError> {
    let start = reader.mark();
    match event_json(reader, findings, slot) {
        Err(error) if error.is_depth() => {
            reader.pass_over(start)?;
            *slot = None;
            let message = format!("the event is nested too deeply: {error}");
            findings.add(Code::JsonInvalid, Path::root(), message);
            Ok(())
        }
        result => result,
    }
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
    Ok(layout_of_object(&mut reader))
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

/// How the events of an object are written, by the first key that tells: so an envelope is known without reading it
/// twice.
fn layout_of_object(reader: &mut Reader<'_>) -> Layout {
    struct Told(Layout);
    impl From<SyntaxError> for Told {
        fn from(_: SyntaxError) -> Self {
            Told(Layout::Single)
        }
    }
    let told = reader.members(|reader, key| {
        match &*key {
            "data" => return Err(Told(Layout::Envelope)),
            "event_name" | "event_time" | "user_data" => return Err(Told(Layout::Single)),
            // No event has such a member, so it is a list as PHP writes one that has gaps, or other keys.
            key if is_number(key) && holds_object(reader) => return Err(Told(Layout::Array)),
            _ => reader.value()?,
        };
        Ok(())
    });
    told.map_or_else(|Told(layout)| layout, |()| Layout::Single)
}

/// Whether the object that comes next is a list of events as PHP writes one that has gaps.
pub fn is_numbered(reader: &Reader<'_>) -> bool {
    let mut ahead = *reader;
    layout_of_object(&mut ahead) == Layout::Array
}

/// Whether the next value, of this key of a map with numbered keys, is none of its events: it holds for all of them, or
/// is no object under a key that is no number.
pub fn is_beside(reader: &Reader<'_>, key: &str) -> bool {
    Beside::of(key).is_some() || !is_number(key) && !holds_object(reader)
}

/// Whether the next value is an object, or a text that holds one.
fn holds_object(reader: &Reader<'_>) -> bool {
    let mut ahead = *reader;
    match ahead.kind() {
        Ok(Kind::Object) => true,
        Ok(Kind::Text) => {
            let text = ahead.value().ok().and_then(Raw::as_text);
            text.is_some_and(|text| text.trim_start().starts_with('{'))
        }
        _ => false,
    }
}

fn is_number(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit())
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
            (r#""test_code":"TEST1""#, Some("TEST1")),
            (r#""Test-Event-Code":"TEST1""#, Some("TEST1")),
            (r#""test_event_cod":"TEST1""#, Some("TEST1")),
            (r#""test_event_code":"undefined""#, None),
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
            assert!(!body.has_switch());
        }
        for (beside, expected) in [
            (r#""data_processing_options":["LDU"]"#, true),
            (r#""data_processing_options":"LDU""#, true),
            (r#""data_processing_options":"[\"LDU\"]""#, true),
            (r#""dataProcessingOptions":["LDU"]"#, true),
            (r#""data_processing_options_state":1000"#, true),
            (r#""limited_data_use":true"#, true),
            (r#""ldu":"yes""#, true),
            (r#""opt_out":true"#, true),
            (r#""data_processing_options":[]"#, false),
            (r#""data_processing_options":"[]""#, false),
            (r#""data_processing_options":null"#, false),
            (r#""data_processing_options_country":0"#, false),
            (r#""opt_out":false"#, false),
            (r#""opt_out":"""#, false),
            (r#""options":["LDU"]"#, false),
        ] {
            let text = format!(r#"{{"data":[],{beside}}}"#);
            let body = read(&text, |_| {}).unwrap();
            assert_eq!(body.has_switch(), expected, "{beside}");
        }
    }

    #[test]
    fn room_for_a_copy_is_asked_for_before_it_is_made() {
        for bytes in [
            &b"\xff"[..],
            b"a\xffb\xe2\x82",
            b"\xf0\x9f\x98 \xed\xa0\x80",
        ] {
            let mut asked = 0;
            let text = text_within(bytes, |size| {
                asked = size;
                Ok::<_, Infallible>(())
            });
            let Ok(text) = text;
            assert_eq!(text, String::from_utf8_lossy(bytes));
            assert_eq!(text.len(), asked);
        }
        assert_eq!(text_within(b"sound", Err), Ok("sound".into()));
        assert_eq!(text_within(b"\xff\xff", Err), Err(6));
    }

    #[test]
    fn one_bad_byte_costs_one_value() {
        let text =
            text_of(b"\xef\xbb\xbf{\"event_name\":\"A\",\"user_data\":{\"fn\":\"Jos\xe9\"}}");
        assert_eq!(names(&text), (Layout::Single, vec![Some("A".to_owned())]));
    }
}
