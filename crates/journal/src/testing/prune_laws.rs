//! Laws of old rows leaving.

use super::{HOUR_MS, Sample, T0_MS, entries, key, lane, limits, refused, report, sample};
use crate::types::{Appended, Cause, Entry, EventKey, Outcome, Start};
use crate::{Journal, Retention, Tally};

/// When the windows for copies of all events of the laws are over.
const LATER_MS: u64 = T0_MS + 100 * 24 * HOUR_MS;

/// Notes with these numbers.
fn notes(ids: std::ops::Range<u32>) -> Vec<Entry> {
    let note = |entry| Entry {
        start: Start::Recorded,
        ..entry
    };
    entries(ids).into_iter().map(note).collect()
}

/// An event that comes later, by which the windows of all others are over.
async fn let_time_pass(journal: &dyn Journal) -> EventKey {
    let later = Sample {
        accepted_ms: LATER_MS,
        ..sample("later")
    };
    key(journal.append(vec![later.entry()]).await.unwrap()[0])
}

pub(super) async fn old_rows_leave_and_the_counts_stay(journal: &dyn Journal) {
    journal.append(notes(0..250)).await.unwrap();
    let withheld = Start::Final(Outcome::Withheld(Cause::default()));
    let withheld = Entry {
        start: withheld,
        ..sample("withheld").entry()
    };
    journal.append(vec![withheld]).await.unwrap();
    let waiting = journal.append(vec![sample("waiting").entry()]).await;
    let waiting = key(waiting.unwrap()[0]);
    assert_eq!(
        journal.prune(LATER_MS).await.unwrap(),
        0,
        "copies are known"
    );
    let last = let_time_pass(journal).await;
    let before = journal.health().tally;
    assert_eq!(journal.prune(T0_MS).await.unwrap(), 0, "final since then");
    assert_eq!(journal.prune(T0_MS + 1).await.unwrap(), 251);
    assert_eq!(journal.prune(u64::MAX).await.unwrap(), 0);
    assert_eq!(journal.health().tally, before);
    assert_eq!(before.recorded, 250);
    let lease = journal.lease(&lane(0), limits(10)).await.unwrap();
    assert_eq!(super::keys(&lease), [waiting, last]);
}

pub(super) async fn a_row_stays_as_long_as_its_body(journal: &dyn Journal) {
    journal.append(entries(0..400)).await.unwrap();
    let mut lease = journal.lease(&lane(0), limits(1_000)).await.unwrap();
    let settled = report(super::keys(&lease), &refused());
    journal.settle(&mut lease, settled).await.unwrap();
    let_time_pass(journal).await;
    assert_eq!(journal.prune(LATER_MS).await.unwrap(), 0);
    let swept = journal.sweep(Retention::FinishedSince(LATER_MS)).await;
    assert_eq!(swept.unwrap(), 400);
    // Bodies near the one that waits are blank, and their rows stay.
    let left = journal.prune(LATER_MS).await.unwrap();
    assert!((1..400).contains(&left), "{left}");
}

pub(super) async fn what_is_remembered_stays_however_old(journal: &dyn Journal) {
    let sale = Entry {
        window_ms: Some(60 * 24 * HOUR_MS),
        ..notes(0..1).remove(0)
    };
    let first = journal.append(vec![sale.clone()]).await.unwrap();
    let first = key(first[0]);
    let after = Entry {
        accepted_ms: T0_MS + 59 * 24 * HOUR_MS,
        ..sale.clone()
    };
    journal.append(notes(1..2)).await.unwrap();
    assert_eq!(journal.prune(u64::MAX).await.unwrap(), 0);
    let again = journal.append(vec![after]).await.unwrap();
    assert_eq!(again, [Appended::Copy(first)]);
    let_time_pass(journal).await;
    assert_eq!(journal.prune(LATER_MS).await.unwrap(), 2);
    // Its key is never given again, also when no other row is left.
    let sale = Entry {
        accepted_ms: LATER_MS,
        ..sale
    };
    let again = key(journal.append(vec![sale]).await.unwrap()[0]);
    assert!(again > EventKey(first.0 + 2));
    let tally = journal.health().tally;
    let expected = Tally {
        received: 5,
        accepted: 4,
        recorded: 3,
        waiting: 1,
        duplicate: 1,
        ..Tally::default()
    };
    assert_eq!(tally, expected);
}
