//! The JSON Schema (2020-12) of `sluice.toml`, for editors and programs that write one.

use serde_json::{Map, Value, json};

use super::forms::ID_PATTERN;
use super::key::{Key, Kind, Pattern, Section, Shape};
use super::keys::{SECRET, SECTIONS};
use super::read_secret::SECRETS_MAX;

/// The schema, as one JSON text.
pub fn schema() -> String {
    let needed = SECTIONS
        .into_iter()
        .filter(|it| it.shape == Shape::Repeated);
    let needed: Vec<_> = needed.map(|section| section.name).collect();
    let properties = SECTIONS.map(|section| (section.name.to_owned(), of_section(section)));
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:sluice:config",
        "title": "sluice.toml",
        "description": "The configuration of Sluice, a gateway for Meta's Conversions API.",
        "type": "object",
        "additionalProperties": false,
        "required": needed,
        "properties": Map::from_iter(properties),
        "$defs": { "secret": secret() },
    });
    format!("{schema:#}\n")
}

fn of_section(section: &Section) -> Value {
    let mut schema = match section.shape {
        Shape::Repeated => json!({ "type": "array", "minItems": 1, "items": table(section) }),
        Shape::Single | Shape::Inline => table(section),
    };
    schema["description"] = sentence(section.about).into();
    schema
}

fn table(section: &Section) -> Value {
    let keys = section.all_keys();
    let needed = keys.clone().filter(|key| key.needed.is_some());
    let needed: Vec<_> = needed.map(|key| key.name).collect();
    let properties = keys.map(|key| (key.name.to_owned(), of_key(section, key)));
    let properties: Map<_, _> = properties.collect();
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": needed,
        "properties": properties,
    })
}

fn of_key(section: &Section, key: &Key) -> Value {
    let mut schema = match &key.kind {
        Kind::Number(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Words(words) => json!({ "enum": words }),
        Kind::Text(form) => match form.pattern() {
            Pattern::Regex(pattern) => json!({ "type": "string", "pattern": pattern }),
            Pattern::Words(words) => json!({ "enum": words }),
        },
        Kind::Ids => {
            let id = json!({ "type": "string", "pattern": ID_PATTERN });
            json!({ "type": "array", "minItems": 1, "items": id })
        }
        Kind::Networks => {
            let network =
                json!({ "type": "string", "pattern": r"^\s*[0-9A-Fa-f:.]+(/[0-9]{1,3})?\s*$" });
            json!({ "type": "array", "items": network })
        }
        Kind::Command => {
            json!({ "type": "array", "minItems": 1, "items": { "type": "string" } })
        }
        Kind::Secret(_) => json!({ "$ref": "#/$defs/secret" }),
        Kind::Secrets(_) => {
            let secret = json!({ "$ref": "#/$defs/secret" });
            let list = json!({
                "type": "array", "minItems": 1, "maxItems": SECRETS_MAX, "items": secret
            });
            json!({ "oneOf": [secret, list] })
        }
        Kind::Table(inner) => table(inner),
    };
    schema["description"] = sentence(key.meaning).into();
    if let Some(default) = key.default.filter(|_| !section.inherits(key)) {
        schema["default"] = match key.kind {
            Kind::Number(..) => default.replace('_', "").parse::<u64>().ok().into(),
            Kind::Flag => (default == "true").into(),
            _ => default.into(),
        };
    }
    schema
}

/// A secret is named in one of its forms, or stands there itself.
fn secret() -> Value {
    let forms = SECRET.keys.iter().map(|key| {
        let property = (key.name.to_owned(), of_key(&SECRET, key));
        json!({
            "type": "object",
            "additionalProperties": false,
            "required": [key.name],
            "properties": Map::from_iter([property]),
        })
    });
    let text = json!({ "type": "string", "pattern": r"\S" });
    let all: Vec<_> = forms.chain([text]).collect();
    json!({
        "description": "Where a secret is. It can stand here as a text too, for everybody who can read the file.",
        "oneOf": all,
    })
}

/// A meaning as a sentence, without the targets of its links, which are files of the documentation.
fn sentence(markdown: &str) -> String {
    let mut text = String::new();
    let mut rest = markdown;
    while let Some((before, link)) = rest.split_once("](") {
        let (before, linked) = before.rsplit_once('[').unwrap_or((before, ""));
        text.push_str(before);
        text.push_str(linked);
        rest = link.split_once(')').map_or("", |(_, rest)| rest);
    }
    text.push_str(rest);
    let first = text.chars().next().map(|c| c.to_ascii_uppercase());
    let others = text.chars().skip(1);
    let sentence: String = first.into_iter().chain(others).collect();
    format!("{}.", sentence.trim_end_matches('.'))
}
