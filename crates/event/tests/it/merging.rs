//! Sealed events read again, and two of them made one: pinned cases, and what is refused.

use serde_json::{Value, json};
use sluice_event::{
    Code, ExternalId, Findings, NotMerged, NotSealed, Ranked, Rules, SealedEvent, limits, merge,
};

use crate::support::{self, seal, seal_by};

/// The hash that a letter of the vectors stands for.
fn hash(letter: char) -> String {
    let digit = letter as u32 - 'A' as u32 + 1;
    format!("{digit}123456789abcdef").repeat(4)
}

/// The members of a row as JSON, with hashes for letters.
fn members(text: &str) -> Value {
    let mut text = text.to_owned();
    for letter in ['A', 'B', 'C', 'D'] {
        for end in ['"', '.'] {
            let of_letter = format!("\"{letter}{end}");
            text = text.replace(&of_letter, &format!("\"{}{end}", hash(letter)));
        }
    }
    serde_json::from_str(&text).unwrap()
}

/// The event of the vectors with these members.
fn told(patch: Value) -> Value {
    let mut event = json!({
        "event_name": "Lead", "event_id": "A1", "event_time": 1_789_999_940, "action_source": "website",
        "user_data": {"em": [hash('A')]},
    });
    support::merge(&mut event, patch);
    event
}

fn sealed(event: &Value) -> SealedEvent {
    let outcome = seal(&event.to_string());
    outcome
        .sealed
        .unwrap_or_else(|| panic!("{event}: {:#?}", outcome.findings))
}

/// The event as a journal gives it back.
fn kept(event: &Value) -> SealedEvent {
    SealedEvent::reopen(sealed(event).json()).unwrap()
}

fn merged(
    one: (&SealedEvent, u8),
    other: (&SealedEvent, u8),
) -> Result<(SealedEvent, Findings), NotMerged> {
    let mut findings = Findings::new();
    let ranked = |(event, rank)| Ranked { event, rank };
    merge(ranked(one), ranked(other), &mut findings).map(|merged| (merged, findings))
}

#[test]
fn vectors() {
    let mut rows = 0;
    for row in include_str!("../vectors/merge.tsv").lines() {
        if row.starts_with("# ") {
            continue;
        }
        let [what, rank, one, other_rank, other, expected] =
            row.split('\t').collect::<Vec<_>>()[..]
        else {
            panic!("six columns, please: {row}");
        };
        let [one, other] = [one, other].map(|text| kept(&told(members(text))));
        let [rank, other_rank] = [rank, other_rank].map(|text| text.parse::<u8>().unwrap());
        let (both, findings) = merged((&one, rank), (&other, other_rank)).unwrap();
        let found: Value = serde_json::from_str(both.json()).unwrap();
        assert_eq!(found, told(members(expected)), "{what}");
        assert!(findings.is_empty(), "{what}: {findings:?}");
        if rank != other_rank {
            let (turned, _) = merged((&other, other_rank), (&one, rank)).unwrap();
            assert_eq!(turned.json(), both.json(), "{what}");
        }
        rows += 1;
    }
    assert!(rows >= 15, "{rows}");
}

/// An event with so many e-mail addresses, and properties of its own, under these letters.
fn large(letter: char, addresses: usize, properties: usize, value: &str) -> Value {
    let address = |at: usize| format!("{letter}{at}@shop.example");
    let addresses: Vec<_> = (0..addresses).map(address).collect();
    let property = |at: usize| (format!("{letter}{at}"), Value::from(value));
    let properties: serde_json::Map<_, _> = (0..properties).map(property).collect();
    told(json!({"user_data": {"em": addresses}, "custom_data": properties}))
}

#[test]
fn what_does_not_fit_is_left_out_and_told() {
    let one = kept(&large('a', 30, 130, "x"));
    let other = kept(&large('b', 30, 130, "x"));
    let (both, findings) = merged((&one, 1), (&other, 2)).unwrap();
    let event: Value = serde_json::from_str(both.json()).unwrap();
    let addresses = event["user_data"]["em"].as_array().unwrap();
    let leading: Value = serde_json::from_str(other.json()).unwrap();
    let leading = leading["user_data"]["em"].as_array().unwrap();
    assert_eq!(addresses.len(), limits::USER_VALUES_MAX);
    assert_eq!(addresses[..30], leading[..]);
    let properties = event["custom_data"].as_object().unwrap();
    assert_eq!(properties.len(), limits::PROPERTIES_MAX);
    let told: Vec<_> = findings
        .iter()
        .map(|it| (it.code, it.path.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (Code::TooMany, "user_data.em"),
            (Code::TooMany, "custom_data")
        ]
    );
}

#[test]
fn an_event_that_grows_too_large_keeps_its_identifiers() {
    let text = "x".repeat(1_500);
    let one = kept(&large('a', 2, 100, &text));
    let other = kept(&large('b', 2, 100, &text));
    let (both, findings) = merged((&one, 1), (&other, 2)).unwrap();
    assert!(both.json().len() < limits::EVENT_BYTES_MAX);
    let event: Value = serde_json::from_str(both.json()).unwrap();
    assert_eq!(event["user_data"]["em"].as_array().unwrap().len(), 4);
    let properties = event["custom_data"].as_object().unwrap();
    assert!(properties.keys().all(|key| key.starts_with('b')));
    assert!(findings.has(Code::TooMany));

    // The sale of the other is one more value, and it does not fit.
    let full = large('b', 2, 173, &text);
    let mut sale = told(json!({"custom_data": {"value": 1, "currency": "EUR"}}));
    sale["custom_data"]["content_ids"] = json!(["y".repeat(4_000)]);
    let full = kept(&full);
    assert!(full.json().len() < limits::EVENT_BYTES_MAX);
    let refused = merged((&full, 1), (&kept(&sale), 1)).unwrap_err();
    assert!(matches!(refused, NotMerged::TooLarge { bytes } if bytes > limits::EVENT_BYTES_MAX));
}

#[test]
fn events_of_two_conversions_stay_two() {
    let one = kept(&told(json!({})));
    for patch in [json!({"event_id": "A2"}), json!({"event_name": "Contact"})] {
        let refused = merged((&one, 1), (&kept(&told(patch)), 1)).unwrap_err();
        assert_eq!(refused, NotMerged::OtherEvent);
        assert_eq!(
            refused.to_string(),
            "the events differ in event_name or event_id"
        );
    }
}

#[test]
fn a_test_code_stays_with_its_event() {
    let test = sealed(&told(json!({"test_event_code": "TEST1"})));
    let live = kept(&told(json!({"user_data": {"em": [hash('B')]}})));
    let (both, _) = merged((&live, 1), (&test, 1)).unwrap();
    assert_eq!(both.test_event_code(), Some("TEST1"));
    assert!(!both.json().contains("TEST1"));
}

/// Bytes that sealing would not have written, and why they are refused.
#[test]
fn only_what_was_sealed_is_reopened() {
    let json = sealed(&told(
        json!({"custom_data": {"own": "x", "value": 1, "currency": "EUR"}}),
    ));
    let json = json.json();
    let address = hash('A');
    for (from, to, expected) in [
        (&*address, "john@example.com", None),
        (
            &*address,
            "John",
            Some(NotSealed::Refused(Code::UserDataMissing)),
        ),
        (
            &*address,
            "6915771BE1C5AA0C886870B6951B03D7EAFC121FEA0E80A5EA83BEB7C449F4EC",
            None,
        ),
        (r#""own":"x""#, r#""own":"john@example.com""#, None),
        (r#""own":"x""#, r#""email":"john@example.com""#, None),
        (r#""event_name""#, r#""person":"John","event_name""#, None),
        (
            r#""event_name""#,
            r#""test_event_code":"TEST1","event_name""#,
            None,
        ),
        (r#""event_name""#, r#" "event_name""#, None),
        (r#""em":"#, r#""email":"#, None),
        (r#""currency":"EUR""#, r#""currency":"eur""#, None),
        (
            r#""user_data":{"#,
            r#""user_data":{"client_ip_address":"10.0.0.1","#,
            None,
        ),
        (
            r#"{"event_name":"Lead","#,
            "{",
            Some(NotSealed::Refused(Code::EventNameMissing)),
        ),
        (
            r#"{"event_name""#,
            r#"[{"event_name""#,
            Some(NotSealed::Unreadable),
        ),
    ] {
        assert!(json.contains(from), "{from}");
        let forged = json.replacen(from, to, 1);
        let refused = SealedEvent::reopen(&forged).unwrap_err();
        match expected {
            Some(expected) => assert_eq!(refused, expected, "{forged}"),
            None => assert!(
                matches!(refused, NotSealed::Different { .. }),
                "{refused}: {forged}"
            ),
        }
        let text = refused.to_string();
        assert!(!text.contains("john") && !text.contains("John"), "{text}");
    }
    let longer = SealedEvent::reopen(&format!("{json} ")).unwrap_err();
    assert_eq!(longer, NotSealed::Different { at: json.len() });
    assert_eq!(
        longer.to_string(),
        format!(
            "sealing would have written something else at byte {}",
            json.len()
        )
    );
}

/// An address with a click in it, beside an `fbc` that was left out: reading it again makes no other one.
#[test]
fn no_click_id_is_made_of_an_address_when_an_event_is_reopened() {
    let event = told(json!({
        "event_source_url": "https://shop.example/?fbclid=IwAR2F4-dbP0",
        "user_data": {"fbc": "none of all"},
    }));
    let sealed = sealed(&event);
    assert!(!sealed.json().contains("\"fbc\""), "{}", sealed.json());
    assert_eq!(
        SealedEvent::reopen(sealed.json()).unwrap().json(),
        sealed.json()
    );
}

#[test]
fn an_external_id_stays_as_its_source_sends_it() {
    let rules = Rules {
        external_id: ExternalId::AsIs,
        ..Rules::default()
    };
    let event = |id: &str| {
        let event = told(json!({"user_data": {"external_id": [id]}}));
        seal_by(&event.to_string(), &rules).sealed.unwrap()
    };
    let [one, longer] = [event("user-4"), event("user-42")];
    let (both, _) = merged((&longer, 1), (&one, 1)).unwrap();
    let read: Value = serde_json::from_str(both.json()).unwrap();
    assert_eq!(
        read["user_data"]["external_id"],
        json!(["user-42", "user-4"])
    );
}
