//! Vectors of whole events: each row of a file is a value, what is sent of it, and what is said.

use serde_json::{Value, json};
use sluice_event::{Moment, Rules};

use crate::support::{NOW, NOW_S, Outcome, seal, seal_at};

/// The rows of a file, without comments, split into so many columns.
fn rows<const COLUMNS: usize>(file: &str) -> Vec<[&str; COLUMNS]> {
    file.lines()
        .filter(|line| !line.is_empty() && !line.starts_with("# "))
        .map(|line| {
            let columns: Vec<_> = line.split('\t').collect();
            columns
                .try_into()
                .unwrap_or_else(|_| panic!("{COLUMNS} columns, please: {line}"))
        })
        .collect()
}

fn purchase(url: &str, currency: &str, value: &Value) -> Value {
    json!({
        "event_name": "Purchase",
        "event_time": NOW_S - 60,
        "event_id": "A-1",
        "action_source": "website",
        "event_source_url": url,
        "user_data": { "em": "john@example.com", "client_user_agent": "Mozilla/5.0" },
        "custom_data": { "value": value, "currency": currency },
    })
}

/// Compares all rows before the test fails.
fn assert_rows(found: impl Iterator<Item = (String, String, String)>) {
    let wrong: Vec<_> = found
        .filter(|(_, found, expected)| found != expected)
        .map(|(row, found, expected)| format!("{row}\n  expected {expected}\n  found    {found}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The literal of a number, byte for byte, and the codes of what was said.
fn said(outcome: &Outcome, key: &str) -> String {
    let json = outcome.sealed.as_ref().map_or("", |sealed| sealed.json());
    let literal = json.split_once(&format!("\"{key}\":"));
    let literal = literal.and_then(|(_, rest)| rest.split([',', '}']).next());
    let codes = match outcome.codes().join(",") {
        codes if codes.is_empty() => "-".to_owned(),
        codes => codes,
    };
    format!("{} {codes}", literal.unwrap_or("-"))
}

#[test]
fn amounts() {
    let rows = rows::<4>(include_str!("../vectors/amount.tsv"));
    assert!(rows.len() > 150);
    let found = rows.into_iter().map(|[currency, text, number, codes]| {
        let text = serde_json::from_str(text).unwrap();
        let event = purchase("https://shop.example/", currency, &text);
        let found = said(&seal(&event.to_string()), "value");
        (
            format!("{currency} {text}"),
            found,
            format!("{number} {codes}"),
        )
    });
    assert_rows(found);
}

#[test]
fn page_addresses() {
    let rows = rows::<3>(include_str!("../vectors/url.tsv"));
    assert!(rows.len() > 25);
    let found = rows.into_iter().map(|[url, sent, codes]| {
        let text: String = serde_json::from_str(url).unwrap();
        let outcome = seal(&purchase(&text, "USD", &json!(10)).to_string());
        let found = match &outcome.json()["event_source_url"] {
            Value::Null => "-".to_owned(),
            url => url.to_string(),
        };
        let found_codes = match outcome.codes().join(",") {
            codes if codes.is_empty() => "-".to_owned(),
            codes => codes,
        };
        (
            url.to_owned(),
            format!("{found} {found_codes}"),
            format!("{sent} {codes}"),
        )
    });
    assert_rows(found);
}

#[test]
fn times() {
    let rows = rows::<2>(include_str!("../vectors/time.tsv"));
    assert!(rows.len() > 35);
    // Ten seconds after the moment that all of them name.
    let moment = Moment {
        unix_ms: 1_795_787_667_000,
        ..NOW
    };
    let found = rows.into_iter().map(|[time, expected]| {
        let mut event = purchase("https://shop.example/", "USD", &json!(10));
        event["event_time"] = json!("TIME");
        // As it is written: reading a number and writing it again would undo its exponent.
        let text = event.to_string().replace("\"TIME\"", time);
        let outcome = seal_at(&text, &Rules::default(), moment);
        let found = match outcome.sealed {
            Some(_) => outcome.json()["event_time"].to_string(),
            None => outcome.codes().join(","),
        };
        (time.to_owned(), found, expected.to_owned())
    });
    assert_rows(found);
}
