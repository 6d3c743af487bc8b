//! Commands that are written together: an error that lies in the rows of one of them is no matter of the others.

use sluice_event::ActionSource;
use tempfile::TempDir;

use super::{audit, in_one_group, open};
use crate::testing::{
    Sample, T0_MS, entries, keys, lane, limits, received, rejection, report, sample,
};
use crate::{Appended, Embedded, EventKey, Journal as _, JournalError, Outcome, Retention};

/// Makes the writer fail to write a row of a table.
async fn refuse(journal: &Embedded, change: &str, condition: &str) {
    let trigger = format!(
        "CREATE TEMP TRIGGER refuse BEFORE {change} WHEN {condition}
         BEGIN SELECT RAISE(ABORT, 'the test wants it so'); END"
    );
    journal
        .on_writer(move |writer| writer.conn.execute_batch(&trigger).unwrap())
        .await;
}

async fn allow(journal: &Embedded) {
    journal
        .on_writer(|writer| writer.conn.execute_batch("DROP TRIGGER refuse").unwrap())
        .await;
}

fn is_refused<T: std::fmt::Debug>(answer: &Result<T, JournalError>) -> bool {
    matches!(answer, Err(JournalError::Damaged(_)))
}

#[tokio::test]
async fn a_command_whose_rows_cannot_be_written_fails_alone() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let message = Sample {
        source: ActionSource::BusinessMessaging,
        ..sample("message")
    };
    journal.append(vec![message.entry()]).await.unwrap();
    journal.append(entries(0..3)).await.unwrap();
    let mut next = 100;
    let mut good = || {
        next += 1;
        journal.append(entries(next..next + 1))
    };

    refuse(&journal, "INSERT ON main.outcome", "new.event = 1").await;
    let mut lease = journal.lease(&lane(0), limits(1)).await.unwrap();
    let named = keys(&lease);
    let delivered = report(named.clone(), &Outcome::Delivered);
    let both = in_one_group(&journal, journal.settle(&mut lease, delivered), good()).await;
    assert!(is_refused(&both.0) && both.1.is_ok(), "{both:?}");
    assert_eq!(keys(&lease), named);
    allow(&journal).await;

    refuse(&journal, "INSERT ON main.intent", "new.event = 1").await;
    let intended = journal.intend(&mut lease, &named, T0_MS);
    let both = in_one_group(&journal, good(), intended).await;
    assert!(both.0.is_ok() && is_refused(&both.1), "{both:?}");
    assert!(
        journal.health().is_failing.is_none(),
        "events can be kept all the same"
    );
    assert_eq!(lease.events[0].intended_ms, None);
    allow(&journal).await;

    refuse(&journal, "INSERT ON main.event", "new.event_id = 'a1-bad'").await;
    let beside = vec![sample("beside").entry(), sample("bad").entry()];
    let both = in_one_group(&journal, journal.append(beside.clone()), good()).await;
    assert!(is_refused(&both.0) && both.1.is_ok(), "{both:?}");
    allow(&journal).await;
    let appended = journal.append(beside).await.unwrap();
    assert!(appended.iter().all(|one| matches!(one, Appended::New(_))));

    refuse(&journal, "INSERT ON main.rejection", "new.event_id = 'bad'").await;
    let bad = received(Vec::new(), vec![rejection("bad")]);
    let both = in_one_group(&journal, journal.receive(bad), good()).await;
    assert!(is_refused(&both.0) && both.1.is_ok(), "{both:?}");
    allow(&journal).await;

    let delivered = report([EventKey(1)], &Outcome::Delivered);
    journal.settle(&mut lease, delivered).await.unwrap();
    refuse(&journal, "UPDATE ON main.body", "new.id = 1").await;
    let sweep = journal.sweep(Retention::FinishedSince(T0_MS + 60_000));
    let both = in_one_group(&journal, good(), sweep).await;
    assert!(both.0.is_ok() && is_refused(&both.1), "{both:?}");
    assert!(journal.health().is_failing.is_none());

    let tally = audit(folder.path()).tally;
    assert_eq!(
        (tally.accepted, tally.delivered, tally.rejected),
        (11, 1, 0)
    );
    assert_eq!(journal.health().tally, tally);
}
