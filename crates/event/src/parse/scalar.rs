//! The scalars of an event: its name, its time, where it happened.

use std::borrow::Cow;

use super::Parser;
use crate::action_source::{ActionSource, MessagingChannel};
use crate::code::Code;
use crate::finding::{Path, shown};
use crate::json::{Kind, Raw};
use crate::model::DataProcessing;
use crate::time::{self, TimeError};

/// Meta's keys beside `event_name`.
pub(super) const EVENT_KEYS: [&str; 20] = [
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

pub(super) fn is_event_key(key: &str) -> bool {
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

impl<'a> Parser<'a, '_> {
    /// A scalar beside `event_name`; `name` is Meta's name, `key` the one it was sent under.
    pub(super) fn scalar(&mut self, name: &str, key: &str, raw: Raw<'a>) {
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
