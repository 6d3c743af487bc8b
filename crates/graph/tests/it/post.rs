//! Posting to something that is not the Graph API.

use sluice_graph::{Lost, Posted};

use crate::server::{Server, Step, TOKEN, answer, client};

#[tokio::test]
async fn carries_the_bearer_and_brings_the_answer_back() {
    let headers = "retry-after: 5\r\nlocation: http://elsewhere.example\r\n";
    let step = Step::Write(answer(
        "503 Service Unavailable",
        headers,
        r#"{"code":"busy"}"#,
    ));
    let server = Server::start([step]).await;
    let to = server.endpoint();
    let query = [("dataset", "12345"), ("test_event_code", "T&1")];
    let posted = client()
        .post_json(
            &to.base_url,
            &["v1", "events"],
            &query,
            &to.token,
            "[]".into(),
        )
        .await;
    let expected = Posted {
        status: 503,
        retry_after_s: Some(5),
        body: br#"{"code":"busy"}"#.to_vec(),
    };
    assert_eq!(posted, Ok(expected));
    let request = server.requests().remove(0);
    let first = "POST /v1/events?dataset=12345&test_event_code=T%261 HTTP/1.1";
    assert_eq!(request.lines().next(), Some(first));
    let bearer = format!("authorization: Bearer {TOKEN}");
    assert!(request.lines().any(|line| line == bearer), "{request}");
    assert!(request.ends_with("\r\n\r\n[]"));
}

#[tokio::test]
async fn a_broken_connection_is_no_answer() {
    let server = Server::start([Step::Reset]).await;
    let to = server.endpoint();
    let client = client();
    let posted = client
        .post_json(&to.base_url, &["v1", "events"], &[], &to.token, "[]".into())
        .await;
    assert_eq!(posted, Err(Lost::Reset));
    assert_eq!(server.requests().len(), 1, "a request is never sent twice");
}
