//! The scalars of an event: its name, its time, where it happened.

use std::borrow::Cow;

use super::Parser;
use crate::action_source::{ActionSource, MessagingChannel};
use crate::code::Code;
use crate::finding::{Path, shown};
use crate::json::{Kind, Raw};
use crate::model::DataProcessing;
use crate::switch::{self, Switch};
use crate::time::{self, Change, TimeError};

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

/// A scalar beside `event_name`, or what is read in its place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    EventName,
    EventTime,
    EventId,
    ActionSource,
    EventSourceUrl,
    ReferrerUrl,
    OptOut,
    MessagingChannel,
    CustomerSegmentation,
    AdvancedMeasurementTable,
    Options,
    OptionsCountry,
    OptionsState,
    /// `ldu`, which is no key of Meta's: a flag that stands for the options.
    LimitedDataUse,
}

impl Scalar {
    /// The scalar of Meta's name, or `ldu`.
    #[inline]
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name.as_bytes() {
            b"event_name" => Scalar::EventName,
            b"event_time" => Scalar::EventTime,
            b"event_id" => Scalar::EventId,
            b"action_source" => Scalar::ActionSource,
            b"event_source_url" => Scalar::EventSourceUrl,
            b"referrer_url" => Scalar::ReferrerUrl,
            b"opt_out" => Scalar::OptOut,
            b"messaging_channel" => Scalar::MessagingChannel,
            b"customer_segmentation" => Scalar::CustomerSegmentation,
            b"advanced_measurement_table" => Scalar::AdvancedMeasurementTable,
            b"data_processing_options" => Scalar::Options,
            b"data_processing_options_country" => Scalar::OptionsCountry,
            b"data_processing_options_state" => Scalar::OptionsState,
            b"ldu" => Scalar::LimitedDataUse,
            _ => return None,
        })
    }
}

impl Scalar {
    /// Meta's name of a switch that restricts what is done with an event.
    pub(super) fn switch_name(self) -> &'static str {
        match self {
            Scalar::OptOut => "opt_out",
            Scalar::OptionsCountry => "data_processing_options_country",
            Scalar::OptionsState => "data_processing_options_state",
            _ => "data_processing_options",
        }
    }

    /// The switch of Meta's name.
    pub(super) fn switch_from_name(name: &str) -> Option<Self> {
        Self::from_name(name).filter(|scalar| {
            matches!(
                scalar,
                Scalar::OptOut
                    | Scalar::Options
                    | Scalar::OptionsCountry
                    | Scalar::OptionsState
                    | Scalar::LimitedDataUse
            )
        })
    }
}

impl<'a> Parser<'a, '_> {
    /// A scalar beside `event_name`; `path` is where it stood.
    pub(super) fn scalar(&mut self, scalar: Scalar, raw: Raw<'a>, path: impl Fn() -> Path + Copy) {
        if raw.kind() == Kind::Null {
            return;
        }
        match scalar {
            Scalar::EventName => {
                let name = self.text(raw, path);
                self.set(name, path, |event| &mut event.event_name);
            }
            Scalar::EventTime => self.event_time(raw, path),
            Scalar::EventId => {
                let id = self.text(raw, path);
                self.set(id, path, |event| &mut event.event_id);
            }
            Scalar::ActionSource => {
                let source = self.action_source(raw, path);
                self.set(source, path, |event| &mut event.action_source);
            }
            Scalar::EventSourceUrl => {
                let url = self.text(raw, path);
                self.set(url, path, |event| &mut event.event_source_url);
            }
            Scalar::ReferrerUrl => {
                let url = self.text(raw, path);
                self.set(url, path, |event| &mut event.referrer_url);
            }
            _ => self.seldom(scalar, raw, path),
        }
    }

    /// The scalars that few events have.
    fn seldom(&mut self, scalar: Scalar, raw: Raw<'a>, path: impl Fn() -> Path + Copy) {
        match scalar {
            Scalar::OptOut => {
                let flag = self.switch(raw, path);
                self.set(flag, path, |event| &mut event.opt_out);
            }
            Scalar::MessagingChannel => {
                let text = self.text(raw, path);
                let channel = text.as_deref().and_then(MessagingChannel::from_name);
                if let (Some(text), None) = (&text, channel) {
                    let message =
                        format!("found {}; whatsapp, messenger or instagram", shown(text));
                    self.findings.add(Code::EnumUnknown, path(), message);
                }
                self.set(channel, path, |event| &mut event.messaging_channel);
            }
            Scalar::CustomerSegmentation => {
                let text = self.text(raw, path);
                self.set(text, path, |event| &mut event.customer_segmentation);
            }
            Scalar::AdvancedMeasurementTable => {
                let text = self.text(raw, path);
                self.set(text, path, |event| &mut event.advanced_measurement_table);
            }
            _ => self.data_processing(scalar, raw, path),
        }
    }

    fn data_processing(&mut self, scalar: Scalar, raw: Raw<'a>, path: impl Fn() -> Path + Copy) {
        match scalar {
            Scalar::Options => {
                let options = self.options(raw, path);
                self.data_processing_mut().options = Some(options);
            }
            Scalar::LimitedDataUse => {
                let is_named = raw.as_text().is_some_and(|text| is_ldu(&text));
                let is_limited = if is_named {
                    Some(true)
                } else {
                    self.switch(raw, path)
                };
                if let Some(is_limited) = is_limited {
                    let options = if is_limited {
                        vec!["LDU".into()]
                    } else {
                        Vec::new()
                    };
                    self.data_processing_mut().options = Some(options);
                }
            }
            _ if switch::switch(raw) == Switch::Nothing => {}
            _ => {
                let number = raw.as_text().or_else(|| raw.as_digits());
                match number.and_then(|number| number.trim().parse().ok()) {
                    Some(number) if scalar == Scalar::OptionsCountry => {
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
        /// Meta knows one; what is behind so many is not looked at.
        const OPTIONS_MAX: usize = 10;
        if matches!(raw.text(), "[]" | "{}" | "\"\"" | "false" | "0" | "\"[]\"") {
            return Vec::new();
        }
        let text_of = |option: Raw<'a>| match option.kind() {
            Kind::Null => Some("".into()),
            Kind::Bool | Kind::Number => Some(option.text().into()),
            _ => option.as_text(),
        };
        let texts: Option<Vec<_>> = match raw.kind() {
            Kind::Array => raw.items().take(OPTIONS_MAX).map(text_of).collect(),
            Kind::Text => Some(options_in(raw.as_text().unwrap_or_default())),
            _ if switch::switch(raw) == Switch::Said(false) => Some(vec!["".into()]),
            _ => None,
        };
        if let Some(texts) = &texts
            && texts.iter().all(|text| says_no(text))
        {
            // The rules say what an empty option is worth.
            return texts.iter().map(|_| "".into()).take(1).collect();
        }
        if let Some(texts) = texts
            && (texts.is_empty()
                || !raw.text().to_ascii_uppercase().contains("LDU")
                || texts.iter().any(|text| is_ldu(text)))
        {
            return texts;
        }
        let message = "expected a list such as [\"LDU\"]; read as that";
        self.findings.add(Code::ValueType, path(), message);
        vec!["LDU".into()]
    }

    /// A switch that keeps something of a person's from being used. What is unclear is on: the more careful of
    /// the two.
    fn switch(&mut self, raw: Raw<'a>, path: impl Fn() -> Path) -> Option<bool> {
        match switch::switch(raw) {
            Switch::Said(is_on) => Some(is_on),
            Switch::Nothing => {
                let message = "neither yes nor no, but a word for nothing or no value; left out";
                self.findings.add(Code::ValuePlaceholder, path(), message);
                None
            }
            Switch::Unclear => {
                let message = format!("expected true or false, found {}; read as true", raw.kind());
                self.findings.add(Code::ValueType, path(), message);
                Some(true)
            }
        }
    }

    fn data_processing_mut(&mut self) -> &mut DataProcessing<'a> {
        self.event.data_processing.get_or_insert_default()
    }

    fn event_time(&mut self, raw: Raw<'a>, path: impl Fn() -> Path + Copy) {
        match time::parse(raw) {
            Ok(time) => {
                if let Some(change) = time.change {
                    let message = match change {
                        Change::Unit => "the time is not in seconds and was converted",
                        Change::Fraction => "the fraction of a second was left out",
                        Change::Rounded => {
                            "the time came without its last digits, so it may be minutes off"
                        }
                    };
                    self.findings.add(Code::EventTimeUnit, path(), message);
                }
                self.set(Some(time.unix_s), path, |event| &mut event.event_time);
            }
            Err(TimeError::NoZone) => {
                let message = "the time has no zone, so it could be any of some thirty moments";
                self.findings.add(Code::EventTimeNoZone, path(), message);
            }
            Err(TimeError::ZoneName) => {
                let message = "the name of the zone does not say the offset from UTC";
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

    fn action_source(
        &mut self,
        raw: Raw<'a>,
        path: impl Fn() -> Path + Copy,
    ) -> Option<ActionSource> {
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

fn is_ldu(text: &str) -> bool {
    text.trim().eq_ignore_ascii_case("LDU")
}

/// Whether an option is a word for no or for nothing.
fn says_no(option: &str) -> bool {
    matches!(
        switch::switch_of(option),
        Switch::Said(false) | Switch::Nothing
    )
}

/// The options in a text: one, or a list of them as JSON.
fn options_in(text: Cow<'_, str>) -> Vec<Cow<'_, str>> {
    match Raw::parse(text.trim()) {
        Ok(list) if list.kind() == Kind::Array => (list.items())
            .filter_map(|option| Some(Cow::Owned(option.as_text()?.into_owned())))
            .collect(),
        _ if text.trim().is_empty() => Vec::new(),
        _ => vec![text],
    }
}
