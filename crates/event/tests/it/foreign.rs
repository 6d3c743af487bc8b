//! Events that are made of documents of another form: findings name places of those.

use sluice_event::{Event, Findings, JsonText, Path, Rules, UserField};

use crate::support::{NOW, NOW_S};

/// An order as a shop tells of it, read as an adapter would.
fn order() -> Event<'static> {
    let at = |keys: &[&str]| {
        keys.iter()
            .fold(Path::document(), |path, key| path.key(key))
    };
    let items = JsonText::parse(r#"[{"id":"SKU-1","quantity":0},{"quantity":1}]"#).unwrap();
    let mut event = Event::new("Purchase", NOW_S - 90_000)
        .stood_at("event_time", at(&["created_at"]))
        .stood_at("event_source_url", at(&["landing_site"]))
        .user_from(
            UserField::Em,
            "john@example.com",
            at(&["customer", "email"]),
        )
        .user_from(UserField::Ph, "12", at(&["customer", "phone"]))
        .user_from(UserField::Zp, "-", at(&["addresses"]).index(1).key("zip"))
        .custom_from("value", "10 EUR", at(&["total_price"]))
        .custom_from("currency", "EUR", at(&["currency"]))
        .custom_from("contents", items, at(&["line_items"]))
        .custom_from("note", "call +49 30 1234567", at(&["note"]));
    event.event_source_url = Some("not an address".into());
    event
}

#[test]
fn findings_name_the_place_in_the_sources_document() {
    let mut findings = Findings::new();
    let sealed = order().seal(&Rules::default(), NOW, &mut findings);
    assert!(sealed.is_some(), "{findings:#?}");
    let found: Vec<_> = findings
        .iter()
        .map(|it| (it.code.name(), it.path.as_str()))
        .collect();
    let expected = [
        ("action_source_missing", ""),
        ("event_time_late", "$.created_at"),
        ("event_id_missing", ""),
        ("url_invalid", "$.landing_site"),
        ("ph_invalid", "$.customer.phone"),
        ("zp_invalid", "$.addresses[1].zip"),
        ("value_cleaned", "$.total_price"),
        ("contents_quantity", "$.line_items[0].quantity"),
        ("contents_item_invalid", "$.line_items[1]"),
        ("custom_data_contact", "$.note"),
        ("client_user_agent_missing", ""),
    ];
    assert_eq!(found, expected);
}

#[test]
fn an_event_that_owns_its_text_keeps_the_places() {
    let paths = |event: Event<'_>| {
        let mut findings = Findings::new();
        event.seal(&Rules::default(), NOW, &mut findings);
        findings.into_iter().map(|it| it.path).collect::<Vec<_>>()
    };
    assert_eq!(paths(order().into_owned()), paths(order()));
}

#[test]
fn what_lacks_is_reported_at_the_event_and_contact_data_ends_a_path() {
    let path = Path::document()
        .key("customers")
        .key("john@example.com")
        .key("phone");
    assert_eq!(path.as_str(), "$.customers");
    let event = Event::new("Purchase", NOW_S)
        .user_from(UserField::Em, "john@example.com", path)
        .custom_from("value", 10, Path::document().key("total"));
    let mut findings = Findings::new();
    assert!(event.seal(&Rules::default(), NOW, &mut findings).is_none());
    let missing = findings
        .iter()
        .find(|it| it.code.name() == "purchase_currency_missing");
    assert_eq!(missing.unwrap().path.as_str(), "");
}
