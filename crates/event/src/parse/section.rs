//! The objects of an event: `user_data`, `custom_data` and their like.

use std::borrow::Cow;

use super::Parser;
use crate::alias;
use crate::code::Code;
use crate::finding::{Findings, Path};
use crate::json::{Kind, Raw, Reader, SyntaxError};
use crate::limits::{PROPERTIES_MAX, USER_VALUES_MAX};
use crate::model::{Event, Origin, UserValue, path_of_user_value};
use crate::plain::Plain;
use crate::properties::{Properties, Property, PropertyOrigin};
use crate::user_field::{Form, UserField};
use crate::usual;

/// Room for the values of a usual event.
const USER_VALUES: usize = 16;
/// Room for the properties of a usual event.
const PROPERTIES: usize = 8;

/// An object beside `event_name`.
#[derive(Clone, Copy)]
pub(super) enum Section {
    User,
    Custom,
    App,
    OriginalEvent,
    Attribution,
}

impl Section {
    pub(super) const COUNT: usize = 5;

    #[inline]
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name.as_bytes() {
            b"user_data" => Section::User,
            b"custom_data" => Section::Custom,
            b"app_data" => Section::App,
            b"original_event_data" => Section::OriginalEvent,
            b"attribution_data" => Section::Attribution,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Section::User => "user_data",
            Section::Custom => "custom_data",
            Section::App => "app_data",
            Section::OriginalEvent => "original_event_data",
            Section::Attribution => "attribution_data",
        }
    }
}

impl<'a> Parser<'a, '_> {
    /// Reads a section; `key` is the one it was sent under.
    pub(super) fn section(
        &mut self,
        reader: &mut Reader<'a>,
        section: Section,
        key: Cow<'a, str>,
    ) -> Result<(), SyntaxError> {
        let name = section.name();
        if reader.kind()? != Kind::Object {
            if let Some(raw) = self.value(reader)? {
                self.wrapped_section(raw, name, &key);
            }
            return Ok(());
        }
        let is_new = !self.met[section as usize];
        // Values of two objects could not be told apart afterwards.
        if !is_new && self.event.written(name) != key {
            let message = format!("{name} stands here under two names; the first is used");
            self.findings
                .add(Code::KeyDuplicate, Path::root().key(&key), message);
            return reader.value().map(|_| ());
        }
        match section {
            Section::User => self.user_data(reader, &key),
            Section::Custom => self.properties(reader, &key, |event| &mut event.custom_data),
            Section::App => self.properties(reader, &key, |event| &mut event.app_data),
            Section::OriginalEvent => {
                self.properties(reader, &key, |event| &mut event.original_event_data)
            }
            Section::Attribution => {
                self.properties(reader, &key, |event| &mut event.attribution_data)
            }
        }?;
        self.met[section as usize] = true;
        if is_new && key != name {
            self.event.written_as.push((name, key));
        }
        Ok(())
    }

    /// An object that is written as a string, as form senders do, or stands alone in a list.
    fn wrapped_section(&mut self, raw: Raw<'a>, name: &'static str, key: &str) {
        let inner = match raw.kind() {
            Kind::Array => {
                let mut items = raw.items();
                let Some(first) = items.next() else { return };
                let is_one_object = first.kind() == Kind::Object && items.next().is_none();
                is_one_object.then(|| first.text().to_owned())
            }
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
        let Some(mut event) = event else { return };
        self.take_switches_of(&mut event, &path());
        for mut value in event.user_data.0 {
            value.origin = Some(Box::new(Origin {
                key: Some(Cow::Owned(key.to_owned())),
                is_flat: true,
                ..Origin::default()
            }));
            self.push_user_value(value, name);
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
                to.insert_within_limit(Property {
                    origin: Some(Box::new(PropertyOrigin::Flat(Cow::Owned(key.to_owned())))),
                    ..property
                });
            }
        }
    }

    fn user_data(&mut self, reader: &mut Reader<'a>, section: &str) -> Result<(), SyntaxError> {
        self.event.user_data.0.reserve(USER_VALUES);
        reader.members(|reader, key| {
            let Some(raw) = self.value(reader)? else {
                return Ok(());
            };
            if let Some(field) = UserField::from_name(&key) {
                match raw.plain_text() {
                    // Nearly always: one text under the field's own name.
                    Some(text) if !self.seen.contains(field) && !text.starts_with(['[', '{']) => {
                        self.seen.insert(field);
                        self.event.user_data.0.push(UserValue {
                            field,
                            value: Plain::from(text),
                            origin: None,
                        });
                    }
                    _ => self.user_values(field, raw, None, section),
                }
            } else if raw.kind() == Kind::Null {
                // Whatever it is called, there is nothing in it.
            } else if self.takes_misplaced(|| Path::root().key(section), &key, raw)
                || self.person(section, &key, raw)
            {
                // Read there.
            } else if let Some(field) = alias::of_user_key(&key) {
                self.note_alias(Path::root().key(section).key(&key), field.name());
                let origin = Origin {
                    key: Some(key),
                    ..Origin::default()
                };
                self.user_values(field, raw, Some(origin), section);
            } else if key == "fbclid" {
                self.fbclid = user_value(UserField::Fbc, raw, key, false);
            } else {
                let known = UserField::ALL.into_iter().map(UserField::name);
                let meant = self.meant(known, &key);
                self.unknown_key(Path::root().key(section), &key, meant);
            }
            Ok(())
        })
    }

    /// A scalar or a list of scalars.
    pub(super) fn user_values(
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
        // A field in the clear is one text, and may be sealed again.
        let may_be_list = raw.kind() == Kind::Text && field.form() != Form::Clear;
        if may_be_list && self.values_in_text(field, raw, origin.as_ref(), section) {
            return;
        }
        if raw.is_numbered() {
            self.numbered_values(field, raw, &origin.unwrap_or_default(), section);
            return;
        }
        if raw.kind() != Kind::Array {
            self.user_scalar(field, raw, origin, section);
            return;
        }
        let origin = origin.unwrap_or_default();
        for (index, item) in raw.items().enumerate() {
            let origin = Origin {
                index: Some(index),
                ..origin.clone()
            };
            if self.has_no_room(field) {
                self.say_too_many(field, Some(&origin), section);
                return;
            }
            self.user_scalar(field, item, Some(origin), section);
        }
    }

    /// Whether a value of the field came from the same key before.
    fn stands_twice(&self, field: UserField, origin: Option<&Origin<'a>>) -> bool {
        let place = |origin: Option<&Origin<'a>>| {
            origin.map_or((None, false, None), |origin| {
                (origin.key.clone(), origin.is_flat, origin.within.clone())
            })
        };
        let mut values = self.event.user_data.0.iter();
        values.any(|known| known.field == field && place(known.origin.as_deref()) == place(origin))
    }

    pub(super) fn user_scalar(
        &mut self,
        field: UserField,
        raw: Raw<'a>,
        origin: Option<Origin<'a>>,
        section: &str,
    ) {
        let value = match raw.kind() {
            Kind::Null => return,
            Kind::Text => raw.as_text().unwrap_or_default(),
            // Of a telephone number the point or the exponent says that digits may be gone.
            Kind::Number if field == UserField::Ph => raw.text().into(),
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
        self.push_user_value(value, section);
    }

    /// Keeps a value, as long as the field has room for one more.
    pub(super) fn push_user_value(&mut self, value: UserValue<'a>, section: &str) {
        let field = value.field;
        if self.has_no_room(field) {
            self.say_too_many(field, value.origin.as_deref(), section);
            return;
        }
        self.seen.insert(field);
        self.event.user_data.0.push(value);
    }

    /// Whether a field has as many values as it may have.
    fn has_no_room(&self, field: UserField) -> bool {
        let values = self.event.user_data.0.iter();
        self.seen.contains(field)
            && values.filter(|known| known.field == field).count() >= USER_VALUES_MAX
    }

    fn say_too_many(&mut self, field: UserField, origin: Option<&Origin<'a>>, section: &str) {
        if self.findings.has(Code::TooMany) {
            return;
        }
        let message =
            format!("more than {USER_VALUES_MAX} values of {field}; the rest is left out");
        let path = path_of_user_value(field, origin, section);
        self.findings.add(Code::TooMany, path, message);
    }

    fn properties(
        &mut self,
        reader: &mut Reader<'a>,
        section: &str,
        target: impl for<'e> Fn(&'e mut Event<'a>) -> &'e mut Properties<'a>,
    ) -> Result<(), SyntaxError> {
        let mut left_out = 0;
        target(self.event).0.reserve(PROPERTIES);
        reader.members(|reader, key| {
            let usual = if key == "contents" {
                reader.value_if(usual::DEPTH, usual::contents_len)
            } else {
                None
            };
            let is_usual = usual.is_some();
            let raw = match usual {
                Some(raw) => Some(raw),
                None => self.value(reader)?,
            };
            let Some(raw) = raw.filter(|raw| raw.kind() != Kind::Null) else {
                return Ok(());
            };
            if self.takes_misplaced(|| Path::root().key(section), &key, raw) {
                return Ok(());
            }
            if alias::of_custom_object(&key) == Some("custom_properties") {
                for (inner, value) in raw.members() {
                    self.takes_misplaced(|| Path::root().key(section).key(&key), &inner, value);
                }
            }
            let properties = target(self.event);
            if properties.0.len() == PROPERTIES_MAX {
                left_out += 1;
                return Ok(());
            }
            let property = Property {
                key,
                value: raw.into(),
                origin: None,
                is_usual,
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
    pub(super) fn app_property(&mut self, name: Cow<'a, str>, key: Cow<'a, str>, raw: Raw<'a>) {
        if raw.kind() != Kind::Null && self.event.app_data.find(&name).is_none() {
            self.event.app_data.insert(Property {
                key: name,
                value: raw.into(),
                origin: Some(Box::new(PropertyOrigin::Flat(key))),
                is_usual: false,
            });
        }
    }
}

pub(super) fn user_value<'a>(
    field: UserField,
    raw: Raw<'a>,
    key: Cow<'a, str>,
    is_flat: bool,
) -> Option<UserValue<'a>> {
    let origin = Origin {
        key: Some(key),
        is_flat,
        ..Origin::default()
    };
    raw.as_text().map(|value| UserValue {
        field,
        value: value.into(),
        origin: Some(Box::new(origin)),
    })
}
