//! Sealing: an [`Event`] with clear personal data in, the exact bytes that go to Meta out.
//!
//! One pass writes the payload in the order in which it is read below. Every value is normalised,
//! checked and written where it is met; the rules that look at several fields come last and may
//! still refuse the event. What is refused has findings with severity `error`; everything else was
//! repaired, left out or remarked upon, and the event lives.

mod contents;
mod custom;
mod id;
mod list;
mod money;
mod object;
mod rules;
mod scan;
mod sealed;
mod user;

use std::borrow::Cow;
use std::sync::Arc;

use crate::action_source::{ActionSource, MessagingChannel};
use crate::check::{self, Summary};
use crate::code::Code;
use crate::contact;
use crate::facts::Facts;
use crate::finding::{Findings, Path, shown};
use crate::json;
use crate::likeness;
use crate::limits::{CUSTOM_EVENT_NAME_CHARS_MAX, EVENT_NAME_BYTES_MAX};
use crate::model::{DataProcessing, Event};
use crate::money::Currency;
use crate::names;
use crate::normalize::{Context, is_invisible};
use crate::properties::Properties;
use crate::shape::{self, Keys};
use crate::url;
use crate::user_field::FieldSet;
use object::{AllMembers, Members, Unknown, Writer};
pub use rules::{Moment, Rules};
pub use sealed::{Remains, SealedEvent};

impl Event<'_> {
    /// Checks and repairs the event, normalises and hashes the personal data, and encodes the result.
    ///
    /// `findings` gets everything there is to say. `None` if the event cannot be sent; then at least
    /// one finding is an error. The clear text is wiped when the event is dropped here.
    pub fn seal(
        self,
        rules: &Rules,
        moment: Moment,
        findings: &mut Findings,
    ) -> Option<SealedEvent> {
        self.seal_or_remains(rules, moment, findings).ok()
    }

    /// The same for those who keep a record of what cannot be sent.
    ///
    /// # Errors
    ///
    /// What may be kept of the event, if it cannot be sent.
    pub fn seal_or_remains(
        mut self,
        rules: &Rules,
        moment: Moment,
        findings: &mut Findings,
    ) -> Result<SealedEvent, Remains> {
        if self.messaging_channel == Some(MessagingChannel::Instagram) {
            self.user_data.add_both_instagram_ids();
        }
        let mut sealing = Sealing {
            event: &self,
            rules,
            moment,
            findings,
            currency: None,
            out: String::with_capacity(1_536),
            facts: Facts::default(),
        };
        sealing.run().ok_or_else(|| self.remains())
    }
}

/// A name without marks that nobody sees.
fn without_invisible(name: &str) -> Cow<'_, str> {
    if name.is_ascii() {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(name.replace(is_invisible, ""))
    }
}

/// Whether a text is no name of an event. It must be written nowhere: it may hold contact data, or be what is left of
/// another name, and name and id together tell copies.
fn is_no_name(name: &str) -> bool {
    name.len() > EVENT_NAME_BYTES_MAX
        || name.contains(char::REPLACEMENT_CHARACTER)
        || name.chars().any(char::is_control)
        || contact::holds_contact(name)
}

struct Sealing<'e, 'f> {
    event: &'e Event<'e>,
    rules: &'e Rules,
    moment: Moment,
    findings: &'f mut Findings,
    /// The currency of the event's amounts, as soon as its action source is known.
    currency: Option<Currency>,
    out: String,
    facts: Facts,
}

impl Sealing<'_, '_> {
    fn run(&mut self) -> Option<SealedEvent> {
        let event = self.event;
        let event_name = self.event_name();
        let action_source = self.action_source();
        self.currency = self.currency_of(action_source);
        let event_time = self.event_time(action_source);
        let event_id = self.event_id();

        self.out.push('{');
        match event_name {
            Cow::Borrowed(known) => self.name("event_name", known),
            Cow::Owned(ref name) => self.text("event_name", name),
        }
        self.number("event_time", event_time);
        self.text("event_id", &event_id);
        self.name("action_source", action_source.name());
        let has_url = self.url("event_source_url", event.event_source_url.as_deref());
        self.url("referrer_url", event.referrer_url.as_deref());

        self.user_data();
        let user_fields = self.facts.identifiers;
        let summary = Summary {
            event,
            event_name: &event_name,
            action_source,
            has_url,
            user_fields,
            custom_keys: self.custom_data(&event_name, action_source),
            app_keys: self.object(
                "app_data",
                &event.app_data,
                (&shape::APP_DATA, Unknown::Drop),
                &mut AllMembers,
            ),
            original_keys: self.object(
                "original_event_data",
                &event.original_event_data,
                (&shape::ORIGINAL_EVENT_DATA, Unknown::Drop),
                &mut AllMembers,
            ),
            attribution_keys: self.object(
                "attribution_data",
                &event.attribution_data,
                (&shape::ATTRIBUTION_DATA, Unknown::Drop),
                &mut AllMembers,
            ),
        };
        self.data_processing(user_fields);
        self.rest();
        self.out.push('}');

        check::check(&summary, self.findings);
        if self.findings.has_error() {
            return None;
        }
        self.facts.note_findings(self.findings);
        Some(SealedEvent {
            json: self.out.as_str().into(),
            event_name,
            event_id: event_id.into_owned().into(),
            event_time,
            action_source,
            order: likeness::order_of(&event.custom_data),
            facts: Arc::new(std::mem::take(&mut self.facts)),
            test_event_code: event.test_event_code.as_deref().map(Box::from),
        })
    }

    fn event_name(&mut self) -> Cow<'static, str> {
        let written = self.event.event_name.as_deref().unwrap_or_default();
        let path = || self.event.path("event_name");
        let cleaned = without_invisible(written);
        let name = cleaned.trim();
        if name.is_empty() {
            let message = "the event has no event_name";
            self.findings
                .add(Code::EventNameMissing, Path::root(), message);
            return Cow::Borrowed("");
        }
        if cleaned.len() < written.len() {
            let message = "invisible marks in the name; removed";
            self.findings.add(Code::TextDamaged, path(), message);
        }
        if let Some(standard) = names::standard(name) {
            return Cow::Borrowed(standard);
        }
        let length = name.chars().count();
        if name.contains(char::REPLACEMENT_CHARACTER) {
            let message = "the name is damaged, and may be what is left of another";
            self.findings.add(Code::EventNameInvalid, path(), message);
        } else if is_no_name(name) {
            let message = format!("found {}, no event name", shown(name));
            self.findings.add(Code::EventNameInvalid, path(), message);
        } else if let Some(standard) = names::standard_spelling(name) {
            let message = format!(
                "{} is a custom event; the standard one is {standard}",
                shown(name)
            );
            self.findings.add(Code::EventNameCase, path(), message);
        } else if length > CUSTOM_EVENT_NAME_CHARS_MAX {
            let message = format!("the name has {length} characters");
            self.findings.add(Code::EventNameLong, path(), message);
        }
        Cow::Owned(name.to_owned())
    }

    /// The event's own source, else the one that its fields show, else the default.
    fn action_source(&mut self) -> ActionSource {
        let event = self.event;
        if let Some(source) = event.action_source {
            return source;
        }
        let shown = event.shown_action_source();
        let source = shown.unwrap_or(self.rules.default_action_source);
        let message = format!("the event has no action_source; {source} was set");
        self.findings
            .add(Code::ActionSourceMissing, Path::root(), message);
        source
    }

    fn event_time(&mut self, action_source: ActionSource) -> i64 {
        const DAY_S: i64 = 86_400;
        let path = || self.event.path("event_time");
        let now = self.moment.unix_s();
        let Some(event_time) = self.event.event_time else {
            if !self.findings.has_unreadable_time() {
                self.findings.add(
                    Code::EventTimeMissing,
                    Path::root(),
                    "the event has no event_time",
                );
            }
            return now;
        };
        let age = now.saturating_sub(event_time);
        if age < 0 {
            let ahead = age.unsigned_abs();
            if i64::try_from(ahead).unwrap_or(i64::MAX) <= self.rules.future_skew_s {
                let message = format!("event_time was {ahead} s in the future; now was set");
                self.findings.add(Code::EventTimeClamped, path(), message);
                return now;
            }
            let message = format!("event_time is {} in the future", duration(ahead));
            if self.moment.in_doubt {
                self.findings
                    .add(Code::EventTimeUnproven, path(), sent_as_it_is(&message));
                return event_time;
            }
            self.findings.add(Code::EventTimeFuture, path(), message);
            return now;
        }
        if age > action_source.age_s_max() && self.moment.in_doubt {
            let message = format!("event_time is {} ago", duration(age.unsigned_abs()));
            self.findings
                .add(Code::EventTimeUnproven, path(), sent_as_it_is(&message));
        } else if age > action_source.age_s_max() {
            let days = action_source.age_s_max() / DAY_S;
            let message = format!(
                "event_time is {} ago; Meta takes {action_source} events for {days} days",
                duration(age.unsigned_abs())
            );
            self.findings.add(Code::EventTimeTooOld, path(), message);
        } else if age > DAY_S && action_source != ActionSource::PhysicalStore {
            let message = format!("event_time is {} ago", duration(age.unsigned_abs()));
            self.findings.add(Code::EventTimeLate, path(), message);
        }
        event_time
    }

    fn user_data(&mut self) {
        let context = Context {
            country: self.rules.default_country,
            now_s: self.moment.unix_s(),
            external_id: self.rules.external_id,
        };
        self.out.push_str(",\"user_data\":{");
        let user_data = (&self.event.user_data, self.event.written("user_data"));
        let into = (&mut self.out, &mut self.facts);
        user::write(user_data, self.rules, context, self.findings, into);
        self.out.push('}');
    }

    fn object(
        &mut self,
        name: &'static str,
        properties: &Properties<'_>,
        table: (&shape::Table, Unknown),
        members: &mut impl Members,
    ) -> Keys {
        if properties.is_empty() {
            return Keys::default();
        }
        let start = self.out.len();
        self.key(name);
        let mut writer = Writer {
            findings: self.findings,
            currency: self.currency,
        };
        let keys = writer.properties(
            properties,
            self.event.written(name),
            table,
            &mut self.out,
            members,
        );
        if keys.is_empty() {
            self.out.truncate(start);
        }
        keys
    }

    fn data_processing(&mut self, user_fields: FieldSet) {
        let Some(processing) = &self.event.data_processing else {
            return;
        };
        let DataProcessing {
            options,
            country,
            state,
        } = check::data_processing(processing, user_fields, self.event, self.findings);
        let Some(options) = options else {
            return;
        };
        self.key("data_processing_options");
        self.out.push('[');
        for (at, option) in options.iter().enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            json::write_text(&mut self.out, option);
        }
        self.out.push(']');
        // Zeros have to be written: they mean "locate the person".
        if let Some(country) = country {
            self.number("data_processing_options_country", country);
        }
        if let Some(state) = state {
            self.number("data_processing_options_state", state);
        }
    }

    fn rest(&mut self) {
        let event = self.event;
        if let Some(opt_out) = event.opt_out {
            self.key("opt_out");
            self.out.push_str(if opt_out { "true" } else { "false" });
        }
        if let Some(channel) = event.messaging_channel {
            self.name("messaging_channel", channel.name());
        }
        if let Some(text) = &event.customer_segmentation {
            let folded = text.trim().to_ascii_lowercase();
            let path = event.path("customer_segmentation");
            if contact::is_contact(text) {
                let message = "holds contact data in the clear; left out";
                self.findings.add(Code::CustomDataContact, path, message);
            } else if shape::SEGMENTATION.contains(&&*folded) {
                self.text("customer_segmentation", &folded);
            } else {
                let values = shape::SEGMENTATION.join(", ");
                let message = format!("found {}; one of {values}; left out", shown(text));
                self.findings.add(Code::EnumUnknown, path, message);
            }
        }
        if let Some(text) = &event.advanced_measurement_table {
            if contact::holds_contact(text) {
                let message = "holds contact data in the clear; left out";
                let path = event.path("advanced_measurement_table");
                self.findings.add(Code::CustomDataContact, path, message);
            } else {
                self.text("advanced_measurement_table", text);
            }
        }
    }

    /// Writes the address of a page; tells whether there was anything to write or to say.
    fn url(&mut self, key: &'static str, url: Option<&str>) -> bool {
        let Some(url) = url.filter(|url| !url.trim().is_empty()) else {
            return false;
        };
        if url::is_plain(url) {
            self.key(key);
            self.out.push('"');
            self.out.push_str(url);
            self.out.push('"');
            return true;
        }
        let mut clean = String::with_capacity(url.len());
        let finding = match url::clean(url, &mut clean) {
            Some(url::Cleaned::Unchanged) => None,
            Some(url::Cleaned::Completed) => Some((Code::UrlInvalid, "the address was completed")),
            Some(url::Cleaned::Freed) => {
                Some((Code::UrlContactData, "contact data in the address; removed"))
            }
            None => Some((Code::UrlInvalid, "no address of a page; left out")),
        };
        if let Some((code, message)) = finding {
            self.findings.add(code, self.event.path(key), message);
        }
        if !clean.is_empty() {
            if !url::is_public(&clean) {
                let message = "the host is none of the web; sent as it is";
                self.findings
                    .add(Code::UrlNotPublic, self.event.path(key), message);
            }
            self.text(key, &clean);
        }
        true
    }

    fn key(&mut self, key: &str) {
        // The first byte is the opening brace.
        if self.out.len() > 1 {
            self.out.push(',');
        }
        self.out.push('"');
        self.out.push_str(key);
        self.out.push_str("\":");
    }

    /// A word of Meta's, which needs no escapes.
    fn name(&mut self, key: &str, name: &'static str) {
        self.key(key);
        self.out.push('"');
        self.out.push_str(name);
        self.out.push('"');
    }

    fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        json::write_text(&mut self.out, text);
    }

    fn number(&mut self, key: &str, number: i64) {
        self.key(key);
        json::write_number(&mut self.out, number);
    }
}

/// What is said of a time that cannot be right if the clock is.
fn sent_as_it_is(message: &str) -> String {
    format!("{message} by a clock that is in doubt; sent as it is")
}

/// A length of time for people, rounded down to its largest unit.
fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} minutes", seconds / 60),
        7_200..172_800 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
