//! What arrived: the newest requests as they came, and counts of everything.

use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::Notify;

use crate::arrival::Arrival;
use crate::ids::{IdCount, Ids, Original, Tally};
use crate::refused::{Asked, Refusal, Refused, RefusedEvents, RefusedRequest};
use crate::rules::{self, Remark};
use crate::value::Value;
use crate::wire::Kept;

/// How many different answers and test codes are counted apart.
const LABELS_MAX: usize = 200;

/// An event that arrived, as a test or a person looks at it.
#[derive(Debug, Clone, Serialize)]
pub struct ReceivedEvent {
    /// Counts every event that ever arrived, from 1.
    pub number: u64,
    /// When, in milliseconds since 1970.
    pub received_ms: i64,
    /// The dataset of the path.
    pub dataset: String,
    /// The version that served the request.
    pub version: String,
    /// The request's `test_event_code`.
    pub test_event_code: Option<String>,
    /// Whether Meta would take it for a copy of an earlier one.
    pub deduplicated: bool,
    /// Of which one, and by what. It may have been dropped from the list since.
    pub copy_of: Option<Original>,
    /// Why the request was refused, if it was.
    pub refused: Option<String>,
    /// The number of the event because of which it was; Meta does not always say which one.
    pub refused_for: Option<u64>,
    /// The event, byte by byte.
    pub event: Box<serde_json::value::RawValue>,
    /// How the values of each key of `user_data` look: `hashed` (SHA-256), `md5`, `clear` (for keys that are
    /// not hashed), `not hashed` (for those that should be), `empty`, `unknown key`.
    pub user_data: BTreeMap<String, Vec<&'static str>>,
    /// What a person should know about it.
    pub remarks: Vec<String>,
}

/// An event of an earlier run, for [`Sandbox::remember`](crate::Sandbox::remember).
#[derive(Debug, Clone)]
pub struct EarlierEvent {
    /// The dataset that it was sent to.
    pub dataset: String,
    /// Its request's `test_event_code`.
    pub test_event_code: Option<String>,
    /// When it arrived, in milliseconds since 1970.
    pub received_ms: i64,
    /// Why it was refused, if it was.
    pub refused: Option<String>,
    /// The event, as JSON.
    pub event: String,
}

/// Counts of everything since the start or the last clearing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Requests to `/events`, whatever became of them.
    pub requests: u64,
    /// Requests to other paths of the Graph API: what an id is, what a token is good for, and paths that
    /// do not exist.
    pub requests_elsewhere: u64,
    /// Requests, to whatever path, that the sandbox refused by its own judgement: their events broke a
    /// rule, or token, dataset, path or form were wrong. Not those that met a fault or the call limit.
    pub refused: u64,
    /// Events taken.
    pub events_received: u64,
    /// Events that Meta would count.
    pub distinct: u64,
    /// Events that Meta would take for copies.
    pub deduplicated: u64,
    /// Events of an earlier run, taken or refused, which are in no other count of requests.
    pub earlier: u64,
    /// Events that a fault dropped in silence.
    pub discarded: u64,
    /// Events taken without `event_id`: they are in no list of ids.
    pub without_event_id: u64,
    /// By dataset and event name.
    pub by_dataset: BTreeMap<String, BTreeMap<String, Tally>>,
    /// Requests to `/events` by what was answered: a status with code and subcode, or a fault.
    pub answers: BTreeMap<String, u64>,
    /// Events by their request's `test_event_code`.
    pub test_event_codes: BTreeMap<String, u64>,
    /// Events whose text is kept.
    pub events_kept: usize,
    /// Events whose text was dropped to stay within the limits.
    pub events_dropped: u64,
    /// Ids that are known.
    pub ids_kept: usize,
    /// How many ids are kept; 0: no limit.
    pub ids_kept_max: usize,
    /// Ids forgotten to stay within the limit: above 0 the list of ids is not complete, and an old
    /// copy counts as distinct.
    pub ids_forgotten: u64,
    /// Changes whenever something arrives.
    pub revision: u64,
}

struct Request {
    dataset: String,
    version: String,
    test_event_code: Option<String>,
    received_ms: i64,
    first_number: u64,
    events: usize,
    /// Which events were copies, and of which; empty when none was.
    copies: Vec<Option<Original>>,
    refused: Option<String>,
    /// The place of the event because of which it was refused.
    refused_place: Option<usize>,
    kept: Kept,
}

/// What became of a request.
#[derive(Default)]
struct Fate {
    copies: Vec<Option<Original>>,
    refused: Option<String>,
    refused_place: Option<usize>,
}

struct Inner {
    requests: VecDeque<Request>,
    refused: Refused,
    ids: Ids,
    stats: Stats,
    events_kept: usize,
    bytes_kept: usize,
    next_number: u64,
    revision: u64,
}

/// The memory of the sandbox.
pub(crate) struct Store {
    inner: Mutex<Inner>,
    changed: Notify,
    events_kept_max: usize,
    bytes_kept_max: usize,
    ids_kept_max: usize,
}

impl Store {
    pub(crate) fn new(events_kept_max: usize, bytes_kept_max: usize, ids_kept_max: usize) -> Self {
        Self {
            inner: Mutex::new(Inner::new(ids_kept_max, 1, 1, 1)),
            changed: Notify::new(),
            events_kept_max,
            bytes_kept_max,
            ids_kept_max,
        }
    }

    /// Nothing under the lock can panic half-way into a change that matters; a test goes on.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes events; the last `discard` of them are dropped without a word, as a fault demands.
    pub(crate) fn take(&self, arrival: Arrival<'_>, events: &[Value<'_>], discard: usize) {
        let taken = &events[..events.len().saturating_sub(discard)];
        let mut inner = self.lock();
        inner.stats.discarded += (events.len() - taken.len()) as u64;
        self.take_into(&mut inner, arrival, taken);
    }

    fn take_into(&self, inner: &mut Inner, arrival: Arrival<'_>, taken: &[Value<'_>]) {
        let (dataset, now_ms) = (arrival.dataset, arrival.now_ms);
        let numbers = inner.next_number..;
        let copies: Vec<Option<Original>> = numbers
            .zip(taken)
            .map(|(number, event)| inner.ids.count(dataset, event, number, now_ms))
            .collect();
        let deduplicated = copies.iter().flatten().count() as u64;
        let stats = &mut inner.stats;
        stats.events_received += taken.len() as u64;
        stats.deduplicated += deduplicated;
        stats.distinct += taken.len() as u64 - deduplicated;
        if let Some(code) = arrival.test_event_code.as_deref() {
            bump(&mut stats.test_event_codes, code, taken.len() as u64);
        }
        let fate = Fate {
            copies: if deduplicated == 0 {
                Vec::new()
            } else {
                copies
            },
            ..Fate::default()
        };
        self.keep(inner, arrival, taken.len(), fate);
    }

    /// Lists an event of an earlier run as it was then, without judging it anew: rules look at the time.
    pub(crate) fn remember(&self, earlier: &EarlierEvent, version: &str) {
        let mut inner = self.lock();
        inner.stats.earlier += 1;
        let arrival = Arrival {
            dataset: &earlier.dataset,
            version,
            test_event_code: earlier.test_event_code.clone(),
            now_ms: earlier.received_ms,
            kept: Kept::one(&earlier.event),
        };
        if let Some(why) = &earlier.refused {
            let fate = Fate {
                refused: Some(why.clone()),
                ..Fate::default()
            };
            self.keep(&mut inner, arrival, 1, fate);
        } else {
            let event = Value::parse(earlier.event.as_bytes()).unwrap_or(Value::Null);
            self.take_into(&mut inner, arrival, &[event]);
        }
    }

    /// Lists a request that was refused, and remembers its events, so that a person can see why.
    pub(crate) fn refuse(&self, asked: Asked<'_>, refusal: Refusal<'_>) {
        let Refusal { error, events } = refusal;
        let mut inner = self.lock();
        inner.stats.refused += 1;
        inner.revision += 1;
        let (first_event, count) = (inner.next_number, events.as_ref().map_or(0, |it| it.count));
        let text = inner.refused.add(asked, &error, count, first_event);
        if let Some(events) = events.filter(|events| events.count > 0) {
            let RefusedEvents {
                arrival,
                count,
                place,
            } = events;
            let fate = Fate {
                refused: Some(text),
                refused_place: place,
                ..Fate::default()
            };
            self.keep(&mut inner, arrival, count, fate);
        }
    }

    fn keep(&self, inner: &mut Inner, arrival: Arrival<'_>, events: usize, fate: Fate) {
        inner.events_kept += events;
        inner.bytes_kept += arrival.kept.bytes();
        inner.requests.push_back(Request {
            dataset: arrival.dataset.to_owned(),
            version: arrival.version.to_owned(),
            test_event_code: arrival.test_event_code,
            received_ms: arrival.now_ms,
            first_number: inner.next_number,
            events,
            copies: fate.copies,
            refused: fate.refused,
            refused_place: fate.refused_place,
            kept: arrival.kept,
        });
        inner.next_number += events as u64;
        inner.revision += 1;
        while let Some(oldest) = inner.requests.front() {
            let is_too_many = inner.events_kept - oldest.events >= self.events_kept_max;
            let is_too_large = inner.bytes_kept > self.bytes_kept_max;
            if !(is_too_many || is_too_large) {
                break;
            }
            let (events, bytes) = (oldest.events, oldest.kept.bytes());
            inner.events_kept -= events;
            inner.bytes_kept -= bytes;
            inner.stats.events_dropped += events as u64;
            inner.requests.pop_front();
        }
    }

    /// Counts what was answered to a request.
    pub(crate) fn answered(&self, label: &str) {
        let mut inner = self.lock();
        inner.stats.requests += 1;
        inner.revision += 1;
        bump(&mut inner.stats.answers, label, 1);
        drop(inner);
        self.changed.notify_waiters();
    }

    /// Counts a request to another path than `/events`.
    pub(crate) fn answered_elsewhere(&self) {
        let mut inner = self.lock();
        inner.stats.requests_elsewhere += 1;
        inner.revision += 1;
        drop(inner);
        self.changed.notify_waiters();
    }

    /// Waits until the counts are as somebody wants them.
    pub(crate) async fn wait_until(&self, mut is_enough: impl FnMut(&Stats) -> bool) -> Stats {
        loop {
            let mut changed = pin!(self.changed.notified());
            // Listen first, then look: what arrives in between wakes us.
            changed.as_mut().enable();
            let stats = self.stats();
            if is_enough(&stats) {
                return stats;
            }
            changed.await;
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        let inner = self.lock();
        let mut stats = inner.stats.clone();
        for group in inner.ids.groups() {
            let names = stats.by_dataset.entry(group.dataset.clone()).or_default();
            names.insert(group.event_name.clone(), group.tally);
        }
        stats.events_kept = inner.events_kept;
        stats.ids_kept = inner.ids.len();
        stats.ids_kept_max = inner.ids.keep_max();
        stats.ids_forgotten = inner.ids.forgotten;
        stats.without_event_id = inner.ids.without_event_id;
        stats.revision = inner.revision;
        stats
    }

    pub(crate) fn ids_page(&self, from: u64, max: usize) -> (Vec<IdCount>, u64) {
        self.lock().ids.page(from, max)
    }

    /// Up to `max` kept events after a number, oldest first; without a number, the newest.
    pub(crate) fn received(&self, after: Option<u64>, max: usize) -> Vec<ReceivedEvent> {
        let inner = self.lock();
        let newest = inner.next_number.saturating_sub(1);
        let after = after.unwrap_or(newest.saturating_sub(max as u64));
        let mut list = Vec::new();
        for request in &inner.requests {
            if request.first_number + request.events as u64 <= after.saturating_add(1) {
                continue;
            }
            let texts = request.kept.events();
            for (place, text) in texts.iter().take(request.events).enumerate() {
                let number = request.first_number + place as u64;
                if number <= after {
                    continue;
                }
                if list.len() == max {
                    return list;
                }
                list.push(request.event(number, place, text));
            }
        }
        list
    }

    /// Up to `max` refused requests after a number, oldest first; without a number, the newest.
    pub(crate) fn refused(&self, after: Option<u64>, max: usize) -> Vec<RefusedRequest> {
        self.lock().refused.page(after, max)
    }

    /// Forgets everything but the numbers, so that a reader's cursor stays right.
    pub(crate) fn clear(&self) {
        let mut inner = self.lock();
        let (number, refused) = (inner.next_number, inner.refused.next_number());
        let revision = inner.revision + 1;
        *inner = Inner::new(self.ids_kept_max, number, refused, revision);
    }
}

impl Inner {
    fn new(ids_kept_max: usize, next_number: u64, next_refused: u64, revision: u64) -> Self {
        Self {
            requests: VecDeque::new(),
            refused: Refused::new(next_refused),
            ids: Ids::new(ids_kept_max),
            stats: Stats::default(),
            events_kept: 0,
            bytes_kept: 0,
            next_number,
            revision,
        }
    }
}

impl Request {
    fn event(&self, number: u64, place: usize, text: &str) -> ReceivedEvent {
        let parsed = Value::parse(text.as_bytes()).unwrap_or(Value::Null);
        let remarks = rules::remarks(&parsed, place, self.received_ms);
        let raw = serde_json::value::RawValue::from_string(text.to_owned());
        let copy_of = self.copies.get(place).copied().flatten();
        ReceivedEvent {
            number,
            received_ms: self.received_ms,
            dataset: self.dataset.clone(),
            version: self.version.clone(),
            test_event_code: self.test_event_code.clone(),
            deduplicated: copy_of.is_some(),
            copy_of,
            refused: self.refused.clone(),
            refused_for: self
                .refused_place
                .map(|place| self.first_number + place as u64),
            user_data: looks(&parsed),
            event: raw.unwrap_or_else(|_| serde_json::value::RawValue::NULL.to_owned()),
            remarks: remarks.into_iter().map(|Remark(text)| text).collect(),
        }
    }
}

fn looks(event: &Value<'_>) -> BTreeMap<String, Vec<&'static str>> {
    let Some(Value::Object(entries)) = event.get("user_data") else {
        return BTreeMap::new();
    };
    let mut looks = BTreeMap::<_, Vec<_>>::new();
    for (key, value) in entries {
        let words = value
            .items()
            .iter()
            .map(|item| rules::look(key, item).word());
        looks.entry(key.to_string()).or_default().extend(words);
    }
    looks
}

/// Adds to a count; what is one label too many goes to a common one, so that nothing grows forever.
fn bump(counts: &mut BTreeMap<String, u64>, label: &str, by: u64) {
    if let Some(count) = counts.get_mut(label) {
        *count += by;
    } else if counts.len() < LABELS_MAX {
        counts.insert(label.to_owned(), by);
    } else {
        *counts.entry("(other)".to_owned()).or_default() += by;
    }
}
