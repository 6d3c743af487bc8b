//! What comes in as to the Graph API and to Meta's own gateway, and what is answered.

use serde_json::{Value, json};

use crate::client::request;
use crate::harness::{DATASET, KEY, OTHER_DATASET, start};

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_the_graph_api_is_understood() {
    let test = start().await;
    let path = format!("/v24.0/{DATASET}/events");
    let with_token = format!("{path}/?access_token={KEY}");
    let list = |id: &str| json!([test.purchase(id)]).to_string();
    let texts = |id: &str| json!([test.purchase(id).to_string()]).to_string();
    let form_of = |pairs: &[(String, String)]| {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(pairs);
        form.finish()
    };
    let in_query = [("data".to_owned(), list("query"))];
    let in_query = format!("{with_token}&{}", form_of(&in_query));
    let unversioned = format!("/{DATASET}/events?access_token={KEY}");
    let form = |pairs: &[(&str, &str)]| {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(pairs);
        form.finish()
    };
    let part = |name: &str, value: &str| {
        format!(
            "--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\
             Content-Type: multipart/form-data\r\n\r\n{value}\r\n"
        )
    };
    let multipart = format!(
        "{}{}--b--\r\n",
        part("access_token", KEY),
        part("data", &list("m"))
    );
    let node = json!({
        "access_token": KEY, "data": [test.purchase("n")], "id": DATASET,
        "partner_agent": null, "namespace_id": null, "upload_id": null
    });
    for (path, content_type, authorization, body) in [
        (
            &with_token,
            "application/json",
            "",
            json!({"data": [test.purchase("j")]}).to_string(),
        ),
        (&path, "application/json", "", node.to_string()),
        (
            &path,
            "application/json",
            KEY,
            json!({"data": [test.purchase("h")]}).to_string(),
        ),
        (
            &with_token,
            "application/x-www-form-urlencoded",
            "",
            form(&[("data", &texts("p"))]),
        ),
        (
            &path,
            "application/x-www-form-urlencoded",
            "",
            form(&[("access_token", KEY), ("data", &list("a"))]),
        ),
        (&path, "multipart/form-data; boundary=b", "", multipart),
        (
            &with_token,
            "application/x-www-form-urlencoded",
            "",
            form_of(&nested("data[0]", &test.purchase("nested"))),
        ),
        (
            &with_token,
            "application/x-www-form-urlencoded",
            "",
            form(&[("data[0]", &test.purchase("numbered").to_string())]),
        ),
        (&in_query, "application/json", "", String::new()),
        (
            &unversioned,
            "application/json",
            "",
            json!({"data": [test.purchase("unversioned")]}).to_string(),
        ),
    ] {
        let bearer = format!("Bearer {authorization}");
        let mut headers = vec![("Content-Type", content_type)];
        if !authorization.is_empty() {
            headers.push(("Authorization", bearer.as_str()));
        }
        let answer = request(test.address(), "POST", path, &headers, body.as_bytes()).await;
        assert_eq!(answer.status, 200, "{content_type}: {answer:?}");
        let json = answer.json();
        assert_eq!(json["events_received"], 1, "{content_type}: {answer:?}");
        assert_eq!(json["messages"], json!([]));
        assert!(json["fbtrace_id"].is_string());
    }
    test.arrived(10).await;
    test.finish().await;
}

/// A value as nested fields of a form, `name[key]=text`, as PHP writes them.
fn nested(name: &str, value: &Value) -> Vec<(String, String)> {
    let below = |key: &str, value| nested(&format!("{name}[{key}]"), value);
    match value {
        Value::Object(members) => (members.iter())
            .flat_map(|(key, value)| below(key, value))
            .collect(),
        Value::Array(items) => (items.iter().enumerate())
            .flat_map(|(index, value)| below(&index.to_string(), value))
            .collect(),
        Value::String(text) => vec![(name.to_owned(), text.clone())],
        other => vec![(name.to_owned(), other.to_string())],
    }
}

/// A header for somebody else, such as a proxy on the way, beside a token in the body.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_the_body_counts_before_a_header() {
    let test = start().await;
    let path = format!("/v26.0/{DATASET}/events");
    let body = json!({"access_token": KEY, "data": [test.purchase("x")]}).to_string();
    for (header, status) in [("Bearer of-somebody-else", 200), ("Basic abc", 200)] {
        let headers = [("Authorization", header), ("Content-Type", "text/plain")];
        let answer = request(test.address(), "POST", &path, &headers, body.as_bytes()).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    let alone = json!({"data": [test.purchase("y")]}).to_string();
    let headers = [("Authorization", "Bearer of-somebody-else")];
    let answer = request(test.address(), "POST", &path, &headers, alone.as_bytes()).await;
    assert_eq!(
        (answer.status, &answer.json()["error"]["code"]),
        (401, &json!(190))
    );
    test.arrived(1).await;
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn graph_errors_have_the_graph_apis_shape() {
    let test = start().await;
    let event = json!({"data": [test.purchase("x")]});
    for (path, body, status, code, subcode) in [
        (
            format!("/v26.0/{DATASET}/events?access_token=wrong"),
            event.clone(),
            401,
            190,
            Value::Null,
        ),
        (
            format!("/v26.0/{OTHER_DATASET}/events?access_token={KEY}"),
            event.clone(),
            400,
            100,
            json!(33),
        ),
        (
            format!("/v26.0/{DATASET}/events?access_token={KEY}"),
            json!({"data": [{"event_name": "Lead"}]}),
            400,
            100,
            json!(2_804_019),
        ),
        (
            format!("/v26.0/{DATASET}/events?access_token={KEY}"),
            json!({"data": 3}),
            400,
            100,
            json!(2_804_019),
        ),
    ] {
        let answer = test.post_to(&path, &body).await;
        assert_eq!(answer.status, status, "{answer:?}");
        let error = &answer.json()["error"];
        assert_eq!(error["code"], code, "{answer:?}");
        assert_eq!(error["error_subcode"], subcode, "{answer:?}");
        assert!(error["message"].is_string() && error["fbtrace_id"].is_string());
        assert!(!answer.body.contains(KEY));
    }
    for body in [
        json!({}),
        json!({"test_event_code": "T1"}),
        test.purchase("z"),
    ] {
        let path = format!("/v26.0/{DATASET}/events?access_token={KEY}");
        let answer = test.post_to(&path, &body).await;
        let error = &answer.json()["error"];
        assert_eq!((answer.status, &error["code"]), (400, &json!(100)));
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("parameter data is required"), "{message}");
    }
    let path = format!("/v26.0/{DATASET}/events?access_token={KEY}");
    let packed = [("Content-Encoding", "br")];
    let answer = request(test.address(), "POST", &path, &packed, b"{}").await;
    assert_eq!(
        (answer.status, &answer.json()["error"]["message"]),
        (
            415,
            &json!("this Content-Encoding is not understood; use gzip, zstd or no compression")
        )
    );
    let partly = json!({"data": [test.purchase("y"), {"event_name": "Lead"}]});
    let path = format!("/v26.0/{DATASET}/events?access_token={KEY}");
    let answer = test.post_to(&path, &partly).await;
    assert_eq!(answer.json()["events_received"], 1);
    assert!(
        answer.json()["messages"][0]
            .as_str()
            .unwrap()
            .starts_with("data[1] was not taken")
    );
    test.arrived(1).await;
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_graph_door_does_not_know_is_an_error_to_metas_sdks() {
    let test = start().await;
    for (method, path) in [
        ("GET", format!("/v26.0/{DATASET}")),
        ("GET", format!("/v26.0/{DATASET}/events")),
        ("POST", "/v26.0/".to_owned()),
        ("POST", "/v26.0/1234567/instruments".to_owned()),
    ] {
        let answer = request(test.address(), method, &path, &[], b"").await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
        let error = &answer.json()["error"];
        assert_eq!(error["code"], 2_500, "{path}: {answer:?}");
        assert!(error["fbtrace_id"].is_string(), "{path}: {answer:?}");
    }
    let path = format!("/v26.0/debug_token?input_token={KEY}&access_token={KEY}");
    let answer = request(test.address(), "GET", &path, &[], b"").await;
    assert_eq!(answer.status, 200, "an error makes Node's SDK ask for ever");
    assert_eq!(answer.json()["data"]["is_valid"], false);
    assert!(!answer.body.contains(KEY));
    for path in ["/v1/other", "/v.0/1", "/v26/1/2/3", "/vx.y/1"] {
        let answer = request(test.address(), "GET", path, &[], b"").await;
        assert_eq!(answer.json()["code"], "path_unknown", "{answer:?}");
    }
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_metas_own_gateway_get_202() {
    let test = start().await;
    let path = format!("/capi/{DATASET}/events");
    let body = json!({"accessKey": KEY, "data": [test.purchase("c")]});
    let answer = request(
        test.address(),
        "POST",
        &path,
        &[],
        body.to_string().as_bytes(),
    )
    .await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let health = request(test.address(), "GET", "/hub/health/", &[], b"").await;
    assert_eq!(health.status, 200);
    test.arrived(1).await;
    test.finish().await;
}
