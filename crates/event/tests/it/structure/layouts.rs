//! How events are put together into one body: what stands among them or round them, and what holds for all.

use std::borrow::Cow;

use serde_json::json;
use sluice_event::batch::{self, Layout};

use super::{assert_codes, patched, seal_value, website};

/// What was read of a body: how it is written, the names of its events, its test code, and whether a switch is
/// meant for all of them.
fn read(body: &str) -> (Layout, Vec<Option<String>>, Option<String>, bool) {
    let mut names = Vec::new();
    let read = batch::read(body, |item| {
        let name = item.event.and_then(|event| event.event_name);
        names.push(name.map(Cow::into_owned));
    });
    let read = read.unwrap_or_else(|error| panic!("{body}: {error}"));
    let code = read.test_event_code().map(Cow::into_owned);
    (read.layout, names, code, read.has_switch())
}

/// Otherwise it would be one refused event, and all others would go out as real ones.
#[test]
fn a_test_code_among_events_is_that_of_all() {
    for (body, layout) in [
        (
            "{\"test_event_code\":\"T1\"}\n{\"event_name\":\"A\"}\n{\"event_name\":\"B\"}",
            Layout::Lines,
        ),
        (
            "{\"event_name\":\"A\"}\n{\"event_name\":\"B\"}\n{\"testEventCode\":\"T1\"}\n",
            Layout::Lines,
        ),
        (
            "{\"event_name\":\"A\"}\n{\"test_event_code\":\"T1\",\"partner_agent\":\"x\"}\n{\"event_name\":\"B\"}",
            Layout::Lines,
        ),
        (
            r#"[{"test_event_code":"T1"},{"event_name":"A"},{"event_name":"B"}]"#,
            Layout::Array,
        ),
        (
            r#"{"data":[{"event_name":"A"},{"event_name":"B"},{"test_code":"T1"}]}"#,
            Layout::Envelope,
        ),
        (
            r#"{"data":"[{\"test_event_code\":\"T1\"},{\"event_name\":\"A\"},{\"event_name\":\"B\"}]"}"#,
            Layout::Envelope,
        ),
    ] {
        let names = vec![Some("A".to_owned()), Some("B".to_owned())];
        let code = Some("T1".to_owned());
        assert_eq!(read(body), (layout, names, code, false), "{body}");
    }
    for body in [
        "{\"opt_out\":true}\n{\"event_name\":\"A\"}",
        r#"[{"data_processing_options":["LDU"],"data_processing_options_country":0},{"event_name":"A"}]"#,
        r#"[{"event_name":"A"},{"data_processing_options_state":1000}]"#,
    ] {
        let (_, names, code, has_switch) = read(body);
        assert_eq!((names.len(), code, has_switch), (1, None, true), "{body}");
    }
}

#[test]
fn an_event_with_a_test_code_and_a_lack_stays_an_event() {
    for body in [
        r#"{"test_event_code":"T1"}"#,
        r#"[{"test_event_code":"T1","user_data":{"em":"a@b.de"}},{"event_name":"A"}]"#,
        r#"[{"test_event_code":"T1","event_time":1790000000},{"event_name":"A"}]"#,
        r#"[{"test_event_code":"T1","event_id":"1"},{"event_name":"A"}]"#,
        r#"[{"test_event_code":"undefined"},{"event_name":"A"}]"#,
        r#"[{"test_event_code":"T1","action_source":"website"},{"event_name":"A"}]"#,
        r#"[{"test_event_code":"T1","event_name":{},"user_data":{}},{"event_name":"A"}]"#,
        r#"[{"test_event_code":"T1","event_time":"soon"},{"event_name":"A"}]"#,
        r#"[{"test_event_code":"T1","app_data":{"x":1}},{"event_name":"A"}]"#,
        r#"[{"custom_data":{"test_event_code":"T1"}},{"event_name":"A"}]"#,
        r#"[{"test_event_code":"T1","kindOfThing":"x"},{"event_name":"A"}]"#,
    ] {
        let (_, names, code, _) = read(body);
        assert_eq!((names.first(), code), (Some(&None), None), "{body}");
    }
}

/// Otherwise it would refuse all others, or vanish.
#[test]
fn a_broken_event_with_a_switch_stays_an_event() {
    for switch in [
        r#""data_processing_options":["LDU"]"#,
        r#""data_processing_options":[]"#,
        r#""opt_out":true"#,
        r#""opt_out":false"#,
    ] {
        for other in [
            r#""user_data":{},"action_source":"website","event_source_url":"https://shop.example/""#,
            r#""referrer_url":"https://shop.example/""#,
            r#""original_event_data":{"event_name":"A"}"#,
            r#""attribution_data":{"ad_id":"1"}"#,
            r#""custom_data":{}"#,
            r#""nameOfTheEvent":"A""#,
        ] {
            let body = format!(r#"[{{{other},{switch}}},{{"event_name":"A"}}]"#);
            let (_, names, _, has_switch) = read(&body);
            let expected = vec![None, Some("A".to_owned())];
            assert_eq!((names, has_switch), (expected, false), "{body}");
        }
    }
}

/// A place is found again by counting, and who counts does not know what was no event.
#[test]
fn what_holds_for_all_has_a_place_among_the_events() {
    for body in [
        r#"{"data":[{"test_event_code":"T1"},{"event_name":"A"},{"opt_out":false},{"event_name":"B"}]}"#,
        "{\"test_event_code\":\"T1\"}\n{\"event_name\":\"A\"}\n\n{\"opt_out\":false}\n{\"event_name\":\"B\"}",
        r#"{"data":"[{\"test_event_code\":\"T1\"},{\"event_name\":\"A\"},{\"opt_out\":0},{\"event_name\":\"B\"}]"}"#,
    ] {
        let mut places = Vec::new();
        batch::read(body, |item| places.push(item.index)).unwrap();
        assert_eq!(places, [1, 3], "{body}");
    }
}

/// PHP writes a list with gaps, and one that has other keys as well, as a map with numbered keys.
#[test]
fn a_map_with_numbered_keys_is_a_list() {
    let two = vec![Some("A".to_owned()), Some("B".to_owned())];
    let code = || Some("T1".to_owned());
    for (body, layout, code) in [
        (
            r#"{"data":{"0":{"event_name":"A"},"1":{"event_name":"B"}}}"#,
            Layout::Envelope,
            None,
        ),
        (
            r#"{"data":{"3":{"event_name":"A"},"7":{"event_name":"B"}},"test_event_code":"T1"}"#,
            Layout::Envelope,
            code(),
        ),
        (
            r#"{"data":"{\"1\":{\"event_name\":\"A\"},\"2\":{\"event_name\":\"B\"}}"}"#,
            Layout::Envelope,
            None,
        ),
        (
            r#"{"0":{"event_name":"A"},"2":{"event_name":"B"}}"#,
            Layout::Array,
            None,
        ),
        (
            r#"{"0":{"event_name":"A"},"1":"{\"event_name\":\"B\"}","test_event_code":"T1"}"#,
            Layout::Array,
            code(),
        ),
        (
            r#"{"test_event_code":"T1","0":{"event_name":"A"},"1":{"event_name":"B"}}"#,
            Layout::Array,
            code(),
        ),
        (
            r#"{"data":"{\"0\":{\"event_name\":\"A\"},\"1\":{\"event_name\":\"B\"},\"test_event_code\":\"T1\"}"}"#,
            Layout::Envelope,
            code(),
        ),
        (
            r#"{"data":{"test_event_code":"T1","0":{"event_name":"A"},"1":{"event_name":"B"}}}"#,
            Layout::Envelope,
            code(),
        ),
        (
            r#"{"0":{"event_name":"A"},"partner_agent":"x","upload_tag":null,"last":{"event_name":"B"}}"#,
            Layout::Array,
            None,
        ),
    ] {
        assert_eq!(read(body), (layout, two.clone(), code, false), "{body}");
    }
    let body = r#"{"data":"{\"0\":{\"event_name\":\"A\"},\"opt_out\":true}"}"#;
    let expected = vec![Some("A".to_owned())];
    assert_eq!(read(body), (Layout::Envelope, expected, None, true));
}

#[test]
fn an_event_with_a_numbered_key_is_one_event() {
    for (body, layout) in [
        (
            r#"{"0":"x","event_name":"A","user_data":{"em":"a@b.de"}}"#,
            Layout::Single,
        ),
        (r#"{"data":{"0":7,"event_name":"A"}}"#, Layout::Envelope),
        (
            r#"{"data":"{\"0\":null,\"event_name\":\"A\"}"}"#,
            Layout::Envelope,
        ),
    ] {
        let name = vec![Some("A".to_owned())];
        assert_eq!(read(body), (layout, name, None, false), "{body}");
    }
}

/// What holds events where none are looked for is told: they would be lost behind an event without a name.
#[test]
fn events_at_another_place_are_told() {
    for body in [
        json!({ "events": [website()] }),
        json!({ "event": website() }),
        json!({ "events": { "0": website() } }),
        json!({ "payload": { "eventName": "Lead" } }),
        json!({ "items": [website()] }),
    ] {
        let outcome = seal_value(&body);
        assert!(outcome.sealed.is_none(), "{body}");
        assert!(
            outcome.codes().contains(&"events_misplaced"),
            "{body}: {:?}",
            outcome.codes()
        );
    }
    let nested = json!({ "data": [website()] });
    let mut codes = Vec::new();
    let body = json!([nested]).to_string();
    batch::read(&body, |item| {
        codes.extend(item.findings.iter().map(|finding| finding.code.name()));
    })
    .unwrap();
    assert_eq!(codes, ["events_misplaced"]);
    let patch = r#"{"history":[{"event_name":"ViewContent"}]}"#;
    assert_codes(&website(), &[(patch, &["events_misplaced"])]);
}

#[test]
fn the_things_of_an_order_are_read_beside_its_name() {
    for key in ["line_items", "lineItems", "cart_items"] {
        let event = patched(
            &website(),
            &format!(r#"{{"{key}":[{{"sku":"A-1","qty":2}}]}}"#),
        );
        let outcome = seal_value(&event);
        let contents = &outcome.json()["custom_data"]["contents"];
        assert_eq!(*contents, json!([{ "id": "A-1", "quantity": 2 }]), "{key}");
        assert!(outcome.codes().contains(&"key_alias"));
    }
}
