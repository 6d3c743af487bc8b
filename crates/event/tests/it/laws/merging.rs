//! What holds when a sealed event is read again, and when two are made one.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Map, Value};
use sluice_event::{Findings, Ranked, SealedEvent, limits, merge};

use super::{HASHED_LISTS, check_form, config};
use crate::inputs::{Json, event, moment, rules};
use crate::support::{seal_at, seal_by};

/// Events that tell of one conversion, each with a user of its own beside what is left to chance.
fn told() -> impl Strategy<Value = SealedEvent> {
    let user = prop_oneof![
        Just(r#"{"em":"john@example.com"}"#),
        Just(r#"{"em":["a@b.de","c@d.de"],"ph":"+49 30 1234567"}"#),
        Just(r#"{"fbp":"fb.1.1700000000000.1","external_id":"U-1"}"#),
        Just(r#"{"em":"john@example.com","client_ip_address":"203.0.113.9"}"#),
        Just(r#"{"client_ip_address":"203.0.113.7","client_user_agent":"Mozilla/5.0"}"#),
        Just(r#"{"fn":"Mary","ln":"Smith","fbc":"fb.1.1700000000001.DeF"}"#),
    ];
    let custom = prop_oneof![
        Just(r#"{"value":10,"currency":"EUR","contents":[{"id":"A","quantity":1}],"own":1}"#),
        Just(r#"{"value":11.9,"currency":"EUR","order_id":"O-1","other":"x"}"#),
        Just(r#"{"order_id":7,"item_number":3,"content_name":"Shoes"}"#),
        Just("{}"),
    ];
    let own = prop::option::weighted(0.5, (user, custom));
    let made = (event(20), own, rules()).prop_filter_map("cannot be sent", |(json, own, rules)| {
        let Json::Object(mut members) = json else {
            return None;
        };
        let mut put = |key: &str, value: &str| {
            members.push((key.to_owned(), Json::Token(value.to_owned())));
        };
        put("event_name", r#""Lead""#);
        put("event_id", r#""A1""#);
        if let Some((user, custom)) = own {
            put("user_data", user);
            put("custom_data", custom);
        }
        seal_by(&Json::Object(members).to_string(), &rules).sealed
    });
    made.prop_filter("of one name and id", |sealed| {
        (sealed.event_name(), sealed.event_id()) == ("Lead", "A1")
    })
}

fn merged(one: (&SealedEvent, u8), other: (&SealedEvent, u8)) -> SealedEvent {
    let ranked = |(event, rank)| Ranked { event, rank };
    let merged = merge(ranked(one), ranked(other), &mut Findings::new());
    merged.unwrap_or_else(|error| panic!("{error}: {} {}", one.0.json(), other.0.json()))
}

fn object(sealed: &SealedEvent, section: &str) -> Map<String, Value> {
    let event: Value = serde_json::from_str(sealed.json()).unwrap();
    event[section].as_object().cloned().unwrap_or_default()
}

/// The members of these names.
fn part(object: &Map<String, Value>, keys: &[&str]) -> BTreeMap<String, Value> {
    let members = object.iter().filter(|(key, _)| keys.contains(&&***key));
    members
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// What stays when an event is read again: all but what was repaired.
fn assert_same(one: &SealedEvent, other: &SealedEvent) -> Result<(), TestCaseError> {
    prop_assert_eq!(one.json(), other.json());
    prop_assert_eq!(one.event_name(), other.event_name());
    prop_assert_eq!(one.event_id(), other.event_id());
    prop_assert_eq!(one.event_time(), other.event_time());
    prop_assert_eq!(one.action_source(), other.action_source());
    let (facts, others) = (one.facts(), other.facts());
    prop_assert_eq!(facts.identifiers, others.identifiers);
    prop_assert_eq!(&facts.order_id, &others.order_id);
    prop_assert_eq!(facts.amount, others.amount);
    if facts.order_id.is_some() {
        prop_assert_eq!(one.order(), other.order());
    }
    Ok(())
}

/// Members of `custom_data` that say what was bought.
const SALE: [&str; 15] = [
    "value",
    "currency",
    "contents",
    "content_ids",
    "content_type",
    "num_items",
    "order_id",
    "item_number",
    "net_revenue",
    "predicted_ltv",
    "_valueToSum",
    "fb_currency",
    "fb_content",
    "fb_content_id",
    "fb_content_ids",
];

/// Members of `user_data` that are of one device, account or date.
const TOGETHER: [&[&str]; 3] = [
    &["client_ip_address", "client_user_agent"],
    &[
        "page_id",
        "page_scoped_user_id",
        "ctwa_clid",
        "whatsapp_business_account_id",
        "ig_account_id",
        "instagram_business_account_id",
        "ig_sid",
    ],
    &["dobd", "dobm", "doby"],
];

proptest! {
    #![proptest_config(config(100))]

    #[test]
    fn what_was_sealed_can_be_reopened(event in event(3), rules in rules(), moment in moment()) {
        if let Some(sealed) = seal_at(&event.to_string(), &rules, moment).sealed {
            let reopened = SealedEvent::reopen(sealed.json());
            prop_assert!(reopened.is_ok(), "{:?}: {}", reopened, sealed.json());
            assert_same(&sealed, &reopened.unwrap())?;
        }
    }

    #[test]
    fn nothing_else_can_be_reopened(event in event(3), rules in rules()) {
        let text = event.to_string();
        let sealed = seal_by(&text, &rules).sealed;
        let reopened = SealedEvent::reopen(&text);
        let is_sealed = sealed.is_some_and(|sealed| sealed.json() == text);
        prop_assert!(is_sealed || reopened.is_err(), "{}", text);
    }

    /// A hash that is replaced by the value it hides, in whatever field.
    #[test]
    fn no_clear_text_comes_in(sealed in told(), place in 0..100_usize, clear in "[a-zA-Z][a-z .@+0-9]{2,20}") {
        let user_data = object(&sealed, "user_data");
        let hashed = |text: &&str| text.len() >= 64 && !text.starts_with("fb.");
        let texts = user_data.values().flat_map(|value| match value {
            Value::Array(items) => items.clone(),
            single => vec![single.clone()],
        });
        let texts: Vec<String> = texts.filter_map(|it| it.as_str().filter(hashed).map(str::to_owned)).collect();
        if let Some(hash) = texts.get(place % texts.len().max(1)) {
            let is_external = user_data.get("external_id").is_some_and(|ids| ids.to_string().contains(hash));
            let forged = sealed.json().replace(&**hash, &clear);
            prop_assert!(is_external || SealedEvent::reopen(&forged).is_err(), "{}", forged);
        }
    }

    #[test]
    fn merging_with_itself_changes_nothing(sealed in told(), ranks: (u8, u8)) {
        let again = merged((&sealed, ranks.0), (&sealed, ranks.1));
        assert_same(&sealed, &again)?;
        prop_assert_eq!(sealed.test_event_code(), again.test_event_code());
    }

    #[test]
    fn the_order_does_not_matter_between_different_ranks(one in told(), other in told(), rank in 0..255_u8) {
        let (first, second) = (
            merged((&one, rank), (&other, rank + 1)),
            merged((&other, rank + 1), (&one, rank)),
        );
        prop_assert_eq!(first.json(), second.json());
        prop_assert_eq!(first.event_time(), other.event_time());
        prop_assert_eq!(first.action_source(), other.action_source());
    }

    #[test]
    fn the_grouping_does_not_matter_in_the_order_of_ranks(a in told(), b in told(), c in told(), mut ranks: [u8; 3]) {
        ranks.sort_unstable_by(|one, other| other.cmp(one));
        let [of_a, of_b, of_c] = ranks;
        let left = merged((&merged((&a, of_a), (&b, of_b)), of_a), (&c, of_c));
        let right = merged((&a, of_a), (&merged((&b, of_b), (&c, of_c)), of_b));
        prop_assert_eq!(left.json(), right.json());
    }

    #[test]
    fn no_identifier_is_lost_and_none_is_made(one in told(), other in told()) {
        let both = merged((&one, 2), (&other, 1));
        check_form(&both)?;
        let of_both = object(&both, "user_data");
        let sources = [object(&one, "user_data"), object(&other, "user_data")];
        for list in HASHED_LISTS {
            let values = |object: &Map<String, Value>| -> BTreeSet<String> {
                let items = object.get(list).and_then(Value::as_array).cloned();
                items.into_iter().flatten().filter_map(|it| it.as_str().map(str::to_owned)).collect()
            };
            let [mine, others] = sources.each_ref().map(values);
            let union: BTreeSet<_> = mine.union(&others).cloned().collect();
            let found = values(&of_both);
            prop_assert!(found.is_subset(&union), "{list}: {found:?}");
            for value in &union {
                // A hash with an appendix stands for the hash alone.
                let is_there = found.iter().any(|it| it == value || it.starts_with(&format!("{value}.")));
                prop_assert!(is_there, "{list}: {value}");
            }
        }
        for group in TOGETHER {
            let found = part(&of_both, group);
            let [mine, others] = sources.each_ref().map(|it| part(it, group));
            let expected = if mine.is_empty() || (mine.len() < group.len() && others.len() == group.len()) {
                &others
            } else {
                &mine
            };
            prop_assert_eq!(&found, expected);
        }
        for (key, value) in sources.iter().rev().flatten() {
            let is_grouped = HASHED_LISTS.contains(&&**key) || TOGETHER.iter().any(|it| it.contains(&&**key));
            let leading = sources[0].get(key).unwrap_or(value);
            prop_assert!(is_grouped || of_both.get(key) == Some(leading), "{key}");
        }
    }

    #[test]
    fn a_sale_is_told_by_one_source(one in told(), other in told()) {
        let both = merged((&one, 2), (&other, 1));
        let [of_both, mine, others] = [&both, &one, &other].map(|it| object(it, "custom_data"));
        let expected = if part(&mine, &SALE).is_empty() { &others } else { &mine };
        let (found, expected) = (part(&of_both, &SALE), part(expected, &SALE));
        // An amount under the names of the app SDKs counts in an app event only.
        let is_of_app = expected.contains_key("_valueToSum");
        prop_assert!(found == expected || is_of_app, "{:?} {:?}", found, expected);
        for (key, value) in others.iter().filter(|(key, _)| !SALE.contains(&&***key)) {
            prop_assert_eq!(of_both.get(key), Some(mine.get(key).unwrap_or(value)));
        }
    }

    #[test]
    fn a_merged_event_is_known_as_one_that_is_read(one in told(), other in told(), ranks: (u8, u8)) {
        let both = merged((&one, ranks.0), (&other, ranks.1));
        prop_assert!(both.json().len() <= limits::EVENT_BYTES_MAX);
        let reopened = SealedEvent::reopen(both.json());
        prop_assert!(reopened.is_ok(), "{:?}: {}", reopened, both.json());
        let reopened = reopened.unwrap();
        assert_same(&both, &reopened)?;
        prop_assert_eq!(both.facts(), reopened.facts());
        let event: Value = serde_json::from_str(both.json()).unwrap();
        let opted_out = [&one, &other].iter().any(|it| it.json().contains(r#""opt_out":true"#));
        prop_assert_eq!(event["opt_out"] == true, opted_out);
        let is_limited = [&one, &other].iter().any(|it| it.json().contains(r#"["LDU"]"#));
        prop_assert_eq!(event["data_processing_options"] == serde_json::json!(["LDU"]), is_limited);
    }
}
