//! The journal's folder goes away under the gateway: nothing is acknowledged that a restart would not find.

use std::fs;

use serde_json::json;

use crate::client::request;
use crate::harness::start;

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_whose_journal_was_moved_away_takes_nothing_more() {
    let mut test = start().await;
    assert_eq!(test.post(&test.purchase("before")).await.status, 202);
    test.arrived(1).await;
    let aside = test.folder().join("aside");
    fs::rename(test.journal(), &aside).unwrap();

    let refused = test.post(&test.purchase("while")).await;
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some());
    let said = refused.json();
    assert_eq!(said["code"], "journal_unavailable");
    let detail = said["detail"].as_str().unwrap();
    assert!(detail.contains("removed or replaced"), "{detail}");
    let ready = request(test.address(), "GET", "/readyz", &[], b"").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["code"], "journal_unavailable");
    let metrics = request(test.admin(), "GET", "/metrics", &[], b"").await;
    assert!(metrics.body.contains("\nsluice_journal_failing 1\n"));

    // Once more with the folder in its place, it goes on as if nothing had been.
    fs::rename(&aside, test.journal()).unwrap();
    assert_eq!(test.post(&test.purchase("while")).await.status, 503);
    test.restart().await;
    let both = test.purchases(["before", "while"].map(str::to_owned));
    let answer = test.post(&both).await.json();
    assert_eq!(answer["accepted"], json!(1));
    assert_eq!(answer["duplicates"], json!(1));
    test.arrived(2).await;
    let audit = test.finish().await;
    assert_eq!((audit.tally.accepted, audit.tally.delivered), (2, 2));
}
