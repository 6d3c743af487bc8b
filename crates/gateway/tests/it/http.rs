//! The protocol below the doors: what is no request, who waits for what, and when an answer goes out.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::client::{raw, request};
use crate::harness::{KEY, start};

#[tokio::test]
async fn a_head_has_a_size_and_http_2_is_not_spoken() {
    let test = start().await;
    let long_header = |bytes: usize| {
        let head = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: ";
        format!("{head}{}\r\n\r\n", "x".repeat(bytes - head.len() - 4))
    };
    let long_path = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(16 * 1024));
    let many = format!("GET /healthz HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(65));
    for (what, head, status) in [
        ("the longest head", long_header(16 * 1024), 200),
        ("one byte more", long_header(16 * 1024 + 1), 431),
        ("a long path", long_path, 431),
        ("many headers", many, 431),
        (
            "a head without an end",
            format!("GET /healthz HTTP/1.1\r\nX: {}", "x".repeat(16 * 1024)),
            431,
        ),
        ("no HTTP", "no HTTP at all\r\n\r\n".to_owned(), 400),
    ] {
        let answer = raw(test.address(), head.as_bytes()).await;
        assert_eq!(answer.status, status, "{what}");
    }
    let mut stream = tokio::net::TcpStream::connect(test.address())
        .await
        .unwrap();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    stream.write_all(preface).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.is_empty(), "{answer:?}");
    test.finish().await;
}

#[tokio::test]
async fn what_a_proxy_may_understand_otherwise_is_refused() {
    let test = start().await;
    let key = format!("Authorization: Bearer {KEY}\r\nConnection: close\r\n");
    for (what, head, body, status, code) in [
        (
            "no Host",
            "GET /healthz HTTP/1.1\r\n",
            "",
            400,
            "host_invalid",
        ),
        (
            "two",
            "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n",
            "",
            400,
            "host_invalid",
        ),
        ("none in 1.0", "GET /healthz HTTP/1.0\r\n", "", 200, ""),
        (
            "a coding in the framing",
            "POST /v1/events HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n",
            "2\r\n{}\r\n0\r\n\r\n",
            501,
            "transfer_encoding_unknown",
        ),
        (
            "a chunk of no length",
            "POST /v1/events HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n",
            "xyz\r\n{}\r\n0\r\n\r\n",
            400,
            "body_torn",
        ),
        (
            "an empty part",
            "POST //v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n",
            "{}",
            404,
            "path_unknown",
        ),
    ] {
        let request = format!("{head}{key}\r\n{body}");
        let answer = raw(test.address(), request.as_bytes()).await;
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        if !code.is_empty() {
            assert_eq!(answer.json()["code"], code, "{what}");
        }
        assert_eq!(
            code == "body_torn",
            answer.body.contains("each chunk"),
            "{what}: {answer:?}"
        );
    }
    test.finish().await;
}

/// Each answer is the same, and comes; that the next ones come later is decided where it is counted.
#[tokio::test(flavor = "multi_thread")]
async fn wrong_keys_are_counted_and_right_ones_go_through() {
    let test = start().await;
    for path in ["/v1/events", "/v26.0/1234567890123456/events"] {
        for _ in 0..6 {
            let wrong = [("Authorization", "Bearer a-wrong-key-0123456789")];
            let answer = request(test.address(), "POST", path, &wrong, b"{}").await;
            assert_eq!(answer.status, 401);
        }
    }
    let answer = test.post(&test.purchase("right")).await;
    assert_eq!(answer.status, 202);
    let metrics = request(test.admin(), "GET", "/metrics", &[], b"")
        .await
        .body;
    assert!(
        metrics.contains("sluice_wrong_key_requests_total 12\n"),
        "{metrics}"
    );
    test.arrived(1).await;
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_have_names() {
    let test = start().await;
    let named = [("X-Request-Id", "checkout-17")];
    let answer = request(test.address(), "GET", "/healthz", &named, b"").await;
    assert_eq!(answer.header("x-request-id"), Some("checkout-17"));
    let strange = [("X-Request-Id", "a b;c")];
    let answer = request(test.address(), "GET", "/healthz", &strange, b"").await;
    assert_eq!(answer.header("x-request-id").map(str::len), Some(32));
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_closed_its_half_gets_its_answer() {
    let test = start().await;
    for _ in 0..20 {
        let mut stream = tokio::net::TcpStream::connect(test.address())
            .await
            .unwrap();
        let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
        stream.write_all(request).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer:?}");
    }
    test.finish().await;
}

/// Clients that send everything before they look for an answer: closing the connection on them would be a
/// reset, and no answer.
#[tokio::test]
async fn an_early_answer_reaches_a_client_that_still_sends() {
    let test = start().await;
    let piece = vec![b' '; 1 << 20];
    let length = 40 * piece.len();
    for (path, key, status) in [
        ("/v1/events", "a-wrong-key-0123456789", 401),
        ("/v1/events", KEY, 413),
        ("/v1/nothing", KEY, 404),
        ("/v26.0/1234567890123456/events", KEY, 413),
    ] {
        let mut stream = tokio::net::TcpStream::connect(test.address())
            .await
            .unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        for _ in 0..40 {
            stream.write_all(&piece).await.unwrap();
        }
        // The connection serves the next request as well.
        let next = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(next).await.unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).await.unwrap();
        let first = format!("HTTP/1.1 {status} ");
        assert!(answers.starts_with(&first), "{path}: {answers:?}");
        assert!(answers.contains("HTTP/1.1 200 OK"), "{path}: {answers:?}");
    }
    test.finish().await;
}

#[tokio::test]
async fn a_client_that_asks_before_it_sends_is_told_at_once() {
    let test = start().await;
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n\
         Expect: 100-continue\r\nContent-Length: 100000000\r\n\r\n"
    );
    let answer = raw(test.address(), head.as_bytes()).await;
    assert!(answer.head.starts_with("HTTP/1.1 413 "), "{answer:?}");
    test.finish().await;
}
