//! `sluice send --gateway`: through a real gateway to a sandbox, with the audit beside it.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::journal::now_ms;
use crate::run::{Run, sluice, sluice_with};
use crate::server::Server;

const EMAIL: &str = "john.q.public@example.com";
const KEY: &str = "geheim-and-long-enough";

/// A gateway in front of a sandbox.
struct Setup {
    sandbox: Server,
    gateway: Server,
    folder: tempfile::TempDir,
}

impl Setup {
    fn new() -> Self {
        Self::with("")
    }

    /// With further keys of the source.
    fn with(keys: &str) -> Self {
        let sandbox = Server::start(&["sandbox", "--listen", "127.0.0.1:0"]);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sluice.toml");
        let journal = folder.path().join("journal");
        let (journal, base) = (journal.display(), &sandbox.base);
        let text = format!(
            r#"
[server]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[journal]
path = "{journal}"
[graph]
base_url = "{base}"
linger_ms = 5
[[dataset]]
id = "1234567890123456"
access_token = {{ command = ["echo", "EAABgeheim"] }}
[[source]]
name = "shop"
kind = "api"
key = {{ command = ["echo", "{KEY}"] }}
datasets = ["1234567890123456"]
{keys}
"#
        );
        fs::write(&file, text).unwrap();
        let gateway = Server::start(&["serve", "--config", file.to_str().unwrap()]);
        Self {
            sandbox,
            gateway,
            folder,
        }
    }

    fn send(&self, arguments: &[&str], stdin: &str) -> Run {
        let route = ["send", "--gateway", &self.gateway.base];
        let run = sluice_with(&[("SLUICE_KEY", KEY)], &[&route, arguments].concat(), stdin);
        for secret in [EMAIL, KEY] {
            assert!(!run.stdout.contains(secret), "{}", run.stdout);
            assert!(!run.stderr.contains(secret), "{}", run.stderr);
        }
        run
    }

    /// What the journal says once nothing waits any more.
    fn audit(&self) -> Value {
        let folder = self.folder.path().join("journal");
        let arguments = ["audit", "--json", "--journal", folder.to_str().unwrap()];
        for _ in 0..200 {
            let run = sluice(&arguments, "");
            assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
            let report = run.json().remove(0);
            if report["waiting"] == 0 {
                return report;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("events still wait");
    }
}

fn event(id: &str, name: &str) -> String {
    let now_s = now_ms() / 1_000;
    format!(
        r#"{{"event_name":"{name}","event_time":{now_s},{id}"action_source":"other","user_data":{{"em":"{EMAIL}"}}}}"#
    )
}

#[test]
fn events_are_kept_delivered_and_audited() {
    let setup = Setup::new();
    let events: Vec<_> = (1..=25)
        .map(|number| event(&format!(r#""event_id":"lead-{number}","#), "Lead"))
        .collect();
    let body = format!(r#"{{"data":[{}]}}"#, events.join(","));
    let run = setup.send(&["--batch", "10", "--json"], &body);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let report = run.json().remove(0);
    assert_eq!(
        (&report["taken"], &report["requests"]),
        (&json!(25), &json!(3))
    );

    // All of them again: the gateway knows them.
    let run = setup.send(&[], &body);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(
        run.stdout.contains("0 of 25 events were taken"),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout.contains("; 25 known there already"),
        "{}",
        run.stdout
    );

    let books = setup.audit();
    assert_eq!(
        (&books["delivered"], &books["duplicate"]),
        (&json!(25), &json!(25))
    );
    assert_eq!(setup.sandbox.json("/sandbox/stats")["distinct"], 25);
}

#[test]
fn an_event_without_id_gets_one_that_stays() {
    let setup = Setup::new();
    let run = setup.send(&["--json"], &event("", "Lead"));
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let run = setup.send(&["--name", "Lead", "--user", &format!("em={EMAIL}")], "");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let mut lines = run.stdout.lines();
    let taken = lines.find(|line| line.starts_with("Lead ")).unwrap();
    assert_eq!(setup.audit()["delivered"], 2);
    let received = setup.sandbox.json("/sandbox/received").to_string();
    let id = taken.split(' ').nth(1).unwrap();
    assert!(received.contains(id), "{id} is not in {received}");
}

#[test]
fn the_gateways_findings_are_shown_as_check_shows_them() {
    let setup = Setup::new();
    let body = format!(
        "{}\nnot json\n{}\n",
        event(r#""event_id":"a","#, "Lead"),
        event(r#""event_id":"b","#, ""),
    );
    let run = setup.send(&[], &body);
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""));
    assert!(
        run.stdout
            .contains("[1] was rejected\n  ✖ error[json_invalid] [1]\n"),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout
            .contains("[2] was rejected\n  ✖ error[event_name_"),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout
            .contains("1 of 3 events were taken by the gateway at http://127.0.0.1:")
    );
    assert_eq!(setup.audit()["accepted"], 1);
}

#[test]
fn a_rejected_event_shows_each_finding_once() {
    let setup = Setup::new();
    let run = setup.send(&[], &event("", ""));
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""));
    for code in ["[event_id_missing]", "[event_name_"] {
        assert_eq!(run.stdout.matches(code).count(), 1, "{}", run.stdout);
    }
}

#[test]
fn the_address_may_be_that_of_the_door() {
    let setup = Setup::new();
    let send = |path: &str| {
        let gateway = format!("{}{path}", setup.gateway.base);
        let event = event(r#""event_id":"a","#, "Lead");
        sluice_with(
            &[("SLUICE_KEY", KEY)],
            &["send", "--gateway", &gateway],
            event,
        )
    };
    for path in ["/v1/events", "/v1/events/", "/"] {
        let run = send(path);
        assert_eq!(run.code, Some(0), "{path}: {}", run.stderr);
    }
    let run = send("/metrics");
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr
            .contains("\nhelp: name the gateway's base address, "),
        "{}",
        run.stderr
    );
}

/// The action sources of all events that arrived, by their ids.
fn action_sources(setup: &Setup) -> Value {
    setup.audit();
    let received = setup.sandbox.json("/sandbox/received");
    let events = received["events"].as_array().unwrap().iter();
    let of = |received: &Value| {
        let event = &received["event"];
        let id = event["event_id"].as_str().unwrap().to_owned();
        (id, event["action_source"].clone())
    };
    Value::Object(events.map(of).collect())
}

#[test]
fn what_the_gateway_repairs_is_shown() {
    let setup = Setup::new();
    let with = |id: &str, more: &str| {
        let event = event(&format!(r#""event_id":"{id}","#), "Lead");
        event.replacen('{', &format!("{{{more},"), 1)
    };
    let money = r#""custom_data":{"value":"12,99","currency":"EUR"}"#;
    let body = [
        with("a", r#""opt_out":false"#),
        with("b", money),
        with("c", money),
        with("d", r#""custom_data":{"currency":"EURO"}"#),
    ]
    .join("\n");
    // Each in a request of its own: places are those of the body all the same.
    let run = setup.send(&["--batch", "1"], &body);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    for block in [
        "  ✎ repaired[value_cleaned] in 2 events
    [1].custom_data.value: read as `12.99`
    [2].custom_data.value: read as `12.99`
    help: send a plain number, such as 129.99
",
        "  ✎ repaired[currency_unknown] [3].custom_data.currency
    found `EURO`, no currency of ISO 4217; left out
",
        "\n4 of 4 events were taken by the gateway at ",
    ] {
        assert!(run.stdout.contains(block), "{}", run.stdout);
    }

    let run = setup.send(&["--json"], &body);
    let report = run.json().remove(0);
    assert_eq!(report["duplicates"], 4);
    let warnings = report["warnings"].as_array().unwrap();
    let told: Vec<_> = warnings
        .iter()
        .map(|it| (it["code"].as_str().unwrap(), &it["events"], &it["index"]))
        .collect();
    let expected = [
        ("currency_unknown", &json!(1), &json!(3)),
        ("value_cleaned", &json!(2), &json!(1)),
    ];
    assert_eq!(told, expected);
}

#[test]
fn what_a_source_decides_is_no_option() {
    let setup = Setup::new();
    let body = event(r#""event_id":"a","#, "Lead");
    for (option, key) in [
        (&["--country", "de"][..], "default_country"),
        (&["--variants"], "variants"),
        (&["--external-id", "as-is"], "hash_external_id"),
        (&["--external-id", "hash"], "hash_external_id"),
    ] {
        for more in [&[][..], &["--dry-run"], &["--name", "Lead"]] {
            let run = setup.send(&[option, more].concat(), &body);
            assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{option:?}");
            let expected = format!(
                "error: {} cannot be used with --gateway, which seals events by its own rules\n\
                 help: set {key} of the source in the gateway's configuration\n",
                option[0]
            );
            assert_eq!(run.stderr, expected);
        }
    }
    assert_eq!(setup.audit()["accepted"], 0);
}

#[test]
fn an_action_source_goes_along_with_events_that_have_none() {
    let setup = Setup::with(r#"default_action_source = "phone_call""#);
    let bare = |id: &str| {
        let event = event(&format!(r#""event_id":"{id}","#), "Lead");
        event.replace(r#""action_source":"other","#, "")
    };
    let page = bare("page").replacen('{', r#"{"event_source_url":"https://shop.example/","#, 1);
    let unknown = bare("strange").replacen('{', r#"{"action_source":"moon","#, 1);
    let named = event(r#""event_id":"named","#, "Lead");
    let body = format!("[{},{page},{unknown},{named}]", bare("bare"));
    let run = setup.send(&["--action-source", "email"], &body);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    // What was added here is told too: the gateway cannot know that it was missing.
    let said = "the event has no action_source; email was set";
    assert!(run.stdout.contains(said), "{}", run.stdout);

    let user = format!("em={EMAIL}");
    let one = |id| ["--name", "Lead", "--user", &user, "--id", id];
    for arguments in [
        &one("option-none")[..],
        &[&one("option")[..], &["--action-source", "email"]].concat(),
    ] {
        let run = setup.send(arguments, "");
        assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    }
    assert_eq!(
        action_sources(&setup),
        json!({
            "bare": "email",
            "strange": "email",
            "page": "website",
            "named": "other",
            // Only what was asked for: the source has a default of its own.
            "option-none": "phone_call",
            "option": "email",
        })
    );
}

#[test]
fn a_wrong_key_and_a_wrong_dataset_stop_everything() {
    let setup = Setup::new();
    let body = event(r#""event_id":"a","#, "Lead");
    let route = ["send", "--gateway", &setup.gateway.base];
    let run = sluice_with(&[("SLUICE_KEY", "another-key-of-nobody")], &route, &body);
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr
            .starts_with("error: no source has this key (HTTP 401)\nhelp: "),
        "{}",
        run.stderr
    );
    let help = "into the variable SLUICE_KEY, or into a file for --key-file; this one came from \
                environment variable SLUICE_KEY\n";
    assert!(run.stderr.ends_with(help), "{}", run.stderr);
    assert!(!run.stderr.contains("another-key"));
    let run = setup.send(&["--dataset", "99999"], &body);
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr
            .contains("this source does not send to that dataset"),
        "{}",
        run.stderr
    );
    let run = sluice(&route, &body);
    assert!(
        run.stderr
            .starts_with("error: environment variable SLUICE_KEY is not set")
    );
    assert_eq!(setup.audit()["accepted"], 0);
}
