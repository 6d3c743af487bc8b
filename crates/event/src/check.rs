//! The rules that look at several fields at once.
//!
//! An error only where the event is meaningless or Meta is known to refuse it; where Meta's documents
//! ask for a field but its endpoint does without, a warning.

use crate::action_source::{ActionSource, MessagingChannel};
use crate::code::Code;
use crate::finding::{Findings, Path};
use crate::model::{DataProcessing, Event};
use crate::names;
use crate::properties::Properties;
use crate::shape::{self, Keys};
use crate::user_field::{FieldSet, UserField};

/// What was written of an event.
pub(crate) struct Summary<'e> {
    pub(crate) event: &'e Event<'e>,
    pub(crate) event_name: &'e str,
    pub(crate) action_source: ActionSource,
    /// There was an address of the page, good or not.
    pub(crate) has_url: bool,
    pub(crate) user_fields: FieldSet,
    pub(crate) custom_keys: Keys,
    pub(crate) app_keys: Keys,
    pub(crate) original_keys: Keys,
    pub(crate) attribution_keys: Keys,
}

/// Runs every rule.
pub(crate) fn check(summary: &Summary<'_>, findings: &mut Findings) {
    user_data(summary, findings);
    match summary.action_source {
        ActionSource::Website => website(summary, findings),
        ActionSource::App => app(summary, findings),
        ActionSource::BusinessMessaging => messaging(summary, findings),
        ActionSource::SystemGenerated => crm(summary, findings),
        _ => {}
    }
    if summary.event_name == "Purchase" {
        purchase(summary, findings);
    }
    if summary.event_name == names::APPEND_ATTRIBUTION {
        attribution(summary, findings);
    }
    let is_messaging = summary.action_source == ActionSource::BusinessMessaging;
    if summary.event.messaging_channel.is_some() && !is_messaging {
        let message = format!("messaging_channel on a {} event", summary.action_source);
        let path = summary.event.path("messaging_channel");
        findings.add(Code::MessagingChannelUnused, path, message);
    }
}

/// The sets of fields that name too many people: an event with nothing beyond one of them is
/// refused with 100/2804050 (Conversions API, "Best practices").
const TOO_BROAD: [FieldSet; 4] = [
    FieldSet::of(&[
        UserField::Ct,
        UserField::Country,
        UserField::St,
        UserField::Zp,
        UserField::Ge,
        UserField::ClientUserAgent,
    ]),
    FieldSet::of(&[UserField::Db, UserField::ClientUserAgent]),
    FieldSet::of(&[UserField::Fn, UserField::Ge]),
    FieldSet::of(&[UserField::Ln, UserField::Ge]),
];

fn user_data(summary: &Summary<'_>, findings: &mut Findings) {
    let fields = summary.user_fields;
    if fields.is_empty() {
        let message = "no usable value in user_data";
        findings.add(Code::UserDataMissing, Path::root(), message);
    } else if TOO_BROAD.iter().any(|set| fields.is_within(*set)) {
        let names: Vec<_> = fields.iter().map(UserField::name).collect();
        let message = format!("user_data has only {}", names.join(", "));
        findings.add(Code::UserDataTooBroad, Path::root(), message);
    }
}

fn website(summary: &Summary<'_>, findings: &mut Findings) {
    if !summary.user_fields.contains(UserField::ClientUserAgent) {
        let message = "a website event without client_user_agent";
        findings.add(Code::ClientUserAgentMissing, Path::root(), message);
    }
    if !summary.has_url {
        let message = "a website event without event_source_url";
        findings.add(Code::EventSourceUrlMissing, Path::root(), message);
    }
}

/// The keys that an event's currency may have: apps have a name of their own for it.
pub(crate) fn currency_keys(action_source: ActionSource) -> &'static [&'static str] {
    match action_source {
        ActionSource::App => &["currency", "fb_currency"],
        _ => &["currency"],
    }
}

/// The keys that an event's value may have.
fn value_keys(action_source: ActionSource) -> &'static [&'static str] {
    match action_source {
        ActionSource::App => &["value", "_valueToSum"],
        _ => &["value"],
    }
}

fn purchase(summary: &Summary<'_>, findings: &mut Findings) {
    let has = |keys: &[&str]| {
        let mut keys = keys.iter();
        keys.any(|key| summary.custom_keys.has(&shape::CUSTOM_DATA, key))
    };
    let path = || {
        let custom_data = &summary.event.custom_data;
        path_of(custom_data, summary.event.written("custom_data"))
    };
    if !has(value_keys(summary.action_source)) {
        let message = "the Purchase has no value";
        findings.add(Code::PurchaseValueMissing, path(), message);
    }
    if !has(currency_keys(summary.action_source)) {
        let message = "the Purchase has no currency";
        findings.add(Code::PurchaseCurrencyMissing, path(), message);
    }
}

fn app(summary: &Summary<'_>, findings: &mut Findings) {
    let app_data = &summary.event.app_data;
    let has = |key| summary.app_keys.has(&shape::APP_DATA, key);
    if app_data.is_empty() {
        findings.add(
            Code::AppDataMissing,
            Path::root(),
            "an app event without app_data",
        );
        return;
    }
    let path = || path_of(app_data, summary.event.written("app_data"));
    if !has("extinfo") && !findings.has(Code::ExtinfoInvalid) {
        findings.add(Code::ExtinfoMissing, path(), "app_data without extinfo");
    }
    if !has("advertiser_tracking_enabled") {
        let message = "app_data without advertiser_tracking_enabled";
        findings.add(Code::AppTrackingMissing, path(), message);
    }
}

fn messaging(summary: &Summary<'_>, findings: &mut Findings) {
    if !names::BUSINESS_MESSAGING.contains(&summary.event_name) && !summary.event_name.is_empty() {
        let message = "Meta takes no business-messaging event of this name";
        findings.add(
            Code::MessagingEventName,
            summary.event.path("event_name"),
            message,
        );
    }
    let has = |field| summary.user_fields.contains(field);
    let Some(channel) = summary.event.messaging_channel else {
        let message = "a business-messaging event without a (known) messaging_channel";
        findings.add(Code::MessagingChannelMissing, Path::root(), message);
        return;
    };
    let has_page = has(UserField::PageId);
    let (whose, of_person) = match channel {
        MessagingChannel::Messenger => (
            (!has_page).then_some((Code::MessagingPageMissing, "page_id")),
            UserField::PageScopedUserId,
        ),
        MessagingChannel::Whatsapp => (
            (!has_page && !has(UserField::WhatsappBusinessAccountId)).then_some((
                Code::MessagingPageMissing,
                "page_id or whatsapp_business_account_id",
            )),
            UserField::CtwaClid,
        ),
        MessagingChannel::Instagram => (
            (!has(UserField::IgAccountId) && !has(UserField::InstagramBusinessAccountId))
                .then_some((Code::MessagingAccountMissing, "ig_account_id")),
            UserField::IgSid,
        ),
    };
    let lacks = |id: &str| format!("a {channel} event whose user_data lacks {id}");
    if let Some((code, id)) = whose {
        findings.add(code, Path::root(), lacks(id));
    }
    if !has(of_person) {
        let message = lacks(of_person.name());
        findings.add(Code::MessagingIdsMissing, Path::root(), message);
    }
}

fn crm(summary: &Summary<'_>, findings: &mut Findings) {
    let custom_data = &summary.event.custom_data;
    let is_crm = summary.event.is_crm();
    let has_lead = summary.user_fields.contains(UserField::LeadId);
    if !is_crm && !has_lead {
        return;
    }
    if !is_crm
        || !summary
            .custom_keys
            .has(&shape::CUSTOM_DATA, "lead_event_source")
    {
        let message = "a CRM event without event_source crm or without lead_event_source";
        let path = path_of(custom_data, summary.event.written("custom_data"));
        findings.add(Code::CrmFieldsMissing, path, message);
    }
    if is_crm && summary.event_name == "Purchase" {
        let message = "a CRM stage named Purchase";
        findings.add(
            Code::CrmPurchaseName,
            summary.event.path("event_name"),
            message,
        );
    }
}

fn attribution(summary: &Summary<'_>, findings: &mut Findings) {
    let has_currency = currency_keys(summary.action_source)
        .iter()
        .any(|key| summary.custom_keys.has(&shape::CUSTOM_DATA, key));
    let attribution = (
        summary.attribution_keys,
        &shape::ATTRIBUTION_DATA,
        "attribution_data",
    );
    let original = (
        summary.original_keys,
        &shape::ORIGINAL_EVENT_DATA,
        "original_event_data",
    );
    let mut missing: Vec<String> = [
        (attribution, "ad_id"),
        (attribution, "touchpoint_ts"),
        (attribution, "attribution_share"),
        (attribution, "attribution_value"),
        (original, "event_name"),
        (original, "event_time"),
    ]
    .into_iter()
    .filter(|((keys, table, _), key)| !keys.has(table, key))
    .map(|((_, _, section), key)| format!("{section}.{key}"))
    .collect();
    if !has_currency {
        missing.push("custom_data.currency".to_owned());
    }
    if !missing.is_empty() {
        let message = format!("AppendAttribution lacks {}", missing.join(", "));
        findings.add(Code::AttributionIncomplete, Path::root(), message);
    }
}

/// The states with a code of their own: 1000 California to 1013 Rhode Island.
const LDU_STATES: std::ops::RangeInclusive<i64> = 1000..=1013;

/// The data processing options as they are sent. Limited data use is a promise to a person, so whatever is
/// wrong with the rest, `LDU` stays, and Meta is asked to locate the person itself. Whoever sends another
/// option wants less to be done with the data, and `LDU` is the only way to say so.
pub(crate) fn data_processing(
    processing: &DataProcessing<'_>,
    user_fields: FieldSet,
    event: &Event<'_>,
    findings: &mut Findings,
) -> DataProcessing<'static> {
    let path = || event.path("data_processing_options");
    let Some(options) = &processing.options else {
        let message = "country and state without options; left out";
        findings.add(Code::LduOptionUnknown, Path::root(), message);
        return DataProcessing::default();
    };
    let is_ldu = |option: &str| option.trim().eq_ignore_ascii_case("LDU");
    let is_limited = options.iter().any(|option| !option.trim().is_empty());
    if options.iter().any(|option| !is_ldu(option)) {
        let message = if is_limited {
            "LDU is the only option there is; others are read as that"
        } else {
            "an empty option limits nothing; left out"
        };
        findings.add(Code::LduOptionUnknown, path(), message);
    }
    if !is_limited {
        return DataProcessing {
            options: Some(Vec::new()),
            country: processing.country,
            state: processing.state,
        };
    }
    let (country, state) = match (processing.country, processing.state) {
        (Some(1) | None, Some(state)) if LDU_STATES.contains(&state) => (1, state),
        (Some(0) | None, Some(0) | None) => (0, 0),
        (Some(1), Some(0)) => (1, 0),
        _ => {
            let message = "country and state name no place that Meta knows; 0 and 0 were set";
            let code = Code::LduStateUnknown;
            findings.add(code, event.path("data_processing_options"), message);
            (0, 0)
        }
    };
    if state == 0 && !user_fields.contains(UserField::ClientIpAddress) {
        let message = "limited data use without a state and without an address";
        findings.add(Code::LduNoLocation, Path::root(), message);
    }
    DataProcessing {
        options: Some(vec!["LDU".into()]),
        country: Some(country),
        state: Some(state),
    }
}

/// The place of an object that lacks something: the object if it is in the input, else the event.
fn path_of(properties: &Properties<'_>, name: &str) -> Path {
    let is_there = properties.0.iter().any(|property| !property.is_flat());
    if is_there {
        Path::root().key(name)
    } else {
        Path::root()
    }
}
