//! Values that stand one level deeper than Meta has them, or in a list of another form: an `address` with the
//! name in it, a map with numbered keys as PHP writes a filtered list, a list as JSON text.

use std::borrow::Cow;

use super::Parser;
use crate::alias;
use crate::code::Code;
use crate::finding::Path;
use crate::json::{self, Kind, Raw};
use crate::limits::PROPERTIES_MAX;
use crate::model::{Origin, UserValue};
use crate::plain::Plain;
use crate::properties::{JsonText, Property, PropertyOrigin};
use crate::user_field::UserField;

impl<'a> Parser<'a, '_> {
    /// Reads an object of `user_data` that holds fields of the person, or a list of such; tells whether it is one.
    pub(super) fn person(&mut self, section: &str, key: &str, raw: Raw<'a>) -> bool {
        if !alias::is_person(key) {
            return false;
        }
        match raw.kind() {
            Kind::Object => self.person_members(section, (key, None), raw),
            Kind::Array => {
                let objects = raw.items().enumerate();
                for (place, item) in objects.filter(|(_, item)| item.kind() == Kind::Object) {
                    self.person_members(section, (key, Some(place)), item);
                }
            }
            _ => return false,
        }
        true
    }

    fn person_members(
        &mut self,
        section: &str,
        (object, place): (&str, Option<usize>),
        raw: Raw<'a>,
    ) {
        let parent = || {
            let path = Path::root().key(section).key(object);
            place.map_or(path.clone(), |place| path.index(place))
        };
        for (key, value) in raw.members() {
            if value.kind() == Kind::Null || self.takes_misplaced(parent, &key, value) {
                continue;
            }
            let Some(field) = UserField::from_name(&key).or_else(|| alias::of_user_key(&key))
            else {
                self.unknown_key(parent(), &key, None);
                continue;
            };
            self.note_alias(parent().key(&key), field.name());
            let origin = Origin {
                key: Some(key),
                within: Some((Cow::Owned(object.to_owned()), place)),
                ..Origin::default()
            };
            self.user_values(field, value, Some(origin), section);
        }
    }

    /// The values of a map with numbered keys.
    pub(super) fn numbered_values(
        &mut self,
        field: UserField,
        raw: Raw<'a>,
        origin: &Origin<'a>,
        section: &str,
    ) {
        let object = origin.key.clone().unwrap_or(Cow::Borrowed(field.name()));
        for (key, item) in raw.members() {
            let origin = Origin {
                key: Some(key),
                // One level deeper than this there is no path to it: the path of the map stands for all.
                within: Some((object.clone(), None)),
                ..origin.clone()
            };
            self.user_scalar(field, item, Some(origin), section);
        }
    }

    /// The values of a list that is written as JSON text; tells whether it is one.
    pub(super) fn values_in_text(
        &mut self,
        field: UserField,
        raw: Raw<'a>,
        origin: Option<&Origin<'a>>,
        section: &str,
    ) -> bool {
        let Some(text) = raw.as_text() else {
            return false;
        };
        let inner = json::inner(&text).filter(|inner| {
            inner.kind() == Kind::Array && inner.items().next().is_some() || inner.is_numbered()
        });
        let Some(inner) = inner else { return false };
        let members = inner.members().map(|(_, item)| item);
        for item in inner.items().chain(members) {
            let Some(text) = item.as_text().or(item.as_digits()) else {
                continue;
            };
            self.push_user_value(
                UserValue {
                    field,
                    value: Plain::from(text.into_owned()),
                    origin: origin.cloned().map(Box::new),
                },
                section,
            );
        }
        true
    }

    /// Reads the properties of `custom_data` that stand under other names or one level deeper, where Meta's own
    /// names are not there.
    pub(super) fn read_usual_names(&mut self) {
        let custom_data = &self.event.custom_data.0;
        let asks = |property: &Property<'_>| {
            property.origin.is_none() && alias::of_custom_object(&property.key).is_some()
        };
        if !custom_data.iter().any(asks) {
            return;
        }
        let section = self.event.written("custom_data").to_owned();
        let properties = std::mem::take(&mut self.event.custom_data.0);
        let (asking, others) = properties.into_iter().partition::<Vec<_>, _>(asks);
        self.event.custom_data.0 = others;
        for property in asking {
            let is_there = self.event.custom_data.find("contents").is_some();
            let path = property.path(&section);
            match alias::of_custom_object(&property.key) {
                Some("contents") if !is_there && is_list_of_objects(&property.value) => {
                    self.note_alias(path, "contents");
                    self.event.custom_data.insert_within_limit(Property {
                        key: "contents".into(),
                        origin: Some(Box::new(PropertyOrigin::OtherName(property.key))),
                        ..property
                    });
                }
                Some("custom_properties") if property.value.raw().kind() == Kind::Object => {
                    self.spread(&property, path);
                }
                _ => self.event.custom_data.insert_within_limit(property),
            }
        }
    }

    /// Puts the members of `custom_properties` where Meta has properties of one's own: beside the others.
    fn spread(&mut self, object: &Property<'a>, path: Path) {
        let message =
            "an object of properties of one's own; sent beside the others, as Meta's libraries do";
        self.findings.add(Code::KeyAlias, path, message);
        let members: Vec<_> = (object.value.raw().members())
            .take(PROPERTIES_MAX)
            .filter(|(key, value)| {
                value.kind() != Kind::Null
                    && self.event.custom_data.find(key).is_none()
                    // Used already, for the event.
                    && alias::of_switch(key).is_none()
                    && !alias::is_test_event_code(key)
            })
            .map(|(key, value)| (key.into_owned(), JsonText::from(value).into_owned()))
            .collect();
        for (key, value) in members {
            self.event.custom_data.insert_within_limit(Property {
                key: key.into(),
                value,
                origin: Some(Box::new(PropertyOrigin::Within(object.key.clone()))),
                is_usual: false,
            });
        }
    }
}

/// Whether a property is a list of things that were bought, by its form.
fn is_list_of_objects(value: &JsonText<'_>) -> bool {
    let raw = value.raw();
    let first = raw
        .items()
        .next()
        .or_else(|| raw.members().next().map(|(_, first)| first));
    first.is_some_and(|first| first.kind() == Kind::Object)
}
