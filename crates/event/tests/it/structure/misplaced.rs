//! Switches and test codes at other places than Meta's, and what senders write for yes, no and nothing.

use serde_json::{Value, json};

use super::{Row, assert_codes, assert_none, of_person, patched, seal_value};

fn base() -> Value {
    of_person(r#"{"em":"a@b.de","client_ip_address":"203.0.113.7"}"#)
}

/// What restricts an event is meant wherever it stands.
#[test]
fn a_switch_at_the_wrong_place_restricts_the_event() {
    let mut wrong = Vec::new();
    for (patch, options, opt_out) in [
        (
            r#"{"custom_data":{"data_processing_options":["LDU"],"data_processing_options_country":0,"data_processing_options_state":0}}"#,
            json!(["LDU"]),
            Value::Null,
        ),
        (
            r#"{"user_data":{"data_processing_options":["LDU"]}}"#,
            json!(["LDU"]),
            Value::Null,
        ),
        (
            r#"{"app_data":{"data_processing_options":["LDU"]}}"#,
            json!(["LDU"]),
            Value::Null,
        ),
        (
            r#"{"custom_data":{"dataProcessingOptions":"LDU"}}"#,
            json!(["LDU"]),
            Value::Null,
        ),
        (
            r#"{"custom_data":{"ldu":true}}"#,
            json!(["LDU"]),
            Value::Null,
        ),
        (
            r#"{"user_data":{"limited_data_use":1}}"#,
            json!(["LDU"]),
            Value::Null,
        ),
        (
            r#"{"custom_data":"{\"ldu\":true}"}"#,
            json!(["LDU"]),
            Value::Null,
        ),
        (
            r#"{"data_processing_option":["LDU"]}"#,
            json!(["LDU"]),
            Value::Null,
        ),
        (
            r#"{"data_procesing_options":["LDU"]}"#,
            json!(["LDU"]),
            Value::Null,
        ),
        (
            r#"{"dataprocessingoptions":["LDU"]}"#,
            json!(["LDU"]),
            Value::Null,
        ),
        (
            r#"{"data_processing_options":[],"custom_data":{"data_processing_options":["LDU"]}}"#,
            json!(["LDU"]),
            Value::Null,
        ),
        (
            r#"{"data_processing_options":["LDU"],"custom_data":{"data_processing_options":[]}}"#,
            json!(["LDU"]),
            Value::Null,
        ),
        (
            r#"{"custom_data":{"opt_out":true}}"#,
            Value::Null,
            json!(true),
        ),
        (
            r#"{"user_data":{"opt_out":true}}"#,
            Value::Null,
            json!(true),
        ),
        (
            r#"{"user_data":{"optOut":"yes"}}"#,
            Value::Null,
            json!(true),
        ),
        (r#"{"opt_ot":true}"#, Value::Null, json!(true)),
        (r#"{"user_data":{"optout":1}}"#, Value::Null, json!(true)),
        (
            r#"{"custom_data":{"opt_ot":true}}"#,
            Value::Null,
            json!(true),
        ),
        (
            r#"{"custom_data":{"data_processing_option":"LDU"}}"#,
            json!(["LDU"]),
            Value::Null,
        ),
        (
            r#"{"app_data":{"dataprocessingoptions":["LDU"]}}"#,
            json!(["LDU"]),
            Value::Null,
        ),
        (
            r#"{"custom_data":{"custom_properties":{"limiteddatause":true}}}"#,
            json!(["LDU"]),
            Value::Null,
        ),
        (
            r#"{"opt_out":true,"custom_data":{"opt_out":false}}"#,
            Value::Null,
            json!(true),
        ),
        (
            r#"{"opt_out":false,"custom_data":{"opt_out":true}}"#,
            Value::Null,
            json!(true),
        ),
        (
            r#"{"custom_data":{"opt_out":false}}"#,
            Value::Null,
            json!(false),
        ),
    ] {
        let outcome = seal_value(&patched(&base(), patch));
        let json = outcome.json();
        let found = (&json["data_processing_options"], &json["opt_out"]);
        if found != (&options, &opt_out) || !outcome.codes().contains(&"key_misplaced") {
            let codes = outcome.codes();
            // A switch inside a text has no path of its own.
            if !patch.contains(r#"\""#) || found != (&options, &opt_out) {
                wrong.push(format!("{patch}: {found:?} {codes:?}"));
            }
        }
        for key in ["custom_data", "user_data", "app_data"] {
            let is_there =
                json[key].to_string().contains("opt") || json[key].to_string().contains("LDU");
            if is_there {
                wrong.push(format!("{patch}: still in {key}"));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn words_for_no_and_for_nothing_switch_nothing_on() {
    let mut wrong = Vec::new();
    for (value, expected) in [
        ("true", json!(true)),
        ("1", json!(true)),
        (r#""on""#, json!(true)),
        (r#""Y""#, json!(true)),
        (r#""ja""#, json!(true)),
        ("[true]", json!(true)),
        (r#""maybe""#, json!(true)),
        ("7", json!(true)),
        (r#"{"a":1}"#, json!(true)),
        ("false", json!(false)),
        ("0", json!(false)),
        ("0.0", json!(false)),
        (r#""off""#, json!(false)),
        (r#""n""#, json!(false)),
        (r#""N""#, json!(false)),
        (r#""f""#, json!(false)),
        (r#""No""#, json!(false)),
        (r#""nein""#, json!(false)),
        (r#""não""#, json!(false)),
        (r#""нет""#, json!(false)),
        (r#""""#, Value::Null),
        (r#"" ""#, Value::Null),
        (r#""null""#, Value::Null),
        (r#""undefined""#, Value::Null),
        (r#""none""#, Value::Null),
        (r#""N/A""#, Value::Null),
        (r#""{{opt_out}}""#, Value::Null),
        ("[]", Value::Null),
        ("{}", Value::Null),
    ] {
        let sealed = seal_value(&patched(&base(), &format!(r#"{{"opt_out":{value}}}"#)));
        let found = sealed.json()["opt_out"].clone();
        if found != expected {
            wrong.push(format!("opt_out {value}: {found}"));
        }
        let limits = match expected {
            Value::Bool(true) => json!(["LDU"]),
            Value::Bool(false) => json!([]),
            _ => Value::Null,
        };
        let sealed = seal_value(&patched(&base(), &format!(r#"{{"ldu":{value}}}"#)));
        let found = sealed.json()["data_processing_options"].clone();
        if found != limits {
            wrong.push(format!("ldu {value}: {found}"));
        }
    }
    for value in [
        "[]",
        r#""""#,
        "false",
        "0",
        r#""none""#,
        r#""null""#,
        r#""no""#,
        r#"["none"]"#,
        "[null]",
        r#"["null"]"#,
        "[false]",
        r#"[""]"#,
        r#""off""#,
    ] {
        let patch = format!(r#"{{"data_processing_options":{value}}}"#);
        let found = seal_value(&patched(&base(), &patch)).json()["data_processing_options"].clone();
        if found != json!([]) {
            wrong.push(format!("data_processing_options {value}: {found}"));
        }
    }
    assert_none(&wrong);
}

/// Names that say the same as `opt_out` are read as that; of others it is told that they restrict nothing.
#[test]
fn objections_are_used_or_told() {
    for key in [
        "opted_out",
        "isOptOut",
        "is_opted_out",
        "hasOptedOut",
        "user_opt_out",
        "optout",
        "customer-opt-out",
    ] {
        for object in ["custom_data", "user_data"] {
            let patch = format!(r#"{{"{object}":{{"{key}":"yes"}}}}"#);
            let outcome = seal_value(&patched(&base(), &patch));
            assert_eq!(outcome.json()["opt_out"], true, "{patch}");
            assert_eq!(outcome.codes(), ["key_misplaced"], "{patch}");
            assert!(outcome.json()[object].get(key).is_none(), "{patch}");
        }
    }
    let mut rows = Vec::new();
    for (property, is_told) in [
        (r#""do_not_track":true"#, true),
        (r#""DNT":"1""#, true),
        (r#""gpc":1"#, true),
        (r#""Sec-GPC":"1""#, true),
        (r#""globalPrivacyControl":"yes""#, true),
        (r#""do_not_sell":true"#, true),
        (r#""ccpa_opt_out":"true""#, true),
        (r#""unsubscribed":true"#, true),
        (r#""hasConsent":false"#, true),
        (r#""marketing_consent":"no""#, true),
        (r#""ad_user_data":"denied""#, true),
        (r#""do_not_track":false"#, false),
        (r#""dnt":"0""#, false),
        (r#""gpc":null"#, false),
        (r#""unsubscribed":"newsletter""#, false),
        (r#""hasConsent":true"#, false),
        (r#""user_consent":"granted""#, false),
        (r#""consent_text":"no""#, false),
        (r#""opt_in":false"#, false),
    ] {
        let told: &[&str] = if is_told { &["objection_unused"] } else { &[] };
        rows.push((format!(r#"{{"custom_data":{{{property}}}}}"#), told));
    }
    let rows: Vec<Row<'_>> = rows
        .iter()
        .map(|(patch, told)| (patch.as_str(), *told))
        .collect();
    assert_codes(&base(), &rows);
}

/// The options and their place belong together, wherever they stand.
#[test]
fn options_at_the_wrong_place_keep_their_country_and_state() {
    for patch in [
        r#"{"custom_data":{"data_processing_options":["LDU"],"data_processing_options_country":1,"data_processing_options_state":1000}}"#,
        r#"{"user_data":{"data_processing_options_state":1000,"data_processing_options_country":1,"ldu":true}}"#,
        r#"{"data_processing_options":["LDU"],"custom_data":{"data_processing_options_country":1,"data_processing_options_state":1000}}"#,
        r#"{"data_processing_options_country":1,"data_processing_options_state":1000,"custom_data":{"ldu":1}}"#,
        r#"{"data_processing_options":["LDU"],"data_processing_options_country":1,"data_processing_options_state":1000,"custom_data":{"data_processing_options_country":0,"data_processing_options_state":0}}"#,
        r#"{"custom_data":"{\"ldu\":true,\"data_processing_options_country\":1,\"data_processing_options_state\":1000}"}"#,
        r#"{"data_processing_options":["LDU"],"custom_data":"{\"data_processing_options_country\":1,\"data_processing_options_state\":1000}"}"#,
        r#"{"custom_data":{"contents":[{"id":"A","ldu":1,"data_processing_options_country":1,"data_processing_options_state":1000}]}}"#,
    ] {
        let outcome = seal_value(&patched(&base(), patch));
        let json = outcome.json();
        assert_eq!(json["data_processing_options"], json!(["LDU"]), "{patch}");
        assert_eq!(json["data_processing_options_country"], 1, "{patch}");
        assert_eq!(json["data_processing_options_state"], 1000, "{patch}");
    }
}

/// In an entry of a list that is a text it is told, and not sent as a property of a thing.
#[test]
fn a_test_code_in_a_list_in_a_text_is_told() {
    let patch = r#"{"custom_data":{"contents":"[{\"id\":\"A\",\"quantity\":1,\"test_event_code\":\"TEST1\"}]"}}"#;
    assert_codes(&base(), &[(patch, &["key_misplaced"])]);
    let outcome = seal_value(&patched(&base(), patch));
    assert!(!outcome.sealed.unwrap().json().contains("TEST1"));
}

/// Each is told at its own place, whatever else was misplaced; what is nothing is not.
#[test]
fn each_switch_in_a_list_in_a_text_is_told() {
    let patch = r#"{"test_event_code":"TEST1","custom_data":{"contents":"[{\"id\":\"A\",\"quantity\":1,\"opt_out\":true},{\"id\":\"B\",\"quantity\":1,\"ldu\":1}]"}}"#;
    let outcome = seal_value(&patched(&base(), patch));
    let told = outcome.findings.iter();
    let paths: Vec<_> = told.map(|finding| finding.path.as_str()).collect();
    let expected = [
        "test_event_code",
        "custom_data.contents[0].opt_out",
        "custom_data.contents[1].ldu",
    ];
    assert_eq!(paths, expected);
    let rows: &[Row<'_>] = &[
        (
            r#"{"custom_data":{"contents":[{"id":"A","quantity":1,"opt_out":true}]}}"#,
            &["key_misplaced"],
        ),
        (
            r#"{"custom_data":{"contents":[{"id":"A","quantity":1,"opt_out":null}]}}"#,
            &[],
        ),
    ];
    assert_codes(&base(), rows);
}

/// A test event that went out as a real one would count.
#[test]
fn a_test_code_inside_an_event_is_its_test_code() {
    for (patch, expected) in [
        (r#"{"test_event_code":"TEST1"}"#, Some("TEST1")),
        (r#"{"testEventCode":"TEST1"}"#, Some("TEST1")),
        (r#"{"test_code":"TEST1"}"#, Some("TEST1")),
        (r#"{"Test Event Code":"TEST1"}"#, Some("TEST1")),
        (r#"{"test_event_cod":"TEST1"}"#, Some("TEST1")),
        (r#"{"fb_test_event_code":"TEST1"}"#, Some("TEST1")),
        (r#"{"test_event_code":12345}"#, Some("12345")),
        (r#"{"test_event_code":["TEST1"]}"#, Some(r#"["TEST1"]"#)),
        (
            r#"{"custom_data":{"test_event_code":"TEST1"}}"#,
            Some("TEST1"),
        ),
        (
            r#"{"user_data":{"test_event_code":"TEST1"}}"#,
            Some("TEST1"),
        ),
        (
            r#"{"custom_data":"{\"test_event_code\":\"TEST1\"}"}"#,
            Some("TEST1"),
        ),
        (
            r#"{"custom_data":{"custom_properties":{"test_event_code":"TEST1"}}}"#,
            Some("TEST1"),
        ),
        (
            r#"{"custom_data":{"contents":[{"id":"A","quantity":1},{"id":"B","test_event_code":"TEST1"}]}}"#,
            Some("TEST1"),
        ),
        (
            r#"{"custom_data":{"contents":{"0":{"id":"A","test_event_code":"TEST1"}}}}"#,
            Some("TEST1"),
        ),
        (
            r#"{"custom_data":{"line_items":[{"sku":"A","testEventCode":"TEST1"}]}}"#,
            Some("TEST1"),
        ),
        (r#"{"test_event_code":""}"#, None),
        (r#"{"test_event_code":"undefined"}"#, None),
        (r#"{"test_event_code":false}"#, None),
        (r#"{"custom_data":{"test":"b"}}"#, None),
        (r#"{"custom_data":{"test_group":"b"}}"#, None),
        (r#"{"custom_data":{"event_code":"b"}}"#, None),
        (r#"{"custom_data":{"text_code":"b"}}"#, None),
    ] {
        let outcome = seal_value(&patched(&base(), patch));
        let sealed = outcome.sealed.as_ref().unwrap();
        assert_eq!(sealed.test_event_code(), expected, "{patch}");
        assert!(!sealed.json().contains("TEST1"), "{patch}");
        assert_eq!(
            outcome.codes().contains(&"key_misplaced"),
            expected.is_some(),
            "{patch}"
        );
    }
    let rows: &[Row<'_>] = &[(
        r#"{"custom_data":{"test_event_code":"TEST1"}}"#,
        &["key_misplaced"],
    )];
    assert_codes(&base(), rows);
}
