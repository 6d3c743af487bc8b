//! `sluice jobs`.

use std::path::Path;

use serde_json::Value;

use crate::run::{Run, sluice};
use crate::server::Server;

fn jobs(folder: &Path, arguments: &[&str]) -> Run {
    let journal = ["--journal", folder.to_str().unwrap()];
    sluice(&[&["jobs", "list"], arguments, &journal].concat(), "")
}

/// The runs of retention that are done.
fn retention(folder: &Path) -> Vec<Value> {
    let run = jobs(folder, &["--json", "--job", "retention"]);
    let runs = match run.code {
        Some(0) => run.json(),
        // The gateway has not come to it yet.
        _ => Vec::new(),
    };
    let done = runs.into_iter().filter(|run| run["state"] == "done");
    done.collect()
}

#[test]
fn lists_what_was_done_beside_a_gateway_and_without_one() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("sluice-trial");
    let ports = [
        ("SLUICE_SERVER_LISTEN", "127.0.0.1:0"),
        ("SLUICE_ADMIN_LISTEN", "127.0.0.1:0"),
    ];
    let server = Server::start_in(folder.path(), &ports, &["try"]);
    let runs = loop {
        let runs = retention(&journal);
        if !runs.is_empty() {
            break runs;
        }
    };
    assert_eq!(runs.len(), 1);
    for time in ["started", "ended"] {
        let time = runs[0][time].as_str().unwrap();
        assert!(time.starts_with("20") && time.ends_with('Z'), "{time}");
    }
    let (code, _) = server.stop();
    assert_eq!(code, Some(0));
    assert_eq!(retention(&journal), runs);
    let run = jobs(&journal, &["--limit", "1"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let started = runs[0]["started"].as_str().unwrap();
    let expected = format!("retention done {started}, ");
    assert!(run.stdout.starts_with(&expected), "{}", run.stdout);
    assert!(run.stdout.ends_with(" s\n\n1 run.\n"), "{}", run.stdout);
    assert_eq!(
        jobs(&journal, &["--job", "nothing"]).stdout,
        "No runs of jobs.\n"
    );
}

#[test]
fn says_what_is_wrong_with_a_history_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let run = jobs(folder.path(), &[]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains("there is no history of jobs in"),
        "{}",
        run.stderr
    );
    std::fs::write(folder.path().join("records.db"), "no database, but a text").unwrap();
    let run = jobs(folder.path(), &[]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(run.stderr.contains("the file is damaged"), "{}", run.stderr);
    assert!(
        run.stderr.contains("costs the history and no event"),
        "{}",
        run.stderr
    );
}
