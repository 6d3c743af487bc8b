//! The token travels in the URL, errors of HTTP libraries carry URLs, and Meta repeats tokens that it
//! cannot read. None of it may be found in anything that can be printed.

use std::fmt::{Debug, Write as _};

use bytes::Bytes;
use sluice_graph::{Client, Destination, Reason, TokenPlacement, Verdict, verdict};

use crate::server::{SECRET, Server, Step, TOKEN, answer, client, destination, impatient_client};

/// Collects all that can be printed, and looks through it in the end.
#[derive(Default)]
struct Printed(String);

impl Printed {
    fn debug(&mut self, value: &impl Debug) {
        writeln!(self.0, "{value:?}\n{value:#?}").unwrap();
    }

    fn text(&mut self, value: &impl ToString) {
        self.0 += &value.to_string();
        self.0.push('\n');
    }

    fn reason(&mut self, reason: &Reason) {
        self.debug(reason);
        self.text(reason);
    }

    fn assert_clean(&self) {
        assert!(!self.0.is_empty());
        for secret in [TOKEN, SECRET] {
            assert!(!self.0.contains(secret), "{}", self.0);
        }
    }
}

fn steps() -> Vec<Step> {
    let echo = format!(
        r#"{{"error":{{"message":"Malformed access token {TOKEN}","code":190,
            "error_user_title":"{TOKEN}","error_user_msg":"in {TOKEN}"}}}}"#
    );
    let named = format!(
        r#"{{"id":"1","name":"{TOKEN}","messages":["{TOKEN}"],"metadata":{{"type":"{TOKEN}"}},
            "data":{{"is_valid":true,"application":"{TOKEN}","scopes":["{TOKEN}"],"type":"{TOKEN}",
            "error":{{"message":"{TOKEN}"}}}}}}"#
    );
    let location = format!("Location: http://127.0.0.1:1/?access_token={TOKEN}\r\n");
    vec![
        Step::Write(answer("400 Bad Request", "", &echo)),
        Step::Write(answer("200 OK", "", &named)),
        Step::Write(answer("302 Found", &location, "")),
        Step::Write(answer("502 Bad Gateway", "", &format!("<html>{TOKEN}"))),
        Step::WriteAndClose(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".to_vec()),
        Step::WriteAndClose(b"no HTTP".to_vec()),
        Step::Reset,
        Step::Hang(vec![]),
    ]
}

async fn ask_all(printed: &mut Printed, client: &Client, to: &Destination) {
    printed.debug(client);
    printed.debug(to);
    let explanation = client.explain(to).await;
    printed.text(&explanation);
    printed.debug(&explanation);
    match client.debug_token(&to.endpoint).await {
        Ok(state) => printed.debug(&state),
        Err(error) => {
            printed.text(&error);
            printed.debug(&error);
        }
    }
    let path = [to.dataset.as_str(), "stats"];
    let asked = client.get(&to.endpoint, &path, &[("limit", "500")]).await;
    printed.debug(&asked);
    printed.debug(&client.page(&to.endpoint, &path, &[], Some("QVFI")).await);
    let posted = client.post(&to.endpoint, &path, Bytes::from_static(b"{}"));
    printed.debug(&posted.await);
    if let Err(error) = &asked.answer {
        printed.text(error);
    }
    let exchange = client.send(to, Bytes::from_static(b"{}")).await;
    printed.debug(&exchange);
    let verdict = verdict(&exchange.answer, 1);
    printed.debug(&verdict);
    match &verdict {
        Verdict::Delivered | Verdict::Fewer { .. } => {}
        Verdict::Refused { reason, .. }
        | Verdict::TooLarge(reason)
        | Verdict::Transient(reason)
        | Verdict::Throttled(reason)
        | Verdict::Operator(reason)
        | Verdict::Mismatch(reason) => printed.reason(reason),
    }
}

#[tokio::test]
async fn whatever_the_server_does() {
    let mut printed = Printed::default();
    for placement in [TokenPlacement::Query, TokenPlacement::Header] {
        for place in 0..steps().len() {
            // Six requests are made of each kind.
            let script = [(); 6].map(|()| steps().swap_remove(place));
            let server = Server::start(script).await;
            let mut to = server.destination();
            to.endpoint.placement = placement;
            ask_all(&mut printed, &impatient_client(), &to).await;
            assert_eq!(server.requests().len(), 6);
        }
    }
    assert!(printed.0.contains("Malformed access token (the token)"));
    printed.assert_clean();
}

#[tokio::test]
async fn when_nobody_is_there() {
    let mut printed = Printed::default();
    for base_url in ["http://127.0.0.1:1", "https://127.0.0.1:1"] {
        ask_all(&mut printed, &client(), &destination(base_url)).await;
    }
    printed.assert_clean();
}
