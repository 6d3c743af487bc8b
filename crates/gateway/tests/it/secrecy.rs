//! Neither clear values nor secrets come out anywhere; that they are not on disk, every test checks.

use serde_json::json;

use crate::client::request;
use crate::harness::{CLEAR, KEY, TOKEN, start};

#[tokio::test(flavor = "multi_thread")]
async fn answers_and_metrics_show_nothing() {
    let test = start().await;
    let mut event = test.purchase("order");
    event["user_data"]["em"] = json!([CLEAR[0], format!("{} ", CLEAR[2])]);
    event["event_source_url"] = json!(format!("https://shop.example/?mail={}", CLEAR[0]));
    event["custom_data"]["note"] = json!(format!("call +{}", CLEAR[1]));
    let mut bad = event.clone();
    bad["custom_data"] = json!({});
    let answer = test.post(&json!([event, bad])).await;
    assert_eq!(answer.json()["accepted"], 1);
    test.arrived(1).await;
    let mut texts = vec![answer.body];
    for path in ["/metrics", "/readyz", "/healthz"] {
        texts.push(request(test.admin(), "GET", path, &[], b"").await.body);
    }
    for text in &texts {
        for secret in CLEAR.iter().chain(&[KEY, TOKEN]) {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
    }
    let arrived = test.sandbox.received();
    let sent = arrived[0].event.get();
    assert!(CLEAR.iter().all(|clear| !sent.contains(clear)), "{sent}");
    test.finish().await;
}
