//! What the Graph-shaped door says of requests that it cannot take.

use serde_json::{Value, json};

use crate::client::request;
use crate::harness::{KEY, TestGateway, start};

async fn error_of(test: &TestGateway, content_type: &str, body: &str) -> Value {
    let path = format!("/v26.0/1234567890123456/events?access_token={KEY}");
    let headers = [("Content-Type", content_type)];
    let answer = request(test.address(), "POST", &path, &headers, body.as_bytes()).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    answer.json()["error"].clone()
}

#[tokio::test]
async fn a_broken_body_with_the_key_in_it_is_not_called_keyless() {
    let test = start().await;
    let path = "/v26.0/1234567890123456/events";
    let headers = [("Content-Type", "application/json")];
    let broken = format!(r#"{{"access_token":"{KEY}","data":[{{"event_name":"Lead",}}]}}"#);
    let answer = request(test.address(), "POST", path, &headers, broken.as_bytes()).await;
    let error = answer.json()["error"].clone();
    assert_eq!((answer.status, &error["code"]), (400, &json!(100)));
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("the body is not JSON"), "{message}");
    assert!(
        message.ends_with(r#"send {"data": [event, …]}"#),
        "{message}"
    );
    let answer = request(test.address(), "POST", path, &headers, b"[{}]").await;
    assert_eq!(answer.json()["error"]["code"], 104);
    test.finish().await;
}

#[tokio::test]
async fn what_is_wrong_has_metas_subcode_and_a_way_out() {
    let test = start().await;
    let messaging = |channel: &str, user_data: Value| {
        let mut event = test.purchase("m");
        event["action_source"] = "business_messaging".into();
        event["messaging_channel"] = channel.into();
        event["user_data"] = user_data;
        json!({"data": [event]}).to_string()
    };
    for (body, subcode, said) in [
        (
            messaging("whatsapp", json!({"ctwa_clid": "c"})),
            json!(2_804_116),
            "lacks page_id or whatsapp_business_account_id",
        ),
        (
            messaging("instagram", json!({"ig_sid": "1"})),
            json!(2_804_079),
            "lacks ig_account_id",
        ),
        (
            messaging("messenger", json!({"page_id": "1"})),
            json!(2_804_019),
            "lacks page_scoped_user_id",
        ),
        (r#"{"data":null}"#.to_owned(), Value::Null, "no event"),
    ] {
        let error = error_of(&test, "application/json", &body).await;
        assert_eq!(error["error_subcode"], subcode, "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
    let form = "application/x-www-form-urlencoded";
    let error = error_of(&test, form, "data=[{]").await;
    let message = error["message"].as_str().unwrap();
    assert!(
        message.starts_with("the field data is not JSON"),
        "{message}"
    );
    test.finish().await;
}
