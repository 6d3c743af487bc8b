//! The rules of one event, by example: what is sent, and which rules have something to say.
//!
//! Every table starts from an event without a single finding and lays one small change over it (a
//! merge patch: `null` takes a member away), so the codes of a row are the change's and nobody
//! else's.

mod channels;
mod clear;
mod custom;
mod layouts;
mod misplaced;
mod nested;
mod reading;
mod required;
mod sealed;
mod user;

use serde_json::{Value, json};
use sluice_event::Rules;

use crate::support::{NOW_S, Outcome, merge, seal_by};

/// A change, and the codes that follow from it, in alphabetical order.
type Row<'r> = (&'r str, &'r [&'r str]);

/// A website purchase about which there is nothing to say.
fn website() -> Value {
    json!({
        "event_name": "Purchase",
        "event_time": NOW_S - 60,
        "event_id": "A-1",
        "action_source": "website",
        "event_source_url": "https://shop.example/thanks",
        "user_data": {
            "em": "john@example.com",
            "client_user_agent": "Mozilla/5.0 (X11; Linux x86_64)",
            "client_ip_address": "203.0.113.7",
        },
        "custom_data": { "value": 129.5, "currency": "EUR" },
    })
}

/// An event about which no channel has rules of its own, with these `user_data`.
fn of_person(user_data: &str) -> Value {
    let user_data: Value = serde_json::from_str(user_data).expect("a table holds JSON");
    json!({
        "event_name": "Lead",
        "event_time": NOW_S - 60,
        "event_id": "A-1",
        "action_source": "phone_call",
        "user_data": user_data,
    })
}

fn patched(base: &Value, patch: &str) -> Value {
    let mut event = base.clone();
    let patch = serde_json::from_str(patch).unwrap_or_else(|error| panic!("{patch}: {error}"));
    merge(&mut event, patch);
    event
}

fn seal_value(event: &Value) -> Outcome {
    seal_value_by(event, &Rules::default())
}

fn seal_value_by(event: &Value, rules: &Rules) -> Outcome {
    seal_by(&event.to_string(), rules)
}

/// Seals every row and compares the codes; all rows are tried before the test fails.
fn assert_codes(base: &Value, rows: &[Row<'_>]) {
    let clean = seal_value(base);
    assert!(clean.findings.is_empty(), "base: {:#?}", clean.findings);
    let mut wrong = Vec::new();
    for (patch, expected) in rows {
        let outcome = seal_value(&patched(base, patch));
        if outcome.codes() != *expected {
            let found = outcome.codes();
            wrong.push(format!(
                "{patch}\n  expected {expected:?}\n  found    {found:?}"
            ));
        }
        assert_eq!(
            outcome.sealed.is_none(),
            outcome.findings.has_error(),
            "{patch}: an event is refused for an error and for nothing else"
        );
    }
    assert_none(&wrong);
}

/// Seals every row and compares what was sent at `pointer` (RFC 6901); `null` for nothing.
fn assert_sent(base: &Value, pointer: &str, rows: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (patch, expected) in rows {
        let json = seal_value(&patched(base, patch)).json();
        let found = json.pointer(pointer).unwrap_or(&Value::Null);
        let expected: Value = serde_json::from_str(expected).expect("a table holds JSON");
        if *found != expected {
            wrong.push(format!(
                "{patch}\n  expected {expected}\n  found    {found}"
            ));
        }
    }
    assert_none(&wrong);
}

/// Fails with every row that went wrong, so that one run shows them all.
#[track_caller]
fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
