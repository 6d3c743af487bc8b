//! Clocks that were wrong: what rows say of their times is in no order, and copies are known all the same.

use tempfile::TempDir;

use super::crash::copy;
use super::open;
use crate::testing::{HOUR_MS, T0_MS, sample};
use crate::{Appended, Embedded, Entry, Journal as _};

const DAY_MS: u64 = 24 * HOUR_MS;

/// An event that comes at this time, by a clock that is sure.
fn at(id: u32, accepted_ms: u64) -> Entry {
    let mut sample = sample(id);
    sample.accepted_ms = accepted_ms;
    sample.entry()
}

/// The same by a clock that is in doubt.
fn in_doubt(id: u32, accepted_ms: u64) -> Entry {
    Entry {
        in_doubt: true,
        ..at(id, accepted_ms)
    }
}

/// Appends one event after the other; says of each whether it was a copy.
async fn copies(journal: &Embedded, entries: impl IntoIterator<Item = Entry>) -> Vec<bool> {
    let mut copies = Vec::new();
    for entry in entries {
        let appended = journal.append(vec![entry]).await.unwrap();
        copies.push(matches!(appended[0], Appended::Copy(_)));
    }
    copies
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_are_known_after_a_start_in_whatever_order_times_are() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let hour = |id: u32| T0_MS + u64::from(id) * HOUR_MS / 2;
    let entries = (0..40).map(|id| match id {
        // In the middle, where a search by halves looks first, and at the end, where it takes its measure.
        19 | 20 => in_doubt(id, hour(id) - 20 * DAY_MS),
        39 => in_doubt(id, hour(id) + 20 * DAY_MS),
        id => at(id, hour(id)),
    });
    assert_eq!(copies(&journal, entries).await, [false; 40]);
    let killed = copy(&journal, folder.path()).await;
    let again = open(killed.path());
    let later = || {
        (0..39)
            .filter(|id| ![19, 20].contains(id))
            .map(|id| at(id, hour(40)))
    };
    assert_eq!(copies(&again, later()).await, [true; 37]);
    journal.close().await.unwrap();
    let again = open(folder.path());
    assert_eq!(copies(&again, later()).await, [true; 37]);
}

#[tokio::test]
async fn a_time_in_doubt_makes_nothing_be_forgotten_and_nothing_old() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let ahead_ms = T0_MS + 30 * DAY_MS;
    assert_eq!(copies(&journal, [at(1, T0_MS)]).await, [false]);
    let leap = [in_doubt(2, ahead_ms), in_doubt(1, ahead_ms)];
    assert_eq!(copies(&journal, leap).await, [false, true]);
    let back = [at(1, T0_MS + HOUR_MS), at(2, T0_MS + HOUR_MS)];
    assert_eq!(copies(&journal, back).await, [true, true]);
    // A month that has really passed is another thing.
    assert_eq!(copies(&journal, [at(1, ahead_ms)]).await, [false]);
}

#[tokio::test]
async fn the_start_reads_no_more_for_copies_than_is_remembered() {
    let folder = TempDir::new().unwrap();
    let first = async |journal: &Embedded| {
        let first = journal.on_writer(|writer| (writer.state.dedup.first(), writer.state.seen));
        let (first, seen) = first.await;
        assert_eq!(first, seen);
        first.usual.unwrap().0
    };
    let journal = open(folder.path());
    let hourly = (0..200).map(|id| at(id, T0_MS + u64::from(id) * HOUR_MS));
    assert_eq!(copies(&journal, hourly).await, [false; 200]);
    let seen = first(&journal).await;
    assert!((100..=152).contains(&seen), "{seen}");
    let killed = copy(&journal, folder.path()).await;
    let again = open(killed.path());
    assert_eq!(first(&again).await, seen);
}
