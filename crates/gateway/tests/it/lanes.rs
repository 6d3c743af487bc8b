//! What becomes of events: delivered, refused, expired, or waiting for better days.

use std::time::Duration;

use serde_json::json;
use sluice_journal::{Books, EventKey, EventState};
use sluice_sandbox::TokenState;

use crate::client::request;
use crate::harness::{DATASET, KEY, OTHER_KEY, TOKEN, start, start_with};

fn ids(prefix: &str, count: usize) -> impl Iterator<Item = String> {
    (1..=count).map(move |number| format!("{prefix}-{number}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_are_filled() {
    let test = start_with("batch_events_max = 50", "").await;
    let answer = test.post(&test.purchases(ids("order", 200))).await;
    assert_eq!(answer.json()["accepted"], 200);
    test.arrived(200).await;
    // A request is counted when it is answered, a moment after its events have arrived.
    test.until("all answers", || test.sandbox.stats().requests >= 4)
        .await;
    assert_eq!(test.sandbox.stats().requests, 4);
    let audit = test.finish().await;
    assert_eq!(audit.tally.delivered, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_day_of_metas_refuses_nobody() {
    let test = start().await;
    for (number, fault) in [
        "500 x 2",
        "html 502 x 2",
        "reset x 2",
        "half-body x 1",
        "200-error x 1",
    ]
    .into_iter()
    .enumerate()
    {
        test.faults(fault);
        let answer = test
            .post(&test.purchases(ids(&format!("day{number}"), 5)))
            .await;
        assert_eq!(answer.status, 202);
        test.arrived(5 * (number as u64 + 1)).await;
    }
    let audit = test.finish().await;
    assert_eq!((audit.tally.delivered, audit.tally.refused), (25, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_token_parks_the_lane_and_a_new_one_frees_it() {
    let test = start().await;
    test.token(TOKEN, TokenState::Expired);
    assert_eq!(
        test.post(&test.purchases(ids("order", 3))).await.status,
        202
    );
    let reason = test.lane("parked").await;
    assert!(reason.contains("190/463"), "{reason}");
    assert_eq!(test.post(&test.purchase("later")).await.status, 202);
    assert_eq!(test.sandbox.stats().distinct, 0);

    test.token("EAANewTokenOfTheTest", TokenState::Valid);
    std::fs::write(test.folder().join("token"), "EAANewTokenOfTheTest\n").unwrap();
    test.arrived(4).await;
    test.lane("flowing").await;
    let audit = test.finish().await;
    assert_eq!((audit.tally.delivered, audit.tally.refused), (4, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_old_token_does_not_park_the_lane_of_the_new_one() {
    let test = start().await;
    test.faults("slow 1s x 1; token-expired x 1 late");
    test.post(&test.purchase("with the old one")).await;
    test.arrived(1).await;
    test.token("EAANewTokenOfTheTest", TokenState::Valid);
    std::fs::write(test.folder().join("token"), "EAANewTokenOfTheTest\n").unwrap();
    test.reload();
    test.post(&test.purchase("with the new one")).await;
    test.arrived(2).await;
    test.until("the end of the old one", || {
        test.sandbox.stats().answers.contains_key("401 190/463")
    })
    .await;
    test.post(&test.purchase("after the end of the old one"))
        .await;
    test.arrived(3).await;
    let audit = test.finish().await;
    assert_eq!((audit.tally.delivered, audit.tally.waiting), (3, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_panicked_starts_again() {
    let test = start().await;
    test.faults("500 x 3");
    test.post(&test.purchases(ids("order", 3))).await;
    // A lane asks for chance when it has to pause.
    test.clock.break_once();
    test.arrived(3).await;
    let audit = test.finish().await;
    assert_eq!((audit.tally.delivered, audit.tally.waiting), (3, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_makes_a_parked_lane_look_again() {
    let test = start().await;
    test.token(TOKEN, TokenState::WrongPermission);
    test.post(&test.purchase("order-1")).await;
    test.lane("parked").await;
    test.token(TOKEN, TokenState::Valid);
    test.reload();
    test.arrived(1).await;
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_business_id_is_explained() {
    let mut test = start().await;
    test.reconfigure(|config| config.replace(DATASET, "999999999999999"));
    test.restart().await;
    test.post(&test.purchase("order-1")).await;
    let reason = test.lane_of("999999999999999", "parked").await;
    assert!(reason.contains("business"), "{reason}");
    let metrics = request(test.admin(), "GET", "/metrics", &[], b"")
        .await
        .body;
    assert!(metrics.contains("verdict=\"asked\"} 1"), "{metrics}");
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_offenders_are_refused() {
    for (how, requests_max) in [("index", 3), ("blind", 2 + 2 * (2 * 7 + 2))] {
        let test = start().await;
        let mut events = test.purchases(ids("order", 100));
        for offender in [17, 83] {
            events[offender]["custom_data"]["sandbox_refuse"] = json!(how);
        }
        assert_eq!(test.post(&events).await.json()["accepted"], 100);
        test.arrived(98).await;
        test.until("the offenders to be refused", || {
            test.sandbox.stats().refused >= 2
        })
        .await;
        let stats = test.sandbox.stats();
        assert!(stats.requests <= requests_max, "{how}: {stats:?}");
        let audit = test.finish().await;
        assert_eq!(
            (audit.tally.delivered, audit.tally.refused),
            (98, 2),
            "{how}"
        );
    }
}

/// As for a wrong setting that Meta answers with a code that also means a wrong event.
#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_gets_nothing_through_keeps_its_events() {
    let test = start().await;
    test.faults("error 100 status 400");
    test.post(&test.purchases(ids("order", 50))).await;
    let reason = test.lane("parked").await;
    assert!(reason.contains("one event after the other"), "{reason}");
    test.faults("");
    test.reload();
    test.arrived(48).await;
    let audit = test.finish().await;
    assert_eq!((audit.tally.delivered, audit.tally.refused), (48, 2));
}

/// Bad events at the head of a lane's first batch are no reason to keep the good ones back.
#[tokio::test(flavor = "multi_thread")]
async fn bad_events_first_do_not_stop_a_lane() {
    for how in ["blind", "index"] {
        let test = start().await;
        let mut events = test.purchases(ids("order", 40));
        for offender in 0..6 {
            events[offender]["custom_data"]["sandbox_refuse"] = json!(how);
        }
        test.post(&events).await;
        test.arrived(34).await;
        let audit = test.finish().await;
        assert_eq!(
            (audit.tally.delivered, audit.tally.refused),
            (34, 6),
            "{how}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_grew_too_old_expire_unsent() {
    let test = start().await;
    test.faults("500 x 1");
    test.token(TOKEN, TokenState::Expired);
    test.post(&test.purchase("old")).await;
    test.lane("parked").await;
    test.clock.jump(Duration::from_hours(8 * 24));
    test.token(TOKEN, TokenState::Valid);
    test.post(&test.purchase("new")).await;
    test.reload();
    test.arrived(1).await;
    let audit = test.finish().await;
    assert_eq!((audit.tally.delivered, audit.tally.expired), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_dataset_that_was_removed_wait_and_expire() {
    let mut test = start().await;
    test.token(TOKEN, TokenState::Expired);
    test.post(&test.purchases(ids("order", 3))).await;
    test.lane("parked").await;
    test.reconfigure(|config| config.replace(DATASET, "3456789012345678"));
    test.restart().await;
    let reason = test.lane("parked").await;
    assert!(reason.contains("does not name this dataset"), "{reason}");
    let waiting = |lane: Option<serde_json::Value>| lane.map(|lane| lane["waiting"].clone());
    assert_eq!(waiting(test.lane_now(DATASET).await), Some(json!(3)));
    test.clock.jump(Duration::from_hours(8 * 24));
    test.restart().await;
    let expired = async {
        while waiting(test.lane_now(DATASET).await) == Some(json!(3)) {
            tokio::task::yield_now().await;
        }
    };
    let expired = tokio::time::timeout(Duration::from_secs(20), expired).await;
    assert!(expired.is_ok(), "they wait for ever");
    let audit = test.finish().await;
    assert_eq!((audit.tally.expired, audit.tally.waiting), (3, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_refuses_nobody() {
    let test = start().await;
    test.faults("429 x 2");
    test.post(&test.purchases(ids("order", 10))).await;
    test.arrived(10).await;
    let audit = test.finish().await;
    assert_eq!((audit.tally.delivered, audit.tally.refused), (10, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn test_events_never_travel_with_others() {
    let test = start().await;
    let body =
        json!({"data": [test.purchase("t1"), test.purchase("t2")], "test_event_code": "TEST17"});
    test.post(&body).await;
    test.post(&test.purchases(ids("order", 3))).await;
    test.post_to("/v1/events?test_event_code=TEST18", &test.purchase("t3"))
        .await;
    test.arrived(6).await;
    // What was a test goes live as well, under the same id, and the other way round.
    for (path, id) in [
        ("/v1/events", "t1"),
        ("/v1/events?test_event_code=TEST17", "t1"),
        ("/v1/events?test_event_code=TEST18", "t1"),
    ] {
        let answer = test.post_to(path, &test.purchase(id)).await.json();
        let is_copy = path.ends_with("17");
        assert_eq!(answer["duplicates"], u64::from(is_copy), "{path}");
    }
    test.until("the live one and the other test to arrive", || {
        test.sandbox.stats().events_received == 8
    })
    .await;
    let codes = test.sandbox.stats().test_event_codes;
    assert_eq!(codes.get("TEST17"), Some(&2), "{codes:?}");
    assert_eq!(codes.get("TEST18"), Some(&2), "{codes:?}");
    // Meta counts one of the two.
    assert_eq!(test.sandbox.stats().deduplicated, 2);
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn test_codes_have_an_end() {
    let test = start().await;
    let post = async |number: usize| {
        let path = format!("/v1/events?test_event_code=TEST{number}");
        let event = test.purchase(&format!("t{number}"));
        test.post_to(&path, &event).await
    };
    for number in 0..50 {
        assert_eq!(post(number).await.status, 202);
    }
    let answer = post(50).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["code"], "test_codes_too_many");
    // Known ones, and events without one, go on.
    assert_eq!(post(7).await.status, 202);
    assert_eq!(test.post(&test.purchase("order-1")).await.status, 202);
    test.arrived(51).await;
    // Nothing waits in the lanes of the codes, so they are not listed.
    test.lanes(1).await;
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_of_a_test_code_ends_when_it_is_idle_and_starts_again() {
    let test = start().await;
    let path = "/v1/events?test_event_code=TEST17";
    let has_lane = async || {
        let metrics = request(test.admin(), "GET", "/metrics", &[], b"").await;
        metrics
            .body
            .contains("sluice_lane_state{dataset=\"1234567890123456\",test=\"yes\"")
    };
    for (number, day) in ["first", "second"].into_iter().enumerate() {
        assert_eq!(test.post_to(path, &test.purchase(day)).await.status, 202);
        test.arrived(number as u64 + 1).await;
        assert!(has_lane().await);
        // An hour and more.
        test.clock.jump(Duration::from_mins(59));
        test.reload();
        while has_lane().await {
            test.clock.jump(Duration::from_mins(1));
            test.reload();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    let codes = test.sandbox.stats().test_event_codes;
    assert_eq!(codes.get("TEST17"), Some(&2), "{codes:?}");
    let audit = test.finish().await;
    assert_eq!((audit.tally.delivered, audit.tally.waiting), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_does_not_use_up_the_test_codes_of_another() {
    let mut test = start().await;
    test.reconfigure(|config| config.replace("allow_test_codes = false", ""));
    test.restart().await;
    let post = async |key: &str, number: usize| {
        let path = format!("/v1/events?dataset={DATASET}&test_event_code=TEST{number}");
        let event = test.purchase(&format!("t{number}")).to_string();
        let authorization = format!("Bearer {key}");
        let headers = [("Authorization", authorization.as_str())];
        let answer = request(test.address(), "POST", &path, &headers, event.as_bytes());
        answer.await.status
    };
    for number in 0..50 {
        assert_eq!(post(KEY, number).await, 202);
    }
    assert_eq!(post(KEY, 50).await, 400);
    assert_eq!(post(OTHER_KEY, 50).await, 202);
    test.arrived(51).await;
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_code_ends() {
    let mut test = start().await;
    let until = jiff::Timestamp::now() + Duration::from_hours(1);
    let code = format!("test_event_code = {{ code = \"TEST17\", until = \"{until:.0}\" }}");
    test.reconfigure(|config| {
        let first = config.find("[[dataset]]").unwrap();
        let (head, tail) = config.split_at(first + "[[dataset]]".len());
        format!("{head}\n{code}\n{tail}")
    });
    test.restart().await;
    test.post(&test.purchase("during")).await;
    test.arrived(1).await;
    // What came before the end but leaves after it goes without the code.
    test.token(TOKEN, TokenState::Expired);
    test.post(&test.purchase("between")).await;
    test.lane("parked").await;
    test.clock.jump(Duration::from_hours(2));
    test.token(TOKEN, TokenState::Valid);
    test.reload();
    test.post(&test.purchase("after")).await;
    test.arrived(3).await;
    let codes = test.sandbox.stats().test_event_codes;
    assert_eq!(codes.get("TEST17"), Some(&1), "{codes:?}");
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_may_go_when_its_event_is_delivered() {
    let mut test = start().await;
    test.reconfigure(|config| {
        config.replace(
            "journal.path",
            "journal.retention_days = 0\n        journal.path",
        )
    });
    test.restart().await;
    let mut refused = test.purchase("refused");
    refused["custom_data"]["sandbox_refuse"] = json!("index");
    let answer = test.post(&json!([test.purchase("good"), refused])).await;
    assert_eq!(answer.json()["accepted"], 2);
    let books = Books::open(&test.journal()).unwrap();
    let has_body = |key, state| {
        let record = books.event(EventKey(key)).unwrap().unwrap().record;
        (record.state == state).then_some(record.has_body)
    };
    test.until("both to be settled", || {
        has_body(1, EventState::Delivered) == Some(false)
            && has_body(2, EventState::Refused) == Some(true)
    })
    .await;
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_survives_a_restart() {
    let mut test = start().await;
    test.token(TOKEN, TokenState::Expired);
    test.post(&test.purchases(ids("order", 20))).await;
    test.lane("parked").await;
    test.token(TOKEN, TokenState::Valid);
    test.restart().await;
    test.arrived(20).await;
    test.finish().await;
}

/// The shop mends an event that Meta refused, and sends it again under the id it has.
#[tokio::test(flavor = "multi_thread")]
async fn a_mended_event_is_no_copy_of_the_refused_one() {
    let test = start().await;
    let mut event = test.purchase("order-1");
    event["custom_data"]["sandbox_refuse"] = json!("100/2804087");
    test.post(&json!([event, test.purchase("other")])).await;
    test.arrived(1).await;
    test.until("the refusal", || test.sandbox.stats().refused > 0)
        .await;
    let mended = test.purchase("order-1");
    let mut answer = test.post(&mended).await.json();
    // The refusal is written a moment after the sandbox has answered.
    while answer["duplicates"] == 1 {
        answer = test.post(&mended).await.json();
    }
    assert_eq!(answer["accepted"], 1);
    test.arrived(2).await;
    assert_eq!(test.post(&mended).await.json()["duplicates"], 1);
    let audit = test.finish().await;
    assert_eq!((audit.tally.delivered, audit.tally.refused), (2, 1));
}
