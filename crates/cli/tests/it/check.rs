//! `sluice check`.

use serde_json::{Value, json};

use crate::run::{NAMELESS, NOW, PERFECT, check, sluice, sluice_head, sluice_in, sluice_in_colour};

/// The event of the product's brief, in the envelope that Meta takes.
const PURCHASE: &str = r#"{"data":[{"event_name":"Purchase","event_time":1701234567,"user_data":{"em":"john@example.com"},"custom_data":{"currency":"USD","value":129.99,"contents":[{"id":"SKU123","quantity":2,"item_price":64.99}]}}]}"#;

fn codes(event: &Value) -> Vec<&str> {
    let findings = event["findings"].as_array();
    findings
        .into_iter()
        .flatten()
        .filter_map(|finding| finding["code"].as_str())
        .collect()
}

#[test]
fn the_purchase_of_the_brief_is_ready_to_send() {
    let run = check(&["--json"], PURCHASE);
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    let events = run.json();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["event_name"], "Purchase");
    assert_eq!(events[0]["valid"], true);
    assert_eq!(
        codes(&events[0]),
        [
            "action_source_missing",
            "event_id_missing",
            "client_user_agent_missing",
            "event_source_url_missing"
        ]
    );
}

#[test]
fn a_person_gets_blocks_and_a_summary() {
    let run = check(&[], PURCHASE);
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    let (header, findings) = run.stdout.split_once('\n').unwrap();
    assert!(header.starts_with("data[0] Purchase "), "{header}");
    let block = "  ⚠ warning[client_user_agent_missing] data[0]
    a website event without client_user_agent
    help: website events need user_data.client_user_agent, the browser's own
    source: Meta, Conversions API: Server Event Parameters
";
    assert!(findings.contains(block), "{findings}");
    let summary = "\n1 event: 1 repaired, 3 warnings; ready to send\n";
    assert!(findings.ends_with(summary), "{findings}");
}

#[test]
fn a_clean_event_is_said_to_be_clean() {
    let run = check(&["-"], PERFECT);
    assert_eq!(run.code, Some(0));
    assert_eq!(run.stdout, "1 event, no findings: ready to send\n");
    let run = check(&[], "[]");
    assert_eq!(run.code, Some(0));
    assert_eq!(run.stdout, "no events: nothing to send\n");
}

#[test]
fn an_empty_body_is_said_to_be_empty() {
    for body in ["", " \n"] {
        let run = check(&[], body);
        assert_eq!(run.code, Some(1));
        assert!(
            run.stdout
                .contains("  there is nothing in it; expected events\n"),
            "{}",
            run.stdout
        );
        assert!(
            run.stdout
                .ends_with("\n\nstdin is empty: no events to check\n"),
            "{}",
            run.stdout
        );
        assert!(!run.stdout.contains("not JSON"), "{}", run.stdout);
        let line = check(&["--json"], body).json().remove(0);
        assert_eq!(
            line["findings"][0]["message"],
            "there is nothing in it; expected events"
        );
    }
}

#[test]
fn every_layout_has_its_own_places() {
    for (body, places) in [
        (NAMELESS.to_owned(), vec!["event", "(the whole event)"]),
        (format!("[{PERFECT},{NAMELESS}]"), vec!["[1]"]),
        (
            format!(r#"{{"data":[{PERFECT},{NAMELESS}]}}"#),
            vec!["data[1]"],
        ),
        (
            format!(r#"{{"test_event_code":"T","data":[{NAMELESS}]}}"#),
            vec!["data[0]"],
        ),
        (format!("{PERFECT}\n\n{NAMELESS}\n"), vec!["[1]"]),
    ] {
        let run = check(&[], &body);
        assert_eq!(run.code, Some(1), "{body}");
        let header = format!("{} x", places[0]);
        assert_eq!(run.stdout.lines().next(), Some(&*header), "{body}");
        let place = places.last().unwrap();
        let finding = format!("error[event_name_missing] {place}\n");
        assert!(run.stdout.contains(&finding), "{}", run.stdout);
    }
}

#[test]
fn one_bad_event_fails_the_check_and_not_its_neighbours() {
    let run = check(&[], format!("{PERFECT}\n{NAMELESS}\nno json\n{PERFECT}"));
    assert_eq!(run.code, Some(1));
    let summary = "4 events: 2 errors; 2 ready to send, 2 not\n";
    assert!(run.stdout.ends_with(summary), "{}", run.stdout);
    assert!(run.stdout.contains("✖ error[json_invalid] [2]\n"));
}

#[test]
fn an_event_that_cannot_be_sent_keeps_its_name_and_its_error_comes_first() {
    let body = r#"{"event_name":"Purchase","event_time":"1701234567.9","event_id":"order-1","user_data":{"em":"nope"}}"#;
    let run = check(&[], body);
    assert_eq!(run.code, Some(1));
    let mut lines = run.stdout.lines();
    assert_eq!(lines.next(), Some("event Purchase order-1"));
    let marks: Vec<_> = lines
        .filter_map(|line| line.strip_prefix("  ")?.chars().next())
        .collect();
    let of_findings: String = marks
        .iter()
        .filter(|mark| "✖✎⚠·".contains(**mark))
        .collect();
    let ordered = of_findings.trim_start_matches('✖').trim_start_matches('✎');
    let ordered = ordered.trim_start_matches('⚠').trim_start_matches('·');
    assert!(
        of_findings.starts_with("✖") && ordered.is_empty(),
        "{}",
        run.stdout
    );
    let told = "the fraction of a second was left out";
    assert!(run.stdout.contains(told), "{}", run.stdout);
    let line = check(&["--json"], body).json().remove(0);
    assert_eq!(line["event_name"], "Purchase");
    assert_eq!(line["findings"][0]["severity"], "error");

    // A name that may be personal is shown nowhere.
    let body = r#"{"event_name":"john@example.com","event_id":"jane@example.com","user_data":{}}"#;
    for arguments in [&[][..], &["--json"]] {
        let run = check(arguments, body);
        assert!(!run.stdout.contains("@example"), "{}", run.stdout);
    }
}

#[test]
fn paths_lead_to_the_value() {
    let body = r#"{"data":[{"event_name":"Lead","event_time":1701234567,"event_id":"1","action_source":"other",
        "user_data":{"em":["a@b.co","nope"],"country_code":"xx"}}]}"#;
    let run = check(&[], body);
    assert_eq!(run.code, Some(0));
    for place in [
        "repaired[em_invalid] data[0].user_data.em[1]\n",
        "repaired[country_unknown] data[0].user_data.country_code\n",
    ] {
        assert!(run.stdout.contains(place), "{}", run.stdout);
    }
}

#[test]
fn json_has_one_object_an_event_of_a_fixed_shape() {
    let run = check(&["--json"], format!("[{PERFECT},{NAMELESS}]"));
    assert_eq!(run.code, Some(1));
    let expected = [
        json!({"index":0,"event_name":"Lead","event_id":"lead-1","valid":true,"findings":[]}),
        json!({"index":1,"event_name":null,"event_id":"x","valid":false,"findings":[{
            "severity":"error","code":"event_name_missing","path":"",
            "message":"the event has no event_name",
            "help":"add \"event_name\", for example \"Purchase\"",
            "source":"Meta, Conversions API: Server Event Parameters",
        }]}),
    ];
    assert_eq!(run.json(), expected);
}

#[test]
fn findings_beyond_the_limit_are_counted() {
    let keys: Vec<_> = (0..150).map(|at| format!(r#""unknown_{at}":1"#)).collect();
    let body = format!(r#"{{"event_name":"Lead",{}}}"#, keys.join(","));
    let run = check(&["--json"], &body);
    let event = &run.json()[0];
    assert_eq!(codes(event).len(), 100);
    assert!(event["findings_unlisted"].as_u64() > Some(50), "{event}");
    // The errors are among those that are only counted, and the event is refused all the same.
    assert_eq!((run.code, &event["valid"]), (Some(1), &json!(false)));
    let run = check(&[], &body);
    assert!(
        run.stdout.contains("not listed; cannot be sent\n"),
        "{}",
        run.stdout
    );
}

#[test]
fn time_passes_only_when_it_is_told_to() {
    let at = |time| sluice(&["check", "--now", time], PERFECT).code;
    assert_eq!(at("2023-11-29T05:10:00Z"), Some(0));
    assert_eq!(at("2024-01-01T00:00:00+01:00"), Some(1), "too old by then");
    assert_eq!(sluice(&["check"], PERFECT).code, Some(1), "too old today");
    assert_eq!(at("yesterday"), Some(2));
}

#[test]
fn a_body_that_is_not_json_is_reported_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.json");
    std::fs::write(&file, format!("[{PERFECT},\n  {{\"event_name\" 7}}]")).unwrap();
    let name = file.to_str().unwrap();
    let run = check(&[name], "");
    assert_eq!((run.code, &*run.stderr), (Some(1), ""));
    let finding = format!("✖ error[json_invalid] {name}:2:17\n    expected `:`;");
    assert!(run.stdout.contains(&finding), "{}", run.stdout);
    let summary = format!("\nnot JSON at {name}:2:17, after 1 event\n");
    assert!(run.stdout.ends_with(&summary), "{}", run.stdout);

    let run = check(&["--json", name], "");
    assert_eq!(run.code, Some(1));
    let events = run.json();
    assert_eq!(events[0]["valid"], true);
    assert_eq!(events[1]["index"], 1);
    assert_eq!(events[1]["valid"], false);
    assert_eq!(codes(&events[1]), ["json_invalid"]);
    assert_eq!(
        events[1]["findings"][0]["message"],
        "line 2, column 17: expected `:`"
    );
}

#[test]
fn what_cannot_be_read_ends_with_2() {
    let run = check(&["no-such-file.json"], "");
    assert_eq!((run.code, &*run.stdout), (Some(2), ""));
    assert!(
        run.stderr.starts_with("error: opening no-such-file.json: "),
        "{}",
        run.stderr
    );
    for arguments in [
        &["--country", "xx"][..],
        &["--action-source", "teapot"],
        &["--external-id", "maybe"],
        &["--show-values"],
        &["--unknown"],
        &["a", "b"],
    ] {
        let run = check(arguments, PERFECT);
        assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{arguments:?}");
        assert!(run.stderr.starts_with("error: "), "{}", run.stderr);
    }
}

#[test]
fn colours_are_for_terminals() {
    assert!(!check(&[], PURCHASE).stdout.contains('\u{1b}'));
    let run = sluice_in_colour(&["check", "--now", NOW], PURCHASE);
    assert!(
        run.stdout
            .contains("\u{1b}[33m⚠ warning[event_id_missing]\u{1b}[0m")
    );
    let run = sluice_in_colour(&["check", "--now", NOW, "--json"], PURCHASE);
    assert!(!run.stdout.contains('\u{1b}'));
}

#[test]
fn no_event_commands_the_terminal() {
    let body = PERFECT.replace("lead-1", r"\u202elead-1");
    for arguments in [&["--explain"][..], &["--explain", "--show-values"]] {
        let run = check(arguments, &body);
        assert!(run.stdout.contains(r"\u{202e}lead"), "{}", run.stdout);
        assert!(!run.stdout.contains(['\u{1b}', '\u{202e}']));
    }
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let body = format!("{PURCHASE}\n").repeat(20_000);
    for arguments in [
        &["check"][..],
        &["check", "--json"],
        &["check", "--explain"],
    ] {
        let run = sluice_head(arguments, body.as_bytes());
        assert_eq!((run.code, &*run.stderr), (Some(0), ""), "{arguments:?}");
        assert!(!run.stdout.is_empty());
    }
}

#[test]
fn a_full_disk_is_an_error() {
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else {
        return; // Not every system has one.
    };
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["completions", "bash"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.starts_with("error: writing the output: "),
        "{stderr}"
    );
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = sluice(&["completions", shell], "");
        assert_eq!((run.code, &*run.stderr), (Some(0), ""), "{shell}");
        assert!(run.stdout.contains("show-values"), "{shell}");
    }
}

#[test]
fn a_file_that_is_not_there_is_said_with_the_folder_it_was_looked_for_in() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().canonicalize().unwrap();
    let place = place.display();
    for (arguments, first, help) in [
        (
            &["check", "nope.json"][..],
            "opening nope.json",
            "name another file, or `-` to read standard input",
        ),
        (
            &["send", "nope.json", "--gateway", "http://127.0.0.1:1"],
            "opening nope.json",
            "name another file, or `-` to read standard input",
        ),
        (
            &["serve", "--config", "nope.toml"],
            "reading nope.toml",
            "`sluice config init` writes a configuration to start from",
        ),
        (
            &["config", "check", "--config", "nope.toml"],
            "reading nope.toml",
            "`sluice config init` writes a configuration to start from",
        ),
        (
            &["dead", "list", "--config", "nope.toml"],
            "reading nope.toml",
            "`sluice config init` writes a configuration to start from",
        ),
    ] {
        let run = sluice_in(folder.path(), &[], arguments);
        assert_eq!(run.code, Some(2), "{arguments:?}");
        let expected = format!(
            "error: {first}: No such file or directory (os error 2)\nhelp: it was looked for in {place}; {help}\n"
        );
        assert_eq!(run.stderr, expected, "{arguments:?}");
    }
}
