//! An event's own parameters: name, time, source, and what may stand beside them.

use std::borrow::Cow;

use super::{Remarks, unexpected, wrong};
use crate::answer::GraphError;
use crate::value::Value;

/// How old an event may be, in seconds.
const AGE_S_MAX: i64 = 7 * 86_400;
/// The same for `physical_store`.
const AGE_STORE_S_MAX: i64 = 62 * 86_400;
/// How far ahead of Meta's clock an event may be. Meta does not say; clocks differ by a little.
const AHEAD_S_MAX: i64 = 60;
/// Events that come later than this do little for optimisation.
const FRESH_S_MAX: i64 = 2 * 3_600;

const ACTION_SOURCES: [&str; 9] = [
    "app",
    "business_messaging",
    "chat",
    "email",
    "other",
    "phone_call",
    "physical_store",
    "system_generated",
    "website",
];

/// Every key of an event. Meta refuses others by name ("Unexpected key").
const KEYS: [&str; 20] = [
    "action_source",
    "advanced_measurement_table",
    "app_data",
    "attribution_data",
    "custom_data",
    "customer_segmentation",
    "data_processing_options",
    "data_processing_options_country",
    "data_processing_options_state",
    "event_id",
    "event_name",
    "event_source_url",
    "event_time",
    "extinfo",
    "messaging_channel",
    "opt_out",
    "original_event_data",
    "referrer_url",
    "user_data",
    "user_segmentation",
];

/// What the other rules need of an event.
pub(super) struct Head<'e> {
    pub(super) name: Cow<'e, str>,
    pub(super) action_source: &'e str,
    pub(super) user_data: &'e Value<'e>,
}

pub(super) fn check<'e>(
    event: &'e Value<'e>,
    index: usize,
    now_s: i64,
    remarks: &mut Remarks<'_>,
) -> Result<Head<'e>, GraphError> {
    let Value::Object(entries) = event else {
        return Err(wrong(index, &[], "must be an object"));
    };
    // Whether Meta minds a null under an unexpected key is not known: it passes.
    for (key, _) in entries.iter().filter(|(_, value)| *value != Value::Null) {
        if KEYS.binary_search(&key.as_ref()).is_err() {
            return Err(unexpected(index, &[], key));
        }
    }
    let required = |key: &'static str| {
        let value = event.given(key);
        value.ok_or_else(|| wrong(index, &[key], "is required"))
    };
    let name = required("event_name")?.text_or_number();
    let name = name.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| wrong(index, &["event_name"], "must be a non-empty string"))?;
    if name.chars().count() > 50 {
        remarks.add(|| "event_name is longer than the 50 characters of a custom event".to_owned());
    }
    let time_s = time(required("event_time")?, index, remarks)?;
    let user_data = required("user_data")?;
    if !matches!(user_data, Value::Object(_)) {
        return Err(wrong(index, &["user_data"], "must be an object"));
    }
    let action_source = required("action_source")?.text().unwrap_or_default();
    if !ACTION_SOURCES.contains(&action_source) {
        let what = format!("must be one of {}", ACTION_SOURCES.join(", "));
        return Err(wrong(index, &["action_source"], &what));
    }
    age(time_s, now_s, action_source, remarks)?;
    others(event, index, remarks)?;
    if action_source == "website" {
        for (key, value) in [
            ("event_source_url", event.given("event_source_url")),
            (
                "user_data.client_user_agent",
                user_data.given("client_user_agent"),
            ),
        ] {
            if value.is_none() {
                remarks.add(|| format!("{key} is missing: a website event should have it"));
            }
        }
    }
    if event.given("event_id").is_none() {
        remarks.add(|| "no event_id: the browser's copy of it cannot be deduplicated".to_owned());
    }
    Ok(Head {
        name,
        action_source,
        user_data,
    })
}

fn time(value: &Value<'_>, index: usize, remarks: &mut Remarks<'_>) -> Result<i64, GraphError> {
    let time_s = match value {
        Value::Integer(time_s) => Some(*time_s),
        Value::Text(text) => {
            remarks.add(|| "event_time is a text: Meta's type is integer".to_owned());
            text.parse().ok()
        }
        _ => None,
    };
    time_s.ok_or_else(|| wrong(index, &["event_time"], "must be an integer"))
}

fn age(
    time_s: i64,
    now_s: i64,
    action_source: &str,
    remarks: &mut Remarks<'_>,
) -> Result<(), GraphError> {
    let age_s = now_s.saturating_sub(time_s);
    let (age_s_max, days) = match action_source {
        "physical_store" => (AGE_STORE_S_MAX, 62),
        _ => (AGE_S_MAX, 7),
    };
    if age_s > age_s_max {
        let text = format!(
            "This event happened too long ago: events have to be sent within {days} days of \
             event_time."
        );
        return Err(GraphError::refused(
            2_804_003,
            "Event Timestamp Too Old",
            text,
        ));
    }
    if age_s < -AHEAD_S_MAX {
        return Err(GraphError::refused(
            2_804_004,
            "Event Timestamp In The Future",
            "This event has not happened yet: event_time is in Unix seconds, UTC.",
        ));
    }
    if age_s > FRESH_S_MAX && action_source != "physical_store" {
        remarks.add(|| "sent more than 2 hours after it happened".to_owned());
    }
    Ok(())
}

/// The types of whatever else is given.
fn others(event: &Value<'_>, index: usize, remarks: &mut Remarks<'_>) -> Result<(), GraphError> {
    for key in [
        "custom_data",
        "app_data",
        "original_event_data",
        "attribution_data",
    ] {
        if !matches!(event.given(key), None | Some(Value::Object(_))) {
            return Err(wrong(index, &[key], "must be an object"));
        }
    }
    for key in ["event_id", "event_source_url", "referrer_url"] {
        match event.given(key) {
            None | Some(Value::Text(_)) => {}
            Some(Value::Integer(_)) => remarks.add(|| format!("{key} is a number, not a text")),
            Some(_) => return Err(wrong(index, &[key], "must be a string")),
        }
    }
    let is_flag = |value: &Value<'_>| match value {
        Value::Bool(_) | Value::Integer(0 | 1) => true,
        Value::Text(text) => matches!(text.as_ref(), "true" | "false" | "0" | "1"),
        _ => false,
    };
    if event.given("opt_out").is_some_and(|value| !is_flag(value)) {
        return Err(wrong(index, &["opt_out"], "must be a boolean"));
    }
    processing(event, index, remarks)
}

fn processing(
    event: &Value<'_>,
    index: usize,
    remarks: &mut Remarks<'_>,
) -> Result<(), GraphError> {
    let key = "data_processing_options";
    let Some(options) = event.given(key) else {
        return Ok(());
    };
    let is_list = matches!(options, Value::List(items)
        if items.iter().all(|item| item.text().is_some()));
    if !is_list {
        return Err(wrong(index, &[key], "must be an array of strings"));
    }
    for key in [
        "data_processing_options_country",
        "data_processing_options_state",
    ] {
        let is_number = |value: &Value<'_>| {
            value
                .text_or_number()
                .is_some_and(|text| text.parse::<u32>().is_ok())
        };
        match event.given(key) {
            Some(value) if !is_number(value) => {
                return Err(wrong(index, &[key], "must be an integer"));
            }
            None if !options.items().is_empty() => remarks.add(|| {
                format!("{key} is missing beside LDU: 0 lets Meta find out where the person is")
            }),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NOW_S, refusal, remarks_of, table, with};

    #[test]
    fn the_keys_are_sorted() {
        assert!(super::KEYS.is_sorted());
    }

    #[test]
    fn required_and_typed_parameters() {
        table(&[
            (r#"{"event_name":null}"#, 2_804_019),
            (r#"{"event_name":""}"#, 2_804_019),
            (r#"{"event_name":["x"]}"#, 2_804_019),
            (r#"{"event_name":"My own"}"#, 0),
            (r#"{"event_time":null}"#, 2_804_019),
            (r#"{"event_time":"soon"}"#, 2_804_019),
            (r#"{"event_time":1795435100.5}"#, 2_804_019),
            (r#"{"event_time":"1795435100"}"#, 0),
            (r#"{"user_data":null}"#, 2_804_019),
            (r#"{"user_data":[]}"#, 2_804_019),
            (r#"{"action_source":null}"#, 2_804_019),
            (r#"{"action_source":"web"}"#, 2_804_019),
            (r#"{"action_source":"WEBSITE"}"#, 2_804_019),
            (r#"{"action_source":"phone_call"}"#, 0),
            (r#"{"custom_data":"x"}"#, 2_804_019),
            (
                r#"{"app_data":null,"original_event_data":null,"attribution_data":null}"#,
                0,
            ),
            (r#"{"original_event_data":[1]}"#, 2_804_019),
            (r#"{"event_id":{"a":1}}"#, 2_804_019),
            (r#"{"event_id":17}"#, 0),
            (r#"{"opt_out":"perhaps"}"#, 2_804_019),
            (r#"{"opt_out":true}"#, 0),
            (r#"{"data_processing_options":"LDU"}"#, 2_804_019),
            (r#"{"data_processing_options":[]}"#, 0),
            (
                r#"{"data_processing_options":["LDU"],"data_processing_options_country":"US"}"#,
                2_804_019,
            ),
            (r#"{"advertiser_tracking_enabled":true}"#, 2_804_019),
            (r#"{"advertiser_tracking_enabled":null}"#, 0),
        ]);
    }

    #[test]
    fn the_error_names_the_place() {
        let (_, text) = refusal(&with(r#"{"user_data":null}"#)).unwrap();
        assert_eq!(text, "The parameter $['data'][1]['user_data'] is required.");
        let (_, text) = refusal("[]").unwrap();
        assert_eq!(text, "The parameter $['data'][1] must be an object.");
        let (_, text) = refusal(&with(r#"{"colour":1}"#)).unwrap();
        assert_eq!(text, r#"Unexpected key "colour" on param "$['data'][1]"."#);
    }

    #[test]
    fn ages() {
        const DAY_S: i64 = 86_400;
        for (source, age_s, subcode) in [
            ("website", 7 * DAY_S, 0),
            ("website", 7 * DAY_S + 1, 2_804_003),
            ("system_generated", 8 * DAY_S, 2_804_003),
            ("physical_store", 62 * DAY_S, 0),
            ("physical_store", 62 * DAY_S + 1, 2_804_003),
            ("website", -60, 0),
            ("website", -61, 2_804_004),
        ] {
            let time_s = NOW_S - age_s;
            let changes = format!(r#"{{"action_source":"{source}","event_time":{time_s}}}"#);
            table(&[(&changes, subcode)]);
        }
        // Milliseconds lie in the future.
        table(&[(r#"{"event_time":1795435100000}"#, 2_804_004)]);
    }

    #[test]
    fn remarks_on_what_meta_takes_in_silence() {
        let text = remarks_of("{}");
        for part in ["event_source_url", "client_user_agent", "no event_id"] {
            assert!(text.contains(part), "{text}");
        }
        let changes = format!(r#"{{"event_time":{}}}"#, NOW_S - 7_201);
        assert!(remarks_of(&changes).contains("2 hours"));
    }
}
