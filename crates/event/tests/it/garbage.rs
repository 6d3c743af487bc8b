//! Input that no honest sender writes: it costs a finding, never a panic, and no neighbour.

use serde_json::json;
use sluice_event::{Event, Findings, Hashed, Rules, batch, limits};

use crate::support::{NOW, Outcome, seal, seal_body};

const GOOD: &str = r#"{"event_name":"Lead","event_time":1789999940,"event_id":"1","action_source":"chat","user_data":{"em":"a@b.de"}}"#;

/// An event with one more member.
fn with(member: &str) -> String {
    GOOD.replacen('{', &format!("{{{member},"), 1)
}

/// Findings are for people and for logs: few, and short, whatever came in.
fn assert_bounded(outcome: &Outcome, what: &str) {
    let what = &what[..what.floor_char_boundary(200)];
    assert!(
        outcome.findings.iter().count() <= limits::FINDINGS_MAX,
        "{what}"
    );
    for finding in &outcome.findings {
        let length = finding.message.len() + finding.path.as_str().len();
        assert!(length <= 1_000, "{what}: a finding of {length} bytes");
    }
    assert_eq!(
        outcome.sealed.is_none(),
        outcome.findings.has_error(),
        "{what}"
    );
}

/// Seals `bad` alone and between good events, and returns what became of it alone.
fn seal_among(bad: &str, layouts: &[fn(&str) -> String]) -> Outcome {
    let alone = seal(bad);
    assert_bounded(&alone, bad);
    for layout in layouts {
        let body = layout(bad);
        let what = &body[..body.floor_char_boundary(300)];
        let (outcomes, is_whole) = seal_body(body.as_bytes(), &Rules::default(), NOW);
        assert!(is_whole, "the body was not read to its end: {what}");
        assert_eq!(outcomes.len(), 3, "{what}");
        assert_bounded(&outcomes[1], bad);
        for neighbour in [&outcomes[0], &outcomes[2]] {
            assert!(
                neighbour.sealed.is_some() && neighbour.findings.is_empty(),
                "{what}"
            );
        }
    }
    alone
}

fn lines(bad: &str) -> String {
    format!("{GOOD}\n{bad}\n{GOOD}")
}

fn list(bad: &str) -> String {
    format!("[{GOOD},{bad},{GOOD}]")
}

fn envelope(bad: &str) -> String {
    format!(r#"{{"data":[{GOOD},{bad},{GOOD}],"test_event_code":"T"}}"#)
}

fn strings(bad: &str) -> String {
    json!([GOOD, bad, GOOD]).to_string()
}

/// For what is JSON.
const ALL: &[fn(&str) -> String] = &[lines, list, envelope, strings];
/// For what is not: only a line or a string says where the next event begins.
const DELIMITED: &[fn(&str) -> String] = &[lines, strings];

#[test]
fn text_that_is_no_json_is_a_finding() {
    let brackets = "[".repeat(10_000_000);
    let objects = r#"{"a":"#.repeat(2_000_000);
    let closed = "]".repeat(1_000_000);
    let quotes = "\"".repeat(1_000_001);
    let escapes = format!("\"{}", "\\".repeat(1_000_000));
    for bad in [
        "x",
        "NaN",
        "Infinity",
        "-",
        "01",
        "{",
        "}",
        "[",
        "\"",
        "'",
        "{'a':1}",
        "{a:1}",
        "[1,]",
        "{\"a\":1,}",
        r#"{"event_time":NaN}"#,
        r#"{"event_time":1e}"#,
        r#"{"a":"\x"}"#,
        r#"{"a":"\u12"}"#,
        "/**/{}",
        "<xml/>",
        "event_name=Lead&em=a@b.de",
        &brackets,
        &objects,
        &closed,
        &quotes,
        &escapes,
    ] {
        let outcome = seal_among(bad, DELIMITED);
        assert!(outcome.codes().contains(&"json_invalid"), "{bad:.40}");
    }
}

#[test]
fn empty_bodies_hold_no_events() {
    for (body, is_whole) in [
        ("", false),
        (" \n\r\t", false),
        ("\u{feff}", false),
        ("[]", true),
        (r#"{"data":[]}"#, true),
    ] {
        let (outcomes, was_whole) = seal_body(body.as_bytes(), &Rules::default(), NOW);
        assert_eq!((outcomes.len(), was_whole), (0, is_whole), "{body:?}");
    }
    let (outcomes, _) = seal_body(b"{}", &Rules::default(), NOW);
    assert!(outcomes[0].findings.has_error());
}

/// Bytes that are not UTF-8 cost the value they stand in.
#[test]
fn damaged_bytes_cost_one_value() {
    let (head, tail) = GOOD.split_at(1);
    for bytes in [
        &b"\xff"[..],
        b"\xc3",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xc0\xaf",
        b"\x80\x80\x80",
    ] {
        for (before, after) in [
            (&br#""custom_data":{"content_name":""#[..], &br#""},"#[..]),
            (br#""custom_data":{""#, br#"":1},"#),
            (br#""custom_data":{"own":{"a":[""#, br#""]}},"#),
            (br#""fn":""#, br#"","#),
            (br#"""#, br#"":1,"#),
        ] {
            let bad = [
                head.as_bytes(),
                before,
                b"Jos",
                bytes,
                b" ok",
                after,
                tail.as_bytes(),
            ]
            .concat();
            for separator in [&b"\n"[..], b","] {
                let mut body =
                    [GOOD.as_bytes(), separator, &bad, separator, GOOD.as_bytes()].concat();
                if separator == b"," {
                    body = [b"[", &body[..], b"]"].concat();
                }
                let (outcomes, is_whole) = seal_body(&body, &Rules::default(), NOW);
                let what = String::from_utf8_lossy(&body);
                assert!(is_whole && outcomes.len() == 3, "{what}");
                assert!(
                    outcomes.iter().all(|outcome| outcome.sealed.is_some()),
                    "{what}"
                );
                assert_bounded(&outcomes[1], &what);
            }
        }
    }
    let (outcomes, is_whole) = seal_body(&vec![0xff; 100_000], &Rules::default(), NOW);
    assert!(outcomes.is_empty() && !is_whole);
}

#[test]
fn half_surrogates_and_odd_numbers_cost_one_value() {
    for value in [
        r#""\ud800""#,
        r#""\udc00\ud800""#,
        r#""\ud83d\ud83d\ude00""#,
        r#""\u0000""#,
        "1e400",
        "-1e999999999",
        "123456789012345678901234567890",
        r#"["\udfff",1e400]"#,
        r#"{"\ud800":1e400}"#,
    ] {
        for key in [
            "em",
            "ph",
            "db",
            "external_id",
            "client_ip_address",
            "client_user_agent",
            "fbc",
            "madid",
            "event_id",
            "event_source_url",
            "referrer_url",
            "opt_out",
            "value",
            "currency",
            "contents",
            "content_ids",
            "order_id",
            "customer_segmentation",
            "data_processing_options",
            "data_processing_options_state",
            "messaging_channel",
            "user_data",
            "custom_data",
            "app_data",
            "extinfo",
            "original_event_data",
            "fbclid",
            "own",
            r"\ud800",
        ] {
            seal_among(&with(&format!(r#""{key}":{value}"#)), ALL);
            for section in [
                "user_data",
                "custom_data",
                "app_data",
                "original_event_data",
                "attribution_data",
            ] {
                let section = format!(r#""{section}":{{"{key}":{value},"x":1}}"#);
                let outcome = seal(&with(&section));
                assert_bounded(&outcome, &section);
                if let Some(sealed) = outcome.sealed {
                    assert!(
                        serde_json::from_str::<serde_json::Value>(sealed.json()).is_ok(),
                        "{section}"
                    );
                }
            }
        }
    }
}

/// Marks that cannot be seen come along with copy and paste; they make nobody another person.
#[test]
fn invisible_marks_make_no_other_person() {
    let plain = [
        ("em", "john@example.com"),
        ("fn", "José"),
        ("ct", "Zürich"),
        ("ph", "+49 30 1234567"),
    ];
    for (field, value) in plain {
        let hash = |value: &str| {
            let event = json!({ "event_name": "Lead", "event_time": 1_789_999_940, "user_data": { "madid": "1", field: value } });
            seal(&event.to_string()).json()["user_data"][field].clone()
        };
        let expected = hash(value);
        assert!(expected.is_array(), "{field}");
        let middle = value.char_indices().nth(3).map_or(0, |(at, _)| at);
        for mark in [
            "\u{200e}", "\u{200f}", "\u{202a}", "\u{202e}", "\u{2066}", "\u{feff}", "\u{200b}",
        ] {
            assert_eq!(
                hash(&format!("{mark}{value}{mark}")),
                expected,
                "{field} {mark:?}"
            );
            let inside = format!("{}{mark}{}", &value[..middle], &value[middle..]);
            assert_eq!(hash(&inside), expected, "{field} {mark:?} inside");
        }
    }
}

/// Names are composed (NFC) once all that does not belong to them is gone: an accent may stand behind
/// a space or a mark, and a letter may fall apart in lower case.
#[test]
fn names_are_composed_at_the_end() {
    for (written, composed) in [
        ("Jose\u{301}", "josé"),
        ("Jose \u{301}", "josé"),
        ("Jose\u{200b}\u{301}", "josé"),
        ("Jose-\u{301}", "josé"),
        ("\u{130}\u{332}smail", "i\u{332}\u{307}smail"),
    ] {
        for field in ["fn", "ln", "ct", "st"] {
            let event = json!({ "event_name": "Lead", "event_time": 1_789_999_940, "user_data": { "madid": "1", field: written } });
            let hashes = &seal(&event.to_string()).json()["user_data"][field];
            let expected = Hashed::of(composed);
            assert_eq!(
                hashes[0],
                expected.as_str(),
                "{field} {}",
                written.escape_unicode()
            );
        }
    }
}

/// A text of a megabyte is too much for any event, one of 200 KB for any field but a custom one.
#[test]
fn huge_texts_are_bounded_wherever_they_stand() {
    let places: &[&str] = &[
        r#""event_name":"X""#,
        r#""event_id":"X""#,
        r#""event_time":"X""#,
        r#""action_source":"X""#,
        r#""event_source_url":"X""#,
        r#""event_source_url":"https://shop.example/X?X#X""#,
        r#""referrer_url":"X""#,
        r#""opt_out":"X""#,
        r#""messaging_channel":"X""#,
        r#""customer_segmentation":"X""#,
        r#""advanced_measurement_table":"X""#,
        r#""data_processing_options":["X"]"#,
        r#""data_processing_options_state":"X""#,
        r#""X":1"#,
        r#""unknown":"X""#,
        r#""email":"X""#,
        r#""fbclid":"X""#,
        r#""total":"X""#,
        r#""custom_data":{"X":1}"#,
        r#""custom_data":{"own":"X"}"#,
        r#""custom_data":{"own":{"X":["X"]}}"#,
        r#""custom_data":{"value":"X","currency":"X"}"#,
        r#""custom_data":{"num_items":"X"}"#,
        r#""custom_data":{"content_ids":["X"]}"#,
        r#""custom_data":{"content_ids":"X"}"#,
        r#""custom_data":{"contents":"X"}"#,
        r#""custom_data":{"contents":[{"id":"X","quantity":"X","X":"X"}]}"#,
        r#""custom_data":{"order_id":"X"}"#,
        r#""custom_data":{"delivery_category":"X"}"#,
        r#""app_data":{"X":"X"}"#,
        r#""app_data":{"extinfo":["a2","X","","","14"]}"#,
        r#""original_event_data":{"event_time":"X","order_id":"X"}"#,
        r#""attribution_data":{"ad_id":"X"}"#,
        r#""user_data":{"X":"X"}"#,
        r#""user_data":{"em":"X"}"#,
        r#""user_data":{"em":["X",{"X":1}]}"#,
        r#""user_data":{"ph":"X","fn":"X","db":"X","ge":"X","ct":"X","st":"X","zp":"X","country":"X"}"#,
        r#""user_data":{"external_id":"X","client_ip_address":"X","client_user_agent":"X","fbc":"X","fbp":"X"}"#,
        r#""user_data":{"fbc":"fb.1.1700000000000.X","madid":"X","lead_id":"X","dobd":"X","subscription_id":"X"}"#,
    ];
    for place in places {
        for unit in ["x", "é", "7", "@", "%40", "\\\"", "a@b.de "] {
            // However often the place repeats it, the event stays within what one may have.
            let count = 200_000 / unit.len() / place.matches('X').count();
            let event = with(&place.replace('X', &unit.repeat(count)));
            let outcome = seal(&event);
            assert_bounded(&outcome, &event);
            assert_ne!(outcome.codes(), ["event_too_large"], "{place} {unit}");
        }
        let event = with(&place.replace('X', &"x".repeat(1_000_000)));
        let outcome = seal_among(&event, &[lines, list]);
        assert!(outcome.codes().contains(&"event_too_large"), "{place}");
    }
}

#[test]
fn swarms_of_members_are_bounded() {
    let swarm = |count: usize, item: fn(usize) -> String| {
        (0..count).map(item).collect::<Vec<_>>().join(",")
    };
    let properties = swarm(100_000, |at| format!(r#""p{at}":1"#));
    let close = swarm(20_000, |at| format!(r#""currenc{at}":1"#));
    let mails = swarm(100_000, |at| format!(r#""m{at}@b.de""#));
    let objects = swarm(100_000, |_| "{}".to_owned());
    let entries = swarm(100_000, |at| format!(r#"{{"id":"{at}","quantity":0}}"#));
    let same = swarm(100_000, |_| r#""event_id":"1""#.to_owned());
    for member in [
        format!(r#""custom_data":{{{properties}}}"#),
        format!(r#""app_data":{{{properties}}}"#),
        format!(r#""custom_data":{{{close}}}"#),
        format!(r#""custom_data":{{"own":{{{properties}}}}}"#),
        format!(r#""custom_data":{{"store_data":{{{close}}}}}"#),
        format!(r#""custom_data":{{"contents":[{{"id":"1",{close}}}]}}"#),
        format!(r#""custom_data":{{"contents":[{entries}]}}"#),
        format!(r#""custom_data":{{"contents":[{objects}]}}"#),
        format!(r#""custom_data":{{"content_ids":[{objects}]}}"#),
        format!(r#""user_data":{{"em":[{mails}]}}"#),
        format!(r#""user_data":{{"em":[{objects}]}}"#),
        format!(r#""extinfo":[{objects}]"#),
        format!(r#""data_processing_options":[{mails}]"#),
        same,
    ] {
        let outcome = seal_among(&with(&member), &[lines, list]);
        assert!(!outcome.findings.is_empty(), "{member:.60}");
    }
    // Fifty values are anybody's, and the fifty-first is said to be left out.
    let mails = swarm(51, |at| format!(r#""m{at}@b.de""#));
    let outcome = seal(&with(&format!(
        r#""user_data":{{"external_id":[{mails}]}}"#
    )));
    assert_eq!(outcome.codes(), ["too_many"]);
    let ids = &outcome.json()["user_data"]["external_id"];
    assert_eq!(ids.as_array().map(Vec::len), Some(limits::USER_VALUES_MAX));
}

/// Unknown keys are compared with all known ones, so they are the dearest thing to send.
#[test]
fn swarms_of_unknown_keys_are_bounded() {
    let keys: Vec<_> = (0..20_000)
        .map(|at| format!(r#""event_sourc_{at}":1"#))
        .collect();
    for member in [
        keys.join(","),
        format!(r#""user_data":{{{}}}"#, keys.join(",")),
    ] {
        let outcome = seal(&with(&member));
        assert_bounded(&outcome, &member);
        assert!(outcome.codes().contains(&"key_unknown"));
    }
}

#[test]
fn deep_nesting_costs_no_stack() {
    for depth in [20, 31, 40, 1_000, 100_000] {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            let nested = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            for place in [
                r#""custom_data":{"own":X}"#,
                r#""custom_data":{"contents":X}"#,
                r#""user_data":{"em":X}"#,
                r#""own":X"#,
                r#""user_data":X"#,
            ] {
                let event = with(&place.replace('X', &nested));
                let outcome = seal_among(&event, DELIMITED);
                let is_passed = depth < 30 && place.contains(r#""own":X}"#);
                assert_eq!(
                    outcome.findings.is_empty(),
                    is_passed,
                    "{depth} levels of {open} in {place}"
                );
            }
        }
    }
}

/// Depth is no flaw of grammar: whoever nests too deep harms only himself.
#[test]
fn deep_nesting_in_one_event_costs_no_neighbour() {
    for depth in [29, 30, 31, 32, 33, 40, 1_000, 100_000] {
        let nested = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let event = with(&format!(r#""custom_data":{{"own":{nested}}}"#));
        seal_among(&event, ALL);
    }
}

/// Strings in strings in strings: each layer doubles its escapes, so they end by themselves.
#[test]
fn events_wrapped_in_many_strings_are_read_or_refused() {
    let mut text = GOOD.to_owned();
    for layer in 0..16 {
        let outcome = seal(&text);
        if text.len() <= limits::EVENT_BYTES_MAX {
            assert!(outcome.sealed.is_some(), "{layer} layers");
        } else {
            assert_eq!(outcome.codes(), ["event_too_large"], "{layer} layers");
        }
        text = serde_json::Value::from(text).to_string();
    }
    assert!(text.len() > limits::EVENT_BYTES_MAX);
}

/// Findings beyond the limit are counted only, but never the one that says why the event is refused.
#[test]
fn an_error_is_told_behind_any_number_of_remarks() {
    let unknown = (0..200).map(|at| format!(r#""x{at}":1,"#));
    let text = format!("{{{}{}", unknown.collect::<String>(), &GOOD[1..]);
    let text = text.replacen("event_name", "event", 1);
    let outcome = seal(&text.replacen("event_time", "event_tim", 1));
    assert!(outcome.findings.has_error());
    assert!(
        outcome.codes().contains(&"event_time_missing"),
        "{:?}",
        outcome.codes()
    );
    assert_eq!(outcome.findings.iter().count(), 100);
}

/// A body that breaks off still gives the events before the break, and says where it broke.
#[test]
fn a_body_that_breaks_off_is_said_to() {
    let body = format!("[{GOOD},{GOOD},{}", &GOOD[..60]);
    let mut count = 0;
    let error = batch::read(&body, |_| count += 1)
        .err()
        .expect("it is no JSON");
    assert_eq!((count, error.line_column(&body)), (2, (1, body.len() + 1)));
    for end in 0..GOOD.len() {
        let mut findings = Findings::new();
        assert!(Event::parse(&GOOD[..end], &mut findings).is_none());
        assert!(findings.has_error());
    }
}
