//! Sending: what goes out, and what is made of every kind of answer.

use std::time::Duration;

use bytes::Bytes;
use sluice_graph::{
    ANSWER_BYTES_MAX, Answer, Client, ClientSettings, ConnectFailure, Exchange, Lost, Success,
    TokenPlacement, Usage, UseCase, Verdict, Version, verdict, wire,
};
use tokio::net::TcpListener;

use crate::server::{SECRET, Server, Step, TOKEN, answer, client, destination, impatient_client};

const RECEIVED: &str = r#"{"events_received":2,"messages":[],"fbtrace_id":"A1"}"#;

/// `printf EAABsecretTOKEN123 | openssl dgst -sha256 -hmac appSECRETvalue456`
const PROOF: &str = "e16aa30bcb2ffe8c4cfb20d4fc43447e160c288ce50caf10abd0cdaf48cf79df";

fn body() -> Bytes {
    wire::body(["{\"a\":1}", "{}"].into_iter(), Some("TEST1"), None)
}

/// One exchange with a server that does this one step.
async fn exchange(client: Client, step: Step) -> Exchange {
    let server = Server::start([step]).await;
    let exchange = client.send(&server.destination(), body()).await;
    assert_eq!(server.requests().len(), 1, "a request is never sent twice");
    exchange
}

async fn answer_to(step: Step) -> Answer {
    exchange(client(), step).await.answer
}

#[tokio::test]
async fn a_success_with_everything_around_it() {
    let headers = "Content-Type: application/json\r\nfacebook-api-version: v25.0\r\n\
                   x-app-usage: {\"call_count\":81}\r\n\
                   x-ad-account-usage: {\"acc_id_util_pct\":9.6,\"reset_time_duration\":100}\r\n\
                   retry-after: 7\r\n";
    let step = Step::Write(answer("200 OK", headers, RECEIVED));
    let exchange = exchange(client(), step).await;
    let success = Success {
        events_received: Some(2),
        messages: vec![],
        fbtrace_id: Some("A1".to_owned()),
    };
    let usage = Usage {
        percent: 81,
        regain_s: Some(100),
    };
    assert_eq!(exchange.answer, Answer::Success(success));
    assert_eq!(exchange.usage.of(UseCase::Events), usage);
    assert_eq!(exchange.retry_after_s, Some(7));
    assert_eq!(exchange.served, Version::parse("v25.0"));
    assert!(exchange.elapsed > Duration::ZERO);
}

/// A proxy's clock is nobody's business.
#[tokio::test]
async fn the_time_at_meta_is_what_metas_own_answers_say() {
    const DATE: &str = "Date: Mon, 23 Nov 2026 12:00:00 GMT\r\n";
    const VERSION: &str = "facebook-api-version: v25.0\r\n";
    const ERROR: &str = r#"{"error":{"message":"no","type":"OAuthException","code":190}}"#;
    for (status, headers, body, is_told) in [
        ("200 OK", DATE.to_owned(), RECEIVED, true),
        ("400 Bad Request", DATE.to_owned(), ERROR, true),
        ("500 Oops", format!("{DATE}{VERSION}"), "<html>", true),
        ("502 Bad Gateway", DATE.to_owned(), "<html>", false),
        ("200 OK", String::new(), RECEIVED, false),
        ("200 OK", "Date: noon\r\n".to_owned(), RECEIVED, false),
    ] {
        let expected = is_told.then_some(1_795_435_200);
        let step = || Step::Write(answer(status, &headers, body));
        let exchange = exchange(client(), step()).await;
        assert_eq!(exchange.date_s, expected, "{status} {headers}");
        let server = Server::start([step()]).await;
        let to = server.endpoint();
        let told = client().time(&to.base_url, to.version).await;
        assert_eq!(told.map(|told| told.date_s), expected, "{status} {headers}");
        let asked = server.requests().remove(0);
        let is_bare = asked.starts_with(&format!("GET /{} HTTP", to.version));
        assert!(is_bare && !asked.contains(TOKEN), "{asked}");
    }
}

#[tokio::test]
async fn the_request_is_what_meta_documents() {
    let server = Server::start([Step::Write(answer("200 OK", "", RECEIVED))]).await;
    client().send(&server.destination(), body()).await;
    let request = server.requests().remove(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let first = format!(
        "POST /v27.0/1234567890/events?access_token={TOKEN}&appsecret_proof={PROOF} HTTP/1.1"
    );
    assert_eq!(lines.next(), Some(first.as_str()));
    let lines: Vec<_> = lines.map(str::to_lowercase).collect();
    assert!(lines.contains(&"content-type: application/json".to_owned()));
    assert!(lines.contains(&format!("user-agent: sluice/{}", env!("CARGO_PKG_VERSION"))));
    assert!(!head.to_lowercase().contains("authorization"));
    assert!(!request.contains(SECRET));
    assert_eq!(body, r#"{"data":[{"a":1},{}],"test_event_code":"TEST1"}"#);
}

#[tokio::test]
async fn the_token_can_go_in_a_header() {
    let server = Server::start([Step::Write(answer("200 OK", "", RECEIVED))]).await;
    let mut to = server.destination();
    to.endpoint.placement = TokenPlacement::Header;
    to.endpoint.app_secret = None;
    client().send(&to, body()).await;
    let request = server.requests().remove(0);
    let mut lines = request.lines();
    assert_eq!(lines.next(), Some("POST /v27.0/1234567890/events HTTP/1.1"));
    let bearer = format!("Bearer {TOKEN}");
    assert!(lines.any(|line| line.split_once(": ") == Some(("authorization", &bearer))));
    assert_eq!(request.matches(TOKEN).count(), 1);
}

#[tokio::test]
async fn two_requests_share_a_connection() {
    let step = || Step::Write(answer("200 OK", "", RECEIVED));
    let server = Server::start([step(), step(), step()]).await;
    let client = client();
    for _ in 0..2 {
        client.send(&server.destination(), body()).await;
    }
    client.clone().send(&server.destination(), body()).await;
    assert_eq!((server.requests().len(), server.connections()), (3, 1));
}

#[tokio::test]
async fn errors_are_read_whatever_their_status() {
    for status in ["200 OK", "400 Bad Request", "500 Internal Server Error"] {
        let body = r#"{"error":{"message":"Invalid parameter","type":"OAuthException","code":100,
            "error_subcode":2804003,"error_data":"{\"blame_field_specs\":[[\"data\",1]]}"}}"#;
        let answer = answer_to(Step::Write(answer(status, "", body))).await;
        let Verdict::Refused { indexes, .. } = verdict(&answer, 2) else {
            panic!("{answer:?}");
        };
        assert_eq!(indexes, [1]);
    }
}

#[tokio::test]
async fn pages_of_proxies_are_no_answers() {
    for (status, expected) in [
        ("200 OK", 200),
        ("502 Bad Gateway", 502),
        ("204 No Content", 204),
    ] {
        let body = if expected == 204 {
            ""
        } else {
            "<html>busy</html>"
        };
        let answer = answer_to(Step::WriteAndClose(answer(status, "", body))).await;
        assert_eq!(answer, Answer::Other { status: expected });
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::start([]).await;
    let location = format!("Location: http://{}/\r\n", elsewhere.address);
    for status in ["301 Moved Permanently", "307 Temporary Redirect"] {
        let answer = answer_to(Step::Write(answer(status, &location, ""))).await;
        assert!(matches!(answer, Answer::Other { status: 301 | 307 }));
    }
    assert_eq!(elsewhere.connections(), 0, "the token stays with its host");
}

#[tokio::test]
async fn a_torn_body_is_no_success() {
    let whole = answer("200 OK", "", RECEIVED);
    let torn = whole[..whole.len() - 1].to_vec();
    let answer = answer_to(Step::WriteAndClose(torn)).await;
    assert_eq!(answer, Answer::Lost(Lost::Torn));

    let chunked =
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n35\r\n{RECEIVED}\r\n");
    let answer = answer_to(Step::WriteAndClose(chunked.into_bytes())).await;
    assert_eq!(answer, Answer::Lost(Lost::Torn));
}

#[tokio::test]
async fn a_broken_connection_is_no_answer() {
    for step in [
        Step::Reset,
        Step::WriteAndClose(vec![]),
        Step::WriteAndClose(b"HTTP/1.1 200 OK\r\nContent-".to_vec()),
        Step::WriteAndClose(b"220 mail.example ESMTP\r\n".to_vec()),
    ] {
        assert_eq!(answer_to(step).await, Answer::Lost(Lost::Reset));
    }
}

#[tokio::test]
async fn the_timeout_covers_the_whole_answer() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
    for step in [
        Step::Hang(vec![]),
        Step::Hang(head.to_vec()),
        Step::Drip(head.to_vec()),
    ] {
        let exchange = exchange(impatient_client(), step).await;
        assert_eq!(exchange.answer, Answer::Lost(Lost::Timeout));
        assert!(exchange.elapsed >= Duration::from_millis(150));
        assert!(exchange.elapsed < Duration::from_secs(3));
    }
}

#[tokio::test]
async fn a_long_answer_is_read_up_to_the_limit() {
    let filler = |length: usize| format!("{RECEIVED}{}", " ".repeat(length - RECEIVED.len()));
    let fits = answer("200 OK", "", &filler(ANSWER_BYTES_MAX));
    assert!(matches!(
        answer_to(Step::Write(fits)).await,
        Answer::Success(_)
    ));

    let long = answer("200 OK", "", &filler(ANSWER_BYTES_MAX + 1));
    assert_eq!(
        answer_to(Step::Hang(long)).await,
        Answer::Lost(Lost::TooLarge)
    );

    // Without a length, and without an end.
    let mut endless = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    endless.resize(ANSWER_BYTES_MAX + 1_000, b' ');
    assert_eq!(
        answer_to(Step::Hang(endless)).await,
        Answer::Lost(Lost::TooLarge)
    );
}

#[tokio::test]
async fn a_request_that_is_too_large_is_told_by_its_status() {
    let page = answer("413 Content Too Large", "Connection: close\r\n", "<html>");
    let server = Server::start([Step::WriteEarly(page)]).await;
    let body = Bytes::from(vec![b' '; 8 << 20]);
    let exchange = client().send(&server.destination(), body).await;
    assert_eq!(exchange.answer, Answer::Other { status: 413 });

    // Also when its page is broken off.
    let torn = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 10\r\n\r\n<".to_vec();
    let answer = answer_to(Step::WriteAndClose(torn)).await;
    assert!(matches!(verdict(&answer, 2), Verdict::TooLarge(_)));
}

#[tokio::test]
async fn no_connection_has_its_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let refused = destination(&format!("http://{address}"));
    let answer = client().send(&refused, body()).await.answer;
    assert_eq!(answer, Answer::Lost(Lost::Connect(ConnectFailure::Refused)));

    let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = deaf.local_addr().unwrap();
    let silent = destination(&format!("https://{address}"));
    // Also when a whole request has less time than a connection.
    for (timeout_ms, connect_timeout_ms) in [(10_000, 100), (1_000, 1_000), (500, 3_000)] {
        let settings = ClientSettings {
            timeout: Duration::from_millis(timeout_ms),
            connect_timeout: Duration::from_millis(connect_timeout_ms),
            ..ClientSettings::default()
        };
        let client = Client::new(&settings).unwrap();
        let answer = client.send(&silent, body()).await.answer;
        assert_eq!(answer, Answer::Lost(Lost::Connect(ConnectFailure::Timeout)));
    }
}
