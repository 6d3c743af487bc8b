//! A gateway whose computer has a wrong clock. Meta's is right.

use std::time::Duration;

use serde_json::{Value, json};
use sluice_gateway::StartError;

use crate::client::request;
use crate::harness::{DATASET, TestGateway, start};

/// What `/readyz` says of the clock.
async fn clock(test: &TestGateway) -> Value {
    let ready = request(test.admin(), "GET", "/readyz", &[], b"").await;
    ready.json()["clock"].clone()
}

/// Waits until there is this doubt about the clock, or none.
async fn doubt(test: &TestGateway, doubt: Option<&str>) {
    for _ in 0..1_000 {
        if clock(test).await["doubt"] == json!(doubt) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{doubt:?} was expected: {}", clock(test).await);
}

/// Waits until a request to Meta has begun that had not when this was called.
async fn another_request(test: &TestGateway) {
    let requests = || {
        let stats = test.sandbox.stats();
        stats.requests + stats.requests_elsewhere
    };
    let before = requests();
    test.reload();
    test.until("another request to Meta", || requests() > before)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_days_off_from_the_start_takes_and_delivers_live_events() {
    for days in [-2, 9] {
        let mut test = start().await;
        test.clock.set_off_days(days);
        // Meta is not to be reached, so nothing is known.
        test.faults("reset everywhere");
        test.restart().await;
        let answer = test.post(&test.purchase("blind")).await;
        let code = answer.json()["warnings"][0]["code"].clone();
        assert_eq!((answer.status, code), (202, json!("event_time_unproven")));
        assert_ne!(clock(&test).await["doubt"], json!(null));
        test.faults("");
        test.reload();
        test.arrived(1).await;
        // Two answers of Meta's agree.
        test.post(&test.purchase("second")).await;
        test.arrived(2).await;
        doubt(&test, None).await;
        let ahead_s = clock(&test).await["ahead_seconds"].as_i64().unwrap();
        assert!((ahead_s - days * 86_400).abs() < 30, "{ahead_s}");
        let answer = test.post(&test.purchase("live")).await;
        assert_eq!(
            (
                answer.status,
                answer.json()["warnings"].as_array().map(Vec::len)
            ),
            (202, Some(0))
        );
        // By Meta's time it is two days ahead, whatever the clock says.
        let mut ahead = test.purchase("ahead");
        ahead["event_time"] = json!(test.clock.true_ms() / 1_000 + 2 * 86_400);
        assert_eq!(test.post(&ahead).await.status, 422);
        test.arrived(3).await;
        let audit = test.finish().await;
        assert_eq!((audit.tally.delivered, audit.tally.accepted), (3, 3));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leap_while_meta_is_down_expires_nothing() {
    let test = start().await;
    test.post(&test.purchase("before")).await;
    test.arrived(1).await;
    doubt(&test, None).await;
    test.faults("reset everywhere");
    test.post(&test.purchases((1..=20).map(|id| format!("order-{id}"))))
        .await;
    another_request(&test).await;
    test.clock.set_off_days(8);
    doubt(&test, Some("leapt")).await;
    another_request(&test).await;
    test.clock.set_off_days(0);
    doubt(&test, None).await;
    test.clock.set_off_days(-8);
    doubt(&test, Some("leapt")).await;
    // It stays wrong, and Meta is there again.
    test.faults("");
    test.reload();
    test.arrived(21).await;
    doubt(&test, None).await;
    let audit = test.finish().await;
    assert_eq!((audit.tally.delivered, audit.tally.expired), (21, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_by_a_clock_far_ahead_expires_nothing_and_a_week_that_passed_does() {
    let mut test = start().await;
    test.faults("reset everywhere");
    test.post(&test.purchase("order-1")).await;
    another_request(&test).await;
    test.clock.set_off_days(8);
    test.restart().await;
    another_request(&test).await;
    let waiting = test.lane_now(DATASET).await.unwrap()["waiting"].clone();
    assert_eq!(waiting, 1);
    test.clock.set_off_days(0);
    test.clock.jump(Duration::from_hours(8 * 24));
    test.faults("");
    test.restart().await;
    test.reload();
    // The journal's count: the gateway may have expired it before the restart, and counters begin anew.
    while test.metric("sluice_journal_events{state=\"expired\"").await == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let audit = test.finish().await;
    assert_eq!((audit.tally.delivered, audit.tally.expired), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_are_known_on_both_sides_of_a_leap() {
    let mut test = start().await;
    let duplicates = async |test: &TestGateway, id: &str| {
        let answer = test.post(&test.purchase(id)).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.json()["duplicates"].clone()
    };
    assert_eq!(duplicates(&test, "c1").await, 0);
    test.arrived(1).await;
    doubt(&test, None).await;
    test.faults("reset everywhere");
    for (days, id) in [(3, "c2"), (0, "c3"), (-3, "c4"), (0, "c5")] {
        test.clock.set_off_days(days);
        assert_eq!(duplicates(&test, id).await, 0);
        assert_eq!(duplicates(&test, "c1").await, 1, "{days}");
    }
    test.clock.set_off_days(60);
    test.restart().await;
    for id in ["c1", "c2", "c3", "c4", "c5"] {
        assert_eq!(duplicates(&test, id).await, 1, "{id}");
    }
    test.clock.set_off_days(0);
    test.restart().await;
    assert_eq!(duplicates(&test, "c1").await, 1);
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_code_ends_by_no_leap() {
    let test = start().await;
    test.post(&test.purchase("before")).await;
    test.arrived(1).await;
    doubt(&test, None).await;
    test.faults("reset everywhere");
    let path = "/v1/events?test_event_code=TEST17";
    assert_eq!(test.post_to(path, &test.purchase("t1")).await.status, 202);
    another_request(&test).await;
    test.clock.set_off_days(2);
    doubt(&test, Some("leapt")).await;
    test.faults("");
    test.reload();
    test.arrived(2).await;
    let codes = test.sandbox.stats().test_event_codes;
    assert_eq!(codes.get("TEST17"), Some(&1), "{codes:?}");
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_of_before_this_program_does_not_start() {
    let mut test = start().await;
    test.stop().await;
    test.clock.set_off_days(-3_000);
    let error = test.start_error().await;
    assert!(matches!(error, StartError::Clock(_)), "{error}");
    assert!(error.help().is_some_and(|help| help.contains("NTP")));
    test.clock.set_off_days(0);
    test.restart().await;
    test.finish().await;
}
