//! What clients meet while the gateway drains and stops.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::client::{Answer, request};
use crate::harness::{DATASET, KEY, TestGateway, start_with};

/// More than any of these tests takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A gateway whose next requests to Meta get no answer, with one event on the way.
async fn with_a_hanging_post() -> TestGateway {
    let test = start_with("timeout_s = 300", "").await;
    test.faults("hang");
    let answer = test.post(&test.purchase("on-its-way")).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    test.until("a request to Meta", || test.sandbox.stats().requests == 1)
        .await;
    test
}

/// What `/readyz` answers, on a connection of its own.
async fn ready(address: SocketAddr) -> Answer {
    request(address, "GET", "/readyz", &[], b"").await
}

/// Waits until `/readyz` says that the gateway stops.
async fn until_stopping(address: SocketAddr) {
    let wait = async {
        while ready(address).await.status != 503 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, wait).await.expect("it says so");
}

/// Sends a request on a connection that is kept, and reads to its end.
async fn rest_of(mut stream: TcpStream, bytes: &[u8]) -> String {
    stream.write_all(bytes).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_a_second_for_meta_and_answers_503_meanwhile() {
    let mut test = with_a_hanging_post().await;
    let address = test.address();
    let mut kept = TcpStream::connect(address).await.unwrap();
    let alive = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    kept.write_all(alive.as_bytes()).await.unwrap();
    let mut first = [0; 12];
    kept.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    let event = test.purchase("too-late").to_string();

    let stopping = tokio::spawn(test.take().stop());
    until_stopping(address).await;
    let answer = ready(address).await;
    assert_eq!(answer.json()["code"], "stopping");

    let authorization = format!("Bearer {KEY}");
    let headers = [("Authorization", authorization.as_str())];
    let native = request(address, "POST", "/v1/events", &headers, event.as_bytes()).await;
    assert_eq!(native.status, 503, "{native:?}");
    assert_eq!(native.json()["code"], "stopping");
    let path = format!("/v26.0/{DATASET}/events");
    let graph = request(address, "POST", &path, &headers, b"{}").await;
    assert_eq!(graph.status, 503, "{graph:?}");
    assert_eq!(graph.json()["error"]["is_transient"], json!(true));
    for answer in [native, graph] {
        assert_eq!(answer.header("retry-after"), Some("5"), "{answer:?}");
        assert_eq!(answer.header("connection"), Some("close"), "{answer:?}");
    }
    // The client of the kept connection does not ask for its end, and still sends when it has the answer.
    let length = event.len();
    let post =
        format!("POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{event}");
    let said = rest_of(kept, post.as_bytes()).await;
    assert!(
        said.contains("HTTP/1.1 503") && said.contains("connection: close"),
        "{said}"
    );

    // The request to Meta would take five minutes.
    timeout(PATIENCE, stopping)
        .await
        .expect("it stops")
        .unwrap();
    let refused = TcpStream::connect(address).await;
    assert!(refused.is_err(), "the port is closed");
    let audit = test.finish().await;
    assert_eq!((audit.tally.accepted, audit.tally.waiting), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_takes_events_and_sends_clients_elsewhere() {
    let mut test = start_with("", "").await;
    test.reconfigure(|config| {
        config.replace("server.listen", "server.drain_s = 3600\nserver.listen")
    });
    test.restart().await;
    assert_eq!(test.post(&test.purchase("before")).await.status, 202);
    let address = test.address();
    let gateway = test.take();
    let meanwhile = async {
        until_stopping(address).await;
        let authorization = format!("Bearer {KEY}");
        let headers = [("Authorization", authorization.as_str())];
        let event = test.purchase("during").to_string();
        request(address, "POST", "/v1/events", &headers, event.as_bytes()).await
    };
    let answer = tokio::select! {
        () = gateway.drain() => panic!("the drain takes an hour"),
        answer = timeout(PATIENCE, meanwhile) => answer.expect("an answer"),
    };
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(answer.header("connection"), Some("close"), "{answer:?}");
    gateway.stop().await;
    let audit = test.finish().await;
    assert_eq!(audit.tally.accepted, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_not_in_use_stops_without_a_drain() {
    let mut test = start_with("", "").await;
    test.reconfigure(|config| {
        config.replace("server.listen", "server.drain_s = 3600\nserver.listen")
    });
    test.restart().await;
    let drained = timeout(PATIENCE, test.gateway().drain()).await;
    assert!(drained.is_ok(), "no event ever came");
    for path in ["/v1/events", "/v26.0/1234567890123456/events"] {
        let wrong = [("Authorization", "Bearer a-wrong-key-0123456789")];
        let answer = request(test.address(), "POST", path, &wrong, b"{}").await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    let drained = timeout(PATIENCE, test.gateway().drain()).await;
    assert!(drained.is_ok(), "no source ever asked");
    assert_eq!(test.post(&test.purchase("long-ago")).await.status, 202);
    test.arrived(1).await;
    test.clock.jump(Duration::from_mins(1));
    let drained = timeout(PATIENCE, test.gateway().drain()).await;
    assert!(drained.is_ok(), "the last event came a minute ago");
    test.finish().await;
}
