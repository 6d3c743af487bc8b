//! Merged events, judged by the sandbox, which reads Meta's rules for itself.

use serde_json::{Value, json};
use sluice_event::{Event, Findings, Moment, Ranked, Rules, SealedEvent, merge};
use sluice_gateway::{Clock as _, SystemClock};
use sluice_sandbox::{Sandbox, Settings};

use crate::client::request;
use crate::harness::DATASET;

const EXTINFO: [&str; 16] = [
    "a2",
    "com.example",
    "1",
    "1",
    "14",
    "",
    "",
    "",
    "",
    "1080",
    "1920",
    "2",
    "8",
    "64",
    "32",
    "",
];

/// What different sources tell of one purchase.
fn sources(now_s: i64) -> Vec<Value> {
    let purchase = |source: &str, ago_s: i64, user_data: Value, custom_data: Value| {
        json!({
            "event_name": "Purchase", "event_id": "order-1", "event_time": now_s - ago_s,
            "action_source": source, "user_data": user_data, "custom_data": custom_data,
        })
    };
    let mut browser = purchase(
        "website",
        60,
        json!({"client_ip_address": "203.0.113.7", "client_user_agent": "Mozilla/5.0", "fbp": "fb.1.1790000000000.42"}),
        json!({"value": 100, "currency": "USD", "content_ids": ["SKU-1"], "content_type": "product"}),
    );
    browser["event_source_url"] = json!("https://shop.example/thanks");
    browser["data_processing_options"] = json!(["LDU"]);
    browser["data_processing_options_country"] = json!(1);
    browser["data_processing_options_state"] = json!(1_000);
    let shop = purchase(
        "website",
        50,
        json!({"em": "jane.doe@example.com", "ph": "+16505551212", "external_id": 7}),
        json!({"value": 119, "currency": "USD", "order_id": "1", "contents": [{"id": "SKU-1", "quantity": 2}]}),
    );
    let store = purchase(
        "physical_store",
        20 * 86_400,
        json!({"em": "jane@example.com", "ln": "Quimby"}),
        json!({"value": 119, "currency": "USD", "order_id": "1", "item_number": "2"}),
    );
    let mut app = purchase(
        "app",
        60,
        json!({"madid": "38400000-8cf0-11bd-b23e-10b96e40000d"}),
        json!({"_valueToSum": 119, "fb_currency": "USD"}),
    );
    app["app_data"] = json!({
        "advertiser_tracking_enabled": true, "application_tracking_enabled": true, "extinfo": EXTINFO,
    });
    let mut messenger = purchase(
        "business_messaging",
        60,
        json!({"page_id": "123456789", "page_scoped_user_id": "987654321"}),
        json!({"value": 119, "currency": "USD"}),
    );
    messenger["messaging_channel"] = json!("messenger");
    vec![browser, shop, store, app, messenger]
}

#[tokio::test]
async fn whatever_is_merged_is_an_event_that_meta_takes() {
    let now_ms = SystemClock::default().unix_ms();
    let sandbox = Sandbox::start(Settings::default()).await.unwrap();
    let moment = Moment {
        unix_ms: now_ms,
        in_doubt: false,
        entropy: [0; 10],
    };
    let seal = |event: Value| {
        let (text, mut findings) = (event.to_string(), Findings::new());
        let event = Event::parse(&text, &mut findings).unwrap();
        let sealed = event.seal(&Rules::default(), moment, &mut findings);
        let sealed = sealed.unwrap_or_else(|| panic!("{text}: {findings:#?}"));
        // As a journal gives it back.
        SealedEvent::reopen(sealed.json()).unwrap()
    };
    let sealed: Vec<_> = sources(moment.unix_s()).into_iter().map(seal).collect();
    let path = format!("/v26.0/{DATASET}/events?access_token=EAAToken");
    let headers = [("Content-Type", "application/json")];
    let mut posted = 0;
    for one in &sealed {
        for other in &sealed {
            let (one, other) = (
                Ranked {
                    event: one,
                    rank: 1,
                },
                Ranked {
                    event: other,
                    rank: 2,
                },
            );
            let merged = merge(one, other, &mut Findings::new()).unwrap();
            let body = format!("{{\"data\":[{}]}}", merged.json());
            let answer = request(sandbox.address(), "POST", &path, &headers, body.as_bytes()).await;
            assert_eq!(answer.status, 200, "{}: {}", merged.json(), answer.body);
            posted += 1;
        }
    }
    assert_eq!(sandbox.stats().events_received, posted);
    for clear in crate::harness::CLEAR {
        let all = sealed.iter().map(SealedEvent::json);
        assert!(all.into_iter().all(|json| !json.contains(clear)), "{clear}");
    }
    sandbox.stop().await;
}
