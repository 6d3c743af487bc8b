//! Laws of the states in which events begin, and of windows that they have of their own.

use super::{HOUR_MS, Sample, T0_MS, entries, key, keys, lane, limits, rang, refused, sample};
use crate::types::{Appended, Cause, Entry, Outcome, Start, WINDOW_MAX_MS};
use crate::{Journal, Lease, LeaseLimits, Tally, Waiting};

const DAY_MS: u64 = 24 * HOUR_MS;

/// Half an hour after the events of tests come.
const DUE_MS: u64 = T0_MS + HOUR_MS / 2;

fn beginning(sample: &Sample, start: Start) -> Entry {
    Entry {
        start,
        ..sample.entry()
    }
}

fn due(sample: &Sample, at_ms: u64) -> Entry {
    beginning(sample, Start::Due { at_ms })
}

fn withheld() -> Outcome {
    Outcome::Withheld(Cause {
        text: "without consent".to_owned(),
        ..Cause::default()
    })
}

async fn lease_at(journal: &dyn Journal, now_ms: u64) -> Lease {
    let limits = LeaseLimits {
        now_ms,
        ..limits(100)
    };
    journal.lease(&lane(0), limits).await.unwrap()
}

pub(super) async fn what_is_on_hold_waits_for_its_time(journal: &dyn Journal) {
    let bell = journal.bell(&lane(0), super::FULL);
    let held = [
        due(&sample("late"), DUE_MS + 1),
        due(&sample("early"), DUE_MS),
    ];
    let held = journal.append(held.to_vec()).await.unwrap();
    assert!(rang(&bell), "the lane has to know when to look");
    let waiting = journal.waiting(&lane(0));
    assert_eq!(
        (waiting.ready, waiting.on_hold, waiting.events()),
        (0, 2, 2)
    );
    assert_eq!(waiting.next_due_ms, Some(DUE_MS));
    assert_eq!(journal.health().tally.waiting, 2);
    assert!(lease_at(journal, DUE_MS - 1).await.events.is_empty());

    // Others do not wait for them.
    let other = journal.append(entries(0..1)).await.unwrap();
    let lease = lease_at(journal, DUE_MS - 1).await;
    assert_eq!(keys(&lease), [key(other[0])]);
    drop(lease);
    let lease = lease_at(journal, DUE_MS).await;
    assert_eq!(keys(&lease), [key(held[1]), key(other[0])]);
    assert_eq!(journal.waiting(&lane(0)).next_due_ms, Some(DUE_MS + 1));
    // What was given back is not held again.
    drop(lease);
    let waiting = journal.waiting(&lane(0));
    assert_eq!((waiting.ready, waiting.on_hold), (2, 1));
    assert_eq!(lease_at(journal, DUE_MS + 1).await.events.len(), 3);
}

pub(super) async fn a_hold_ends_before_an_event_is_urgent(journal: &dyn Journal) {
    let aged = |hours: u64| Sample {
        age_ms: hours * HOUR_MS,
        ..sample(hours)
    };
    // Meta takes them for 168 hours, and 6 hours before that they are urgent.
    let forever = u64::MAX;
    let entries = [161, 162, 167].map(|hours| due(&aged(hours), forever));
    journal.append(entries.to_vec()).await.unwrap();
    let waiting = journal.waiting(&lane(0));
    assert_eq!((waiting.ready, waiting.on_hold), (2, 1));
    assert_eq!(waiting.next_due_ms, Some(T0_MS + HOUR_MS));
}

pub(super) async fn a_clock_that_was_set_back_prolongs_no_hold(journal: &dyn Journal) {
    journal.append(vec![due(&sample(1), DUE_MS)]).await.unwrap();
    assert!(lease_at(journal, T0_MS).await.events.is_empty());
    assert_eq!(lease_at(journal, T0_MS - HOUR_MS).await.events.len(), 1);
}

pub(super) async fn what_is_final_at_once_never_waits(journal: &dyn Journal) {
    let bell = journal.bell(&lane(0), super::FULL);
    let states = [withheld(), Outcome::Expired, refused(), Outcome::Delivered];
    let entry =
        |(id, outcome): (usize, &Outcome)| beginning(&sample(id), Start::Final(outcome.clone()));
    let entries: Vec<_> = states.iter().enumerate().map(entry).collect();
    let first = journal.append(entries.clone()).await.unwrap();
    assert!(first.iter().all(|one| matches!(one, Appended::New(_))));
    assert_eq!(journal.waiting(&lane(0)), Waiting::default());
    assert!(!rang(&bell) && journal.lanes().borrow().is_empty());
    assert!(lease_at(journal, u64::MAX).await.events.is_empty());
    let expected = Tally {
        received: 4,
        accepted: 4,
        withheld: 1,
        expired: 1,
        refused: 1,
        delivered: 1,
        ..Tally::default()
    };
    assert_eq!(journal.health().tally, expected);
    let kept = journal.kept(first.iter().map(|one| key(*one)).collect());
    assert_eq!(kept.await.unwrap(), [None, None, None, None]);

    // What never reached Meta has no copies: with consent, the same event comes again. The same in one request.
    let again = journal.append(entries.clone()).await.unwrap();
    assert!(again[..3].iter().all(|one| matches!(one, Appended::New(_))));
    assert_eq!(again[3], Appended::Copy(key(first[3])));
    let twice = vec![entries[0].clone(), sample(0).entry(), sample(0).entry()];
    let twice = journal.append(twice).await.unwrap();
    assert!(matches!(twice[1], Appended::New(_)));
    assert_eq!(twice[2], Appended::Copy(key(twice[1])));
}

pub(super) async fn a_note_is_kept_and_never_waits(journal: &dyn Journal) {
    let note = beginning(&sample("refund"), Start::Recorded);
    let twice = vec![note.clone(), note.clone()];
    let appended = journal.append(twice).await.unwrap();
    assert_eq!(appended[1], Appended::Copy(key(appended[0])));
    let again = journal.append(vec![note]).await.unwrap();
    assert_eq!(again, [Appended::Copy(key(appended[0]))]);
    assert_eq!(journal.waiting(&lane(0)), Waiting::default());
    let expected = Tally {
        received: 3,
        accepted: 1,
        recorded: 1,
        duplicate: 2,
        ..Tally::default()
    };
    assert_eq!(journal.health().tally, expected);
}

pub(super) async fn an_event_may_have_a_window_of_its_own(journal: &dyn Journal) {
    for (name, window_ms, effective_ms) in [
        ("hour", HOUR_MS, HOUR_MS),
        ("week", 7 * DAY_MS, 7 * DAY_MS),
        ("sale", 60 * DAY_MS, 60 * DAY_MS),
        ("too long", u64::MAX, WINDOW_MAX_MS),
    ] {
        let append = async |after_ms: u64| {
            let sample = Sample {
                accepted_ms: T0_MS + after_ms,
                ..sample(name)
            };
            let entry = Entry {
                window_ms: Some(window_ms),
                ..sample.entry()
            };
            journal.append(vec![entry]).await.unwrap()[0]
        };
        let first = append(0).await;
        assert!(matches!(first, Appended::New(_)), "{name}");
        let last = append(effective_ms - 1).await;
        assert_eq!(last, Appended::Copy(key(first)), "{name}");
        let second = append(effective_ms).await;
        assert!(matches!(second, Appended::New(_)), "{name}");
    }
}
