//! `sluice check --explain`.

use serde_json::json;

use crate::run::{NAMELESS, PERFECT, check};

/// The hash of `john@example.com`.
const JOHN: &str = "855f96e983f1f8e8be944692b6f719fd54329826cb62e98015efee8e2e071dd4";

#[test]
fn explains_what_becomes_of_every_value() {
    let run = check(
        &["--json", "--explain", "--country", "de"],
        format!(
            r#"{{"event_name":"Lead","event_time":1701234567,"event_id":"1","action_source":"other",
        "user_data":{{"em":["John@Example.com ","nope"],"ph":"030 1234567","ln":"{JOHN}","client_ip_address":"8.8.8.8"}}}}"#
        ),
    );
    assert_eq!(run.code, Some(0));
    let event = &run.json()[0];
    let values = event["explain"]["user_data"].as_array().unwrap();
    let came: Vec<_> = values
        .iter()
        .map(|value| {
            let text = |key: &str| value[key].as_str().unwrap_or("-").to_owned();
            [text("field"), text("came"), text("sent"), text("note")]
        })
        .collect();
    assert_eq!(
        came,
        [
            ["em", "text of 17 characters", "hashed", "-"],
            ["em", "text of 4 characters", "left_out", "em_invalid"],
            ["ph", "text of 11 characters", "hashed", "-"],
            ["ln", "hashed before", "hashed", "-"],
            ["client_ip_address", "text of 7 characters", "clear", "-"],
        ]
    );
    assert_eq!(values[0]["sha256"], json!([JOHN]));
    assert_eq!(
        values[2]["sha256"],
        json!(["2f9fbc550b12cbc0e6242384cc472bd1e4f058a8b773f189f7acb86d202655ce"])
    );
    let payload = &event["explain"]["payload"];
    assert_eq!(payload["event_id"], "1");
    assert_eq!(payload["expires_at"], "2023-12-06T05:09:27Z");
    assert!(payload["bytes"].as_u64() > Some(100), "{payload}");
}

#[test]
fn explains_in_a_table() {
    let run = check(&["--explain"], PERFECT);
    assert_eq!(run.code, Some(0));
    let expected = format!(
        "event Lead lead-1
  em  text of 16 characters  → {JOHN}
  payload of 177 bytes, event_id lead-1
  Meta takes it until 2023-12-06T05:09:27Z

1 event, no findings: ready to send
"
    );
    assert_eq!(run.stdout, expected);
    let run = check(&["--explain", "--show-values"], PERFECT);
    let row = format!(r#"  em  "john@example.com"  → {JOHN}"#);
    let row = row.replace("→", "→ \"john@example.com\" →");
    assert!(run.stdout.contains(&row), "{}", run.stdout);
    let run = check(&["--explain"], NAMELESS);
    assert!(run.stdout.contains("  nothing is sent\n"), "{}", run.stdout);
}

#[test]
fn rules_come_from_the_command_line() {
    let body = r#"{"event_name":"Lead","event_time":1701234567,"event_id":"1",
        "user_data":{"external_id":"customer-17","fn":"Mary-Ann"}}"#;
    let explained = |arguments: &[&str]| {
        let run = check(&[arguments, &["--json", "--explain"]].concat(), body);
        let event = run.json().swap_remove(0);
        let values = event["explain"]["user_data"].clone();
        let sent = values[0]["sent"].as_str().unwrap().to_owned();
        let hashes = values[1]["sha256"].as_array().unwrap().len();
        (sent, hashes, event["findings"][0]["message"].to_string())
    };
    let (sent, hashes, message) = explained(&[]);
    assert_eq!((&*sent, hashes), ("hashed", 1));
    assert!(message.contains("website was set"), "{message}");
    let (sent, hashes, message) = explained(&[
        "--external-id",
        "as-is",
        "--variants",
        "--action-source",
        "chat",
    ]);
    assert_eq!((&*sent, hashes), ("clear", 2));
    assert!(message.contains("chat was set"), "{message}");
}
