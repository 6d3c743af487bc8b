//! Lenient reading of one event: JSON → [`Event`], with findings on the way.
//!
//! Lenient in form: scalars or lists, other names, flat events, times in several shapes. Strict in
//! meaning: what is not understood is left out and said, never guessed. Nothing here stops an event;
//! whether it can be sent is decided when it is sealed.

use std::borrow::Cow;

use crate::action_source::{ActionSource, MessagingChannel};
use crate::alias::{self, Target};
use crate::browser::ClickId;
use crate::code::Code;
use crate::finding::{Findings, Path, shown};
use crate::json::{Kind, Raw, Reader, SyntaxError};
use crate::limits::{EVENT_BYTES_MAX, PROPERTIES_MAX, USER_VALUES_MAX};
use crate::model::{DataProcessing, Event, Origin, UserValue, path_of_user_value};
use crate::names;
use crate::plain::Plain;
use crate::properties::{Properties, Property};
use crate::shape::{self, did_you_mean};
use crate::time::{self, TimeError};
use crate::user_field::{FieldSet, UserField};

impl<'a> Event<'a> {
    /// Reads one event from JSON: an object, or a string that holds one.
    ///
    /// `None` when the text is not JSON or no object; `findings` says why, and everything else that
    /// is worth saying about how the event was written.
    pub fn parse(text: &'a str, findings: &mut Findings) -> Option<Self> {
        let mut reader = Reader::new(text);
        let parsed = event(&mut reader, findings).and_then(|event| reader.end().map(|()| event));
        match parsed {
            Ok(event) => event,
            Err(error) => {
                let (line, column) = error.line_column(text);
                findings.add(
                    Code::JsonInvalid,
                    Path::root(),
                    format!(
                        "line {line}, column {column}: expected {}",
                        error.expected()
                    ),
                );
                None
            }
        }
    }
}

/// Reads the event that comes next; `None` with a finding when it is something else.
pub(crate) fn event<'a>(
    reader: &mut Reader<'a>,
    findings: &mut Findings,
) -> Result<Option<Event<'a>>, SyntaxError> {
    match reader.kind()? {
        Kind::Object => object(reader, findings),
        Kind::Text => {
            let text = reader.value()?.as_text().unwrap_or_default();
            Ok(match text {
                Cow::Borrowed(text) => Event::parse(text, findings),
                Cow::Owned(text) => Event::parse(&text, findings).map(Event::into_owned),
            })
        }
        kind => {
            reader.value()?;
            findings.add(Code::EventNotObject, Path::root(), format!("found {kind}"));
            Ok(None)
        }
    }
}

fn object<'a>(
    reader: &mut Reader<'a>,
    findings: &mut Findings,
) -> Result<Option<Event<'a>>, SyntaxError> {
    let mut parser = Parser {
        event: Event::default(),
        findings,
        sections: Vec::new(),
        later: Vec::new(),
        seen: FieldSet::default(),
        fbclid: None,
    };
    reader.kind()?;
    let start = reader.offset();
    reader.members(|reader, key| parser.member(reader, key))?;
    let size = reader.offset() - start;
    if size > EVENT_BYTES_MAX {
        let message = format!("the event has {size} bytes");
        parser
            .findings
            .add(Code::EventTooLarge, Path::root(), message);
        return Ok(None);
    }
    Ok(Some(parser.finish()))
}

/// Room for the values of a usual event.
const USER_VALUES: usize = 16;
/// Room for the properties of a usual event.
const PROPERTIES: usize = 8;

struct Parser<'a, 'f> {
    event: Event<'a>,
    findings: &'f mut Findings,
    /// The objects that were met, and the keys they stood under.
    sections: Vec<(&'static str, Cow<'a, str>)>,
    /// The fields that have a value already.
    seen: FieldSet,
    /// Other names for scalars and properties, which wait for Meta's own.
    later: Vec<(Target, Cow<'a, str>, Raw<'a>)>,
    /// A bare `fbclid`, which becomes an `fbc` when the event has none.
    fbclid: Option<UserValue<'a>>,
}

impl<'a> Parser<'a, '_> {
    fn member(&mut self, reader: &mut Reader<'a>, key: Cow<'a, str>) -> Result<(), SyntaxError> {
        match key.as_bytes() {
            b"user_data" => self.section(reader, "user_data", &key),
            b"custom_data" => self.section(reader, "custom_data", &key),
            b"app_data" => self.section(reader, "app_data", &key),
            b"original_event_data" => self.section(reader, "original_event_data", &key),
            b"attribution_data" => self.section(reader, "attribution_data", &key),
            b"advertiser_tracking_enabled" | b"extinfo" => {
                let raw = reader.value()?;
                self.app_property(key.clone(), key, raw);
                Ok(())
            }
            _ if is_event_key(&key) => {
                let raw = reader.value()?;
                self.scalar(&key, &key, raw);
                Ok(())
            }
            _ => self.alias(reader, key),
        }
    }

    /// An object beside `event_name`; `name` is Meta's name, `key` the one it was sent under.
    fn section(
        &mut self,
        reader: &mut Reader<'a>,
        name: &'static str,
        key: &Cow<'a, str>,
    ) -> Result<(), SyntaxError> {
        if reader.kind()? != Kind::Object {
            let raw = reader.value()?;
            self.wrapped_section(raw, name, key);
            return Ok(());
        }
        match self.sections.iter().find(|(known, _)| *known == name) {
            // Values of two objects could not be told apart afterwards.
            Some((_, known)) if known != key => {
                let message = format!("{name} stands here under two names; the first is used");
                self.findings
                    .add(Code::KeyDuplicate, Path::root().key(key), message);
                return reader.value().map(|_| ());
            }
            Some(_) => {}
            None => {
                self.sections.push((name, key.clone()));
                if key != name {
                    self.event.written_as.push((name, key.clone()));
                }
            }
        }
        match name {
            "user_data" => self.user_data(reader, key),
            "custom_data" => self.properties(reader, key, |event| &mut event.custom_data),
            "app_data" => self.properties(reader, key, |event| &mut event.app_data),
            "original_event_data" => {
                self.properties(reader, key, |event| &mut event.original_event_data)
            }
            _ => self.properties(reader, key, |event| &mut event.attribution_data),
        }
    }

    /// An object that is written as a string, as form senders do, or stands alone in a list.
    fn wrapped_section(&mut self, raw: Raw<'a>, name: &'static str, key: &Cow<'a, str>) {
        let inner = match raw.kind() {
            Kind::Array => match raw.items().as_slice() {
                [] => return,
                [object] if object.kind() == Kind::Object => Some(object.text().to_owned()),
                _ => None,
            },
            Kind::Text => {
                let text = raw.as_text().unwrap_or_default();
                if text.trim().is_empty() {
                    return;
                }
                let is_object = Raw::parse(text.trim()).is_ok_and(|raw| raw.kind() == Kind::Object);
                is_object.then(|| text.trim().to_owned())
            }
            Kind::Null => return,
            _ => None,
        };
        let path = || Path::root().key(key);
        let Some(inner) = inner else {
            self.wrong_type(path(), "an object", raw.kind());
            return;
        };
        let mut findings = Findings::new();
        let event =
            Event::parse(&format!("{{\"{name}\":{inner}}}"), &mut findings).map(Event::into_owned);
        // The input has no place that a path into the inner text could name.
        for finding in findings {
            self.findings.add(finding.code, path(), finding.message);
        }
        let Some(event) = event else { return };
        for mut value in event.user_data.0 {
            value.origin = Some(Box::new(Origin {
                key: Some(key.clone()),
                is_flat: true,
                index: None,
            }));
            self.event.user_data.0.push(value);
        }
        let objects = [
            (event.custom_data, &mut self.event.custom_data),
            (event.app_data, &mut self.event.app_data),
            (
                event.original_event_data,
                &mut self.event.original_event_data,
            ),
            (event.attribution_data, &mut self.event.attribution_data),
        ];
        for (from, to) in objects {
            for property in from.0 {
                to.insert(Property {
                    flat_key: Some(key.clone()),
                    ..property
                });
            }
        }
    }

    /// A key that is not one of Meta's at this place.
    fn alias(&mut self, reader: &mut Reader<'a>, key: Cow<'a, str>) -> Result<(), SyntaxError> {
        let target = alias::of_event_key(&key);
        if let Some(Target::Event(name @ ("user_data" | "custom_data" | "app_data"))) = target {
            if reader.kind()? == Kind::Object {
                self.note_alias(Path::root().key(&key), name);
            }
            return self.section(reader, name, &key);
        }
        let raw = reader.value()?;
        if raw.kind() == Kind::Null {
            return Ok(());
        }
        match target {
            // Meta's own key wins wherever it stands, so these wait until all keys are known.
            Some(target @ (Target::Event(_) | Target::Custom(_))) => {
                if self.later.len() < PROPERTIES_MAX {
                    self.later.push((target, key, raw));
                }
            }
            Some(Target::User(field)) => {
                self.note_alias(Path::root().key(&key), field.name());
                let origin = Origin {
                    key: Some(key),
                    is_flat: true,
                    index: None,
                };
                self.user_values(field, raw, Some(origin), "user_data");
            }
            Some(Target::App(name)) => {
                self.note_alias(Path::root().key(&key), name);
                self.app_property(name.into(), key, raw);
            }
            None => self.unknown_event_key(key, raw),
        }
        Ok(())
    }

    /// Uses an alias if Meta's own key is not there.
    fn use_alias(&mut self, target: Target, key: Cow<'a, str>, raw: Raw<'a>) {
        let name = match target {
            Target::Event("ldu") => "data_processing_options",
            Target::Event(name) | Target::Custom(name) | Target::App(name) => name,
            Target::User(field) => field.name(),
        };
        let is_there = match target {
            Target::Event(_) => self.has_scalar(name),
            _ => self.event.custom_data.find(name).is_some(),
        };
        let path = || Path::root().key(&key);
        if is_there {
            let message = format!("{name} is there already; this is not used");
            self.findings.add(Code::KeyDuplicate, path(), message);
            return;
        }
        match target {
            Target::Event(target) => {
                let text = raw.as_text().unwrap_or_default();
                let is_source = ActionSource::from_name(&text).is_some()
                    || ActionSource::from_alias(&text).is_some();
                // A `channel` is more often that of an advertisement.
                if target == "action_source" && !is_source {
                    self.unknown_key(Path::root(), &key, None);
                    return;
                }
                self.note_alias(path(), name);
                self.scalar(target, &key, raw);
                self.event.written_as.push((name, key));
            }
            _ => {
                self.note_alias(path(), name);
                let property = Property {
                    key: name.into(),
                    value: raw.into(),
                    flat_key: Some(key),
                };
                if self.event.custom_data.0.len() < PROPERTIES_MAX {
                    self.event.custom_data.insert(property);
                }
            }
        }
    }

    /// Whether a scalar of this name was met, readable or not.
    fn has_scalar(&self, name: &str) -> bool {
        let event = &self.event;
        match name {
            "event_name" => event.event_name.is_some(),
            "event_time" => {
                let unreadable = [Code::EventTimeInvalid, Code::EventTimeNoZone];
                event.event_time.is_some()
                    || unreadable.into_iter().any(|code| self.findings.has(code))
            }
            "event_id" => event.event_id.is_some(),
            "action_source" => event.action_source.is_some(),
            "event_source_url" => event.event_source_url.is_some(),
            "referrer_url" => event.referrer_url.is_some(),
            "opt_out" => event.opt_out.is_some(),
            "messaging_channel" => event.messaging_channel.is_some(),
            "data_processing_options" => {
                let processing = event.data_processing.as_ref();
                processing.is_some_and(|processing| processing.options.is_some())
            }
            _ => false,
        }
    }

    fn unknown_event_key(&mut self, key: Cow<'a, str>, raw: Raw<'a>) {
        if key == "fbclid" {
            self.fbclid = user_value(UserField::Fbc, raw, key, true);
            return;
        }
        // `name` may be the event's or the person's, so only a standard event is taken for one.
        if key == "name"
            && self.event.event_name.is_none()
            && let Some(name) = raw.as_text().filter(|name| names::is_standard(name))
        {
            self.note_alias(Path::root().key(&key), "event_name");
            self.event.event_name = Some(name);
            self.event.written_as.push(("event_name", key));
            return;
        }
        let known = EVENT_KEYS
            .into_iter()
            .chain(UserField::ALL.into_iter().map(UserField::name));
        self.unknown_key(Path::root(), &key, did_you_mean(known, &key));
    }

    /// A scalar beside `event_name`; `name` is Meta's name, `key` the one it was sent under.
    fn scalar(&mut self, name: &str, key: &str, raw: Raw<'a>) {
        if raw.kind() == Kind::Null {
            return;
        }
        let path = || Path::root().key(key);
        match name.as_bytes() {
            b"event_name" => {
                let name = self.text(raw, path);
                self.set(name, path, |event| &mut event.event_name);
            }
            b"event_time" => self.event_time(raw, key),
            b"event_id" => {
                let id = self.text(raw, path);
                self.set(id, path, |event| &mut event.event_id);
            }
            b"action_source" => {
                let source = self.action_source(raw, key);
                self.set(source, path, |event| &mut event.action_source);
            }
            b"event_source_url" => {
                let url = self.text(raw, path);
                self.set(url, path, |event| &mut event.event_source_url);
            }
            b"referrer_url" => {
                let url = self.text(raw, path);
                self.set(url, path, |event| &mut event.referrer_url);
            }
            b"opt_out" => {
                // Unreadable, it is taken for the more careful of the two.
                let flag = self.flag(raw, path).unwrap_or(true);
                self.set(Some(flag), path, |event| &mut event.opt_out);
            }
            b"messaging_channel" => {
                let text = self.text(raw, path);
                let channel = text.as_deref().and_then(MessagingChannel::from_name);
                if let (Some(text), None) = (&text, channel) {
                    let message =
                        format!("found {}; whatsapp, messenger or instagram", shown(text));
                    self.findings.add(Code::EnumUnknown, path(), message);
                }
                self.set(channel, path, |event| &mut event.messaging_channel);
            }
            b"customer_segmentation" => {
                let text = self.text(raw, path);
                self.set(text, path, |event| &mut event.customer_segmentation);
            }
            b"advanced_measurement_table" => {
                let text = self.text(raw, path);
                self.set(text, path, |event| &mut event.advanced_measurement_table);
            }
            _ => self.data_processing(name, key, raw),
        }
    }

    fn data_processing(&mut self, name: &str, key: &str, raw: Raw<'a>) {
        let path = || Path::root().key(key);
        match name.as_bytes() {
            b"data_processing_options" => {
                let options = self.options(raw, path);
                self.data_processing_mut().options = Some(options);
            }
            b"ldu" => {
                if let Some(is_limited) = self.flag(raw, path) {
                    let options = if is_limited {
                        vec!["LDU".into()]
                    } else {
                        Vec::new()
                    };
                    self.data_processing_mut().options = Some(options);
                }
            }
            _ => {
                let number = raw.as_text().or_else(|| raw.as_digits());
                match number.and_then(|number| number.trim().parse().ok()) {
                    Some(number) if name.ends_with("country") => {
                        self.data_processing_mut().country = Some(number);
                    }
                    Some(number) => self.data_processing_mut().state = Some(number),
                    None => self.wrong_type(path(), "a whole number", raw.kind()),
                }
            }
        }
    }

    /// The options. What cannot be read, but is not nothing either, limits the use of the data: the
    /// sender wanted something, and this is the only thing to want.
    fn options(&mut self, raw: Raw<'a>, path: impl Fn() -> Path) -> Vec<Cow<'a, str>> {
        let is_nothing = matches!(raw.text(), "[]" | "{}" | "\"\"" | "false" | "0" | "\"[]\"");
        if is_nothing || raw.kind() == Kind::Array && raw.items().is_empty() {
            return Vec::new();
        }
        let texts: Option<Vec<_>> = match raw.kind() {
            Kind::Array => raw.items().into_iter().map(Raw::as_text).collect(),
            Kind::Text => Some(options_in(raw.as_text().unwrap_or_default())),
            _ => None,
        };
        if let Some(texts) = texts
            && (texts.is_empty()
                || !raw.text().to_ascii_uppercase().contains("LDU")
                || texts
                    .iter()
                    .any(|text| text.trim().eq_ignore_ascii_case("LDU")))
        {
            return texts;
        }
        let message = "expected a list such as [\"LDU\"]; read as that";
        self.findings.add(Code::ValueType, path(), message);
        vec!["LDU".into()]
    }

    fn data_processing_mut(&mut self) -> &mut DataProcessing<'a> {
        self.event.data_processing.get_or_insert_default()
    }

    fn event_time(&mut self, raw: Raw<'a>, key: &str) {
        let path = || Path::root().key(key);
        match time::parse(raw) {
            Ok(time) => {
                if time.is_converted {
                    let message = "the time is not in whole seconds and was converted";
                    self.findings.add(Code::EventTimeUnit, path(), message);
                }
                self.set(Some(time.unix_s), path, |event| &mut event.event_time);
            }
            Err(TimeError::NoZone) => {
                let message = "the time has no zone, so it could be any of some thirty moments";
                self.findings.add(Code::EventTimeNoZone, path(), message);
            }
            Err(TimeError::Invalid) => {
                let message = match raw.as_text() {
                    Some(text) => format!("found {}, no time", shown(&text)),
                    None => format!("found {}, no time", raw.kind()),
                };
                self.findings.add(Code::EventTimeInvalid, path(), message);
            }
        }
    }

    fn action_source(&mut self, raw: Raw<'a>, key: &str) -> Option<ActionSource> {
        let path = || Path::root().key(key);
        let text = self.text(raw, path)?;
        if let Some(source) = ActionSource::from_name(&text) {
            return Some(source);
        }
        let source = ActionSource::from_alias(&text);
        let message = match source {
            Some(source) => format!("{} was read as {source}", shown(&text)),
            None => format!("{} is no action source", shown(&text)),
        };
        self.findings
            .add(Code::ActionSourceUnknown, path(), message);
        source
    }

    fn user_data(&mut self, reader: &mut Reader<'a>, section: &str) -> Result<(), SyntaxError> {
        self.event.user_data.0.reserve(USER_VALUES);
        reader.members(|reader, key| {
            let raw = reader.value()?;
            if let Some(field) = UserField::from_name(&key) {
                self.user_values(field, raw, None, section);
            } else if raw.kind() == Kind::Null {
                // Whatever it is called, there is nothing in it.
            } else if let Some(field) = alias::of_user_key(&key) {
                self.note_alias(Path::root().key(section).key(&key), field.name());
                let origin = Origin {
                    key: Some(key),
                    is_flat: false,
                    index: None,
                };
                self.user_values(field, raw, Some(origin), section);
            } else if key == "fbclid" {
                self.fbclid = user_value(UserField::Fbc, raw, key, false);
            } else {
                let known = UserField::ALL.into_iter().map(UserField::name);
                self.unknown_key(Path::root().key(section), &key, did_you_mean(known, &key));
            }
            Ok(())
        })
    }

    /// A scalar or a list of scalars.
    fn user_values(
        &mut self,
        field: UserField,
        raw: Raw<'a>,
        origin: Option<Origin<'a>>,
        section: &str,
    ) {
        if self.seen.contains(field) && self.stands_twice(field, origin.as_ref()) {
            let message = format!("{field} stands here more than once; all values are used");
            let path = path_of_user_value(field, origin.as_ref(), section);
            self.findings.add(Code::KeyDuplicate, path, message);
        }
        if raw.kind() != Kind::Array {
            self.user_scalar(field, raw, origin, section);
            return;
        }
        let origin = origin.unwrap_or_default();
        for (index, item) in raw.items().into_iter().enumerate() {
            let origin = Origin {
                index: Some(index),
                ..origin.clone()
            };
            self.user_scalar(field, item, Some(origin), section);
        }
    }

    /// Whether a value of the field came from the same key before.
    fn stands_twice(&self, field: UserField, origin: Option<&Origin<'a>>) -> bool {
        let place = |origin: Option<&Origin<'a>>| {
            origin.map_or((None, false), |origin| (origin.key.clone(), origin.is_flat))
        };
        let mut values = self.event.user_data.0.iter();
        values.any(|known| known.field == field && place(known.origin.as_deref()) == place(origin))
    }

    fn user_scalar(
        &mut self,
        field: UserField,
        raw: Raw<'a>,
        origin: Option<Origin<'a>>,
        section: &str,
    ) {
        let value = match raw.kind() {
            Kind::Null => return,
            Kind::Text => raw.as_text().unwrap_or_default(),
            Kind::Number => raw.as_digits().unwrap_or_default(),
            _ => Cow::Borrowed(""),
        };
        let value = UserValue {
            field,
            value: Plain::from(value),
            origin: origin.map(Box::new),
        };
        if !matches!(raw.kind(), Kind::Text | Kind::Number) {
            self.wrong_type(value.path(section), "a string", raw.kind());
            return;
        }
        if self.seen.contains(field) {
            let values = self.event.user_data.0.iter();
            if values.filter(|known| known.field == field).count() >= USER_VALUES_MAX {
                if !self.findings.has(Code::TooMany) {
                    let message = format!(
                        "more than {USER_VALUES_MAX} values of {field}; the rest is left out"
                    );
                    self.findings
                        .add(Code::TooMany, value.path(section), message);
                }
                return;
            }
        }
        self.seen.insert(field);
        self.event.user_data.0.push(value);
    }

    fn properties(
        &mut self,
        reader: &mut Reader<'a>,
        section: &str,
        target: impl for<'e> Fn(&'e mut Event<'a>) -> &'e mut Properties<'a>,
    ) -> Result<(), SyntaxError> {
        let mut left_out = 0;
        target(&mut self.event).0.reserve(PROPERTIES);
        reader.members(|reader, key| {
            let raw = reader.value()?;
            if raw.kind() == Kind::Null {
                return Ok(());
            }
            let properties = target(&mut self.event);
            if properties.0.len() == PROPERTIES_MAX {
                left_out += 1;
                return Ok(());
            }
            let property = Property {
                key,
                value: raw.into(),
                flat_key: None,
            };
            if let Some(replaced) = properties.insert(property) {
                let message = "the key stands here twice; the last value is used";
                self.findings
                    .add(Code::KeyDuplicate, replaced.path(section), message);
            }
            Ok::<_, SyntaxError>(())
        })?;
        if left_out > 0 {
            let message = format!("more than {PROPERTIES_MAX} properties; {left_out} left out");
            self.findings
                .add(Code::TooMany, Path::root().key(section), message);
        }
        Ok(())
    }

    /// A key of `app_data` that stands beside it, as Meta's Node SDK writes it.
    fn app_property(&mut self, name: Cow<'a, str>, key: Cow<'a, str>, raw: Raw<'a>) {
        if raw.kind() != Kind::Null && self.event.app_data.find(&name).is_none() {
            self.event.app_data.insert(Property {
                key: name,
                value: raw.into(),
                flat_key: Some(key),
            });
        }
    }

    fn set<T>(
        &mut self,
        value: Option<T>,
        path: impl Fn() -> Path,
        slot: impl for<'e> Fn(&'e mut Event<'a>) -> &'e mut Option<T>,
    ) {
        if value.is_none() {
            return;
        }
        if slot(&mut self.event).is_some() {
            let message = "the field stands here twice; the last value is used";
            self.findings.add(Code::KeyDuplicate, path(), message);
        }
        *slot(&mut self.event) = value;
    }

    fn text(&mut self, raw: Raw<'a>, path: impl Fn() -> Path) -> Option<Cow<'a, str>> {
        match raw.kind() {
            Kind::Text => {
                let text = raw.as_text();
                if text.as_deref().is_some_and(is_damaged) {
                    let message = "the text is damaged; what was lost stands as U+FFFD";
                    self.findings.add(Code::TextDamaged, path(), message);
                }
                text
            }
            Kind::Number => raw.as_digits(),
            kind => {
                self.wrong_type(path(), "a string", kind);
                None
            }
        }
    }

    fn flag(&mut self, raw: Raw<'a>, path: impl Fn() -> Path) -> Option<bool> {
        let flag = shape::flag(raw);
        if flag.is_none() {
            self.wrong_type(path(), "true or false", raw.kind());
        }
        flag
    }

    fn wrong_type(&mut self, path: Path, expected: &str, found: Kind) {
        let message = format!("expected {expected}, found {found}; left out");
        self.findings.add(Code::ValueType, path, message);
    }

    fn note_alias(&mut self, path: Path, name: &str) {
        let message = format!("read as {name}");
        self.findings.add(Code::KeyAlias, path, message);
    }

    fn unknown_key(&mut self, parent: Path, key: &str, meant: Option<&str>) {
        let message = match meant {
            Some(meant) => format!("unknown key, not sent; did you mean {meant}?"),
            None => "unknown key, not sent".to_owned(),
        };
        self.findings
            .add(Code::KeyUnknown, parent.key(key), message);
    }

    fn finish(mut self) -> Event<'a> {
        for (target, key, raw) in std::mem::take(&mut self.later) {
            self.use_alias(target, key, raw);
        }
        let has_fbc = self
            .event
            .user_data
            .iter()
            .any(|(field, _)| field == UserField::Fbc);
        if let (Some(fbclid), Some(event_time), false) =
            (self.fbclid.take(), self.event.event_time, has_fbc)
        {
            let created_ms = event_time.unsigned_abs() * 1_000;
            let path = fbclid.path(self.event.written("user_data"));
            if let Some(click) = ClickId::build(fbclid.value.expose(), 1, created_ms) {
                let message = "a bare fbclid is no fbc; one was built from it";
                self.findings.add(Code::KeyAlias, path, message);
                let value = Plain::from(click.to_string());
                self.event.user_data.0.push(UserValue { value, ..fbclid });
            } else {
                let message = "the fbclid cannot be one; left out";
                self.findings.add(Code::FbcInvalid, path, message);
            }
        }
        self.event
    }
}

/// The options in a text: one, or a list of them as JSON.
fn options_in(text: Cow<'_, str>) -> Vec<Cow<'_, str>> {
    match Raw::parse(text.trim()) {
        Ok(list) if list.kind() == Kind::Array => (list.items().into_iter())
            .filter_map(|option| Some(Cow::Owned(option.as_text()?.into_owned())))
            .collect(),
        _ if text.trim().is_empty() => Vec::new(),
        _ => vec![text],
    }
}

fn is_damaged(text: &str) -> bool {
    !text.is_ascii() && text.contains(char::REPLACEMENT_CHARACTER)
}

fn user_value<'a>(
    field: UserField,
    raw: Raw<'a>,
    key: Cow<'a, str>,
    is_flat: bool,
) -> Option<UserValue<'a>> {
    let origin = Origin {
        key: Some(key),
        is_flat,
        index: None,
    };
    raw.as_text().map(|value| UserValue {
        field,
        value: value.into(),
        origin: Some(Box::new(origin)),
    })
}

/// Meta's keys beside `event_name`.
const EVENT_KEYS: [&str; 20] = [
    "event_name",
    "event_time",
    "event_id",
    "action_source",
    "event_source_url",
    "referrer_url",
    "user_data",
    "custom_data",
    "app_data",
    "original_event_data",
    "attribution_data",
    "opt_out",
    "data_processing_options",
    "data_processing_options_country",
    "data_processing_options_state",
    "messaging_channel",
    "customer_segmentation",
    "advanced_measurement_table",
    "advertiser_tracking_enabled",
    "extinfo",
];

fn is_event_key(key: &str) -> bool {
    matches!(
        key.as_bytes(),
        b"event_name"
            | b"event_time"
            | b"event_id"
            | b"action_source"
            | b"event_source_url"
            | b"referrer_url"
            | b"opt_out"
            | b"data_processing_options"
            | b"data_processing_options_country"
            | b"data_processing_options_state"
            | b"messaging_channel"
            | b"customer_segmentation"
            | b"advanced_measurement_table"
    )
}
