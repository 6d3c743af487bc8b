//! Deletes the bodies of events that are finished, records that are of no use any more, and at last the events' rows.

use std::sync::Arc;
use std::time::Duration;

use sluice_journal::Journal;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Job, Outcome, Plan, Whose, Work};
use crate::roster::Snapshots;
use crate::time::Time;

/// What is kept goes by the time that is believed.
pub(crate) struct Retention {
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) clock: Arc<Time>,
    /// How long bodies of finished events are kept, among the rest.
    pub(crate) snapshots: Snapshots,
}

impl Job for Retention {
    fn plan(&self) -> Plan {
        Plan {
            name: "retention",
            every: Duration::from_hours(1),
            longest: Duration::from_mins(50),
            whose: Whose::Any,
        }
    }

    fn run<'a>(&'a self, stop: &'a CancellationToken) -> Work<'a> {
        Box::pin(async move {
            let swept = stop.run_until_cancelled(self.sweep()).await;
            swept.unwrap_or_else(|| Err("it was ended".to_owned()))
        })
    }
}

impl Retention {
    /// Not by a time that is in doubt: what is deleted does not come back.
    async fn sweep(&self) -> Outcome {
        if !self.clock.is_sure().await {
            return Err("it is not sure what time it is, and nothing is deleted by it".to_owned());
        }
        // Damage to the bodies is no reason to keep the rows of others, and the other way round.
        let bodies = self.journal.sweep(self.kept()).await;
        let events = self.journal.prune(self.history_from_ms()).await;
        match &bodies {
            Ok(0) => {}
            Ok(bodies) => info!(bodies, "deleted the bodies of events that are finished"),
            Err(error) => warn!(%error, "some old bodies or records could not be deleted"),
        }
        match &events {
            Ok(0) => {}
            Ok(events) => info!(events, "forgot events that were finished long ago"),
            Err(error) => warn!(%error, "some old events could not be deleted"),
        }
        let bodies = bodies.map_err(|error| error.to_string())?;
        let events = events.map_err(|error| error.to_string())?;
        Ok(match (bodies, events) {
            (0, 0) => None,
            (bodies, 0) => Some(format!("bodies deleted: {bodies}")),
            (0, events) => Some(format!("events forgotten: {events}")),
            (bodies, events) => Some(format!(
                "bodies deleted: {bodies}; events forgotten: {events}"
            )),
        })
    }

    /// Events that became final before this time are forgotten.
    fn history_from_ms(&self) -> u64 {
        let history = self.snapshots.borrow().config.journal.history;
        let kept_ms = u64::try_from(history.as_millis()).unwrap_or(u64::MAX);
        self.clock.unix_ms().saturating_sub(kept_ms)
    }

    /// Which bodies are kept now.
    fn kept(&self) -> sluice_journal::Retention {
        let now_ms = self.clock.unix_ms();
        let retention = self.snapshots.borrow().config.journal.retention;
        if retention.is_zero() {
            return sluice_journal::Retention::Needed { now_ms };
        }
        let kept_ms = u64::try_from(retention.as_millis()).unwrap_or(u64::MAX);
        sluice_journal::Retention::FinishedSince(now_ms.saturating_sub(kept_ms))
    }
}

#[cfg(test)]
mod tests {
    use sluice_event::{DatasetId, Event, Findings, Moment, Rules, UserField};
    use sluice_journal::{
        Books, DeliveryReport, Embedded, Entry, EventKey, LaneId, LeaseLimits, Options,
        Outcome as EventOutcome, SourceName, Start,
    };

    use super::*;
    use crate::clock::SystemClock;
    use crate::config::tests::LEAST;
    use crate::roster::Roster;

    fn dataset() -> DatasetId {
        DatasetId::parse("1234567890123456").unwrap()
    }

    fn entry(accepted_ms: u64, start: Start) -> Entry {
        let moment = Moment {
            unix_ms: 1_000,
            in_doubt: false,
            entropy: [7; 10],
        };
        let event = Event::new("Lead", 1).user(UserField::Em, "jane@example.com");
        let event = event.seal(&Rules::default(), moment, &mut Findings::new());
        Entry {
            dataset: dataset(),
            source: SourceName::parse("shop").unwrap(),
            test_code: None,
            accepted_ms,
            in_doubt: false,
            start,
            window_ms: None,
            is_completed: false,
            event: event.unwrap(),
        }
    }

    /// Appends an event and settles it as delivered, two seconds after 1970.
    async fn deliver(journal: &dyn Journal) {
        let id = LaneId {
            dataset: dataset(),
            test_code: None,
            is_replay: false,
        };
        let entry = entry(1_000, Start::Waiting);
        journal.append(vec![entry]).await.unwrap();
        let limits = LeaseLimits {
            events_max: 1,
            bytes_max: 1_000_000,
            urgent_before_s: 0,
            now_ms: 2_000,
        };
        let mut lease = journal.lease(&id, limits).await.unwrap();
        let delivered = DeliveryReport {
            at_ms: 2_000,
            request: None,
            outcomes: vec![(lease.events[0].key, EventOutcome::Delivered)],
            ..DeliveryReport::default()
        };
        journal.settle(&mut lease, delivered).await.unwrap();
    }

    /// Whose clock leaps does not lose what is kept.
    #[tokio::test]
    async fn nothing_is_deleted_by_a_time_in_doubt() {
        let folder = tempfile::tempdir().unwrap();
        let journal: Arc<dyn Journal> =
            Arc::new(Embedded::open(folder.path(), Options::default()).unwrap());
        deliver(&*journal).await;
        let has_body = || {
            let books = Books::open(folder.path()).unwrap();
            books.event(EventKey(1)).unwrap().unwrap().json.is_some()
        };
        let clock = || Arc::new(SystemClock::default());
        let mut job = Retention {
            journal,
            clock: Arc::new(Time::unheard(clock()).unwrap()),
            snapshots: Roster::for_tests(LEAST).snapshots(),
        };
        let stop = CancellationToken::new();
        let why = job.run(&stop).await.unwrap_err();
        assert!(why.contains("not sure what time it is"), "{why}");
        assert!(has_body());
        job.clock = Arc::new(Time::sure(clock()));
        let said = job.run(&stop).await.unwrap();
        assert_eq!(said.as_deref(), Some("bodies deleted: 1"));
        assert!(!has_body());
        assert_eq!(job.run(&stop).await, Ok(None));
    }

    #[tokio::test]
    async fn rows_of_old_events_leave() {
        let folder = tempfile::tempdir().unwrap();
        let journal: Arc<dyn Journal> =
            Arc::new(Embedded::open(folder.path(), Options::default()).unwrap());
        let clock = Arc::new(Time::sure(Arc::new(SystemClock::default())));
        let day_ms = 24 * 3_600_000;
        // Two days later the window for copies of the first one is over.
        for days_ago in [401, 398] {
            let at_ms = clock.unix_ms() - days_ago * day_ms;
            let note = entry(at_ms, Start::Recorded);
            journal.append(vec![note]).await.unwrap();
        }
        let job = Retention {
            journal,
            clock,
            snapshots: Roster::for_tests(LEAST).snapshots(),
        };
        let said = job.run(&CancellationToken::new()).await.unwrap();
        assert_eq!(said.as_deref(), Some("events forgotten: 1"));
        let books = Books::open(folder.path()).unwrap();
        assert!(books.event(EventKey(1)).unwrap().is_none());
        assert!(books.event(EventKey(2)).unwrap().is_some());
    }
}
