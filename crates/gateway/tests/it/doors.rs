//! What comes in at the native door, and what is answered.

use std::io::Write as _;

use serde_json::{Value, json};
use sluice_gateway::{ListenError, StartError};
use sluice_journal::OpenError;

use crate::client::{raw, request};
use crate::harness::{DATASET, KEY, OTHER_DATASET, OTHER_KEY, start, start_with};

fn ids(count: usize) -> impl Iterator<Item = String> {
    (1..=count).map(|number| format!("order-{number}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_layout_of_the_native_door_arrives() {
    let test = start().await;
    let lines = format!("{}\n{}\n", test.purchase("l1"), test.purchase("l2"));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(test.purchase("g").to_string().as_bytes())
        .unwrap();
    let authorization = format!("Bearer {KEY}");
    let zstd = ruzstd::encoding::compress_to_vec(
        test.purchase("z").to_string().as_bytes(),
        ruzstd::encoding::CompressionLevel::Fastest,
    );
    for (encoding, body, accepted) in [
        ("identity", test.purchase("one").to_string().into_bytes(), 1),
        (
            "identity",
            test.purchases(["a1".into(), "a2".into()])
                .to_string()
                .into_bytes(),
            2,
        ),
        (
            "identity",
            json!({"data": [test.purchase("e").to_string()]})
                .to_string()
                .into_bytes(),
            1,
        ),
        ("identity", lines.into_bytes(), 2),
        ("gzip", gzip.finish().unwrap(), 1),
        ("zstd", zstd, 1),
    ] {
        let headers = [
            ("Authorization", authorization.as_str()),
            ("Content-Encoding", encoding),
        ];
        let answer = request(test.address(), "POST", "/v1/events", &headers, &body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        assert_eq!(answer.json()["accepted"], accepted, "{answer:?}");
        assert_eq!(answer.json()["rejected"], json!([]));
    }
    test.arrived(8).await;
    let audit = test.finish().await;
    assert_eq!((audit.tally.accepted, audit.tally.delivered), (8, 8));
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_are_acknowledged_and_go_nowhere() {
    let mut test = start().await;
    let body = test.purchases(ids(3));
    assert_eq!(test.post(&body).await.json()["accepted"], 3);
    let answer = test.post(&body).await;
    assert_eq!(
        (answer.status, &answer.json()["duplicates"]),
        (202, &json!(3))
    );
    test.restart().await;
    assert_eq!(test.post(&body).await.json()["duplicates"], 3);
    test.arrived(3).await;
    assert_eq!(test.sandbox.stats().events_received, 3);
    let audit = test.finish().await;
    assert_eq!((audit.tally.accepted, audit.tally.duplicate), (3, 6));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_event_costs_only_itself() {
    let test = start().await;
    let mut bad = test.purchase("bad");
    bad["custom_data"] = json!({"value": 5});
    let body = json!([test.purchase("good"), bad, 17]);
    let answer = test.post(&body).await;
    assert_eq!(answer.status, 202);
    let answer = answer.json();
    assert_eq!(answer["accepted"], 1);
    assert_eq!(answer["rejected"][0]["index"], 1);
    assert_eq!(answer["rejected"][0]["event_id"], "bad");
    let finding = &answer["rejected"][0]["findings"][0];
    assert_eq!(finding["code"], "purchase_currency_missing");
    assert_eq!(answer["rejected"][1]["index"], 2);
    let only_bad = test.post(&json!([body[1]])).await;
    assert_eq!(
        (only_bad.status, &only_bad.json()["accepted"]),
        (422, &json!(0))
    );
    let lines = format!("{}\n\nno JSON\n", test.purchase("good"));
    let authorization = format!("Bearer {KEY}");
    let headers = [("Authorization", authorization.as_str())];
    let path = "/v1/events/";
    let answer = request(test.address(), "POST", path, &headers, lines.as_bytes()).await;
    assert_eq!(
        (answer.status, &answer.json()["duplicates"]),
        (202, &json!(1))
    );
    let message = &answer.json()["rejected"][0]["findings"][0]["message"];
    let message = message.as_str().unwrap();
    assert!(message.starts_with("line 3, column 1: "), "{message}");
    test.arrived(1).await;
    test.finish().await;
}

/// A few bytes of gzip are thousands of events that are none.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_lists_some_rejected_events_and_counts_the_rest() {
    let test = start().await;
    let answer = test.post(&Value::from(vec![1; 1_002])).await;
    assert_eq!(answer.status, 422);
    let answer = answer.json();
    assert_eq!(answer["rejected"].as_array().unwrap().len(), 1_000);
    assert_eq!(answer["rejected_unlisted"], 2);
    let long = "x".repeat(513);
    let body = json!([1, {"event_id": &long[1..]}, {"event_id": long}]);
    let answer = test.post(&body).await.json();
    assert_eq!(answer["rejected_unlisted"], Value::Null);
    assert_eq!(answer["rejected"][1]["event_id"], long[1..]);
    assert_eq!(answer["rejected"][2]["event_id"], Value::Null);
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_counts_events_and_not_values() {
    let test = start().await;
    let with = |id: &str, addresses: Value| {
        let mut event = test.purchase(id);
        event["user_data"]["em"] = addresses;
        event
    };
    let body = json!([
        test.purchase("0"),
        with("1", json!(["a@b.co", "nope", "no", "not"])),
        with("2", json!(["a@b.co", "nope"])),
    ]);
    let answer = test.post(&body).await.json();
    let warnings = answer["warnings"].as_array().unwrap();
    let warning = warnings.iter().find(|it| it["code"] == "em_invalid");
    let warning = warning.unwrap_or_else(|| panic!("no em_invalid: {answer}"));
    assert_eq!(
        (&warning["events"], &warning["index"], &warning["path"]),
        (&json!(2), &json!(1), &json!("user_data.em[1]"))
    );
    test.arrived(3).await;
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_are_told_what_is_wrong() {
    let test = start_with("", "").await;
    let authorization = format!("Bearer {KEY}");
    let good = [("Authorization", authorization.as_str())];
    let event = test.purchase("one").to_string().into_bytes();
    let post = |path: &'static str, headers: Vec<(&'static str, String)>, body: Vec<u8>| {
        let address = test.address();
        async move {
            let headers: Vec<_> = headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
            let answer = request(address, "POST", path, &headers, &body).await;
            (
                answer.status,
                answer.json()["code"].as_str().map(str::to_owned),
            )
        }
    };
    let bearer = |key: &str| vec![("Authorization", format!("Bearer {key}"))];
    let beside = |member: &str| {
        let event = String::from_utf8(event.clone()).unwrap();
        format!(r#"{{"data":[{event}],{member}}}"#).into_bytes()
    };
    for (what, answer, status, code) in [
        (
            "no key",
            post("/v1/events", vec![], event.clone()).await,
            401,
            "key_unknown",
        ),
        (
            "wrong key",
            post("/v1/events", bearer("no"), event.clone()).await,
            401,
            "key_unknown",
        ),
        (
            "no JSON",
            post("/v1/events", bearer(KEY), b"{".to_vec()).await,
            400,
            "json_invalid",
        ),
        (
            "an empty list",
            post("/v1/events", bearer(KEY), b"[]".to_vec()).await,
            400,
            "no_events",
        ),
        (
            "nothing",
            post("/v1/events", bearer(KEY), vec![]).await,
            400,
            "no_events",
        ),
        (
            "empty lines",
            post("/v1/events", bearer(KEY), b" \r\n\n".to_vec()).await,
            400,
            "no_events",
        ),
        (
            "too many",
            post(
                "/v1/events",
                bearer(KEY),
                format!("[{}1]", "1,".repeat(10_000)).into_bytes(),
            )
            .await,
            413,
            "too_many_events",
        ),
        (
            "parameter",
            post("/v1/events?datset=1", bearer(KEY), event.clone()).await,
            400,
            "parameter_unknown",
        ),
        (
            "other dataset",
            post(
                "/v1/events?dataset=2345678901234567",
                bearer(KEY),
                event.clone(),
            )
            .await,
            403,
            "dataset_forbidden",
        ),
        (
            "test code",
            post(
                "/v1/events?test_event_code=TEST1",
                bearer(OTHER_KEY),
                event.clone(),
            )
            .await,
            403,
            "test_code_forbidden",
        ),
        (
            "test code that is none",
            post(
                "/v1/events",
                bearer(KEY),
                beside(r#""test_event_code":["TEST1"]"#),
            )
            .await,
            400,
            "test_code_invalid",
        ),
        (
            "options beside the events",
            post(
                "/v1/events",
                bearer(KEY),
                beside(r#""data_processing_options":["LDU"]"#),
            )
            .await,
            400,
            "options_misplaced",
        ),
        (
            "path",
            post("/v1/event", bearer(KEY), event.clone()).await,
            404,
            "path_unknown",
        ),
        (
            "encoding",
            post(
                "/v1/events",
                vec![
                    ("Authorization", format!("Bearer {KEY}")),
                    ("Content-Encoding", "br".into()),
                ],
                event.clone(),
            )
            .await,
            415,
            "encoding_unknown",
        ),
    ] {
        assert_eq!(answer, (status, Some(code.to_owned())), "{what}");
    }
    for (method, path, help, allow) in [
        ("GET", "/v1/events", "send events with POST", "POST"),
        ("GET", "/v1/events/", "send events with POST", "POST"),
        ("POST", "/healthz", "use GET or HEAD", "GET,HEAD"),
        ("PUT", "/readyz", "use GET or HEAD", "GET,HEAD"),
    ] {
        let answer = request(test.address(), method, path, &good, b"").await;
        assert_eq!(answer.status, 405, "{path}");
        assert_eq!(answer.json()["help"], help, "{path}");
        assert_eq!(answer.header("allow"), Some(allow), "{path}");
    }
    let huge = format!(
        "POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Length: 99999999\r\n\r\n"
    );
    assert_eq!(raw(test.address(), huge.as_bytes()).await.status, 413);
    let audit = test.finish().await;
    assert_eq!(audit.tally.accepted, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_with_two_datasets_sends_to_both_or_to_one() {
    let test = start().await;
    let authorization = format!("Bearer {OTHER_KEY}");
    let headers = [("Authorization", authorization.as_str())];
    for (path, id) in [
        ("/v1/events".to_owned(), "both"),
        (format!("/v1/events?dataset={OTHER_DATASET}"), "one"),
    ] {
        let body = test.purchase(id).to_string();
        let answer = request(test.address(), "POST", &path, &headers, body.as_bytes()).await;
        assert_eq!(answer.json()["accepted"], 1, "{answer:?}");
    }
    test.arrived(3).await;
    let by_dataset = test.sandbox.stats().by_dataset;
    assert_eq!(by_dataset[DATASET]["Purchase"].received, 1);
    assert_eq!(by_dataset[OTHER_DATASET]["Purchase"].received, 2);
    test.finish().await;
}

#[tokio::test]
async fn a_request_without_a_key_is_told_so() {
    let test = start().await;
    for (headers, detail) in [
        (&[][..], "the request has no key"),
        (
            &[("Authorization", "Basic c2hvcA==")],
            "the request has no key",
        ),
        (&[("Authorization", "Bearer x")], "no source has this key"),
    ] {
        let answer = request(test.address(), "POST", "/v1/events", headers, b"{}").await;
        assert_eq!(
            (answer.status, &answer.json()["detail"]),
            (401, &json!(detail))
        );
    }
    test.finish().await;
}

#[tokio::test]
async fn a_second_gateway_is_told_of_the_first_and_not_of_the_port() {
    let test = start().await;
    let error = test.start_another(str::to_owned).await;
    let is_told = matches!(error, StartError::Journal(OpenError::InUse { .. }));
    assert!(is_told, "{error}");
    let folder = |config: &str| config.replace("/journal\"", "/another\"");
    let error = test.start_another(folder).await;
    let is_port = matches!(
        error,
        StartError::Listen(ListenError {
            key: "server.listen",
            ..
        })
    );
    assert!(is_port, "{error}");
    let admin = format!("admin.listen = \"{}\"", test.admin());
    let other_doors = |config: &str| {
        let config = folder(config).replace("admin.listen = \"127.0.0.1:0\"", &admin);
        let server = format!("server.listen = \"{}\"", test.address());
        config.replace(&server, "server.listen = \"127.0.0.1:0\"")
    };
    let error = test.start_another(other_doors).await;
    let is_port = matches!(
        error,
        StartError::Listen(ListenError {
            key: "admin.listen",
            ..
        })
    );
    assert!(is_port, "{error}");
    test.finish().await;
}
