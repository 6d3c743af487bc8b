//! The laws that hold for every event, whoever wrote it.

mod merging;
mod numbers;
mod secrets;

use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::Value;
use sluice_event::{Event, Findings, Moment, Rules, SealedEvent, Severity, limits};

use crate::inputs::{Json, any_json, event, moment, rules, without_repetitions};
use crate::resolve::resolves;
use crate::support::{NOW, Outcome, seal_at, seal_body, seal_by};

/// What fails is written down as an example of its own, so no seeds are kept beside the tests.
fn config(cases: u32) -> Config {
    Config {
        failure_persistence: None,
        ..Config::with_cases(cases)
    }
}

/// What is true of every outcome, good or bad.
fn check_outcome(outcome: &Outcome) -> Result<(), TestCaseError> {
    let Outcome { sealed, findings } = outcome;
    prop_assert!(findings.iter().count() <= limits::FINDINGS_MAX);
    prop_assert_eq!(sealed.is_none(), findings.has_error(), "{:#?}", findings);
    if let Some(sealed) = sealed {
        check_form(sealed)?;
    }
    Ok(())
}

const HASHED_LISTS: [&str; 11] = [
    "em",
    "ph",
    "fn",
    "ln",
    "db",
    "ge",
    "ct",
    "st",
    "zp",
    "country",
    "external_id",
];
const HASHED: [&str; 7] = [
    "f5first",
    "f5last",
    "fi",
    "dobd",
    "dobm",
    "doby",
    "app_user_id",
];

/// Whether a text is a lower-case SHA-256 or MD5 in hexadecimal, perhaps with Meta's appendix.
fn is_hash(text: &str) -> bool {
    let (hex, appendix) = text.split_once('.').unwrap_or((text, "AQ"));
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    matches!(hex.len(), 32 | 64)
        && hex.bytes().all(is_hex)
        && matches!(appendix.len(), 2 | 8)
        && appendix
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// The form that Meta asks for, as far as it can be seen from outside.
fn check_form(sealed: &SealedEvent) -> Result<(), TestCaseError> {
    let json = sealed.json();
    let read: Result<Value, _> = serde_json::from_str(json);
    prop_assert!(read.is_ok(), "{:?}: {json}", read.err());
    let event = read.unwrap_or_default();
    for key in ["event_name", "event_id", "action_source"] {
        let text = event[key].as_str().unwrap_or_default();
        prop_assert!(!text.is_empty(), "no {}: {}", key, json);
    }
    prop_assert_eq!(event["event_name"].as_str(), Some(sealed.event_name()));
    prop_assert_eq!(event["event_id"].as_str(), Some(sealed.event_id()));
    prop_assert_eq!(event["event_time"].as_i64(), Some(sealed.event_time()));
    prop_assert_eq!(
        event["action_source"].as_str(),
        Some(sealed.action_source().name())
    );
    let user_data = event["user_data"].as_object();
    prop_assert!(
        user_data.is_some_and(|members| !members.is_empty()),
        "{json}"
    );
    for (key, value) in user_data.into_iter().flatten() {
        let is_right = if HASHED_LISTS.contains(&&**key) {
            let items = value.as_array().map_or(&[][..], Vec::as_slice);
            // An external id goes in the clear where the source wants it so.
            let is_item = |item: &Value| {
                item.as_str()
                    .is_some_and(|text| key == "external_id" || is_hash(text))
            };
            !items.is_empty() && items.iter().all(is_item)
        } else if HASHED.contains(&&**key) {
            value.as_str().is_some_and(is_hash)
        } else {
            value.as_str().is_some_and(|text| !text.is_empty())
        };
        prop_assert!(is_right, "{key}: {value}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn sealing_never_panics_on_bytes(bytes: Vec<u8>, rules in rules(), moment in moment()) {
        for outcome in seal_body(&bytes, &rules, moment).0 {
            check_outcome(&outcome)?;
        }
    }

    #[test]
    fn sealing_never_panics_on_json(json in any_json(), rules in rules(), moment in moment()) {
        for outcome in seal_body(json.to_string().as_bytes(), &rules, moment).0 {
            check_outcome(&outcome)?;
        }
    }

    /// In every layout, with one byte in the middle damaged.
    #[test]
    fn sealing_never_panics_on_metas_own_keys(
        events in prop::collection::vec(event(2), 1..4), layout in 0..4, damage: Option<(prop::sample::Index, u8)>,
        rules in rules(), moment in moment(),
    ) {
        let texts: Vec<_> = events.iter().map(Json::to_string).collect();
        let body = match layout {
            0 => texts.join("\n"),
            1 => format!("[{}]", texts.join(",")),
            2 => format!("{{\"data\":[{}]}}", texts.join(",")),
            _ => Json::List(texts.iter().map(|text| Json::text(text)).collect()).to_string(),
        };
        let mut body = body.into_bytes();
        if let Some((at, byte)) = damage {
            *at.get_mut(&mut body) = byte;
        }
        let (outcomes, _) = seal_body(&body, &rules, moment);
        for outcome in outcomes {
            check_outcome(&outcome)?;
        }
    }
}

/// Rules are numbers that people write into files, moments come from clocks: both may be absurd.
#[test]
fn absurd_rules_and_moments_are_no_reason_to_panic() {
    for future_skew_s in [i64::MIN, -1, 0, i64::MAX] {
        for unix_ms in [0, 1, u64::MAX] {
            for time in [
                "0",
                "1789999940",
                "99999999999",
                r#""-009999-01-02T00:00:00Z""#,
                r#""9999-12-30T00:00:00Z""#,
            ] {
                let rules = Rules {
                    future_skew_s,
                    ..Rules::default()
                };
                let moment = Moment {
                    unix_ms,
                    in_doubt: false,
                    entropy: [255; 10],
                };
                let event = format!(
                    r#"{{"event_name":"Lead","event_time":{time},"fbclid":"AbC","user_data":{{"em":"a@b.de","db":"19970216","fbc":"fb.0.18446744073709551615.A"}}}}"#
                );
                let outcome = seal_at(&event, &rules, moment);
                assert_eq!(outcome.sealed.is_none(), outcome.findings.has_error());
                if let Some(sealed) = outcome.sealed {
                    assert!(sealed.expires_at() >= sealed.event_time());
                }
                let built =
                    Event::new("Lead", i64::MIN).user(sluice_event::UserField::Em, "a@b.de");
                assert!(built.seal(&rules, moment, &mut Findings::new()).is_none());
            }
        }
    }
}

/// Seals what was sealed, and tells what is different or had to be mended.
fn second_sealing(sealed: &SealedEvent, rules: &Rules) -> Result<(), String> {
    let again = seal_by(sealed.json(), rules);
    for finding in &again.findings {
        // A U+FFFD goes on as it came, and is said each time: nobody can see when it was made.
        let is_new = finding.code.name() != "text_damaged";
        if is_new && finding.severity() <= Severity::Repaired {
            return Err(format!("{}: {finding:?}", sealed.json()));
        }
    }
    match again.sealed {
        Some(again) if again.json() == sealed.json() => Ok(()),
        Some(again) => Err(format!("first  {}\nsecond {}", sealed.json(), again.json())),
        None => Err(format!("refused: {}", sealed.json())),
    }
}

proptest! {
    #![proptest_config(config(600))]

    /// So an event may pass through two gateways, and a journal may be sealed anew.
    #[test]
    fn sealing_what_is_sealed_changes_nothing(event in event(3), rules in rules()) {
        let outcome = seal_by(&event.to_string(), &rules);
        check_outcome(&outcome)?;
        if let Some(sealed) = outcome.sealed {
            let second = second_sealing(&sealed, &rules);
            prop_assert!(second.is_ok(), "{}", second.unwrap_err());
        }
    }

    #[test]
    fn the_paths_of_findings_exist_in_the_input(event in event(2), rules in rules(), is_text: bool) {
        let text = without_repetitions(event).to_string();
        // Numbers beyond a float and half surrogates are no JSON to serde_json.
        if let Ok(value) = serde_json::from_str::<Value>(&text) {
            let text = if is_text { Json::text(&text).to_string() } else { text };
            for finding in &seal_by(&text, &rules).findings {
                prop_assert!(resolves(&value, finding.path.as_str()), "{:?}", finding);
            }
        }
    }

    #[test]
    fn sealed_events_have_the_form_that_meta_asks_for(event in event(5), rules in rules()) {
        let outcome = seal_at(&event.to_string(), &rules, NOW);
        check_outcome(&outcome)?;
    }
}

/// Where one sealing turned text into what the next takes for something else. Each was found by the
/// law above, or by thinking about it.
#[test]
fn examples_of_sealing_twice() {
    let event = |members: &str| {
        format!(
            r#"{{"event_name":"Lead","event_time":1789999940,"event_id":"1","action_source":"chat",{members}}}"#
        )
    };
    let fifty: Vec<_> = (0..50)
        .map(|at| format!("\"Mary-{}\"", "a".repeat(at)))
        .collect();
    let properties: Vec<_> = (0..limits::PROPERTIES_MAX)
        .map(|at| format!("\"p{at}\":1"))
        .collect();
    let long_url = format!("shop.example/{}", "x".repeat(limits::URL_BYTES_MAX - 15));
    let spaces = format!(
        "https://shop.example/{}",
        " x".repeat(limits::URL_BYTES_MAX / 4)
    );
    let controls = "\\b".repeat(100_000);
    let mut wrong = Vec::new();
    for members in [
        // A family name, and the word for nothing.
        r#""user_data":{"em":"a@b.de","ln":"Null"}"#.to_owned(),
        r#""user_data":{"em":"a@b.de","fn":"Nan"}"#.to_owned(),
        r#""user_data":{"em":"a@b.de","external_id":"none"}"#.to_owned(),
        // Text that stands for a time, and the number that it becomes.
        r#""user_data":{"em":"a@b.de"},"original_event_data":{"event_time":"1960-01-01T00:00:00Z"}"#.to_owned(),
        r#""user_data":{"em":"a@b.de"},"attribution_data":{"visit_time":"9999-01-01T00:00:00Z"}"#.to_owned(),
        // Limits that count what comes in, and not what goes out.
        format!(r#""user_data":{{"fn":[{}],"em":"a@b.de"}}"#, fifty.join(",")),
        format!(r#""user_data":{{"em":"a@b.de"}},"custom_data":{{{}}},"order_id":"O-1""#, properties.join(",")),
        format!(r#""user_data":{{"em":"a@b.de"}},"event_source_url":"{long_url}""#),
        format!(r#""user_data":{{"em":"a@b.de"}},"event_source_url":"{spaces}""#),
        format!(r#""user_data":{{"em":"a@b.de"}},"custom_data":{{"own":"{controls}"}}"#),
        // Numbers that no computer holds, below the first level.
        r#""user_data":{"em":"a@b.de"},"custom_data":{"own":[1e400]}"#.to_owned(),
        r#""user_data":{"em":"a@b.de"},"custom_data":{"content_ids":[1e400]}"#.to_owned(),
        r#""user_data":{"em":"a@b.de"},"custom_data":{"contents":[{"id":"1","quantity":1,"own":{"n":-1e400}}]}"#.to_owned(),
        r#""user_data":{"em":"a@b.de"},"app_data":{"extinfo":["a2","","","","14",1e400]}"#.to_owned(),
        r#""user_data":{"em":"a@b.de"},"custom_data":{"mileage":{"value":1e400}}"#.to_owned(),
    ] {
        let rules = Rules { variants: true, ..Rules::default() };
        let outcome = seal_by(&event(&members), &rules);
        let Some(sealed) = outcome.sealed else {
            wrong.push(format!("{members:.200}\n  refused: {:?}", outcome.findings));
            continue;
        };
        if let Err(error) = serde_json::from_str::<Value>(sealed.json()) {
            wrong.push(format!("{members:.200}\n  no JSON: {error}"));
        }
        if let Err(why) = second_sealing(&sealed, &rules) {
            wrong.push(format!("{members:.200}\n  {why:.400}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
