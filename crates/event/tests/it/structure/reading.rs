//! How events and bodies may be written: names, repetitions, layouts, and what SDKs really send.

use serde_json::{Value, json};
use sluice_event::batch::{self, Layout};
use sluice_event::{Event, Findings, Rules};

use super::{Row, assert_codes, assert_none, of_person, patched, seal_value, website};
use crate::support::{NOW, Outcome, seal, seal_body};

#[test]
fn unknown_keys_are_named_with_a_guess() {
    let base = website();
    for (patch, code, guess) in [
        (r#"{"event_nam":"x"}"#, "key_unknown", Some("event_name")),
        (r#"{"custm_data":{}}"#, "key_unknown", Some("custom_data")),
        (
            r#"{"event_source_ulr":"x"}"#,
            "key_unknown",
            Some("event_source_url"),
        ),
        (r#"{"favourite_colour":"red"}"#, "key_unknown", None),
        (
            r#"{"user_data":{"client_user_agnt":"x"}}"#,
            "key_unknown",
            Some("client_user_agent"),
        ),
        (
            r#"{"user_data":{"externl_id":"x"}}"#,
            "key_unknown",
            Some("external_id"),
        ),
        (r#"{"user_data":{"shoe_size":"x"}}"#, "key_unknown", None),
        (
            r#"{"custom_data":{"currancy":"EUR"}}"#,
            "custom_key_close",
            Some("currency"),
        ),
        (
            r#"{"custom_data":{"contentIds":["A"]}}"#,
            "custom_key_close",
            Some("content_ids"),
        ),
    ] {
        let outcome = seal_value(&patched(&base, patch));
        assert_eq!(outcome.codes(), [code], "{patch}");
        let message = outcome.message(code);
        match guess {
            Some(guess) => assert!(
                message.contains(&format!("did you mean {guess}?")),
                "{patch}: {message}"
            ),
            None => assert!(!message.contains("did you mean"), "{patch}: {message}"),
        }
    }
    // Only properties of the sender's own go to Meta under a name that nobody knows.
    let sent = seal_value(&patched(
        &base,
        r#"{"colour":"red","user_data":{"shoe":"43"},"custom_data":{"size":"43"}}"#,
    ));
    let json = sent.json();
    assert_eq!(
        (json.get("colour"), json["user_data"].get("shoe")),
        (None, None)
    );
    assert_eq!(json["custom_data"]["size"], "43");
}

/// RFC 8259 leaves it open what a repeated key means: the last value counts, but people are not lost.
#[test]
fn repeated_keys_are_said_and_the_last_value_counts() {
    let event = |members: &str| {
        seal(&format!(
            r#"{{"event_name":"Lead","event_time":1789999940,"event_id":"1","action_source":"chat","user_data":{{"em":"a@b.de"}},{members}}}"#
        ))
    };
    let last = |pointer: &str, members: &str| {
        let outcome = event(members);
        assert_eq!(outcome.codes(), ["key_duplicate"], "{members}");
        outcome.json().pointer(pointer).cloned()
    };
    assert_eq!(
        last("/event_name", r#""event_name":"Contact""#),
        Some("Contact".into())
    );
    assert_eq!(last("/event_id", r#""event_id":"2""#), Some("2".into()));
    assert_eq!(
        last("/event_time", r#""event_time":1789999941"#),
        Some(1_789_999_941.into())
    );
    assert_eq!(
        last("/custom_data/a", r#""custom_data":{"a":1,"b":2,"a":3}"#),
        Some(3.into())
    );
    let people = last("/user_data/em", r#""user_data":{"em":"c@d.de"}"#);
    assert_eq!(people.unwrap().as_array().unwrap().len(), 2);
    // `null` says nothing, so it takes nothing back.
    let outcome = event(r#""event_id":null,"user_data":null"#);
    assert_eq!(
        (outcome.codes(), outcome.json()["event_id"].clone()),
        (vec![], "1".into())
    );
}

/// The place that a finding names is the repeated value's, whatever stands before it.
#[test]
fn a_repeated_field_is_reported_at_itself() {
    let outcome = seal(
        r#"{"event_name":"Lead","event_time":1789999940,"event_id":"1","action_source":"chat",
            "user_data":{"em":"a@b.de","ph":"+49301234567","em":[]}}"#,
    );
    for finding in &outcome.findings {
        assert_ne!(finding.path.as_str(), "user_data.ph", "{finding:?}");
    }
}

/// Where a value is at fault, the finding names it as it stands in the input, other names included.
#[test]
fn paths_name_the_keys_that_were_sent() {
    let event = |members: &str| {
        format!(
            r#"{{"event_name":"Lead","event_time":1789999940,"event_id":"1","action_source":"chat",{members}}}"#
        )
    };
    let mut wrong = Vec::new();
    for (members, code, path) in [
        (
            r#""user_data":{"em":["a@b.de","x"]}"#,
            "em_invalid",
            "user_data.em[1]",
        ),
        (
            r#""user_data":{"em":"a@b.de","phone":"1"}"#,
            "ph_invalid",
            "user_data.phone",
        ),
        (
            r#""user_data":{"email":"a@b.de"}"#,
            "key_alias",
            "user_data.email",
        ),
        (r#""email":"x","ph":"+49301234567""#, "em_invalid", "email"),
        (
            r#""match_keys":{"em":"x","external_id":"1"}"#,
            "em_invalid",
            "match_keys.em",
        ),
        (
            r#""userData":{"em":"x","external_id":"1"}"#,
            "em_invalid",
            "userData.em",
        ),
        (
            r#""user_data":{"em":"a@b.de"},"customData":{"num_items":"x"}"#,
            "value_type",
            "customData.num_items",
        ),
        (
            r#""user_data":{"em":"a@b.de"},"currency_code":"EURO""#,
            "currency_unknown",
            "currency_code",
        ),
        (
            r#""user_data":{"em":"a@b.de"},"custom_data":{"a b":[{"c.d":"x@y.de"}]}"#,
            "custom_data_contact",
            r#"custom_data["a b"]"#,
        ),
        (
            r#""user_data":{"em":"a@b.de"},"custom_data":{"contents":[{"id":"1","quantity":1},{"id":"2","quantity":1,"item_price":"?"}]}"#,
            "value_invalid",
            "custom_data.contents[1].item_price",
        ),
        (
            r#""user_data":{"em":"a@b.de"},"custom_data":{"content_ids":["A",[]]}"#,
            "value_type",
            "custom_data.content_ids[1]",
        ),
        (
            r#""user_data":{"em":"a@b.de"},"custom_data":{"x@y.de":1}"#,
            "custom_data_contact",
            "custom_data",
        ),
        (
            r#""user_data":{"em":"a@b.de"},"ldu":true,"dpo_country":7"#,
            "ldu_state_unknown",
            "ldu",
        ),
        (
            r#""user_data":{"em":"a@b.de"},"dpo":["LDU"],"dpo_country":7"#,
            "ldu_state_unknown",
            "dpo",
        ),
    ] {
        let outcome = seal(&event(members));
        let paths: Vec<_> = (outcome.findings.iter())
            .filter(|finding| finding.code.name() == code)
            .map(|finding| finding.path.as_str())
            .collect();
        if paths != [path] {
            wrong.push(format!(
                "{members}\n  expected {path}\n  found    {paths:?}"
            ));
        }
    }
    assert_none(&wrong);
}

#[test]
fn an_event_may_be_a_string_that_holds_one() {
    let event = website();
    let plain = seal_value(&event).sealed.unwrap();
    let quoted = seal(&Value::from(event.to_string()).to_string());
    assert_eq!(quoted.codes(), [""; 0]);
    assert_eq!(quoted.sealed.unwrap().json(), plain.json());
    for (text, code) in [
        (r#""not json""#, "json_invalid"),
        (r#""""#, "json_invalid"),
        (r#""7""#, "event_not_object"),
        ("7", "event_not_object"),
        ("null", "event_not_object"),
        ("[]", "event_not_object"),
    ] {
        let outcome = seal(text);
        assert_eq!(
            (outcome.codes(), outcome.sealed.is_none()),
            (vec![code], true),
            "{text}"
        );
    }
}

fn names(body: &str) -> Vec<Option<String>> {
    let (outcomes, _) = seal_body(body.as_bytes(), &Rules::default(), NOW);
    let name = |outcome: &Outcome| Some(outcome.sealed.as_ref()?.event_name().to_owned());
    outcomes.iter().map(name).collect()
}

/// One event, lists, Meta's envelope, NDJSON; events as objects or as strings; compact or pretty.
#[test]
fn every_layout_of_a_body_gives_the_same_events() {
    let [one, two] = ["Lead", "Contact"].map(|name| {
        patched(
            &of_person(r#"{"em":"a@b.de"}"#),
            &format!(r#"{{"event_name":"{name}"}}"#),
        )
    });
    let list = json!([one, two]);
    let strings = json!([one.to_string(), two.to_string()]);
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap();
    let mut wrong = Vec::new();
    for body in [
        list.to_string(),
        pretty(&list),
        strings.to_string(),
        json!({ "data": list }).to_string(),
        pretty(&json!({ "data": list })),
        json!({ "data": strings }).to_string(),
        json!({ "data": list.to_string() }).to_string(),
        json!({ "test_event_code": "T", "id": null, "partner_agent": null, "data": list })
            .to_string(),
        format!("{one}\n{two}"),
        format!("{one}\r\n\r\n{two}\r\n"),
        format!("\u{feff}{one}\n{two}\n"),
        format!("[\n{one},\n{two}\n]"),
        format!("{{\"data\":[\n{one},\n{two}\n]}}"),
        format!("{{\"data\":\n[{one},{two}]}}"),
    ] {
        let found = names(&body);
        if found != [Some("Lead".to_owned()), Some("Contact".to_owned())] {
            wrong.push(format!("{body}\n  found {found:?}"));
        }
    }
    assert_none(&wrong);
}

#[test]
fn one_bad_event_harms_only_itself() {
    let good = of_person(r#"{"em":"a@b.de"}"#).to_string();
    let lead = Some("Lead".to_owned());
    for bad in [
        "{}",
        "null",
        "7",
        "[]",
        r#""x""#,
        r#""{\"event_name\":""#,
        r#"{"event_name":[{}]}"#,
        r#"{"event_name":"Lead","user_data":{"em":"\ud800"}}"#,
        r#"{"event_name":"Lead","event_time":1e400}"#,
    ] {
        for body in [
            format!("[{good},{bad},{good}]"),
            format!("{{\"data\":[{good},{bad},{good}]}}"),
            format!("{good}\n{bad}\n{good}"),
        ] {
            assert_eq!(names(&body), [lead.clone(), None, lead.clone()], "{body}");
        }
    }
    // Lines are told apart whatever is in them.
    for bad in [
        "{",
        "not json",
        r#"{"event_name":"Lead",}"#,
        "]",
        "\"",
        "\u{0}",
    ] {
        let body = format!("{good}\n{bad}\n{good}");
        assert_eq!(names(&body), [lead.clone(), None, lead.clone()], "{body}");
    }
    // The first line too, as long as it begins like an event.
    for bad in ["{", r#"{"event_name":"Lead",}"#, r#"{"event_name":"Le"#] {
        let body = format!("{bad}\n{good}\n{good}");
        assert_eq!(names(&body), [None, lead.clone(), lead.clone()], "{body}");
    }
}

#[test]
fn layouts_say_where_an_event_stands() {
    for (body, layout, path) in [
        ("{}", Layout::Single, ""),
        ("[{}]", Layout::Array, "[0]"),
        (r#"{"data":[{}]}"#, Layout::Envelope, "data[0]"),
        ("{}\n{}", Layout::Lines, "[0]"),
    ] {
        let read = batch::read(body, |_| {}).unwrap_or_else(|error| panic!("{body}: {error}"));
        assert_eq!(
            (read.layout, read.layout.path(0)),
            (layout, path.to_owned()),
            "{body}"
        );
    }
}

/// Node writes `null` for whatever was not set, beside the list and inside events.
#[test]
fn the_body_of_the_node_sdk_leaves_no_null_and_no_finding() {
    let body = r#"{
        "id":null,"access_token":"EAAB","partner_agent":null,"test_event_code":"TEST1","namespace_id":null,
        "upload_id":null,"upload_tag":null,"upload_source":null,
        "data":[{
            "event_name":"Purchase","event_time":1789999940,"event_id":"A-1","event_source_url":"https://shop.example/",
            "opt_out":null,"action_source":"website","data_processing_options":null,
            "data_processing_options_country":null,"data_processing_options_state":null,
            "advertiser_tracking_enabled":null,"messaging_channel":null,"original_event_data":null,
            "attribution_data":null,"app_data":null,"referrer_url":null,
            "user_data":{"em":["62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"],"ph":null,"fn":[],
                "client_ip_address":"203.0.113.7","client_user_agent":"Mozilla/5.0","fbc":null,"fbp":null,
                "subscription_id":null,"madid":null,"lead_id":null,"country":null},
            "custom_data":{"value":123.45,"currency":"EUR","content_name":null,"content_ids":null,
                "contents":[{"id":"A","quantity":1,"item_price":null,"title":null,"delivery_category":null}],
                "order_id":null,"predicted_ltv":null,"num_items":null,"status":null,"search_string":null,
                "delivery_category":null,"item_number":null,"custom_properties":null}
        }]}"#;
    let (outcomes, is_whole) = seal_body(body.as_bytes(), &Rules::default(), NOW);
    assert!(is_whole);
    let outcome = &outcomes[0];
    assert_eq!(outcome.codes(), [""; 0]);
    let sealed = outcome.sealed.as_ref().unwrap();
    assert!(!sealed.json().contains("null"), "{}", sealed.json());
    let body = batch::read(body, |_| {}).unwrap();
    assert_eq!(body.test_event_code().as_deref(), Some("TEST1"));
}

/// PHP sends objects with lists for every hashed field, and keeps `[]` and 0 of the options; the
/// Python SDK sends each event as a string, with `null` in the slots of `extinfo`.
#[test]
fn the_bodies_of_the_php_and_python_sdks_are_read() {
    let php = r#"[{"event_name":"Lead","event_time":1789999940,"event_id":"A-1","action_source":"system_generated",
        "data_processing_options":[],"data_processing_options_country":0,"data_processing_options_state":0,
        "user_data":{"em":["62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"],
            "client_ip_address":"203.0.113.7","madid":"38400000-8cf0-11bd-b23e-10b96e40000d"}}]"#;
    let (outcomes, _) = seal_body(
        json!({ "data": php }).to_string().as_bytes(),
        &Rules::default(),
        NOW,
    );
    assert_eq!(outcomes[0].codes(), [""; 0]);
    let json = outcomes[0].json();
    assert_eq!(json["data_processing_options"], json!([]));
    assert_eq!(json["data_processing_options_state"], 0);

    let event = json!({
        "event_name": "Lead", "event_time": 1_789_999_940, "event_id": "A-1", "action_source": "app",
        "user_data": { "madid": "38400000-8cf0-11bd-b23e-10b96e40000d", "em": null },
        "app_data": {
            "advertiser_tracking_enabled": true,
            "extinfo": ["a2", null, null, null, "14", null, null, null, null, null, null, null, null, null, null, null],
        },
        "custom_data": { "value": null, "contents": [] },
    });
    let python = json!([event.to_string()]).to_string();
    let (outcomes, _) = seal_body(
        json!({ "data": python }).to_string().as_bytes(),
        &Rules::default(),
        NOW,
    );
    assert_eq!(outcomes[0].codes(), [""; 0]);
    let sealed = outcomes[0].sealed.as_ref().unwrap();
    assert!(!sealed.json().contains("null"), "{}", sealed.json());
}

#[test]
fn null_is_no_value_anywhere() {
    let everything = [
        "event_source_url",
        "referrer_url",
        "opt_out",
        "app_data",
        "original_event_data",
        "attribution_data",
        "data_processing_options",
        "data_processing_options_country",
        "data_processing_options_state",
        "messaging_channel",
        "customer_segmentation",
        "advanced_measurement_table",
        "advertiser_tracking_enabled",
        "extinfo",
        "email",
        "revenue",
        "match_keys",
        "favourite_colour",
    ];
    let plain = of_person(r#"{"em":"a@b.de"}"#);
    let mut nulls = plain.clone();
    for key in everything {
        nulls[key] = Value::Null;
    }
    nulls["custom_data"] = json!({ "value": null, "contents": null, "own": null });
    let outcome = seal_value(&nulls);
    assert_eq!(outcome.codes(), [""; 0]);
    assert_eq!(
        outcome.sealed.unwrap().json(),
        seal_value(&plain).sealed.unwrap().json()
    );
}

#[test]
fn syntax_errors_name_the_place_of_the_flaw() {
    let mut findings = Findings::new();
    let event = Event::parse("{\n  \"event_name\": Lead\n}", &mut findings);
    assert!(event.is_none());
    let finding = findings.iter().next().unwrap();
    assert_eq!(finding.code.name(), "json_invalid");
    assert!(
        finding.message.contains("line 2, column 17"),
        "{}",
        finding.message
    );
}

#[test]
fn findings_point_to_a_rule_with_help_and_source() {
    let rows: &[Row<'_>] = &[(
        r#"{"custom_data":{"currency":"EURO"}}"#,
        &["currency_unknown", "purchase_currency_missing"],
    )];
    assert_codes(&website(), rows);
    let outcome = seal_value(&patched(&website(), rows[0].0));
    for finding in &outcome.findings {
        assert!(
            !finding.help().is_empty()
                && !finding.source().is_empty()
                && !finding.message.is_empty()
        );
    }
    assert!(
        outcome.message("currency_unknown").contains("EURO"),
        "what was found is named"
    );
}

/// Meta's own keys win wherever they stand, and another name cannot spoil them.
#[test]
fn an_alias_never_overrides_metas_own_key() {
    for (fields, key, expected) in [
        (r#""date":"2023-11-29""#, "event_time", "1789999940"),
        (
            r#""created_at":"2019-01-01T00:00:00Z""#,
            "event_time",
            "1789999940",
        ),
        (r#""event":"Other""#, "event_name", "\"Lead\""),
        (r#""unique_event_id":"x""#, "event_id", "\"1\""),
        (r#""channel":"facebook""#, "action_source", "\"chat\""),
    ] {
        for event in [
            format!(
                r#"{{{fields},"event_name":"Lead","event_time":1789999940,"event_id":"1","action_source":"chat","user_data":{{"em":"a@b.de"}}}}"#
            ),
            format!(
                r#"{{"event_name":"Lead","event_time":1789999940,"event_id":"1","action_source":"chat","user_data":{{"em":"a@b.de"}},{fields}}}"#
            ),
        ] {
            let outcome = seal(&event);
            assert!(!outcome.findings.has_error(), "{event}");
            assert_eq!(outcome.json()[key].to_string(), expected, "{event}");
        }
    }
    let outcome = seal(
        r#"{"price":"5","event_name":"ViewContent","event_time":1789999940,"event_id":"1","action_source":"chat","user_data":{"em":"a@b.de"},"custom_data":{"value":100,"currency":"EUR"},"total":7}"#,
    );
    assert_eq!(outcome.json()["custom_data"]["value"], 100);
}

/// Tables and spreadsheets turn ids into floats.
#[test]
fn whole_numbers_are_read_in_any_spelling() {
    let outcome = seal(
        r#"{"event_name":"Lead","event_time":1.78999994e9,"event_id":7.0,"action_source":"chat","user_data":{"ph":1.6505551212e10,"zp":94035.0,"external_id":12345.0,"lead_id":123456789012345.0},"custom_data":{"order_id":17.0,"num_items":2.0}}"#,
    );
    let same = seal(
        r#"{"event_name":"Lead","event_time":1789999940,"event_id":"7","action_source":"chat","user_data":{"ph":"16505551212","zp":"94035","external_id":"12345","lead_id":"123456789012345"},"custom_data":{"order_id":"17","num_items":2}}"#,
    );
    assert_eq!(outcome.json(), same.json());
}

/// Form senders put objects into strings, and PHP writes an empty one as `[]`.
#[test]
fn objects_are_read_from_strings_and_lists_of_one() {
    let plain = r#"{"em":"a@b.de","fn":"Mary"}"#;
    let expected = seal(&with_user_data(plain)).json();
    for written in [serde_json::to_string(plain).unwrap(), format!("[{plain}]")] {
        assert_eq!(
            seal(&with_user_data(&written)).json(),
            expected,
            "{written}"
        );
    }
    for empty in ["[]", "\"\"", "null"] {
        let event = with_user_data(plain).replacen('{', &format!(r#"{{"custom_data":{empty},"#), 1);
        assert_eq!(seal(&event).json(), expected, "{empty}");
    }
}

fn with_user_data(user_data: &str) -> String {
    format!(
        r#"{{"event_name":"Lead","event_time":1789999940,"event_id":"1","action_source":"chat","user_data":{user_data}}}"#
    )
}

/// A limit holds over all the places that values may come from.
#[test]
fn wrapped_objects_share_the_limits_of_plain_ones() {
    let values = |from: usize| {
        (from..from + 40)
            .map(|n| format!("u{n}@b.de"))
            .collect::<Vec<_>>()
    };
    let wrapped = serde_json::json!({ "em": values(40) }).to_string();
    let event = serde_json::json!({
        "event_name": "Lead", "event_time": 1_789_999_940, "event_id": "1", "action_source": "chat",
        "match_keys": { "em": values(0) }, "user_data": wrapped,
    });
    let outcome = seal(&event.to_string());
    assert_eq!(
        outcome.json()["user_data"]["em"].as_array().unwrap().len(),
        50
    );
    assert!(outcome.codes().contains(&"too_many"));
}

/// The id that is taken from the order is the order's, as it is sent.
#[test]
fn an_event_id_from_a_float_order_id_is_the_same_text() {
    let outcome = seal(
        r#"{"event_name":"Lead","event_time":1789999940,"action_source":"chat","user_data":{"em":"a@b.de"},"custom_data":{"order_id":17.0}}"#,
    );
    assert_eq!(
        outcome.json()["event_id"],
        outcome.json()["custom_data"]["order_id"]
    );
}
