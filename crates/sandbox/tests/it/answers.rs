//! What Meta answers.

use sluice_sandbox::{Settings, Token, TokenState, Tokens};

use crate::client::{events, exchange, get, parse, post, request, send};
use crate::{batch, event, start};

#[tokio::test]
async fn a_batch_is_taken_and_answered_to_the_byte() {
    let sandbox = start(Settings::default()).await;
    let got = events(&sandbox, &batch(&[event("a"), event("b")])).await;
    assert_eq!(got.status, 200);
    let trace_id = got.json()["fbtrace_id"].as_str().unwrap().to_owned();
    let expected = format!(r#"{{"events_received":2,"messages":[],"fbtrace_id":"{trace_id}"}}"#);
    assert_eq!(got.body, expected);
    assert_eq!(got.header("facebook-api-version"), Some("v26.0"));
    assert_eq!(got.header("x-fb-trace-id"), Some(trace_id.as_str()));
    assert_eq!(
        got.header("content-type"),
        Some("application/json; charset=UTF-8")
    );
    // The time is the sandbox's own.
    assert_eq!(got.header("date"), Some(crate::NOW_DATE));
    assert_eq!(got.header("x-app-usage"), None);
    sandbox.stop().await;
}

#[tokio::test]
async fn a_second_event_with_the_id_is_received_but_not_distinct() {
    let sandbox = start(Settings::default()).await;
    for _ in 0..2 {
        let got = events(&sandbox, &batch(&[event("a")])).await;
        assert_eq!(got.json()["events_received"], 1);
    }
    let stats = sandbox.stats();
    assert_eq!(
        (stats.events_received, stats.distinct, stats.deduplicated),
        (2, 1, 1)
    );
    let ids = sandbox.ids();
    assert_eq!((ids.len(), ids[0].received, ids[0].distinct), (1, 2, 1));
    let received = sandbox.received();
    assert_eq!(received.len(), 2);
    assert_eq!(
        (received[0].deduplicated, received[1].deduplicated),
        (false, true)
    );
    assert_eq!(received[1].event.get(), event("a"));
    let listed = get(&sandbox, "/sandbox/received?after=1").await.json();
    let expected = serde_json::json!({
        "number": 1, "received_ms": crate::NOW_S * 1_000, "by": "event_id",
    });
    assert_eq!(listed["events"][0]["copy_of"], expected);
}

#[tokio::test]
async fn every_form_of_a_request_arrives() {
    let sandbox = start(Settings::default()).await;
    let (one, two) = (event("a"), event("b"));
    let as_texts = serde_json::to_string(&[&one, &two]).unwrap();
    let list = format!("[{one},{two}]");
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let part = |name: &str, content: &str| {
        format!(
            "--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\
             Content-Type: multipart/form-data\r\n\r\n{content}\r\n"
        )
    };
    let multipart = part("data", &list) + &part("access_token", "T") + "--B--\r\n";
    let json = "Content-Type: application/json\r\n";
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let with_query = "/v26.0/1/events?access_token=T";
    let without = "/v26.0/1/events";
    let forms = [
        (with_query, json.to_owned(), format!(r#"{{"data":{list}}}"#)),
        (
            without,
            json.to_owned(),
            format!(r#"{{"data":{as_texts},"access_token":"T"}}"#),
        ),
        (
            "/1/events/",
            format!("{json}Authorization: Bearer T\r\n"),
            format!(
                r#"{{"data":{},"id":"1","upload_id":null}}"#,
                serde_json::json!(list)
            ),
        ),
        (
            with_query,
            form.to_owned(),
            format!("data={}", encode(&as_texts)),
        ),
        (
            "/v26.0/1/events/",
            form.to_owned(),
            format!("access_token=T&data={}", encode(&list)),
        ),
        (
            without,
            "Content-Type: multipart/form-data; boundary=B\r\n".to_owned(),
            multipart,
        ),
    ];
    for (path, headers, body) in &forms {
        let got = send(&sandbox, "POST", path, headers, body).await;
        assert_eq!(got.json()["events_received"], 2, "{headers} {}", got.body);
    }
    let ids = sandbox.ids();
    assert!(
        ids.iter().all(|id| id.received == 6 && id.distinct == 1),
        "{ids:?}"
    );
    let texts = sandbox.received();
    assert!(
        texts.iter().all(|event| event.remarks.is_empty()),
        "{texts:?}"
    );
}

#[tokio::test]
async fn one_bad_event_refuses_the_batch() {
    let sandbox = start(Settings::default()).await;
    let bad = event("b").replace("\"Lead\"", "\"Purchase\"");
    let got = events(&sandbox, &batch(&[event("a"), bad, event("c")])).await;
    assert_eq!((got.status, got.code()), (400, (100, Some(2_804_010))));
    let error = &got.json()["error"];
    assert_eq!(error["message"], "Invalid parameter");
    assert_eq!(
        (&error["type"], &error["is_transient"]),
        (&"OAuthException".into(), &false.into())
    );
    assert!(error["error_user_title"].is_string() && error["error_user_msg"].is_string());
    assert!(error["fbtrace_id"].is_string());
    let stats = sandbox.stats();
    assert_eq!(
        (stats.requests, stats.refused, stats.events_received),
        (1, 1, 0)
    );
    assert_eq!(stats.answers["400 100/2804010"], 1);
    assert!(sandbox.ids().is_empty());
    assert_eq!(sandbox.received().len(), 3);
    assert!(
        sandbox.received()[0]
            .refused
            .as_ref()
            .unwrap()
            .contains("2804010")
    );
}

#[tokio::test]
async fn an_unhashed_address_is_refused_by_its_name() {
    let sandbox = start(Settings::default()).await;
    let hash = "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f";
    let bad = event("b").replace(hash, "john_smith@gmail.com");
    let got = events(&sandbox, &batch(&[event("a"), bad])).await;
    assert_eq!(got.code(), (100, Some(2_804_016)));
    let text = got.json()["error"]["error_user_msg"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(text.contains("The em parameter isn't hashed"), "{text}");
    let received = sandbox.received();
    assert_eq!(received[0].user_data["em"], ["hashed"]);
    assert_eq!(received[1].user_data["em"], ["not hashed"]);
    let remarks = &received[1].remarks;
    assert!(
        remarks.iter().any(|remark| remark.contains("isn't hashed")),
        "{remarks:?}"
    );
}

#[tokio::test]
async fn sizes_of_batches_and_bodies() {
    let sandbox = start(Settings {
        body_bytes_max: 1 << 20,
        ..Settings::default()
    })
    .await;
    let many = |count: usize| {
        batch(
            &(0..count)
                .map(|id| event(&id.to_string()))
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(
        events(&sandbox, &many(1_000)).await.json()["events_received"],
        1_000
    );
    assert_eq!(events(&sandbox, &many(1_001)).await.code(), (100, None));
    assert_eq!(events(&sandbox, r#"{"data":[]}"#).await.code(), (100, None));
    assert_eq!(events(&sandbox, "{}").await.code(), (100, None));
    assert_eq!(events(&sandbox, "[").await.code(), (100, None));
    let large = events(
        &sandbox,
        &format!(r#"{{"data":["{}"]}}"#, "x".repeat(1 << 20)),
    )
    .await;
    assert_eq!((large.status, large.code()), (413, (100, None)));
}

#[tokio::test]
async fn who_sends_far_too_much_gets_an_answer_too() {
    let sandbox = start(Settings {
        body_bytes_max: 1 << 20,
        ..Settings::default()
    })
    .await;
    for path in ["/v26.0/1/events?access_token=T", "/sandbox/faults"] {
        let large = post(&sandbox, path, &"x".repeat(32 << 20)).await;
        assert_eq!(large.status, 413, "{path}");
    }
    // Who asks first is told so before sending anything.
    let head = "POST /v26.0/1/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                Expect: 100-continue\r\nContent-Length: 33554432\r\n\r\n";
    let answer = exchange(sandbox.address(), head.as_bytes()).await.unwrap();
    assert_eq!(parse(&answer).status, 413);
}

#[tokio::test]
async fn tokens_have_their_errors() {
    let sandbox = start(Settings {
        tokens: Tokens::only(["T"]),
        business_ids: vec!["9".to_owned()],
        ..Settings::default()
    })
    .await;
    let body = batch(&[event("a")]);
    assert_eq!(events(&sandbox, &body).await.status, 200);
    let other = post(&sandbox, "/v26.0/1/events?access_token=U", &body).await;
    assert_eq!((other.status, other.code()), (401, (190, None)));
    assert!(
        other
            .header("www-authenticate")
            .unwrap()
            .contains("invalid_token")
    );
    let none = post(&sandbox, "/v26.0/1/events", &body).await;
    assert_eq!((none.status, none.code()), (400, (104, None)));
    let business = post(&sandbox, "/v26.0/9/events?access_token=T", &body).await;
    assert_eq!((business.status, business.code()), (400, (100, Some(33))));
    assert_eq!(business.json()["error"]["type"], "GraphMethodException");
    let alias = post(&sandbox, "/v26.0/shop/events?access_token=T", &body).await;
    assert_eq!((alias.status, alias.code()), (404, (803, None)));
    sandbox.set_token(Token {
        token: "T".to_owned(),
        state: TokenState::Expired,
        ..Token::default()
    });
    let expired = events(&sandbox, &body).await;
    assert_eq!((expired.status, expired.code()), (401, (190, Some(463))));
    let debug = get(&sandbox, "/v26.0/debug_token?input_token=T&access_token=T").await;
    assert_eq!(debug.json()["data"]["is_valid"], false);
}

#[tokio::test]
async fn the_proof_of_the_app_secret_is_checked_wherever_it_stands() {
    let sandbox = start(Settings::default()).await;
    sandbox.set_token(Token {
        token: "T".to_owned(),
        app_secret: Some("secret".to_owned()),
        ..Token::default()
    });
    let proof = "655096119561f9b0a776ff33acee7583c6d7d243b4e68b2a9bcbf3c6d1071786";
    let body = batch(&[event("a")]);
    let missing = events(&sandbox, &body).await;
    assert_eq!((missing.status, missing.code()), (400, (100, None)));
    let path = format!("/v26.0/1/events?access_token=T&appsecret_proof={proof}");
    assert_eq!(post(&sandbox, &path, &body).await.status, 200);
    let in_body = body.replacen('{', &format!(r#"{{"appsecret_proof":"{proof}","#), 1);
    assert_eq!(events(&sandbox, &in_body).await.status, 200);
    let wrong = format!(
        "/v26.0/1/events?access_token=T&appsecret_proof={}",
        &proof[2..]
    );
    let wrong = post(&sandbox, &wrong, &body).await;
    assert_eq!(wrong.json()["error"]["type"], "GraphMethodException");
}

#[tokio::test]
async fn datasets_and_businesses_say_what_they_are() {
    let sandbox = start(Settings {
        business_ids: vec!["9".to_owned()],
        ..Settings::default()
    })
    .await;
    let got = get(
        &sandbox,
        "/v26.0/1?fields=id,name&metadata=1&access_token=T",
    )
    .await;
    let node = got.json();
    assert_eq!(
        (&node["id"], &node["metadata"]["type"]),
        (&"1".into(), &"adspixel".into())
    );
    assert!(node["name"].is_string());
    let got = get(&sandbox, "/v26.0/9?metadata=1&access_token=T").await;
    assert_eq!(got.json()["metadata"]["type"], "business");
    let got = get(&sandbox, "/v26.0/1?fields=colour&access_token=T").await;
    assert_eq!((got.status, got.code()), (400, (100, None)));
    assert_eq!(get(&sandbox, "/v26.0/1").await.code(), (104, None));
    assert_eq!(
        get(&sandbox, "/v26.0/1/events?access_token=T").await.code(),
        (100, Some(33))
    );
}

#[tokio::test]
async fn other_paths_and_versions() {
    let sandbox = start(Settings::default()).await;
    for path in ["/v26.0", "/v26.0/1/2/3", "/v99.0/1", "/nothing/at/all"] {
        let got = get(&sandbox, path).await;
        assert_eq!((got.status, got.code()), (404, (2500, None)), "{path}");
    }
    // Browsers ask for the icon beside every page, and gateways for the bare version to see the time: both are
    // counted, and not listed.
    get(&sandbox, "/favicon.ico").await;
    let got = post(&sandbox, "/v26.0/1/instruments", r#"{"bugs":[]}"#).await;
    assert_eq!(
        (got.status, got.body.as_str()),
        (200, r#"{"success":true}"#)
    );
    let stats = sandbox.stats();
    assert_eq!(
        (stats.requests, stats.requests_elsewhere, stats.refused),
        (0, 6, 3)
    );
    let body = batch(&[event("a")]);
    let old = post(&sandbox, "/v19.0/1/events?access_token=T", &body).await;
    assert_eq!(
        (old.status, old.header("facebook-api-version")),
        (200, Some("v21.0"))
    );
    let unversioned = post(&sandbox, "/1/events?access_token=T", &body).await;
    assert_eq!(unversioned.header("facebook-api-version"), Some("v27.0"));
}

#[tokio::test]
async fn a_budget_of_calls_rises_and_throttles() {
    let sandbox = start(Settings {
        calls_per_hour: 2,
        ..Settings::default()
    })
    .await;
    let body = batch(&[event("a")]);
    let usage = |got: &crate::client::Got| -> (u64, u64) {
        let header = got.header("x-business-use-case-usage").unwrap();
        let header: serde_json::Value = serde_json::from_str(header).unwrap();
        let entry = &header["1"][0];
        let number = |key| entry[key].as_u64().unwrap();
        (
            number("call_count"),
            number("estimated_time_to_regain_access"),
        )
    };
    assert_eq!(usage(&events(&sandbox, &body).await), (50, 0));
    assert_eq!(usage(&events(&sandbox, &body).await), (100, 0));
    let over = events(&sandbox, &body).await;
    assert_eq!((over.status, over.code()), (400, (80_004, Some(2_446_079))));
    assert_eq!(usage(&over), (100, 60));
}

#[tokio::test]
async fn a_slow_sender_is_not_waited_for() {
    let sandbox = start(Settings {
        read_timeout: std::time::Duration::from_millis(100),
        ..Settings::default()
    })
    .await;
    let whole = request(
        "POST",
        "/v26.0/1/events?access_token=T",
        "",
        &batch(&[event("a")]),
    );
    let answer = exchange(sandbox.address(), &whole[..whole.len() - 10])
        .await
        .unwrap();
    assert_eq!(parse(&answer).status, 408);
    let silent = exchange(sandbox.address(), b"POST /v26").await;
    assert!(silent.is_err() || parse(&silent.unwrap()).status != 200);
}

#[tokio::test]
async fn stopping_frees_the_port_and_ends_hanging_requests() {
    let sandbox = start(Settings {
        faults: sluice_sandbox::parse_script("hang").unwrap(),
        ..Settings::default()
    })
    .await;
    let address = sandbox.address();
    let hanging = tokio::spawn(async move {
        let body = batch(&[event("a")]);
        exchange(
            address,
            &request("POST", "/v26.0/1/events?access_token=T", "", &body),
        )
        .await
    });
    sandbox.wait_until(|stats| stats.requests == 1).await;
    sandbox.stop().await;
    let ended = hanging.await.unwrap();
    assert!(ended.is_err() || ended.unwrap().is_empty());
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
