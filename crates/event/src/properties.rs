//! Ordered JSON objects: `custom_data`, an entry of `contents`, `app_data` and their like.

use std::borrow::Cow;

use crate::finding::Path;
use crate::json::{self, Raw};
use crate::limits::PROPERTIES_MAX;

/// One JSON value in its exact text, borrowed from the input or made here.
#[derive(Clone, PartialEq, Eq)]
pub struct JsonText<'a> {
    text: Cow<'a, str>,
    /// Whether there is no escape in it.
    is_plain: bool,
}

impl<'a> JsonText<'a> {
    /// Reads text as one JSON value.
    ///
    /// # Errors
    ///
    /// Where and how the text is not JSON.
    pub fn parse(text: &'a str) -> Result<Self, json::SyntaxError> {
        Raw::parse(text).map(Self::from)
    }

    /// A JSON number with exactly these digits; `None` if the text is not a number of JSON.
    ///
    /// For amounts that are kept as decimal text: `129.90` stays `129.90`.
    pub fn number(text: &'a str) -> Option<Self> {
        let raw = Raw::parse(text).ok()?;
        raw.as_number().map(|_| Self::from(raw))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same value, owning its text.
    pub fn into_owned(self) -> JsonText<'static> {
        JsonText {
            text: Cow::Owned(self.text.into_owned()),
            is_plain: self.is_plain,
        }
    }

    /// JSON that was written here.
    fn written(text: impl Into<Cow<'a, str>>) -> Self {
        let text = text.into();
        Self {
            is_plain: memchr::memchr(b'\\', text.as_bytes()).is_none(),
            text,
        }
    }

    pub(crate) fn raw(&self) -> Raw<'_> {
        Raw::known(&self.text, self.is_plain)
    }

    /// The same of a value that stands in the input.
    pub(crate) fn raw_of_input(&self) -> Option<Raw<'a>> {
        match self.text {
            Cow::Borrowed(text) => Some(Raw::known(text, self.is_plain)),
            Cow::Owned(_) => None,
        }
    }
}

impl<'a> From<Raw<'a>> for JsonText<'a> {
    fn from(raw: Raw<'a>) -> Self {
        Self {
            text: Cow::Borrowed(raw.text()),
            is_plain: raw.is_plain(),
        }
    }
}

impl From<&str> for JsonText<'_> {
    fn from(text: &str) -> Self {
        let mut out = String::with_capacity(text.len() + 2);
        json::write_text(&mut out, text);
        Self::written(out)
    }
}

impl From<i64> for JsonText<'_> {
    fn from(number: i64) -> Self {
        Self::written(number.to_string())
    }
}

impl From<i32> for JsonText<'_> {
    fn from(number: i32) -> Self {
        i64::from(number).into()
    }
}

impl From<f64> for JsonText<'_> {
    /// The shortest text that reads back as the same number; `null` for what JSON cannot hold.
    fn from(number: f64) -> Self {
        if number.is_finite() {
            Self::written(number.to_string())
        } else {
            Self::written("null")
        }
    }
}

impl From<bool> for JsonText<'_> {
    fn from(value: bool) -> Self {
        Self::written(if value { "true" } else { "false" })
    }
}

impl From<Properties<'_>> for JsonText<'_> {
    fn from(properties: Properties<'_>) -> Self {
        let mut out = String::new();
        properties.write(&mut out);
        Self::written(out)
    }
}

impl<'a, T: Into<JsonText<'a>>> From<Vec<T>> for JsonText<'_> {
    fn from(items: Vec<T>) -> Self {
        let mut out = String::from("[");
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            out.push_str(item.into().as_str());
        }
        out.push(']');
        Self::written(out)
    }
}

/// One member of [`Properties`].
#[derive(Clone)]
pub(crate) struct Property<'a> {
    pub(crate) key: Cow<'a, str>,
    pub(crate) value: JsonText<'a>,
    /// Where it stood, if not under this key in its own object.
    pub(crate) origin: Option<Box<PropertyOrigin<'a>>>,
    /// Whether it was found to be just what is sent, while it was read.
    pub(crate) is_usual: bool,
}

impl Property<'_> {
    pub(crate) fn path(&self, section: &str) -> Path {
        match self.origin.as_deref() {
            None => Path::root().key(section).key(&self.key),
            Some(PropertyOrigin::Elsewhere(path)) => path.clone(),
            Some(PropertyOrigin::Flat(key)) => Path::root().key(key),
            Some(PropertyOrigin::OtherName(key)) => Path::root().key(section).key(key),
            Some(PropertyOrigin::Within(object)) => {
                Path::root().key(section).key(object).key(&self.key)
            }
        }
    }

    /// Whether it stood outside the object that it is sent in: beside `event_name`, or in another document.
    pub(crate) fn is_flat(&self) -> bool {
        matches!(
            self.origin.as_deref(),
            Some(PropertyOrigin::Flat(_) | PropertyOrigin::Elsewhere(_))
        )
    }
}

/// Where a property stood.
#[derive(Clone)]
pub(crate) enum PropertyOrigin<'a> {
    /// Beside `event_name`, under this key.
    Flat(Cow<'a, str>),
    /// In its object, under this key.
    OtherName(Cow<'a, str>),
    /// In the object of this name within its own.
    Within(Cow<'a, str>),
    /// In a document of another form, at this place.
    Elsewhere(Path),
}

impl PropertyOrigin<'_> {
    fn into_owned(self) -> PropertyOrigin<'static> {
        let own = |key: Cow<'_, str>| Cow::Owned(key.into_owned());
        match self {
            PropertyOrigin::Flat(key) => PropertyOrigin::Flat(own(key)),
            PropertyOrigin::OtherName(key) => PropertyOrigin::OtherName(own(key)),
            PropertyOrigin::Within(key) => PropertyOrigin::Within(own(key)),
            PropertyOrigin::Elsewhere(path) => PropertyOrigin::Elsewhere(path),
        }
    }
}

/// An ordered JSON object with Meta's keys, such as `custom_data` or an entry of `contents`.
///
/// ```
/// use sluice_event::Properties;
///
/// let content = Properties::new().set("id", "SKU123").set("quantity", 2).set("item_price", 64.99);
/// let custom_data = Properties::new()
///     .set("currency", "USD")
///     .set("value", 129.99)
///     .set("contents", vec![content]);
/// assert_eq!(custom_data.get("value").unwrap().as_str(), "129.99");
/// ```
#[derive(Clone, Default)]
pub struct Properties<'a>(pub(crate) Vec<Property<'a>>);

impl<'a> Properties<'a> {
    /// No properties.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key`; a value that was there before is replaced.
    #[must_use]
    pub fn set(mut self, key: impl Into<Cow<'a, str>>, value: impl Into<JsonText<'a>>) -> Self {
        self.insert(Property {
            key: key.into(),
            value: value.into(),
            origin: None,
            is_usual: false,
        });
        self
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&JsonText<'a>> {
        self.find(key).map(|property| &property.value)
    }

    /// The keys and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &JsonText<'a>)> {
        self.0
            .iter()
            .map(|property| (&*property.key, &property.value))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn find(&self, key: &str) -> Option<&Property<'a>> {
        self.0.iter().find(|property| property.key == key)
    }

    /// Sets a property and returns the one that it replaces.
    pub(crate) fn insert(&mut self, property: Property<'a>) -> Option<Property<'a>> {
        if let Some(known) = self.0.iter_mut().find(|known| known.key == property.key) {
            Some(std::mem::replace(known, property))
        } else {
            self.0.push(property);
            None
        }
    }

    /// Sets a property if there is room for one more.
    pub(crate) fn insert_within_limit(&mut self, property: Property<'a>) {
        if self.0.len() < PROPERTIES_MAX {
            self.insert(property);
        }
    }

    fn write(&self, out: &mut String) {
        out.push('{');
        for (at, property) in self.0.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            json::write_text(out, &property.key);
            out.push(':');
            out.push_str(property.value.as_str());
        }
        out.push('}');
    }

    pub(crate) fn into_owned(self) -> Properties<'static> {
        let own = |property: Property<'a>| Property {
            key: Cow::Owned(property.key.into_owned()),
            value: property.value.into_owned(),
            origin: (property.origin).map(|origin| Box::new(origin.into_owned())),
            is_usual: property.is_usual,
        };
        Properties(self.0.into_iter().map(own).collect())
    }
}
