//! What each channel asks for: apps, business messaging, CRM, limited data use.

use serde_json::{Value, json};

use super::{Row, assert_codes, assert_sent, of_person, patched, seal_value};

const EXTINFO: &str = r#"["i2","com.example.shop","1.0","1.0","17.1","iPhone15,2","de_DE","CET","",390,844,"3",6,128,64,"Europe/Berlin"]"#;

fn app() -> Value {
    let patch = format!(
        r#"{{"action_source":"app","app_data":{{"advertiser_tracking_enabled":1,"extinfo":{EXTINFO}}}}}"#
    );
    patched(
        &of_person(r#"{"madid":"38400000-8cf0-11bd-b23e-10b96e40000d"}"#),
        &patch,
    )
}

#[test]
fn app_events_need_app_data_with_extinfo() {
    let rows: &[Row<'_>] = &[
        (r#"{"app_data":null}"#, &["app_data_missing"]),
        (r#"{"app_data":"ios"}"#, &["app_data_missing", "value_type"]),
        (r#"{"app_data":{"extinfo":null}}"#, &["extinfo_missing"]),
        (r#"{"app_data":{"extinfo":"i2"}}"#, &["extinfo_invalid"]),
        (r#"{"app_data":{"extinfo":[]}}"#, &["extinfo_invalid"]),
        (r#"{"app_data":{"extinfo":{}}}"#, &["extinfo_invalid"]),
        (
            r#"{"app_data":{"extinfo":{"0":"i2","16":"x"}}}"#,
            &["extinfo_invalid"],
        ),
        (
            r#"{"app_data":{"extinfo":{"0":"i2","os":"x"}}}"#,
            &["extinfo_invalid"],
        ),
        (
            r#"{"app_data":{"extinfo":["b2","","","","17.1","","","","","","","","","","",""]}}"#,
            &["extinfo_invalid"],
        ),
        (
            r#"{"app_data":{"extinfo":["a2","","",""," ","","","","","","","","","","",""]}}"#,
            &["extinfo_invalid"],
        ),
        (
            r#"{"app_data":{"extinfo":["a2","","","","14","","","","","","","","","","",""]}}"#,
            &[],
        ),
        (
            r#"{"app_data":{"extinfo":["a2","","","","14"]}}"#,
            &["extinfo_padded"],
        ),
        (
            r#"{"app_data":{"extinfo":["a2","","","","14","","","","","","","","","","","","17"]}}"#,
            &["extinfo_padded"],
        ),
        (
            r#"{"app_data":{"advertiser_tracking_enabled":null}}"#,
            &["app_tracking_missing"],
        ),
        (
            r#"{"app_data":{"advertiser_tracking_enabled":"maybe"}}"#,
            &["app_tracking_missing", "value_type"],
        ),
        (
            r#"{"app_data":{"advertiser_tracking_enabled":3}}"#,
            &["app_tracking_missing", "value_type"],
        ),
        (r#"{"app_data":{"advertiser_tracking_enabled":false}}"#, &[]),
        (r#"{"app_data":{"advertiser_tracking_enabled":"0"}}"#, &[]),
        (
            r#"{"app_data":{"aplication_tracking_enabled":1}}"#,
            &["key_unknown"],
        ),
        (
            r#"{"app_data":{"url_schemes":["shop://"],"campaign_ids":"c1","vendor_id":"v"}}"#,
            &[],
        ),
        // The Node SDK writes the two beside `app_data`.
        (
            r#"{"app_data":null,"advertiser_tracking_enabled":true,"extinfo":["a2","","","","14","","","","","","","","","","",""]}"#,
            &[],
        ),
    ];
    assert_codes(&app(), rows);
    // Meta answers 400 without it and names the parameter.
    let without = patched(
        &app(),
        r#"{"app_data":{"advertiser_tracking_enabled":null}}"#,
    );
    assert!(seal_value(&without).sealed.is_none());
}

/// The Python SDK writes `null` into slots that it does not know.
#[test]
fn extinfo_has_sixteen_slots_whatever_came() {
    let sixteen = |slots: &str| {
        let event = app().to_string();
        let at = event.find("\"extinfo\":[").unwrap();
        let end = at + event[at..].find(']').unwrap();
        let event = format!("{}\"extinfo\":{slots}{}", &event[..at], &event[end + 1..]);
        crate::support::seal(&event).json()["app_data"]["extinfo"].clone()
    };
    let empty = json!([
        "a2", "", "", "", "14", "", "", "", "", "", "", "", "", "", "", ""
    ]);
    assert_eq!(sixteen(r#"["a2",null,null,null,"14"]"#), empty);
    assert_eq!(
        sixteen(r#"["a2",null,{},[],"14",false,"","","","","","","","","","","",""]"#),
        empty
    );
    assert_eq!(sixteen(EXTINFO)[9], 390);
    // Meta takes a number in the place of the system's version for none at all.
    let numbers = r#"["a2",1,2,3.50,14,0,0,0,0,1080,2400.0,2.6,8,128,64.5,0]"#;
    let texts = json!([
        "a2", "1", "2", "3.50", "14", "0", "0", "0", "0", 1080, 2400, "2.6", 8, 128, "64.5", "0"
    ]);
    assert_eq!(sixteen(numbers), texts);
    // The Node SDK writes the list as an object with numbered keys.
    assert_eq!(sixteen(r#"{"0":"a2","1":"","4":"14","15":""}"#), empty);
    let flags = [
        (r#"{"app_data":{"advertiser_tracking_enabled":1}}"#, "1"),
        (
            r#"{"app_data":{"advertiser_tracking_enabled":true}}"#,
            "true",
        ),
        (
            r#"{"app_data":{"advertiser_tracking_enabled":"TRUE"}}"#,
            "true",
        ),
    ];
    assert_sent(&app(), "/app_data/advertiser_tracking_enabled", &flags);
}

fn messaging(channel: &str, user_data: &str) -> Value {
    let patch = format!(
        r#"{{"event_name":"LeadSubmitted","action_source":"business_messaging","messaging_channel":"{channel}"}}"#
    );
    patched(&of_person(user_data), &patch)
}

#[test]
fn messaging_events_need_the_ids_of_their_channel() {
    for (channel, user_data, expected) in [
        (
            "messenger",
            r#"{"page_id":"1","page_scoped_user_id":"2"}"#,
            &[][..],
        ),
        (
            "messenger",
            r#"{"page_id":"1"}"#,
            &["messaging_ids_missing"],
        ),
        (
            "messenger",
            r#"{"page_scoped_user_id":"2"}"#,
            &["messaging_page_missing"],
        ),
        (
            "whatsapp",
            r#"{"ctwa_clid":"c","whatsapp_business_account_id":"1"}"#,
            &[][..],
        ),
        ("whatsapp", r#"{"ctwa_clid":"c","page_id":"1"}"#, &[]),
        (
            "whatsapp",
            r#"{"ctwa_clid":"c"}"#,
            &["messaging_page_missing"],
        ),
        (
            "whatsapp",
            r#"{"page_id":"1","whatsapp_business_account_id":"1"}"#,
            &["messaging_ids_missing"],
        ),
        ("instagram", r#"{"ig_sid":"1","ig_account_id":"2"}"#, &[]),
        (
            "instagram",
            r#"{"ig_sid":"1","instagram_business_account_id":"2"}"#,
            &[][..],
        ),
        (
            "instagram",
            r#"{"ig_sid":"1"}"#,
            &["messaging_account_missing"],
        ),
        (
            "instagram",
            r#"{"page_id":"1","page_scoped_user_id":"2"}"#,
            &["messaging_account_missing", "messaging_ids_missing"],
        ),
        (
            "Messenger",
            r#"{"page_id":"1","page_scoped_user_id":"2"}"#,
            &[][..],
        ),
    ] {
        let outcome = seal_value(&messaging(channel, user_data));
        assert_eq!(outcome.codes(), expected, "{channel} {user_data}");
    }
}

#[test]
fn messaging_events_need_a_channel_and_one_of_fourteen_names() {
    let base = messaging("messenger", r#"{"page_id":"1","page_scoped_user_id":"2"}"#);
    let rows: &[Row<'_>] = &[
        (
            r#"{"messaging_channel":null}"#,
            &["messaging_channel_missing"],
        ),
        (
            r#"{"messaging_channel":"telegram"}"#,
            &["enum_unknown", "messaging_channel_missing"],
        ),
        (r#"{"event_name":"Lead"}"#, &["messaging_event_name"]),
        (r#"{"event_name":"Contact"}"#, &["messaging_event_name"]),
        (r#"{"event_name":"TalkedToUs"}"#, &["messaging_event_name"]),
        (
            r#"{"event_name":"leadsubmitted"}"#,
            &["messaging_event_name"],
        ),
        (
            r#"{"event_name":"Purchase"}"#,
            &["purchase_currency_missing", "purchase_value_missing"],
        ),
        (r#"{"action_source":"chat"}"#, &["messaging_channel_unused"]),
    ];
    assert_codes(&base, rows);
    for name in [
        "LeadSubmitted",
        "InitiateCheckout",
        "AddToCart",
        "ViewContent",
        "OrderCreated",
        "OrderShipped",
        "OrderDelivered",
        "OrderCanceled",
        "OrderReturned",
        "CartAbandoned",
        "QualifiedLead",
        "RatingProvided",
        "ReviewProvided",
    ] {
        let outcome = seal_value(&patched(&base, &format!(r#"{{"event_name":"{name}"}}"#)));
        assert_eq!(outcome.codes(), [""; 0], "{name}");
        assert!(outcome.sealed.unwrap().is_standard(), "{name}");
    }
}

/// A CRM event without the two keys is accepted and not counted as a conversion lead.
#[test]
fn crm_events_say_that_they_are() {
    let base = patched(
        &of_person(r#"{"lead_id":"1234567890123456"}"#),
        r#"{"event_name":"Qualified","action_source":"system_generated",
            "custom_data":{"event_source":"crm","lead_event_source":"Our CRM"}}"#,
    );
    let rows: &[Row<'_>] = &[
        (r#"{"custom_data":null}"#, &["crm_fields_missing"]),
        (
            r#"{"custom_data":{"event_source":null}}"#,
            &["crm_fields_missing"],
        ),
        (
            r#"{"custom_data":{"lead_event_source":null}}"#,
            &["crm_fields_missing"],
        ),
        (
            r#"{"custom_data":{"lead_event_source":""}}"#,
            &["crm_fields_missing", "value_empty"],
        ),
        (r#"{"user_data":{"lead_id":1234567890123456}}"#, &[]),
        (
            r#"{"user_data":{"lead_id":"123"}}"#,
            &["lead_id_invalid", "user_data_missing"],
        ),
        (
            r#"{"user_data":{"lead_id":"123","em":"a@b.de"}}"#,
            &["lead_id_invalid"],
        ),
        (
            r#"{"event_name":"Purchase","custom_data":{"value":1,"currency":"EUR"}}"#,
            &["crm_purchase_name"],
        ),
        // Not every generated event is a CRM's: a renewal of a subscription is not.
        (
            r#"{"event_name":"Subscribe","custom_data":null,"user_data":{"lead_id":null,"em":"a@b.de"}}"#,
            &[],
        ),
    ];
    assert_codes(&base, rows);
}

/// Limited data use is a promise to a person: whatever is wrong with the place, `LDU` stays.
#[test]
fn limited_data_use_survives_a_wrong_place() {
    let with = of_person(r#"{"em":"a@b.de","client_ip_address":"203.0.113.7"}"#);
    let rows: &[(&str, &str, &[&str])] = &[
        (r#""data_processing_options":[]"#, "[[],null,null]", &[]),
        (
            r#""data_processing_options":["LDU"]"#,
            r#"[["LDU"],0,0]"#,
            &[],
        ),
        (
            r#""data_processing_options":["LDU"],"data_processing_options_country":0,"data_processing_options_state":0"#,
            r#"[["LDU"],0,0]"#,
            &[],
        ),
        (
            r#""data_processing_options":["LDU"],"data_processing_options_country":1,"data_processing_options_state":1000"#,
            r#"[["LDU"],1,1000]"#,
            &[],
        ),
        (
            r#""data_processing_options":["LDU"],"data_processing_options_country":"1","data_processing_options_state":"1013""#,
            r#"[["LDU"],1,1013]"#,
            &[],
        ),
        (
            r#""data_processing_options":["LDU"],"data_processing_options_state":1003"#,
            r#"[["LDU"],1,1003]"#,
            &[],
        ),
        (
            r#""data_processing_options":["LDU"],"data_processing_options_country":1,"data_processing_options_state":1014"#,
            r#"[["LDU"],0,0]"#,
            &["ldu_state_unknown"],
        ),
        (
            r#""data_processing_options":["LDU"],"data_processing_options_country":1"#,
            r#"[["LDU"],0,0]"#,
            &["ldu_state_unknown"],
        ),
        (
            r#""data_processing_options":["LDU"],"data_processing_options_country":49,"data_processing_options_state":1000"#,
            r#"[["LDU"],0,0]"#,
            &["ldu_state_unknown"],
        ),
        (
            r#""data_processing_options":"LDU""#,
            r#"[["LDU"],0,0]"#,
            &[],
        ),
        (
            r#""data_processing_options":["ldu"]"#,
            r#"[["LDU"],0,0]"#,
            &[],
        ),
        (
            r#""data_processing_options":["LDU","GDPR"]"#,
            r#"[["LDU"],0,0]"#,
            &["ldu_option_unknown"],
        ),
        (
            r#""data_processing_options":["GDPR"]"#,
            r#"[["LDU"],0,0]"#,
            &["ldu_option_unknown"],
        ),
        (
            r#""data_processing_options":[" "]"#,
            "[[],null,null]",
            &["ldu_option_unknown"],
        ),
        (r#""ldu":true"#, r#"[["LDU"],0,0]"#, &["key_alias"]),
        (r#""limited_data_use":0"#, "[[],null,null]", &["key_alias"]),
        (
            r#""data_processing_options":5"#,
            r#"[["LDU"],0,0]"#,
            &["value_type"],
        ),
        (
            r#""data_processing_options":[["LDU"]]"#,
            r#"[["LDU"],0,0]"#,
            &["value_type"],
        ),
        (
            r#""data_processing_options":true"#,
            r#"[["LDU"],0,0]"#,
            &["value_type"],
        ),
        (
            r#""data_processing_options_country":1"#,
            "[null,null,null]",
            &["ldu_option_unknown"],
        ),
    ];
    for (fields, expected, codes) in rows {
        let event = with.to_string().replacen('{', &format!("{{{fields},"), 1);
        let outcome = crate::support::seal(&event);
        assert_eq!(outcome.codes(), *codes, "{fields}");
        let json = outcome.json();
        let sent = json!([
            json.get("data_processing_options"),
            json.get("data_processing_options_country"),
            json.get("data_processing_options_state"),
        ]);
        assert_eq!(
            sent,
            serde_json::from_str::<Value>(expected).unwrap(),
            "{fields}"
        );
    }
    let event = r#"{"data_processing_options":[""]}"#;
    let outcome = seal_value(&patched(&with, event));
    let message = outcome.message("ldu_option_unknown");
    assert_eq!(message, "an empty option limits nothing; left out");
    // Meta locates the person by the address, so one is needed.
    let without = of_person(r#"{"em":"a@b.de"}"#);
    let rows: &[Row<'_>] = &[
        (
            r#"{"data_processing_options":["LDU"]}"#,
            &["ldu_no_location"],
        ),
        (
            r#"{"data_processing_options":["LDU"],"data_processing_options_country":1,"data_processing_options_state":1000}"#,
            &[],
        ),
    ];
    assert_codes(&without, rows);
}

/// What cannot be read of the options may not end in an event without them.
#[test]
fn unreadable_options_do_not_switch_limited_data_use_off() {
    let base = of_person(r#"{"em":"a@b.de","client_ip_address":"203.0.113.7"}"#);
    for options in [r#"["LDU",5]"#, r#"" LDU ""#, r#""[\"LDU\"]""#] {
        let patch = format!(r#"{{"data_processing_options":{options}}}"#);
        let json = seal_value(&patched(&base, &patch)).json();
        assert_eq!(json["data_processing_options"], json!(["LDU"]), "{options}");
    }
}
