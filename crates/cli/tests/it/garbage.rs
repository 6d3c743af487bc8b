//! Input that no honest sender writes: no panic, a clear answer, and quickly.

use serde_json::Value;

use crate::run::{NOW, Run, sluice};

fn check(body: &[u8]) -> Run {
    let run = sluice(&["check", "--now", NOW, "--json", "--explain"], body);
    let people = sluice(&["check", "--now", NOW, "--explain"], body);
    assert_eq!(run.code, people.code);
    assert!(!people.stdout.is_empty());
    for run in [&run, &people] {
        assert!(matches!(run.code, Some(0 | 1)), "{:?}", run.code);
        assert_eq!(run.stderr, "");
    }
    run
}

/// Code and path of every finding.
fn findings(run: &Run) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    run.json()
        .iter()
        .flat_map(|event| event["findings"].as_array().cloned().unwrap_or_default())
        .map(|finding| (text(&finding["code"]), text(&finding["path"])))
        .collect()
}

fn event(members: &str) -> Vec<u8> {
    format!(
        r#"{{"event_name":"Lead","event_time":1701234567,"event_id":"1","action_source":"other",{members}}}"#
    )
    .into_bytes()
}

#[test]
fn what_is_not_json_is_an_error() {
    let deep = vec![b'['; 10_000_000];
    let nested = br#"{"a":"#.repeat(1_000_000);
    let zeros = vec![0; 100_000];
    for body in [
        &b""[..],
        b" \n\t ",
        b"\xef\xbb\xbf",
        b"\xff\xfe{\x00}\x00",
        b"NaN",
        b"[NaN]",
        b"[1,]",
        b"{'event_name':'Lead'}",
        b"{\"event_name\":\"Le\x00ad\"}",
        b"{\"event_name\":\"Le\nad\"}",
        b"{\"event_name\":\"\\x41\"}",
        b"{\"event_name\":01}",
        b"\x80\x80\x80",
        b"]",
        &deep,
        &nested,
        &zeros,
    ] {
        let run = check(body);
        assert_eq!(run.code, Some(1), "{:?}", body.get(..20));
        let last = findings(&run).pop();
        let expected = ("json_invalid".to_owned(), String::new());
        assert_eq!(last, Some(expected), "{:?}", body.get(..20));
    }
}

#[test]
fn what_is_json_but_no_event_is_an_error() {
    for body in [
        &b"7"[..],
        b"null",
        b"\"\"",
        b"[null]",
        b"[[]]",
        b"{}",
        b"\"{}\"",
        b"1e400",
    ] {
        let run = check(body);
        assert_eq!(run.code, Some(1), "{body:?}");
        assert!(!findings(&run).is_empty(), "{body:?}");
    }
}

#[test]
fn one_bad_value_costs_itself_only() {
    let long = "x".repeat(1_000_000);
    let name = r#""em":"a@b.co""#;
    for (members, code, path) in [
        (
            format!(r#""user_data":{{{name},"fn":"Jos\ud800"}}"#),
            "text_damaged",
            "user_data.fn",
        ),
        (
            format!(r#""user_data":{{{name},"em":"c@d.co"}}"#),
            "key_duplicate",
            "user_data.em",
        ),
        (
            format!(r#""user_data":{{{name}}},"custom_data":{{"value":1e400,"currency":"EUR"}}"#),
            "value_invalid",
            "custom_data.value",
        ),
        (
            format!(r#""user_data":{{{name}}},"custom_data":{{"value":"NaN","currency":"EUR"}}"#),
            "value_invalid",
            "custom_data.value",
        ),
        (
            format!(r#""user_data":{{{name},"ln":"null"}}"#),
            "value_placeholder",
            "user_data.ln",
        ),
        (
            format!(r#""user_data":{{{name},"ln":"{}"}}"#, &long[..200_000]),
            "value_too_long",
            "user_data.ln",
        ),
        (
            format!(r#""user_data":{{{name},"ph":{}1}}"#, "9".repeat(5_000)),
            "value_too_long",
            "user_data.ph",
        ),
    ] {
        let run = check(&event(&members));
        let expected = (code.to_owned(), path.to_owned());
        assert_eq!(run.code, Some(0), "{code} {path}");
        assert!(findings(&run).contains(&expected), "{:?}", findings(&run));
    }
}

#[test]
fn bytes_that_are_not_utf_8_cost_their_value_only() {
    let mut body = event(r#""user_data":{"em":"a@b.co","fn":"Jos?"}"#);
    let at = body.iter().position(|byte| *byte == b'?').unwrap();
    body[at] = 0xe9;
    let run = check(&body);
    assert_eq!(run.code, Some(0));
    let expected = ("text_damaged".to_owned(), "user_data.fn".to_owned());
    assert_eq!(findings(&run), [expected]);
}

#[test]
fn marks_that_turn_text_round_do_not_change_a_hash() {
    let plain = check(&event(r#""user_data":{"em":"a@b.co"}"#));
    let marked = check(&event(
        "\"user_data\":{\"em\":\"\u{202e}\u{200f}a@b.co\u{feff}\"}",
    ));
    let hash = |run: &Run| run.json()[0]["explain"]["user_data"][0]["sha256"].clone();
    assert_eq!(hash(&plain), hash(&marked));
}

#[test]
fn an_event_of_a_megabyte_is_too_large() {
    let long = "x".repeat(1_000_000);
    for members in [
        format!(r#""user_data":{{"em":"{long}"}}"#),
        format!(r#""user_data":{{"{long}":1}}"#),
        format!(r#""{long}":{{}}"#),
        format!(r#""user_data":{{"em":"a@b.co"}},"custom_data":{{"a":"{long}"}}"#),
    ] {
        let run = check(&event(&members));
        assert_eq!(run.code, Some(1));
        assert!(run.stdout.len() < 50_000, "the input is not repeated");
        let expected = ("event_too_large".to_owned(), String::new());
        assert!(findings(&run).contains(&expected));
    }
}

#[test]
fn hashing_lines_of_garbage_answers_each() {
    let deep = "[".repeat(100_000);
    let long = "x".repeat(2_000_000);
    let lines = [
        "",
        "\u{0}",
        "null",
        "{}",
        r#"{"field":7,"value":"x"}"#,
        r#"{"field":"em","value":NaN}"#,
        r#"{"field":"em","value":"\ud800"}"#,
        r#"{"field":"em","value":1e400}"#,
        &deep,
        &long,
        r#"{"field":"em","value":"a@b.co"}"#,
    ];
    let mut input = lines.join("\n").into_bytes();
    input.extend_from_slice(b"\n\xff\xfe");
    let run = sluice(&["hash", "--jsonl"], input);
    assert_eq!((run.code, &*run.stderr), (Some(1), ""));
    let answers = run.json();
    assert_eq!(answers.len(), lines.len() + 1);
    assert_eq!(answers[9]["finding"]["code"], "line_too_long");
    let is_hashed: Vec<_> = answers
        .iter()
        .map(|answer| answer["sha256"].is_string())
        .collect();
    let only = lines.len() - 1;
    assert!(
        is_hashed
            .iter()
            .enumerate()
            .all(|(at, hashed)| *hashed == (at == only))
    );
}
