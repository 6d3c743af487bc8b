//! Each fault, as a client sees it.

use std::io::ErrorKind;
use std::time::Duration;

use sluice_sandbox::{Sandbox, Settings, parse_script};
use tokio::time::{Instant, timeout};

use crate::client::{Got, events, exchange, get, parse, request};
use crate::{batch, event, start};

async fn scripted(script: &str) -> Sandbox {
    start(Settings {
        faults: parse_script(script).unwrap(),
        ..Settings::default()
    })
    .await
}

async fn one(sandbox: &Sandbox) -> Got {
    events(sandbox, &batch(&[event("a")])).await
}

/// The bytes that came, or how the connection broke.
async fn raw(sandbox: &Sandbox) -> std::io::Result<Vec<u8>> {
    let body = batch(&[event("a")]);
    let request = request("POST", "/v26.0/1/events?access_token=T", "", &body);
    exchange(sandbox.address(), &request).await
}

#[tokio::test]
async fn answers_instead_of_the_real_one() {
    for (script, status, code, is_transient) in [
        ("500 x 1", 500, (1, None), false),
        ("503 x 1", 503, (2, None), true),
        ("429 x 1", 429, (4, None), true),
        ("200-error x 1", 200, (1, None), false),
        ("error 100/2804087 x 1", 400, (100, Some(2_804_087)), false),
        ("error 2 status 503 x 1", 503, (2, None), false),
        ("token-expired x 1", 401, (190, Some(463)), false),
        ("token-revoked x 1", 401, (190, Some(460)), false),
        ("throttle x 1", 400, (80_004, Some(2_446_079)), false),
        ("throttle 4 x 1", 400, (4, None), true),
        ("throttle 613 x 1", 400, (613, None), false),
    ] {
        let sandbox = scripted(script).await;
        let got = one(&sandbox).await;
        assert_eq!((got.status, got.code()), (status, code), "{script}");
        let said = got.json()["error"]["is_transient"]
            .as_bool()
            .unwrap_or(false);
        assert_eq!(said, is_transient, "{script}");
        assert_eq!(sandbox.stats().events_received, 0, "{script}");
        assert_eq!(one(&sandbox).await.status, 200, "{script}");
        assert_eq!(sandbox.stats().events_received, 1, "{script}");
    }
}

#[tokio::test]
async fn pages_of_a_proxy_and_empty_answers() {
    let sandbox = scripted("html 502 x 1; empty 500 x 1").await;
    let html = one(&sandbox).await;
    assert_eq!(
        (html.status, html.header("content-type")),
        (502, Some("text/html; charset=utf-8"))
    );
    assert!(html.body.starts_with("<!DOCTYPE html>"));
    assert_eq!(html.header("facebook-api-version"), None);
    let empty = one(&sandbox).await;
    assert_eq!((empty.status, empty.body.as_str()), (500, ""));
}

#[tokio::test]
async fn a_reset_is_a_tcp_reset() {
    let sandbox = scripted("reset x 1; reset x 1 late").await;
    assert_eq!(
        raw(&sandbox).await.unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    assert_eq!(sandbox.stats().events_received, 0);
    assert_eq!(
        raw(&sandbox).await.unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    assert_eq!(sandbox.stats().events_received, 1);
    assert_eq!(sandbox.stats().answers["reset"], 2);
}

#[tokio::test]
async fn a_hang_never_answers() {
    let sandbox = scripted("hang x 1 late").await;
    let waited = timeout(Duration::from_millis(200), raw(&sandbox)).await;
    assert!(waited.is_err(), "{waited:?}");
    assert_eq!(sandbox.stats().events_received, 1);
    assert_eq!(one(&sandbox).await.status, 200);
}

#[tokio::test]
async fn a_slow_answer_comes_late_but_right() {
    let sandbox = scripted("slow 150ms x 1").await;
    #[expect(clippy::disallowed_methods, reason = "a delay is real time")]
    let began = Instant::now();
    assert_eq!(one(&sandbox).await.status, 200);
    assert!(began.elapsed() >= Duration::from_millis(150));
    assert_eq!(sandbox.stats().events_received, 1);
}

#[tokio::test]
async fn half_a_body_promises_the_whole() {
    let sandbox = scripted("half-body x 1").await;
    let got = parse(&raw(&sandbox).await.unwrap());
    let promised: usize = got.header("content-length").unwrap().parse().unwrap();
    assert_eq!((got.status, got.body.len()), (200, promised / 2));
    assert!(got.body.starts_with(r#"{"events_received":1"#));
    assert_eq!(sandbox.stats().events_received, 1);
}

#[tokio::test]
async fn usage_headers_join_a_success() {
    let sandbox = scripted("usage 80").await;
    let got = one(&sandbox).await;
    let app: serde_json::Value = serde_json::from_str(got.header("x-app-usage").unwrap()).unwrap();
    assert_eq!((got.status, &app["call_count"]), (200, &80.into()));
    let business = got.header("x-business-use-case-usage").unwrap();
    let business: serde_json::Value = serde_json::from_str(business).unwrap();
    assert_eq!(business["1"][0]["call_count"], 80);
}

#[tokio::test]
async fn throttling_says_when_it_ends() {
    let sandbox = scripted("throttle for 61s").await;
    let got = one(&sandbox).await;
    let header = got.header("x-business-use-case-usage").unwrap();
    let header: serde_json::Value = serde_json::from_str(header).unwrap();
    assert_eq!(header["1"][0]["estimated_time_to_regain_access"], 2);
    assert_eq!(header["1"][0]["call_count"], 100);
    sandbox.script(parse_script("throttle 4 regain 0m").unwrap());
    let got = one(&sandbox).await;
    assert_eq!(got.code(), (4, None));
    let app: serde_json::Value = serde_json::from_str(got.header("x-app-usage").unwrap()).unwrap();
    assert_eq!(app["call_count"], 100);
}

#[tokio::test]
async fn a_partial_success_takes_less() {
    let sandbox = scripted("partial 2 x 1").await;
    let body = batch(&[event("a"), event("b"), event("c")]);
    assert_eq!(events(&sandbox, &body).await.json()["events_received"], 1);
    let stats = sandbox.stats();
    assert_eq!((stats.events_received, stats.discarded), (1, 2));
    let ids: Vec<_> = sandbox.ids().into_iter().map(|id| id.event_id).collect();
    assert_eq!(ids, ["a"]);
}

#[tokio::test]
async fn faults_keep_to_their_dataset_and_path() {
    let sandbox = scripted("500 on 2; 503 everywhere on 3").await;
    assert_eq!(one(&sandbox).await.status, 200);
    assert_eq!(get(&sandbox, "/v26.0/2?access_token=T").await.status, 200);
    assert_eq!(get(&sandbox, "/v26.0/3?access_token=T").await.status, 503);
    let body = batch(&[event("a")]);
    let got = crate::client::post(&sandbox, "/v26.0/2/events?access_token=T", &body).await;
    assert_eq!(got.status, 500);
}
