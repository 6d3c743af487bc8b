//! The schema says what the program does: it takes what the schema allows, and refuses what that forbids.

use serde_json::Value;

use super::*;
use crate::config::key::{Section, Shape};
use crate::config::keys::SECTIONS;
use crate::config::schema;

fn printed() -> Value {
    serde_json::from_str(&schema()).unwrap()
}

/// The schema of a table of a section.
fn table(section: &Section) -> Value {
    let written = &printed()["properties"][section.name];
    let table = match section.shape {
        Shape::Repeated => &written["items"],
        _ => written,
    };
    assert_eq!(table["additionalProperties"], false, "{}", section.name);
    table.clone()
}

/// [`LEAST`] with another value for a key.
fn setting(section: &Section, key: &str, value: &str) -> String {
    let header = section.header();
    let line = format!("{header}\n{key} = {value}\n");
    match section.shape {
        Shape::Repeated => {
            let is_other = |line: &&str| !line.starts_with(&format!("{key} ="));
            let lines: Vec<_> = LEAST.lines().filter(is_other).collect();
            lines.join("\n").replace(&format!("{header}\n"), &line)
        }
        _ => with(&line),
    }
}

#[test]
fn has_the_bounds_and_the_words() {
    let (mut bounds, mut words) = (0, 0);
    for section in SECTIONS {
        for (key, property) in table(section)["properties"].as_object().unwrap() {
            let is_taken = |value: &str| parse(&setting(section, key, value)).is_ok();
            if let (Some(least), Some(most)) =
                (property["minimum"].as_u64(), property["maximum"].as_u64())
            {
                assert!(is_taken(&least.to_string()), "{key} = {least}");
                assert!(is_taken(&most.to_string()), "{key} = {most}");
                assert!(!is_taken(&(most + 1).to_string()), "{key} = {}", most + 1);
                let below = least
                    .checked_sub(1)
                    .map_or("-1".to_owned(), |it| it.to_string());
                assert!(!is_taken(&below), "{key} = {below}");
                bounds += 1;
            }
            for word in property["enum"].as_array().into_iter().flatten() {
                assert!(is_taken(&word.to_string()), "{key} = {word}");
                assert!(!is_taken("\"something else\""), "{key}");
                words += 1;
            }
        }
    }
    assert!(bounds > 15 && words > 10, "{bounds} bounds, {words} words");
}

#[test]
fn names_what_is_needed() {
    let mut count = 0;
    for section in SECTIONS {
        for key in table(section)["required"].as_array().unwrap() {
            let line = format!("{} =", key.as_str().unwrap());
            let text: Vec<_> = LEAST.lines().filter(|it| !it.starts_with(&line)).collect();
            assert!(parse(&text.join("\n")).is_err(), "{key}");
            count += 1;
        }
    }
    assert_eq!(count, 6);
}

#[test]
fn says_what_the_documentation_says() {
    let schema = printed();
    let properties = &schema["properties"];
    assert_eq!(schema["required"], serde_json::json!(["dataset", "source"]));
    assert_eq!(
        properties["server"]["properties"]["drain_s"]["description"],
        "Seconds for which a gateway that gets SIGTERM goes on taking events while `/readyz` says 503, so that load \
         balancers send clients elsewhere. Skipped when no request with events came in the last minute, and with \
         sockets from systemd."
    );
    let defaults = [
        ("/server/properties/listen", "\"127.0.0.1:8080\""),
        ("/server/properties/body_bytes_max", "8388608"),
        ("/source/items/properties/variants", "false"),
        ("/dataset/items/properties/linger_ms", "null"),
    ];
    for (key, default) in defaults {
        let property = properties.pointer(key).unwrap();
        assert_eq!(property["default"].to_string(), default, "{key}");
    }
    let forms = schema["$defs"]["secret"]["oneOf"].as_array().unwrap();
    let named: Vec<_> = forms
        .iter()
        .map(|form| form["required"][0].as_str())
        .collect();
    assert_eq!(named, [Some("env"), Some("file"), Some("command"), None]);
}
