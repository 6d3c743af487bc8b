//! `sluice dead`.

use serde_json::Value;

use crate::journal::{self, DELIVERED, EMAIL, EXPIRED, REFUSED, TOO_OLD, WAITING};
use crate::run::{Run, sluice, sluice_with};

/// A journal of its own for each test.
struct Journal(tempfile::TempDir);

impl Journal {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        journal::write(folder.path());
        Self(folder)
    }

    fn run(&self, command: &[&str], arguments: &[&str]) -> Run {
        let path = self.0.path().to_str().unwrap();
        let run = sluice(&[command, arguments, &["--journal", path]].concat(), "");
        assert!(!run.stdout.contains(EMAIL) && !run.stderr.contains(EMAIL));
        run
    }

    fn dead(&self, arguments: &[&str]) -> Run {
        self.run(&["dead"], arguments)
    }

    /// The keys that `dead list` has.
    fn keys(&self, arguments: &[&str]) -> Vec<i64> {
        let run = self.dead(&[&["list", "--json"], arguments].concat());
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
        run.json()
            .iter()
            .map(|line| line["key"].as_i64().unwrap())
            .collect()
    }

    fn audit(&self) -> Value {
        let run = self.run(&["audit"], &["--json"]);
        assert_eq!(run.code, Some(0));
        run.json().remove(0)
    }
}

#[test]
fn lists_the_newest_first_with_reasons() {
    let journal = Journal::new();
    let run = journal.dead(&["list"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let (events, rest) = run.stdout.split_at(run.stdout.find("\n\n").unwrap());
    assert_eq!(
        events.lines().take(3).collect::<Vec<_>>(),
        [
            "4 expired Purchase order-4 → 1234567890123456 from shop",
            "    it grew too old on the way: Meta takes website events for 7 days",
            "    help: Meta does not take it any more; look for what kept it waiting: a parked lane, \
             a long outage, or a source that sends late",
        ]
    );
    assert!(rest.contains(
        "3 refused Purchase order-3 → 1234567890123456 from shop
    a parameter is missing or of the wrong type; Meta said: The field num_items is odd. (error 100/2804019)
    help: mend the event at its source
"
    ));
    assert!(rest.contains(", fbtrace_id A1b2C3\n"));
    assert!(rest.ends_with(
        "3 dead events.
`sluice dead show KEY` tells more, `sluice dead replay KEY` sends one again.
"
    ));
}

#[test]
fn filters_choose() {
    let journal = Journal::new();
    for (arguments, expected) in [
        (&[][..], vec![4, 3, 2]),
        (&["--state", "refused"], vec![3, 2]),
        (&["--state", "expired", "--state", "withheld"], vec![4]),
        (&["--code", "100"], vec![3, 2]),
        (&["--code", "100", "--subcode", "2804019"], vec![3]),
        (&["--subcode", "1"], vec![]),
        (&["--name", "Lead"], vec![]),
        (
            &["--dataset", "1234567890123456", "--name", "Purchase"],
            vec![4, 3, 2],
        ),
        (&["--dataset", "99999"], vec![]),
        (&["--source", "crm"], vec![]),
        (&["--since", "1h"], vec![4, 3, 2]),
        (&["--since", "2100-01-01T00:00:00Z"], vec![]),
        (&["--limit", "1"], vec![4]),
        (&["--limit", "0"], vec![4, 3, 2]),
    ] {
        assert_eq!(journal.keys(arguments), expected, "{arguments:?}");
    }
    let run = journal.dead(&["list", "--name", "Lead"]);
    assert_eq!(run.stdout, "No dead events.\n");
    let run = journal.dead(&["list", "--limit", "2"]);
    assert!(
        run.stdout
            .contains("The newest 2 events; there are more: --limit 0 lists all.")
    );
}

#[test]
fn rejected_events_are_listed_and_shown_without_a_body() {
    let journal = Journal::new();
    let keys = |arguments: &[&str]| {
        let run = journal.dead(&[&["list", "--json"], arguments].concat());
        let keys = run.json().into_iter().map(|line| line["key"].clone());
        Value::Array(keys.collect()).to_string()
    };
    for (arguments, expected) in [
        (&["--state", "rejected"][..], r#"["r2","r1"]"#),
        (
            &["--state", "rejected", "--state", "expired"],
            r#"[4,"r2","r1"]"#,
        ),
        (&["--state", "rejected", "--limit", "1"], r#"["r2"]"#),
        (&["--state", "rejected", "--name", "Purchase"], r#"["r1"]"#),
        (&["--state", "rejected", "--source", "crm"], "[]"),
        (&["--state", "rejected", "--dataset", "99999"], "[]"),
        (&["--state", "rejected", "--code", "100"], "[]"),
        (
            &["--state", "rejected", "--since", "2100-01-01T00:00:00Z"],
            "[]",
        ),
    ] {
        assert_eq!(keys(arguments), expected, "{arguments:?}");
    }
    let run = journal.dead(&["list", "--state", "rejected"]);
    let listed = "r1 rejected Purchase order-6 → 1234567890123456 from shop
    purchase_value_missing, event_time_late
    help: ";
    assert!(run.stdout.contains(listed), "{}", run.stdout);
    assert!(
        run.stdout
            .ends_with("Rejected events have no body: mend them at their source.\n")
    );

    let run = journal.dead(&["show", "r1"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert!(
        run.stdout.contains("  request    request-7\n"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("  order      1042\n"), "{}", run.stdout);
    assert!(
        run.stdout.contains("Its body was never written: "),
        "{}",
        run.stdout
    );
    let shown = journal.dead(&["show", "r2", "--json"]).json().remove(0);
    assert_eq!(shown["event_name"], Value::Null);
    assert_eq!(shown["event_id"], journal::HASHED_ID);
    assert_eq!(shown["findings"][0]["code"], "event_name_invalid");
    assert_eq!(journal.dead(&["show", "r3"]).code, Some(2));

    for command in [
        &["replay", "r1"][..],
        &["drop", "r1", "--yes"],
        &["replay", "--all", "--state", "rejected"],
    ] {
        let run = journal.dead(command);
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (Some(2), ""),
            "{command:?}"
        );
        let why = "error: a rejected event has no body: it can neither be sent again nor dropped\n";
        assert!(run.stderr.starts_with(why), "{}", run.stderr);
    }
    assert_eq!(journal.audit()["rejected"], 2);
}

#[test]
fn programs_get_every_fact() {
    let run = Journal::new().dead(&["list", "--json", "--subcode", "2804019"]);
    let line = run.json().remove(0);
    for (key, expected) in [
        ("state", "refused"),
        ("event_name", "Purchase"),
        ("event_id", "order-3"),
        ("source", "shop"),
        ("meaning", "a parameter is missing or of the wrong type"),
        ("help", "mend the event at its source"),
        ("fbtrace_id", "A1b2C3"),
    ] {
        assert_eq!(line[key], expected, "{key}");
    }
    assert_eq!(
        (line["code"].as_i64(), line["subcode"].as_i64()),
        (Some(100), Some(2_804_019))
    );
}

#[test]
fn shows_the_request_and_the_sealed_body() {
    let journal = Journal::new();
    let run = journal.dead(&["show", REFUSED]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert!(
        run.stdout
            .starts_with("Purchase order-3\n\n  key        3\n"),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout
            .contains("HTTP 400, error 100/2804019, fbtrace_id A1b2C3 (refused, 87 ms)\n")
    );
    assert!(
        run.stdout.contains("\"event_id\": \"order-3\","),
        "{}",
        run.stdout
    );

    let shown = journal.dead(&["show", REFUSED, "--json"]).json().remove(0);
    let hash = shown["body"]["user_data"]["em"].to_string();
    assert!(hash.trim_matches(['[', ']', '"']).len() == 64, "{hash}");
    assert_eq!(shown["request"]["status"], 400);
    // An event that is not dead can be looked at as well.
    let shown = journal
        .dead(&["show", DELIVERED, "--json"])
        .json()
        .remove(0);
    assert_eq!(shown["state"], "delivered");
}

#[test]
fn an_encrypted_body_is_shown_to_those_who_have_the_key() {
    let folder = tempfile::tempdir().unwrap();
    journal::write_encrypted(folder.path());
    let path = folder.path().to_str().unwrap();
    let show =
        |key: &[(&str, &str)]| sluice_with(key, &["dead", "show", REFUSED, "--journal", path], "");
    let run = show(&[]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let said = "The body is encrypted with the key ";
    assert!(run.stdout.contains(said), "{}", run.stdout);
    for name in [
        "SLUICE_JOURNAL_ENCRYPTION_KEY",
        "SLUICE_JOURNAL_ENCRYPTION_KEY_PREVIOUS",
    ] {
        let run = show(&[(name, journal::BODY_KEY)]);
        let is_shown = run.stdout.contains("\"event_id\": \"order-3\",");
        assert!(is_shown && !run.stdout.contains(said), "{}", run.stdout);
    }
    let run = show(&[("SLUICE_JOURNAL_ENCRYPTION_KEY", "no-key")]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("expected 32 bytes"), "{}", run.stderr);
    assert!(!run.stderr.contains("no-key"), "{}", run.stderr);
    let run = sluice(&["audit", "--deep", "--journal", path], "");
    assert_eq!(run.code, Some(0), "{}", run.stdout);
}

#[test]
fn an_event_that_was_mended_and_sent_anew_is_marked() {
    let journal = Journal::new();
    let replaced_by = |key| {
        let run = journal.dead(&["show", key, "--json"]);
        run.json().remove(0)["replaced_by"].clone()
    };
    assert_eq!(replaced_by(REFUSED), Value::Null);
    journal::write_again(journal.0.path(), "order-3");
    let successor = replaced_by(REFUSED).as_i64().unwrap().to_string();
    for key in [EXPIRED, DELIVERED, &successor] {
        assert_eq!(replaced_by(key), Value::Null, "{key}");
    }
    let later = journal.dead(&["show", &successor, "--json"]).json();
    assert_eq!(later[0]["event_id"], "order-3");

    let run = journal.dead(&["show", REFUSED]);
    let line = format!(
        "  replaced   by event {successor}, which came later with the same id and is waiting\n  \
         help       nothing is left to do; `sluice dead drop KEY` takes it off the list\n"
    );
    assert!(run.stdout.contains(&line), "{}", run.stdout);
    // It is what a replay goes by.
    let run = journal.dead(&["replay", REFUSED, "--json"]);
    assert_eq!(run.json()[0]["superseded"], 1);
}

#[test]
fn what_is_not_there_is_said_to_be_not_there() {
    let journal = Journal::new();
    let run = journal.dead(&["show", "99"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(
        run.stderr
            .starts_with("error: the journal has no event 99\nhelp: ")
    );
    let run = journal.dead(&["show", "order-3"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("a key is the number"), "{}", run.stderr);
}

#[test]
fn sends_again_what_meta_still_takes() {
    let journal = Journal::new();
    let run = journal.dead(&["replay", "--all", "--dry-run"]);
    assert_eq!(run.code, Some(0));
    assert_eq!(
        run.stdout,
        "\
1 event would wait again under the same event_id.
  2 events too old: Meta does not take them any more
Nothing was changed.
"
    );
    assert_eq!(journal.audit()["waiting"], 1);

    let run = journal.dead(&["replay", REFUSED]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(
        run.stdout,
        "\
1 event waits again under the same event_id.
A running gateway sends within seconds what waits; otherwise the next start does.
"
    );
    let books = journal.audit();
    assert_eq!(
        (&books["waiting"], &books["refused"]),
        (&2.into(), &1.into())
    );
    let shown = journal.dead(&["show", REFUSED, "--json"]).json().remove(0);
    assert_eq!(
        (&shown["state"], &shown["event_id"]),
        (&"waiting".into(), &"order-3".into())
    );
    assert_eq!(shown["past"][0]["subcode"], 2_804_019);
}

#[test]
fn what_cannot_be_sent_again_is_counted() {
    let journal = Journal::new();
    let run = journal.dead(&["replay", "--json", TOO_OLD, EXPIRED, WAITING, "99"]);
    assert_eq!(run.code, Some(1));
    let report = run.json().remove(0);
    assert_eq!(
        (&report["replayed"], &report["too_old"]),
        (&0.into(), &2.into())
    );
    assert_eq!(report["not_dead"], 2);
    let run = journal.dead(&["replay", "--json", "--all", "--code", "100", "--dry-run"]);
    assert_eq!(run.code, Some(0));
    assert_eq!(run.json()[0]["too_old"], 1);
}

#[test]
fn keys_and_filters_are_not_mixed() {
    let journal = Journal::new();
    for arguments in [
        &["replay"][..],
        &["replay", "3", "--all"],
        &["replay", "3", "--code", "1"],
    ] {
        assert_eq!(journal.dead(arguments).code, Some(2), "{arguments:?}");
    }
    assert_eq!(journal.audit()["refused"], 2);
}

#[test]
fn drops_only_when_somebody_says_yes() {
    let journal = Journal::new();
    let run = journal.dead(&["drop", REFUSED]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(
        run.stderr
            .contains("nobody confirmed that 1 event may be dropped")
    );
    let concerned = format!("{REFUSED} refused Purchase ");
    assert!(run.stderr.starts_with(&concerned), "{}", run.stderr);
    // Where nothing can be dropped there is nothing to confirm.
    let run = journal.dead(&["drop", WAITING, "99"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""));
    assert_eq!(
        run.stdout,
        "No event was dropped.\n  2 events neither refused nor expired, or not in this journal\n"
    );
    let run = journal.dead(&["drop", REFUSED, "--dry-run"]);
    assert_eq!(
        run.stdout,
        "1 event would be dropped. Nothing was changed.\n"
    );
    assert_eq!(journal.audit()["withheld"], 0);

    let run = journal.dead(&["drop", "--all", "--state", "refused", "--yes", "--json"]);
    assert_eq!(run.code, Some(0));
    assert_eq!(run.json()[0]["dropped"], 2);
    let books = journal.audit();
    assert_eq!(
        (&books["withheld"], &books["refused"]),
        (&2.into(), &0.into())
    );
    let run = journal.dead(&["list"]);
    assert!(
        run.stdout
            .ends_with("Withheld events are not listed: --state withheld.\n")
    );
    // A drop can be taken back.
    let run = journal.dead(&["replay", REFUSED]);
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    let run = journal.dead(&["drop", WAITING, "--yes"]);
    assert_eq!(run.code, Some(1));
}

#[test]
fn damaged_rows_are_told_and_are_no_success() {
    let journal = Journal::new();
    journal::damage(journal.0.path(), REFUSED);
    let note = "1 event damaged on disk and left out: `sluice audit --deep` says more\n";
    for (arguments, code) in [
        (&["list", "--json"][..], 0),
        (&["replay", "--all", "--dry-run", "--json"], 1),
        (&["replay", "--all", "--json"], 1),
        (&["drop", "--all", "--yes", "--json"], 1),
    ] {
        let run = journal.dead(arguments);
        let ended = (run.code, run.stderr.as_str());
        assert_eq!(ended, (Some(code), note), "{arguments:?}");
    }
}
