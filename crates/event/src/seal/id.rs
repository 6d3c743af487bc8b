//! The id of an event, by which copies are told.

use std::borrow::Cow;

use super::{Remains, Sealing};
use crate::bytes::{self, UnusualInWord};
use crate::code::Code;
use crate::contact;
use crate::digest::Hashed;
use crate::finding::Path;
use crate::limits::EVENT_ID_BYTES_MAX;
use crate::model::Event;
use crate::nothing;

impl<'e> Sealing<'e, '_> {
    /// The event's own id, else its order id, else a new UUID of version 7.
    pub(super) fn event_id(&mut self) -> Cow<'e, str> {
        let event = self.event;
        let own = event.event_id.as_deref().map_or("", str::trim);
        let missing = if own.is_empty() {
            "the event has no event_id"
        } else if is_damaged(own) {
            "event_id is damaged"
        } else if nothing::is_no_id(own) {
            "event_id names nothing"
        } else {
            return self.safe_id(own, "event_id", || event.path("event_id"));
        };
        if let Some((id, taken)) = self.order() {
            let message = format!("{missing}; its {taken} taken");
            self.findings
                .add(Code::EventIdMissing, Path::root(), message);
            let path = || match event.custom_data.find("order_id") {
                Some(property) => property.path(event.written("custom_data")),
                None => Path::root(),
            };
            return Cow::Owned(self.safe_id(&id, "order_id", path).into_owned());
        }
        let message = format!("{missing}; one was made that no pixel can match");
        self.findings
            .add(Code::EventIdMissing, Path::root(), message);
        uuid::Builder::from_unix_timestamp_millis(self.moment.unix_ms, &self.moment.entropy)
            .into_uuid()
            .to_string()
            .into()
    }

    /// The id that an order gives, and where it stands. Part of a damaged number is none, nor is an order whose
    /// item is unknown: either would be that of other events, too.
    fn order(&self) -> Option<(Cow<'e, str>, &'static str)> {
        let order = self.event.custom_text("order_id")?;
        if nothing::is_no_id(&order) || is_damaged(&order) {
            return None;
        }
        // The items of an order in a store are events of their own (Meta, Offline Events).
        match self.event.custom_text("item_number") {
            Some(item) if is_damaged(&item) => None,
            Some(item) if item.contains(char::is_alphanumeric) && !nothing::is_missing(&item) => {
                Some((
                    Cow::Owned(format!("{order}:{item}")),
                    "order_id and item_number were",
                ))
            }
            _ => Some((order, "order_id was")),
        }
    }

    /// An id goes to Meta and to the disk in the clear, so contact data in it is hashed.
    fn safe_id<'i>(&mut self, id: &'i str, field: &str, path: impl Fn() -> Path) -> Cow<'i, str> {
        let clear = in_the_clear(id);
        if matches!(clear, Cow::Borrowed(_)) {
            return clear;
        }
        let message = format!(
            "{field} holds contact data or control characters, or is too long; its hash is sent instead"
        );
        self.findings.add(Code::EventIdHashed, path(), message);
        clear
    }
}

impl Event<'_> {
    /// A property as text without white space around it, if it is a text or a number.
    fn custom_text(&self, key: &str) -> Option<Cow<'_, str>> {
        let raw = self.custom_data.get(key)?.raw();
        Some(match raw.as_text().or(raw.as_digits())? {
            Cow::Borrowed(text) => text.trim().into(),
            Cow::Owned(text) => text.trim().to_owned().into(),
        })
    }

    /// What may be kept of an event that cannot be sent.
    pub(super) fn remains(&self) -> Remains {
        let written = self.event_name.as_deref().unwrap_or_default();
        let cleaned = super::without_invisible(written);
        let name = Some(cleaned.trim()).filter(|name| !name.is_empty() && !super::is_no_name(name));
        let event_id = self.event_id.as_deref().map(str::trim);
        let order_id = self.custom_text("order_id");
        let is_id = |id: &str| !(nothing::is_no_id(id) || is_damaged(id));
        let kept = |id: &str| is_id(id).then(|| in_the_clear(id).into_owned());
        Remains {
            event_name: name.map(str::to_owned),
            event_id: event_id.and_then(kept),
            order_id: order_id.as_deref().and_then(kept),
        }
    }
}

/// An id as it may be written in the clear: its hash, if it holds contact data or control characters, or is too
/// long.
pub(super) fn in_the_clear(id: &str) -> Cow<'_, str> {
    let is_safe = id.len() <= EVENT_ID_BYTES_MAX
        && (bytes::is_free::<UnusualInWord>(id.as_bytes())
            || !(contact::holds_contact(id) || id.contains(char::is_control)));
    if is_safe {
        Cow::Borrowed(id)
    } else {
        Cow::Owned(Hashed::of(id).as_str().to_owned())
    }
}

/// Whether a part of an id was lost. What is left may be what is left of another one.
fn is_damaged(id: &str) -> bool {
    id.contains(char::REPLACEMENT_CHARACTER)
}
