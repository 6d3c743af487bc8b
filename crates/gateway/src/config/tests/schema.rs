//! The published schema says what the program does: the same keys, defaults, bounds and words.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::*;
use crate::config::keys::{SECRET, TEST_CODE};
use crate::config::{SCHEMA, SECTIONS, Section, Severity, Shape};

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

/// The keys of a section, each with its schema.
fn properties(schema: &Value, section: Section) -> Map<String, Value> {
    let written = &schema["properties"][section.name];
    let table = match section.shape {
        Shape::Repeated => &written["items"],
        _ => written,
    };
    assert_eq!(table["additionalProperties"], false, "{}", section.name);
    table["properties"].as_object().unwrap().clone()
}

fn is_wrong(path: &str, text: &str) -> bool {
    let is_about = |problems: &Problems| {
        let mut errors = problems.iter().filter(|it| it.severity == Severity::Error);
        errors.any(|problem| problem.path == path)
    };
    match parse(text) {
        Ok(_) => false,
        Err(problems) => is_about(&problems),
    }
}

/// [`LEAST`] with one more key, and the path of that key.
fn setting(section: Section, key: &str, value: &str) -> (String, String) {
    let header = section.header();
    match section.shape {
        Shape::Repeated => {
            let lines: Vec<_> = LEAST
                .lines()
                .filter(|line| !line.starts_with(&format!("{key} =")))
                .collect();
            let text = lines
                .join("\n")
                .replace(&header, &format!("{header}\n{key} = {value}"));
            (text, format!("{}[0].{key}", section.name))
        }
        _ => (
            with(&format!("{header}\n{key} = {value}\n")),
            format!("{}.{key}", section.name),
        ),
    }
}

#[test]
fn has_every_key_and_no_other() {
    let schema = schema();
    let names = |map: &Map<String, Value>| map.keys().cloned().collect::<BTreeSet<_>>();
    let known = |keys: &[&str]| keys.iter().map(ToString::to_string).collect();
    let sections: BTreeSet<String> = SECTIONS.iter().map(|it| it.name.to_owned()).collect();
    assert_eq!(names(schema["properties"].as_object().unwrap()), sections);
    for section in SECTIONS {
        let found = names(&properties(&schema, section));
        assert_eq!(found, known(section.keys), "{}", section.name);
    }
    let code = &schema["properties"]["dataset"]["items"]["properties"]["test_event_code"];
    let found = names(code["properties"].as_object().unwrap());
    assert_eq!(found, known(TEST_CODE.keys));
    let forms = schema["$defs"]["secret"]["oneOf"].as_array().unwrap();
    let forms = forms
        .iter()
        .filter_map(|form| form["properties"].as_object());
    let found: BTreeSet<String> = forms.flat_map(names).collect();
    assert_eq!(found, known(SECRET.keys));
}

#[test]
fn has_the_defaults() {
    let schema = schema();
    let defaults: toml::Table = toml::from_str(DEFAULTS).unwrap();
    for section in SECTIONS {
        let written = &defaults[section.name];
        let table = match section.shape {
            Shape::Repeated => &written[0],
            _ => written,
        };
        for (key, property) in properties(&schema, section) {
            let default = table
                .get(&key)
                .map(|value| serde_json::to_value(value).unwrap());
            let stated = property.get("default").cloned();
            assert_eq!(stated, default, "{}.{key}", section.name);
        }
    }
}

#[test]
fn has_the_bounds_and_the_words() {
    let (mut bounds, mut words) = (0, 0);
    let schema = schema();
    for section in SECTIONS {
        for (key, property) in properties(&schema, section) {
            let is_taken = |value: &str| {
                let (text, path) = setting(section, &key, value);
                !is_wrong(&path, &text)
            };
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
    let schema = schema();
    for section in SECTIONS.iter().filter(|it| it.shape == Shape::Repeated) {
        let needed = &schema["properties"][section.name]["items"]["required"];
        for key in needed.as_array().unwrap() {
            let line = format!("{} =", key.as_str().unwrap());
            let text: Vec<_> = LEAST.lines().filter(|it| !it.starts_with(&line)).collect();
            assert!(parse(&text.join("\n")).is_err(), "{key}");
        }
    }
}
