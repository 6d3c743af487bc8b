//! One event that does not go through, and is not refused either, is no reason to keep the others back.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{DATASET, TestGateway, start, start_with};

/// How many purchases there are, one of which asks for an error.
const COUNT: usize = 40;

async fn post_with_odd_one(test: &TestGateway, error: &str) {
    let mut events = test.purchases((1..=COUNT).map(|number| format!("order-{number}")));
    events[7]["custom_data"]["sandbox_refuse"] = json!(error);
    assert_eq!(test.post(&events).await.json()["accepted"], COUNT);
}

async fn lane(test: &TestGateway) -> Value {
    test.lane_now(DATASET).await.unwrap()
}

async fn until_held(test: &TestGateway, count: usize) {
    for _ in 0..500 {
        if lane(test).await["held"] == count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{count} did not stand back: {}", lane(test).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_another_page_stands_back() {
    let test = start().await;
    post_with_odd_one(&test, "100/2804065").await;
    test.arrived(COUNT as u64 - 1).await;
    until_held(&test, 1).await;
    let now = lane(&test).await;
    assert_eq!(
        (&now["state"], &now["waiting"]),
        (&json!("flowing"), &json!(1))
    );
    // Keys count from 1.
    assert_eq!(now["held_keys"], json!([8]));
    let requests = test.sandbox.stats().requests;
    // Cut to the one it is, with a witness, and all others settled on the way.
    assert!(requests <= 2 * 6 + 3, "{requests}");

    // It is tried again when something may have been mended.
    test.reload();
    test.until("another try", || test.sandbox.stats().requests > requests)
        .await;
    let audit = test.finish().await;
    let tally = audit.tally;
    assert_eq!((tally.delivered, tally.waiting, tally.refused), (39, 1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn when_none_fits_the_lane_parks() {
    let test = start().await;
    test.faults("error 100/2804131 status 400");
    test.post(&test.purchases((0..COUNT).map(|number| number.to_string())))
        .await;
    let reason = test.lane("parked").await;
    assert!(reason.contains("no Page"), "{reason}");
    let requests = test.sandbox.stats().requests;
    assert!(requests <= 1 + 8, "{requests}");
    test.faults("");
    test.reload();
    test.arrived(COUNT as u64).await;
    test.finish().await;
}

/// A proxy on the way that takes little keeps back what is too large for it, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_too_large_for_a_proxy_stands_back() {
    let test = start().await;
    test.faults("html 413 over 4000");
    let mut events = test.purchases((1..=COUNT).map(|number| format!("order-{number}")));
    events[7]["custom_data"]["note"] = json!("x".repeat(5_000));
    assert_eq!(test.post(&events).await.json()["accepted"], COUNT);
    test.arrived(COUNT as u64 - 1).await;
    until_held(&test, 1).await;
    let now = lane(&test).await;
    assert_eq!(
        (&now["state"], &now["held_keys"]),
        (&json!("flowing"), &json!([8]))
    );
    test.faults("html 413 over 10");
    test.post(&test.purchases(["one".to_owned()])).await;
    let reason = test.lane("parked").await;
    assert!(reason.contains("bodies of 1 MB"), "{reason}");
    test.faults("");
    test.reload();
    test.arrived(COUNT as u64 + 1).await;
    test.finish().await;
}

/// What looks like a bad day of Meta's, and is one event.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_meta_stumbles_over_stands_back() {
    let test = start().await;
    post_with_odd_one(&test, "1").await;
    // Not at once: most such troubles pass by themselves.
    test.lane("throttled").await;
    assert_eq!(test.sandbox.stats().distinct, 0);
    for _ in 0..400 {
        if test.sandbox.stats().distinct == COUNT as u64 - 1 {
            break;
        }
        // Lets the pauses be over.
        test.clock.jump(Duration::from_mins(5));
        test.reload();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    test.arrived(COUNT as u64 - 1).await;
    let audit = test.finish().await;
    let tally = audit.tally;
    assert_eq!((tally.delivered, tally.waiting, tally.refused), (39, 1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_says_when_the_budget_of_the_hour_is_used_up() {
    let test = start_with("events_per_hour_max = 10", "").await;
    post_with_odd_one(&test, "index").await;
    let reason = test.lane("throttled").await;
    assert!(reason.contains("events_per_hour_max"), "{reason}");
    let audit = test.finish().await;
    // The one that Meta refused took nothing of the hour.
    let tally = audit.tally;
    assert!(tally.delivered <= 10 && tally.refused == 1, "{tally:?}");
    assert!(tally.waiting >= 29, "{tally:?}");
}
