//! From the text of a body to events on disk: the hot path, the same for every door.
//!
//! Each event is sealed right after it was read, so the clear text of a body lives once, in the body, and
//! is gone with it. Events that cannot be sent are rejected one by one; the others go on.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use axum::http::StatusCode;
use sluice_event::json::SyntaxError;
use sluice_event::limits::EVENT_ID_BYTES_MAX;
use sluice_event::{
    Code, DatasetId, Event, Finding, Findings, Moment, Remains, SealedEvent, batch,
};
use sluice_journal::{
    Appended, Arrivals, Entry, JournalError, Received, Rejection, Start, TestCode,
};

use super::auth::Caller;
use super::body::{self, BodyError, Reserved, text_of};
use super::doors::Doors;
use super::problem::Problem;
use super::remarks::{Remarks, Warning};
use super::request_id::RequestId;
use super::route::Route;
use super::test_codes::TEST_CODES_MAX;
use crate::config::Source;
use crate::watch::FoundInRequest;

/// Findings that are reported of one rejected event.
const FINDINGS_MAX: usize = 10;

/// About what an event takes beside its JSON, and what a finding takes with its texts, in bytes.
const BESIDE_BYTES: usize = 256;

/// What was read from a body, before anything was kept.
pub(crate) struct Sealed {
    events: Vec<SealedEvent>,
    /// The places of the events in the request, counted from 0.
    places: Vec<usize>,
    rejected: Vec<Rejected>,
    /// About accepted events.
    warnings: Remarks,
    /// About rejected ones.
    errors: Remarks,
    count: usize,
    /// For the events, which may take more than the text they come from: a hash is longer than a name.
    room: Reserved,
    /// The body was one event, and no list of them in any form.
    pub(crate) is_single: bool,
    /// What stood beside the events as their test code.
    pub(crate) test_code: Option<String>,
    /// Test codes that stood inside events.
    pub(super) event_codes: BTreeSet<String>,
    /// A switch such as options of data processing stood beside the events, where it is of none.
    pub(crate) has_switch_beside: bool,
}

/// An event that cannot be sent.
#[derive(Debug)]
pub(crate) struct Rejected {
    /// Its place in the request, counted from 0.
    pub(crate) index: usize,
    /// Its `event_id`, if it has one that is not too long for one.
    pub(crate) event_id: Option<String>,
    /// Why.
    pub(crate) findings: Vec<Finding>,
    /// What may be kept of it.
    remains: Remains,
}

/// What became of the events of a request.
pub(crate) struct Receipt {
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
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The source makes up test codes.
    #[error("the source has used {TEST_CODES_MAX} other test codes for the dataset")]
    TooManyTestCodes,
    /// It cannot be kept.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl From<IntakeError> for Problem {
    fn from(error: IntakeError) -> Self {
        let (status, code, help) = match &error {
            IntakeError::Syntax { .. } => (
                StatusCode::BAD_REQUEST,
                "json_invalid",
                "send one event, an array of events, {\"data\": [...]}, or one event a line",
            ),
            IntakeError::Empty => (
                StatusCode::BAD_REQUEST,
                "no_events",
                "send at least one event",
            ),
            IntakeError::TooMany { .. } => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_many_events",
                "send fewer events in a request",
            ),
            IntakeError::Body(body) => return (*body).into(),
            IntakeError::TooManyTestCodes => (
                StatusCode::BAD_REQUEST,
                "test_codes_too_many",
                "use the code that Events Manager shows under Test Events",
            ),
            IntakeError::Journal(journal) => return journal.into(),
        };
        Self::new(status, code, error.to_string(), help)
    }
}

/// Seals drafts of events one by one, whoever reads them from whatever document.
pub(crate) struct Intake<'s> {
    source: &'s Source,
    /// Milliseconds since 1970, and whether that is in doubt.
    now: (u64, bool),
    dice: u128,
    events_max: usize,
    sealed: Sealed,
}

impl<'s> Intake<'s> {
    pub(crate) fn new(
        source: &'s Source,
        (now, chance): ((u64, bool), [u8; 16]),
        events_max: usize,
        room: Reserved,
    ) -> Self {
        Self {
            source,
            now,
            dice: u128::from_be_bytes(chance),
            events_max,
            sealed: Sealed::new(room),
        }
    }

    /// Seals a draft: its place in the request, the event or nothing, and what was found while it was read.
    ///
    /// # Errors
    ///
    /// There are too many of them, or there is no room for it; then none of the request is taken.
    pub(crate) fn take(&mut self, draft: batch::Item<'_>) -> Result<(), IntakeError> {
        let sealed = &mut self.sealed;
        if sealed.count == self.events_max {
            let max = self.events_max;
            return Err(IntakeError::TooMany { max });
        }
        sealed.count += 1;
        // Ids that are made here differ in their random part by the place of the event.
        let bytes = self.dice.wrapping_add(draft.index as u128).to_be_bytes();
        let mut entropy = [0; 10];
        entropy.copy_from_slice(&bytes[6..]);
        let (unix_ms, in_doubt) = self.now;
        let moment = Moment {
            unix_ms,
            in_doubt,
            entropy,
        };
        let bytes = sealed.add(draft, self.source, moment);
        Ok(sealed.room.more(bytes)?)
    }

    /// What was sealed.
    ///
    /// # Errors
    ///
    /// There was no draft.
    pub(crate) fn end(self) -> Result<Sealed, IntakeError> {
        if self.sealed.count == 0 {
            return Err(IntakeError::Empty);
        }
        Ok(self.sealed)
    }
}

/// Reads and seals the events of a text.
pub(crate) fn seal(text: &str, mut intake: Intake<'_>) -> Result<Sealed, IntakeError> {
    // The reader would call it no JSON, which does not say that an upload was empty.
    if text.trim().is_empty() {
        return Err(IntakeError::Empty);
    }
    let read = batch::read_while(text, |item| match intake.take(item) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    });
    let body = match read.map_err(|error| syntax(text, error))? {
        ControlFlow::Continue(body) => body,
        ControlFlow::Break(error) => return Err(error),
    };
    let mut sealed = intake.end()?;
    sealed.is_single = body.layout == batch::Layout::Single;
    sealed.test_code = body.test_event_code().map(Cow::into_owned);
    sealed.has_switch_beside = body.has_switch();
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
    fn new(room: Reserved) -> Self {
        Self {
            events: Vec::new(),
            places: Vec::new(),
            rejected: Vec::new(),
            warnings: Remarks::default(),
            errors: Remarks::default(),
            count: 0,
            room,
            is_single: false,
            test_code: None,
            event_codes: BTreeSet::new(),
            has_switch_beside: false,
        }
    }

    /// Seals an event; tells how many bytes it takes from now on.
    fn add(&mut self, item: batch::Item<'_>, source: &Source, moment: Moment) -> usize {
        let batch::Item {
            index,
            event,
            mut findings,
        } = item;
        let mut event_id = None;
        let sealed = event.map_or(Err(Remains::default()), |event: Event<'_>| {
            event_id = event.event_id.as_deref().filter(is_id).map(str::to_owned);
            event.seal_or_remains(&source.rules, moment, &mut findings)
        });
        let bytes = match &sealed {
            Ok(event) => event.json().len() + event.facts().bytes(),
            Err(remains) => {
                let findings = findings.iter().len().min(FINDINGS_MAX);
                findings * BESIDE_BYTES
                    + event_id.as_ref().map_or(0, String::len)
                    + bytes_of(remains)
            }
        };
        match sealed {
            Ok(event) => {
                let code = event.test_event_code();
                if let Some(code) = code.filter(|code| !self.event_codes.contains(*code)) {
                    self.event_codes.insert(code.to_owned());
                }
                self.events.push(event);
                self.places.push(index);
                self.warnings.add(index, &findings);
            }
            Err(remains) => {
                self.errors.add(index, &findings);
                self.rejected.push(Rejected {
                    index,
                    event_id,
                    findings: told(&findings),
                    remains,
                });
            }
        }
        bytes + BESIDE_BYTES
    }
}

/// Whether an `event_id` is short enough to be told.
fn is_id(id: &&str) -> bool {
    id.len() <= EVENT_ID_BYTES_MAX
}

fn bytes_of(remains: &Remains) -> usize {
    let texts = [&remains.event_name, &remains.event_id, &remains.order_id];
    texts.into_iter().flatten().map(String::len).sum()
}

/// Does work on a body of this size: away from the threads that serve connections if it takes long.
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

impl Rejected {
    /// The rule that decided.
    fn code(&self) -> Option<Code> {
        self.findings.first().map(|finding| finding.code)
    }

    /// All rules, that one first.
    fn codes(&self) -> Vec<Code> {
        let mut codes = Vec::new();
        for finding in &self.findings {
            if !codes.contains(&finding.code) {
                codes.push(finding.code);
            }
        }
        codes
    }
}

/// How many events a request holds, for each dataset it is meant for.
fn arrivals(events: usize, route: &Route, at_ms: u64) -> Vec<Arrivals> {
    let of = |dataset: &DatasetId| Arrivals {
        dataset: dataset.clone(),
        source: route.source.name.clone(),
        at_ms,
        events: events as u64,
    };
    route.datasets.iter().map(of).collect()
}

/// What is kept of rejected events, once per dataset as of others.
fn rejections(
    rejected: &mut [Rejected],
    route: &Route,
    id: &RequestId,
    rejected_ms: u64,
) -> Vec<Rejection> {
    if rejected.is_empty() {
        return Vec::new();
    }
    let request_id: Arc<str> = id.as_str().into();
    let mut rejections = Vec::with_capacity(rejected.len() * route.datasets.len());
    for rejected in rejected {
        let remains = std::mem::take(&mut rejected.remains);
        rejections.extend(route.datasets.iter().map(|dataset| Rejection {
            dataset: dataset.clone(),
            source: route.source.name.clone(),
            rejected_ms,
            codes: rejected.codes(),
            remains: remains.clone(),
            request_id: Arc::clone(&request_id),
        }));
    }
    rejections
}

/// The findings that are worth telling about a rejected event: errors first.
fn told(findings: &Findings) -> Vec<Finding> {
    let mut told: Vec<Finding> = findings.iter().cloned().collect();
    told.sort_by_key(Finding::severity);
    told.truncate(FINDINGS_MAX);
    told
}

impl Doors {
    /// Seals the events of a body away from the threads that serve connections, when there are many. The body is
    /// gone then; what was made of it has room of its own.
    pub(crate) async fn seal(
        &self,
        body: body::ReadBody,
        caller: &Caller,
    ) -> Result<Sealed, IntakeError> {
        let now = (self.clock.now(), self.clock.chance());
        let events_max = caller.snapshot.config.server.events_per_request_max;
        let (source, room) = (Arc::clone(&caller.source), self.room_of(caller));
        let sealed = aside(body.bytes.len(), move || {
            let body = body;
            let (text, _copy) = text_of(&body.bytes, body.beside_in(&room))?;
            let intake = Intake::new(&source, now, events_max, body.beside_in(&room));
            seal(&text, intake)
        });
        let sealed = sealed.await?;
        self.brought(caller, sealed.count);
        Ok(sealed)
    }

    /// Writes to disk what a request brought, once per dataset it goes to: sealed events, and what may be kept of
    /// rejected ones.
    pub(crate) async fn keep(
        &self,
        mut sealed: Sealed,
        route: &Route,
        id: &RequestId,
    ) -> Result<Receipt, IntakeError> {
        let mut codes = route.test_code.iter().chain(route.event_codes.values());
        let (source, config) = (&route.source.name, &route.snapshot.config);
        let may_use = |code| (self.used_codes).may_use(source, &route.datasets, code, config);
        if !codes.all(may_use) {
            return Err(IntakeError::TooManyTestCodes);
        }
        let (now_ms, in_doubt) = self.clock.now();
        let briefs = self.briefs(&sealed.events, &sealed.places, route);
        let received = Received {
            arrivals: arrivals(sealed.count, route, now_ms),
            rejections: rejections(&mut sealed.rejected, route, id, now_ms),
            entries: self.entries(sealed.events, route, (now_ms, in_doubt)),
        };
        let appended = self.journal.receive(received).await;
        self.watch.kept(appended.as_ref().err());
        let (mut accepted, mut duplicates) = (0, 0);
        let appended = appended?;
        let datasets = route.datasets.len();
        for (index, findings) in self
            .remarks_about_copies(&briefs, &appended, datasets)
            .await
        {
            sealed.warnings.add(index, &findings);
        }
        for one_event in appended.chunks(datasets.max(1)) {
            // An event that is new to one of its datasets is not a copy.
            if one_event.iter().any(|it| matches!(it, Appended::New(_))) {
                accepted += 1;
            } else {
                duplicates += 1;
            }
        }
        self.watch.found(&FoundInRequest {
            source: route.source.name.as_str(),
            request_id: id.as_str(),
            accepted: sealed.warnings.counts().collect(),
            rejected: sealed.errors.counts().collect(),
            decided: sealed.rejected.iter().filter_map(Rejected::code).collect(),
        });
        Ok(Receipt {
            accepted,
            duplicates,
            rejected: sealed.rejected,
            warnings: sealed.warnings.into_list(),
        })
    }

    fn entries(
        &self,
        events: Vec<SealedEvent>,
        route: &Route,
        (accepted_ms, in_doubt): (u64, bool),
    ) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(events.len() * route.datasets.len());
        let targets = route.datasets.iter().map(|dataset| {
            let code = self.test_code(route, dataset, (accepted_ms, in_doubt));
            (dataset, code)
        });
        let targets: Vec<_> = targets.collect();
        for event in events {
            let Some((last, others)) = targets.split_last() else {
                continue;
            };
            let own_code = (event.test_event_code()).and_then(|code| route.event_codes.get(code));
            let own_code = own_code.cloned();
            let mut entry = |(dataset, code): &(&DatasetId, Option<TestCode>), event| {
                entries.push(Entry {
                    dataset: (*dataset).clone(),
                    source: route.source.name.clone(),
                    test_code: own_code.clone().or_else(|| code.clone()),
                    accepted_ms,
                    in_doubt,
                    start: Start::Waiting,
                    window_ms: None,
                    is_completed: false,
                    event,
                });
            };
            for target in others {
                entry(target, event.clone());
            }
            entry(last, event);
        }
        entries
    }

    /// The code of the request, else that of a test that a person started for the dataset, else the one that the
    /// configuration sets for a time. By a time that is in doubt none is over: the lane looks again.
    fn test_code(
        &self,
        route: &Route,
        dataset: &DatasetId,
        (now_ms, in_doubt): (u64, bool),
    ) -> Option<TestCode> {
        if route.test_code.is_some() {
            return route.test_code.clone();
        }
        if let Some(test) = self.directives.test_of(dataset, (now_ms, in_doubt)) {
            return Some(test.code);
        }
        let dataset = route.snapshot.config.dataset(dataset)?;
        let configured = dataset.test_event_code.as_ref()?;
        let is_over = configured.until_s <= crate::clock::seconds(now_ms) && !in_doubt;
        (!is_over).then(|| configured.code.clone())
    }
}

#[cfg(test)]
mod tests {
    use sluice_event::{Path, UserField};

    use super::super::body::Room;
    use super::*;
    use crate::roster::Roster;

    /// Drafts as an adapter makes them of a document of its own: the second says nothing of a person, and the third could
    /// not be read.
    fn drafts() -> impl Iterator<Item = batch::Item<'static>> {
        let draft = |index: usize| {
            let at = |key: &str| Path::document().key("orders").index(index).key(key);
            let mut findings = Findings::new();
            let mut event =
                Event::new("Lead", 1_790_000_000).stood_at("event_time", at("created_at"));
            match index {
                0 => event = event.user_from(UserField::Em, "jane@example.com", at("email")),
                1 => event = event.user_from(UserField::Em, "nobody", at("email")),
                _ => findings.add(Code::JsonInvalid, at("lines"), "no list"),
            }
            batch::Item {
                index,
                event: (index < 2).then_some(event),
                findings,
            }
        };
        (0..3).map(draft)
    }

    fn intake(source: &Source, events_max: usize) -> Intake<'_> {
        let room = Reserved::of(&Room::new(1 << 20));
        Intake::new(
            source,
            ((1_790_000_001_000, false), [7; 16]),
            events_max,
            room,
        )
    }

    #[test]
    fn drafts_of_any_document_are_taken_one_by_one() {
        let roster = Roster::for_tests(crate::config::tests::LEAST);
        let source = &roster.now().config.sources[0];
        let mut both = intake(source, 3);
        drafts().try_for_each(|draft| both.take(draft)).unwrap();
        let sealed = both.end().unwrap();
        assert_eq!((sealed.count, sealed.places.as_slice()), (3, &[0][..]));
        assert_eq!(sealed.events[0].event_name(), "Lead");
        let rejected = sealed.rejected.iter().map(|it| {
            let finding = &it.findings[0];
            (it.index, finding.code, finding.path.as_str())
        });
        let rejected: Vec<_> = rejected.collect();
        assert_eq!(
            rejected,
            [
                (1, Code::UserDataMissing, ""),
                (2, Code::JsonInvalid, "$.orders[2].lines"),
            ]
        );
        let other = &sealed.rejected[0].findings[1..];
        assert!(
            other
                .iter()
                .any(|it| it.path.as_str() == "$.orders[1].email")
        );

        let mut few = intake(source, 2);
        let refused = drafts().try_for_each(|draft| few.take(draft));
        assert!(matches!(refused, Err(IntakeError::TooMany { max: 2 })));
        assert!(matches!(intake(source, 1).end(), Err(IntakeError::Empty)));
    }
}
