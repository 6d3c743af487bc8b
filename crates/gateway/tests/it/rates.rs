//! How much callers may bring in a second, and whose address counts behind a proxy.

use std::time::Duration;

use crate::client::{Answer, request};
use crate::harness::{DATASET, KEY, TestGateway, start};

/// Runs a gateway with more keys for its server and for the shop.
async fn start_with(server: &str, source: &str) -> TestGateway {
    let mut test = start().await;
    test.reconfigure(|config| {
        let config = format!("{server}\n{config}");
        config.replace("name = \"shop\"", &format!("name = \"shop\"\n{source}"))
    });
    test.restart().await;
    test
}

/// Posts nothing that could be taken to a door, with this key, through a proxy that speaks for this address.
async fn knock(test: &TestGateway, path: &str, key: &str, client: &str) -> Answer {
    let authorization = format!("Bearer {key}");
    let headers = [
        ("Authorization", authorization.as_str()),
        ("X-Forwarded-For", client),
    ];
    request(test.address(), "POST", path, &headers, b"[]").await
}

/// Asks until the answer is that it was too much: a second may pass on a slow machine.
async fn too_much(mut ask: impl AsyncFnMut() -> Answer) -> Answer {
    for _ in 0..1_000 {
        let answer = ask().await;
        if answer.status == 429 {
            return answer;
        }
    }
    panic!("it was never too much");
}

/// Each of the doors says in its own words that the shop brings too much.
async fn slowed_down(test: &TestGateway) {
    let event = test.purchase("A");
    let native = too_much(async || test.post(&event).await).await;
    assert_eq!(native.json()["code"], "rate_exceeded");
    assert!(native.header("retry-after").is_some(), "{native:?}");
    let body = serde_json::json!({"data": [event]});
    for door in ["v26.0", "capi"] {
        let path = format!("/{door}/{DATASET}/events");
        let answer = too_much(async || test.post_to(&path, &body).await).await;
        let error = &answer.json()["error"];
        assert_eq!(
            (error["code"].as_i64(), error["is_transient"].as_bool()),
            (Some(4), Some(true))
        );
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
    }
}

#[tokio::test]
async fn a_source_brings_no_more_requests_than_it_may() {
    let test = start_with("", "requests_per_second_max = 1").await;
    assert_eq!(test.post(&test.purchase("A")).await.status, 202);
    slowed_down(&test).await;
    // Another source has its own limit, or none.
    let other = knock(
        &test,
        "/v1/events",
        crate::harness::OTHER_KEY,
        "203.0.113.9",
    )
    .await;
    assert_eq!(other.json()["code"], "no_events");
    test.clock.jump(Duration::from_secs(2));
    assert_eq!(test.post(&test.purchase("B")).await.status, 202);
    test.arrived(2).await;
    test.finish().await;
}

#[tokio::test]
async fn a_source_makes_up_for_a_request_with_many_events() {
    let test = start_with("", "events_per_second_max = 10").await;
    let many = (0..1_000).map(|id| id.to_string());
    assert_eq!(test.post(&test.purchases(many)).await.status, 202);
    let asked = test.post(&test.purchase("A")).await;
    let wait_s = asked.header("retry-after").unwrap().parse::<u64>().unwrap();
    assert!((1..=60).contains(&wait_s), "{wait_s}");
    slowed_down(&test).await;
    test.clock.jump(Duration::from_mins(1));
    assert_eq!(test.post(&test.purchase("A")).await.status, 202);
    test.arrived(1_001).await;
    test.finish().await;
}

#[tokio::test]
async fn an_address_without_a_key_is_slowed_down_and_no_other() {
    let server =
        "server.unknown_requests_per_second_max = 2\nserver.trusted_proxies = [\"127.0.0.0/8\"]";
    let test = start_with(server, "").await;
    let wrong = "no-key-of-any-source-0123";
    let native = "/v1/events";
    assert_eq!(knock(&test, native, wrong, "203.0.113.9").await.status, 401);
    // What the client wrote itself stands to the left, and does not count.
    for client in [
        "203.0.113.9",
        "198.51.100.1, 203.0.113.9",
        "198.51.100.2, 203.0.113.9",
    ] {
        let answer = too_much(async || knock(&test, native, wrong, client).await).await;
        assert_eq!(answer.json()["code"], "rate_exceeded", "{client}");
    }
    let graph = format!("/v26.0/{DATASET}/events");
    let answer = too_much(async || knock(&test, &graph, wrong, "203.0.113.9").await).await;
    assert_eq!(answer.json()["error"]["code"], 4);
    assert_eq!(
        knock(&test, native, wrong, "203.0.113.10").await.status,
        401
    );
    // A right key is let in from there, and so is who looks how the gateway is doing.
    assert_eq!(
        knock(&test, native, KEY, "203.0.113.9").await.json()["code"],
        "no_events"
    );
    let in_query = format!("{graph}?access_token={KEY}");
    assert_eq!(
        knock(&test, &in_query, wrong, "203.0.113.9").await.status,
        400
    );
    let health = request(test.address(), "GET", "/healthz", &[], b"").await;
    assert_eq!(health.status, 200);
    test.clock.jump(Duration::from_secs(2));
    assert_eq!(knock(&test, native, wrong, "203.0.113.9").await.status, 401);
    test.finish().await;
}

#[tokio::test]
async fn without_trusted_proxies_no_header_is_believed() {
    let test = start_with("server.unknown_requests_per_second_max = 1", "").await;
    let wrong = "no-key-of-any-source-0123";
    let mut clients = 0..;
    let answer = too_much(async || {
        let client = format!("203.0.113.{}", clients.next().unwrap_or(0) % 250);
        knock(&test, "/v1/events", wrong, &client).await
    });
    // All of them are the peer's.
    assert_eq!(answer.await.json()["code"], "rate_exceeded");
    test.finish().await;
}
