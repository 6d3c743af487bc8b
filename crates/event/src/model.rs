//! The canonical event, in Meta's names.

use std::borrow::Cow;

use crate::action_source::{ActionSource, MessagingChannel};
use crate::finding::Path;
use crate::plain::Plain;
use crate::properties::{JsonText, Properties, Property, PropertyOrigin};
use crate::user_field::UserField;

/// One conversion, in the shape of Meta's server event.
///
/// Personal data is still in the clear here, so an event can be neither printed nor serialised:
/// the only way on is [`Event::seal`]. Fields are borrowed from the input where they can be.
///
/// Source: Conversions API, "Server Event Parameters".
#[derive(Default)]
pub struct Event<'a> {
    /// `event_name`: a standard event or a custom name; case-sensitive.
    pub event_name: Option<Cow<'a, str>>,
    /// `event_time`: when it happened, in Unix seconds.
    pub event_time: Option<i64>,
    /// `event_id`: with the name, the key by which Meta and we recognise copies.
    pub event_id: Option<Cow<'a, str>>,
    /// `action_source`: where it happened.
    pub action_source: Option<ActionSource>,
    /// `event_source_url`: the page.
    pub event_source_url: Option<Cow<'a, str>>,
    /// `referrer_url`: the page before it.
    pub referrer_url: Option<Cow<'a, str>>,
    /// `opt_out`: for attribution only, not for delivery.
    pub opt_out: Option<bool>,
    /// `user_data`: who.
    pub user_data: UserData<'a>,
    /// `custom_data`: what.
    pub custom_data: Properties<'a>,
    /// `app_data`: for app events.
    pub app_data: Properties<'a>,
    /// `original_event_data`: the earlier event that this one belongs to.
    pub original_event_data: Properties<'a>,
    /// `attribution_data`: for `AppendAttribution`.
    pub attribution_data: Properties<'a>,
    /// `data_processing_options` and its two companions.
    pub data_processing: Option<DataProcessing<'a>>,
    /// `messaging_channel`: for business messaging.
    pub messaging_channel: Option<MessagingChannel>,
    /// `customer_segmentation`, at the place where Meta's table has it.
    pub customer_segmentation: Option<Cow<'a, str>>,
    /// `advanced_measurement_table`: known to Meta's SDKs only.
    pub advanced_measurement_table: Option<Cow<'a, str>>,
    /// `test_event_code`, which belongs beside the events of a request. An event in which it stands is a test event
    /// all the same: as a real one it would count.
    pub test_event_code: Option<Cow<'a, str>>,
    /// Where members stood that are of the event and were sent elsewhere.
    pub(crate) stood_at: Vec<(&'static str, Path)>,
    /// Whether it is no event, but only a test code or switches that are meant for all events among which it stands.
    pub(crate) is_for_all: bool,
    /// Under which keys Meta's scalars were really sent, where that is another one.
    pub(crate) written_as: Vec<(&'static str, Cow<'a, str>)>,
}

/// Data processing options, such as limited data use.
///
/// Source: Marketing API, "Data Processing Options".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataProcessing<'a> {
    /// `["LDU"]`, or empty to say explicitly that there are none; `None`: nothing was said.
    pub options: Option<Vec<Cow<'a, str>>>,
    /// 1 for the US, 0 to let Meta locate the person.
    pub country: Option<i64>,
    /// The state's code, 1000 to 1013, or 0.
    pub state: Option<i64>,
}

impl<'a> Event<'a> {
    /// An event of this name at this time, in Unix seconds.
    pub fn new(event_name: impl Into<Cow<'a, str>>, event_time: i64) -> Self {
        Self {
            event_name: Some(event_name.into()),
            event_time: Some(event_time),
            ..Self::default()
        }
    }

    /// Sets the event id.
    #[must_use]
    pub fn id(mut self, event_id: impl Into<Cow<'a, str>>) -> Self {
        self.event_id = Some(event_id.into());
        self
    }

    /// Sets the action source.
    #[must_use]
    pub fn source(mut self, action_source: ActionSource) -> Self {
        self.action_source = Some(action_source);
        self
    }

    /// Adds a value to `user_data`, raw or hashed before.
    #[must_use]
    pub fn user(mut self, field: UserField, value: impl Into<Plain<'a>>) -> Self {
        self.user_data.push(field, value);
        self
    }

    /// Adds a value of `user_data` that stood at another place: findings about it name that, as in
    /// `$.customer.email`.
    #[must_use]
    pub fn user_from(mut self, field: UserField, value: impl Into<Plain<'a>>, path: Path) -> Self {
        self.user_data.0.push(UserValue {
            field,
            value: value.into(),
            origin: Some(Box::new(Origin {
                path: Some(path),
                ..Origin::default()
            })),
        });
        self
    }

    /// Sets a property of `custom_data` that stood at another place: findings about it name that.
    #[must_use]
    pub fn custom_from(
        mut self,
        key: impl Into<Cow<'a, str>>,
        value: impl Into<JsonText<'a>>,
        path: Path,
    ) -> Self {
        self.custom_data.insert(Property {
            key: key.into(),
            value: value.into(),
            origin: Some(Box::new(PropertyOrigin::Elsewhere(path))),
            is_usual: false,
        });
        self
    }

    /// Says where Meta's `name`, such as `event_time`, stood: findings about it name that place.
    #[must_use]
    pub fn stood_at(mut self, name: &'static str, path: Path) -> Self {
        self.stood_at.push((name, path));
        self
    }

    /// Sets a property of `custom_data`.
    #[must_use]
    pub fn custom(mut self, key: impl Into<Cow<'a, str>>, value: impl Into<JsonText<'a>>) -> Self {
        self.custom_data = std::mem::take(&mut self.custom_data).set(key, value);
        self
    }

    /// The action source that the fields of the event show: what it is sealed with when it names none.
    ///
    /// `None` if they show none either, which is where [`Rules::default_action_source`](crate::Rules::default_action_source) comes in.
    pub fn shown_action_source(&self) -> Option<ActionSource> {
        let has = |field| self.user_data.iter().any(|(known, _)| known == field);
        if !self.app_data.is_empty() {
            Some(ActionSource::App)
        } else if self.messaging_channel.is_some() {
            Some(ActionSource::BusinessMessaging)
        } else if self.is_crm() {
            Some(ActionSource::SystemGenerated)
        } else if self.event_source_url.is_some()
            || has(UserField::ClientUserAgent)
            || has(UserField::Fbp)
        {
            Some(ActionSource::Website)
        } else {
            None
        }
    }

    /// The same event, owning all of its text.
    pub fn into_owned(self) -> Event<'static> {
        let own = |text: Option<Cow<'a, str>>| text.map(|text| Cow::Owned(text.into_owned()));
        Event {
            event_name: own(self.event_name),
            event_time: self.event_time,
            event_id: own(self.event_id),
            action_source: self.action_source,
            event_source_url: own(self.event_source_url),
            referrer_url: own(self.referrer_url),
            opt_out: self.opt_out,
            user_data: self.user_data.into_owned(),
            custom_data: self.custom_data.into_owned(),
            app_data: self.app_data.into_owned(),
            original_event_data: self.original_event_data.into_owned(),
            attribution_data: self.attribution_data.into_owned(),
            data_processing: self.data_processing.map(DataProcessing::into_owned),
            messaging_channel: self.messaging_channel,
            customer_segmentation: own(self.customer_segmentation),
            advanced_measurement_table: own(self.advanced_measurement_table),
            test_event_code: own(self.test_event_code),
            stood_at: self.stood_at,
            is_for_all: self.is_for_all,
            written_as: (self.written_as.into_iter())
                .map(|(name, key)| (name, Cow::Owned(key.into_owned())))
                .collect(),
        }
    }

    /// The key under which Meta's `name` stood in the input.
    pub(crate) fn written<'e>(&'e self, name: &'e str) -> &'e str {
        let alias = self.written_as.iter().find(|(known, _)| *known == name);
        alias.map_or(name, |(_, key)| key)
    }

    /// Where Meta's `name` stood in the input.
    pub(crate) fn path(&self, name: &str) -> Path {
        if let Some((_, path)) = self.stood_at.iter().find(|(known, _)| *known == name) {
            return path.clone();
        }
        Path::root().key(self.written(name))
    }
}

impl Event<'_> {
    /// Whether it comes from a CRM, by its own word.
    pub(crate) fn is_crm(&self) -> bool {
        let source = self.custom_data.get("event_source");
        source.is_some_and(|source| source.as_str().eq_ignore_ascii_case("\"crm\""))
    }

    /// Whether it has a test code or a switch.
    pub(crate) fn has_switches(&self) -> bool {
        self.test_event_code.is_some() || self.opt_out.is_some() || self.data_processing.is_some()
    }
}

impl DataProcessing<'_> {
    /// Whether an option limits what is done with the event.
    pub(crate) fn limits(&self) -> bool {
        let mut options = self.options.iter().flatten();
        options.any(|option| !option.trim().is_empty())
    }

    fn into_owned(self) -> DataProcessing<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        DataProcessing {
            options: self
                .options
                .map(|options| options.into_iter().map(own).collect()),
            country: self.country,
            state: self.state,
        }
    }
}

/// `user_data`: the values that identify the person, in the order in which they came.
#[derive(Default)]
pub struct UserData<'a>(pub(crate) Vec<UserValue<'a>>);

/// One value of one field.
pub(crate) struct UserValue<'a> {
    pub(crate) field: UserField,
    pub(crate) value: Plain<'a>,
    /// `None` for a single value under the field's own name inside `user_data`.
    pub(crate) origin: Option<Box<Origin<'a>>>,
}

/// Where in the input a value stood, for findings.
#[derive(Clone, Default)]
pub(crate) struct Origin<'a> {
    /// The key as written, where it is not the field's own name.
    pub(crate) key: Option<Cow<'a, str>>,
    /// Whether it stood beside `event_name` instead of inside `user_data`.
    pub(crate) is_flat: bool,
    /// The object within `user_data` that it stood in, and its place if that is in a list.
    pub(crate) within: Option<(Cow<'a, str>, Option<usize>)>,
    /// The place in a list.
    pub(crate) index: Option<usize>,
    /// The place itself, of a value that was read from a document of another form.
    pub(crate) path: Option<Path>,
}

impl UserValue<'_> {
    /// The key under which it stood.
    fn written_key(&self) -> &str {
        let origin = self
            .origin
            .as_ref()
            .and_then(|origin| origin.key.as_deref());
        origin.unwrap_or(self.field.name())
    }

    /// Where it stood, in an event whose `user_data` was written as `section`.
    pub(crate) fn path(&self, section: &str) -> Path {
        path_of_user_value(self.field, self.origin.as_deref(), section)
    }
}

/// Where a value of a field stood, in an event whose `user_data` was written as `section`.
pub(crate) fn path_of_user_value(
    field: UserField,
    origin: Option<&Origin<'_>>,
    section: &str,
) -> Path {
    let Some(origin) = origin else {
        return Path::root().key(section).key(field.name());
    };
    if let Some(path) = &origin.path {
        return path.clone();
    }
    let key = origin.key.as_deref().unwrap_or(field.name());
    let path = match &origin.within {
        _ if origin.is_flat => Path::root().key(key),
        None => Path::root().key(section).key(key),
        Some((object, place)) => {
            let object = Path::root().key(section).key(object);
            place
                .map_or(object.clone(), |place| object.index(place))
                .key(key)
        }
    };
    match origin.index {
        Some(index) => path.index(index),
        None => path,
    }
}

impl<'a> UserData<'a> {
    /// Adds a value, raw or hashed before.
    pub fn push(&mut self, field: UserField, value: impl Into<Plain<'a>>) {
        self.0.push(UserValue {
            field,
            value: value.into(),
            origin: None,
        });
    }

    /// Meta's guide and its endpoint call the Instagram account's id by different names, so whichever
    /// is there is sent under both.
    pub(crate) fn add_both_instagram_ids(&mut self) {
        let [one, other] = [
            UserField::IgAccountId,
            UserField::InstagramBusinessAccountId,
        ];
        let has = |field| self.0.iter().any(|value| value.field == field);
        let (from, to) = match (has(one), has(other)) {
            (true, false) => (one, other),
            (false, true) => (other, one),
            _ => return,
        };
        let copy = |value: &UserValue<'a>| UserValue {
            field: to,
            value: value.value.expose().to_owned().into(),
            origin: Some(Box::new(Origin {
                key: Some(value.written_key().to_owned().into()),
                is_flat: value.origin.as_ref().is_some_and(|origin| origin.is_flat),
                within: value
                    .origin
                    .as_ref()
                    .and_then(|origin| origin.within.clone()),
                index: value.origin.as_ref().and_then(|origin| origin.index),
                path: (value.origin.as_ref()).and_then(|origin| origin.path.clone()),
            })),
        };
        let values = self.0.iter().filter(|value| value.field == from);
        let copies: Vec<_> = values.map(copy).collect();
        self.0.extend(copies);
    }

    /// The fields and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (UserField, &Plain<'a>)> {
        self.0.iter().map(|value| (value.field, &value.value))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn into_owned(self) -> UserData<'static> {
        let own = |value: UserValue<'a>| UserValue {
            field: value.field,
            value: value.value.into_owned(),
            origin: value.origin.map(|origin| {
                Box::new(Origin {
                    key: origin.key.map(|key| Cow::Owned(key.into_owned())),
                    is_flat: origin.is_flat,
                    within: (origin.within)
                        .map(|(object, place)| (Cow::Owned(object.into_owned()), place)),
                    index: origin.index,
                    path: origin.path,
                })
            }),
        };
        UserData(self.0.into_iter().map(own).collect())
    }
}
