//! `sluice try`, and `sluice serve` without a configuration.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::journal;
use crate::run::{sluice, sluice_in};
use crate::server::{Server, http, http_with};

/// Free ports, so that trials of other tests are not in the way.
const PORTS: [(&str, &str); 2] = [
    ("SLUICE_SERVER_LISTEN", "127.0.0.1:0"),
    ("SLUICE_ADMIN_LISTEN", "127.0.0.1:0"),
];

const KEY: &str = "Authorization: Bearer sluice-trial-key\r\n";

/// A running trial.
struct Trial {
    server: Server,
    /// The address of its sandbox.
    sandbox: String,
}

impl Trial {
    fn start(folder: &Path, command: &str) -> Self {
        let mut server = Server::start_in(folder, &PORTS, &[command]);
        let line = server.line_with("sandbox ");
        let page = line.split_whitespace().nth(1).unwrap();
        let sandbox = page.strip_suffix("/sandbox").unwrap().to_owned();
        Self { server, sandbox }
    }

    fn send(&self, id: &str) -> Value {
        let now_s = journal::now_ms() / 1_000;
        let event = format!(
            r#"{{"event_name":"Purchase","event_time":{now_s},"event_id":"{id}","action_source":"other",
                "user_data":{{"em":"john@example.com"}},"custom_data":{{"currency":"USD","value":129.99}}}}"#
        );
        let (status, answer) = http_with(&self.server.base, "POST", "/v1/events", KEY, &event);
        assert_eq!(status, 202, "{answer}");
        assert!(answer.ends_with("}\n"), "{answer:?}");
        serde_json::from_str(&answer).unwrap()
    }

    fn stats(&self) -> Value {
        let (code, stats) = http(&self.sandbox, "GET", "/sandbox/stats", "");
        assert_eq!(code, 200);
        serde_json::from_str(&stats).unwrap()
    }

    /// Waits until the sandbox has so many events.
    fn wait_for(&self, events: u64) {
        while self.stats()["events_received"].as_u64() < Some(events) {
            std::thread::yield_now();
        }
    }

    fn received(&self) -> Vec<String> {
        let (_, list) = http(&self.sandbox, "GET", "/sandbox/received?after=0", "");
        let list: Value = serde_json::from_str(&list).unwrap();
        let events = list["events"].as_array().unwrap().iter();
        let id = |event: &Value| event["event"]["event_id"].as_str().unwrap().to_owned();
        events.map(id).collect()
    }
}

#[test]
fn has_a_folder_of_its_own_and_the_next_day_all_that_it_had() {
    let folder = tempfile::tempdir().unwrap();
    // A shop's, which a trial leaves alone.
    fs::create_dir(folder.path().join("sluice-data")).unwrap();
    journal::write(&folder.path().join("sluice-data"));

    let trial = Trial::start(folder.path(), "try");
    assert_eq!(trial.send("order-1")["accepted"], 1);
    trial.wait_for(1);
    let (code, printed) = trial.server.stop();
    assert_eq!(code, Some(0), "{printed}");
    assert!(
        printed.contains("  journal   ./sluice-trial\n"),
        "{printed}"
    );
    assert_eq!(printed.matches("$(date +%s)").count(), 2, "{printed}");
    for file in ["TRIAL", "journal.db"] {
        let file = folder.path().join("sluice-trial").join(file);
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }

    let trial = Trial::start(folder.path(), "serve");
    assert_eq!(trial.received(), ["order-1"]);
    assert_eq!(trial.send("order-1")["duplicates"], 1);
    assert_eq!(trial.send("order-2")["accepted"], 1);
    trial.wait_for(2);
    assert_eq!(trial.received(), ["order-1", "order-2"]);
    assert_eq!(trial.stats()["earlier"], 1);
}

#[test]
fn its_books_say_that_the_sandbox_has_the_events() {
    let folder = tempfile::tempdir().unwrap();
    let trial = Trial::start(folder.path(), "try");
    trial.send("order-1");
    trial.wait_for(1);
    trial.server.stop();
    // Found without a word, because there is no other.
    let run = sluice_in(folder.path(), &[], &["audit"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stdout.starts_with("./sluice-trial/journal.db\n"));
    assert!(
        run.stdout.contains("the sandbox took them"),
        "{}",
        run.stdout
    );
    assert!(!run.stdout.contains("Meta took"), "{}", run.stdout);
    let run = sluice_in(folder.path(), &[], &["audit", "--json"]);
    assert_eq!(run.json()[0]["trial"], true);
}

#[test]
fn never_mixes_with_the_journal_of_a_shop() {
    let folder = tempfile::tempdir().unwrap();
    let shop = folder.path().join("shop");
    fs::create_dir(&shop).unwrap();
    journal::write(&shop);
    let path = [("SLUICE_JOURNAL_PATH", shop.to_str().unwrap())];
    let run = sluice_in(folder.path(), &[&PORTS[..], &path].concat(), &["serve"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    let expected = "has a journal that is not one of a trial";
    assert!(run.stderr.contains(expected), "{}", run.stderr);
    assert!(!shop.join("TRIAL").exists());

    Trial::start(folder.path(), "try").server.stop();
    let file = folder.path().join("sluice.toml");
    let text = r#"
        journal.path = "./sluice-trial"
        dataset = [{ id = "1234567890123456", access_token = { command = ["echo", "EAAB"] } }]
        [[source]]
        name = "shop"
        kind = "api"
        key = { command = ["echo", "a-key-of-some-length"] }
        datasets = ["1234567890123456"]
    "#;
    fs::write(&file, text).unwrap();
    let run = sluice_in(folder.path(), &PORTS, &["serve"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    let expected = "the journal in ./sluice-trial is that of a trial";
    assert!(run.stderr.contains(expected), "{}", run.stderr);
}

#[test]
fn a_key_that_everybody_knows_stays_on_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let open = [
        ("SLUICE_SERVER_LISTEN", "0.0.0.0:0"),
        ("SLUICE_ADMIN_LISTEN", "127.0.0.1:0"),
    ];
    let run = sluice_in(folder.path(), &open, &["try"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    let expected = "a trial whose key everybody knows listens on this machine only";
    assert!(run.stderr.contains(expected), "{}", run.stderr);
    assert!(!folder.path().join("sluice-trial").exists());

    let key = [("SLUICE_SOURCE_DEFAULT_KEY", "a-key-of-my-own-0123")];
    let variables = [&open[..], &key].concat();
    let (code, printed) = Server::start_in(folder.path(), &variables, &["try"]).stop();
    assert_eq!(code, Some(0), "{printed}");
    // The variable is named, and what is in it is not shown.
    assert!(
        printed.contains("Bearer $SLUICE_SOURCE_DEFAULT_KEY"),
        "{printed}"
    );
    assert!(!printed.contains("a-key-of-my-own"), "{printed}");
}

#[test]
fn programs_read_json_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let json = [("SLUICE_LOG_FORMAT", "json")];
    let variables = [&PORTS[..], &json].concat();
    let server = Server::start_in(folder.path(), &variables, &["try"]);
    let greeting: Value = serde_json::from_str(&server.greeting).unwrap();
    assert_eq!(greeting["message"], "this is a trial");
    drop(server);

    fs::write(
        folder.path().join("sluice.toml"),
        "[[dataset]]\nid = \"1\"\n",
    )
    .unwrap();
    let run = sluice_in(folder.path(), &variables, &["serve"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    let lines: Vec<Value> = run
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        lines.iter().all(|line| line["level"] == "ERROR"),
        "{lines:?}"
    );
    let last = lines.last().unwrap()["message"].as_str().unwrap();
    assert!(last.starts_with("sluice.toml cannot be used: "), "{last}");
    assert!(
        lines.iter().any(|line| line["key"] == "dataset[0].id"),
        "{lines:?}"
    );

    // Without one, people read it.
    let run = sluice(&["serve", "--config", "/nowhere/sluice.toml"], "");
    assert!(
        run.stderr.starts_with("error: reading /nowhere"),
        "{}",
        run.stderr
    );
}

/// What the README tells a newcomer to paste is what the program tells.
#[test]
fn the_readme_has_the_line_that_is_printed() {
    const README: &str = include_str!("../../../../README.md");
    let folder = tempfile::tempdir().unwrap();
    let trial = Trial::start(folder.path(), "try");
    let base = trial.server.base.clone();
    let (_, printed) = trial.server.stop();
    let printed = printed.replace(&base, "http://127.0.0.1:8080");
    let start = printed.find("curl ").unwrap();
    let end = start + printed[start..].find("\n}'\n").unwrap() + 4;
    assert!(README.contains(&printed[start..end]), "{printed}");
}
