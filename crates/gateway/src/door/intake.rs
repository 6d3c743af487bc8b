//! From the text of a body to events on disk: the hot path, the same for every door.
//!
//! Each event is sealed right after it was read, so the clear text of a body lives once, in the body, and
//! is gone with it. Events that nobody could send are rejected one by one; the others go on.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use sluice_event::json::SyntaxError;
use sluice_event::{
    Code, DatasetId, Event, Finding, Findings, Moment, SealedEvent, Severity, batch,
};
use sluice_journal::{Appended, Entry, JournalError, TestCode};

use super::Doors;
use super::body::{Held, Room};
use super::test_codes::TEST_CODES_MAX;
use crate::config::Source;
use crate::watch::Taken;

/// Findings that are reported of one rejected event.
const FINDINGS_MAX: usize = 10;

/// What an event takes beside its bytes, and a finding with its texts: about so many bytes.
const BESIDE_BYTES: usize = 256;

/// What was read from a body, before anything was kept.
#[derive(Default)]
pub(crate) struct Sealed {
    /// Where each accepted event stood.
    places: Vec<usize>,
    events: Vec<SealedEvent>,
    rejected: Vec<Rejected>,
    warnings: BTreeMap<(Severity, &'static str), Warning>,
    count: usize,
    /// For the events, which may take more than the text they come from: a hash is longer than a name.
    room: Held,
    /// The body was one event, and no list of them in any form.
    pub(crate) is_single: bool,
    /// What stood beside the events as their test code.
    pub(crate) test_code: Option<String>,
    /// Options of data processing stood beside the events, where they are of none.
    pub(crate) has_options_beside: bool,
}

/// An event that nobody can send.
#[derive(Debug)]
pub(crate) struct Rejected {
    /// Its place in the request, counted from 0.
    pub(crate) index: usize,
    /// Its `event_id`, if it has one.
    pub(crate) event_id: Option<String>,
    /// Why.
    pub(crate) findings: Vec<Finding>,
}

/// A remark about accepted events, told once for all of them.
#[derive(Debug)]
pub(crate) struct Warning {
    /// The rule.
    pub(crate) code: Code,
    /// How many events it is about.
    pub(crate) events: usize,
    /// The first of them.
    pub(crate) index: usize,
    /// Where in that event.
    pub(crate) path: String,
    /// What was found there.
    pub(crate) message: String,
    /// The last of them, by which an event with several findings of the rule counts once.
    last: usize,
}

/// What became of the events of a request.
pub(crate) struct Outcome {
    pub(crate) accepted: usize,
    pub(crate) duplicates: usize,
    pub(crate) rejected: Vec<Rejected>,
    pub(crate) warnings: Vec<Warning>,
}

/// Why nothing of a request could be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IntakeError {
    /// The body is not JSON.
    #[error("the body is not JSON: expected {expected} at line {line}, column {column}")]
    Syntax {
        expected: &'static str,
        line: usize,
        column: usize,
    },
    /// There is nothing in it.
    #[error("the request holds no event")]
    Empty,
    /// There is too much in it.
    #[error("the request holds more than {max} events")]
    TooMany { max: usize },
    /// There is no memory for what is made of it.
    #[error("too many bodies at the same time")]
    NoRoom,
    /// Test codes are made up faster than anybody can look at them.
    #[error("the source has used {TEST_CODES_MAX} other test codes for the dataset")]
    TooManyTestCodes,
    /// It cannot be kept.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Where the events of a request go, and how.
pub(crate) struct Route {
    pub(crate) source: Arc<Source>,
    pub(crate) datasets: Vec<DatasetId>,
    pub(crate) test_code: Option<TestCode>,
}

/// Reads and seals the events of a text.
pub(crate) fn seal(
    text: &str,
    source: &Source,
    ((unix_ms, in_doubt), chance): ((u64, bool), [u8; 16]),
    events_max: usize,
    room: &Room,
) -> Result<Sealed, IntakeError> {
    // The reader calls it no JSON, which is true and tells nobody that an upload was empty.
    if text.trim().is_empty() {
        return Err(IntakeError::Empty);
    }
    let mut sealed = Sealed::default();
    let dice = u128::from_be_bytes(chance);
    let read = batch::read_while(text, |item| {
        if sealed.count == events_max {
            return ControlFlow::Break(IntakeError::TooMany { max: events_max });
        }
        sealed.count += 1;
        // Ids that are made here differ in their random part by the place of the event.
        let bytes = dice.wrapping_add(item.index as u128).to_be_bytes();
        let mut entropy = [0; 10];
        entropy.copy_from_slice(&bytes[6..]);
        let moment = Moment {
            unix_ms,
            in_doubt,
            entropy,
        };
        let bytes = sealed.add(item, source, moment);
        match sealed.room.more(bytes, room) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(IntakeError::NoRoom),
        }
    });
    let body = match read.map_err(|error| syntax(text, error))? {
        ControlFlow::Continue(body) => body,
        ControlFlow::Break(error) => return Err(error),
    };
    sealed.is_single = body.layout == batch::Layout::Single;
    if sealed.count == 0 {
        return Err(IntakeError::Empty);
    }
    sealed.test_code = body.test_event_code().map(Cow::into_owned);
    sealed.has_options_beside = body.has_data_processing_options();
    Ok(sealed)
}

pub(crate) fn syntax(text: &str, error: SyntaxError) -> IntakeError {
    let (line, column) = error.line_column(text);
    IntakeError::Syntax {
        expected: error.expected(),
        line,
        column,
    }
}

impl Sealed {
    /// Seals an event; tells how many bytes it takes from now on.
    fn add(&mut self, item: batch::Item<'_>, source: &Source, moment: Moment) -> usize {
        let batch::Item {
            index,
            event,
            mut findings,
        } = item;
        let mut event_id = None;
        let sealed = event.and_then(|event: Event<'_>| {
            event_id = event.event_id.as_deref().map(str::to_owned);
            event.seal(&source.rules, moment, &mut findings)
        });
        let texts = findings.iter().len().min(FINDINGS_MAX);
        let bytes = sealed
            .as_ref()
            .map_or(texts * BESIDE_BYTES, |event| event.json().len());
        match sealed {
            Some(event) => {
                self.places.push(index);
                self.events.push(event);
                self.warn(index, &findings);
            }
            None => self.rejected.push(Rejected {
                index,
                event_id,
                findings: told(&findings),
            }),
        }
        bytes + BESIDE_BYTES
    }

    fn warn(&mut self, index: usize, findings: &Findings) {
        for finding in findings {
            let key = (finding.severity(), finding.code.name());
            let warning = self.warnings.entry(key).or_insert_with(|| Warning {
                code: finding.code,
                events: 1,
                index,
                path: finding.path.as_str().to_owned(),
                message: finding.message.clone(),
                last: index,
            });
            warning.events += usize::from(warning.last != index);
            warning.last = index;
        }
    }
}

/// Does what a body of so many bytes asks for: away from the threads that serve connections if it takes long.
pub(crate) async fn aside<T: Send + 'static>(
    body_bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    /// Up to here the work takes less time than handing it to another thread.
    const INLINE_BYTES_MAX: usize = 256 * 1024;

    if body_bytes <= INLINE_BYTES_MAX {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        // It panics as it would have here: the request answers 500 and nothing else happens.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// The findings that are worth telling about a rejected event: errors first.
fn told(findings: &Findings) -> Vec<Finding> {
    let mut told: Vec<Finding> = findings.iter().cloned().collect();
    told.sort_by_key(Finding::severity);
    told.truncate(FINDINGS_MAX);
    told
}

impl Doors {
    /// Seals the events of a text away from the threads that serve connections, when there are many.
    pub(crate) async fn seal(
        &self,
        bytes: Vec<u8>,
        source: &Arc<Source>,
    ) -> Result<Sealed, IntakeError> {
        let now = (self.clock.now(), self.clock.chance());
        let events_max = self.limits.events_per_request_max;
        let (source, room) = (Arc::clone(source), self.room.clone());
        aside(bytes.len(), move || {
            seal(&batch::text_of(&bytes), &source, now, events_max, &room)
        })
        .await
    }

    /// Writes sealed events to disk, once per dataset they go to.
    pub(crate) async fn keep(&self, sealed: Sealed, route: &Route) -> Result<Outcome, IntakeError> {
        if let Some(code) = &route.test_code
            && !(self.used_codes).may_use(&route.source.name, &route.datasets, code)
        {
            return Err(IntakeError::TooManyTestCodes);
        }
        let entries = self.entries(sealed.events, route);
        let appended = if entries.is_empty() {
            Vec::new()
        } else {
            let appended = self.journal.append(entries).await;
            self.watch.kept(appended.as_ref().err());
            appended?
        };
        let mut taken = Taken {
            by_dataset: route.datasets.iter().map(|it| (it, 0, 0)).collect(),
            rejected: BTreeMap::new(),
        };
        let (mut accepted, mut duplicates) = (0, 0);
        for one_event in appended.chunks(route.datasets.len().max(1)) {
            for ((_, new, copies), appended) in taken.by_dataset.iter_mut().zip(one_event) {
                match appended {
                    Appended::New(_) => *new += 1,
                    Appended::Copy(_) => *copies += 1,
                }
            }
            // An event that is new to one of its datasets is not a copy.
            if one_event.iter().any(|it| matches!(it, Appended::New(_))) {
                accepted += 1;
            } else {
                duplicates += 1;
            }
        }
        for rejected in &sealed.rejected {
            let code = rejected
                .findings
                .first()
                .map_or("unknown", |it| it.code.name());
            *taken.rejected.entry(code).or_default() += 1;
        }
        self.watch.taken(route.source.name.as_str(), &taken);
        Ok(Outcome {
            accepted,
            duplicates,
            rejected: sealed.rejected,
            warnings: sealed.warnings.into_values().collect(),
        })
    }

    fn entries(&self, events: Vec<SealedEvent>, route: &Route) -> Vec<Entry> {
        let (accepted_ms, in_doubt) = self.clock.now();
        let mut entries = Vec::with_capacity(events.len() * route.datasets.len());
        for event in events {
            let Some((last, others)) = route.datasets.split_last() else {
                continue;
            };
            let mut entry = |dataset: &DatasetId, event: SealedEvent| {
                entries.push(Entry {
                    dataset: dataset.clone(),
                    source: route.source.name.clone(),
                    test_code: self.test_code(route, dataset, (accepted_ms, in_doubt)),
                    accepted_ms,
                    in_doubt,
                    event,
                });
            };
            for dataset in others {
                entry(dataset, event.clone());
            }
            entry(last, event);
        }
        entries
    }

    /// The code of the request, else the one that the configuration sets for the dataset for a time. By a time
    /// that is in doubt none is over: the lane looks again.
    fn test_code(
        &self,
        route: &Route,
        dataset: &DatasetId,
        (now_ms, in_doubt): (u64, bool),
    ) -> Option<TestCode> {
        if route.test_code.is_some() {
            return route.test_code.clone();
        }
        let configured = self.test_codes.get(dataset)?;
        let is_over = configured.until_s <= crate::clock::seconds(now_ms) && !in_doubt;
        (!is_over).then(|| configured.code.clone())
    }
}
