//! `sluice lane`, `sluice test` and `sluice reload`, beside the real gateway.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::journal::now_ms;
use crate::run::{Run, sluice_in};
use crate::server::{Server, http_with};

const DATASET: &str = "1234567890123456";
const KEY: &str = "geheim-and-long-enough";

/// A folder with the configuration of a gateway in front of a sandbox.
struct Place {
    sandbox: Server,
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let sandbox = Server::start(&["sandbox", "--listen", "127.0.0.1:0"]);
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            r#"
server.listen = "127.0.0.1:0"
admin.listen = "127.0.0.1:0"
[graph]
base_url = "{}"
linger_ms = 5
[[dataset]]
id = "{DATASET}"
access_token = {{ file = "token" }}
[[source]]
name = "shop"
kind = "api"
key = {{ command = ["echo", "{KEY}"] }}
datasets = ["{DATASET}"]
"#,
            sandbox.base,
        );
        fs::write(folder.path().join("token"), "EAABgeheim").unwrap();
        fs::write(folder.path().join("sluice.toml"), text).unwrap();
        Self { sandbox, folder }
    }

    /// Starts the gateway.
    fn serve(&self) -> Server {
        Server::start_in(self.folder.path(), &[], &["serve"])
    }

    fn run(&self, arguments: &[&str]) -> Run {
        sluice_in(self.folder.path(), &[], arguments)
    }

    /// Runs a command that does its work, and returns what it printed.
    fn done(&self, arguments: &[&str]) -> String {
        let run = self.run(arguments);
        assert_eq!(
            (run.code, run.stderr.as_str()),
            (Some(0), ""),
            "{arguments:?}"
        );
        run.stdout
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.done(arguments)).unwrap()
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("sluice-data/control.sock")
    }

    /// How many events the sandbox has of each test code, and of none, once it has so many.
    fn arrived(&self, events: u64) -> Value {
        let mut stats = Value::Null;
        for _ in 0..1_500 {
            stats = self.sandbox.json("/sandbox/stats");
            if stats["distinct"] == events {
                return stats["test_event_codes"].clone();
            }
            sleep(Duration::from_millis(20));
        }
        panic!("waited for {events} events in vain: {stats}");
    }
}

fn post(gateway: &Server, id: &str) {
    let event_time = now_ms() / 1_000 - 5;
    let event = format!(
        r#"{{"event_name":"Lead","event_id":"{id}","event_time":{event_time},"action_source":"other","user_data":{{"em":"john@example.com"}}}}"#
    );
    let authorization = format!("Authorization: Bearer {KEY}\r\n");
    let (status, body) = http_with(&gateway.base, "POST", "/v1/events", &authorization, &event);
    assert_eq!(status, 202, "{body}");
}

#[test]
fn a_lane_is_paused_over_a_restart_and_resumed() {
    let place = Place::new();
    let gateway = place.serve();
    post(&gateway, "lead-1");
    place.arrived(1);
    let printed = place.done(&["lane", "pause", DATASET, "--note", "wrong prices"]);
    assert_eq!(
        printed,
        "Paused 1234567890123456: 0 events wait, and nothing is sent until `sluice lane resume`.\n"
    );
    post(&gateway, "lead-2");
    gateway.stop();

    let gateway = place.serve();
    let listed = place.done(&["lane", "list"]);
    let mut lines = listed.lines();
    assert_eq!(lines.next(), Some("1234567890123456 paused 1 event waits"));
    assert_eq!(
        lines.next(),
        Some("    an operator paused it: wrong prices")
    );
    let list = place.json(&["lane", "list", "--json"]);
    assert_eq!(list["lanes"][0]["state"], "paused");
    assert_eq!(list["pauses"][0]["note"], "wrong prices");
    let stats = place.sandbox.json("/sandbox/stats");
    assert_eq!(stats["distinct"], 1);

    let resumed = place.json(&["lane", "resume", DATASET, "--json"]);
    assert_eq!(
        (&resumed["waiting"], &resumed["pauses"][0]["dataset"]),
        (&1.into(), &DATASET.into())
    );
    place.arrived(2);
    let again = place.run(&["lane", "resume", DATASET]);
    assert_eq!(again.code, Some(2));
    assert_eq!(
        again.stderr,
        "error: no lane of 1234567890123456 is paused\nhelp: `sluice lane list` shows what is paused\n"
    );
    let probed = place.json(&["lane", "probe", DATASET, "--json"]);
    assert_eq!(probed[0]["answer"], "flows");
    gateway.stop();
}

#[test]
fn events_go_with_the_code_of_a_test_that_a_command_starts() {
    let place = Place::new();
    let gateway = place.serve();
    let printed = place.done(&["test", "start", DATASET, "TEST1", "--for", "90m"]);
    let until = "Events of 1234567890123456 go with the test code TEST1 until ";
    assert!(printed.starts_with(until), "{printed}");
    post(&gateway, "lead-1");
    assert_eq!(place.arrived(1)["TEST1"], 1);
    let tests = place.json(&["test", "list", "--json"]);
    let length =
        |test: &Value| test["until_ms"].as_u64().unwrap() - test["since_ms"].as_u64().unwrap();
    assert_eq!(
        (&tests[0]["code"], length(&tests[0])),
        (&"TEST1".into(), 90 * 60 * 1_000)
    );
    place.done(&["test", "stop", DATASET]);
    assert_eq!(place.done(&["test", "list"]), "No test runs.\n");
    post(&gateway, "lead-2");
    assert_eq!(place.arrived(2)["TEST1"], 1);
    let long = place.run(&["test", "start", DATASET, "TEST1", "--for", "25h"]);
    assert_eq!(long.code, Some(2));
    assert!(long.stderr.contains("at most 24 hours"), "{}", long.stderr);
    gateway.stop();
}

#[test]
fn a_reload_says_what_came_of_it() {
    let place = Place::new();
    let gateway = place.serve();
    let token = place.folder.path().join("token");
    let same = "The configuration in force is the same as before.\nKeys and tokens are the same as before.\n";
    fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).unwrap();
    let doubtful = "Doubtful, and used all the same:\n  access token of dataset 1234567890123456: a file with a secret can \
                    be read by every user of this machine: token; chmod 600, or 640 with the group of the gateway's user\n";
    assert_eq!(place.done(&["reload"]), format!("{same}{doubtful}"));
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(place.done(&["reload"]), same);
    let file = place.folder.path().join("sluice.toml");
    let text = fs::read_to_string(&file).unwrap();
    // The gateway may have seen the edit by itself; it is in force in any case.
    fs::write(&file, text.replace("linger_ms = 5", "linger_ms = 6")).unwrap();
    assert_eq!(place.json(&["reload", "--json"])["generation"], 2);

    let moved = text.replace("[graph]", "journal.path = \"elsewhere\"\n[graph]");
    fs::write(&file, moved).unwrap();
    let run = place.run(&["reload", "--journal", "sluice-data"]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(
        run.stdout.contains("Waits for a restart:\n  journal: path"),
        "{}",
        run.stdout
    );

    fs::write(&file, "nonsense").unwrap();
    let run = place.run(&["reload"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(
        run.stderr
            .contains("the configuration cannot be used: line 1"),
        "{}",
        run.stderr
    );
    // Who edits the file can stop what is sent meanwhile.
    let paused = place.done(&["lane", "pause", DATASET]);
    assert!(paused.contains(DATASET), "{paused}");
    gateway.stop();
}

#[test]
fn without_a_gateway_the_commands_say_so_and_what_to_do() {
    let place = Place::new();
    let commands: [&[&str]; 8] = [
        &["lane", "list"],
        &["lane", "pause", DATASET],
        &["lane", "resume", DATASET],
        &["lane", "probe", DATASET],
        &["reload"],
        &["test", "start", DATASET, "TEST1"],
        &["test", "stop", DATASET],
        &["test", "list"],
    ];
    for arguments in commands {
        let run = place.run(arguments);
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (Some(2), ""),
            "{arguments:?}"
        );
        let error = "error: no gateway runs with the journal in ./sluice-data\nhelp: start it with `sluice serve`";
        assert!(
            run.stderr.starts_with(error),
            "{arguments:?}: {}",
            run.stderr
        );
    }
    let gateway = place.serve();
    assert!(place.socket().exists());
    gateway.stop();
    assert!(!place.socket().exists());
    let far = format!("./{}", "deep/".repeat(30));
    let run = place.run(&["lane", "list", "--journal", &far]);
    assert!(
        run.stderr.contains("is too long for a socket"),
        "{}",
        run.stderr
    );
}
