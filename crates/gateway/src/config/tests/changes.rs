//! What another configuration changes: each key takes effect at once or with a restart, and does what its row says.

use super::*;
use crate::config::key::{Form, Key, Kind, Section, Shape};
use crate::config::keys::SECTIONS;

/// A second dataset beside [`LEAST`].
const SECOND: &str =
    "[[dataset]]\nid = \"2345678901234567\"\naccess_token = { env = \"SECOND\" }\n";

/// Every key whose change waits for a restart; all others take effect at once.
const WITH_RESTART: [&str; 12] = [
    "server.listen",
    "server.decoded_bytes_max",
    "server.connections_max",
    "admin.listen",
    "journal.path",
    "journal.retention_days",
    "journal.encryption_key",
    "journal.encryption_key_previous",
    "graph.base_url",
    "graph.timeout_s",
    "graph.connect_timeout_s",
    "log.format",
];

/// Two values of a key; `None` if it has one only.
fn values(key: &Key) -> Option<[String; 2]> {
    let texts = |first: &str, second: &str| Some([first, second].map(|it| format!("\"{it}\"")));
    match key.kind {
        Kind::Number(min, max) => Some([(max - 1).max(min), max].map(|it| it.to_string())),
        Kind::Flag => Some(["true", "false"].map(str::to_owned)),
        Kind::Words([first, second, ..]) => texts(first, second),
        Kind::Text(form) => match form {
            Form::ActionSource => texts("app", "email"),
            Form::Address => texts("127.0.0.1:9", "127.0.0.1:10"),
            Form::BaseUrl => texts("https://a.example", "https://b.example"),
            Form::Country => texts("de", "at"),
            Form::DatasetId => texts("1234567890123456", "3456789012345678"),
            Form::DatasetName => texts("a name", "another"),
            Form::Filter => texts("info", "debug"),
            Form::Moment => texts("2027-01-01T00:00:00Z", "2027-01-02T00:00:00Z"),
            Form::PartnerAgent => texts("an agent", "another"),
            Form::File | Form::Folder | Form::ShortName | Form::Variable => texts("a", "b"),
            Form::Version => texts("v26.0", "v27.0"),
        },
        Kind::Networks => Some(["[\"10.0.0.0/8\"]", "[\"192.0.2.0/24\"]"].map(str::to_owned)),
        Kind::Ids => Some(
            [
                "[\"1234567890123456\"]",
                "[\"1234567890123456\", \"2345678901234567\"]",
            ]
            .map(str::to_owned),
        ),
        Kind::Secret(_) | Kind::Secrets(_) => {
            Some(["{ env = \"A\" }", "{ env = \"B\" }"].map(str::to_owned))
        }
        Kind::Table(_) => Some(
            ["01", "02"]
                .map(|day| format!("{{ code = \"TEST1\", until = \"2027-01-{day}T00:00:00Z\" }}")),
        ),
        Kind::Words(_) | Kind::Command => None,
    }
}

/// A configuration with this value for a key of the first table of a section.
fn config(section: &Section, key: &str, value: &str) -> Config {
    let line = format!("{}\n{key} = {value}\n", section.header());
    let text = match section.shape {
        // Its source follows it.
        Shape::Repeated if key == "id" => LEAST.replace("\"1234567890123456\"", value),
        Shape::Repeated => {
            let header = format!("{}\n", section.header());
            let (before, table) = LEAST.split_once(&header).unwrap();
            let (table, after) = table.split_at(table.find("[[").unwrap_or(table.len()));
            let is_other = |it: &&str| !it.starts_with(&format!("{key} ="));
            let table: Vec<_> = table.lines().filter(is_other).collect();
            format!("{before}{line}{}\n{after}", table.join("\n"))
        }
        _ => format!("{line}{LEAST}"),
    };
    let loaded = parse(&format!("{text}\n{SECOND}"));
    let loaded = loaded.unwrap_or_else(|problems| panic!("{key}: {problems}"));
    loaded.config
}

#[test]
fn every_key_takes_effect_at_once_or_with_a_restart() {
    let (mut at_once, mut with_restart) = (0, Vec::new());
    for section in SECTIONS {
        for key in section.all_keys() {
            let Some([first, second]) = values(key) else {
                continue;
            };
            let name = format!("{}.{}", section.name, key.name);
            let [before, after] = [first, second].map(|value| config(section, key.name, &value));
            let shown = |config: &Config| format!("{config:?}");
            assert_ne!(shown(&before), shown(&after), "{name} is not used");
            let changes = before.settings.changes_to(&after.settings);
            let applied = before.applied(after.clone());
            if key.needs_restart {
                assert_eq!(shown(&applied), shown(&before), "{name}");
                assert_eq!(
                    (changes.live.len(), changes.with_restart.len()),
                    (0, 1),
                    "{name}"
                );
                with_restart.push(name.clone());
            } else {
                assert_eq!(shown(&applied), shown(&after), "{name}");
                assert!(
                    !changes.live.is_empty() && changes.with_restart.is_empty(),
                    "{name}"
                );
                at_once += 1;
            }
            // What waits for a restart is said again at the next reload, and what is in force is not.
            let left = applied.settings.changes_to(&after.settings);
            assert!(left.live.is_empty(), "{name}");
            assert_eq!(left.with_restart, changes.with_restart, "{name}");
        }
    }
    assert_eq!(with_restart, WITH_RESTART);
    assert!(at_once > 30, "{at_once}");
}

#[test]
fn changes_are_said_in_words_and_show_no_secret() {
    let before = parse(LEAST).unwrap().config;
    let after = LEAST.replace("shop", "app").replace(
        "{ env = \"META_ACCESS_TOKEN\" }",
        "\"EAASecret\"\nlinger_ms = 50",
    );
    let after = format!("graph.linger_ms = 100\nserver.listen = \"127.0.0.1:9\"\n{after}{SECOND}");
    let after = parse(&after).unwrap().config;
    let changes = before.settings.changes_to(&after.settings);
    let said = |changes: &[crate::config::Change]| {
        let said = changes.iter().map(ToString::to_string);
        said.collect::<Vec<_>>()
    };
    assert_eq!(
        said(&changes.live),
        [
            "dataset 1234567890123456: access_token environment variable META_ACCESS_TOKEN → the text in the configuration",
            "dataset 1234567890123456: linger_ms nothing → 50",
            "dataset 2345678901234567 added",
            "graph: linger_ms 200 → 100",
            "source app added",
            "source shop removed",
        ]
    );
    assert_eq!(
        said(&changes.with_restart),
        ["server: listen 127.0.0.1:8080 → 127.0.0.1:9"]
    );
}
