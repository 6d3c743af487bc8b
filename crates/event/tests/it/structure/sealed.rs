//! The sealed event: who it is, how long it lives, and what its bytes are.

use serde_json::json;
use sluice_event::browser::{self, ClickId, appendix, cookies, ip};
use sluice_event::{
    ActionSource, DatasetId, Event, EventIdentity, Findings, Hashed, JsonText, Moment, Properties,
    Rules, SealedEvent, UserField,
};

use super::{of_person, patched, seal_value};
use crate::support::{NOW, NOW_S, seal, seal_at};

const DAY_S: i64 = 86_400;

fn sealed(patch: &str) -> SealedEvent {
    let event = patched(&of_person(r#"{"em":"a@b.de"}"#), patch);
    seal_value(&event)
        .sealed
        .unwrap_or_else(|| panic!("{patch} was refused"))
}

#[test]
fn an_event_without_id_takes_its_order_id() {
    for (patch, expected) in [
        (r#"{"event_id":" A-1 "}"#, "A-1"),
        (r#"{"event_id":42}"#, "42"),
        (r#"{"custom_data":{"order_id":"O-7"}}"#, "A-1"),
        (
            r#"{"event_id":null,"custom_data":{"order_id":"O-7"}}"#,
            "O-7",
        ),
        (r#"{"event_id":"","custom_data":{"order_id":7}}"#, "7"),
        (r#"{"event_id":null,"transaction_id":"T-1"}"#, "T-1"),
        (
            r#"{"event_id":"undefined","custom_data":{"order_id":"O-7"}}"#,
            "O-7",
        ),
        (
            r#"{"event_id":null,"custom_data":{"order_id":"O-7","item_number":2}}"#,
            "O-7:2",
        ),
        (
            r#"{"event_id":null,"custom_data":{"order_id":"O-7","item_number":"null"}}"#,
            "O-7",
        ),
    ] {
        assert_eq!(sealed(patch).event_id(), expected, "{patch}");
    }
    let long = "x".repeat(513);
    let patch = format!(r#"{{"event_id":"{long}"}}"#);
    assert_eq!(sealed(&patch).event_id(), Hashed::of(&long).as_str());
}

/// Without an order either, the id is a UUID of version 7: made from the moment and its chance, so
/// the same event sealed again at the same moment has the same one.
#[test]
fn an_event_without_any_id_gets_a_uuid() {
    let event = patched(&of_person(r#"{"em":"a@b.de"}"#), r#"{"event_id":null}"#).to_string();
    let id = |moment| {
        let outcome = seal_at(&event, &Rules::default(), moment);
        assert_eq!(outcome.codes(), ["event_id_missing"]);
        outcome.sealed.unwrap().event_id().to_owned()
    };
    let first = id(NOW);
    assert_eq!((first.len(), &first[14..15]), (36, "7"));
    assert_eq!(first, id(NOW));
    let other = Moment {
        entropy: [8; 10],
        ..NOW
    };
    assert_ne!(first, id(other));
    assert_eq!(first[..13], id(other)[..13], "the time comes first");
}

/// Events of different people would be copies of each other by an id that says nothing.
#[test]
fn a_word_for_nothing_is_no_id() {
    for id in [
        r#""undefined""#,
        r#""NULL""#,
        r#""N/A""#,
        r#""(not set)""#,
        r#""{{order_id}}""#,
        r#""-""#,
    ] {
        for patch in [
            format!(r#"{{"event_id":{id}}}"#),
            format!(r#"{{"event_id":null,"custom_data":{{"order_id":{id}}}}}"#),
        ] {
            assert_eq!(sealed(&patch).event_id().len(), 36, "{patch}");
        }
    }
    for order in [r#""0""#, "0", r#""00-0""#] {
        let patch = format!(r#"{{"event_id":null,"custom_data":{{"order_id":{order}}}}}"#);
        assert_eq!(sealed(&patch).event_id().len(), 36, "{patch}");
    }
    assert_eq!(sealed(r#"{"event_id":"0"}"#).event_id().len(), 36);
}

#[test]
fn identity_is_dataset_name_and_id() {
    let one = DatasetId::parse("1234567890123456").unwrap();
    let other = DatasetId::parse("1234567890123457").unwrap();
    let base = sealed("{}");
    let identity = base.identity(&one);
    assert_eq!(identity, EventIdentity::of(&one, "Lead", "A-1"));
    // Neither time nor person nor channel makes it another event.
    for patch in [
        r#"{"event_time":1789990000}"#,
        r#"{"user_data":{"em":"c@d.de"}}"#,
        r#"{"action_source":"email"}"#,
        r#"{"event_id":" A-1"}"#,
        r#"{"custom_data":{"order_id":"O-7"}}"#,
    ] {
        assert_eq!(sealed(patch).identity(&one), identity, "{patch}");
    }
    for patch in [
        r#"{"event_id":"A-2"}"#,
        r#"{"event_name":"Contact"}"#,
        r#"{"event_id":"a-1"}"#,
    ] {
        assert_ne!(sealed(patch).identity(&one), identity, "{patch}");
    }
    assert_ne!(base.identity(&other), identity);
}

#[test]
fn events_expire_when_meta_stops_taking_them() {
    for (source, days, window_h) in [
        ("email", 7, 48),
        ("website", 7, 48),
        ("phone_call", 7, 48),
        ("chat", 7, 48),
        ("system_generated", 7, 48),
        ("other", 7, 48),
        ("physical_store", 62, 7 * 24),
    ] {
        let sealed = sealed(&format!(r#"{{"action_source":"{source}"}}"#));
        assert_eq!(sealed.expires_at(), NOW_S - 60 + days * DAY_S, "{source}");
        assert_eq!(
            sealed.action_source().dedup_window_s(),
            window_h * 3_600,
            "{source}"
        );
    }
    assert_eq!(ActionSource::BusinessMessaging.dedup_window_s(), 7 * DAY_S);
    assert_eq!(ActionSource::BusinessMessaging.age_s_max(), 7 * DAY_S);
}

/// The bytes of one whole event, so that a change of form cannot go unseen.
#[test]
fn the_payload_is_compact_and_in_metas_order() {
    let event = r#"{ "custom_data" : { "value" : 129.90 , "currency" : "eur" , "own" : [ 1 , 2 ] } ,
        "user_data" : { "client_ip_address" : "203.0.113.7" , "em" : "John_Smith@gmail.com" } ,
        "event_source_url" : "https://shop.example/" , "action_source" : "website" , "event_id" : "A-1" ,
        "event_time" : 1789999940 , "event_name" : "Purchase" }"#;
    let em = "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f";
    let expected = format!(
        r#"{{"event_name":"Purchase","event_time":1789999940,"event_id":"A-1","action_source":"website","event_source_url":"https://shop.example/","user_data":{{"em":["{em}"],"client_ip_address":"203.0.113.7"}},"custom_data":{{"value":129.90,"currency":"EUR","own":[1,2]}}}}"#
    );
    let sealed = seal(event).sealed.unwrap();
    assert_eq!(sealed.json(), expected);
    assert_eq!(sealed.clone().into_json(), expected);
    // An event for many datasets is in memory once.
    assert_eq!(sealed.clone().json().as_ptr(), sealed.json().as_ptr());
    assert_eq!(
        (
            sealed.event_name(),
            sealed.event_time(),
            sealed.is_standard()
        ),
        ("Purchase", 1_789_999_940, true)
    );
}

/// The way of a Rust backend: no JSON of its own, the same rules.
#[test]
fn events_built_in_code_seal_like_parsed_ones() {
    let content = Properties::new()
        .set("id", "SKU\"1\"")
        .set("quantity", 2)
        .set("item_price", JsonText::number("64.90").unwrap());
    let built = Event::new("Purchase", NOW_S - 60)
        .id("A-1")
        .source(ActionSource::PhysicalStore)
        .user(UserField::Em, "John_Smith@gmail.com")
        .user(UserField::Fn, String::from("Mary"))
        .custom("value", 129.9)
        .custom("currency", "EUR")
        .custom("contents", vec![content])
        .custom("is_gift", true)
        .custom("lost", f64::NAN);
    let mut findings = Findings::new();
    let built = built
        .into_owned()
        .seal(&Rules::default(), NOW, &mut findings)
        .unwrap();
    assert!(findings.is_empty(), "{findings:#?}");
    let parsed = json!({
        "event_name": "Purchase", "event_time": NOW_S - 60, "event_id": "A-1", "action_source": "physical_store",
        "user_data": { "em": "John_Smith@gmail.com", "fn": "Mary" },
    });
    let custom = r#""custom_data":{"value":129.9,"currency":"EUR","contents":[{"id":"SKU\"1\"","quantity":2,"item_price":64.90}],"is_gift":true}"#;
    let parsed = parsed.to_string().replacen('{', &format!("{{{custom},"), 1);
    assert_eq!(built.json(), seal(&parsed).sealed.unwrap().json());
}

#[test]
fn what_is_printed_of_a_sealed_event_holds_no_ids() {
    let sealed =
        sealed(r#"{"event_id":"secret-id","user_data":{"client_ip_address":"203.0.113.7"}}"#);
    let printed = format!("{sealed:?} {sealed:#?}");
    for hidden in ["secret-id", "203.0.113.7"] {
        assert!(!printed.contains(hidden), "{printed}");
    }
    assert!(printed.contains("Lead"));
}

/// S1 to S3: the cookie stays unless the visit brings another click id.
#[test]
fn click_id_cookies_are_kept_made_and_replaced() {
    const NOW_MS: u64 = 1_709_136_167_115;
    let minting = cookies::Minting {
        domains: &[],
        parameters: &[cookies::FBCLID],
        now_ms: NOW_MS,
        random: 42,
        marker: None,
    };
    for (fbclid, cookie, expected) in [
        (
            "IwAR2F4-dbP0",
            None,
            Some("fb.1.1709136167115.IwAR2F4-dbP0"),
        ),
        (
            "IwAR2F4-dbP0",
            Some("fb.1.1700000000000.IwAR2F4-dbP0"),
            None,
        ),
        (
            "NEW",
            Some("fb.1.1700000000000.OLD"),
            Some("fb.1.1709136167115.NEW"),
        ),
        (
            "NEW",
            Some("fb.1.1700000000000.OLD.AQQCAQMC"),
            Some("fb.1.1709136167115.NEW"),
        ),
        ("OLD", Some("fb.1.1700000000000.OLD.AQQCAQMC"), None),
        ("NEW", Some("rubbish"), Some("fb.1.1709136167115.NEW")),
        ("", Some("fb.1.1700000000000.OLD"), None),
    ] {
        let url = format!("https://www.example.com/?fbclid={fbclid}");
        let visit = cookies::Visit {
            host: "www.example.com",
            url: Some(&url),
            fbc: cookie,
            fbp: Some("fb.1.1700000000000.1098115397"),
            ..cookies::Visit::default()
        };
        let set = cookies::cookies(visit, minting);
        let set: Vec<_> = set
            .iter()
            .map(|cookie| (cookie.name, cookie.value.as_str()))
            .collect();
        let expected: Vec<_> = expected.map(|value| ("_fbc", value)).into_iter().collect();
        assert_eq!(set, expected, "{fbclid} {cookie:?}");
    }
    assert_eq!(cookies::MAX_AGE_S, 7_776_000);
    let built = ClickId::build("IwAR2F4-dbP0", 1, NOW_MS)
        .unwrap()
        .to_string();
    assert_eq!(built, "fb.1.1709136167115.IwAR2F4-dbP0");
    let page = "https://www.example.com/?fbclid=IwAR2F4-dbP0";
    assert_eq!(
        browser::fbclid_of(Some(page), None).as_deref(),
        Some("IwAR2F4-dbP0")
    );
}

/// S4, S5, S9 to S12, as the parts that a collector reads.
#[test]
fn appendices_are_read_and_kept() {
    use appendix::{Appendix, Change, Language, Version};
    let net_new = Appendix::V2(Language::Node, Change::NetNew, Version(1, 3, 2));
    for (value, expected) in [
        ("fb.1.1554763741205.AbC.AQQCAQMC", Some(net_new)),
        (
            "fb.1.1554763741205.AbC.BA",
            Some(Appendix::V1(Language::Node)),
        ),
        ("fb.1.1554763741205.AbC", None),
    ] {
        let click = ClickId::parse(value).unwrap();
        assert_eq!(click.fbclid(), "AbC", "{value}");
        assert_eq!(
            click.appendix().and_then(Appendix::parse),
            expected,
            "{value}"
        );
    }
    assert!(ClickId::parse("IwAR2F4-dbP0").is_none());
    assert!(!ClickId::parse("fb.1.1554763741.AbC").unwrap().is_in_ms());
    for (value, is_public) in [
        ("2001:4860:4860::8888.AQQAAQMC", Some(true)),
        ("168.212.226.204.AQQAAQMC", Some(true)),
        ("256.256.256.256", None),
        ("10.0.0.1", Some(false)),
    ] {
        assert_eq!(ip::parse(value).map(ip::is_public), is_public, "{value}");
    }
}
