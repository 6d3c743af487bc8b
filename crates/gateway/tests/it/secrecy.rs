//! Neither clear values nor secrets come out anywhere; that they are not on disk, every test checks.

use serde_json::json;

use crate::client::request;
use crate::harness::{CLEAR, KEY, TOKEN, TestGateway, start};

/// A key for bodies on disk.
pub(crate) const BODY_KEY: &str =
    "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

/// Whether a text is in a file of the journal.
fn is_on_disk(test: &TestGateway, what: &str) -> bool {
    let files = std::fs::read_dir(test.journal()).unwrap();
    // The socket of the gateway is no file to read.
    let files = files.map(Result::unwrap);
    let files = files.filter(|file| file.file_type().unwrap().is_file());
    let bytes = files.flat_map(|file| std::fs::read(file.path()).unwrap());
    let bytes: Vec<u8> = bytes.collect();
    bytes.windows(what.len()).any(|it| it == what.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_encrypted_on_disk_when_there_is_a_key() {
    let mut test = start().await;
    test.reconfigure(|config| {
        let key = format!("journal.encryption_key = \"{BODY_KEY}\"\n        journal.path");
        config.replace("journal.path", &key)
    });
    test.restart().await;
    test.post(&test.purchase("order-1")).await;
    test.arrived(1).await;
    assert!(
        test.sandbox.received()[0]
            .event
            .get()
            .contains("Mozilla/5.0")
    );
    for text in ["Mozilla/5.0", "shop.example", BODY_KEY] {
        assert!(!is_on_disk(&test, text), "{text}");
    }
    assert!(is_on_disk(&test, "order-1"), "the row of the event");
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_and_metrics_show_nothing() {
    let test = start().await;
    let mut event = test.purchase("order-1");
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
