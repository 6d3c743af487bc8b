//! How hard lanes push, and what the trouble of some events means for the others.

use std::time::Duration;

use serde_json::{Value, json};
use sluice_journal::{Books, EventFilter, Page, Selection};
use sluice_sandbox::TokenState;

use crate::client::request;
use crate::harness::{DATASET, OTHER_KEY, TOKEN, TestGateway, start, start_with};

/// Waits for a condition that takes its time.
async fn until(test: &TestGateway, what: &str, is_so: impl AsyncFn() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let came = tokio::time::timeout(Duration::from_mins(1), waiting).await;
    let (stats, lane) = (test.sandbox.stats(), test.lane_now(DATASET).await);
    assert!(
        came.is_ok(),
        "waited for {what} in vain: {stats:?} {lane:?}"
    );
}

fn purchases(test: &TestGateway, prefix: &str, count: usize) -> Value {
    test.purchases((1..=count).map(|number| format!("{prefix}-{number}")))
}

/// How many events are dead.
fn dead(test: &TestGateway) -> usize {
    let page = Page {
        before: None,
        limit: 1_000,
    };
    let books = Books::open(&test.journal()).unwrap();
    books.search(&EventFilter::dead(), page).unwrap().rows.len()
}

/// Neither the full batch nor the second request after trouble, of 50 events, gets through in its time.
#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_drains_through_a_thin_uplink() {
    let test = start_with("timeout_s = 1", "").await;
    test.faults("slow 60us/byte");
    let answer = test.post(&purchases(&test, "order", 100)).await;
    assert_eq!(answer.json()["accepted"], 100);
    until(&test, "the backlog", async || {
        test.sandbox.stats().distinct == 100
    })
    .await;
    let audit = test.finish().await;
    assert_eq!((audit.tally.delivered, audit.tally.waiting), (100, 0));
}

/// What no request can carry in its time is no reason to keep the others back.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_too_large_for_a_thin_uplink_stands_back() {
    let test = start_with("timeout_s = 1", "").await;
    test.faults("slow 10us/byte");
    let mut events = purchases(&test, "order", 40);
    events[7]["custom_data"]["note"] = json!("x".repeat(150_000));
    assert_eq!(test.post(&events).await.json()["accepted"], 40);
    until(&test, "the others", async || {
        // Lets the pauses be over.
        test.clock.jump(Duration::from_mins(5));
        test.reload();
        test.sandbox.stats().distinct == 39
    })
    .await;
    let audit = test.finish().await;
    assert_eq!((audit.tally.delivered, audit.tally.waiting), (39, 1));
}

/// Good events, and bad ones that Meta refuses without a word about which they are; returns when all are final. They
/// come in four batches with half an hour in between, so that the lane may have so many requests refused.
async fn with_dead_events(test: &TestGateway, good: usize, bad: usize) {
    for batch in 1..=4 {
        let mut events = purchases(test, &format!("order-{batch}"), (good + bad) / 4);
        for event in events.as_array_mut().unwrap().iter_mut().take(bad / 4) {
            event["custom_data"]["sandbox_refuse"] = json!("blind");
        }
        test.post(&events).await;
        until(test, "the bad events to be refused", async || {
            dead(test) == batch * bad / 4
        })
        .await;
        test.arrived((batch * good / 4) as u64).await;
        test.clock.jump(Duration::from_mins(30));
    }
}

fn replay_all(test: &TestGateway) -> u64 {
    let all = Selection::Filter(EventFilter::default());
    let now_ms = sluice_gateway::Clock::unix_ms(&*test.clock);
    let mut books = Books::open(&test.journal()).unwrap();
    books.replay(&all, now_ms).unwrap().replayed
}

async fn replays(test: &TestGateway) -> (Value, Value) {
    let mut lane = test.replays_now(DATASET).await.unwrap_or_default();
    (lane["state"].take(), lane["waiting"].take())
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_were_sent_again_are_refused_again_and_hold_up_nothing() {
    let test = start().await;
    with_dead_events(&test, 60, 20).await;
    let requests = test.sandbox.stats().requests;
    assert_eq!(replay_all(&test), 20);
    until(&test, "another try", async || {
        test.sandbox.stats().requests > requests
    })
    .await;
    until(&test, "the end of the trial", async || {
        replays(&test).await == (json!("flowing"), json!(0))
    })
    .await;
    assert_eq!(dead(&test), 20);
    assert_eq!(test.lane_now(DATASET).await.unwrap()["state"], "flowing");
    let audit = test.finish().await;
    assert_eq!((audit.tally.delivered, audit.tally.refused), (60, 20));
}

/// Nothing has gone through since the start, so the events may be right and the settings wrong.
#[tokio::test(flavor = "multi_thread")]
async fn a_trial_without_good_events_parks_only_itself_and_ends() {
    let mut test = start().await;
    with_dead_events(&test, 60, 20).await;
    test.restart().await;
    replay_all(&test);
    until(&test, "the trial to park", async || {
        replays(&test).await.0 == "parked"
    })
    .await;
    let lane = test.replays_now(DATASET).await.unwrap();
    let reason = lane["reason"].as_str().unwrap();
    assert!(reason.contains("one event after the other"), "{reason}");
    assert_eq!(test.lane_now(DATASET).await, None);
    let replays_parked = "sluice_lane_state{dataset=\"1234567890123456\",test=\"no\",replay=\"yes\",state=\"parked\"}";
    assert_eq!(test.metric(replays_parked).await, 1);
    // It goes on by itself, a few events at a time.
    let before = dead(&test);
    assert!((1..20).contains(&before), "{before}");
    test.clock.jump(Duration::from_secs(61));
    test.reload();
    until(&test, "more of the trial", async || dead(&test) > before).await;
    assert!(dead(&test) < 20);
    // A good event finds the way free, and shows that the settings are right.
    test.post(&test.purchase("good")).await;
    test.arrived(61).await;
    test.lane("flowing").await;
    until(&test, "the end of the trial", async || {
        test.reload();
        replays(&test).await == (json!("flowing"), json!(0))
    })
    .await;
    assert_eq!(dead(&test), 20);
    let audit = test.finish().await;
    assert_eq!((audit.tally.delivered, audit.tally.waiting), (61, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_were_sent_again_arrive_when_the_reason_was_mended() {
    let test = start().await;
    // Meta refuses every event, as for a wrong setting.
    test.faults("error 100/2804003 status 400");
    test.post(&purchases(&test, "order", 5)).await;
    until(&test, "the refusals", async || dead(&test) == 5).await;
    test.faults("");
    assert_eq!(replay_all(&test), 5);
    test.arrived(5).await;
    let audit = test.finish().await;
    assert_eq!((audit.tally.delivered, audit.tally.refused), (5, 0));
}

/// Posts five purchases that go to both datasets.
async fn post_five_to_both(test: &TestGateway) {
    let authorization = format!("Bearer {OTHER_KEY}");
    let headers = [
        ("Authorization", authorization.as_str()),
        ("Content-Type", "application/json"),
    ];
    let body = purchases(test, "both", 5).to_string();
    let body = body.as_bytes();
    request(test.address(), "POST", "/v1/events", &headers, body).await;
}

/// Both datasets have one token, and so one budget.
#[tokio::test(flavor = "multi_thread")]
async fn the_budget_of_the_hour_survives_a_restart() {
    let mut test = start_with("events_per_hour_max = 10", "").await;
    post_five_to_both(&test).await;
    test.arrived(10).await;
    test.restart().await;
    test.post(&purchases(&test, "later", 5)).await;
    let reason = test.lane("throttled").await;
    assert!(reason.contains("events_per_hour_max"), "{reason}");
    assert_eq!(test.sandbox.stats().distinct, 10);
    test.clock.jump(Duration::from_mins(61));
    test.reload();
    test.arrived(15).await;
    test.finish().await;
}

/// Requests that take nothing to Meta take nothing of the hour.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_sent_takes_nothing_of_the_hour() {
    let test = start_with("events_per_hour_max = 600", "").await;
    test.token(TOKEN, TokenState::Expired);
    test.post(&purchases(&test, "order", 600)).await;
    test.lane("parked").await;
    for looks in 2..=4 {
        until(&test, "a look", async || {
            test.reload();
            test.sandbox.stats().requests >= looks
        })
        .await;
    }
    test.token(TOKEN, TokenState::Valid);
    until(&test, "all of them", async || {
        test.reload();
        test.sandbox.stats().distinct == 600
    })
    .await;
    test.finish().await;
}

/// Both datasets have one token, and so one budget: what one of them has taken and not used is the other's.
#[tokio::test(flavor = "multi_thread")]
async fn a_lane_hears_that_another_one_gave_back_what_it_took_of_the_hour() {
    let test = start_with("events_per_hour_max = 10\ntimeout_s = 60", "").await;
    test.faults(&format!(
        "slow 3s x 1 on {DATASET}; throttle 80004 x 1 regain 50m on {DATASET}"
    ));
    // Ten are on their way, and the last one finds nothing left.
    test.post(&purchases(&test, "order", 11)).await;
    test.lane("throttled").await;
    post_five_to_both(&test).await;
    until(&test, "the other dataset's events", async || {
        test.sandbox.stats().distinct == 5
    })
    .await;
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_the_lanes_own_size_does_not_linger() {
    for limit in ["batch_events_max = 5", "batch_bytes_max = 4000"] {
        // The last one stands: a batch that is not full leaves after a minute.
        let test = start_with(limit, "linger_ms = 60000").await;
        for number in 1..=20 {
            test.post(&test.purchase(&format!("order-{number}"))).await;
        }
        until(&test, "full batches", async || {
            test.sandbox.stats().distinct >= 10
        })
        .await;
        test.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_close_to_their_end_go_before_those_that_came_earlier() {
    let test = start_with("batch_events_max = 1\nin_flight_max = 1", "").await;
    test.token(TOKEN, TokenState::Expired);
    let mut events = purchases(&test, "order", 4);
    // Four hours are left of its seven days.
    let event_time = events[3]["event_time"].as_u64().unwrap();
    events[3]["event_time"] = json!(event_time - (7 * 24 - 4) * 3_600);
    test.post(&events).await;
    test.lane("parked").await;
    test.token(TOKEN, TokenState::Valid);
    test.reload();
    test.arrived(4).await;
    let arrived: Vec<Value> = test
        .sandbox
        .received()
        .iter()
        .filter(|event| event.refused.is_none())
        .map(|event| serde_json::from_str(event.event.get()).unwrap())
        .collect();
    assert_eq!(arrived[0]["event_id"], "order-4");
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_stand_back_are_tried_again_after_half_an_hour() {
    let test = start().await;
    let mut events = purchases(&test, "order", 40);
    events[7]["custom_data"]["sandbox_refuse"] = json!("100/2804065");
    test.post(&events).await;
    let held = async || test.lane_now(DATASET).await.unwrap_or_default()["held"].take();
    until(&test, "one to stand back", async || held().await == 1).await;
    let refused = test.sandbox.stats().refused;
    test.clock.jump(Duration::from_mins(29));
    test.post(&test.purchase("too early")).await;
    test.arrived(40).await;
    assert_eq!(
        (held().await, test.sandbox.stats().refused),
        (json!(1), refused)
    );
    test.clock.jump(Duration::from_mins(2));
    test.post(&test.purchase("in time")).await;
    until(&test, "another try", async || {
        test.sandbox.stats().refused > refused
    })
    .await;
    until(&test, "it to stand back again", async || {
        // It was tried before the other came: alone it shows nothing about others, and the lane parks.
        let lane = test.lane_now(DATASET).await.unwrap_or_default();
        if lane["state"] == "parked" {
            let number = test.sandbox.stats().distinct;
            test.post(&test.purchase(&format!("beside it {number}")))
                .await;
            test.reload();
        }
        lane["held"] == 1 && lane["waiting"] == 1
    })
    .await;
    let distinct = test.sandbox.stats().distinct;
    let audit = test.finish().await;
    assert!(distinct >= 41, "{distinct}");
    assert_eq!((audit.tally.delivered, audit.tally.waiting), (distinct, 1));
}
