//! The way of one batch: from the lease to the last event settled, or back to waiting.
//!
//! Every request is recorded with what it decided in one transaction. What stops a shipment is told to
//! the lane; the events that are not settled then go back with the lease and wait.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sluice_graph::{Answer, Destination, Exchange, Reason, Usage, Verdict, verdict, wire};
use sluice_journal::{DeliveryReport, EventKey, Lease, Leased, Outcome, RequestRecord};

use super::bisect::Search;
use super::decide::{self, Circumstances, Decision, decide};
use super::proof::Proof;
use super::size::{self, Carried, Size};
use super::{LaneContext, too_old};
use crate::clock::seconds;
use crate::lane_state::Trouble;
use crate::roster::Reachable;

/// Requests that are cut because of a trouble that may pass by itself. To find one event takes twenty; more
/// are no event's fault.
const MISSES_MAX: usize = 64;

/// Events that are tried alone to see whether anything goes through at all.
const WITNESSES_MAX: usize = 8;

/// How a shipment went.
#[derive(Default)]
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
    /// Events that were taken from the budget of the hour for it.
    pub(crate) budgeted: usize,
    /// What its requests carried.
    pub(crate) carried: Carried,
    /// Events that did not go through while others did, and why.
    pub(crate) held: Option<(Lease, Trouble)>,
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
    /// Events that were taken from the budget of the hour for it.
    pub(crate) budgeted: usize,
    /// What is believed of refusals.
    pub(crate) proof: Arc<Proof>,
    /// The lane has been in trouble for a while.
    pub(crate) is_lasting: bool,
    /// It is the first one after trouble.
    pub(crate) is_probing: bool,
    /// How much a request may carry.
    pub(crate) allowed: Size,
}

/// One batch on its way.
pub(crate) struct Shipment {
    context: Arc<LaneContext>,
    destination: Destination,
    lease: Lease,
    test_code: Option<String>,
    proof: Arc<Proof>,
    is_lasting: bool,
    is_probing: bool,
    allowed: Size,
    /// Why events are set apart, once others have gone through without them.
    sets_apart: Option<Trouble>,
    /// Requests that were cut because of a trouble that may pass by itself.
    misses: usize,
    shipped: Shipped,
}

impl Shipment {
    /// A batch that is to be sent.
    pub(crate) fn new(context: Arc<LaneContext>, load: Load, began_ms: u64) -> Self {
        Self {
            context,
            destination: load.to.destination,
            lease: load.lease,
            test_code: load.test_code,
            proof: load.proof,
            is_lasting: load.is_lasting,
            is_probing: load.is_probing,
            allowed: load.allowed,
            sets_apart: None,
            misses: 0,
            shipped: Shipped {
                began_ms,
                token: load.to.fingerprint,
                budgeted: load.budgeted,
                ..Shipped::default()
            },
        }
    }

    /// Sends it: until every event is settled or set apart, or something stops it.
    pub(crate) async fn run(mut self) -> Shipped {
        match self.send_all().await {
            Err(trouble) => self.shipped.trouble = Some(trouble),
            Ok(()) => {
                if let Some(why) = self.sets_apart
                    && !self.lease.events.is_empty()
                {
                    self.shipped.held = Some((self.lease, why));
                }
            }
        }
        self.shipped
    }

    async fn send_all(&mut self) -> Result<(), Trouble> {
        self.expire().await?;
        let keys: Vec<EventKey> = self.lease.events.iter().map(|event| event.key).collect();
        let bytes: Vec<usize> = self.lease.events.iter().map(|it| it.json.len()).collect();
        let mut search = Search::new(size::requests(&bytes, self.allowed, self.is_probing));
        while let Some(part) = search.next() {
            if self.context.stop.is_cancelled() {
                // What is left waits again, also what was set apart.
                self.sets_apart = None;
                return Ok(());
            }
            let part_keys: Vec<EventKey> = part.places.iter().map(|place| keys[*place]).collect();
            let (exchange, verdict, record) = self.post(&part_keys).await;
            let now = Circumstances {
                keys: &keys,
                bytes: record.bytes,
                is_lasting: self.is_lasting,
            };
            match decide(verdict, part, &mut search, &now) {
                Decision::Settle(outcomes, refused_for) => {
                    self.settle_believed(record, outcomes, refused_for, &keys)
                        .await?;
                    // Not before it is recorded: a journal that cannot write has to slow the lane down.
                    self.shipped.is_answered = true;
                }
                Decision::SetApart(part, trouble) => {
                    self.settle(Some(record), Vec::new()).await?;
                    self.misses += usize::from(matches!(trouble, Trouble::Transient { .. }));
                    let goes_on = self.misses <= MISSES_MAX
                        && (self.sets_apart.is_some() || self.has_witness(None, &keys).await?);
                    if !goes_on {
                        return Err(trouble);
                    }
                    self.shipped.is_answered = true;
                    self.sets_apart = Some(trouble);
                    // A single event has nothing left to be cut; it stays in the lease.
                    let _alone = search.refused(part);
                }
                Decision::Stop(trouble) => {
                    self.settle(Some(record), Vec::new()).await?;
                    return Err(self
                        .explained(trouble.after(&exchange), &exchange.answer)
                        .await);
                }
            }
        }
        Ok(())
    }

    /// Error 100/33 is Meta's answer to three different mistakes: asks which one it was.
    async fn explained(&mut self, trouble: Trouble, answer: &Answer) -> Trouble {
        match (trouble, answer) {
            (Trouble::Operator { reason }, Answer::Error(error))
                if (error.code, error.subcode) == (100, Some(33)) =>
            {
                let sent_ms = self.context.clock.unix_ms();
                let asked = self.context.client.explain(&self.destination);
                let Some(explanation) = self.context.give_up.run_until_cancelled(asked).await
                else {
                    return Trouble::Operator { reason };
                };
                let elapsed_ms = self.context.clock.unix_ms().saturating_sub(sent_ms);
                let said = explanation.reason();
                let record = RequestRecord {
                    sent_ms,
                    elapsed_ms,
                    events: 0,
                    bytes: 0,
                    status: explanation.status(),
                    code: said.and_then(|it| Some(it.code?.0)),
                    subcode: said.and_then(|it| it.code?.1),
                    received: None,
                    fbtrace_id: said.and_then(|it| it.fbtrace_id.clone()),
                    verdict: "asked",
                };
                self.context.watch.requested(&self.context.id, &record);
                // A journal that cannot write is met again with the next events.
                let _recorded = self.settle(Some(record), Vec::new()).await.is_ok();
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
        let expired: Vec<_> = too_old(&self.lease, now_s).collect();
        if expired.is_empty() {
            return Ok(());
        }
        self.settle(None, expired).await
    }

    async fn post(&mut self, keys: &[EventKey]) -> (Exchange, Verdict, RequestRecord) {
        let body = self.body(keys);
        let (sent_ms, bytes) = (self.context.clock.unix_ms(), body.len());
        let sent = self.context.client.send(&self.destination, body);
        let exchange = self.context.give_up.run_until_cancelled(sent).await;
        let exchange = exchange.unwrap_or_else(|| {
            let elapsed_ms = self.context.clock.unix_ms().saturating_sub(sent_ms);
            Exchange::given_up(Duration::from_millis(elapsed_ms))
        });
        let verdict = verdict(&exchange.answer, keys.len());
        let mut record = RequestRecord {
            sent_ms,
            elapsed_ms: u64::try_from(exchange.elapsed.as_millis()).unwrap_or(u64::MAX),
            events: keys.len(),
            bytes,
            status: 0,
            code: None,
            subcode: None,
            received: None,
            fbtrace_id: None,
            verdict: decide::name(&verdict),
        };
        note(&mut record, &exchange.answer);
        let events = keys.len();
        self.shipped
            .carried
            .note(Size { events, bytes }, &exchange.answer);
        let usage = decide::told_usage(&verdict, exchange.usage);
        self.shipped.usage = usage.or(self.shipped.usage);
        let (watch, id) = (&self.context.watch, &self.context.id);
        watch.requested(id, &record);
        if let Some(served) = exchange.served {
            watch.served(id, self.destination.version, served);
        }
        if decide::has_arrived(&verdict) {
            self.proof.delivered();
        }
        if matches!(verdict, Verdict::Fewer { .. }) {
            watch.fewer_received(id, &record);
        }
        (exchange, verdict, record)
    }

    fn body(&self, keys: &[EventKey]) -> Bytes {
        wire::body(
            chosen(&self.lease.events, keys).map(|event| event.json.as_str()),
            self.test_code.as_deref(),
            self.context.partner_agent.as_deref(),
        )
    }

    /// Settles the outcomes, if they can be believed. When Meta says no more than "invalid parameter", the
    /// request may be wrong and not the events: after a few such answers one of the others has to go through
    /// first. When none does, the lane parks and keeps them all.
    async fn settle_believed(
        &mut self,
        record: RequestRecord,
        outcomes: Vec<(EventKey, Outcome)>,
        refused_for: Option<Reason>,
        keys: &[EventKey],
    ) -> Result<(), Trouble> {
        let refused = outcomes.first().map(|(key, _)| *key);
        let (Some(suspect), Some(reason)) = (refused, refused_for.filter(|it| it.is_vague)) else {
            return self.settle(Some(record), outcomes).await;
        };
        if self.proof.refused() || self.has_witness(Some(suspect), keys).await? {
            return self.settle(Some(record), outcomes).await;
        }
        self.settle(Some(record), Vec::new()).await?;
        // Without what Meta said: that may repeat what is in an event.
        Err(Trouble::Operator {
            reason: format!("Meta refuses one event after the other in the same way: {reason}"),
        })
    }

    /// Whether an event goes through that is sent alone. It goes again with its part; Meta keeps one.
    async fn has_witness(
        &mut self,
        suspect: Option<EventKey>,
        keys: &[EventKey],
    ) -> Result<bool, Trouble> {
        if self.lease.events.len() < 2 {
            return Ok(false);
        }
        let step = (keys.len() / WITNESSES_MAX).max(1);
        let is_here = |key: &EventKey| self.lease.events.iter().any(|event| event.key == *key);
        let candidates: Vec<EventKey> = keys
            .iter()
            .rev()
            .step_by(step)
            .copied()
            .filter(|key| Some(*key) != suspect && is_here(key))
            .take(WITNESSES_MAX)
            .collect();
        for candidate in candidates {
            if self.context.stop.is_cancelled() {
                break;
            }
            let (_, verdict, record) = self.post(&[candidate]).await;
            self.settle(Some(record), Vec::new()).await?;
            if decide::has_arrived(&verdict) {
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
