//! Asking what an id is, and how a token stands.

use sluice_graph::{
    AskError, ConnectFailure, Explanation, Lost, TokenPlacement, TokenState, Version,
};

use crate::server::{Server, Step, TOKEN, answer, client, destination};

async fn explained(status: &str, body: &str) -> Explanation {
    let server = Server::start([Step::Write(answer(status, "", body))]).await;
    client().explain(&server.destination()).await
}

async fn debugged(status: &str, body: &str) -> Result<TokenState, AskError> {
    let server = Server::start([Step::Write(answer(status, "", body))]).await;
    client().debug_token(&server.endpoint()).await
}

#[tokio::test]
async fn says_what_an_id_is() {
    for (body, expected) in [
        (
            r#"{"id":"1","name":"Shop","metadata":{"type":"adspixel"}}"#,
            "the id is that of the dataset \"Shop\", and the token can read it",
        ),
        (
            r#"{"id":"1","metadata":{"type":"OfflineConversionDataSet"}}"#,
            "the id is that of the dataset, and the token can read it",
        ),
        (
            r#"{"id":"1","name":"Shop\u0007 \"Ltd\"","metadata":{"type":"business"}}"#,
            "the id is that of the business \"Shop\\u{7} \\\"Ltd\\\"\", not of a dataset; the \
             dataset's id is in Events Manager, under Data sources, Settings",
        ),
        (
            r#"{"id":"1","name":"Shop","metadata":{"type":"page"}}"#,
            "the id is that of the Page \"Shop\", not of a dataset; the dataset's id is in Events \
             Manager, under Data sources, Settings",
        ),
        (
            r#"{"id":"1","metadata":{"type":"adcampaigngroup"}}"#,
            "the id is that of something else (Meta calls it \"adcampaigngroup\"), not of a dataset; \
             the dataset's id is in Events Manager, under Data sources, Settings",
        ),
        (
            r#"{"id":"1","name":"Shop"}"#,
            "the id exists \"Shop\", but Meta does not say what it is; the dataset's id is in Events \
             Manager, under Data sources, Settings",
        ),
    ] {
        assert_eq!(explained("200 OK", body).await.to_string(), expected);
    }
}

#[tokio::test]
async fn says_why_an_id_cannot_be_read() {
    let error = |code: &str| format!(r#"{{"error":{{"message":"m","code":{code}}}}}"#);
    let of = |code: &str| {
        let body = error(code);
        async move { explained("400 Bad Request", &body).await }
    };
    let unseen = of("100,\"error_subcode\":33").await;
    assert!(matches!(unseen, Explanation::Unseen(_)));
    assert!(
        unseen
            .to_string()
            .starts_with("nothing at Meta has this id, or the token")
    );
    assert!(matches!(of("803").await, Explanation::NoSuchId(_)));
    for code in ["10", "200", "294"] {
        assert!(matches!(of(code).await, Explanation::NoAccess(_)), "{code}");
    }
    let token = of("190,\"error_subcode\":463").await;
    assert!(matches!(token, Explanation::Token(_)));
    assert!(
        token
            .to_string()
            .starts_with("the access token has expired; ")
    );
    for code in ["4", "1", "100"] {
        assert!(matches!(of(code).await, Explanation::Unknown(_)), "{code}");
    }
    let page = explained("502 Bad Gateway", "<html>").await;
    assert_eq!(
        page.to_string(),
        "Meta could not be asked: the answer is not one of the Graph API (HTTP 502); if that lasts, \
         check base_url, and proxies on the way"
    );
}

#[tokio::test]
async fn an_empty_request_shows_whether_the_token_can_send() {
    for (status, body, expected) in [
        (
            "400 Bad Request",
            r#"{"error":{"message":"(#100) The parameter data must have at least 1 element","code":100}}"#,
            Some(true),
        ),
        (
            "400 Bad Request",
            r#"{"error":{"message":"Unsupported post request","code":100,"error_subcode":33}}"#,
            Some(false),
        ),
        (
            "403 Forbidden",
            r#"{"error":{"message":"(#200) Permissions error","code":200}}"#,
            Some(false),
        ),
        (
            "400 Bad Request",
            r#"{"error":{"message":"Invalid OAuth access token","code":190}}"#,
            None,
        ),
        ("502 Bad Gateway", "<html>", None),
        (
            "200 OK",
            r#"{"events_received":0,"messages":[],"fbtrace_id":"A"}"#,
            Some(true),
        ),
    ] {
        let server = Server::start([Step::Write(answer(status, "", body))]).await;
        let can_send = client().can_send(&server.destination()).await;
        assert_eq!(can_send, expected, "{body}");
        let request = server.requests().remove(0);
        assert!(
            request.starts_with("POST /v27.0/1234567890/events"),
            "{request}"
        );
        assert!(request.ends_with(r#"{"data":[]}"#), "{request}");
    }
}

#[tokio::test]
async fn says_why_nobody_could_be_asked() {
    let nobody = destination("http://127.0.0.1:1");
    let lost = Lost::Connect(ConnectFailure::Refused);
    let explanation = client().explain(&nobody).await;
    assert_eq!(explanation, Explanation::Unknown(AskError::Lost(lost)));
    assert_eq!(
        client().debug_token(&nobody.endpoint).await,
        Err(AskError::Lost(lost))
    );
}

#[tokio::test]
async fn questions_carry_what_meta_documents() {
    let step = |body| Step::Write(answer("200 OK", "", body));
    let server = Server::start([step("{}"), step(r#"{"data":{"is_valid":true}}"#)]).await;
    let mut to = server.destination();
    to.endpoint.app_secret = None;
    to.endpoint.placement = TokenPlacement::Header;
    let strange = Explanation::Unknown(AskError::Strange);
    assert_eq!(client().explain(&to).await, strange);
    to.endpoint.placement = TokenPlacement::Query;
    client().debug_token(&to.endpoint).await.unwrap();
    let requests = server.requests();
    let first_lines: Vec<_> = requests
        .iter()
        .filter_map(|request| request.lines().next())
        .collect();
    let debug = format!("GET /v27.0/debug_token?input_token={TOKEN}&access_token={TOKEN} HTTP/1.1");
    assert_eq!(
        first_lines,
        [
            "GET /v27.0/1234567890?fields=id%2Cname&metadata=1 HTTP/1.1",
            &debug
        ]
    );
}

#[tokio::test]
async fn reads_how_a_token_stands() {
    let body = r#"{"data":{"app_id":"138","type":"SYSTEM_USER","application":"Shop",
        "data_access_expires_at":0,"expires_at":1800000000,"is_valid":true,"issued_at":1347235328,
        "scopes":["ads_management","business_management"],"user_id":"1"}}"#;
    let expected = TokenState {
        is_valid: true,
        problem: None,
        kind: Some("SYSTEM_USER".to_owned()),
        app_id: Some("138".to_owned()),
        application: Some("Shop".to_owned()),
        expires_at_s: Some(1_800_000_000),
        data_access_expires_at_s: None,
        scopes: vec![
            "ads_management".to_owned(),
            "business_management".to_owned(),
        ],
        served: None,
    };
    assert_eq!(debugged("200 OK", body).await, Ok(expected.clone()));

    let version = "facebook-api-version: v26.0\r\n";
    let server = Server::start([Step::Write(answer("200 OK", version, body))]).await;
    let expected = TokenState {
        served: Version::parse("v26.0"),
        ..expected
    };
    let state = client().debug_token(&server.endpoint()).await;
    assert_eq!(state, Ok(expected));

    let body = r#"{"data":{"error":{"code":190,"message":"Session has expired","subcode":463},
        "is_valid":false,"scopes":[]}}"#;
    let expected = TokenState {
        problem: Some("Session has expired".to_owned()),
        ..TokenState::default()
    };
    assert_eq!(debugged("200 OK", body).await, Ok(expected));

    let body = r#"{"error":{"message":"(#100) You must provide an app access token","code":100}}"#;
    assert!(matches!(
        debugged("400 Bad Request", body).await,
        Err(AskError::Refused { .. })
    ));
    // Not even the shape of an answer: no claim is made about the token.
    for body in ["{}", r#"{"data":[]}"#, r#"{"data":{}}"#] {
        assert_eq!(
            debugged("200 OK", body).await,
            Err(AskError::Strange),
            "{body}"
        );
    }
}
