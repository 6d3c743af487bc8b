//! A journal that cannot write: nothing is posted that could not be recorded, and what arrived before is not
//! sent again.

use std::path::Path;
use std::time::Duration;

use sluice_journal::Books;
use sluice_sandbox::TokenState;

use crate::harness::{TOKEN, TestGateway, start};

/// Makes the journal fail when it writes into these tables, as a full disk does.
fn break_journal(folder: &Path, tables: &[&str]) {
    change(folder, tables, |table| {
        format!(
            "CREATE TRIGGER broken_{table} BEFORE INSERT ON {table}
             BEGIN SELECT RAISE(ABORT, 'broken by the test'); END"
        )
    });
}

fn mend_journal(folder: &Path, tables: &[&str]) {
    change(folder, tables, |table| {
        format!("DROP TRIGGER broken_{table}")
    });
}

fn change(folder: &Path, tables: &[&str], sql: impl Fn(&str) -> String) {
    let conn = rusqlite::Connection::open(folder.join("journal.db")).unwrap();
    conn.busy_timeout(Duration::from_secs(20)).unwrap();
    let all: Vec<_> = tables.iter().map(|table| sql(table)).collect();
    conn.execute_batch(&all.join(";")).unwrap();
}

/// Ends every pause of the lane, again and again.
async fn hurry(test: &TestGateway, mut meanwhile: impl AsyncFnMut(usize)) {
    for round in 0..20 {
        test.clock.jump(Duration::from_mins(6));
        test.reload();
        meanwhile(round).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_posted_while_the_journal_fails() {
    const TABLES: [&str; 4] = ["event", "outcome", "request", "mark"];
    let test = start().await;
    test.token(TOKEN, TokenState::Expired);
    let orders = (1..=5).map(|number| format!("order-{number}"));
    test.post(&test.purchases(orders)).await;
    test.lane("parked").await;
    break_journal(&test.journal(), &TABLES);
    assert_eq!(test.post(&test.purchase("refused")).await.status, 503);
    test.token(TOKEN, TokenState::Valid);
    hurry(&test, async |_| {
        assert_eq!(test.post(&test.purchase("refused")).await.status, 503);
    })
    .await;
    assert_eq!(test.sandbox.stats().distinct, 0);
    mend_journal(&test.journal(), &TABLES);
    test.arrived(5).await;
    let received = test.sandbox.ids();
    assert!(received.iter().all(|id| id.received == 1), "{received:?}");
    let audit = test.finish().await;
    assert_eq!(audit.tally.delivered, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrived_is_recorded_later_and_not_sent_again() {
    let test = start().await;
    break_journal(&test.journal(), &["outcome"]);
    let orders = (1..=5).map(|number| format!("order-{number}"));
    test.post(&test.purchases(orders)).await;
    test.arrived(5).await;
    let mut accepted = 5;
    hurry(&test, async |round| {
        // Also when it shares a commit with what cannot be recorded.
        let answer = test.post(&test.purchase(&round.to_string())).await;
        assert_eq!(answer.status, 202);
        accepted += 1;
    })
    .await;
    mend_journal(&test.journal(), &["outcome"]);
    test.arrived(accepted).await;
    test.until("everything to be settled", || {
        let audit = Books::open(&test.journal()).unwrap().audit().unwrap();
        audit.tally.waiting == 0
    })
    .await;
    let received = test.sandbox.ids();
    assert!(received.iter().all(|id| id.received == 1), "{received:?}");
    let audit = test.finish().await;
    assert_eq!(audit.tally.delivered, accepted);
}
