//! Lists in other forms, and fields under other analytics' names, one level deeper or not.

use serde_json::{Value, json};

use super::{assert_none, assert_sent, of_person, patched, seal_value, website};

fn hash(text: &str) -> String {
    sluice_event::Hashed::of(text).as_str().to_owned()
}

#[test]
fn values_of_a_person_come_in_many_lists_and_under_many_names() {
    let mail = || json!([hash("jane@example.com")]);
    let phone = || json!([hash("4915123456789")]);
    let mut wrong = Vec::new();
    for (user_data, field, expected) in [
        (json!({"em": {"0": "jane@example.com"}}), "em", mail()),
        (json!({"em": {"3": "jane@example.com"}}), "em", mail()),
        (json!({"em": "[\"jane@example.com\"]"}), "em", mail()),
        (json!({"em": "{\"0\":\"jane@example.com\"}"}), "em", mail()),
        (
            json!({"external_id": "[17]"}),
            "external_id",
            json!([hash("17")]),
        ),
        (
            json!({"fn": "[\"Jane\",\"Mary\"]"}),
            "fn",
            json!([hash("jane"), hash("mary")]),
        ),
        (json!({"emails": ["jane@example.com"]}), "em", mail()),
        (json!({"emails": {"0": "jane@example.com"}}), "em", mail()),
        (
            json!({"sha256_email_address": hash("jane@example.com")}),
            "em",
            mail(),
        ),
        (
            json!({"sha256_email_address": [hash("jane@example.com")]}),
            "em",
            mail(),
        ),
        (
            json!({"hashed_email": hash("jane@example.com")}),
            "em",
            mail(),
        ),
        (
            json!({"email_sha256": hash("jane@example.com")}),
            "em",
            mail(),
        ),
        (
            json!({"email_hash": hash("jane@example.com")}),
            "em",
            mail(),
        ),
        (
            json!({"sha256_phone_number": hash("4915123456789")}),
            "ph",
            phone(),
        ),
        (json!({"hashedPhone": hash("4915123456789")}), "ph", phone()),
        (json!({"phones": ["+4915123456789"]}), "ph", phone()),
        (
            json!({"address": {"first_name": "Jane"}}),
            "fn",
            json!([hash("jane")]),
        ),
        (
            json!({"address": {"sha256_first_name": hash("jane")}}),
            "fn",
            json!([hash("jane")]),
        ),
        (
            json!({"address": [{"first_name": "Jane", "last_name": "Doe"}]}),
            "ln",
            json!([hash("doe")]),
        ),
        (
            json!({"address": {"city": "Berlin", "region": "BE", "postal_code": "10115", "country": "DE"}}),
            "country",
            json!([hash("de")]),
        ),
        (
            json!({"address": {"city": "Berlin"}}),
            "ct",
            json!([hash("berlin")]),
        ),
        (
            json!({"billing_address": {"postal_code": "10115"}}),
            "zp",
            json!([hash("10115")]),
        ),
        (
            json!({"country_iso": "fr", "phone": "06.12.34.56.78"}),
            "ph",
            json!([hash("33612345678")]),
        ),
        (json!({"country_iso": "fr"}), "country", json!([hash("fr")])),
    ] {
        let mut event = of_person(r#"{"external_id":"7"}"#);
        let is_id = user_data.get("external_id").is_some();
        let given = event["user_data"].as_object_mut().unwrap();
        if is_id {
            given.insert("em".to_owned(), json!("a@b.de"));
        }
        given.extend(user_data.as_object().unwrap().clone());
        let outcome = seal_value(&event);
        let found = outcome.json()["user_data"][field].clone();
        let is_lost = outcome
            .codes()
            .iter()
            .any(|code| *code == "key_unknown" || *code == "value_type");
        if found != expected || is_lost {
            wrong.push(format!("{user_data}: {found} {:?}", outcome.codes()));
        }
    }
    assert_none(&wrong);
}

#[test]
fn bought_things_are_read_under_the_names_of_shops_and_other_analytics() {
    let one = r#"[{"id":"SKU-1","quantity":2,"item_price":10}]"#;
    let rows = [
        (
            r#"{"custom_data":{"contents":[{"item_id":"SKU-1","quantity":2,"price":10}]}}"#,
            one,
        ),
        (
            r#"{"custom_data":{"contents":[{"sku":"SKU-1","qty":2,"unit_price":10}]}}"#,
            one,
        ),
        (
            r#"{"custom_data":{"contents":[{"productId":"SKU-1","quantity":2,"itemPrice":10}]}}"#,
            one,
        ),
        (
            r#"{"custom_data":{"contents":[{"product_id":"SKU-1","quantity":2,"item_price":10}]}}"#,
            one,
        ),
        (
            r#"{"custom_data":{"contents":[{"content_id":"SKU-1","quantity":2,"item_price":10}]}}"#,
            one,
        ),
        (
            r#"{"custom_data":{"contents":[{"id":"SKU-1","qty":2,"item_price":10}]}}"#,
            one,
        ),
        (
            r#"{"custom_data":{"contents":{"0":{"id":"SKU-1","quantity":2,"item_price":10}}}}"#,
            one,
        ),
        (
            r#"{"custom_data":{"contents":{"a1b2":{"product_id":"SKU-1","quantity":2,"price":10}}}}"#,
            one,
        ),
        (
            r#"{"custom_data":{"contents":["{\"id\":\"SKU-1\",\"quantity\":2,\"item_price\":10}"]}}"#,
            one,
        ),
        (
            r#"{"custom_data":{"contents":"[{\"sku\":\"SKU-1\",\"quantity\":2,\"price\":10}]"}}"#,
            one,
        ),
        (
            r#"{"custom_data":{"items":[{"item_id":"SKU-1","quantity":2,"price":10}]}}"#,
            one,
        ),
        (
            r#"{"custom_data":{"products":[{"id":"SKU-1","quantity":2,"item_price":10}]}}"#,
            one,
        ),
        (
            r#"{"custom_data":{"line_items":{"0":{"sku":"SKU-1","quantity":2,"price":10}}}}"#,
            one,
        ),
        (
            r#"{"items":[{"item_id":"SKU-1","price":10,"quantity":2}]}"#,
            one,
        ),
        (
            r#"{"items":[{"item_id":"SKU-1","item_name":"Cup","price":10,"quantity":2,"item_brand":"ACME"}]}"#,
            r#"[{"id":"SKU-1","title":"Cup","item_price":10,"quantity":2,"brand":"ACME"}]"#,
        ),
        (
            r#"{"custom_data":{"contents":[{"id":"1","sku":"SKU-1","quantity":2,"price":10,"name":"Cup"}]}}"#,
            r#"[{"id":"1","sku":"SKU-1","quantity":2,"price":10,"name":"Cup"}]"#,
        ),
        (
            r#"{"custom_data":{"contents":[{"id":"1","quantity":1},{"id":"undefined","quantity":1},{"id":" ","quantity":1}]}}"#,
            r#"[{"id":"1","quantity":1}]"#,
        ),
        (
            r#"{"custom_data":{"contents":[{"id":"1","quantity":1}],"items":[{"id":"2","quantity":1}]}}"#,
            r#"[{"id":"1","quantity":1}]"#,
        ),
    ];
    assert_sent(&website(), "/custom_data/contents", &rows);
    let rows = [
        (r#"{"custom_data":{"items":3}}"#, "3"),
        (r#"{"custom_data":{"items":["a"]}}"#, r#"["a"]"#),
    ];
    assert_sent(&website(), "/custom_data/items", &rows);
}

/// Meta's libraries send what they call custom properties beside the others.
#[test]
fn custom_properties_are_sent_beside_the_others() {
    let rows = [
        (
            r#"{"custom_data":{"custom_properties":{"new_customer":1}}}"#,
            "1",
        ),
        (
            r#"{"custom_data":{"customProperties":{"new_customer":1}}}"#,
            "1",
        ),
        (
            r#"{"custom_data":{"new_customer":2,"custom_properties":{"new_customer":1}}}"#,
            "2",
        ),
    ];
    assert_sent(&website(), "/custom_data/new_customer", &rows);
    let event = patched(
        &website(),
        r#"{"custom_data":{"custom_properties":{"email":"a@b.de","order_id":"7"}}}"#,
    );
    let outcome = seal_value(&event);
    assert_eq!(outcome.codes(), ["custom_data_contact", "key_alias"]);
    assert_eq!(outcome.json()["custom_data"]["order_id"], "7");
    let told = patched(&website(), r#"{"new_customer":1}"#);
    assert_eq!(seal_value(&told).codes(), ["key_unknown"]);
}

#[test]
fn words_for_nothing_are_no_properties() {
    let event = patched(
        &website(),
        r#"{"custom_data":{"content_name":"undefined","order_id":"undefined","content_type":"null","search_string":"{{q}}",
            "content_category":" ","own":"undefined","other":"{{other}}","colour":"none","coupon":"unknown"}}"#,
    );
    let outcome = seal_value(&event);
    assert_eq!(outcome.codes(), ["value_empty", "value_placeholder"]);
    let expected: Value =
        json!({"value": 129.5, "currency": "EUR", "colour": "none", "coupon": "unknown"});
    assert_eq!(outcome.json()["custom_data"], expected);
}
