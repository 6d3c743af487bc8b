//! `custom_data`: money, what was bought, and properties of the sender's own.

use serde_json::{Value, json};

use super::{Row, assert_codes, assert_sent, of_person, patched, seal_value, website};
use crate::support::seal;

fn lead() -> Value {
    of_person(r#"{"em":"john@example.com"}"#)
}

/// Meta refuses a Purchase without either (100/2804009 and 2804010).
#[test]
fn a_purchase_needs_value_and_currency() {
    let rows: &[Row<'_>] = &[
        (
            r#"{"custom_data":{"value":null}}"#,
            &["purchase_value_missing"],
        ),
        (
            r#"{"custom_data":{"currency":null}}"#,
            &["purchase_currency_missing"],
        ),
        (
            r#"{"custom_data":{"currency":null,"value":null}}"#,
            &["purchase_currency_missing", "purchase_value_missing"],
        ),
        (
            r#"{"custom_data":{"value":"free"}}"#,
            &["purchase_value_missing", "value_invalid"],
        ),
        (
            r#"{"custom_data":{"value":""}}"#,
            &["purchase_value_missing", "value_invalid"],
        ),
        (
            r#"{"custom_data":{"value":[1]}}"#,
            &["purchase_value_missing", "value_type"],
        ),
        (r#"{"custom_data":{"value":0}}"#, &[]),
        (r#"{"custom_data":{"value":"129.90"}}"#, &[]),
        (r#"{"custom_data":{"value":"129,90"}}"#, &["value_cleaned"]),
        (
            r#"{"custom_data":{"value":"1.234,56 €"}}"#,
            &["value_cleaned"],
        ),
        (
            r#"{"custom_data":{"value":"12.50 EUR"}}"#,
            &["value_cleaned"],
        ),
        (
            r#"{"custom_data":{"value":"12.50 USD"}}"#,
            &["purchase_value_missing", "value_invalid"],
        ),
        (
            r#"{"custom_data":{"value":"10k"}}"#,
            &["purchase_value_missing", "value_invalid"],
        ),
        (r#"{"custom_data":{"value":-5}}"#, &["value_negative"]),
        (r#"{"custom_data":{"currency":"eur"}}"#, &[]),
        (r#"{"custom_data":{"currency":" USD "}}"#, &[]),
        (
            r#"{"custom_data":{"currency":"HRK"}}"#,
            &["currency_withdrawn"],
        ),
        (
            r#"{"custom_data":{"currency":"EURO"}}"#,
            &["currency_unknown", "purchase_currency_missing"],
        ),
        (
            r#"{"custom_data":{"currency":"XAU"}}"#,
            &["currency_unknown", "purchase_currency_missing"],
        ),
        (
            r#"{"custom_data":{"currency":"US$"}}"#,
            &["currency_unknown", "purchase_currency_missing"],
        ),
        (
            r#"{"custom_data":{"currency":978}}"#,
            &["purchase_currency_missing", "value_type"],
        ),
    ];
    assert_codes(&website(), rows);
}

#[test]
fn currencies_are_sent_in_upper_case() {
    let rows = &[
        (r#"{"custom_data":{"currency":"eur"}}"#, r#""EUR""#),
        (r#"{"custom_data":{"currency":" Usd "}}"#, r#""USD""#),
        (r#"{"custom_data":{"currency":"JPY"}}"#, r#""JPY""#),
    ];
    assert_sent(&website(), "/custom_data/currency", rows);
}

/// Meta refuses a value without a currency (100/2804023); the event lives without the value.
#[test]
fn a_value_without_currency_is_left_out() {
    let rows: &[Row<'_>] = &[
        (r#"{"custom_data":{"value":12.5,"currency":"EUR"}}"#, &[]),
        (r#"{"custom_data":{"currency":"EUR"}}"#, &[]),
        (
            r#"{"custom_data":{"value":12.5}}"#,
            &["value_currency_missing"],
        ),
        (
            r#"{"custom_data":{"value":12.5,"currency":"EURO"}}"#,
            &["currency_unknown", "value_currency_missing"],
        ),
        (r#"{"custom_data":{"predicted_ltv":12.5}}"#, &[]),
    ];
    assert_codes(&lead(), rows);
    let sent = &[(r#"{"custom_data":{"value":12.5}}"#, "null")];
    assert_sent(&lead(), "/custom_data/value", sent);
}

/// Meta takes strings and integers: `1001.0` matches no catalogue, and is refused (100/2804019).
#[test]
fn ids_of_things_are_texts_or_whole_numbers() {
    let rows = &[
        (
            r#"{"custom_data":{"content_ids":[1001.0,1002.5,12345678901234567890,1e3,-7,42,"A"]}}"#,
            r#"["1001","1002.5","12345678901234567890","1000",-7,42,"A"]"#,
        ),
        (r#"{"custom_data":{"content_ids":1001.0}}"#, r#"["1001"]"#),
        (r#"{"custom_data":{"content_ids":42}}"#, "[42]"),
    ];
    assert_sent(&website(), "/custom_data/content_ids", rows);
}

/// A number of JSON says itself what its point means; but a template may have printed it.
#[test]
fn three_decimals_are_told() {
    let rows: &[Row<'_>] = &[
        (r#"{"custom_data":{"value":1.299}}"#, &["value_ambiguous"]),
        (
            r#"{"custom_data":{"value":-1.299}}"#,
            &["value_ambiguous", "value_negative"],
        ),
        (r#"{"custom_data":{"value":1.29}}"#, &[]),
        (r#"{"custom_data":{"value":0.299}}"#, &[]),
        (r#"{"custom_data":{"value":1234.299}}"#, &[]),
        (r#"{"custom_data":{"value":1.299,"currency":"KWD"}}"#, &[]),
        (
            r#"{"custom_data":{"contents":[{"id":"A","quantity":1,"item_price":8.403}]}}"#,
            &[],
        ),
        (r#"{"custom_data":{"max_rating_value":"1.299"}}"#, &[]),
    ];
    assert_codes(&website(), rows);
    let outcome = seal_value(&patched(&website(), r#"{"custom_data":{"value":"1.299"}}"#));
    let message = outcome.message("value_ambiguous");
    assert_eq!(
        message,
        "three digits behind the point, and EUR has 2 decimals; read as `1299`"
    );
}

#[test]
fn entries_of_contents_need_an_id_and_a_quantity() {
    let rows: &[(&str, &str, &[&str])] = &[
        (
            r#"[{"id":"A","quantity":2}]"#,
            r#"[{"id":"A","quantity":2}]"#,
            &[],
        ),
        (
            r#"[{"id":7,"quantity":"2"}]"#,
            r#"[{"id":"7","quantity":2}]"#,
            &[],
        ),
        (
            r#"[{"id":"A","quantity":2.0}]"#,
            r#"[{"id":"A","quantity":2}]"#,
            &[],
        ),
        (
            r#"[{"id":"A"}]"#,
            r#"[{"id":"A","quantity":1}]"#,
            &["contents_quantity"],
        ),
        (
            r#"[{"id":"A","quantity":0}]"#,
            r#"[{"id":"A","quantity":1}]"#,
            &["contents_quantity"],
        ),
        (
            r#"[{"id":"A","quantity":-1}]"#,
            r#"[{"id":"A","quantity":1}]"#,
            &["contents_quantity"],
        ),
        (
            r#"[{"id":"A","quantity":"1,000"},{"id":"B","quantity":"1 000"},{"id":"C","quantity":"2.000"}]"#,
            r#"[{"id":"A","quantity":1000},{"id":"B","quantity":1000},{"id":"C","quantity":2}]"#,
            &["value_cleaned"],
        ),
        (
            r#"[{"id":"A","quantity":"1.5"},{"id":"B","quantity":"1,5"},{"id":"C","quantity":"12,00"}]"#,
            r#"[{"id":"A","quantity":1},{"id":"B","quantity":1},{"id":"C","quantity":12}]"#,
            &["contents_quantity", "value_cleaned"],
        ),
        (
            r#"[{"id":"A","quantity":2,"item_price":"1.299 €"}]"#,
            r#"[{"id":"A","quantity":2,"item_price":1299}]"#,
            &["value_cleaned"],
        ),
        (
            r#"[{"id":"A","quantity":1.5}]"#,
            r#"[{"id":"A","quantity":1}]"#,
            &["contents_quantity"],
        ),
        (
            r#"[{"id":"A","quantity":null}]"#,
            r#"[{"id":"A","quantity":1}]"#,
            &["contents_quantity"],
        ),
        (
            r#"[{"quantity":1},{"id":"A","quantity":1}]"#,
            r#"[{"id":"A","quantity":1}]"#,
            &["contents_item_invalid"],
        ),
        (
            r#"[{"id":null,"quantity":1}]"#,
            "null",
            &["contents_item_invalid"],
        ),
        (
            r#"[{"id":"","quantity":1}]"#,
            "null",
            &["contents_item_invalid", "value_empty"],
        ),
        (
            r#"["A",{"id":"B","quantity":1}]"#,
            r#"[{"id":"B","quantity":1}]"#,
            &["contents_item_invalid"],
        ),
        (r"[null]", "null", &["contents_item_invalid"]),
        (r"[]", "null", &[]),
        (
            r#"{"id":"A","quantity":1}"#,
            r#"[{"id":"A","quantity":1}]"#,
            &["contents_invalid"],
        ),
        (r#""A""#, "null", &["contents_invalid"]),
        (r"5", "null", &["contents_invalid"]),
        (
            r#""[{\"id\":\"A\",\"quantity\":1}]""#,
            r#"[{"id":"A","quantity":1}]"#,
            &[],
        ),
        (
            r#"[{"id":"A","quantity":1,"item_price":"9,99"}]"#,
            r#"[{"id":"A","quantity":1,"item_price":9.99}]"#,
            &["value_cleaned"],
        ),
        (
            r#"[{"id":"A","quantity":1,"item_price":"?"}]"#,
            r#"[{"id":"A","quantity":1}]"#,
            &["value_invalid"],
        ),
        (
            r#"[{"id":"A","quantity":1,"delivery_category":"Home Delivery"}]"#,
            r#"[{"id":"A","quantity":1,"delivery_category":"home_delivery"}]"#,
            &[],
        ),
        (
            r#"[{"id":"A","quantity":1,"delivery_category":"drone"}]"#,
            r#"[{"id":"A","quantity":1}]"#,
            &["enum_unknown"],
        ),
        (
            r#"[{"id":"A","quantity":1,"tax":1.5,"title":"Shoe"}]"#,
            r#"[{"id":"A","quantity":1,"tax":1.5,"title":"Shoe"}]"#,
            &[],
        ),
        (
            r#"[{"id":"A","quantity":1,"title":{"de":"Schuh"}}]"#,
            r#"[{"id":"A","quantity":1}]"#,
            &["value_type"],
        ),
    ];
    // The patch would take `null` for "take away", so this table writes whole events.
    for (contents, sent, codes) in rows {
        let event = patched(&lead(), r#"{"custom_data":{"content_type":"product"}}"#).to_string();
        let event = event.replacen(
            r#""content_type":"product""#,
            &format!(r#""content_type":"product","contents":{contents}"#),
            1,
        );
        let outcome = seal(&event);
        assert_eq!(outcome.codes(), *codes, "{contents}");
        let sent: Value = serde_json::from_str(sent).unwrap();
        assert_eq!(
            outcome.json()["custom_data"]["contents"],
            sent,
            "{contents}"
        );
    }
}

#[test]
fn lists_of_ids_come_in_many_shapes() {
    for (ids, sent, codes) in [
        (r#"["A",7]"#, r#"["A",7]"#, &[][..]),
        (r#""A""#, r#"["A"]"#, &[]),
        ("7", "[7]", &[]),
        (r#""[\"A\",\"B\"]""#, r#"["A","B"]"#, &[]),
        (r#"["A",null,{"id":"B"}]"#, r#"["A"]"#, &["value_type"]),
        ("[]", "null", &[]),
        (r#""""#, "null", &["value_empty"]),
        (
            r#"["A"," ","undefined","{{id}}","sku_undefined"]"#,
            r#"["A"]"#,
            &["value_empty", "value_placeholder"],
        ),
        (r#"{"0":"A","3":"B"}"#, r#"["A","B"]"#, &[]),
        (r#""{\"0\":\"A\"}""#, r#"["A"]"#, &[]),
        (r#"{"a":"A"}"#, "null", &["value_type"]),
        (r#""A, B""#, r#"["A, B"]"#, &["list_in_text"]),
        ("{}", "null", &["value_type"]),
        ("true", "null", &["value_type"]),
    ] {
        let event = lead().to_string();
        let event = event.replacen(
            '{',
            &format!(r#"{{"custom_data":{{"content_ids":{ids}}},"#),
            1,
        );
        let outcome = seal(&event);
        assert_eq!(outcome.codes(), codes, "{ids}");
        let sent: Value = serde_json::from_str(sent).unwrap();
        assert_eq!(
            outcome
                .json()
                .pointer("/custom_data/content_ids")
                .unwrap_or(&Value::Null),
            &sent,
            "{ids}"
        );
    }
}

#[test]
fn values_outside_an_enumeration_are_left_out() {
    let rows: &[Row<'_>] = &[
        (r#"{"custom_data":{"delivery_category":"in_store"}}"#, &[]),
        (
            r#"{"custom_data":{"delivery_category":"Home Delivery"}}"#,
            &[],
        ),
        (
            r#"{"custom_data":{"delivery_category":"drone"}}"#,
            &["enum_unknown"],
        ),
        (
            r#"{"custom_data":{"delivery_category":5}}"#,
            &["value_type"],
        ),
        (
            r#"{"custom_data":{"customer_segmentation":"new_customer_to_business"}}"#,
            &[],
        ),
        (
            r#"{"custom_data":{"customer_segmentation":"regular"}}"#,
            &["enum_unknown"],
        ),
        (
            r#"{"customer_segmentation":"customer_in_loyalty_program"}"#,
            &[],
        ),
        (
            r#"{"attribution_data":{"attribution_model":"last_click"}}"#,
            &[],
        ),
        (
            r#"{"attribution_data":{"attribution_model":"best_guess"}}"#,
            &["enum_unknown"],
        ),
        (
            r#"{"attribution_data":{"attribution_method":"srn","decline_reason":"unknown"}}"#,
            &[],
        ),
        (
            r#"{"attribution_data":{"decline_reason":"no"}}"#,
            &["enum_unknown"],
        ),
    ];
    assert_codes(&lead(), rows);
}

/// Meta's table of event-level fields has `customer_segmentation` too, with the same nine values.
#[test]
fn customer_segmentation_is_an_enumeration_at_both_places() {
    let rows: &[Row<'_>] = &[(r#"{"customer_segmentation":"regular"}"#, &["enum_unknown"])];
    assert_codes(&lead(), rows);
}

#[test]
fn standard_properties_have_one_type_each() {
    let rows: &[Row<'_>] = &[
        (r#"{"custom_data":{"num_items":3}}"#, &[]),
        (r#"{"custom_data":{"num_items":"3"}}"#, &[]),
        (r#"{"custom_data":{"num_items":3.0}}"#, &[]),
        (r#"{"custom_data":{"num_items":3.5}}"#, &["value_type"]),
        (r#"{"custom_data":{"num_items":"many"}}"#, &["value_type"]),
        (r#"{"custom_data":{"content_name":5}}"#, &[]),
        (r#"{"custom_data":{"content_name":""}}"#, &["value_empty"]),
        (
            r#"{"custom_data":{"content_name":["Shoe"]}}"#,
            &["value_type"],
        ),
        (r#"{"custom_data":{"status":true}}"#, &[]),
        (r#"{"custom_data":{"status":"done"}}"#, &[]),
        (r#"{"custom_data":{"success":1}}"#, &[]),
        (r#"{"custom_data":{"success":"maybe"}}"#, &["value_type"]),
        (
            r#"{"custom_data":{"net_revenue":"12,50"}}"#,
            &["value_cleaned"],
        ),
        (
            r#"{"custom_data":{"predicted_ltv":"a lot"}}"#,
            &["value_invalid"],
        ),
        (r#"{"custom_data":{"store_data":{"store_code":"B1"}}}"#, &[]),
        (r#"{"custom_data":{"store_data":"B1"}}"#, &["value_type"]),
        (
            r#"{"original_event_data":{"event_time":"2026-09-01T00:00:00Z","event_id":"1"}}"#,
            &[],
        ),
        (
            r#"{"original_event_data":{"event_time":"last week"}}"#,
            &["value_type"],
        ),
        (
            r#"{"original_event_data":{"original_order_id":"1"}}"#,
            &["key_unknown"],
        ),
        (r#"{"opt_out":"yes"}"#, &[]),
        (r#"{"opt_out":"maybe"}"#, &["value_type"]),
    ];
    assert_codes(&lead(), rows);
}

#[test]
fn properties_of_the_senders_own_pass_unchanged() {
    let own = r#"{"custom_data":{"colour":"red","sizes":[38,39.50],"deep":{"a":{"b":[true,null]}},"n":12345678901234567890.10}}"#;
    let event = lead()
        .to_string()
        .replacen('{', &format!("{{{},", &own[1..own.len() - 1]), 1);
    let outcome = seal(&event);
    assert_eq!(outcome.codes(), [""; 0]);
    let sealed = outcome.sealed.unwrap();
    assert!(
        sealed.json().contains(&own[1..own.len() - 1]),
        "{}",
        sealed.json()
    );
}

/// The limited-beta event names every field that it lacks in one finding.
#[test]
fn append_attribution_needs_its_seven_fields() {
    let whole = patched(
        &lead(),
        r#"{"event_name":"AppendAttribution","custom_data":{"currency":"EUR"},
            "attribution_data":{"ad_id":6123456789,"touchpoint_ts":1789900000,"attribution_share":0.5,"attribution_value":10},
            "original_event_data":{"event_name":"Purchase","event_time":1789900000}}"#,
    );
    let rows: &[Row<'_>] = &[
        (
            r#"{"attribution_data":{"ad_id":null}}"#,
            &["attribution_incomplete"],
        ),
        (
            r#"{"attribution_data":{"touchpoint_ts":null}}"#,
            &["attribution_incomplete"],
        ),
        (
            r#"{"attribution_data":{"attribution_share":null}}"#,
            &["attribution_incomplete"],
        ),
        (
            r#"{"attribution_data":{"attribution_value":null}}"#,
            &["attribution_incomplete"],
        ),
        (
            r#"{"original_event_data":{"event_name":null}}"#,
            &["attribution_incomplete"],
        ),
        (
            r#"{"original_event_data":{"event_time":null}}"#,
            &["attribution_incomplete"],
        ),
        (
            r#"{"custom_data":{"currency":null}}"#,
            &["attribution_incomplete"],
        ),
    ];
    assert_codes(&whole, rows);
    let bare = patched(&lead(), r#"{"event_name":"AppendAttribution"}"#);
    let outcome = seal_value(&bare);
    for field in [
        "ad_id",
        "touchpoint_ts",
        "attribution_share",
        "attribution_value",
        "event_name",
        "event_time",
        "currency",
    ] {
        assert!(
            outcome.message("attribution_incomplete").contains(field),
            "{field}"
        );
    }
    assert_eq!(
        seal_value(&whole).json()["attribution_data"],
        json!({"ad_id":"6123456789","touchpoint_ts":1_789_900_000,"attribution_share":0.5,"attribution_value":10})
    );
}
