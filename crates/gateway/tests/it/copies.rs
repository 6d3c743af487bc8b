//! Copies that are none, and sales under two ids: what the sender hears.

use serde_json::{Value, json};

use crate::harness::{DATASET, KEY, TestGateway, start};
use crate::secrecy::BODY_KEY;

fn sale(test: &TestGateway, id: &str, person: &str, order: &str, value: u32) -> Value {
    let mut event = test.purchase(id);
    event["user_data"] = json!({ "em": person, "client_user_agent": "Mozilla/5.0" });
    event["custom_data"] = json!({ "currency": "USD", "value": value, "order_id": order });
    event
}

/// The codes of the warnings of an answer, with how many events each is about.
fn warnings(answer: &Value) -> Vec<(String, u64)> {
    let warnings = answer["warnings"].as_array().unwrap();
    let told = warnings.iter().map(|warning| {
        let code = warning["code"].as_str().unwrap().to_owned();
        (code, warning["events"].as_u64().unwrap())
    });
    told.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_another_sale_is_told() {
    let test = start().await;
    let first = sale(&test, "x1", "jane@example.com", "A", 10);
    test.post(&first).await;
    let copies = async |event: &Value| {
        let answer = test.post(event).await.json();
        assert_eq!(
            (&answer["accepted"], &answer["duplicates"]),
            (&json!(0), &json!(1)),
            "{answer}"
        );
        warnings(&answer)
    };
    assert_eq!(copies(&first).await, []);
    for (event, what) in [
        (
            sale(&test, "x1", "other@example.com", "A", 10),
            "the person",
        ),
        (sale(&test, "x1", "jane@example.com", "B", 10), "the order"),
        (
            sale(&test, "x1", "jane@example.com", "A", 999),
            "the amount",
        ),
    ] {
        let answer = test.post(&event).await.json();
        assert_eq!(
            warnings(&answer),
            [("copy_differs".to_owned(), 1)],
            "{answer}"
        );
        assert!(
            answer["warnings"][0]["message"]
                .as_str()
                .unwrap()
                .contains(what),
            "{answer}"
        );
    }
    // Within one request, too; the index is that of the copy, and counts what is no event.
    let body = json!([
        17,
        { "opt_out": false },
        sale(&test, "x2", "jane@example.com", "C", 10),
        sale(&test, "x2", "other@example.com", "C", 10),
    ]);
    let answer = test.post(&body).await.json();
    assert_eq!(
        warnings(&answer),
        [("copy_differs".to_owned(), 1)],
        "{answer}"
    );
    assert_eq!(answer["warnings"][0]["index"], 3, "{answer}");
    let path = format!("/v26.0/{DATASET}/events?access_token={KEY}");
    let body = json!({ "data": [sale(&test, "x1", "other@example.com", "A", 10)] });
    let answer = test.post_to(&path, &body).await.json();
    assert!(
        answer["messages"][0]
            .as_str()
            .unwrap()
            .contains("the person"),
        "{answer}"
    );
    test.arrived(2).await;
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_an_encrypted_event_is_compared_as_well() {
    let mut test = start().await;
    test.reconfigure(|config| {
        let key = format!("journal.encryption_key = \"{BODY_KEY}\"\n        journal.path");
        config.replace("journal.path", &key)
    });
    test.restart().await;
    test.post(&sale(&test, "x1", "jane@example.com", "A", 10))
        .await;
    let answer = test
        .post(&sale(&test, "x1", "jane@example.com", "A", 20))
        .await
        .json();
    assert_eq!(
        warnings(&answer),
        [("copy_differs".to_owned(), 1)],
        "{answer}"
    );
    test.arrived(1).await;
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_under_two_ids_is_told() {
    let test = start().await;
    let post = async |event: &Value| warnings(&test.post(event).await.json());
    let first = sale(&test, "u1", "jane@example.com", "o1", 10);
    assert_eq!(post(&first).await, []);
    assert_eq!(post(&first).await, [], "the same once more");
    let again = sale(&test, "u2", "jane@example.com", "o1", 10);
    assert_eq!(post(&again).await, [("order_repeated".to_owned(), 1)]);
    let mut other_name = sale(&test, "u3", "jane@example.com", "o1", 10);
    other_name["event_name"] = json!("Subscribe");
    assert_eq!(post(&other_name).await, [], "another event about the order");
    let other_order = sale(&test, "u4", "jane@example.com", "o2", 10);
    assert_eq!(post(&other_order).await, []);
    test.arrived(4).await;
    test.finish().await;
}
