//! What two events with one id have to have in common, if the second is a copy of the first.
//!
//! Meta takes the first of two events with one name and id and drops the second, whoever it is about. When the
//! second is about another person, order or amount, a sale is lost that way, and the sender has to hear of it.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::json::{Kind, Raw};
use crate::nothing;
use crate::properties::Properties;

/// Fields of `user_data` by which two events are about two people, if both have them and they share no value.
const PERSON: [&str; 4] = ["em", "ph", "external_id", "lead_id"];

/// The first thing that two sealed events differ in, by what each of them says: the person, the order or the
/// amount. `None` if the second may be a copy of the first.
pub fn difference(first: &str, second: &str) -> Option<&'static str> {
    let first = Raw::parse(first).ok()?;
    let second = Raw::parse(second).ok()?;
    let both = |section: &str| Some((member(first, section)?, member(second, section)?));
    if let Some((one, other)) = both("user_data")
        && are_two_people(one, other)
    {
        return Some("the person");
    }
    let (one, other) = both("custom_data")?;
    let differs = |key: &str| match (member(one, key), member(other, key)) {
        (Some(one), Some(other)) => !is_same(one, other),
        _ => false,
    };
    if differs("order_id") {
        return Some("the order");
    }
    (differs("value") || differs("currency")).then_some("the amount")
}

/// A hash of the order that an event is about, with its item where a store sends one for each; `None` if it names
/// none.
pub(crate) fn order_of(custom_data: &Properties<'_>) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    let order = custom_data.get("order_id")?.raw();
    let order = order.as_text().or(order.as_digits())?;
    if nothing::is_no_id(order.trim()) {
        return None;
    }
    order.trim().hash(&mut hasher);
    if let Some(item) = custom_data.get("item_number") {
        let item = item.raw();
        item.as_text().or(item.as_digits()).hash(&mut hasher);
    }
    Some(hasher.finish())
}

fn member<'a>(object: Raw<'a>, key: &str) -> Option<Raw<'a>> {
    let mut members = object.members();
    members
        .find(|(known, _)| known == key)
        .map(|(_, value)| value)
}

/// Whether two people differ by every field that tells people apart and that both have.
fn are_two_people(one: Raw<'_>, other: Raw<'_>) -> bool {
    let mut shared = PERSON
        .iter()
        .filter_map(|field| Some((member(one, field)?, member(other, field)?)));
    let mut differs = false;
    let are_apart = shared.all(|(one, other)| {
        differs = true;
        !values(one).any(|value| values(other).any(|known| known == value))
    });
    differs && are_apart
}

/// The values of a field, one or many.
fn values(raw: Raw<'_>) -> impl Iterator<Item = Cow<'_, str>> {
    let single = (raw.kind() != Kind::Array).then_some(raw);
    single
        .into_iter()
        .chain(raw.items())
        .filter_map(|value| value.as_text().or(value.as_digits()))
}

/// Whether two values say the same: `10` and `10.00` do.
fn is_same(one: Raw<'_>, other: Raw<'_>) -> bool {
    let text = |raw: Raw<'_>| {
        raw.as_text()
            .unwrap_or(Cow::Owned(raw.text().to_owned()))
            .into_owned()
    };
    let (one, other) = (text(one), text(other));
    let number = |text: &str| text.parse::<f64>().ok();
    one == other || number(&one).is_some_and(|number_of_one| Some(number_of_one) == number(&other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_share_person_order_and_amount() {
        let event = |user: &str, custom: &str| {
            format!(r#"{{"user_data":{{{user}}},"custom_data":{{{custom}}}}}"#)
        };
        let first = event(
            r#""em":["a","b"],"ph":["1"],"fbp":"x""#,
            r#""order_id":"A","value":10,"currency":"EUR""#,
        );
        for (user, custom, expected) in [
            (
                r#""em":["a"]"#,
                r#""order_id":"A","value":10.00,"currency":"EUR""#,
                None,
            ),
            (r#""em":["c"],"ph":["1"]"#, r#""value":10"#, None),
            (r#""fbp":"y""#, r#""order_id":"A""#, None),
            ("", "", None),
            (r#""em":["c"]"#, r#""order_id":"A""#, Some("the person")),
            (r#""em":["c"],"ph":["2"]"#, "", Some("the person")),
            (
                r#""em":["a"]"#,
                r#""order_id":"B","value":99"#,
                Some("the order"),
            ),
            (r#""em":["a"]"#, r#""value":99"#, Some("the amount")),
            (
                r#""em":["a"]"#,
                r#""value":10,"currency":"USD""#,
                Some("the amount"),
            ),
        ] {
            assert_eq!(
                difference(&first, &event(user, custom)),
                expected,
                "{user} {custom}"
            );
        }
        assert_eq!(difference(&first, "damaged"), None);
    }
}
