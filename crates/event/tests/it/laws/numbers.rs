//! Numbers are text from beginning to end: no cent is lost, no zero disappears.

use proptest::prelude::*;

use super::config;
use crate::support::seal;

/// The literal that was sealed for `key`, byte for byte.
fn sealed_literal(json: &str, key: &str) -> String {
    let start = json.find(&format!("\"{key}\":")).expect("the key is there") + key.len() + 3;
    let end = json[start..]
        .find([',', '}', ']'])
        .expect("the object ends");
    json[start..start + end].to_owned()
}

fn check(literal: &str) -> Result<(), TestCaseError> {
    // As a number and as text: both keys take either. In a currency whose shops put dots between thousands,
    // `1.234` as text would be another number.
    for quote in ["", "\""] {
        let event = format!(
            r#"{{"event_name":"Purchase","event_time":1789999940,"event_id":"1","action_source":"chat","user_data":{{"em":"a@b.de"}},
                "custom_data":{{"value":{quote}{literal}{quote},"currency":"USD","own":{literal},"net_revenue":{quote}{literal}{quote},
                "contents":[{{"id":"1","item_price":{quote}{literal}{quote},"quantity":1}}]}}}}"#
        );
        let sealed = seal(&event).sealed;
        prop_assert!(sealed.is_some(), "{literal} was refused");
        let json = sealed
            .map(sluice_event::SealedEvent::into_json)
            .unwrap_or_default();
        for key in ["value", "item_price", "net_revenue", "own"] {
            prop_assert_eq!(sealed_literal(&json, key), literal, "{}", key);
        }
    }
    Ok(())
}

#[test]
fn well_known_literals_keep_their_text() {
    for literal in [
        "129.90",
        "12.000000",
        "0.1",
        "0.10",
        "0",
        "0.0",
        "1234567890.123456789",
        "9007199254740993",
        "123456789012345678901234567890",
        "19.99",
        "1e2",
        "1.5E-7",
        "0.30000000000000000000000000000000000004",
    ] {
        check(literal).unwrap_or_else(|error| panic!("{literal}: {error}"));
    }
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn decimal_literals_keep_their_text(literal in "(0|[1-9][0-9]{0,14})(\\.[0-9]{1,12})?") {
        check(&literal)?;
    }
}
