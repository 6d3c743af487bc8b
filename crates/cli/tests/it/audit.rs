//! `sluice audit`.

use std::fs;

use serde_json::json;

use crate::journal;
use crate::run::{Run, sluice};

fn audit(folder: &tempfile::TempDir, arguments: &[&str]) -> Run {
    let path = folder.path().to_str().unwrap();
    let mut run = sluice(&[&["audit", "--journal", path], arguments].concat(), "");
    run.stdout = run.stdout.replace(path, "JOURNAL");
    run.stderr = run.stderr.replace(path, "JOURNAL");
    run
}

fn written() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    journal::write(folder.path());
    folder
}

#[test]
fn programs_get_the_law_of_the_books_at_the_top() {
    let run = audit(&written(), &["--json"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let counts = json!({
        "received": 8, "rejected": 2, "accepted": 5, "waiting": 1, "delivered": 1, "refused": 2, "expired": 1,
        "withheld": 0, "recorded": 0, "duplicate": 1, "balanced": true,
    });
    let mut book = counts.clone();
    book["dataset"] = journal::DATASET.into();
    book["source"] = "shop".into();
    book["event_name"] = "Purchase".into();
    // A name that may not be kept has a book of its own.
    let mut nameless = json!({
        "received": 1, "rejected": 1, "accepted": 0, "waiting": 0, "delivered": 0, "refused": 0,
        "expired": 0, "withheld": 0, "recorded": 0, "duplicate": 0, "balanced": true,
    });
    for key in ["dataset", "source"] {
        nameless[key] = book[key].clone();
    }
    nameless["event_name"] = "".into();
    book["rejected"] = 1.into();
    for book in [&mut book, &mut nameless] {
        book.as_object_mut().unwrap().remove("received");
    }
    let mut expected = counts;
    let rejected = |name: &str, code: &str| {
        json!({
            "dataset": journal::DATASET, "source": "shop", "event_name": name, "code": code,
            "events": 1,
        })
    };
    expected["sources"] = json!([{
        "dataset": journal::DATASET, "source": "shop", "received": 8, "accepted": 5,
        "duplicate": 1, "rejected": 2, "balanced": true,
    }]);
    expected["rejected_by_code"] = json!([
        rejected("Purchase", "purchase_value_missing"),
        rejected("", "event_name_invalid"),
    ]);
    expected["books"] = json!([book, nameless]);
    expected["problems"] = json!([]);
    assert_eq!(run.json(), [expected]);
}

#[test]
fn people_get_a_table_and_a_sentence() {
    let run = audit(&written(), &["--deep"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(
        run.stdout,
        "\
JOURNAL/journal.db

  received   8  came in: accepted, copies or rejected
  rejected   2  no dataset could take them: `sluice dead list --state rejected`
  accepted   5  taken and kept on disk
  waiting    1  on disk, not yet delivered
  delivered  1  Meta took them
  refused    2  Meta refused them: `sluice dead list`
  expired    1  too old before Meta could take them
  withheld   0  kept back: damaged, perhaps arrived already, dropped by hand, or without consent
  recorded   0  notes, such as refunds, which are not meant for Meta
  duplicate  1  copies of accepted events, which go nowhere

  dataset           source  event      rejected  accepted  waiting  delivered  refused  expired  withheld  recorded  duplicate
  1234567890123456  shop    Purchase          1         5        1          1        2        1         0         0          1
  1234567890123456  shop    (no name)         1         0        0          0        0        0         0         0          0

  1 Purchase from shop for 1234567890123456: rejected by purchase_value_missing
  1 (no name) from shop for 1234567890123456: rejected by event_name_invalid

The books balance: each of the 5 accepted events is in exactly one state.
"
    );
}

#[test]
fn the_journal_may_come_from_the_configuration() {
    let folder = written();
    let file = folder.path().join("sluice.toml");
    let text = format!(
        r#"
[journal]
path = {:?}
[[dataset]]
id = "1234567890123456"
access_token = {{ env = "NOT_SET" }}
[[source]]
name = "shop"
kind = "api"
key = {{ env = "NOT_SET_EITHER" }}
datasets = ["1234567890123456"]
"#,
        folder.path()
    );
    fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let run = sluice(&["audit", "--config", file, "--json"], "");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(run.json()[0]["accepted"], 5);
}

#[test]
fn a_lost_event_is_noticed() {
    let folder = written();
    // What no program does: an event vanishes from the disk.
    let file = folder.path().join("journal.db");
    let conn = rusqlite::Connection::open(file).unwrap();
    conn.execute("DELETE FROM event WHERE id = 3", []).unwrap();
    drop(conn);
    let run = audit(&folder, &["--json"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""));
    let report = run.json().remove(0);
    assert_eq!(
        (&report["accepted"], &report["balanced"]),
        (&json!(4), &json!(false))
    );
    assert_eq!(report["books"][0]["balanced"], false);
    let run = audit(&folder, &[]);
    assert_eq!(run.code, Some(1));
    let problem = "  ✖ there is an outcome of event 3, which does not exist\n";
    assert!(run.stdout.contains(problem), "{}", run.stdout);
    assert!(run.stdout.ends_with("The books do not balance.\n"));
}

#[test]
fn damage_on_the_disk_is_noticed_by_a_deep_audit() {
    let folder = written();
    let file = folder.path().join("journal.db");
    let mut bytes = fs::read(&file).unwrap();
    let body = br#""event_id":"order-3""#;
    let mut windows = bytes.windows(body.len());
    let place = windows.position(|window| window == body).unwrap();
    bytes[place + body.len() - 2] = b'8';
    fs::write(&file, bytes).unwrap();

    assert_eq!(audit(&folder, &[]).code, Some(0));
    let run = audit(&folder, &["--deep"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""));
    assert!(run.stdout.contains("  ✖ the body of event 3 is damaged\n"));
    assert!(
        run.stdout
            .ends_with("The file is damaged. Keep a copy of its folder, then restore a backup.\n")
    );
}

#[test]
fn a_deep_audit_names_damage_that_keeps_the_rows_from_being_counted() {
    let folder = written();
    let file = folder.path().join("journal.db");
    let whole = fs::read(&file).unwrap();
    let (mut uncounted, mut in_words) = (0, 0);
    for page in (16_384..whole.len()).step_by(16_384) {
        let mut bytes = whole.clone();
        bytes[page..page + 16_384].fill(0xff);
        fs::write(&file, bytes).unwrap();
        let run = audit(&folder, &["--deep", "--json"]);
        assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""), "{page}");
        let report = &run.json()[0];
        assert!(!report["problems"].as_array().unwrap().is_empty());
        if report["accepted"].is_null() {
            assert_eq!(report["balanced"], false);
            uncounted += 1;
            let run = audit(&folder, &["--deep"]);
            let has_reason = run.stdout.contains("✖ the rows cannot be counted: ");
            in_words += usize::from(run.code == Some(1) && has_reason);
            // Without --deep nothing was looked for: that the rows cannot be read is the error.
            let run = audit(&folder, &[]);
            assert_eq!(run.code, Some(2));
            assert!(
                run.stderr.contains("`sluice audit --deep`"),
                "{}",
                run.stderr
            );
        }
    }
    assert!(
        uncounted > 0 && in_words == uncounted,
        "{uncounted}, {in_words}"
    );
}

#[test]
fn a_missing_journal_is_explained_and_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let run = audit(&folder, &[]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.starts_with("error: "), "{}", run.stderr);
    assert!(
        run.stderr
            .contains("help: name the folder that the gateway writes to")
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn another_programs_file_is_no_journal() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("journal.db"),
        "not a database at all, but a text",
    )
    .unwrap();
    let run = audit(&folder, &["--json"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(
        run.stderr.starts_with("error: JOURNAL/journal.db"),
        "{}",
        run.stderr
    );
}
