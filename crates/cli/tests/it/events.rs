//! `sluice events`.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::journal::{
    self, BODY_KEY, DATASET, DELIVERED, EMAIL, EXPIRED, REFUSED, TOO_OLD, WAITING,
};
use crate::run::{Run, command, sluice, sluice_with};

/// A journal with an event in every state, for each test.
struct Journal(tempfile::TempDir);

impl Journal {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        journal::write(folder.path());
        Self(folder)
    }

    fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }

    fn list(&self, arguments: &[&str], stdin: &str) -> Run {
        let run = sluice(
            &[&["events", "list"], arguments, &["--journal", self.path()]].concat(),
            stdin,
        );
        assert!(!run.stdout.contains(EMAIL) && !run.stderr.contains(EMAIL));
        run
    }

    /// The keys of a list.
    fn keys(&self, arguments: &[&str], stdin: &str) -> Vec<String> {
        let run = self.list(&[arguments, &["--json"]].concat(), stdin);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let keys = run.json().into_iter().map(|line| line["key"].to_string());
        keys.collect()
    }
}

#[test]
fn every_event_is_listed_the_newest_first() {
    let journal = Journal::new();
    let all = [WAITING, EXPIRED, REFUSED, TOO_OLD, DELIVERED];
    assert_eq!(journal.keys(&[], ""), all);
    assert_eq!(
        journal.keys(&["--before", REFUSED], ""),
        [TOO_OLD, DELIVERED]
    );
    let run = journal.list(&["--limit", "2"], "");
    let lines: Vec<_> = run.stdout.lines().collect();
    assert!(lines[0].contains("5 waiting Purchase order-5") && lines[0].contains(DATASET));
    assert!(
        run.stdout
            .contains("2 events; there may be more: --before 4 lists the next"),
        "{}",
        run.stdout
    );
}

#[test]
fn events_are_found_by_what_is_known_of_them() {
    let journal = Journal::new();
    for (arguments, expected) in [
        (&["--id", "order-3"][..], &[REFUSED][..]),
        (&["--id", "order-9"], &[]),
        (&["--state", "waiting"], &[WAITING]),
        (
            &["--state", "delivered", "--state", "expired"],
            &[EXPIRED, DELIVERED],
        ),
        (&["--state", "refused", "--id", "order-1"], &[]),
        (
            &["--fbtrace-id", "A1b2C3"],
            &[EXPIRED, REFUSED, TOO_OLD, DELIVERED],
        ),
        (&["--fbtrace-id", "another"], &[]),
        (&["--name", "Lead"], &[]),
        (&["--test"], &[]),
        (&["--since", "1s"], &[]),
        (&["--until", "30s", "--id", "order-5"], &[WAITING]),
    ] {
        assert_eq!(journal.keys(arguments, ""), expected, "{arguments:?}");
    }
    assert_eq!(
        journal.keys(&["--no-test", "--source", "shop"], "").len(),
        5
    );
}

#[test]
fn a_person_is_found_however_the_address_is_written() {
    let journal = Journal::new();
    let typed = format!("  {}\n", EMAIL.to_uppercase());
    assert_eq!(journal.keys(&["--email", "-"], &typed).len(), 5);
    assert_eq!(journal.keys(&["--email", EMAIL], "").len(), 5);
    let hash = sluice_event::Hashed::of(EMAIL);
    assert_eq!(journal.keys(&["--hash", hash.as_str()], "").len(), 5);
    assert_eq!(journal.keys(&["--email", "other@example.com"], ""), [""; 0]);
    assert_eq!(journal.keys(&["--phone", "+1 650 555 1212"], ""), [""; 0]);
    let run = journal.list(&["--email", "nonsense"], "");
    assert_eq!(run.code, Some(2));
    assert!(!run.stderr.contains("nonsense"), "{}", run.stderr);
    assert_eq!(journal.list(&["--hash", EMAIL], "").code, Some(2));
    let both = ["--hash", hash.as_str(), "--email", EMAIL];
    assert_eq!(journal.list(&both, "").code, Some(2));
}

#[test]
fn a_person_is_found_in_encrypted_bodies_with_the_key_alone() {
    let folder = tempfile::tempdir().unwrap();
    journal::write_encrypted(folder.path());
    let path = folder.path().to_str().unwrap();
    let arguments = [
        "events",
        "list",
        "--email",
        "-",
        "--json",
        "--journal",
        path,
    ];
    let run = sluice(&arguments, EMAIL);
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), ""));
    let key = [("SLUICE_JOURNAL_ENCRYPTION_KEY", BODY_KEY)];
    assert_eq!(sluice_with(&key, &arguments, EMAIL).json().len(), 5);
}

#[test]
fn one_event_is_shown_as_among_the_dead() {
    let journal = Journal::new();
    let show = |command, key, more: &[&str]| {
        sluice(
            &[&[command, "show", key, "--journal", journal.path()], more].concat(),
            "",
        )
    };
    for key in [DELIVERED, REFUSED, WAITING] {
        for more in [&[][..], &["--json"]] {
            let (one, other) = (show("events", key, more), show("dead", key, more));
            assert_eq!((one.code, &one.stdout), (Some(0), &other.stdout));
        }
    }
    assert_eq!(show("events", "99", &[]).code, Some(2));
    assert_eq!(show("events", "r1", &[]).code, Some(2));
}

#[test]
fn what_comes_is_shown_and_what_becomes_of_it() {
    let journal = Journal::new();
    let mut tail = command(&["events", "tail", "--json", "--journal", journal.path()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    // It may start after some of them: only what comes later is shown.
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let folder = journal.0.path().to_owned();
    let writer = std::thread::spawn(move || {
        for number in 0.. {
            journal::write_again(&folder, &format!("new-{number}"));
            if stopped
                .recv_timeout(std::time::Duration::from_millis(200))
                .is_ok()
            {
                return;
            }
        }
    });
    let mut next =
        || -> serde_json::Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    let first = next();
    assert_eq!(first["state"], "waiting");
    assert!(first["event_id"].as_str().unwrap().starts_with("new-"));
    stop.send(()).unwrap();
    writer.join().unwrap();
    let key = first["key"].to_string();
    let run = sluice(
        &[
            "waiting",
            "drop",
            &key,
            "--yes",
            "--journal",
            journal.path(),
        ],
        "",
    );
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let changed = loop {
        let line = next();
        if line["state"] != "waiting" {
            break line;
        }
    };
    assert_eq!(
        (&changed["key"], &changed["state"]),
        (&first["key"], &"withheld".into())
    );
    // As Ctrl-C does it.
    let interrupt = format!("kill -INT {}", tail.id());
    std::process::Command::new("sh")
        .args(["-c", &interrupt])
        .status()
        .unwrap();
    assert_eq!(tail.wait().unwrap().code(), Some(0));
}
