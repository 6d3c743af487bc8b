//! A flood of wrong events costs an app few refused requests, and good events none of their time.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{DATASET, TestGateway, start};

/// Purchases, of which every third is a lead instead that Meta refuses without a word about which it is.
fn purchases_and_wrong_leads(test: &TestGateway, count: usize) -> Value {
    let mut events = test.purchases((0..count).map(|number| format!("event-{number}")));
    for lead in events.as_array_mut().unwrap().iter_mut().step_by(3) {
        lead["event_name"] = json!("Lead");
        lead["custom_data"]["sandbox_refuse"] = json!("100/2804016");
    }
    events
}

async fn held(test: &TestGateway) -> u64 {
    let lane = test.lane_now(DATASET).await.unwrap_or_default();
    lane["held"].as_u64().unwrap_or_default()
}

async fn until_held(test: &TestGateway, is_so: impl Fn(u64) -> bool) -> u64 {
    for _ in 0..1_000 {
        let held = held(test).await;
        if is_so(held) {
            return held;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!(
        "{} stand back: {:?}",
        held(test).await,
        test.sandbox.stats()
    );
}

/// The refused requests that the others have paid for by now, and the time.
fn allowed(test: &TestGateway, minutes: u64) -> u64 {
    let stats = test.sandbox.stats();
    20 + (stats.requests - stats.refused) / 16 + minutes + 1
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_events_stand_back_when_too_many_requests_are_refused() {
    let test = start().await;
    let answer = test.post(&purchases_and_wrong_leads(&test, 600)).await;
    assert_eq!(answer.json()["accepted"], 600);
    // The good ones are through, and nothing was spent on more than a few of the wrong ones.
    test.arrived(400).await;
    let first = until_held(&test, |held| held > 0).await;
    let refused = test.sandbox.stats().refused;
    assert!((4..=allowed(&test, 0)).contains(&refused), "{refused}");
    assert!((150..200).contains(&first), "{first}");

    // What comes meanwhile goes out at once, but for its leads.
    let more = test.purchases((0..50).map(|number| format!("later-{number}")));
    test.post(&more).await;
    test.arrived(450).await;
    assert_eq!(test.lane_now(DATASET).await.unwrap()["state"], "flowing");

    // Half an hour later some of them are tried again, and no more than time has paid for.
    test.clock.jump(Duration::from_mins(31));
    test.post(&test.purchase("half an hour later")).await;
    test.arrived(451).await;
    let second = until_held(&test, |held| (1..first).contains(&held)).await;
    let refused_again = test.sandbox.stats().refused - refused;
    assert!(
        (1..=27).contains(&refused_again),
        "{refused_again} {second}"
    );
    let audit = test.finish().await;
    assert_eq!(audit.tally.delivered, 451);
    assert_eq!(audit.tally.waiting + audit.tally.refused, 200);
}

/// An event looks too old while the time is in doubt, and nobody can be asked about it.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_may_be_too_old_keeps_no_other_waiting() {
    let mut test = start().await;
    test.faults("reset everywhere");
    test.post(&test.purchase("old")).await;
    test.clock.jump(Duration::from_hours(8 * 24));
    test.restart().await;
    // Events arrive, but nothing is heard of Meta, nor what time it is.
    test.faults("reset late; reset everywhere");
    test.post(&test.purchase("new")).await;
    test.arrived(1).await;
    test.faults("");
    while test.metric("sluice_expired_events_total{").await == 0 {
        test.reload();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let audit = test.finish().await;
    assert_eq!((audit.tally.delivered, audit.tally.expired), (1, 1));
}
