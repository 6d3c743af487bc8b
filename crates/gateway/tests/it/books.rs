//! The books begin at the wire: what comes in is counted, whatever becomes of it, and what is wrong is told.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sluice_journal::{Books, RejectionFilter, RejectionRecord};

use crate::client::request;
use crate::harness::{CLEAR, DATASET, KEY, OTHER_DATASET, OTHER_KEY, TestGateway, start};

fn rejections(test: &TestGateway) -> Vec<RejectionRecord> {
    let books = Books::open(&test.journal()).unwrap();
    let mut rows = books
        .rejections(&RejectionFilter::default(), None, 100)
        .unwrap()
        .rows;
    rows.reverse();
    rows
}

/// A purchase without a value, which nobody can send.
fn worthless(test: &TestGateway, id: &str) -> Value {
    let mut event = test.purchase(id);
    event["custom_data"] = json!({"currency": "USD"});
    event
}

async fn graph(test: &TestGateway, data: Value) -> Value {
    let path = format!("/v26.0/{DATASET}/events?access_token={KEY}");
    let body = json!({ "data": data }).to_string();
    let headers = [
        ("Content-Type", "application/json"),
        ("X-Request-Id", "by-graph"),
    ];
    request(test.address(), "POST", &path, &headers, body.as_bytes())
        .await
        .json()
}

async fn metrics(test: &TestGateway) -> String {
    request(test.admin(), "GET", "/metrics", &[], b"")
        .await
        .body
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rejected_is_in_the_books_and_no_contact_data_with_it() {
    let mut test = start().await;
    let mut by_mail = worthless(&test, CLEAR[0]);
    by_mail["custom_data"]["order_id"] = format!("order of +{}", CLEAR[1]).into();
    let mut by_name = test.purchase("named");
    by_name["event_name"] = format!("mail {}", CLEAR[0]).into();
    let body = json!([test.purchase("good"), by_mail, by_name, 17]);
    let answer = test.post(&body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(answer.json()["rejected"].as_array().unwrap().len(), 3);
    // Requests with nothing else, at every door.
    let answer = test.post(&worthless(&test, "w1")).await;
    assert_eq!(answer.status, 422);
    let error = graph(&test, json!([worthless(&test, "w2")])).await;
    assert_eq!(error["error"]["code"], 100, "{error}");
    let path = format!("/capi/{DATASET}/events");
    let capi = json!({"accessKey": KEY, "data": [worthless(&test, "w3")]}).to_string();
    let answer = request(test.address(), "POST", &path, &[], capi.as_bytes()).await;
    assert_eq!(answer.status, 400);

    let rows = rejections(&test);
    let ids: Vec<_> = rows.iter().map(|row| row.event_id.as_deref()).collect();
    let hash = ids[0].unwrap();
    assert_eq!(hash.len(), 64, "an e-mail address is no id");
    assert_eq!(rows[0].order_id.as_ref().unwrap().len(), 64);
    assert_eq!(
        ids[1..],
        [Some("named"), None, Some("w1"), Some("w2"), Some("w3")]
    );
    assert_eq!(rows[0].codes[0], "purchase_value_missing");
    assert_eq!(
        (rows[1].event_name.as_deref(), rows[1].codes[0].as_str()),
        (None, "event_name_invalid")
    );
    assert_eq!(rows[4].request_id, "by-graph");
    test.arrived(1).await;
    test.restart().await;
    let shown = metrics(&test).await;
    for (state, events) in [
        ("received", 7),
        ("accepted", 1),
        ("duplicate", 0),
        ("rejected", 6),
    ] {
        let line = format!("sluice_journal_events{{state=\"{state}\"}} {events}\n");
        assert!(shown.contains(&line), "{line}{shown}");
    }
    // It looks for clear values on disk.
    let audit = test.finish().await;
    let tally = audit.tally;
    assert_eq!((tally.received, tally.accepted, tally.rejected), (7, 1, 6));
    let of = |code: &str| {
        let counts = audit.rejected.iter().filter(|count| count.code == code);
        counts.map(|count| count.events).sum::<u64>()
    };
    assert_eq!(
        (of("purchase_value_missing"), of("event_name_invalid")),
        (4, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_counts_once_for_each_dataset_it_was_meant_for() {
    let test = start().await;
    let authorization = format!("Bearer {OTHER_KEY}");
    let headers = [("Authorization", authorization.as_str())];
    let body = json!([
        test.purchase("a"),
        test.purchase("a"),
        worthless(&test, "b")
    ])
    .to_string();
    let answer = request(
        test.address(),
        "POST",
        "/v1/events",
        &headers,
        body.as_bytes(),
    )
    .await;
    assert_eq!(answer.json()["duplicates"], 1, "{answer:?}");
    test.arrived(2).await;
    let shown = metrics(&test).await;
    let audit = test.finish().await;
    let sources: Vec<_> = audit
        .sources
        .iter()
        .map(|it| {
            (
                it.dataset.as_str(),
                it.received,
                it.accepted,
                it.duplicate,
                it.rejected,
            )
        })
        .collect();
    assert_eq!(sources.len(), 2);
    for dataset in [DATASET, OTHER_DATASET] {
        assert!(sources.contains(&(dataset, 3, 1, 1, 1)), "{sources:?}");
        for (metric, events) in [("received", 3), ("accepted", 1), ("duplicate", 1)] {
            let line = format!(
                "sluice_{metric}_events_total{{source=\"both\",dataset=\"{dataset}\"}} {events}\n"
            );
            assert!(shown.contains(&line), "{line}{shown}");
        }
        let line = format!(
            "sluice_rejected_events_total{{source=\"both\",code=\"purchase_value_missing\",dataset=\"{dataset}\"}} 1\n"
        );
        assert!(shown.contains(&line), "{line}{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_refused_whole_are_no_events_but_counted() {
    let test = start().await;
    let authorization = format!("Bearer {KEY}");
    let good = [("Authorization", authorization.as_str())];
    let wrong = [("Authorization", "Bearer nobodys-key")];
    for (headers, body) in [(good, "{"), (good, "[]"), (wrong, "[]")] {
        request(
            test.address(),
            "POST",
            "/v1/events",
            &headers,
            body.as_bytes(),
        )
        .await;
    }
    for (path, body) in [
        (
            format!("/v26.0/{OTHER_DATASET}/events?access_token={KEY}"),
            "{\"data\":[1]}",
        ),
        (
            format!("/v26.0/{DATASET}/events?access_token={KEY}"),
            "{\"data\":",
        ),
        (format!("/capi/{DATASET}/events?access_token=nobodys"), "{}"),
    ] {
        request(test.address(), "POST", &path, &[], body.as_bytes()).await;
    }
    let shown = metrics(&test).await;
    for (source, code, requests) in [
        ("shop", "json_invalid", 2),
        ("shop", "no_events", 1),
        ("shop", "dataset_forbidden", 1),
        ("(none)", "key_unknown", 2),
    ] {
        let line = format!(
            "sluice_refused_requests_total{{source=\"{source}\",code=\"{code}\"}} {requests}\n"
        );
        assert!(shown.contains(&line), "{line}{shown}");
    }
    let audit = test.finish().await;
    assert_eq!(audit.tally.received, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_graph_doors_tell_what_was_left_out_and_clean_events_bring_no_message() {
    let test = start().await;
    let clean = graph(&test, json!([test.purchase("clean")])).await;
    assert_eq!(clean["messages"], json!([]), "{clean}");
    let mut lossy = test.purchase("lossy");
    lossy["user_data"]["ph"] = "12".into();
    lossy["user_data"]["client_ip_address"] = "10.0.0.1".into();
    let mut also = test.purchase("also");
    also["user_data"]["ph"] = "13".into();
    let answer = graph(
        &test,
        json!([test.purchase("b"), lossy, also, worthless(&test, "w")]),
    )
    .await;
    assert_eq!(answer["events_received"], 3);
    let messages: Vec<_> = answer["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_str().unwrap())
        .collect();
    assert!(
        messages[0].starts_with("data[3].custom_data was not taken: "),
        "{messages:?}"
    );
    let about = |begin: &str| messages.iter().any(|line| line.starts_with(begin));
    assert!(
        about("repaired in 2 events, first at data[1].user_data.ph: "),
        "{messages:?}"
    );
    assert!(
        about("repaired at data[1].user_data.client_ip_address: "),
        "{messages:?}"
    );
    let path = format!("/capi/{DATASET}/events");
    let mut by_capi = test.purchase("capi");
    by_capi["user_data"]["ph"] = "12".into();
    let body = json!({"accessKey": KEY, "data": [by_capi]}).to_string();
    let answer = request(test.address(), "POST", &path, &[], body.as_bytes()).await;
    assert_eq!(answer.status, 202);
    let message = answer.json()["messages"][0].as_str().unwrap().to_owned();
    assert!(
        message.starts_with("repaired at data[0].user_data.ph: "),
        "{message}"
    );
    assert!(!message.contains("\"12\""), "{message}");

    test.arrived(5).await;
    let shown = metrics(&test).await;
    for (code, severity, events) in [
        ("ph_invalid", "repaired", 3),
        ("purchase_value_missing", "error", 1),
    ] {
        let line = format!(
            "sluice_findings_total{{source=\"shop\",code=\"{code}\",severity=\"{severity}\"}} {events}\n"
        );
        assert!(shown.contains(&line), "{line}{shown}");
    }
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_most_ten_rules_are_told_in_messages() {
    let test = start().await;
    let mut event = test.purchase("wrong");
    for field in [
        "ph",
        "ge",
        "db",
        "country",
        "zp",
        "st",
        "client_ip_address",
        "fbc",
        "fbp",
        "lead_id",
    ] {
        event["user_data"][field] = "?".into();
    }
    event["custom_data"] = json!({
        "currency": "USD", "value": 1, "num_items": "?", "content_category": 7,
        "delivery_category": "?", "predicted_ltv": "?", "contents": "?",
    });
    event["action_source"] = "nonsense".into();
    event["event_source_url"] = "?".into();
    event["referrer_url"] = "?".into();
    let native = test.post(&event).await.json();
    let rules = native["warnings"].as_array().unwrap().iter();
    let rules = rules.filter(|it| it["severity"] != "hint").count();
    assert!(rules > 10, "there is more to tell: {native}");
    let answer = graph(&test, json!([event])).await;
    assert_eq!(answer["messages"].as_array().unwrap().len(), 10, "{answer}");
    test.arrived(1).await;
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_without_ids_in_one_request_get_ids_of_their_own() {
    let test = start().await;
    let mut event = test.purchase("");
    event.as_object_mut().unwrap().remove("event_id");
    let body: Value = (0..50).map(|_| event.clone()).collect();
    let answer = test.post(&body).await.json();
    assert_eq!(
        (&answer["accepted"], &answer["duplicates"]),
        (&json!(50), &json!(0))
    );
    test.arrived(50).await;
    let received = test.sandbox.received();
    let ids: BTreeSet<_> = received
        .iter()
        .map(|arrival| {
            let sent: Value = serde_json::from_str(arrival.event.get()).unwrap();
            sent["event_id"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(ids.len(), 50);
    let audit = test.finish().await;
    assert_eq!((audit.tally.accepted, audit.tally.duplicate), (50, 0));
}
