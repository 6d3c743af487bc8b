//! What messaging, app and attribution events need beside the rest.

use super::event::Head;
use super::{Remarks, wrong};
use crate::answer::GraphError;
use crate::value::Value;

/// The only names of business-messaging events.
const MESSAGING: [&str; 14] = [
    "AddToCart",
    "CartAbandoned",
    "InitiateCheckout",
    "LeadSubmitted",
    "OrderCanceled",
    "OrderCreated",
    "OrderDelivered",
    "OrderReturned",
    "OrderShipped",
    "Purchase",
    "QualifiedLead",
    "RatingProvided",
    "ReviewProvided",
    "ViewContent",
];

/// How many entries `extinfo` has.
const EXTINFO_LENGTH: usize = 16;

pub(super) fn check(
    event: &Value<'_>,
    head: &Head<'_>,
    index: usize,
    remarks: &mut Remarks<'_>,
) -> Result<(), GraphError> {
    if head.name == "AppendAttribution" && event.given("attribution_data").is_none() {
        return Err(wrong(index, &["attribution_data"], "is required"));
    }
    match head.action_source {
        "business_messaging" => messaging(event, head, index),
        "app" => app(event, index, remarks),
        _ => Ok(()),
    }
}

fn messaging(event: &Value<'_>, head: &Head<'_>, index: usize) -> Result<(), GraphError> {
    let Some(channel) = event.given("messaging_channel") else {
        return Err(GraphError::refused(
            2_804_063,
            "Missing Messaging Channel",
            "A business_messaging event needs messaging_channel.",
        ));
    };
    if !MESSAGING.contains(&head.name.as_ref()) {
        return Err(GraphError::refused(
            2_804_066,
            "Invalid Event Name",
            "business_messaging has no event of this name.",
        ));
    }
    let has = |key: &str| head.user_data.given(key).is_some();
    let required = |key: &str| {
        let missing = || wrong(index, &["user_data", key], "is required");
        has(key).then_some(()).ok_or_else(missing)
    };
    match channel.text() {
        Some("messenger") if !has("page_id") => Err(GraphError::refused(
            2_804_069,
            "Missing Page Id",
            "A messenger event needs user_data.page_id.",
        )),
        Some("messenger") => required("page_scoped_user_id"),
        Some("whatsapp") if !has("page_id") && !has("whatsapp_business_account_id") => {
            Err(GraphError::refused(
                2_804_116,
                "Missing Page Or WhatsApp Account",
                "A whatsapp event needs user_data.whatsapp_business_account_id or page_id.",
            ))
        }
        Some("whatsapp") if !has("ctwa_clid") => Err(GraphError::refused(
            2_804_087,
            "Invalid Click Id",
            "A whatsapp event needs user_data.ctwa_clid of a real click.",
        )),
        Some("instagram") if !has("ig_account_id") => Err(GraphError::refused(
            2_804_079,
            "Missing Instagram Account",
            "An instagram event needs user_data.ig_account_id.",
        )),
        Some("instagram") => required("ig_sid"),
        Some("whatsapp") => Ok(()),
        _ => {
            let what = "must be one of whatsapp, messenger, instagram";
            Err(wrong(index, &["messaging_channel"], what))
        }
    }
}

fn app(event: &Value<'_>, index: usize, remarks: &mut Remarks<'_>) -> Result<(), GraphError> {
    let Some(app_data) = event.given("app_data") else {
        return Err(wrong(index, &["app_data"], "is required"));
    };
    let key = "advertiser_tracking_enabled";
    if app_data.given(key).is_none() {
        return Err(wrong(index, &["app_data", key], "is required"));
    }
    let extinfo = app_data.given("extinfo").or_else(|| event.given("extinfo"));
    if !extinfo.is_some_and(is_extinfo) {
        return Err(GraphError::refused(
            2_804_043,
            "Invalid Extended Device Info",
            "extinfo has 16 entries: the first is a2 or i2, the fifth the version of the system.",
        ));
    }
    if app_data.given("extinfo").is_none() {
        remarks.add(|| "extinfo is documented inside app_data".to_owned());
    }
    Ok(())
}

fn is_extinfo(extinfo: &Value<'_>) -> bool {
    let Value::List(entries) = extinfo else {
        return false;
    };
    let text = |place: usize| entries.get(place).and_then(Value::text).unwrap_or_default();
    entries.len() == EXTINFO_LENGTH && matches!(text(0), "a2" | "i2") && !text(4).trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::super::tests::table;

    #[test]
    fn messaging_events() {
        for (name, channel, user_data, subcode) in [
            ("Purchase", "null", r#"{"page_id":1}"#, 2_804_063),
            ("Lead", "\"whatsapp\"", r#"{"page_id":1}"#, 2_804_066),
            ("LeadSubmitted", "\"sms\"", r#"{"page_id":1}"#, 2_804_019),
            (
                "LeadSubmitted",
                "\"messenger\"",
                r#"{"page_scoped_user_id":1}"#,
                2_804_069,
            ),
            (
                "LeadSubmitted",
                "\"messenger\"",
                r#"{"page_id":1}"#,
                2_804_019,
            ),
            (
                "LeadSubmitted",
                "\"messenger\"",
                r#"{"page_id":1,"page_scoped_user_id":2}"#,
                0,
            ),
            (
                "LeadSubmitted",
                "\"whatsapp\"",
                r#"{"ctwa_clid":"c"}"#,
                2_804_116,
            ),
            (
                "LeadSubmitted",
                "\"whatsapp\"",
                r#"{"page_id":1}"#,
                2_804_087,
            ),
            (
                "LeadSubmitted",
                "\"whatsapp\"",
                r#"{"page_id":1,"ctwa_clid":"c"}"#,
                0,
            ),
            (
                "LeadSubmitted",
                "\"whatsapp\"",
                r#"{"whatsapp_business_account_id":1,"ctwa_clid":"c"}"#,
                0,
            ),
            (
                "LeadSubmitted",
                "\"instagram\"",
                r#"{"ig_sid":1}"#,
                2_804_079,
            ),
            (
                "LeadSubmitted",
                "\"instagram\"",
                r#"{"ig_account_id":1}"#,
                2_804_019,
            ),
            (
                "LeadSubmitted",
                "\"instagram\"",
                r#"{"ig_account_id":1,"ig_sid":2}"#,
                0,
            ),
            (
                "Purchase",
                "\"instagram\"",
                r#"{"ig_account_id":1,"ig_sid":2}"#,
                2_804_010,
            ),
        ] {
            // A Purchase without channel is refused for its channel, once it has its money.
            let custom = match subcode {
                2_804_063 => r#"{"value":1,"currency":"USD"}"#,
                _ => "null",
            };
            let changes = format!(
                r#"{{"action_source":"business_messaging","event_name":"{name}",
                    "messaging_channel":{channel},"user_data":{user_data},"custom_data":{custom}}}"#
            );
            table(&[(&changes, subcode)]);
        }
    }

    #[test]
    fn app_events() {
        let extinfo = |first: &str, system: &str, rest: &str| {
            let list =
                format!(r#"["{first}","","","","{system}","","","","","","","","","",""{rest}]"#);
            format!(
                r#"{{"action_source":"app","app_data":{{"advertiser_tracking_enabled":0,"extinfo":{list}}}}}"#
            )
        };
        table(&[
            (&extinfo("a2", "14", r#","""#), 0),
            (&extinfo("i2", "17.1", ",null"), 0),
            (&extinfo("x2", "14", r#","""#), 2_804_043),
            (&extinfo("a2", " ", r#","""#), 2_804_043),
            (&extinfo("a2", "14", ""), 2_804_043),
            (r#"{"action_source":"app"}"#, 2_804_019),
            (r#"{"action_source":"app","app_data":{}}"#, 2_804_019),
            (
                r#"{"action_source":"app","app_data":{"advertiser_tracking_enabled":true}}"#,
                2_804_043,
            ),
        ]);
        table(&[(r#"{"event_name":"AppendAttribution"}"#, 2_804_019)]);
    }
}
