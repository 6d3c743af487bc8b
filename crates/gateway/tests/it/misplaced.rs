//! What is meant for events and stands at the wrong place: it holds, or nothing is taken, at every door alike.

use serde_json::{Value, json};

use crate::client::{Answer, request};
use crate::harness::{DATASET, KEY, OTHER_KEY, TestGateway, start};

/// The three doors, with the key in the query or the header.
const DOORS: [&str; 3] = [
    "/v1/events",
    "/v26.0/DATASET/events",
    "/capi/DATASET/events",
];

async fn post(test: &TestGateway, door: &str, key: &str, body: &Value) -> Answer {
    let content_type = ("Content-Type", "application/json");
    send(test, (door, content_type), key, body.to_string().as_bytes()).await
}

async fn send(
    test: &TestGateway,
    (door, content_type): (&str, (&str, &str)),
    key: &str,
    body: &[u8],
) -> Answer {
    let authorization = format!("Bearer {key}");
    let headers = [("Authorization", authorization.as_str()), content_type];
    let path = door.replace("DATASET", DATASET);
    request(test.address(), "POST", &path, &headers, body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_code_inside_an_event_makes_it_a_test_event_at_every_door() {
    let test = start().await;
    for (at, door) in DOORS.into_iter().enumerate() {
        let inside = |key: &str| {
            let mut event = test.purchase(&format!("{key}{at}"));
            event[key]["test_event_code"] = json!("TEST17");
            event
        };
        let mut beside_the_name = test.purchase(&format!("top{at}"));
        beside_the_name["test_event_code"] = json!("TEST18");
        let live = test.purchase(&format!("live{at}"));
        let body =
            json!({ "data": [inside("custom_data"), inside("user_data"), beside_the_name, live] });
        let answer = post(&test, door, KEY, &body).await;
        assert!(answer.status < 300, "{door}: {answer:?}");
        assert!(answer.body.contains("test code"), "{door}: {answer:?}");
        let answer = post(&test, door, OTHER_KEY, &body).await;
        assert!(answer.status == 403, "{door}: {answer:?}");
    }
    test.arrived(12).await;
    let codes = test.sandbox.stats().test_event_codes;
    assert_eq!(
        (codes.get("TEST17"), codes.get("TEST18")),
        (Some(&6), Some(&3)),
        "{codes:?}"
    );
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_test_code_of_a_request_is_known_under_its_other_names() {
    let test = start().await;
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    for (at, door) in DOORS.into_iter().enumerate() {
        let event = |name: &str| test.purchase(&format!("{name}{at}"));
        let body = json!({ "data": [event("beside")], "test_code": "TEST17" });
        assert!(post(&test, door, KEY, &body).await.status < 300, "{door}");
        let path = format!("{door}?testEventCode=TEST17");
        let body = json!({ "data": [event("query")] });
        assert!(post(&test, &path, KEY, &body).await.status < 300, "{door}");
        if at > 0 {
            let body = format!("data=[{}]&testEventCode=TEST17", event("form"));
            assert!(
                send(&test, (door, form), KEY, body.as_bytes()).await.status < 300,
                "{door}"
            );
        }
        // A template that was not filled in is no code, and no reason to count a test as a sale.
        let body = json!({ "data": [event("unfilled")], "test_event_code": "{{code}}" });
        assert_eq!(post(&test, door, KEY, &body).await.status, 400, "{door}");
    }
    test.arrived(8).await;
    let codes = test.sandbox.stats().test_event_codes;
    assert_eq!(codes.get("TEST17"), Some(&8), "{codes:?}");
    test.finish().await;
}

/// Meta would take such a request, and limit nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_privacy_switch_beside_the_events_refuses_the_request_at_every_door() {
    let test = start().await;
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    for door in DOORS {
        for (key, value) in [
            ("data_processing_options", json!(["LDU"])),
            ("dataProcessingOptions", json!("LDU")),
            ("limited_data_use", json!(true)),
            ("opt_out", json!(true)),
        ] {
            let mut body = json!({ "data": [test.purchase("refused")] });
            body[key] = value;
            let answer = post(&test, door, KEY, &body).await;
            assert_eq!(answer.status, 400, "{door} {key}: {answer:?}");
            assert!(
                answer.body.contains("into each event"),
                "{door}: {answer:?}"
            );
        }
        let mut body = json!({ "data": [test.purchase("taken")] });
        body["data_processing_options"] = json!([]);
        assert!(post(&test, door, KEY, &body).await.status < 300, "{door}");
    }
    for door in &DOORS[1..] {
        let event = test.purchase("refused");
        for switch in [
            "data_processing_options=[\"LDU\"]",
            // Lists as PHP, Rails and jQuery write them.
            "data_processing_options[]=LDU",
            "data_processing_options%5B0%5D=LDU",
            "optout=1",
        ] {
            let body = format!("data=[{event}]&{switch}");
            let answer = send(&test, (door, form), KEY, body.as_bytes()).await;
            assert_eq!(answer.status, 400, "{door} {switch}: {answer:?}");
        }
        for switch in [
            "data_processing_options=[%22LDU%22]",
            "data_processing_options[]=LDU",
        ] {
            let path = format!("{door}?{switch}");
            let answer = post(&test, &path, KEY, &json!({ "data": [event] })).await;
            assert_eq!(answer.status, 400, "{door} {switch}: {answer:?}");
        }
    }
    test.arrived(1).await;
    test.finish().await;
}
