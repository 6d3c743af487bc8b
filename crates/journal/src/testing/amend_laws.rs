//! Laws of amending a waiting event.

use sluice_event::ActionSource;

use super::{HOUR_MS, Sample, T0_MS, drain, key, lane, limits, record, refused, report, sample};
use crate::types::{
    Amended, Amendment, Appended, DeliveryReport, Entry, EventKey, Outcome, Revision, Start,
};
use crate::{Journal, LeaseLimits};

/// The sample with another value, as an amendment of this revision.
fn amendment(key: EventKey, revision: u32, sample: &Sample, value: f64) -> Amendment {
    let entry = Sample {
        value,
        ..sample.clone()
    };
    let entry = entry.entry();
    Amendment {
        key,
        revision: Revision(revision),
        dataset: entry.dataset,
        at_ms: T0_MS + 1,
        event: entry.event,
    }
}

async fn amend(journal: &dyn Journal, key: EventKey, revision: u32, value: f64) -> Amended {
    let amendment = amendment(key, revision, &sample("sale"), value);
    journal.amend(amendment).await.unwrap()
}

/// The value and the revision of what could be amended.
async fn found(journal: &dyn Journal, key: EventKey) -> Option<(bool, u32)> {
    let amendable = journal.amendable(key).await.unwrap()?;
    Some((amendable.json.contains("99.5"), amendable.revision.0))
}

async fn append(journal: &dyn Journal, start: Start) -> EventKey {
    let entry = Entry {
        start,
        ..sample("sale").entry()
    };
    key(journal.append(vec![entry]).await.unwrap()[0])
}

pub(super) async fn what_waits_is_amended(journal: &dyn Journal) {
    let at_ms = T0_MS + HOUR_MS;
    let sale = append(journal, Start::Due { at_ms }).await;
    let others = journal.append(super::entries(0..3)).await.unwrap();
    assert_eq!(found(journal, sale).await, Some((false, 0)));
    assert_eq!(amend(journal, sale, 0, 99.5).await, Amended::Done);
    assert_eq!(found(journal, sale).await, Some((true, 1)));
    // It is on hold as before, and a copy is still a copy.
    let waiting = journal.waiting(&lane(0));
    assert_eq!((waiting.on_hold, waiting.next_due_ms), (1, Some(at_ms)));
    assert_eq!((waiting.ready, waiting.leased), (3, 0));
    let again = journal.append(vec![sample("sale").entry()]).await.unwrap();
    assert_eq!(again, [Appended::Copy(sale)]);
    assert_eq!(journal.health().tally.accepted, 4);

    // So is one that is ready, as often as it takes.
    let due = LeaseLimits {
        now_ms: at_ms,
        ..limits(10)
    };
    drop(journal.lease(&lane(0), due).await.unwrap());
    assert_eq!(amend(journal, sale, 1, 77.25).await, Amended::Done);
    let kept = journal.kept(vec![sale]).await.unwrap().remove(0).unwrap();
    let leased = drain(journal, &lane(0), &Outcome::Delivered).await;
    let order: Vec<_> = leased.iter().map(|event| event.key).collect();
    assert_eq!(order[0], sale);
    let others: Vec<_> = others.into_iter().map(key).collect();
    assert_eq!(order[1..], others);
    assert!(leased[0].json.contains("77.25") && !leased[0].json.contains("99.5"));
    assert_eq!(kept, leased[0].json);
}

pub(super) async fn an_amended_event_counts_with_its_new_size(journal: &dyn Journal) {
    let sale = append(journal, Start::Waiting).await;
    let before = journal.waiting(&lane(0)).ready_bytes;
    assert_eq!(amend(journal, sale, 0, 123_456.25).await, Amended::Done);
    let lease = journal.lease(&lane(0), limits(1)).await.unwrap();
    let bytes = lease.events[0].json.len() + 1;
    drop(lease);
    assert_ne!(bytes, before);
    assert_eq!(journal.waiting(&lane(0)).ready_bytes, bytes);
}

pub(super) async fn the_source_of_the_last_body_says_what_counts_twice(journal: &dyn Journal) {
    let sale = append(journal, Start::Waiting).await;
    for (revision, source) in [
        ActionSource::BusinessMessaging,
        ActionSource::Website,
        ActionSource::BusinessMessaging,
    ]
    .into_iter()
    .enumerate()
    {
        let sample = Sample {
            source,
            ..sample("sale")
        };
        let amendment = amendment(sale, u32::try_from(revision).unwrap(), &sample, 99.5);
        assert_eq!(journal.amend(amendment).await.unwrap(), Amended::Done);
        let lease = journal.lease(&lane(0), limits(1)).await.unwrap();
        let is_deduplicated = lease.events[0].is_deduplicated;
        assert_eq!(is_deduplicated, source == ActionSource::Website);
    }
    let mut lease = journal.lease(&lane(0), limits(1)).await.unwrap();
    journal.intend(&mut lease, &[sale], T0_MS).await.unwrap();
    drop(lease);
    let lease = journal.lease(&lane(0), limits(1)).await.unwrap();
    assert_eq!(lease.events[0].intended_ms, Some(T0_MS));
}

pub(super) async fn of_two_who_amend_one_is_told_to_look_again(journal: &dyn Journal) {
    let sale = append(journal, Start::Waiting).await;
    let (one, other) = tokio::join!(
        journal.amend(amendment(sale, 0, &sample("sale"), 99.5)),
        journal.amend(amendment(sale, 0, &sample("sale"), 77.25)),
    );
    let mut answers = [one.unwrap(), other.unwrap()];
    answers.sort_by_key(|answer| *answer == Amended::Changed);
    assert_eq!(answers, [Amended::Done, Amended::Changed]);
    assert_eq!(amend(journal, sale, 1, 55.75).await, Amended::Done);
    assert_eq!(amend(journal, sale, 0, 99.5).await, Amended::Changed);
    let json = journal.amendable(sale).await.unwrap().unwrap().json;
    assert!(json.contains("55.75"));
}

pub(super) async fn what_left_its_lane_is_too_late_to_amend(journal: &dyn Journal) {
    let sale = append(journal, Start::Waiting).await;
    let another = amendment(sale, 0, &sample("other"), 99.5);
    assert_eq!(journal.amend(another).await.unwrap(), Amended::Another);
    let mut lease = journal.lease(&lane(0), limits(1)).await.unwrap();
    assert_eq!(found(journal, sale).await, None);
    assert_eq!(amend(journal, sale, 0, 99.5).await, Amended::TooLate);
    let nothing = DeliveryReport {
        request: Some(record(1)),
        ..report([], &Outcome::Delivered)
    };
    journal.settle(&mut lease, nothing).await.unwrap();
    assert_eq!(amend(journal, sale, 0, 99.5).await, Amended::TooLate);
    // What comes back waits again.
    drop(lease);
    assert_eq!(amend(journal, sale, 0, 99.5).await, Amended::Done);
    drain(journal, &lane(0), &refused()).await;
    assert_eq!(found(journal, sale).await, None);
    assert_eq!(amend(journal, sale, 1, 77.25).await, Amended::TooLate);
    let nowhere = EventKey(4_711);
    assert_eq!(found(journal, nowhere).await, None);
    assert_eq!(amend(journal, nowhere, 0, 99.5).await, Amended::TooLate);
    let note = append(journal, Start::Recorded).await;
    assert_eq!(amend(journal, note, 0, 99.5).await, Amended::TooLate);
}
