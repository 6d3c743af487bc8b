//! The way of one batch: from the lease to the last event settled, or back to waiting.
//!
//! Every request is recorded with what it decided in one transaction. What stops a shipment is told to
//! the lane; the events that are not settled then go back with the lease and wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use sluice_graph::{Answer, Destination, Exchange, Reason, Usage, Verdict, verdict, wire};
use sluice_journal::{Cause, DeliveryReport, EventKey, Lease, Leased, Outcome, RequestRecord};

use super::bisect::{Part, Search};
use super::pace::Trouble;
use super::{LaneContext, PROVEN};
use crate::clock::seconds;
use crate::roster::Reachable;

/// Events that may be set aside for no clear reason before anything has gone through.
const UNPROVEN_REFUSALS_MAX: usize = 2;

/// Events that are tried alone to see whether anything goes through at all.
const WITNESSES_MAX: usize = 8;

/// A request with one event and fewer bytes is not too large for Meta.
const EVENT_BYTES_CREDIBLE: usize = 64 * 1024;

/// How a shipment went.
#[derive(Debug, Default)]
pub(crate) struct Shipped {
    /// When it began, in milliseconds since 1970.
    pub(crate) began_ms: u64,
    /// The fingerprint of the token it was sent with; empty if nothing was.
    pub(crate) token: String,
    /// What the usage headers said last.
    pub(crate) usage: Option<Usage>,
    /// Whether Meta gave an answer to the point.
    pub(crate) is_answered: bool,
    /// What stopped it.
    pub(crate) trouble: Option<Trouble>,
}

impl Shipped {
    /// Stopped before anything was sent.
    pub(crate) fn stopped(began_ms: u64, trouble: Trouble) -> Self {
        Self {
            began_ms,
            trouble: Some(trouble),
            ..Self::default()
        }
    }
}

/// What a batch is sent with.
pub(crate) struct Load {
    pub(crate) to: Reachable,
    pub(crate) lease: Lease,
    pub(crate) test_code: Option<String>,
    /// [`PROVEN`], or how many events were refused without a clear reason, with the token in force.
    pub(crate) proof: Arc<AtomicUsize>,
}

/// One batch on its way.
pub(crate) struct Shipment {
    context: Arc<LaneContext>,
    destination: Destination,
    lease: Lease,
    test_code: Option<String>,
    proof: Arc<AtomicUsize>,
    shipped: Shipped,
}

impl Shipment {
    /// A batch that is to be sent.
    pub(crate) fn new(context: Arc<LaneContext>, load: Load, began_ms: u64) -> Self {
        let Load {
            to,
            lease,
            test_code,
            proof,
        } = load;
        Self {
            context,
            destination: to.destination,
            lease,
            test_code,
            proof,
            shipped: Shipped {
                began_ms,
                token: to.fingerprint,
                ..Shipped::default()
            },
        }
    }

    /// Sends it: until every event is settled, or something stops it.
    pub(crate) async fn run(mut self) -> Shipped {
        if let Err(trouble) = self.send_all().await {
            self.shipped.trouble = Some(trouble);
        }
        self.shipped
    }

    async fn send_all(&mut self) -> Result<(), Trouble> {
        self.expire().await?;
        let keys: Vec<EventKey> = self.lease.events.iter().map(|event| event.key).collect();
        let mut search = Search::new(keys.len());
        while let Some(part) = search.next() {
            if self.context.stop.is_cancelled() {
                return Ok(());
            }
            let part_keys: Vec<EventKey> = part.places.iter().map(|place| keys[*place]).collect();
            let (exchange, mut record) = self.post(&part_keys).await;
            let verdict = verdict(&exchange.answer, part_keys.len());
            record.verdict = verdict_name(&verdict);
            let outcomes = self.decide(verdict, part, &mut search, &keys, &record);
            self.context.watch.requested(&self.context.id, &record);
            let (outcomes, trouble) = match outcomes {
                Ok(outcomes) => (outcomes, None),
                Err(trouble) => (Vec::new(), Some(trouble.after(&exchange))),
            };
            let outcomes = self.believed(outcomes, &keys).await?;
            self.settle(Some(record), outcomes).await?;
            // Not before it is recorded: a journal that cannot write has to slow the lane down.
            self.shipped.is_answered |= trouble.is_none();
            if let Some(trouble) = trouble {
                return Err(self.explained(trouble, &exchange.answer).await);
            }
        }
        Ok(())
    }

    /// Error 100/33 is Meta's answer to three different mistakes: asks which one it was.
    async fn explained(&self, trouble: Trouble, answer: &Answer) -> Trouble {
        match (trouble, answer) {
            (Trouble::Operator { reason }, Answer::Error(error))
                if (error.code, error.subcode) == (100, Some(33)) =>
            {
                let explanation = self.context.client.explain(&self.destination).await;
                Trouble::Operator {
                    reason: format!("{explanation} ({reason})"),
                }
            }
            (trouble, _) => trouble,
        }
    }

    /// Sets aside what is too old by now.
    async fn expire(&mut self) -> Result<(), Trouble> {
        let now_s = seconds(self.context.clock.unix_ms());
        let expired: Vec<_> = self
            .lease
            .events
            .iter()
            .filter(|event| event.expires_s < now_s)
            .map(|event| (event.key, Outcome::Expired))
            .collect();
        if expired.is_empty() {
            return Ok(());
        }
        self.settle(None, expired).await
    }

    async fn post(&mut self, keys: &[EventKey]) -> (Exchange, RequestRecord) {
        let body = self.body(keys);
        let mut record = RequestRecord {
            sent_ms: self.context.clock.unix_ms(),
            elapsed_ms: 0,
            events: keys.len(),
            bytes: body.len(),
            status: 0,
            code: None,
            subcode: None,
            received: None,
            fbtrace_id: None,
            verdict: "",
        };
        let exchange = self.context.client.send(&self.destination, body).await;
        note(&mut record, &exchange.answer);
        record.elapsed_ms = u64::try_from(exchange.elapsed.as_millis()).unwrap_or(u64::MAX);
        self.shipped.usage = Some(exchange.usage);
        if let Some(served) = exchange.served {
            let (watch, asked) = (&self.context.watch, self.destination.version);
            watch.served(&self.context.id, asked, served);
        }
        (exchange, record)
    }

    fn body(&self, keys: &[EventKey]) -> Bytes {
        wire::body(
            chosen(&self.lease.events, keys).map(|event| event.json.as_str()),
            self.test_code.as_deref(),
            self.context.partner_agent.as_deref(),
        )
    }

    /// What a verdict means for the events of a part; an error stops the shipment.
    fn decide(
        &self,
        verdict: Verdict,
        part: Part,
        search: &mut Search,
        keys: &[EventKey],
        record: &RequestRecord,
    ) -> Result<Vec<(EventKey, Outcome)>, Trouble> {
        let delivered = |part: &Part| {
            let keys = part.places.iter().map(|place| keys[*place]);
            keys.map(|key| (key, Outcome::Delivered)).collect()
        };
        match verdict {
            Verdict::Delivered => {
                self.proof.store(PROVEN, Ordering::Relaxed);
                search.delivered(&part);
                Ok(delivered(&part))
            }
            Verdict::Fewer { .. } => {
                self.proof.store(PROVEN, Ordering::Relaxed);
                self.context.watch.fewer_received(&self.context.id, record);
                search.delivered(&part);
                Ok(delivered(&part))
            }
            Verdict::Refused { reason, indexes } => {
                let refused: Vec<_> = if indexes.is_empty() {
                    search.refused(part).into_iter().collect()
                } else {
                    search.refused_by_name(part, &indexes)
                };
                let cause = cause(&reason);
                Ok(refused
                    .into_iter()
                    .map(|place| (keys[place], Outcome::Refused(cause.clone())))
                    .collect())
            }
            // No event is too large at this size: something on the way takes next to nothing.
            Verdict::TooLarge(reason)
                if part.places.len() == 1 && record.bytes < EVENT_BYTES_CREDIBLE =>
            {
                Err(Trouble::Operator {
                    reason: reason.to_string(),
                })
            }
            Verdict::TooLarge(reason) => {
                let refused = search.refused(part).map(|place| keys[place]);
                Ok(refused
                    .map(|key| (key, Outcome::Refused(cause(&reason))))
                    .into_iter()
                    .collect())
            }
            Verdict::Transient(reason) => Err(Trouble::Transient {
                reason: reason.to_string(),
            }),
            Verdict::Throttled(reason) => Err(Trouble::Throttled {
                regain_s: None,
                reason: reason.to_string(),
            }),
            Verdict::Operator(reason) => Err(Trouble::Operator {
                reason: reason.to_string(),
            }),
        }
    }

    /// The outcomes, if they can be believed. When Meta says no more than "invalid parameter", and with this
    /// token nothing has gone through yet, the request may be wrong and not the events: a few are set aside
    /// on such an answer, and from then on one of the others has to go through first. When none does, the
    /// lane parks and keeps them all.
    async fn believed(
        &mut self,
        outcomes: Vec<(EventKey, Outcome)>,
        keys: &[EventKey],
    ) -> Result<Vec<(EventKey, Outcome)>, Trouble> {
        let Some((suspect, Outcome::Refused(cause))) = outcomes.first() else {
            return Ok(outcomes);
        };
        if (cause.code, cause.subcode) != (Some(100), None) {
            return Ok(outcomes);
        }
        let counted = self
            .proof
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
                (count != PROVEN).then(|| count.saturating_add(1).min(PROVEN - 1))
            });
        match counted {
            Ok(count) if count >= UNPROVEN_REFUSALS_MAX => {}
            _ => return Ok(outcomes),
        }
        let reason = format!(
            "Meta has refused every event so far in the same way: {}",
            cause.text
        );
        if self.has_witness(*suspect, keys).await? {
            return Ok(outcomes);
        }
        Err(Trouble::Operator { reason })
    }

    /// Whether an event goes through that is sent alone. It goes again with its part; Meta keeps one.
    async fn has_witness(&mut self, suspect: EventKey, keys: &[EventKey]) -> Result<bool, Trouble> {
        let step = (keys.len() / WITNESSES_MAX).max(1);
        let is_here = |key: &EventKey| self.lease.events.iter().any(|event| event.key == *key);
        let candidates: Vec<EventKey> = keys
            .iter()
            .rev()
            .step_by(step)
            .copied()
            .filter(|key| *key != suspect && is_here(key))
            .take(WITNESSES_MAX)
            .collect();
        for candidate in candidates {
            let (exchange, mut record) = self.post(&[candidate]).await;
            let verdict = verdict(&exchange.answer, 1);
            record.verdict = verdict_name(&verdict);
            self.context.watch.requested(&self.context.id, &record);
            self.settle(Some(record), Vec::new()).await?;
            if matches!(verdict, Verdict::Delivered | Verdict::Fewer { .. }) {
                self.proof.store(PROVEN, Ordering::Relaxed);
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn settle(
        &mut self,
        request: Option<RequestRecord>,
        outcomes: Vec<(EventKey, Outcome)>,
    ) -> Result<(), Trouble> {
        let report = DeliveryReport {
            at_ms: self.context.clock.unix_ms(),
            request,
            outcomes: outcomes.clone(),
        };
        match self.context.journal.settle(&mut self.lease, report).await {
            Ok(()) => {
                self.context.watch.settled(&self.context.id, &outcomes);
                Ok(())
            }
            Err(error) => Err(Trouble::Transient {
                reason: error.to_string(),
            }),
        }
    }
}

impl Trouble {
    /// With what the headers say about when to come back.
    fn after(self, exchange: &Exchange) -> Self {
        match self {
            Trouble::Throttled { reason, .. } => Trouble::Throttled {
                regain_s: exchange.usage.regain_s.max(exchange.retry_after_s),
                reason,
            },
            other => other,
        }
    }
}

/// The events with these keys, which are in the order of the list.
fn chosen<'a>(
    events: &'a [Leased],
    keys: &'a [EventKey],
) -> impl Iterator<Item = &'a Leased> + Clone {
    let mut wanted = keys.iter().peekable();
    events
        .iter()
        .filter(move |event| wanted.next_if(|key| **key == event.key).is_some())
}

fn verdict_name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Delivered => "delivered",
        Verdict::Fewer { .. } => "fewer",
        Verdict::Refused { .. } => "refused",
        Verdict::TooLarge(_) => "too_large",
        Verdict::Transient(_) => "transient",
        Verdict::Throttled(_) => "throttled",
        Verdict::Operator(_) => "operator",
    }
}

/// What the answer says of itself.
fn note(record: &mut RequestRecord, answer: &Answer) {
    match answer {
        Answer::Success(success) => {
            record.status = 200;
            record.received = success.events_received;
            record.fbtrace_id.clone_from(&success.fbtrace_id);
        }
        Answer::Error(error) => {
            record.status = error.status;
            record.code = Some(error.code);
            record.subcode = error.subcode;
            record.fbtrace_id.clone_from(&error.fbtrace_id);
        }
        Answer::Other { status } => record.status = *status,
        Answer::Lost(_) => {}
    }
}

fn cause(reason: &Reason) -> Cause {
    let said = reason.meta_said.as_deref().filter(|said| !said.is_empty());
    Cause {
        code: reason.code.map(|(code, _)| code),
        subcode: reason.code.and_then(|(_, subcode)| subcode),
        text: match said {
            Some(said) => format!("{}; Meta said: {said}", reason.meaning),
            None => reason.meaning.clone(),
        },
    }
}
