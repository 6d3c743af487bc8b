//! What the gateway's log says, read as an operator or a program reads it: on standard error of the real program.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;

use crate::journal::now_ms;
use crate::server::{Server, http};

const DATASET: &str = "1234567890123456";
const KEY: &str = "geheim-and-long-enough";

/// A gateway in front of a sandbox, with its log in a file.
struct Logged {
    sandbox: Server,
    gateway: Child,
    folder: tempfile::TempDir,
}

impl Logged {
    fn start(format: &str) -> Self {
        let sandbox = Server::start(&["sandbox", "--listen", "127.0.0.1:0"]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let text = format!(
            r#"
server.listen = "127.0.0.1:0"
admin.listen = "127.0.0.1:0"
journal.path = "{}"
log.format = "{format}"
[graph]
base_url = "{}"
linger_ms = 5
[[dataset]]
id = "{DATASET}"
access_token = {{ file = "{}" }}
[[source]]
name = "shop"
kind = "api"
key = {{ command = ["echo", "{KEY}"] }}
datasets = ["{DATASET}"]
"#,
            path.join("journal").display(),
            sandbox.base,
            path.join("token").display(),
        );
        fs::write(path.join("token"), "EAABgeheim").unwrap();
        fs::write(path.join("sluice.toml"), text).unwrap();
        let gateway = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(["serve", "--config"])
            .arg(path.join("sluice.toml"))
            .env("SLUICE_SERVER_DRAIN_S", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(path.join("log")).unwrap())
            .spawn()
            .unwrap();
        Self {
            sandbox,
            gateway,
            folder,
        }
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The lines that were written to the end, as JSON.
    fn lines(&self) -> Vec<Value> {
        let text = self.text();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines = whole.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
            .collect()
    }

    /// The lines with this sentence.
    fn said(&self, sentence: &str) -> Vec<Value> {
        let lines = self.lines().into_iter();
        lines
            .filter(|line| line["message"].as_str().unwrap().starts_with(sentence))
            .collect()
    }

    /// Waits until the log says something.
    fn until(&self, what: &str, is_said: impl Fn(&Self) -> bool) {
        for _ in 0..3_000 {
            if is_said(self) {
                return;
            }
            sleep(Duration::from_millis(20));
        }
        panic!("the log does not say {what}:\n{}", self.text());
    }

    /// Sends events to the door of the Graph API.
    fn post(&self, events: &[String]) {
        let (status, answer) = self.answer(events);
        assert_eq!(status, 200, "{answer}");
    }

    /// What the door of the Graph API answers to events.
    fn answer(&self, events: &[String]) -> (u16, String) {
        let started = self.said("started").remove(0);
        let base = format!("http://{}", started["listen"].as_str().unwrap());
        let path = format!("/v26.0/{DATASET}/events?access_token={KEY}");
        let body = format!(r#"{{"data":[{}]}}"#, events.join(","));
        http(&base, "POST", &path, &body)
    }

    /// Sets what the sandbox does wrong, and sends an event for which it does.
    fn post_with_fault(&self, fault: &str, id: &str) {
        let (status, answer) = self.sandbox.http("POST", "/sandbox/faults", fault);
        assert_eq!(status, 200, "{answer}");
        self.post(&[event(id, "")]);
    }

    fn signal(&self, signal: &str) {
        let pid = self.gateway.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Sends SIGTERM and waits for the end; the whole log.
    fn stop(mut self) -> String {
        self.signal("-TERM");
        assert!(self.gateway.wait().unwrap().success(), "{}", self.text());
        self.text()
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        // It may have been stopped before.
        let _ = self.gateway.kill();
        let _ = self.gateway.wait();
    }
}

fn event(id: &str, custom_data: &str) -> String {
    let now_s = now_ms() / 1_000;
    format!(
        r#"{{"event_name":"Lead","event_time":{now_s},"event_id":"{id}","action_source":"other","user_data":{{"em":"jane@example.com"}},"custom_data":{{{custom_data}}}}}"#
    )
}

/// The minutes that a log covers; each may have a line about a subject.
fn minutes(lines: &[Value]) -> usize {
    let second = |line: &Value| {
        let time: jiff::Timestamp = line["timestamp"].as_str().unwrap().parse().unwrap();
        time.as_second()
    };
    let (first, last) = (second(&lines[0]), second(&lines[lines.len() - 1]));
    usize::try_from((last - first) / 60).unwrap() + 1
}

fn sum(lines: &[Value], field: &str) -> u64 {
    lines.iter().map(|line| line[field].as_u64().unwrap()).sum()
}

#[test]
fn refused_events_have_a_line_for_each_code_and_minute_and_not_one_each() {
    let gateway = Logged::start("json");
    gateway.until("that it has started", |it| !it.said("started").is_empty());
    let refused = |id: &str, how: &str| event(id, &format!(r#""sandbox_refuse":"{how}""#));
    let events: Vec<_> = (0..10)
        .flat_map(|number| {
            [
                event(&format!("good-{number}"), ""),
                refused(&format!("bad-{number}"), "index"),
            ]
        })
        .chain([refused("other", "100/2804087")])
        .collect();
    gateway.post(&events);
    let path = gateway.path("journal");
    for _ in 0..3_000 {
        let arguments = ["audit", "--json", "--journal", path.to_str().unwrap()];
        let audit = crate::run::sluice(&arguments, "").json().remove(0);
        if audit["waiting"] == 0 {
            break;
        }
        sleep(Duration::from_millis(20));
    }
    gateway.until("that Meta refused events", |it| {
        !it.said("Meta refused events").is_empty()
    });
    let started = gateway.said("started").remove(0);
    assert_eq!(started["version"], env!("CARGO_PKG_VERSION"));
    assert!(started["pid"].is_u64() && started["configuration"].is_string());

    let log = gateway.stop();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let said = |sentence: &str| -> Vec<Value> {
        let lines = lines.iter();
        lines
            .filter(|line| line["message"].as_str().unwrap().starts_with(sentence))
            .cloned()
            .collect()
    };
    let refused = said("Meta refused events");
    // One at once, and the rest when the minute is over or the gateway stops.
    let most = 2 * (1 + minutes(&lines));
    assert!(refused.len() <= most, "{log}");
    assert_eq!(sum(&refused, "events"), 11, "{log}");
    let of_code: Vec<_> = refused
        .iter()
        .filter(|line| line["subcode"] == 2_804_087)
        .cloned()
        .collect();
    assert_eq!(sum(&of_code, "events"), 1, "{log}");
    let requests = said("requests to Meta");
    assert!(requests.len() <= 3 * (1 + minutes(&lines)), "{log}");
    let delivered: Vec<_> = requests
        .iter()
        .filter(|line| line["verdict"] == "delivered")
        .cloned()
        .collect();
    assert_eq!(sum(&delivered, "received"), 10, "{log}");
    assert!(sum(&requests, "requests") > 10, "{log}");
    assert_eq!(said("request to Meta").len(), 0, "only with debug: {log}");
    assert_eq!(said("stopped").len(), 1, "{log}");
    assert_eq!(lines[lines.len() - 1]["message"], "stopped", "{log}");
    for line in &lines {
        for (name, value) in line.as_object().unwrap() {
            assert_ne!(value, "", "{name} says nothing: {line}");
            let is_old = name.ends_with("_ms") && value.as_u64().unwrap_or_default() > 1 << 40;
            assert!(!is_old, "{name} is a moment for machines only: {line}");
        }
    }
}

#[test]
fn the_allowance_has_a_line_when_it_runs_out_and_when_it_does_not() {
    let gateway = Logged::start("json");
    gateway.until("that it has started", |it| !it.said("started").is_empty());
    let mut said = Vec::new();
    for (number, (percent, sentence)) in [
        (80, "much of Meta's allowance is used up"),
        (80, "much of Meta's allowance is used up"),
        (99, "Meta's allowance is nearly used up"),
        (5, "Meta's allowance is no longer nearly used up"),
    ]
    .into_iter()
    .enumerate()
    {
        gateway.post_with_fault(&format!("usage {percent}"), &format!("lead-{number}"));
        gateway.until(sentence, |it| !it.said(sentence).is_empty());
        said.push(sentence);
    }
    said.dedup();
    for sentence in said {
        assert_eq!(
            gateway.said(sentence).len(),
            1,
            "{sentence}: {}",
            gateway.text()
        );
    }
    let high = gateway.said("much of Meta's allowance").remove(0);
    assert_eq!(
        (&high["level"], &high["percent"]),
        (&"WARN".into(), &80.into())
    );
    gateway.stop();
}

#[test]
fn a_trouble_is_written_for_people_and_nothing_is_repeated_while_nothing_changes() {
    let gateway = Logged::start("human");
    // Not only the address: what is sent is sent by the test of the other form.
    gateway.until("that it has started", |it| it.text().contains("started"));
    let listen = gateway.text();
    let listen = listen
        .split("listen=")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .to_owned();
    let (status, _) = gateway
        .sandbox
        .http("POST", "/sandbox/faults", "500 for 10m");
    assert_eq!(status, 200);
    let path = format!("/v26.0/{DATASET}/events?access_token={KEY}");
    let body = format!(r#"{{"data":[{}]}}"#, event("lead", ""));
    let (status, answer) = http(&format!("http://{listen}"), "POST", &path, &body);
    assert_eq!(status, 200, "{answer}");
    gateway.until("that the lane pauses", |it| {
        it.text().contains("lane throttled")
    });
    for _ in 0..2 {
        gateway.signal("-HUP");
    }
    gateway.until("that nothing has changed", |it| {
        it.text().contains("keys and tokens are the same as before")
    });
    let log = gateway.stop();
    let until = log
        .split("until=\"")
        .nth(1)
        .unwrap_or_else(|| panic!("{log}"));
    let until = until.split('"').next().unwrap();
    assert!(until.parse::<jiff::Timestamp>().is_ok(), "{until}: {log}");
    assert!(!log.contains("were read again"), "{log}");
    assert!(!log.contains("nothing:"), "{log}");
    assert!(!log.contains("=\"\""), "{log}");
    assert_eq!(log.matches("lane throttled").count(), 1, "{log}");
    assert_eq!(log.matches("lane flows again").count(), 0, "{log}");
    assert!(log.lines().last().unwrap().contains("stopped"), "{log}");
}

#[test]
fn rows_that_cannot_be_written_for_a_lane_are_no_trouble_of_the_doors() {
    let gateway = Logged::start("json");
    gateway.until("that it has started", |it| !it.said("started").is_empty());
    let change = |sql: &str| {
        let journal = Connection::open(gateway.path("journal/journal.db")).unwrap();
        journal.busy_timeout(Duration::from_secs(20)).unwrap();
        journal.execute_batch(sql).unwrap();
    };
    change(
        "CREATE TRIGGER broken BEFORE INSERT ON outcome
         BEGIN SELECT RAISE(ABORT, 'broken by the test'); END",
    );
    gateway.post(&[event("first", "")]);
    let sentence = "what became of events cannot be written";
    gateway.until(sentence, |it| !it.said(sentence).is_empty());
    gateway.post(&[event("second", "")]);
    change("DROP TRIGGER broken");
    let said = gateway.said(sentence).remove(0);
    assert_eq!(said["dataset"], DATASET);
    assert!(
        said["error"]
            .as_str()
            .unwrap()
            .contains("broken by the test")
    );
    let log = gateway.stop();
    assert!(!log.contains("events cannot be kept"), "{log}");
}

#[test]
fn damaged_rows_that_some_requests_meet_are_told_once_a_minute() {
    let gateway = Logged::start("json");
    gateway.until("that it has started", |it| !it.said("started").is_empty());
    let journal = Connection::open(gateway.path("journal/journal.db")).unwrap();
    journal.busy_timeout(Duration::from_secs(20)).unwrap();
    let damage = "CREATE TRIGGER broken BEFORE INSERT ON event WHEN new.event_id LIKE 'bad%'
         BEGIN SELECT RAISE(ABORT, 'broken by the test'); END";
    journal.execute_batch(damage).unwrap();
    for number in 0..10 {
        let (status, answer) = gateway.answer(&[event(&format!("bad-{number}"), "")]);
        assert_eq!(status, 503, "{answer}");
        gateway.post(&[event(&format!("good-{number}"), "")]);
    }
    let log = gateway.stop();
    // One line at once and one at the end, and hardly a minute in between.
    let told = log.matches("events cannot be kept").count();
    assert!((1..=4).contains(&told), "{log}");
    assert!(!log.contains("events can be kept again"), "{log}");
}

#[test]
fn an_edited_configuration_takes_effect_as_far_as_it_can_and_metrics_tell() {
    let gateway = Logged::start("json");
    gateway.until("that it has started", |it| !it.said("started").is_empty());
    let started = gateway.said("started").remove(0);
    let admin = format!("http://{}", started["admin"].as_str().unwrap());
    let is_edited = |expected: char| {
        let (_, metrics) = http(&admin, "GET", "/metrics", "");
        metrics.contains(&format!("\nsluice_configuration_edited {expected}\n"))
    };
    assert!(is_edited('0'));
    let path = gateway.path("sluice.toml");
    let text = fs::read_to_string(&path).unwrap();
    for (edited, expected) in [
        (format!("server.connections_max = 7\n{text}"), '1'),
        (text.clone(), '0'),
        (format!("{text}[[nonsense"), '1'),
    ] {
        fs::write(&path, edited).unwrap();
        gateway.until("whether it is the one in use", |_| is_edited(expected));
    }
    let restart = "changes of the configuration need a restart";
    assert_eq!(
        gateway.said(restart)[0]["changes"],
        "server: connections_max 20000 → 7"
    );

    // A filter of the log as well; what is debugged is said from then on.
    assert!(gateway.said("answered").is_empty());
    let debug = format!(
        "log.filter = \"debug\"\n{}",
        text.replace("linger_ms = 5", "linger_ms = 6")
    );
    fs::write(&path, debug).unwrap();
    let in_force = "the configuration was put in force";
    gateway.until("the change", |it| !it.said(in_force).is_empty());
    let said = &gateway.said(in_force)[0];
    assert_eq!(
        said["changes"],
        "graph: linger_ms 5 → 6; log: filter info → debug"
    );
    assert_eq!(said["generation"], 2);
    assert!(is_edited('0'));
    gateway.post(&[event("after", "")]);
    gateway.until("a line of debug", |it| !it.said("answered").is_empty());
    gateway.stop();
}
