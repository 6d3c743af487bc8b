//! `sluice sandbox`.

use crate::run::sluice;
use crate::server::Server;

const LISTEN: [&str; 3] = ["sandbox", "--listen", "127.0.0.1:0"];

/// A request of one event.
fn body(id: &str) -> String {
    let now_s = crate::journal::now_ms() / 1_000;
    format!(
        r#"{{"data":[{{"event_name":"Lead","event_time":{now_s},"event_id":"{id}","action_source":"other","user_data":{{"external_id":["17"]}}}}]}}"#
    )
}

#[test]
fn takes_what_meta_would_take_and_stops_when_told() {
    let sandbox = Server::start(&LISTEN);
    assert!(
        sandbox
            .greeting
            .starts_with("A sandbox of Meta's Graph API listens on http://")
    );
    let path = "/v26.0/1234567890/events?access_token=any";
    let (status, answer) = sandbox.http("POST", path, &body("a"));
    assert_eq!(status, 200, "{answer}");
    assert_eq!(sandbox.http("GET", "/sandbox", "").0, 200);
    let received = sandbox.json("/sandbox/received");
    assert_eq!(received["events"].as_array().map(Vec::len), Some(1));

    let base = sandbox.base.clone();
    let (code, printed) = sandbox.stop();
    assert_eq!(code, Some(0));
    assert!(
        printed.contains(&format!("  page    {base}/sandbox\n")),
        "{printed}"
    );
    assert!(
        printed.contains(&format!("curl '{base}/v27.0/")),
        "{printed}"
    );
}

#[test]
fn an_open_address_is_warned_about() {
    let (_, printed) = Server::start(&["sandbox", "--listen", "0.0.0.0:0"]).stop();
    assert!(
        printed.contains("warning other machines can reach it"),
        "{printed}"
    );
    let (_, printed) = Server::start(&LISTEN).stop();
    assert!(!printed.contains("warning"), "{printed}");
}

#[test]
fn faults_tokens_and_datasets_come_from_the_command_line() {
    let sandbox = Server::start(
        &[
            &LISTEN[..],
            &[
                "--fault",
                "500 x 1",
                "--token",
                "good",
                "--token",
                "old=expired",
            ],
            &["--dataset", "1234567890", "--business-id", "999999"],
        ]
        .concat(),
    );
    let post = |dataset: &str, token: &str| {
        let path = format!("/v26.0/{dataset}/events?access_token={token}");
        let (status, answer) = sandbox.http("POST", &path, &body("a"));
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        (status, answer["error"]["code"].as_i64())
    };
    assert_eq!(post("1234567890", "good"), (500, Some(1)));
    assert_eq!(post("1234567890", "good"), (200, None));
    assert_eq!(post("1234567890", "old"), (401, Some(190)));
    // One token is listed as valid, so others are not.
    assert_eq!(post("1234567890", "other"), (401, Some(190)));
    assert_eq!(post("1234567891", "good"), (400, Some(100)));
    assert_eq!(post("999999", "good"), (400, Some(100)));
}

#[test]
fn what_cannot_be_understood_is_explained() {
    for (arguments, expected) in [
        (["--fault", "teapot"], "there is no fault \"teapot\""),
        (
            ["--fault", "500 for 1m on abc"],
            "after \"on\" has to come the id of a dataset, which is a number, found \"abc\"",
        ),
        (["--token", "a=stale"], "use one of valid, expired"),
        (["--dataset", "shop"], "ids of Meta are numbers"),
        (
            ["--listen", "nowhere"],
            "not an IP address and a port: write 127.0.0.1:8090",
        ),
    ] {
        let run = sluice(&[&["sandbox"], &arguments[..]].concat(), "");
        assert_eq!(run.code, Some(2), "{arguments:?}");
        assert!(run.stderr.contains(expected), "{}", run.stderr);
    }
}

#[test]
fn an_address_in_use_is_no_panic() {
    let first = Server::start(&LISTEN);
    let address = first.base.trim_start_matches("http://");
    let run = sluice(&["sandbox", "--listen", address], "");
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains(&format!("cannot listen on {address}")),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("another program listens there"),
        "{}",
        run.stderr
    );
}
