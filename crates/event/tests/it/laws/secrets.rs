//! No clear value of four or more characters survives: neither in the sealed bytes nor in a finding.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::Value;

use super::config;
use crate::inputs::{Json, rules};
use crate::support::{Outcome, seal_by};
use sluice_event::ExternalId;

/// A value of a person in the clear, and under which keys senders write it.
struct Kind {
    keys: &'static [&'static str],
    flat_keys: &'static [&'static str],
}

const EM: Kind = Kind {
    keys: &["em", "email", "customerEmail"],
    flat_keys: &["em", "email", "user.email"],
};
const PH: Kind = Kind {
    keys: &["ph", "phone", "phone_number"],
    flat_keys: &["ph", "Phone Number", "mobile"],
};
const FN: Kind = Kind {
    keys: &["fn", "first_name", "f5first"],
    flat_keys: &["fn", "First Name"],
};
const LN: Kind = Kind {
    keys: &["ln", "lastName", "f5last"],
    flat_keys: &["ln", "surname"],
};
const DB: Kind = Kind {
    keys: &["db", "birthday", "doby"],
    flat_keys: &["db", "date_of_birth"],
};
const CT: Kind = Kind {
    keys: &["ct", "city", "st"],
    flat_keys: &["ct", "customer_city", "province"],
};
const ZP: Kind = Kind {
    keys: &["zp", "postcode"],
    flat_keys: &["zp", "zip_code"],
};
const ID: Kind = Kind {
    keys: &["external_id", "user_id", "app_user_id"],
    flat_keys: &["external_id", "customer_id"],
};

/// One value at one place of `user_data` or beside it.
#[derive(Debug, Clone)]
struct Placed {
    key: &'static str,
    is_flat: bool,
    value: Json,
    needles: Vec<String>,
}

fn placed(
    kind: &'static Kind,
    value: impl Strategy<Value = String>,
) -> impl Strategy<Value = Placed> {
    let key = prop_oneof![
        prop::sample::select(kind.keys).prop_map(|key| (key, false)),
        prop::sample::select(kind.flat_keys).prop_map(|key| (key, true)),
    ];
    (key, value, 0..6).prop_map(|((key, is_flat), value, shape)| {
        // A value that is none must not be shown either.
        let value = match shape {
            4 => value.replace('@', " @ ") + " ?!",
            5 => format!("{value}\u{fffd}"),
            _ => value,
        };
        let item = Json::text(&value);
        let needles = needles_of(&value);
        let value = match shape {
            1 => Json::List(vec![item]),
            2 => Json::List(vec![
                Json::Token("null".to_owned()),
                item,
                Json::Object(Vec::new()),
            ]),
            3 => Json::Object(vec![("value".to_owned(), item)]),
            _ => item,
        };
        Placed {
            key,
            is_flat,
            value,
            needles,
        }
    })
}

/// What may not be found again: the value, its digits, and its longer words. Of an address only the
/// words before the `@`: a domain behind it is many people's, and may be a shop's.
fn needles_of(value: &str) -> Vec<String> {
    let value = value.trim_end_matches('\u{fffd}');
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    // Fewer digits are no phone number, and turn up in times and lengths by chance.
    let digits = digits.trim_start_matches('0').to_owned();
    let digits = Some(digits).filter(|digits| digits.len() >= 7);
    let mut needles = vec![value.to_lowercase()];
    needles.extend(digits);
    let own = value.split_once('@').map_or(value, |(local, _)| local);
    let words = own.split(|c: char| !c.is_alphabetic());
    needles.extend(words.map(str::to_lowercase));
    needles.retain(|needle| needle.chars().count() >= 4);
    needles
}

fn address() -> impl Strategy<Value = String> {
    ("[g-p]{6,9}", "[q-z]{6,9}", 0..8).prop_map(|(local, domain, form)| match form {
        0 => format!("{}@{domain}.com", local.to_uppercase()),
        1 => format!("{local}.x+tag@mail.{domain}.co.uk"),
        2 => format!("o'{local}@{domain}.ie"),
        3 => format!("jörg{local}@mü{domain}.de"),
        4 => format!("{local}@例{domain}.广告"),
        5 => format!("{local}_@xn--{domain}.de"),
        6 => format!("{local}-1@{domain}-1.example.com"),
        _ => format!("{local}@{domain}.de"),
    })
}

fn phone() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\+49 30 [1-9][0-9]{6}",
        "\\+1 \\(415\\) 555-[0-9]{4}",
        "0044 20 7946 [0-9]{4}",
        "\\+33\\.6\\.[1-9][0-9]\\.[0-9]{2}\\.[0-9]{2}\\.[0-9]{2}",
        "0171/[1-9][0-9]{6}",
    ]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Z][a-z]{6,9}",
        "[A-Z][a-z]{6}-[A-Z][a-z]{6}",
        "Ž[a-z]{6}é [A-Z]'[A-Z][a-z]{6}",
        "[Α-Ω]{7}"
    ]
}

fn birth() -> impl Strategy<Value = String> {
    (1930..2010, 1..13, 10..29, 0..4).prop_map(|(year, month, day, form)| match form {
        0 => format!("{year}{month:02}{day}"),
        1 => format!("{year}-{month:02}-{day}"),
        2 => format!("{day}.{month:02}.{year}"),
        _ => format!("{month}/{day}/{year}"),
    })
}

fn person() -> impl Strategy<Value = Vec<Placed>> {
    let values = prop_oneof![
        placed(&EM, address()),
        placed(&PH, phone()),
        placed(&FN, name()),
        placed(&LN, name()),
        placed(&DB, birth()),
        placed(&CT, name()),
        placed(&ZP, "[A-Z]{2}[1-9]{2} [1-9][A-Z]{3}"),
        placed(&ID, "k-[a-z]{7}-[0-9]{4}"),
    ];
    prop::collection::vec(values, 1..8)
}

/// Places where an address turns up that was never asked for. `E` stands for the address as JSON
/// text, `J` for it inside JSON inside a string, `%` for it percent-encoded, `%%` for twice so.
const EVENT_PLACES: &[&str] = &[
    r#""event_source_url":"https://shop.example/ok?o=7&x=E""#,
    r#""event_source_url":"https://shop.example/ok?x=%&o=7""#,
    r#""event_source_url":"https://shop.example/ok?x=%%#top""#,
    r#""event_source_url":"https://shop.example/ok?E""#,
    r#""event_source_url":"https://shop.example/ok?E=1""#,
    r#""event_source_url":"https://shop.example/u/E/orders?o=7""#,
    r#""event_source_url":"https://shop.example/u/%""#,
    r#""event_source_url":"https://shop.example/#/u?x=%""#,
    r#""event_source_url":"https://E/ok""#,
    r#""event_source_url":"E""#,
    r#""event_source_url":"%""#,
    r#""event_source_url":"mailto:E?subject=x""#,
    r#""referrer_url":"https://mail.example/?q=E""#,
    r#""referrer_url":"https://mail.example/%%/x""#,
    r#""referrer_url":"https://%/""#,
    r#""page_location":"https://shop.example/ok?x=%""#,
    r#""event_id":"E""#,
    r#""event_id":"order of E!""#,
    r#""event_id":"%""#,
    r#""event_name":"E""#,
    r#""event_name":"bought by E""#,
    r#""event_time":"E""#,
    r#""action_source":"E""#,
    r#""messaging_channel":"E""#,
    r#""customer_segmentation":"E""#,
    r#""advanced_measurement_table":"of %""#,
    r#""data_processing_options":["E"]"#,
    r#""data_processing_options_state":"E""#,
    r#""opt_out":"E""#,
    r#""E":1"#,
    r#""note":"E""#,
    r#""name":"E""#,
    r#""fbclid":"E""#,
    r#""total":"E""#,
    r#""currency_code":"E""#,
    r#""transaction_id":"E""#,
    r#""items":[{"id":"E"}]"#,
    r#""app_data":{"E":"E","campaign_ids":"E"}"#,
    r#""app_data":{"extinfo":["a2","E","","","14"]}"#,
    r#""app_data":{"extinfo":["E"]}"#,
    r#""original_event_data":{"order_id":"E","event_name":"E","event_time":"E"}"#,
    r#""attribution_data":{"ad_id":"E","attribution_model":"E","attribution_setting":{"E":"E"}}"#,
    r#""attribution_data":{"attr_window":"E","x":"E","attribution_share":"E"}"#,
];

const USER_PLACES: &[&str] = &[
    r#""subscription_id":"E""#,
    r#""anon_id":"of E""#,
    r#""madid":"%""#,
    r#""page_id":"E""#,
    r#""ctwa_clid":"%%""#,
    r#""fbc":"E""#,
    r#""fbc":"fb.1.1700000000000.E""#,
    r#""fbp":"E""#,
    r#""client_ip_address":"E""#,
    r#""lead_id":"E""#,
    r#""fbclid":"E""#,
    r#""E":"E""#,
    r#""mail2":"E""#,
    r#""ge":"E""#,
    r#""country":"E""#,
    r#""dobd":"E""#,
];

const CUSTOM_PLACES: &[&str] = &[
    r#""content_name":"E""#,
    r#""content_type":"for E, please""#,
    r#""order_id":"E""#,
    r#""search_string":"%""#,
    r#""status":"E""#,
    r#""item_number":"%%""#,
    r#""currency":"E""#,
    r#""value":"E""#,
    r#""num_items":"E""#,
    r#""success":"E""#,
    r#""delivery_category":"E""#,
    r#""customer_segmentation":"E""#,
    r#""content_ids":["A","E"]"#,
    r#""content_ids":"E""#,
    r#""content_ids":"[\"J\"]""#,
    r#""contents":[{"id":"E","quantity":1},{"id":"A","quantity":"E"}]"#,
    r#""contents":[{"id":"A","title":"E","item_price":"E","E":"E","own":{"x":["E"]}}]"#,
    r#""contents":"[{\"id\":\"J\"},{\"id\":\"A\",\"brand\":\"J\"}]""#,
    r#""contents":"E""#,
    r#""store_data":{"store_code":"E","E":1,"own":"E"}"#,
    r#""own":"E""#,
    r#""own":"<a href='mailto:E'>E</a>""#,
    r#""own":"{\"mail\":\"J\"}""#,
    r#""own":{"a":[1,{"b":"E"}]}"#,
    r#""own":[["E"]]"#,
    r#""own":{"E":1}"#,
    r#""E":true"#,
    r#""E":{"x":{}}"#,
    r#""mileage":{"unit":"E"}"#,
];

/// The place with the address written into it; `is_escaped` writes it in `\u` escapes alone.
fn fill(place: &str, address: &str, is_escaped: bool) -> String {
    let once: String = address.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    });
    let twice = once.replace('%', "%25");
    let escaped: String = address
        .encode_utf16()
        .fold(String::new(), |mut text, unit| {
            let _ = write!(text, "\\u{unit:04x}");
            text
        });
    let plain = if is_escaped {
        escaped.as_str()
    } else {
        address
    };
    place
        .replace("%%", "\u{1}")
        .replace('%', "\u{2}")
        .replace('E', "\u{3}")
        .replace('J', "\u{4}")
        .replace('\u{1}', &twice)
        .replace('\u{2}', &once)
        .replace('\u{3}', plain)
        .replace('\u{4}', address)
}

/// Everything that can be read in what came out, decoded as far as a reader would.
fn readable(outcome: &Outcome) -> String {
    let mut text = String::new();
    if let Some(sealed) = &outcome.sealed {
        let _ = writeln!(text, "{}\n{sealed:?}", sealed.json());
        collect(
            &serde_json::from_str(sealed.json()).unwrap_or_default(),
            &mut text,
        );
    }
    for finding in &outcome.findings {
        let _ = writeln!(
            text,
            "{}\n{}\n{finding:?}\n{finding:#?}",
            finding.message, finding.path
        );
    }
    let _ = writeln!(text, "{:?}", outcome.findings);
    let once = decoded(&text);
    let twice = decoded(&once);
    without_hashes(&format!("{text}\n{once}\n{twice}").to_lowercase())
}

/// The text less its SHA-256 hashes, in which any four digits turn up by chance.
fn without_hashes(text: &str) -> String {
    let is_hash = |word: &str| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    words
        .filter(|word| !is_hash(word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric())))
        .collect()
}

/// All keys and strings of a value, one a line.
fn collect(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => {
            let _ = writeln!(out, "{text}");
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, out)),
        Value::Object(members) => members.iter().for_each(|(key, value)| {
            let _ = writeln!(out, "{key}");
            collect(value, out);
        }),
        _ => {}
    }
}

/// Percent-decoded; what does not decode stays.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let byte = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        out.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn pick(places: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(places), 0..3)
}

proptest! {
    #![proptest_config(config(800))]

    #[test]
    fn no_clear_value_survives(
        person in person(), address in address(), is_escaped: bool,
        event_places in pick(EVENT_PLACES), user_places in pick(USER_PLACES), custom_places in pick(CUSTOM_PLACES),
        rules in rules(),
    ) {
        let written = |is_flat: bool| {
            let person = person.iter().filter(move |value| value.is_flat == is_flat);
            person.map(|value| format!("{}:{}", Json::text(value.key), value.value))
        };
        let filled = |places: &[&'static str]| -> Vec<String> {
            places.iter().map(|place| fill(place, &address, is_escaped)).collect()
        };
        let user_data: Vec<_> = written(false).chain(filled(&user_places)).collect();
        let beside: Vec<_> = written(true).chain(filled(&event_places)).map(|member| format!(",{member}")).collect();
        let event = format!(
            r#"{{"event_name":"Lead","event_time":1789999940,"action_source":"chat","user_data":{{"madid":"m1",{}}},"custom_data":{{{}}}{}}}"#,
            user_data.join(",") + if user_data.is_empty() { r#""page_id":"1""# } else { "" },
            filled(&custom_places).join(","),
            beside.concat(),
        );
        prop_assert!(serde_json::from_str::<Value>(&event).is_ok(), "{event}");

        let outcome = seal_by(&event, &rules);
        let readable = readable(&outcome);
        let mut needles = needles_of(&address);
        for value in &person {
            // An external id goes in the clear where the source wants it so.
            let is_as_is = matches!(value.key, "external_id" | "user_id" | "customer_id") && rules.external_id == ExternalId::AsIs;
            if !is_as_is {
                needles.extend(value.needles.clone());
            }
        }
        for needle in needles {
            let line = readable.lines().find(|line| line.contains(&needle));
            prop_assert!(line.is_none(), "{} in {:?}\nfrom {}", needle, line, event);
        }
    }
}

/// The law is worth as much as its search: it has to see what stands there.
#[test]
fn the_search_sees_every_disguise() {
    for place in [
        r#""own":"E""#,
        r#""own":"%""#,
        r#""own":"%%""#,
        r#""own":"{\"x\":\"J\"}""#,
        r#""E":1"#,
    ] {
        for is_escaped in [false, true] {
            let members = fill(place, "Qwertz.uiop@example.com", is_escaped);
            let mut text = String::new();
            collect(
                &serde_json::from_str(&format!("{{{members}}}")).unwrap(),
                &mut text,
            );
            let seen =
                format!("{text}{}{}", decoded(&text), decoded(&decoded(&text))).to_lowercase();
            assert!(seen.contains("qwertz.uiop@example.com"), "{place}: {seen}");
        }
    }
    assert_eq!(
        needles_of("+49 30 1234567"),
        ["+49 30 1234567", "49301234567"]
    );
    assert_eq!(needles_of("Abcdefg Hij"), ["abcdefg hij", "abcdefg"]);
}
