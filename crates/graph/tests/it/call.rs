//! Calls beside `/events`.

use serde_json::json;
use sluice_graph::{
    ANSWER_BYTES_MAX, AskError, Class, Lost, Page, TokenPlacement, UseCase, Version,
};

use crate::server::{Server, Step, TOKEN, answer, client};

/// HMAC-SHA256 of the token under the secret, computed with OpenSSL.
const PROOF: &str = "e16aa30bcb2ffe8c4cfb20d4fc43447e160c288ce50caf10abd0cdaf48cf79df";

#[tokio::test]
async fn a_list_is_read_page_by_page() {
    let page = |items: &str, paging: &str| {
        Step::Write(answer(
            "200 OK",
            "",
            &format!(r#"{{"data":[{items}],"paging":{paging}}}"#),
        ))
    };
    let more = format!(
        r#"{{"cursors":{{"before":"QVFI","after":"QV/J="}},"next":"https://graph.facebook.com/x?access_token={TOKEN}"}}"#
    );
    let server = Server::start([
        page(r#"{"value":"Purchase","count":3}"#, &more),
        page("", r#"{"cursors":{"before":"QVFJ","after":"QVFK"}}"#),
    ])
    .await;
    let mut endpoint = server.endpoint();
    endpoint.app_secret = None;
    endpoint.placement = TokenPlacement::Header;
    let path = ["1234567890", "stats"];
    let query = [("aggregation", "event"), ("limit", "1")];
    let client = client();
    let first = client
        .page(&endpoint, &path, &query, None)
        .await
        .answer
        .unwrap();
    let expected = Page {
        items: vec![json!({"value": "Purchase", "count": 3})],
        after: Some("QV/J=".to_owned()),
    };
    assert_eq!(first, expected);
    let second = client.page(&endpoint, &path, &query, first.after.as_deref());
    let second = second.await.answer.unwrap();
    assert_eq!((second.items.len(), second.after), (0, None));
    let requests = server.requests();
    let first_lines: Vec<_> = requests.iter().filter_map(|it| it.lines().next()).collect();
    assert_eq!(
        first_lines,
        [
            "GET /v27.0/1234567890/stats?aggregation=event&limit=1 HTTP/1.1",
            "GET /v27.0/1234567890/stats?aggregation=event&limit=1&after=QV%2FJ%3D HTTP/1.1",
        ]
    );
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_call_brings_json_and_what_is_around_its_answer() {
    let headers = "facebook-api-version: v26.0\r\ndate: Mon, 23 Nov 2026 12:00:00 GMT\r\nretry-after: 7\r\n\
        x-business-use-case-usage: {\"1\":[{\"type\":\"custom_audience\",\"call_count\":97,\
        \"estimated_time_to_regain_access\":2}]}\r\n";
    let body = format!(r#"{{"audience_id":"6","session_id":"1","echo":{{"of":["{TOKEN}"]}}}}"#);
    let server = Server::start([Step::Write(answer("200 OK", headers, &body))]).await;
    let sent = r#"{"payload":{"schema":["EMAIL_SHA256"],"data":[]}}"#;
    let asked = client()
        .post(&server.endpoint(), &["6", "users"], sent.into())
        .await;
    let expected = json!({"audience_id": "6", "session_id": "1", "echo": {"of": ["(the token)"]}});
    assert_eq!(asked.answer, Ok(expected));
    assert_eq!(asked.served, Version::parse("v26.0"));
    assert_eq!(asked.dated().map(|it| it.date_s), Some(1_795_435_200));
    assert_eq!(asked.retry_after_s, Some(7));
    let of_audiences = asked.usage.of(UseCase::Audiences);
    assert_eq!(
        (of_audiences.percent, of_audiences.regain_s),
        (97, Some(120))
    );
    assert_eq!(asked.usage.of(UseCase::Events).percent, 0);
    let request = server.requests().remove(0);
    let first =
        format!("POST /v27.0/6/users?access_token={TOKEN}&appsecret_proof={PROOF} HTTP/1.1");
    assert_eq!(request.lines().next(), Some(first.as_str()));
    assert!(
        request
            .to_lowercase()
            .contains("content-type: application/json\r\n")
    );
    assert!(request.ends_with(sent), "{request}");
}

#[tokio::test]
async fn what_a_refusal_means_stands_in_the_table_of_errors() {
    let long = "x".repeat(ANSWER_BYTES_MAX + 1);
    for (status, body, expected) in [
        (
            "400 Bad Request",
            r#"{"error":{"code":80003,"message":"m"}}"#,
            Some(Class::Throttled),
        ),
        (
            "400 Bad Request",
            r#"{"error":{"code":190,"message":"m"}}"#,
            Some(Class::Operator),
        ),
        (
            "500 Internal Server Error",
            r#"{"error":{"code":2,"message":"m"}}"#,
            Some(Class::Transient),
        ),
        (
            "400 Bad Request",
            r#"{"error":{"code":100,"message":"m"}}"#,
            Some(Class::Refused),
        ),
        ("413 Content Too Large", "<html>", Some(Class::Refused)),
        ("429 Too Many Requests", &*long, Some(Class::Throttled)),
        ("502 Bad Gateway", "<html>", Some(Class::Transient)),
        ("200 OK", &*long, None),
    ] {
        let server = Server::start([Step::WriteAndClose(answer(status, "", body))]).await;
        let asked = client()
            .get(&server.endpoint(), &["debug_token"], &[])
            .await;
        match (asked.answer, expected) {
            (Err(AskError::Refused { class, reason }), Some(expected)) => {
                assert_eq!(class, expected, "{status} {reason}");
            }
            (Err(AskError::Lost(lost)), None) => assert_eq!(lost, Lost::TooLarge),
            (answer, _) => panic!("{status}: {answer:?}"),
        }
    }
}
