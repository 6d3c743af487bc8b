//! What was bought, and for how much.

use super::currency::{is_currency, is_withdrawn};
use super::event::Head;
use super::{Remarks, wrong};
use crate::answer::GraphError;
use crate::value::Value;

pub(super) fn check(
    event: &Value<'_>,
    head: &Head<'_>,
    index: usize,
    remarks: &mut Remarks<'_>,
) -> Result<(), GraphError> {
    let custom = event.given("custom_data").unwrap_or(&Value::Null);
    money(custom, head, index, remarks)?;
    contents(custom, index, remarks)?;
    content_ids(custom, index, remarks)
}

/// A value by its website name or, for apps, by its app name.
fn either<'v>(
    custom: &'v Value<'v>,
    head: &Head<'_>,
    web: &str,
    app: &str,
) -> Option<&'v Value<'v>> {
    let by_app = || custom.given(app).filter(|_| head.action_source == "app");
    custom.given(web).or_else(by_app)
}

fn money(
    custom: &Value<'_>,
    head: &Head<'_>,
    index: usize,
    remarks: &mut Remarks<'_>,
) -> Result<(), GraphError> {
    let value = either(custom, head, "value", "_valueToSum");
    let currency = either(custom, head, "currency", "fb_currency");
    let is_empty = |value: &&Value<'_>| value.text() == Some("");
    let (value, currency) = (
        value.filter(|value| !is_empty(value)),
        currency.filter(|currency| !is_empty(currency)),
    );
    if head.name == "Purchase" {
        // A sale with neither is reported to be refused for its currency.
        if currency.is_none() {
            return Err(GraphError::refused(
                2_804_010,
                "Purchase Without Currency",
                "A Purchase needs custom_data.currency.",
            ));
        }
        if value.is_none() {
            return Err(GraphError::refused(
                2_804_009,
                "Purchase Without Value",
                "A Purchase needs custom_data.value.",
            ));
        }
    }
    let is_number = |value: &Value<'_>| match value {
        Value::Integer(_) | Value::Float(_) => true,
        Value::Text(text) => text.parse::<f64>().is_ok_and(f64::is_finite),
        _ => false,
    };
    if value.is_some_and(|value| !is_number(value)) {
        return Err(wrong(index, &["custom_data", "value"], "must be a number"));
    }
    if let Some(code) = currency
        .and_then(Value::text)
        .filter(|code| is_withdrawn(code))
    {
        remarks.add(|| format!("{code} was withdrawn: whether Meta still takes it is not known"));
    }
    let wrong_currency = match currency {
        Some(currency) => !currency.text().is_some_and(is_currency),
        None => value.is_some(),
    };
    if wrong_currency {
        return Err(GraphError::refused(
            2_804_023,
            "Invalid Currency",
            "custom_data.value needs custom_data.currency, a code of ISO 4217 such as USD.",
        ));
    }
    Ok(())
}

fn contents(custom: &Value<'_>, index: usize, remarks: &mut Remarks<'_>) -> Result<(), GraphError> {
    let Some(contents) = custom.given("contents") else {
        return Ok(());
    };
    let Value::List(items) = contents else {
        return Err(wrong(
            index,
            &["custom_data", "contents"],
            "must be an array",
        ));
    };
    for item in items {
        let id = item.given("id").and_then(Value::text_or_number);
        if id.is_none_or(|id| id.is_empty()) {
            return Err(GraphError::refused(
                2_804_008,
                "Invalid Contents",
                "custom_data.contents has to be a list of JSON objects, each with an id.",
            ));
        }
        if item.given("quantity").is_none() {
            remarks.add(|| "an item of contents has no quantity".to_owned());
        }
    }
    Ok(())
}

fn content_ids(
    custom: &Value<'_>,
    index: usize,
    remarks: &mut Remarks<'_>,
) -> Result<(), GraphError> {
    let Some(ids) = custom.given("content_ids") else {
        return Ok(());
    };
    let path = ["custom_data", "content_ids"];
    if ids.items().iter().any(|id| id.text_or_number().is_none()) {
        return Err(wrong(
            index,
            &path,
            "must be an array of strings or integers",
        ));
    }
    if !matches!(ids, Value::List(_)) {
        remarks.add(|| "content_ids is a single value, not a list".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{remarks_of, table};

    #[test]
    fn a_purchase_has_value_and_currency() {
        let rows = [
            (r#"{"value":9.5,"currency":"USD"}"#, 0),
            (r#"{"value":"142.52","currency":"usd"}"#, 0),
            (r#"{"value":0,"currency":"USD"}"#, 0),
            (r#"{"currency":"USD"}"#, 2_804_009),
            (r#"{"value":"","currency":"USD"}"#, 2_804_009),
            (r#"{"value":9.5}"#, 2_804_010),
            ("{}", 2_804_010),
            ("null", 2_804_010),
            (r#"{"value":9.5,"currency":"BYR"}"#, 0),
            (r#"{"value":9.5,"currency":"EURO"}"#, 2_804_023),
            (r#"{"value":"nine","currency":"USD"}"#, 2_804_019),
            (r#"{"value":"NaN","currency":"USD"}"#, 2_804_019),
            (r#"{"_valueToSum":9.5,"fb_currency":"USD"}"#, 2_804_010),
        ];
        for (custom_data, subcode) in rows {
            let changes = format!(r#"{{"event_name":"Purchase","custom_data":{custom_data}}}"#);
            table(&[(&changes, subcode)]);
        }
    }

    #[test]
    fn other_events_need_a_currency_only_beside_a_value() {
        table(&[
            (r#"{"custom_data":{}}"#, 0),
            (r#"{"custom_data":{"currency":"XYZ"}}"#, 2_804_023),
            (r#"{"custom_data":{"currency":["USD"]}}"#, 2_804_023),
            (r#"{"custom_data":{"value":1}}"#, 2_804_023),
            (r#"{"custom_data":{"value":1,"currency":"US$"}}"#, 2_804_023),
        ]);
    }

    #[test]
    fn contents_are_objects_with_an_id() {
        table(&[
            (
                r#"{"custom_data":{"contents":[{"id":"A","quantity":1}]}}"#,
                0,
            ),
            (r#"{"custom_data":{"contents":[]}}"#, 0),
            (r#"{"custom_data":{"contents":[{"id":17}]}}"#, 0),
            (
                r#"{"custom_data":{"contents":[{"quantity":1}]}}"#,
                2_804_008,
            ),
            (r#"{"custom_data":{"contents":["A"]}}"#, 2_804_008),
            (
                r#"{"custom_data":{"contents":"[{\"id\":\"A\"}]"}}"#,
                2_804_019,
            ),
            (r#"{"custom_data":{"contents":{"id":"A"}}}"#, 2_804_019),
            (r#"{"custom_data":{"content_ids":["A",2]}}"#, 0),
            (r#"{"custom_data":{"content_ids":[["A"]]}}"#, 2_804_019),
        ]);
        let text = remarks_of(r#"{"custom_data":{"contents":[{"id":"A"}],"content_ids":"A"}}"#);
        assert!(
            text.contains("no quantity") && text.contains("not a list"),
            "{text}"
        );
    }
}
