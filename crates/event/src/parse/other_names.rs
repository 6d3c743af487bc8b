//! Keys that are not Meta's, at the place where Meta's would be.

use std::borrow::Cow;

use super::Parser;
use super::scalar::{EVENT_KEYS, Scalar};
use super::section::{Section, user_value};
use crate::action_source::ActionSource;
use crate::alias::{self, Target};
use crate::code::Code;
use crate::finding::Path;
use crate::json::{Kind, Raw, Reader, SyntaxError};
use crate::limits::PROPERTIES_MAX;
use crate::model::Origin;
use crate::names;
use crate::properties::{Property, PropertyOrigin};
use crate::user_field::UserField;

impl<'a> Parser<'a, '_> {
    /// A key that is not one of Meta's at this place.
    pub(super) fn alias(
        &mut self,
        reader: &mut Reader<'a>,
        key: Cow<'a, str>,
    ) -> Result<(), SyntaxError> {
        if alias::is_test_event_code(&key) {
            if let Some(raw) = self.value(reader)? {
                self.test_event_code(raw, Path::root().key(&key));
            }
            return Ok(());
        }
        let target = alias::of_event_key(&key);
        if let Some(Target::Event(name)) = target
            && let Some(section) = Section::from_name(name)
        {
            if reader.kind()? == Kind::Object {
                self.note_alias(Path::root().key(&key), name);
            }
            return self.section(reader, section, key);
        }
        let raw = self.value(reader)?;
        let Some(raw) = raw.filter(|raw| raw.kind() != Kind::Null) else {
            return Ok(());
        };
        if holds_events(raw) {
            let message = "holds events, which are not looked for here; left out";
            self.findings
                .add(Code::EventsMisplaced, Path::root().key(&key), message);
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
                    ..Origin::default()
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
    pub(super) fn use_alias(&mut self, target: Target, key: Cow<'a, str>, raw: Raw<'a>) {
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
        if let Target::Event(target) = target {
            let text = raw.as_text().unwrap_or_default();
            let is_source = ActionSource::from_name(&text).is_some()
                || ActionSource::from_alias(&text).is_some();
            // A `channel` is more often that of an advertisement.
            if target == "action_source" && !is_source {
                self.unknown_key(Path::root(), &key, None);
                return;
            }
            self.note_alias(path(), name);
            if let Some(scalar) = Scalar::from_name(target) {
                self.scalar(scalar, raw, path);
            }
            self.event.written_as.push((name, key));
            return;
        }
        self.note_alias(path(), name);
        self.event.custom_data.insert_within_limit(Property {
            key: name.into(),
            value: raw.into(),
            origin: Some(Box::new(PropertyOrigin::Flat(key))),
            is_usual: false,
        });
    }

    /// Whether a scalar of this name was met, readable or not.
    fn has_scalar(&self, name: &str) -> bool {
        let event = &self.event;
        match name {
            "event_name" => event.event_name.is_some(),
            "event_time" => event.event_time.is_some() || self.findings.has_unreadable_time(),
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
        let meant = self.meant(known, &key);
        // A switch that is spelt wrong was meant all the same: without it the event would go unrestricted.
        if let Some(scalar) = meant.and_then(Scalar::switch_from_name) {
            self.misplaced.push((scalar, Path::root().key(&key), raw));
            return;
        }
        self.unknown_key(Path::root(), &key, meant);
    }
}

/// Whether a value is an event or a list of events, by the first of them.
fn holds_events(raw: Raw<'_>) -> bool {
    let is_event = |raw: Raw<'_>| {
        raw.members()
            .any(|(key, _)| matches!(&*key, "event_name" | "eventName"))
    };
    match raw.kind() {
        Kind::Array => raw.items().next().is_some_and(is_event),
        Kind::Object if raw.is_numbered() => raw
            .members()
            .next()
            .is_some_and(|(_, first)| is_event(first)),
        Kind::Object => is_event(raw),
        _ => false,
    }
}
