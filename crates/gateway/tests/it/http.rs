//! The protocol below the doors: what is no request, who waits for what, and when an answer goes out.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::client::{Answer, half_closed, raw, request};
use crate::harness::{DATASET, KEY, start};

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

/// Whatever is wrong with a request line, and at whichever listener: the answer is the door's own JSON.
#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_is_json_in_the_words_of_its_door() {
    let test = start().await;
    let shape = |answer: &Answer| {
        let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
        match (&json["error"]["code"], &json["code"]) {
            (graph, _) if graph.is_i64() => format!("{} graph {graph}", answer.status),
            (_, problem) => format!("{} {problem}", answer.status).replace('"', ""),
        }
    };
    let key = format!("Authorization: Bearer {KEY}");
    for (line, head, expected) in [
        ("POST /v26.0/%ff/events", key.as_str(), "400 graph 100"),
        ("POST /v26.0/%ff/events", "", "401 graph 104"),
        ("POST /v26.0/%/events", key.as_str(), "400 graph 100"),
        ("POST /capi/%ff/events", key.as_str(), "400 graph 100"),
        ("POST /%ff/1/events", key.as_str(), "404 path_unknown"),
        ("GET /v26.0/%ff", "", "404 graph 2500"),
        ("GET /v26.0/%ff/events", "", "404 graph 2500"),
        ("POST /v26.0/%ff/instruments", "", "404 graph 2500"),
        ("POST /x/%ff/instruments", "", "404 path_unknown"),
        ("GET /x/debug_token", "", "404 path_unknown"),
        ("POST /x/debug_token", "", "404 path_unknown"),
        ("GET /%ff", "", "404 path_unknown"),
        ("GET /capi/1/events", "", "405 graph 100"),
        ("GET /capi/%ff/events", "", "405 graph 100"),
        ("GET /capi/1", "", "404 graph 100"),
        ("GET /v1/events", "", "405 method_wrong"),
        ("OPTIONS /v1/events", "", "405 method_wrong"),
        ("TRACE /v1/events", "", "405 method_wrong"),
        ("STRANGE /healthz", "", "405 method_wrong"),
        ("OPTIONS *", "", "404 path_unknown"),
        ("CONNECT shop.example:443", "", "404 path_unknown"),
        ("POST /v26.0/1/events", "Host: another", "400 graph 100"),
        ("POST /capi/1/events", "Host: another", "400 graph 100"),
        ("POST /v1/events", "Host: another", "400 host_invalid"),
        (
            "POST /v26.0/1/events",
            "Transfer-Encoding: gzip, chunked",
            "501 graph 100",
        ),
    ] {
        let head = if head.is_empty() { "A: b" } else { head };
        // Without its end, the rest of a chunked body would be waited for.
        let body = if head.starts_with("Transfer") {
            "0\r\n\r\n"
        } else {
            ""
        };
        let request =
            format!("{line} HTTP/1.1\r\nHost: x\r\n{head}\r\nConnection: close\r\n\r\n{body}");
        let answer = raw(test.address(), request.as_bytes()).await;
        assert_eq!(shape(&answer), expected, "{line}: {answer:?}");
    }
    for (line, expected) in [
        ("GET /%ff", "404 path_unknown"),
        ("POST /v26.0/%ff/events", "404 path_unknown"),
        ("GET /v26.0/1", "404 path_unknown"),
        ("POST /metrics", "405 method_wrong"),
        ("OPTIONS *", "404 path_unknown"),
    ] {
        let request = format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = raw(test.admin(), request.as_bytes()).await;
        assert_eq!(shape(&answer), expected, "{line}: {answer:?}");
    }
    // Bytes that are no text in a header, and a type that is none of those that are known.
    for (content_type, expected) in [
        (&b"\xff\xfe"[..], "400 graph 100"),
        (b"multipart/form-data", "400 graph 100"),
        (b"image/png; =", "400 graph 100"),
    ] {
        let head = format!("POST /v26.0/{DATASET}/events HTTP/1.1\r\nHost: x\r\n{key}\r\n");
        let rest = b"\r\nContent-Length: 3\r\nConnection: close\r\n\r\n\xff=1";
        let request = [head.as_bytes(), b"Content-Type: ", content_type, rest].concat();
        let answer = raw(test.address(), &request).await;
        assert_eq!(shape(&answer), expected, "{content_type:?}: {answer:?}");
    }
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_ends_early_is_told_what_its_framing_lacks() {
    let test = start().await;
    for (framing, body, help) in [
        (
            "Content-Length: 10",
            "{}",
            "as many bytes as Content-Length says",
        ),
        (
            "Transfer-Encoding: chunked",
            "2\r\n{}\r\n",
            "a chunk of no bytes",
        ),
        (
            "Transfer-Encoding: chunked",
            "9\r\n{}",
            "a chunk of no bytes",
        ),
        (
            "Transfer-Encoding: chunked",
            "2\r\n{}}\r\n0\r\n\r\n",
            "each chunk",
        ),
        (
            "Transfer-Encoding: chunked",
            "-2\r\n{}\r\n0\r\n\r\n",
            "each chunk",
        ),
        (
            "Transfer-Encoding: chunked",
            "ffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
            "each chunk",
        ),
    ] {
        let request = format!(
            "POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n{framing}\r\n\r\n{body}"
        );
        let answer = half_closed(test.address(), request.as_bytes()).await;
        assert_eq!(answer.status, 400, "{body:?}: {answer:?}");
        assert_eq!(answer.json()["code"], "body_torn", "{body:?}");
        let told = answer.json()["help"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(told.contains(help), "{body:?}: {told}");
    }
    test.finish().await;
}
