//! Lines of the log that would otherwise come with every event, request or connection: one a minute for each subject,
//! with a count. The first is written at once; what comes in the minute after it is summed up for the next one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sluice_event::Code;
use sluice_journal::{BodyKeyId, EventKey};

use super::NAMED_MAX;

/// How long nothing more is said of a subject, in milliseconds.
pub(super) const QUIET_MS: u64 = 60_000;

/// What a line is about. Its texts are names of the configuration and words for causes, so there is an end to them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    /// What a rule found in events that came in.
    Found {
        source: String,
        code: Code,
        found: Found,
    },
    /// What clients do to the doors.
    Door(DoorTrouble),
    /// Requests to Meta.
    Requests {
        dataset: String,
        is_test: bool,
        verdict: &'static str,
        code: Option<i64>,
        subcode: Option<i64>,
    },
    /// Requests of which Meta counts fewer events than were sent.
    Fewer { dataset: String },
    /// Events of a dataset that were not delivered.
    NotDelivered { dataset: String, why: NotDelivered },
    /// What became of events cannot be written, because rows of the journal are damaged in this way.
    NotRecorded { dataset: String, error: String },
    /// Events that came in cannot be kept, because rows of the journal are damaged in this way.
    NotKept { error: String },
}

/// What a finding meant for the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Found {
    /// No dataset could take it.
    Rejected,
    /// A value of it was repaired or left out.
    Repaired,
}

/// What clients do to the doors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum DoorTrouble {
    /// A request was answered with a server error.
    ServerError { door: &'static str, status: u16 },
    /// All places for connections are taken.
    Full,
    /// An address has as many connections as it may.
    TooManyOfAddress,
}

/// Why events were not delivered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum NotDelivered {
    /// Meta refused them.
    Refused {
        code: Option<i64>,
        subcode: Option<i64>,
    },
    /// They grew too old.
    Expired,
    /// They are kept back, for this reason.
    Withheld(String),
    /// Their bytes on disk are damaged.
    Damaged,
    /// Their bodies are encrypted with this key, which is not given.
    Locked(BodyKeyId),
    /// They stand back, for this reason.
    Held(String),
    /// Their lane ended by a defect.
    Crashed,
}

/// What a line sums up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) events: u64,
    pub(super) requests: u64,
    pub(super) bytes: u64,
    /// The longest that one of the requests took.
    pub(super) slowest_ms: u64,
    /// Events that Meta says it received.
    pub(super) received: Option<u64>,
    /// The name of the last request, or the address of the last connection.
    pub(super) last: Option<String>,
    /// The first few events.
    pub(super) keys: Vec<EventKey>,
}

impl Sum {
    pub(super) fn of_events(events: u64) -> Self {
        Self {
            events,
            ..Self::default()
        }
    }

    /// These events, of which the first few are named.
    pub(super) fn of_keys(keys: impl ExactSizeIterator<Item = EventKey>) -> Self {
        Self {
            events: keys.len() as u64,
            keys: keys.take(NAMED_MAX).collect(),
            ..Self::default()
        }
    }

    fn add(&mut self, other: Self) {
        self.events += other.events;
        self.requests += other.requests;
        self.bytes += other.bytes;
        self.slowest_ms = self.slowest_ms.max(other.slowest_ms);
        let received = [self.received, other.received];
        self.received = received.into_iter().flatten().reduce(|a, b| a + b);
        self.last = other.last.or(self.last.take());
        let free = NAMED_MAX - self.keys.len();
        self.keys.extend(other.keys.into_iter().take(free));
    }

    /// The events that are named, for a field of a line; `None` if none is.
    pub(super) fn keys(&self) -> Option<String> {
        let named: Vec<_> = self.keys.iter().map(|key| key.0.to_string()).collect();
        let are_all = self.events == named.len() as u64;
        let more = if are_all { "" } else { ", …" };
        (!named.is_empty()).then(|| format!("{}{more}", named.join(", ")))
    }
}

/// When the last line about a subject was written, and what came since.
struct Told {
    at_ms: u64,
    further: Option<Sum>,
}

/// The lines of all subjects. Times are milliseconds of a clock that is never set.
#[derive(Default)]
pub(super) struct Lines(Mutex<HashMap<Subject, Told>>);

impl Lines {
    /// Adds to a subject. The sum to write a line of, if the last one is a minute ago.
    pub(super) fn add(&self, subject: &Subject, sum: Sum, now_ms: u64) -> Option<Sum> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(told) = lines.get_mut(subject) else {
            let told = Told {
                at_ms: now_ms,
                further: None,
            };
            lines.insert(subject.clone(), told);
            return Some(sum);
        };
        told.further.get_or_insert_default().add(sum);
        told.due(now_ms)
    }

    /// Whether a line was written about a subject lately.
    #[cfg(test)]
    pub(super) fn has(&self, subject: &Subject) -> bool {
        self.0.lock().unwrap().contains_key(subject)
    }

    /// The sums of all subjects whose minute is over. A subject of which nothing came in it is forgotten.
    pub(super) fn due(&self, now_ms: u64) -> Vec<(Subject, Sum)> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|_, told| told.further.is_some() || !told.is_over(now_ms));
        let due = lines.iter_mut();
        let due = due.filter_map(|(subject, told)| Some((subject.clone(), told.due(now_ms)?)));
        let mut due: Vec<_> = due.collect();
        // In the same order every time.
        due.sort_by_cached_key(|(subject, _)| format!("{subject:?}"));
        due
    }
}

impl Told {
    fn is_over(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.at_ms) >= QUIET_MS
    }

    fn due(&mut self, now_ms: u64) -> Option<Sum> {
        if !self.is_over(now_ms) {
            return None;
        }
        let sum = self.further.take()?;
        self.at_ms = now_ms;
        Some(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(source: &str) -> Subject {
        Subject::Found {
            source: source.to_owned(),
            code: Code::EventTimeLate,
            found: Found::Repaired,
        }
    }

    fn sum(events: u64, last: &str) -> Sum {
        Sum {
            last: Some(last.to_owned()),
            ..Sum::of_events(events)
        }
    }

    #[test]
    fn a_subject_has_one_line_a_minute_and_nothing_is_left_untold() {
        let lines = Lines::default();
        let add = |source, events, last: &str, now_ms| {
            lines.add(&subject(source), sum(events, last), now_ms)
        };
        assert_eq!(add("shop", 3, "a", 1_000), Some(sum(3, "a")));
        assert_eq!(add("shop", 2, "b", 2_000), None);
        assert_eq!(add("crm", 1, "c", 3_000), Some(sum(1, "c")));
        assert_eq!(add("shop", 5, "d", 60_999), None);
        assert_eq!(lines.due(60_999), []);
        assert_eq!(lines.due(61_000), [(subject("shop"), sum(7, "d"))]);
        assert_eq!(add("shop", 1, "e", 61_001), None);
        assert_eq!(add("shop", 1, "f", 190_000), Some(sum(2, "f")));
        assert_eq!(lines.due(u64::MAX), [], "nothing came since");
        assert!(lines.0.lock().unwrap().is_empty(), "and it is forgotten");
    }

    #[test]
    fn a_line_adds_up_what_it_stands_for() {
        let keys = |from: i64, to: i64| {
            Sum::of_keys((from..to).map(EventKey).collect::<Vec<_>>().into_iter())
        };
        let one = Sum {
            requests: 1,
            bytes: 10,
            slowest_ms: 7,
            received: Some(3),
            ..keys(0, 6)
        };
        let mut all = one.clone();
        all.add(Sum {
            slowest_ms: 2,
            received: None,
            last: Some("A".to_owned()),
            ..one.clone()
        });
        all.add(Sum::of_events(1));
        assert_eq!((all.events, all.requests, all.bytes), (13, 2, 20));
        assert_eq!((all.slowest_ms, all.received), (7, Some(3)));
        assert_eq!(all.last.as_deref(), Some("A"));
        assert_eq!(
            all.keys().as_deref(),
            Some("0, 1, 2, 3, 4, 5, 0, 1, 2, 3, …")
        );
        assert_eq!(keys(1, 3).keys().as_deref(), Some("1, 2"));
        assert_eq!(Sum::of_events(5).keys(), None);
    }
}
