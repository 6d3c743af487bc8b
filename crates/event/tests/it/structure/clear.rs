//! Contact data at places that go to Meta in the clear: taken out, and said.

use serde_json::json;
use sluice_event::{Event, Findings, Hashed, Moment, Remains, Rules};

use crate::support::merge;

use super::{Row, assert_codes, assert_none, assert_sent, of_person, patched, seal_value, website};

#[test]
fn contact_data_in_custom_data_is_left_out() {
    let rows: &[Row<'_>] = &[
        (r#"{"custom_data":{"note":"call me"}}"#, &[]),
        (
            r#"{"custom_data":{"note":"john@example.com"}}"#,
            &["custom_data_contact"],
        ),
        (
            r#"{"custom_data":{"note":"mail to <John@Example.com>!"}}"#,
            &["custom_data_contact"],
        ),
        (
            r#"{"custom_data":{"note":"john%40example.com"}}"#,
            &["custom_data_contact"],
        ),
        (
            r#"{"custom_data":{"note":"jörg@müller.example"}}"#,
            &["custom_data_contact"],
        ),
        (
            r#"{"custom_data":{"note":"+49 30 1234567"}}"#,
            &["custom_data_contact"],
        ),
        (
            r#"{"custom_data":{"john@example.com":1}}"#,
            &["custom_data_contact"],
        ),
        (
            r#"{"custom_data":{"email":"none of your business"}}"#,
            &["custom_data_contact"],
        ),
        (
            r#"{"custom_data":{"customer_phone":"030 1234567"}}"#,
            &["custom_data_contact"],
        ),
        (
            r#"{"custom_data":{"billing":{"first_name":"Mary"}}}"#,
            &["custom_data_contact"],
        ),
        (
            r#"{"custom_data":{"list":[["x",{"y":"john@example.com"}]]}}"#,
            &["custom_data_contact"],
        ),
        (
            r#"{"custom_data":{"note":"{\"email\":\"john@example.com\"}"}}"#,
            &["custom_data_contact"],
        ),
        (
            r#"{"custom_data":{"content_name":"john@example.com"}}"#,
            &["custom_data_contact"],
        ),
        (
            r#"{"custom_data":{"content_ids":["A","john@example.com"]}}"#,
            &["custom_data_contact"],
        ),
        (
            r#"{"custom_data":{"order_id":"john@example.com"}}"#,
            &["custom_data_contact"],
        ),
        (
            r#"{"custom_data":{"store_data":{"store_code":"john@example.com"}}}"#,
            &["custom_data_contact"],
        ),
        (
            r#"{"custom_data":{"currency":"john@example.com","value":null}}"#,
            &["custom_data_contact"],
        ),
        (
            r#"{"app_data":{"campaign_ids":"john@example.com"}}"#,
            &["custom_data_contact"],
        ),
        (
            r#"{"original_event_data":{"order_id":"john@example.com"}}"#,
            &["custom_data_contact"],
        ),
        (
            r#"{"customer_segmentation":"john@example.com"}"#,
            &["custom_data_contact"],
        ),
        (
            r#"{"advanced_measurement_table":"john@example.com"}"#,
            &["custom_data_contact"],
        ),
        // Order numbers, SKUs and mentions are none.
        (
            r#"{"custom_data":{"order_id":"16505551212","note":"SKU@2","via":"@shop"}}"#,
            &[],
        ),
    ];
    assert_codes(&of_person(r#"{"em":"a@b.de"}"#), rows);
}

/// By the name of the property, in an object, a list or a JSON text, and by the shape of the value.
#[test]
fn contact_data_is_found_by_name_and_by_shape_wherever_it_stands() {
    let contact: &[&str] = &["custom_data_contact"];
    let rows: &[Row<'_>] = &[
        (r#"{"custom_data":{"telefono":"015123456"}}"#, contact),
        (r#"{"custom_data":{"vorname":"Jane"}}"#, contact),
        (r#"{"custom_data":{"name":"Jane Doe"}}"#, contact),
        (
            r#"{"custom_data":{"customer":{"name":"Jane Doe"}}}"#,
            contact,
        ),
        (
            r#"{"custom_data":{"rows":[{"telefono":"015123456"}]}}"#,
            contact,
        ),
        (
            r#"{"custom_data":{"meta":"{\"first_name\":\"Jane\"}"}}"#,
            contact,
        ),
        (
            r#"{"custom_data":{"meta":"[{\"vorname\":\"Jane\"}]"}}"#,
            contact,
        ),
        (
            r#"{"custom_data":{"meta":{"inner":"{\"cpf\":\"123.456.789-09\"}"}}}"#,
            contact,
        ),
        (
            r#"{"custom_data":{"status":"{\"first_name\":\"Jane\"}"}}"#,
            contact,
        ),
        (r#"{"custom_data":{"note":"jane(at)example.com"}}"#, contact),
        (r#"{"custom_data":{"note":"4111 1111 1111 1111"}}"#, contact),
        (
            r#"{"custom_data":{"note":"DE89 3704 0044 0532 0130 00"}}"#,
            contact,
        ),
        (r#"{"custom_data":{"note":["(650) 555-1212"]}}"#, contact),
        (
            r#"{"custom_data":{"search_string":"jane (at) example.com"}}"#,
            contact,
        ),
        (
            r#"{"custom_data":{"content_name":"4111-1111-1111-1111"}}"#,
            contact,
        ),
        (
            r#"{"custom_data":{"contents":[{"id":"A","quantity":1,"vorname":"Jane"}]}}"#,
            contact,
        ),
        (
            r#"{"custom_data":{"smartphone":"Pixel 8","has_headphone":true,"newsletter_email":true}}"#,
            &[],
        ),
        (
            r#"{"custom_data":{"customer_number":"K-1001","client_number":12,"promo_birthday":true}}"#,
            &[],
        ),
        (
            r#"{"custom_data":{"product":{"name":"Cup"},"plan_name":"Pro","card":"visa"}}"#,
            &[],
        ),
        (
            r#"{"custom_data":{"contents":[{"id":"A","quantity":1,"name":"Cup"}]}}"#,
            &[],
        ),
        (
            r#"{"custom_data":{"order_id":"4111111111111111","tracking":"00340434161094015902"}}"#,
            &[],
        ),
    ];
    assert_codes(&of_person(r#"{"em":"a@b.de"}"#), rows);
    let rows = [
        (
            r#"{"event_source_url":"https://shop.example/ok?vorname=Jane&telefono=015123456&o=7"}"#,
            r#""https://shop.example/ok?o=7""#,
        ),
        (
            r#"{"event_source_url":"https://shop.example/ok?phone=pixel&newsletter_email=1&name=cup"}"#,
            r#""https://shop.example/ok?phone=pixel&newsletter_email=1&name=cup""#,
        ),
    ];
    assert_sent(&website(), "/event_source_url", &rows);
}

/// Only the entry's own bad member goes, the bought thing stays.
#[test]
fn contact_data_in_contents_costs_one_member() {
    let rows = [(
        r#"{"custom_data":{"contents":[{"id":"A","quantity":1,"engraving":"john@example.com"},{"id":"john@example.com","quantity":1}]}}"#,
        r#"[{"id":"A","quantity":1}]"#,
    )];
    assert_sent(&website(), "/custom_data/contents", &rows);
}

#[test]
fn contact_data_in_addresses_is_taken_out() {
    let rows = [
        (
            r#"{"event_source_url":"https://shop.example/ok?o=7&email=john%40example.com"}"#,
            r#""https://shop.example/ok?o=7""#,
        ),
        (
            r#"{"event_source_url":"https://shop.example/ok?e=john%2540example.com#top"}"#,
            r#""https://shop.example/ok#top""#,
        ),
        (
            r#"{"event_source_url":"https://shop.example/u/john@example.com/orders?o=7"}"#,
            r#""https://shop.example/?o=7""#,
        ),
        (
            r#"{"event_source_url":"https://shop.example/ok#john@example.com"}"#,
            r#""https://shop.example/ok""#,
        ),
        (
            r#"{"event_source_url":"https://john:secret@shop.example/ok"}"#,
            r#""https://shop.example/ok""#,
        ),
        (
            r#"{"event_source_url":"https://shop.example/ok?tel=%2B49301234567"}"#,
            r#""https://shop.example/ok""#,
        ),
        (
            r#"{"event_source_url":"https://shop.example/ok?x=+49301234567"}"#,
            r#""https://shop.example/ok""#,
        ),
        (
            r#"{"event_source_url":"https://shop.example/ok?first_name=Mary&o=7"}"#,
            r#""https://shop.example/ok?o=7""#,
        ),
        (
            r#"{"event_source_url":"https://shop.example/ok?o=7&q=a%20b.AQQCAQMC"}"#,
            r#""https://shop.example/ok?o=7&q=a%20b.AQQCAQMC""#,
        ),
    ];
    assert_sent(&website(), "/event_source_url", &rows);
    let rows: &[Row<'_>] = &[
        (
            r#"{"event_source_url":"https://shop.example/?email=john%40example.com"}"#,
            &["url_contact_data"],
        ),
        (
            r#"{"referrer_url":"https://shop.example/?email=john%40example.com"}"#,
            &["url_contact_data"],
        ),
    ];
    assert_codes(&website(), rows);
}

/// Host names hold no contact data, but where an `@` was encoded one is taken for a host.
#[test]
fn an_encoded_address_is_no_host() {
    let mut wrong = Vec::new();
    for url in [
        "https://john.smith%40example.com/ok",
        "john.smith%40example.com",
        "//john.smith%40example.com/ok",
    ] {
        let event = patched(&website(), &format!(r#"{{"event_source_url":"{url}"}}"#));
        let sealed = seal_value(&event).sealed.unwrap();
        if sealed.json().contains("john.smith") {
            wrong.push(format!("{url}: {}", sealed.json()));
        }
    }
    assert_none(&wrong);
}

/// A query parameter without a value is one all the same.
#[test]
fn phone_numbers_are_taken_out_of_queries() {
    let rows = [
        (
            r#"{"event_source_url":"https://shop.example/ok?+49301234567"}"#,
            r#""https://shop.example/ok""#,
        ),
        (
            r#"{"event_source_url":"https://shop.example/ok?%2B49301234567&o=7"}"#,
            r#""https://shop.example/ok?o=7""#,
        ),
        (
            r#"{"event_source_url":"https://shop.example/ok?+49301234567=&o=7"}"#,
            r#""https://shop.example/ok?o=7""#,
        ),
    ];
    assert_sent(&website(), "/event_source_url", &rows);
}

#[test]
fn ids_that_are_contact_data_are_hashed() {
    let rows: &[Row<'_>] = &[
        (r#"{"event_id":"john@example.com"}"#, &["event_id_hashed"]),
        (r#"{"event_id":"+49 30 1234567"}"#, &["event_id_hashed"]),
        (r#"{"event_id":"16505551212"}"#, &[]),
        (
            r#"{"event_id":null,"custom_data":{"order_id":"john@example.com"}}"#,
            &["custom_data_contact", "event_id_hashed", "event_id_missing"],
        ),
    ];
    assert_codes(&of_person(r#"{"em":"a@b.de"}"#), rows);
}

/// What is left of `M\xfcller` and of `M\xf6ller` in Latin-1 is the same text, and would be one event.
#[test]
fn a_damaged_id_is_no_id() {
    let damaged = ["M\u{fffd}ller", "\u{fffd}", "x\u{fffd}y"];
    for id in damaged {
        let text = of_person(r#"{"em":"a@b.de"}"#);
        for (patch, codes, own) in [
            (
                json!({ "event_id": id }),
                &["event_id_missing", "text_damaged"][..],
                None,
            ),
            (
                json!({ "event_id": id, "custom_data": { "order_id": "A-1" } }),
                &["event_id_missing", "text_damaged"],
                Some("A-1"),
            ),
            (
                json!({ "event_id": null, "custom_data": { "order_id": id } }),
                &["event_id_missing", "text_damaged"],
                None,
            ),
            (
                json!({ "event_id": null, "custom_data": { "order_id": "A-1", "item_number": id } }),
                &["event_id_missing", "text_damaged"],
                None,
            ),
        ] {
            let mut event = text.clone();
            merge(&mut event, patch.clone());
            let outcome = seal_value(&event);
            assert_eq!(outcome.codes(), codes, "{patch}");
            let sealed = outcome.json();
            let sent = sealed["event_id"].as_str().unwrap();
            match own {
                Some(own) => assert_eq!(sent, own),
                // A UUID of version 7, made here.
                None => assert_eq!((sent.len(), &sent[14..15]), (36, "7"), "{patch}"),
            }
            for key in ["order_id", "item_number"] {
                let sent = &sealed["custom_data"][key];
                assert!(sent.is_null() || sent == "A-1", "{patch}: {sent}");
            }
        }
    }
    let half = r#"{"event_name":"Lead","event_time":1789999940,"event_id":"x\ud800y","action_source":"other","user_data":{"em":"a@b.de"}}"#;
    assert_eq!(
        crate::support::seal(half).codes(),
        ["event_id_missing", "text_damaged"]
    );
    let event = json!({ "original_event_data": { "event_id": "M\u{fffd}ller", "order_id": "\u{fffd}", "event_name": "Lead" } });
    let mut whole = of_person(r#"{"em":"a@b.de"}"#);
    merge(&mut whole, event);
    assert_eq!(
        seal_value(&whole).json()["original_event_data"],
        json!({ "event_name": "Lead" })
    );
}

/// In an object of a person, in pairs of a query, and in a text.
#[test]
fn contact_data_is_found_in_what_is_put_together() {
    let told: &[&str] = &["custom_data_contact"];
    let rows: &[Row<'_>] = &[
        (
            r#"{"custom_data":{"customer":{"first":"Jane","last":"Doe"}}}"#,
            told,
        ),
        (
            r#"{"custom_data":{"recipients":[{"name":"Jane Doe"}]}}"#,
            told,
        ),
        (
            r#"{"custom_data":{"gift":{"получатель":{"name":"Jane Doe"}}}}"#,
            told,
        ),
        (
            r#"{"event_id":"","custom_data":{"order_id":"+4915112345678","item_number":1}}"#,
            &["custom_data_contact", "event_id_hashed", "event_id_missing"],
        ),
        (
            r#"{"custom_data":{"ship_to":{"name":"Jane Doe","plan":"x"}}}"#,
            told,
        ),
        (r#"{"custom_data":{"q":"phone=01511234567&plan=b"}}"#, told),
        (
            r#"{"custom_data":{"search_string":"first_name=Jane"}}"#,
            told,
        ),
        (r#"{"custom_data":{"remark":"+49 151 1234567 2026"}}"#, told),
        (
            r#"{"custom_data":{"contents":[{"id":"A","quantity":1,"title":"tel=0151 1234567"}]}}"#,
            told,
        ),
        (
            r#"{"custom_data":{"page":{"first":"Home","last":"Basket"}}}"#,
            &[],
        ),
        (r#"{"custom_data":{"recipient":{"type":"friend"}}}"#, &[]),
        (
            r#"{"custom_data":{"search_string":"color=red&size=43"}}"#,
            &[],
        ),
    ];
    assert_codes(&of_person(r#"{"em":"a@b.de"}"#), rows);
}

/// Name and id together tell copies, and two names may leave the same remains.
#[test]
fn a_damaged_event_name_is_none() {
    for name in [
        "Caf\u{fffd}",
        "\u{fffd}",
        "Pur\u{fffd}chase",
        "\u{fffd}Lead",
    ] {
        let mut event = of_person(r#"{"em":"a@b.de"}"#);
        merge(&mut event, json!({ "event_name": name }));
        let outcome = seal_value(&event);
        assert!(outcome.sealed.is_none(), "{name}");
        assert_eq!(outcome.codes(), ["event_name_invalid", "text_damaged"]);
        let mut findings = sluice_event::Findings::new();
        let text = event.to_string();
        let remains = sluice_event::Event::parse(&text, &mut findings)
            .unwrap()
            .seal_or_remains(
                &sluice_event::Rules::default(),
                crate::support::NOW,
                &mut findings,
            )
            .err()
            .unwrap();
        assert_eq!(remains.event_name, None);
    }
    let half = r#"{"event_name":"Ca\ud800f","event_time":1789999940,"event_id":"1","action_source":"other","user_data":{"em":"a@b.de"}}"#;
    assert_eq!(
        crate::support::seal(half).codes(),
        ["event_name_invalid", "text_damaged"]
    );
    let event =
        json!({ "original_event_data": { "event_name": "Caf\u{fffd}", "order_id": "A-1" } });
    let mut whole = of_person(r#"{"em":"a@b.de"}"#);
    merge(&mut whole, event);
    assert_eq!(
        seal_value(&whole).json()["original_event_data"],
        json!({ "order_id": "A-1" })
    );
}

/// The common spellings of an address that our search for addresses has to know as well as `em`
/// does: whatever passes there as an address is one elsewhere.
#[test]
fn what_em_takes_for_an_address_is_one_everywhere() {
    let mut wrong = Vec::new();
    for address in [
        "john.smith@example.com",
        "JOHN+tag@EXAMPLE.COM",
        "o'neil@example.ie",
        "jörg@müller.example",
        "jo\u{308}rg@mu\u{308}ller.example",
        "用户@例子.广告",
        "john_@example.com",
        "john!@example.com",
        "john@my_host.example.com",
    ] {
        let mut event = of_person(&json!({ "em": address }).to_string());
        let outcome = seal_value(&event);
        assert_eq!(outcome.codes(), [""; 0], "{address} is an address");
        event["custom_data"] = json!({ "note": address });
        let codes = seal_value(&event).codes();
        if codes != ["custom_data_contact"] {
            wrong.push(format!("{}: {codes:?}", address.escape_default()));
        }
    }
    assert_none(&wrong);
}

/// What is kept of an event that cannot be sent is on disk in the clear, as the ids of others are.
#[test]
fn no_contact_data_remains_of_an_event_that_cannot_be_sent() {
    let hashed = |text: &str| Hashed::of(text).as_str().to_owned();
    let some = |text: &str| Some(text.to_owned());
    let moment = Moment {
        unix_ms: 1_751_000_000_000,
        in_doubt: false,
        entropy: [7; 10],
    };
    for (written, name, event_id, order_id) in [
        (
            json!({"event_name": " Lead ", "event_id": " A-1 ", "custom_data": {"order_id": 1042}}),
            some("Lead"),
            some("A-1"),
            some("1042"),
        ),
        (
            json!({
                "event_name": "john@example.com", "event_id": "john@example.com",
                "custom_data": {"order_id": "order of +1 650 555 1212"},
            }),
            None,
            some(&hashed("john@example.com")),
            some(&hashed("order of +1 650 555 1212")),
        ),
        (
            json!({
                "event_name": "call +49 30 1234567", "event_id": "+1 (650) 555-1212",
                "custom_data": {"order_id": "john%40example.com"},
            }),
            None,
            some(&hashed("+1 (650) 555-1212")),
            some(&hashed("john%40example.com")),
        ),
        (
            json!({"event_name": "a\nb", "event_id": "undefined", "custom_data": {"order_id": {}}}),
            None,
            None,
            None,
        ),
        (
            json!({"event_name": "", "event_id": "a\nb", "custom_data": {"order_id": "x".repeat(513)}}),
            None,
            some(&hashed("a\nb")),
            some(&hashed(&"x".repeat(513))),
        ),
        (json!({}), None, None, None),
    ] {
        let text = written.to_string();
        let mut findings = Findings::new();
        let event = Event::parse(&text, &mut findings).unwrap();
        let sealed = event.seal_or_remains(&Rules::default(), moment, &mut findings);
        let expected = Remains {
            event_name: name,
            event_id,
            order_id,
        };
        assert_eq!(sealed.err(), Some(expected), "{text}");
    }
}
