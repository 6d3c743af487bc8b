//! Events of business messaging, which Meta counts as often as they arrive: whatever is lost on the way, none
//! counts twice, and what may not have arrived is told.

use serde_json::{Value, json};
use sluice_journal::{Books, EventFilter, EventKey, EventState, Page, Selection};

use crate::client::request;
use crate::harness::{TestGateway, start, start_with};

fn message(test: &TestGateway, id: &str) -> Value {
    json!({
        "event_name": "Purchase", "event_id": id, "event_time": test.clock.unix_s() - 5,
        "action_source": "business_messaging", "messaging_channel": "messenger",
        "user_data": {"page_id": "1029384756", "page_scoped_user_id": "5647382910"},
        "custom_data": {"currency": "USD", "value": 129.99}
    })
}

/// Three messages among three purchases. The request of the messages has more than 10,000 bytes, that of the
/// purchases has less.
fn mixed(test: &TestGateway) -> Value {
    let event = |number: usize| {
        if number.is_multiple_of(2) {
            return test.purchase(&format!("purchase-{}", number + 1));
        }
        let mut message = message(test, &format!("message-{number}"));
        message["custom_data"]["note"] = json!("x".repeat(10_000));
        message
    };
    (0..6).map(event).collect()
}

fn withheld(test: &TestGateway) -> Vec<(EventKey, String)> {
    let filter = EventFilter {
        states: vec![EventState::Withheld],
        ..EventFilter::default()
    };
    let page = Page {
        before: None,
        limit: 100,
    };
    let books = Books::open(&test.journal()).unwrap();
    let events = books.search(&filter, page).unwrap().rows;
    let events = events.into_iter();
    events.map(|event| (event.key, event.cause.text)).collect()
}

async fn until_withheld(test: &TestGateway, count: usize) {
    test.until("events to be withheld", || withheld(test).len() == count)
        .await;
}

/// Whether each event that arrived came once.
fn all_came_once(test: &TestGateway) -> bool {
    test.sandbox.ids().iter().all(|id| id.received == 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_makes_no_message_count_twice() {
    for fault in [
        "reset x 1 late",
        "hang x 1 late",
        "half-body x 1",
        "html 200 x 1 late",
        "html 502 x 1 late",
        "empty 504 x 1 late",
    ] {
        let test = start_with("timeout_s = 1", "").await;
        test.faults(fault);
        let messages: Value = (0..3).map(|it| message(&test, &it.to_string())).collect();
        assert_eq!(test.post(&messages).await.json()["accepted"], 3);
        until_withheld(&test, 3).await;
        // The lane is well: what comes next goes out.
        test.post(&message(&test, "next")).await;
        test.arrived(4).await;
        assert!(all_came_once(&test), "{fault}");
        let metrics = request(test.admin(), "GET", "/metrics", &[], b"").await;
        let line = "sluice_withheld_events_total{dataset=\"1234567890123456\"} 3";
        assert!(metrics.body.contains(line), "{}", metrics.body);
        let audit = test.finish().await;
        let tally = audit.tally;
        assert_eq!((tally.delivered, tally.withheld), (1, 3), "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_proves_that_nothing_was_taken_withholds_nothing() {
    let test = start().await;
    let faults = [
        "500 x 1",
        "429 x 1",
        "throttle 4 x 1",
        "200-error x 1",
        "html 403 x 1",
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        test.faults(fault);
        test.post(&message(&test, fault)).await;
        test.until("the fault to be over", || {
            test.reload();
            test.clock.jump(std::time::Duration::from_mins(6));
            test.sandbox.stats().distinct == number as u64 + 1
        })
        .await;
    }
    assert!(all_came_once(&test));
    let audit = test.finish().await;
    assert_eq!((audit.tally.delivered, audit.tally.withheld), (5, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_neighbours_of_a_lost_message_are_sent_as_ever() {
    let test = start().await;
    // The first request has the purchases. After that trouble the requests are small: one message goes first.
    test.faults("reset x 1 late; reset x 1 late over 10000");
    test.post(&mixed(&test)).await;
    until_withheld(&test, 1).await;
    test.arrived(6).await;
    test.until("the others to be settled", || {
        let audit = Books::open(&test.journal()).unwrap().audit().unwrap();
        audit.tally.waiting == 0
    })
    .await;
    let audit = test.finish().await;
    assert_eq!((audit.tally.delivered, audit.tally.withheld), (5, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_did_not_arrive_is_sent_again_by_hand() {
    let test = start().await;
    test.faults("reset x 1");
    test.post(&message(&test, "one")).await;
    until_withheld(&test, 1).await;
    let (key, why) = withheld(&test).remove(0);
    assert!(why.contains("may have arrived"), "{why}");
    // Its copies are copies: it may be there.
    assert_eq!(
        test.post(&message(&test, "one")).await.json()["duplicates"],
        1
    );
    let mut books = Books::open(&test.journal()).unwrap();
    let now_ms = u64::try_from(test.clock.unix_s()).unwrap() * 1_000;
    let replayed = books.replay(&Selection::Keys(vec![key]), now_ms).unwrap();
    assert_eq!(replayed.replayed, 1);
    test.arrived(1).await;
    let audit = test.finish().await;
    assert_eq!((audit.tally.delivered, audit.tally.withheld), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_all_of_them_to_count_gets_them_twice() {
    let test = start_with("messaging_after_lost_answer = \"resend\"", "").await;
    test.faults("reset x 1 late");
    test.post(&message(&test, "one")).await;
    // Meta counts it once more.
    test.arrived(2).await;
    let audit = test.finish().await;
    assert_eq!((audit.tally.delivered, audit.tally.withheld), (1, 0));
}

/// The process dies between Meta's answer and the commit that records it.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_post_and_settle_makes_no_message_count_twice() {
    let mut test = start_with("timeout_s = 1", "").await;
    test.faults("hang x 1 late over 10000");
    test.post(&mixed(&test)).await;
    test.until("the messages to arrive", || {
        test.sandbox.stats().distinct == 6
    })
    .await;
    test.restart_as_after_a_kill().await;
    until_withheld(&test, 3).await;
    test.post(&message(&test, "next")).await;
    test.arrived(7).await;
    let messages = test.sandbox.ids().into_iter();
    let mut messages = messages.filter(|id| id.event_id.starts_with("message"));
    assert!(messages.all(|id| id.received == 1));
    let audit = test.finish().await;
    assert_eq!((audit.tally.delivered, audit.tally.withheld), (4, 3));
}

/// The message of another Page is found with the help of one that goes through alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_witness_counts_once() {
    let test = start().await;
    let mut messages: Vec<_> = (0..20).map(|it| message(&test, &it.to_string())).collect();
    messages[7]["custom_data"]["sandbox_refuse"] = json!("100/2804065");
    test.post(&Value::from(messages)).await;
    test.until("all others", || test.sandbox.ids().len() == 19)
        .await;
    let held = async {
        while test.lane_now(crate::harness::DATASET).await.unwrap()["held"] != 1 {
            tokio::task::yield_now().await;
        }
    };
    let held = tokio::time::timeout(std::time::Duration::from_secs(20), held).await;
    assert!(held.is_ok(), "the odd one does not stand back");
    assert!(all_came_once(&test));
    let audit = test.finish().await;
    assert_eq!((audit.tally.delivered, audit.tally.waiting), (19, 1));
}
