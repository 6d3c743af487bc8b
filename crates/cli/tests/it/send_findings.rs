//! `sluice send`: what it says about events that are sent.

use serde_json::json;

use crate::run::sluice;
use crate::send::{EMAIL, event, report, sandbox, send};

/// An event of which the value is repaired.
fn sloppy(id: &str) -> String {
    let money = r#""custom_data":{"value":"12,99","currency":"EUR"}"#;
    event(id).replacen('{', &format!("{{{money},"), 1)
}

const CLEANED: &str = "  ✎ repaired[value_cleaned] custom_data.value
    read as `12.99`
    help: send a plain number, such as 129.99
    source: Meta, Conversions API: Standard Parameters
";

#[test]
fn what_is_repaired_is_shown_as_check_shows_it() {
    let sandbox = sandbox(&[]);
    let body = sloppy("lead-1");
    let check = sluice(&["check"], &body);
    let heading = "event Lead lead-1\n";
    for run in [
        send(&sandbox, &[], &body),
        send(&sandbox, &["--dry-run"], &body),
        check,
    ] {
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
        let block = format!("{heading}{CLEANED}\n");
        assert!(run.stdout.contains(&block), "{}", run.stdout);
    }
    for arguments in [&["--json"][..], &["--json", "--dry-run"]] {
        let report = report(&send(&sandbox, arguments, &body));
        let warnings = report["warnings"].as_array().unwrap();
        assert_eq!(warnings.len(), 1, "{report}");
        for (key, expected) in [
            ("events", json!(1)),
            ("index", json!(0)),
            ("severity", json!("repaired")),
            ("code", json!("value_cleaned")),
            ("path", json!("custom_data.value")),
            ("message", json!("read as `12.99`")),
            ("more", json!([])),
        ] {
            assert_eq!(warnings[0][key], expected, "{key}");
        }
    }
    let report = report(&send(&sandbox, &["--json"], &event("lead-2")));
    assert_eq!(report["warnings"], json!([]));
}

#[test]
fn findings_of_many_events_are_told_together() {
    let sandbox = sandbox(&[]);
    let body = (1..=2_000).map(|number| sloppy(&number.to_string()) + "\n");
    let run = send(&sandbox, &[], &body.collect::<String>());
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let expected = "events that can be sent
  ✎ repaired[value_cleaned] in 2,000 events
    [0].custom_data.value: read as `12.99`
    [1].custom_data.value: read as `12.99`
    [2].custom_data.value: read as `12.99`
    [3].custom_data.value: read as `12.99`
    [4].custom_data.value: read as `12.99`
    … and 1,995 more
    help: send a plain number, such as 129.99
    source: Meta, Conversions API: Standard Parameters
  `sluice check` shows all of it, event by event

";
    assert!(run.stdout.starts_with(expected), "{}", run.stdout);
    assert_eq!(run.stdout.lines().count(), expected.lines().count() + 1);
}

#[test]
fn check_is_named_only_where_it_can_say_more() {
    let sandbox = sandbox(&[]);
    let user = format!("em={EMAIL}");
    let six = ["nope"; 6].map(|wrong| format!("em={wrong}"));
    let wrong = six.iter().flat_map(|user| ["--user", user]);
    let one = ["--name", "Lead", "--user", &user];
    let arguments: Vec<_> = one.into_iter().chain(wrong).collect();
    let run = send(&sandbox, &arguments, "");
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    for expected in [
        "repaired[em_invalid] in 6 places\n",
        "    … and 1 more\n",
        "warning[event_id_missing] (the whole event)\n",
    ] {
        assert!(run.stdout.contains(expected), "{}", run.stdout);
    }
    assert!(!run.stdout.contains("sluice check"), "{}", run.stdout);
    let run = send(&sandbox, &[], &sloppy("lead-1"));
    assert!(!run.stdout.contains("sluice check"), "{}", run.stdout);
}
