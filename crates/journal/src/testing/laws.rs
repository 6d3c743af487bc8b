//! Laws that every engine keeps. A law is a function over `dyn Journal`; each engine's tests call all of them.

use std::sync::Arc;

use sluice_event::ActionSource;

use super::{
    HOUR_MS, Sample, T0_MS, amend_laws, dataset, drain, entries, key, keys, lane, limits,
    prune_laws, rang, record, refused, report, sample, start_laws,
};
use crate::types::{
    Appended, BatchLimits, Cause, DeliveryReport, Entry, EventKey, Outcome, RequestRecord,
    SentEvents,
};
use crate::{Journal, Lease, LeaseLimits, Retention};

/// Runs every law, each on an empty journal.
pub async fn obeys_the_laws<J: Journal + 'static, Guard>(open: impl Fn() -> (J, Guard)) {
    macro_rules! laws {
        ($($law:path),* $(,)?) => {$(
            let (journal, _guard) = open();
            let journal: Arc<dyn Journal> = Arc::new(journal);
            $law(&*journal).await;
            journal.close().await.unwrap();
        )*};
    }
    laws![
        what_goes_in_comes_out,
        copies_are_known,
        windows_end,
        an_event_has_one_holder,
        a_dropped_lease_goes_back_to_its_place,
        lanes_do_not_mix,
        urgent_events_go_first,
        a_lease_keeps_its_limits,
        settling_is_for_holders,
        an_intent_outlives_its_holder,
        an_intent_goes_when_the_outcome_is_known,
        what_may_have_arrived_has_copies,
        bells_ring,
        what_was_sent_is_counted,
        start_laws::what_is_on_hold_waits_for_its_time,
        start_laws::a_hold_ends_before_an_event_is_urgent,
        start_laws::a_clock_that_was_set_back_prolongs_no_hold,
        start_laws::what_is_final_at_once_never_waits,
        start_laws::a_note_is_kept_and_never_waits,
        start_laws::an_event_may_have_a_window_of_its_own,
        amend_laws::what_waits_is_amended,
        amend_laws::an_amended_event_counts_with_its_new_size,
        amend_laws::the_source_of_the_last_body_says_what_counts_twice,
        amend_laws::of_two_who_amend_one_is_told_to_look_again,
        amend_laws::what_left_its_lane_is_too_late_to_amend,
        sweeping_deletes_bodies_only,
        prune_laws::old_rows_leave_and_the_counts_stay,
        prune_laws::a_row_stays_as_long_as_its_body,
        prune_laws::what_is_remembered_stays_however_old,
        a_closed_journal_says_so,
    ];
}

async fn what_goes_in_comes_out(journal: &dyn Journal) {
    assert!(journal.append(Vec::new()).await.unwrap().is_empty());
    let entries = entries(0..300);
    let appended = journal.append(entries.clone()).await.unwrap();
    assert!(appended.iter().all(|one| matches!(one, Appended::New(_))));
    assert!(appended.is_sorted_by_key(|one| key(*one)));
    let waiting = journal.waiting(&lane(0));
    assert_eq!((waiting.ready, waiting.leased), (300, 0));
    assert_eq!(waiting.oldest_ms, Some(T0_MS));

    let leased = drain(journal, &lane(0), &Outcome::Delivered).await;
    assert_eq!(leased.len(), 300);
    for ((entry, appended), leased) in entries.iter().zip(appended).zip(leased) {
        assert_eq!(leased.key, key(appended));
        assert_eq!(leased.json, entry.event.json());
        assert_eq!(leased.event_id, entry.event.event_id());
        assert_eq!(leased.event_name, "Purchase");
        assert_eq!(leased.source, "shop");
        assert_eq!(leased.accepted_ms, T0_MS);
        assert_eq!(leased.expires_s, entry.event.expires_at());
    }
    assert_eq!(journal.waiting(&lane(0)), crate::Waiting::default());
}

async fn copies_are_known(journal: &dyn Journal) {
    let same_call = [sample(1), sample(1), sample(2)].map(|sample| sample.entry());
    let first = journal.append(same_call.to_vec()).await.unwrap();
    assert_eq!(first[1], Appended::Copy(key(first[0])));
    assert!(matches!(first[2], Appended::New(_)));
    // Delivered or not, from any source.
    drain(journal, &lane(0), &Outcome::Delivered).await;
    let again = journal.append(vec![sample(2).entry()]).await.unwrap();
    assert_eq!(again, [Appended::Copy(key(first[2]))]);
    // Another name, dataset or test code is another event.
    let others = [
        Sample {
            test_code: Some("TEST1"),
            ..sample(2)
        },
        Sample {
            name: "Lead",
            ..sample(1)
        },
        Sample {
            dataset: 1,
            ..sample(1)
        },
    ];
    let others = others.map(|sample| sample.entry()).to_vec();
    let others = journal.append(others).await.unwrap();
    assert!(others.iter().all(|one| matches!(one, Appended::New(_))));
}

async fn windows_end(journal: &dyn Journal) {
    let at = |hours: u64, source| Sample {
        accepted_ms: T0_MS + hours * HOUR_MS,
        source,
        ..sample(format!("{source}"))
    };
    for (source, window_h) in [
        (ActionSource::Website, 48),
        (ActionSource::PhysicalStore, 168),
    ] {
        let append = async |hours| {
            let entries = vec![at(hours, source).entry()];
            journal.append(entries).await.unwrap()[0]
        };
        let first = append(0).await;
        assert!(matches!(first, Appended::New(_)));
        assert_eq!(append(window_h - 1).await, Appended::Copy(key(first)));
        // The window counts from the first, not from its last copy.
        let second = append(window_h).await;
        assert!(matches!(second, Appended::New(_)));
        assert_eq!(append(window_h + 1).await, Appended::Copy(key(second)));
        // A clock that goes backwards makes copies, never an error.
        assert!(matches!(append(window_h - 3).await, Appended::Copy(_)));
    }
}

async fn an_event_has_one_holder(journal: &dyn Journal) {
    journal.append(entries(0..10)).await.unwrap();
    let one = journal.lease(&lane(0), limits(6)).await.unwrap();
    let other = journal.lease(&lane(0), limits(6)).await.unwrap();
    let none = journal.lease(&lane(0), limits(6)).await.unwrap();
    assert_eq!((one.events.len(), other.events.len()), (6, 4));
    assert!(none.events.is_empty());
    assert!(keys(&one).iter().all(|key| !keys(&other).contains(key)));
    let waiting = journal.waiting(&lane(0));
    assert_eq!((waiting.ready, waiting.leased), (0, 10));
}

async fn a_dropped_lease_goes_back_to_its_place(journal: &dyn Journal) {
    journal.append(entries(0..10)).await.unwrap();
    let first = journal.lease(&lane(0), limits(4)).await.unwrap();
    let mut second = journal.lease(&lane(0), limits(3)).await.unwrap();
    let order = keys(&first);
    let settled = second.events[1].key;
    let outcome = report([settled], &Outcome::Delivered);
    journal.settle(&mut second, outcome).await.unwrap();
    assert_eq!(second.events.len(), 2);
    drop(second);
    drop(first);
    let all = journal.lease(&lane(0), limits(100)).await.unwrap();
    assert_eq!(all.events.len(), 9);
    assert_eq!(keys(&all)[..4], order);
    assert!(keys(&all).is_sorted() && !keys(&all).contains(&settled));
}

async fn lanes_do_not_mix(journal: &dyn Journal) {
    let mut lanes = journal.lanes();
    assert!(lanes.borrow_and_update().is_empty());
    let samples = [
        sample(1),
        Sample {
            dataset: 1,
            ..sample(2)
        },
        Sample {
            test_code: Some("TEST1"),
            ..sample(3)
        },
    ];
    let entries = samples.clone().map(|sample| sample.entry()).to_vec();
    journal.append(entries).await.unwrap();
    assert!(lanes.has_changed().unwrap());
    assert_eq!(lanes.borrow_and_update().len(), 3);
    for sample in samples {
        let lease = journal.lease(&sample.lane(), limits(10)).await.unwrap();
        assert_eq!(lease.events.len(), 1);
        assert_eq!(lease.events[0].event_id, sample.id);
        assert!(lanes.borrow().contains(&sample.lane()));
    }
}

async fn urgent_events_go_first(journal: &dyn Journal) {
    let ages_h = [1, 160, 2, 167, 3];
    let samples = ages_h.map(|hours| Sample {
        age_ms: hours * HOUR_MS,
        ..sample(hours)
    });
    let entries = samples.map(|sample| sample.entry()).to_vec();
    let first_expiry_s = entries[3].event.expires_at();
    journal.append(entries).await.unwrap();
    let waiting = journal.waiting(&lane(0));
    assert_eq!(waiting.first_expiry_s, Some(first_expiry_s));
    let urgent_before_s = i64::try_from(T0_MS / 1_000).unwrap() + 24 * 3_600;
    let urgent = LeaseLimits {
        urgent_before_s,
        ..limits(4)
    };
    let lease = journal.lease(&lane(0), urgent).await.unwrap();
    let ids: Vec<&str> = lease
        .events
        .iter()
        .map(|event| event.event_id.as_str())
        .collect();
    assert_eq!(ids, ["a1-167", "a1-160", "a1-1", "a1-2"]);
}

async fn a_lease_keeps_its_limits(journal: &dyn Journal) {
    let entries = entries(0..20);
    let bytes = entries[0].event.json().len() + 1;
    journal.append(entries).await.unwrap();
    let fits = |bytes_max| LeaseLimits {
        bytes_max,
        ..limits(1_000)
    };
    for (bytes_max, expected) in [(1, 1), (3 * bytes - 1, 2), (3 * bytes, 3)] {
        let lease = journal.lease(&lane(0), fits(bytes_max)).await.unwrap();
        assert_eq!(lease.events.len(), expected);
    }
}

async fn settling_is_for_holders(journal: &dyn Journal) {
    let appended = journal.append(entries(0..4)).await.unwrap();
    let mut lease = journal.lease(&lane(0), limits(2)).await.unwrap();
    // Events of others and those named twice are left alone.
    let mut mixed = report(appended.iter().map(|one| key(*one)), &Outcome::Delivered);
    mixed.outcomes.push((key(appended[0]), refused()));
    journal.settle(&mut lease, mixed).await.unwrap();
    assert!(lease.events.is_empty());
    assert_eq!(journal.waiting(&lane(0)).ready, 2);
    // A request may be recorded without any outcome.
    let mut lease = journal.lease(&lane(0), limits(2)).await.unwrap();
    journal
        .settle(&mut lease, report([], &Outcome::Delivered))
        .await
        .unwrap();
    assert_eq!(lease.events.len(), 2);
    drop(lease);
    assert_eq!(drain(journal, &lane(0), &Outcome::Expired).await.len(), 2);
}

/// A message and a purchase on a website.
fn message_and_purchase() -> Vec<Entry> {
    let message = Sample {
        source: ActionSource::BusinessMessaging,
        ..sample("message")
    };
    vec![message.entry(), sample("purchase").entry()]
}

async fn lease_all(journal: &dyn Journal) -> Lease {
    journal.lease(&lane(0), limits(10)).await.unwrap()
}

fn intents(lease: &Lease) -> Vec<Option<u64>> {
    let events = lease.events.iter();
    events.map(|event| event.intended_ms).collect()
}

async fn an_intent_outlives_its_holder(journal: &dyn Journal) {
    journal.append(message_and_purchase()).await.unwrap();
    let mut lease = lease_all(journal).await;
    let events = lease.events.iter();
    let is_deduplicated: Vec<_> = events.map(|event| event.is_deduplicated).collect();
    assert_eq!(is_deduplicated, [false, true]);
    assert_eq!(intents(&lease), [None, None]);
    // Those of others cannot be named, and what Meta deduplicates needs none.
    let mut named = keys(&lease);
    named.push(EventKey(4_711));
    journal.intend(&mut lease, &named, T0_MS).await.unwrap();
    assert_eq!(intents(&lease), [Some(T0_MS), None]);
    drop(lease);
    assert_eq!(intents(&lease_all(journal).await), [Some(T0_MS), None]);
}

async fn an_intent_goes_when_the_outcome_is_known(journal: &dyn Journal) {
    journal.append(message_and_purchase()).await.unwrap();
    let mut lease = lease_all(journal).await;
    let named = keys(&lease);
    journal.intend(&mut lease, &named, T0_MS).await.unwrap();
    // A report about something else leaves it.
    let nothing = report([], &Outcome::Delivered);
    journal.settle(&mut lease, nothing).await.unwrap();
    assert_eq!(intents(&lease), [Some(T0_MS), None]);
    let not_taken = DeliveryReport {
        not_taken: named.clone(),
        ..report([], &Outcome::Delivered)
    };
    journal.settle(&mut lease, not_taken).await.unwrap();
    assert_eq!(intents(&lease), [None, None]);
    drop(lease);
    let mut lease = lease_all(journal).await;
    assert_eq!(intents(&lease), [None, None]);

    // What was refused has no copies: its mended successor comes under the same id.
    journal.intend(&mut lease, &named, T0_MS).await.unwrap();
    let refusal = report(named, &refused());
    journal.settle(&mut lease, refusal).await.unwrap();
    let mended = journal.append(message_and_purchase()).await.unwrap();
    assert!(mended.iter().all(|one| matches!(one, Appended::New(_))));
}

async fn what_may_have_arrived_has_copies(journal: &dyn Journal) {
    let first = journal.append(message_and_purchase()).await.unwrap();
    let mut lease = lease_all(journal).await;
    let named = keys(&lease);
    journal.intend(&mut lease, &named, T0_MS).await.unwrap();
    let withheld = Outcome::Withheld(Cause::default());
    let withheld = report(named, &withheld);
    journal.settle(&mut lease, withheld).await.unwrap();
    let again = journal.append(message_and_purchase()).await.unwrap();
    assert_eq!(again[0], Appended::Copy(key(first[0])));
    // The purchase has no intent: it did not reach Meta.
    assert!(matches!(again[1], Appended::New(_)));
}

/// It rings before an append has returned, so nothing is waited for.
async fn bells_ring(journal: &dyn Journal) {
    let full = BatchLimits {
        events_max: 50,
        bytes_max: 10_000_000,
    };
    let bell = journal.bell(&lane(0), full);
    journal.append(entries(0..1)).await.unwrap();
    assert!(rang(&bell), "there is something to do");
    journal.append(entries(1..49)).await.unwrap();
    assert!(!rang(&bell), "a batch is not full yet");
    journal.append(entries(49..50)).await.unwrap();
    assert!(rang(&bell), "a batch is full");
    drop(journal.lease(&lane(0), limits(10)).await.unwrap());
    assert!(rang(&bell), "events came back");
    // Full by its bytes, which a lane may have changed.
    let waiting = journal.waiting(&lane(0));
    let bytes_max = waiting.ready_bytes + 1;
    let full = BatchLimits {
        events_max: 1_000,
        bytes_max,
    };
    let bell = journal.bell(&lane(0), full);
    assert!(!waiting.fills(full) && !rang(&bell));
    journal.append(entries(50..51)).await.unwrap();
    assert!(rang(&bell), "a batch is full by its bytes");
    assert!(journal.waiting(&lane(0)).fills(full));
}

async fn what_was_sent_is_counted(journal: &dyn Journal) {
    assert_eq!(journal.sent_since(0).await.unwrap(), []);
    let samples = [sample(1), sample(2), sample(3), sample(4), sample(5)];
    let entries = samples.map(|sample| sample.entry());
    journal.append(entries.to_vec()).await.unwrap();
    let minute_ms = T0_MS - T0_MS % 60_000;
    // The newest row may have been sent before the one that ended first.
    for (sent_ms, events, verdict, status) in [
        (minute_ms - 60_000, 7, "delivered", 200),
        (minute_ms + 59_999, 10, "delivered", 200),
        (minute_ms, 20, "fewer", 200),
        (minute_ms + 1, 40, "transient", 0),
        (minute_ms + 1, 5, "transient", 502),
        (minute_ms + 60_000, 3, "delivered", 200),
        (minute_ms + 2, 80, "refused", 400),
        (minute_ms + 3, 160, "transient", 500),
        (minute_ms + 4, 320, "throttled", 400),
    ] {
        let request = RequestRecord {
            sent_ms,
            status,
            // Meta's own errors have one.
            code: matches!(status, 400 | 500).then_some(1),
            verdict,
            ..record(events)
        };
        let report = DeliveryReport {
            at_ms: sent_ms,
            request: Some(request),
            ..DeliveryReport::default()
        };
        let mut lease = journal.lease(&lane(0), limits(1)).await.unwrap();
        journal.settle(&mut lease, report).await.unwrap();
    }
    let sent = |minute_ms, events| SentEvents {
        dataset: dataset(0),
        minute_ms,
        events,
    };
    assert_eq!(
        journal.sent_since(minute_ms).await.unwrap(),
        [sent(minute_ms, 75), sent(minute_ms + 60_000, 3)]
    );
    let since = journal.sent_since(minute_ms - 60_000).await.unwrap();
    assert_eq!(since[0], sent(minute_ms - 60_000, 7));
}

async fn sweeping_deletes_bodies_only(journal: &dyn Journal) {
    journal.append(entries(0..30)).await.unwrap();
    let mut lease = journal.lease(&lane(0), limits(10)).await.unwrap();
    let outcome = report(keys(&lease), &Outcome::Delivered);
    journal.settle(&mut lease, outcome).await.unwrap();
    assert_eq!(
        journal
            .sweep(Retention::FinishedSince(T0_MS))
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        journal
            .sweep(Retention::FinishedSince(T0_MS + HOUR_MS))
            .await
            .unwrap(),
        10
    );
    assert_eq!(
        journal
            .sweep(Retention::FinishedSince(T0_MS + HOUR_MS))
            .await
            .unwrap(),
        0
    );
    let again = journal.append(entries(0..30)).await.unwrap();
    assert!(again.iter().all(|one| matches!(one, Appended::Copy(_))));
    assert_eq!(drain(journal, &lane(0), &refused()).await.len(), 20);
    assert_eq!(
        journal
            .sweep(Retention::FinishedSince(T0_MS + HOUR_MS))
            .await
            .unwrap(),
        20
    );
}

async fn a_closed_journal_says_so(journal: &dyn Journal) {
    journal.append(entries(0..3)).await.unwrap();
    journal.close().await.unwrap();
    let closed = journal.append(entries(3..4)).await;
    assert!(matches!(closed, Err(crate::JournalError::Closed)));
    let closed = journal.lease(&lane(0), limits(1)).await;
    assert!(matches!(closed, Err(crate::JournalError::Closed)));
}
