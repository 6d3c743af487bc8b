//! What every engine tests itself with: the laws of journals and those of ledgers.
//!
//! ```no_run
//! # use sluice_journal::{BodyKeys, Embedded, EmbeddedLedger, Options, testing};
//! # async fn laws(folder: &std::path::Path) {
//! testing::obeys_the_laws(|| (Embedded::open(folder, Options::default()).unwrap(), ())).await;
//! testing::tells_what_is_there(|| {
//!     let journal = Embedded::open(folder, Options::default()).unwrap();
//!     let ledger = EmbeddedLedger::open(folder, BodyKeys::default()).unwrap();
//!     (journal, ledger, ())
//! })
//! .await;
//! # }
//! ```
//!
//! Each call makes an empty journal; the third part keeps alive what it needs.

#![expect(clippy::unwrap_used, reason = "a law that does not hold is a panic")]

mod amend_laws;
mod laws;
mod ledger_laws;
mod prune_laws;
mod start_laws;

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use sluice_event::{
    ActionSource, Code, DatasetId, Event, Findings, MessagingChannel, Moment, Remains, Rules,
    UserField,
};
use tokio::sync::Notify;

use crate::types::{
    Appended, Arrivals, BatchLimits, Cause, DeliveryReport, Entry, EventKey, LaneId, Leased,
    Outcome, Received, Rejection, RequestRecord, SourceName, Start, TestCode,
};
use crate::{Journal, Lease, LeaseLimits};

pub use laws::obeys_the_laws;
pub use ledger_laws::tells_what_is_there;

/// A moment in 2025; tests count from here.
pub(crate) const T0_MS: u64 = 1_751_000_000_000;

pub(crate) const HOUR_MS: u64 = 3_600_000;

/// What a test's event is made of.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) dataset: u32,
    pub(crate) name: &'static str,
    pub(crate) id: String,
    pub(crate) source: ActionSource,
    pub(crate) test_code: Option<&'static str>,
    pub(crate) accepted_ms: u64,
    /// How long before its arrival it happened.
    pub(crate) age_ms: u64,
    pub(crate) value: f64,
}

pub(crate) fn sample(id: impl std::fmt::Display) -> Sample {
    Sample {
        dataset: 0,
        name: "Purchase",
        // Zero alone names nothing, and is no id.
        id: format!("a1-{id}"),
        source: ActionSource::Website,
        test_code: None,
        accepted_ms: T0_MS,
        age_ms: 1_000,
        value: 12.5,
    }
}

pub(crate) fn dataset(number: u32) -> DatasetId {
    DatasetId::parse(&format!("10000000{number}")).unwrap()
}

pub(crate) fn lane(number: u32) -> LaneId {
    LaneId {
        dataset: dataset(number),
        test_code: None,
        is_replay: false,
    }
}

/// The events of a lane that a person sent again.
pub(crate) fn replays(number: u32) -> LaneId {
    LaneId {
        is_replay: true,
        ..lane(number)
    }
}

/// A batch of the usual size.
pub(crate) const FULL: BatchLimits = BatchLimits {
    events_max: 1_000,
    bytes_max: 1_000_000,
};

impl Sample {
    pub(crate) fn entry(&self) -> Entry {
        let moment = Moment {
            unix_ms: self.accepted_ms,
            in_doubt: false,
            entropy: [7; 10],
        };
        let event_s = i64::try_from((self.accepted_ms - self.age_ms) / 1_000).unwrap();
        let event = Event::new(self.name, event_s)
            .id(self.id.clone())
            .source(self.source)
            .user(UserField::Em, "john@example.com")
            .user(UserField::ClientUserAgent, "Mozilla/5.0")
            .custom("currency", "USD")
            .custom("value", self.value);
        let mut event = event;
        match self.source {
            ActionSource::Website => {
                event.event_source_url = Some("https://shop.example/thanks".into());
            }
            ActionSource::BusinessMessaging => {
                event.messaging_channel = Some(MessagingChannel::Messenger);
                event = event
                    .user(UserField::PageId, "1029384756")
                    .user(UserField::PageScopedUserId, "5647382910");
            }
            _ => {}
        }
        let mut findings = Findings::new();
        let sealed = event.seal(&Rules::default(), moment, &mut findings);
        Entry {
            dataset: dataset(self.dataset),
            source: SourceName::parse("shop").unwrap(),
            test_code: self.test_code.map(|code| TestCode::parse(code).unwrap()),
            accepted_ms: self.accepted_ms,
            in_doubt: false,
            start: Start::Waiting,
            window_ms: None,
            is_completed: false,
            event: sealed.unwrap(),
        }
    }

    pub(crate) fn lane(&self) -> LaneId {
        let entry = self.entry();
        LaneId {
            dataset: entry.dataset,
            test_code: entry.test_code,
            is_replay: false,
        }
    }
}

/// An event that no dataset could take.
pub(crate) fn rejection(id: impl std::fmt::Display) -> Rejection {
    Rejection {
        dataset: dataset(0),
        source: SourceName::parse("shop").unwrap(),
        rejected_ms: T0_MS,
        codes: vec![Code::PurchaseValueMissing, Code::EventTimeLate],
        remains: Remains {
            event_name: Some("Purchase".to_owned()),
            event_id: Some(id.to_string()),
            order_id: None,
        },
        request_id: "request-1".into(),
    }
}

/// A request with entries and rejected events, all of them for the first dataset.
pub(crate) fn received(entries: Vec<Entry>, rejections: Vec<Rejection>) -> Received {
    let mut received = Received::from(entries);
    for rejection in &rejections {
        received.arrivals.push(Arrivals {
            dataset: rejection.dataset.clone(),
            source: rejection.source.clone(),
            at_ms: rejection.rejected_ms,
            events: 1,
        });
    }
    received.rejections = rejections;
    received
}

pub(crate) fn entries(ids: std::ops::Range<u32>) -> Vec<Entry> {
    ids.map(|id| sample(id).entry()).collect()
}

pub(crate) fn limits(events_max: usize) -> LeaseLimits {
    LeaseLimits {
        events_max,
        bytes_max: 10_000_000,
        urgent_before_s: 0,
        now_ms: T0_MS,
    }
}

pub(crate) fn key(appended: Appended) -> EventKey {
    match appended {
        Appended::New(key) | Appended::Copy(key) => key,
    }
}

pub(crate) fn keys(lease: &Lease) -> Vec<EventKey> {
    lease.events.iter().map(|event| event.key).collect()
}

pub(crate) fn record(events: usize) -> RequestRecord {
    RequestRecord {
        sent_ms: T0_MS,
        elapsed_ms: 80,
        events,
        bytes: 1_000,
        status: 200,
        code: None,
        subcode: None,
        received: Some(events as u64),
        fbtrace_id: Some("AbCdEf".to_owned()),
        verdict: "delivered",
    }
}

pub(crate) fn report(
    keys: impl IntoIterator<Item = EventKey>,
    outcome: &Outcome,
) -> DeliveryReport {
    let outcomes: Vec<_> = keys.into_iter().map(|key| (key, outcome.clone())).collect();
    DeliveryReport {
        at_ms: T0_MS + 5_000,
        request: Some(record(outcomes.len())),
        outcomes,
        not_taken: Vec::new(),
    }
}

pub(crate) fn refused() -> Outcome {
    Outcome::Refused(Cause {
        code: Some(100),
        subcode: Some(2_804_003),
        text: "the event is too old".to_owned(),
    })
}

/// Leases everything of a lane and settles it.
pub(crate) async fn drain(journal: &dyn Journal, lane: &LaneId, outcome: &Outcome) -> Vec<Leased> {
    let mut all = Vec::new();
    loop {
        let mut lease = journal.lease(lane, limits(1_000)).await.unwrap();
        if lease.events.is_empty() {
            return all;
        }
        all.extend(lease.events.iter().cloned());
        let report = report(keys(&lease), outcome);
        journal.settle(&mut lease, report).await.unwrap();
        assert!(lease.events.is_empty());
    }
}

/// Whether a bell rang since it was asked last.
pub(crate) fn rang(bell: &Notify) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    pin!(bell.notified()).poll(&mut context) == Poll::Ready(())
}
