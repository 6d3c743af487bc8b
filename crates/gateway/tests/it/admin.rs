//! The admin listener: what it shows, to whom, and what the doors do not show any more.

use serde_json::json;

use crate::client::{raw, request};
use crate::harness::{DATASET, start};

#[tokio::test(flavor = "multi_thread")]
async fn the_doors_say_whether_they_are_ready_and_the_admin_listener_says_the_rest() {
    let test = start().await;
    assert_eq!(test.post(&test.purchase("order-1")).await.status, 202);
    test.lane("flowing").await;

    let ready = request(test.address(), "GET", "/readyz", &[], b"").await;
    assert_eq!((ready.status, ready.json()), (200, json!({"ready": true})));
    let metrics = request(test.address(), "GET", "/metrics", &[], b"").await;
    assert_eq!(metrics.status, 404, "{metrics:?}");
    let help = "metrics are at the admin listener: see admin.listen";
    assert_eq!(metrics.json()["help"], help);

    let lanes = request(test.admin(), "GET", "/readyz", &[], b"").await;
    assert_eq!(lanes.json()["lanes"][0]["dataset"], DATASET);
    let metrics = request(test.admin(), "GET", "/metrics", &[], b"").await;
    assert!(metrics.body.contains("sluice_accepted_events_total"));
    let event = test.purchase("another").to_string();
    let strange = request(test.admin(), "POST", "/v1/events", &[], event.as_bytes()).await;
    assert_eq!(strange.status, 404, "{strange:?}");
    let wrong = request(test.admin(), "POST", "/metrics", &[], b"").await;
    assert_eq!(wrong.status, 405, "{wrong:?}");
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_the_web_is_not_answered_by_the_admin_listener() {
    let test = start().await;
    for (head, status) in [
        ("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:8081", 200),
        ("GET /metrics HTTP/1.1\r\nHost: localhost:8081", 200),
        ("GET /metrics HTTP/1.1\r\nHost: sluice:8081", 200),
        ("GET /metrics HTTP/1.1\r\nHost: evil.example:8081", 421),
        ("GET /readyz HTTP/1.1\r\nHost: evil.example", 421),
        (
            "GET http://evil.example/metrics HTTP/1.1\r\nHost: localhost",
            421,
        ),
    ] {
        let request = format!("{head}\r\nConnection: close\r\n\r\n");
        let answer = raw(test.admin(), request.as_bytes()).await;
        assert_eq!(answer.status, status, "{head}: {answer:?}");
        if status == 421 {
            assert_eq!(answer.json()["code"], "host_wrong");
        }
    }
    test.finish().await;
}
