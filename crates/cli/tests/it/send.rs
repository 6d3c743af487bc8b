//! `sluice send`, straight to a dataset: that of a sandbox.

use std::fs;

use serde_json::{Value, json};

use crate::journal::now_ms;
use crate::run::{NAMELESS, Run, sluice, sluice_with};
use crate::server::Server;

pub(crate) const EMAIL: &str = "john.q.public@example.com";
const TOKEN: &str = "EAABgeheim";
const DATASET: &str = "1234567890";

pub(crate) fn sandbox(arguments: &[&str]) -> Server {
    let listen = ["sandbox", "--listen", "127.0.0.1:0"];
    Server::start(&[&listen, arguments].concat())
}

/// Sends with a token in the environment. Nobody may print it, or the address.
pub(crate) fn send(to: &Server, arguments: &[&str], stdin: &str) -> Run {
    let route = ["send", "--dataset", DATASET, "--graph-url", &to.base];
    let run = sluice_with(
        &[("META_ACCESS_TOKEN", TOKEN)],
        &[&route, arguments].concat(),
        stdin,
    );
    for secret in [EMAIL, TOKEN] {
        assert!(!run.stdout.contains(secret), "{}", run.stdout);
        assert!(!run.stderr.contains(secret), "{}", run.stderr);
    }
    run
}

/// An event of now about which there is nothing to say.
pub(crate) fn event(id: &str) -> String {
    let now_s = now_ms() / 1_000;
    format!(
        r#"{{"event_name":"Lead","event_time":{now_s},"event_id":"{id}","action_source":"other","user_data":{{"em":"{EMAIL}"}}}}"#
    )
}

fn lines(count: usize) -> String {
    (1..=count)
        .map(|number| event(&format!("lead-{number}")) + "\n")
        .collect()
}

pub(crate) fn report(run: &Run) -> Value {
    run.json().remove(0)
}

#[test]
fn one_event_from_options_arrives_sealed() {
    let sandbox = sandbox(&["--token", TOKEN]);
    let user = format!("em={EMAIL}");
    let run = send(
        &sandbox,
        &[
            "--name",
            "Purchase",
            "--id",
            "order-1",
            "--value",
            "129.90",
            "--currency",
            "USD",
            "--user",
            &user,
            "--user",
            "client_user_agent=Mozilla/5.0",
            "--custom",
            "num_items=2",
            "--url",
            "https://shop.example/thanks",
            "--test-event-code",
            "TEST123",
        ],
        "",
    );
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let start = "Purchase order-1 was taken by dataset 1234567890 (fbtrace_id ";
    assert!(run.stdout.starts_with(start), "{}", run.stdout);
    let received = sandbox.json("/sandbox/received");
    let received = &received["events"][0];
    assert_eq!(received["test_event_code"], "TEST123");
    let text = received.to_string();
    assert!(text.contains("129.9") && !text.contains(EMAIL), "{text}");
}

#[test]
fn a_file_goes_in_batches() {
    let sandbox = sandbox(&[]);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), lines(25)).unwrap();
    let path = file.path().to_str().unwrap();
    let run = send(&sandbox, &["--batch", "10", "--json", path], "");
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let report = report(&run);
    for (key, expected) in [
        ("events", json!(25)),
        ("taken", json!(25)),
        ("requests", json!(3)),
        ("retries", json!(0)),
        ("unsent", json!(0)),
        ("rejected", json!([])),
        ("refused", json!([])),
        ("error", Value::Null),
        ("to", json!("dataset 1234567890")),
    ] {
        assert_eq!(report[key], expected, "{key}");
    }
    assert_eq!(report["fbtrace_ids"].as_array().map(Vec::len), Some(3));
    assert_eq!(sandbox.json("/sandbox/stats")["distinct"], 25);
}

#[test]
fn what_got_lost_is_sent_again_and_counts_once() {
    let sandbox = sandbox(&["--fault", "reset x 1 late", "--fault", "503 x 1"]);
    let run = send(&sandbox, &["--json"], &lines(3));
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let report = report(&run);
    assert_eq!(
        (&report["taken"], &report["retries"]),
        (&json!(3), &json!(2))
    );
    assert!(run.stderr.contains("the same again in "), "{}", run.stderr);
    assert!(run.stderr.contains("(2 of 8)"), "{}", run.stderr);
    let stats = sandbox.json("/sandbox/stats");
    assert_eq!(
        (&stats["distinct"], &stats["deduplicated"]),
        (&json!(3), &json!(3))
    );
}

#[test]
fn trying_again_comes_to_an_end() {
    let sandbox = sandbox(&["--fault", "500 in 0s"]);
    let run = send(&sandbox, &["--json", "--retries", "1"], &lines(3));
    assert_eq!(run.code, Some(2));
    let report = report(&run);
    assert_eq!(
        (&report["taken"], &report["unsent"]),
        (&json!(0), &json!(3))
    );
    assert_eq!(
        (&report["requests"], &report["retries"]),
        (&json!(2), &json!(1))
    );
    assert!(
        report["error"].as_str().unwrap().contains("error 1"),
        "{report}"
    );
    assert!(
        run.stderr.contains("what did arrive is not counted twice"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_business_is_no_dataset() {
    let sandbox = sandbox(&["--business-id", DATASET]);
    let run = send(
        &sandbox,
        &["--name", "Lead", "--user", "external_id=17"],
        "",
    );
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("(error 100/33)"), "{}", run.stderr);
    let help = "it is not the business id) and the access of the token's system user\n";
    assert!(run.stderr.ends_with(help), "{}", run.stderr);
}

#[test]
fn who_has_to_wait_long_comes_back_later() {
    let sandbox = sandbox(&["--fault", "throttle 80004 regain 20m"]);
    let run = send(&sandbox, &[], &lines(1));
    assert_eq!(run.code, Some(2));
    assert!(
        run.stdout.contains("0 of 1 events were taken"),
        "{}",
        run.stdout
    );
    assert!(
        run.stderr.contains("it asks to wait 20 minutes"),
        "{}",
        run.stderr
    );
}

/// One that went out as a real event would count.
#[test]
fn test_codes_inside_events_hold_for_all_of_them_or_nothing_is_sent() {
    let sandbox = sandbox(&[]);
    let inside = |id: &str, code: &str| {
        event(id).replacen('{', &format!(r#"{{"test_event_code":"{code}","#), 1)
    };
    let alike = format!(
        "{}\n{}\n",
        inside("lead-1", "TEST1"),
        inside("lead-2", "TEST1")
    );
    let run = send(&sandbox, &[], &alike);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    for other in [event("lead-4"), inside("lead-4", "TEST2")] {
        let mixed = format!("{}\n{other}\n", inside("lead-3", "TEST1"));
        let run = send(&sandbox, &[], &mixed);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
        assert!(
            run.stderr.contains("test_event_code inside"),
            "{}",
            run.stderr
        );
        let run = send(&sandbox, &["--test-event-code", "TEST1"], &mixed);
        assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    }
}

#[test]
fn a_refused_event_does_not_stop_the_rest() {
    let sandbox = sandbox(&["--fault", "error 100/2804019 x 2"]);
    let run = send(&sandbox, &[], &lines(2));
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""));
    assert!(
        run.stdout.starts_with(
            "[0] Lead lead-1 was refused\n  a parameter is missing or of the wrong type (error 100/2804019)"
        ),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout
            .contains("\n  help: mend the event at its source\n")
    );
    let end = "1 of 2 events were taken by dataset 1234567890; 1 refused by Meta";
    assert!(run.stdout.contains(end), "{}", run.stdout);
}

/// Meta answers to some wrong settings as to a wrong event.
#[test]
fn a_file_of_which_nothing_goes_through_is_not_refused_event_by_event() {
    for fault in ["error 100", "error 100/2804016"] {
        let sandbox = sandbox(&["--fault", fault]);
        let run = send(&sandbox, &["--json", "--batch", "10"], &lines(40));
        assert_eq!(run.code, Some(2), "{fault}: {}", run.stderr);
        let report = report(&run);
        assert_eq!(report["refused"].as_array().map(Vec::len), Some(2));
        assert_eq!(
            (&report["unsent"], &report["first_unsent"]),
            (&json!(38), &json!(2))
        );
        let why = "one event after the other is refused, and no other one goes through";
        assert!(run.stderr.contains(why), "{}", run.stderr);
        assert!(run.stderr.contains("\nhelp: the request may be wrong"));
    }
}

#[test]
fn one_good_event_shows_that_the_others_are_wrong() {
    let sandbox = sandbox(&[]);
    let wrong = |number: usize| {
        let refuse = r#"{"custom_data":{"sandbox_refuse":"blind"},"#;
        event(&format!("lead-{number}")).replacen('{', refuse, 1) + "\n"
    };
    let good = event("good").replace("\"Lead\"", "\"Purchase\"");
    let good = good.replacen('{', r#"{"custom_data":{"value":1,"currency":"EUR"},"#, 1);
    let body: String = (0..6).map(wrong).chain([good]).collect();
    let run = send(&sandbox, &["--json"], &body);
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""));
    let report = report(&run);
    let refused = report["refused"].as_array().unwrap().iter();
    let refused: Vec<_> = refused.map(|refused| refused["index"].clone()).collect();
    assert_eq!(refused, [0, 1, 2, 3, 4, 5]);
    assert_eq!(
        (&report["taken"], &report["unsent"]),
        (&json!(1), &json!(0))
    );
}

#[test]
fn what_breaks_our_rules_is_not_sent() {
    let sandbox = sandbox(&[]);
    let body = format!("[{},{NAMELESS}]", event("lead-1"));
    let run = send(&sandbox, &[], &body);
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""));
    let block = "[1] was rejected\n  ✖ error[event_name_missing] [1]\n";
    assert!(run.stdout.starts_with(block), "{}", run.stdout);
    assert!(
        run.stdout
            .contains("1 of 2 events were taken by dataset 1234567890; 1 rejected")
    );
    let run = send(&sandbox, &["--json"], &body);
    let rejected = &report(&run)["rejected"][0];
    assert_eq!(rejected["index"], 1);
    assert_eq!(rejected["findings"][0]["code"], "event_name_missing");
}

#[test]
fn nothing_goes_without_a_good_token() {
    let sandbox = sandbox(&["--token", &format!("{TOKEN}=expired")]);
    let run = send(&sandbox, &[], &lines(2));
    assert_eq!(run.code, Some(2));
    assert!(
        run.stdout
            .contains("0 of 2 events were taken by dataset 1234567890; 2 not sent.")
    );
    assert!(
        run.stderr
            .contains("the access token has expired (error 190/463)"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("help: generate a new access token"),
        "{}",
        run.stderr
    );

    let run = sluice(&["send", "--dataset", DATASET], lines(1));
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(
        run.stderr
            .starts_with("error: environment variable META_ACCESS_TOKEN is not set\nhelp: ")
    );
    let run = sluice(
        &["send", "--dataset", DATASET, "--token-file", "/nowhere"],
        lines(1),
    );
    assert!(
        run.stderr
            .starts_with("error: file /nowhere cannot be read"),
        "{}",
        run.stderr
    );
    // There is no option that would show it to everybody on the machine.
    let run = sluice(&["send", "--dataset", DATASET, "--token", TOKEN], lines(1));
    assert_eq!(run.code, Some(2));
}

#[test]
fn the_token_may_come_from_a_file() {
    let sandbox = sandbox(&["--token", TOKEN]);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), format!("{TOKEN}\n")).unwrap();
    let path = file.path().to_str().unwrap();
    let route = ["send", "--dataset", DATASET, "--graph-url", &sandbox.base];
    let run = sluice(&[&route[..], &["--token-file", path]].concat(), lines(1));
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}

#[test]
fn nobody_there_is_said_so() {
    let gone = sandbox(&[]);
    let base = gone.base.clone();
    drop(gone);
    let route = [
        "send",
        "--dataset",
        DATASET,
        "--graph-url",
        &base,
        "--retries",
        "0",
    ];
    let run = sluice_with(&[("META_ACCESS_TOKEN", TOKEN)], &route, lines(1));
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains("error: no connection: refused"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_dry_run_shows_what_would_be_sent_and_needs_no_token() {
    let run = sluice(&["send", "--dry-run"], lines(2));
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert!(!run.stdout.contains(EMAIL));
    let mut lines = run.stdout.lines();
    let first: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert_eq!(first["event_id"], "lead-1");
    assert_eq!(first["user_data"]["em"][0].as_str().map(str::len), Some(64));
    assert_eq!(
        lines.next_back(),
        Some("2 of 2 events would go to a dataset. Nothing was sent.")
    );

    let run = sluice(
        &["send", "--dry-run", "--json", "--dataset", DATASET],
        NAMELESS,
    );
    assert_eq!(run.code, Some(1));
    let report = report(&run);
    assert_eq!(
        (&report["dry_run"], &report["would_send"]),
        (&json!(true), &json!([]))
    );
}

#[test]
fn what_cannot_be_understood_is_explained_without_repeating_it() {
    for (arguments, stdin, expected) in [
        (&["--dataset", DATASET][..], "[{]", "stdin:1:3 is not JSON"),
        (
            &["--dry-run"],
            "[{]",
            "help: nothing was sent; send one event, an array",
        ),
        (
            &["--dry-run"],
            "[{}, {]",
            "help: nothing was sent; `sluice check` says more",
        ),
        (&[], "{}", "it is not said where the events go"),
        (
            &["--dataset", "shop"],
            "",
            "a dataset id has 5 to 20 digits",
        ),
        (
            &["--dataset", DATASET, "--dataset", "77777"],
            "{}",
            "one dataset at a time",
        ),
        (&["--batch", "1001"], "", "Meta takes 1 to 1000 events"),
        (&["--id", "x"], "", "--name <NAME>"),
        (
            &["--name", "Lead", "--user", EMAIL],
            "",
            "--user has no name and =",
        ),
        (
            &["--name", "Lead", "--user", "emial=x@y.co"],
            "",
            "--user names the field emial, which Meta does not know\nhelp: did you mean email (em)?",
        ),
        (
            &["--name", "Lead", "--value", "12,99", "--currency", "EUR"],
            "",
            "--value is no plain number\nhelp: write digits and at most one point, such as 129.99",
        ),
        (
            &["--name", "Lead", "--value", "12", "--currency", "EURO"],
            "",
            "--currency is no currency of ISO 4217\nhelp: use a code of three letters",
        ),
        (
            &["--name", "Lead", "--value", "12"],
            "",
            "help: add --currency",
        ),
        (
            &["--dry-run"],
            "",
            "stdin is empty: there are no events in it\nhelp: nothing was sent; send one event, an array",
        ),
        (
            &["--dry-run"],
            " \n\n",
            "stdin is empty: there are no events",
        ),
        (
            &["/dev/null"],
            "",
            "/dev/null is empty: there are no events",
        ),
        (
            &["--dry-run"],
            "[]",
            "stdin holds an empty list: there are no events in it\nhelp: nothing was sent",
        ),
        (
            &["--dry-run"],
            r#"{"data":[]}"#,
            "stdin holds an empty list: there are no events in it",
        ),
        (&["/nowhere.json"], "", "opening /nowhere.json"),
        (
            &["--gateway", "127.0.0.1:8200"],
            "{}",
            "it is no URL; write the gateway's base address, such as http://127.0.0.1:8080",
        ),
        (
            &["--gateway", "localhost:8200"],
            "{}",
            "http://; write the gateway's base address, such as http://127.0.0.1:8080",
        ),
        (
            &["--gateway", "http://127.0.0.1:8200/v26.0"],
            "{}",
            "it ends in a version of the Graph API; write the gateway's base address",
        ),
        (
            &["--gateway", "http://a", "--token-file", "x"],
            "",
            "cannot be used with",
        ),
    ] {
        let run = sluice(&[&["send"], arguments].concat(), stdin);
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (Some(2), ""),
            "{arguments:?}"
        );
        assert!(
            run.stderr.contains(expected),
            "{arguments:?}: {}",
            run.stderr
        );
        assert!(!run.stderr.contains(EMAIL), "{}", run.stderr);
    }
}

#[test]
fn what_was_not_sent_is_counted_and_its_beginning_named() {
    // The second request of an hour is one too many.
    let once = ["--calls-per-hour", "1"];
    let arguments = ["--batch", "10", "--retries", "0"];
    let run = send(
        &sandbox(&once),
        &[&arguments[..], &["--json"]].concat(),
        &lines(25),
    );
    assert_eq!(run.code, Some(2), "{}", run.stdout);
    let told = report(&run);
    for (key, expected) in [("taken", 10), ("unsent", 15), ("first_unsent", 10)] {
        assert_eq!(told[key], expected, "{key}");
    }
    assert_eq!(told["makes_ids"], false);
    let run = send(&sandbox(&once), &arguments, &lines(25));
    let end =
        "10 of 25 events were taken by dataset 1234567890; 15 not sent, the first of them [10]";
    assert!(run.stdout.contains(end), "{}", run.stdout);

    let run = send(&sandbox(&[]), &["--json"], &lines(2));
    assert_eq!(report(&run)["first_unsent"], Value::Null);
}

#[test]
fn a_test_code_that_is_none_is_not_sent() {
    let run = sluice(&["send", "--name", "Lead", "--test-event-code", "x y"], "");
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("such as TEST123"), "{}", run.stderr);
}
