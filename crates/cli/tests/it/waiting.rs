//! `sluice waiting`.

use crate::journal::{self, DATASET, EMAIL, REFUSED, WAITING};
use crate::run::{Run, sluice};

/// A journal with one waiting event, for each test.
struct Journal(tempfile::TempDir);

impl Journal {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        journal::write(folder.path());
        Self(folder)
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let path = self.0.path().to_str().unwrap();
        let run = sluice(&[arguments, &["--journal", path]].concat(), "");
        assert!(!run.stdout.contains(EMAIL) && !run.stderr.contains(EMAIL));
        run
    }

    fn count(&self, state: &str) -> u64 {
        let run = self.run(&["audit", "--json"]);
        assert_eq!(run.code, Some(0));
        run.json()[0][state].as_u64().unwrap()
    }
}

#[test]
fn lists_what_waits() {
    let journal = Journal::new();
    let run = journal.run(&["waiting", "list"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let first = format!("{WAITING} Purchase order-5 → {DATASET} from shop\n    came 20");
    assert!(run.stdout.starts_with(&first), "{}", run.stdout);
    assert!(run.stdout.contains("\n1 event waits.\n"), "{}", run.stdout);
    journal::write_again(journal.0.path(), "order-6");
    for (arguments, expected) in [
        (&[][..], 2),
        (&["--dataset", DATASET, "--source", "shop"], 2),
        (&["--limit", "1"], 1),
        (&["--name", "Lead"], 0),
        (&["--since", "2100-01-01T00:00:00Z"], 0),
        (&["--since", "30s"], 1),
    ] {
        let run = journal.run(&[&["waiting", "list", "--json"], arguments].concat());
        assert_eq!(run.json().len(), expected, "{arguments:?}");
    }
    let line = journal.run(&["waiting", "list", "--json"]).json().remove(0);
    assert_eq!(
        (&line["state"], &line["event_id"]),
        (&"waiting".into(), &"order-5".into())
    );
    let run = journal.run(&["waiting", "list", "--limit", "1"]);
    assert!(
        run.stdout
            .contains("The first 1 event; more wait: --limit 0 lists all.")
    );
    let run = journal.run(&["waiting", "list", "--name", "Lead"]);
    assert_eq!(run.stdout, "No events wait.\n");
}

#[test]
fn drops_what_waits_when_somebody_says_yes() {
    let journal = Journal::new();
    let run = journal.run(&["waiting", "drop", WAITING]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    let nobody = "nobody confirmed that 1 event may be dropped";
    assert!(run.stderr.contains(nobody), "{}", run.stderr);
    let concerned = format!("{WAITING} waiting Purchase order-5 → {DATASET} from shop\n");
    assert!(run.stderr.starts_with(&concerned), "{}", run.stderr);
    // Where nothing can be dropped there is nothing to confirm.
    let run = journal.run(&["waiting", "drop", REFUSED, "99"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""));
    assert_eq!(
        run.stdout,
        "No event was dropped.\n  2 events not waiting, or not in this journal\n"
    );
    let run = journal.run(&["waiting", "drop", "--all", "--dry-run"]);
    assert_eq!(
        run.stdout,
        "1 event would be dropped. Nothing was changed.\n"
    );
    assert_eq!(journal.count("withheld"), 0);
    // One that does not wait is none of this command's.
    let run = journal.run(&["waiting", "drop", WAITING, REFUSED, "--yes"]);
    assert_eq!(run.code, Some(1));
    assert_eq!(
        run.stdout,
        "\
1 event was dropped: it counts as withheld now.
  1 event not waiting, or not in this journal
What a running gateway was sending at that moment may still arrive; it counts as delivered then.
"
    );
    assert_eq!(
        ["withheld", "waiting", "refused"].map(|it| journal.count(it)),
        [1, 0, 2]
    );
    let run = journal.run(&["dead", "replay", WAITING]);
    assert_eq!(
        run.code,
        Some(0),
        "a drop can be taken back: {}",
        run.stdout
    );
    let run = journal.run(&[
        "waiting", "drop", "--all", "--name", "Lead", "--yes", "--json",
    ]);
    assert_eq!(
        (run.code, run.json()[0]["dropped"].as_u64()),
        (Some(0), Some(0))
    );
    let run = journal.run(&[
        "waiting", "drop", "--all", "--source", "shop", "--yes", "--json",
    ]);
    assert_eq!(
        (run.code, run.json()[0]["dropped"].as_u64()),
        (Some(0), Some(1))
    );
    assert_eq!(journal.count("waiting"), 0);
}

#[test]
fn keys_and_filters_are_not_mixed() {
    let journal = Journal::new();
    for arguments in [
        &[][..],
        &[WAITING, "--all"],
        &[WAITING, "--name", "Purchase"],
    ] {
        let run = journal.run(&[&["waiting", "drop", "--yes"], arguments].concat());
        assert_eq!(run.code, Some(2), "{arguments:?}");
    }
    assert_eq!(journal.count("waiting"), 1);
}

#[test]
fn damaged_rows_are_told_and_are_no_success() {
    let journal = Journal::new();
    journal::damage(journal.0.path(), WAITING);
    let note = "1 event damaged on disk and left out: `sluice audit --deep` says more\n";
    for (arguments, code) in [
        (&["list", "--json"][..], 0),
        (&["drop", "--all", "--dry-run", "--json"], 1),
        (&["drop", "--all", "--yes", "--json"], 1),
    ] {
        let run = journal.run(&[&["waiting"], arguments].concat());
        let ended = (run.code, run.stderr.as_str());
        assert_eq!(ended, (Some(code), note), "{arguments:?}");
    }
}
