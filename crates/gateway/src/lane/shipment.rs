//! The way of one batch: from the lease to the last event settled, or back to waiting.
//!
//! [`Passage`] decides; this posts and records. Every request is recorded with what it decided in one transaction.
//! The lane gets what stopped a shipment; the events that are not settled then go back with the lease and wait.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sluice_graph::{
    Answer, Arrival, Destination, Exchange, Limit, Proof, Usage, UseCase, Verdict, verdict, wire,
};
use sluice_journal::{DeliveryReport, EventKey, JournalError, Lease, Leased, RequestRecord};
use tokio::time::sleep;

use super::LaneContext;
use super::decide;
use super::passage::{Heard, Passage, Plan, Report, beforehand};
use super::refusals::Refusals;
use super::size::{Carried, Size};
use crate::clock::seconds;
use crate::config::AfterLostAnswer;
use crate::lane_state::{StandsBack, Trouble};
use crate::roster::Reachable;

/// How long a settle that failed waits until it is tried again.
pub(super) const JOURNAL_PAUSE: Duration = Duration::from_secs(1);

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
    pub(crate) held: Option<(Lease, StandsBack)>,
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
    /// Events that were taken from the budget of the hour for it.
    pub(crate) budgeted: usize,
    /// What is believed of refusals.
    pub(crate) proof: Arc<Proof>,
    /// What refused requests have cost the lane.
    pub(crate) refusals: Arc<Mutex<Refusals>>,
    /// Events of groups of which many are refused may stand back.
    pub(crate) may_leave_suspects: bool,
    /// How its events are tried.
    pub(crate) plan: Plan,
}

/// How far a batch got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// Nothing of it is left to be sent.
    Through,
    /// The gateway stops, or a person paused the lane.
    Stopped,
}

/// One batch on its way.
pub(crate) struct Shipment {
    context: Arc<LaneContext>,
    destination: Destination,
    lease: Lease,
    test_code: Option<String>,
    proof: Arc<Proof>,
    refusals: Arc<Mutex<Refusals>>,
    may_leave_suspects: bool,
    plan: Plan,
    shipped: Shipped,
}

impl Shipment {
    /// A batch that is to be sent.
    pub(crate) fn new(context: Arc<LaneContext>, load: Load, began_ms: u64) -> Self {
        Self {
            context,
            destination: load.to.destination,
            lease: load.lease,
            test_code: None,
            proof: load.proof,
            refusals: load.refusals,
            may_leave_suspects: load.may_leave_suspects,
            plan: load.plan,
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
            Ok(None) => {}
            Ok(Some(why)) => {
                if !self.lease.events.is_empty() {
                    self.shipped.held = Some((self.lease, why));
                }
            }
        }
        self.shipped
    }

    /// Returns why what is left stands back, if it does.
    async fn send_all(&mut self) -> Result<Option<StandsBack>, Trouble> {
        let after_lost_answer = self.plan.after_lost_answer;
        let undated = self.prepare(after_lost_answer).await?;
        let mut passage = Passage::new(&self.lease.events, self.plan, &refusals(&self.refusals));
        passage.leave_out(&undated);
        let sent = self.send_in(&mut passage).await;
        for (group, found) in passage.found() {
            refusals(&self.refusals).learn(group, found);
        }
        if sent? == Sent::Stopped {
            // What is left waits again, also what was set apart.
            return Ok(None);
        }
        let stands_back = passage.stands_back();
        if undated.is_empty() {
            return Ok(stands_back);
        }
        if !self.is_time_sure().await {
            return Ok(stands_back.or(Some(StandsBack::Undated)));
        }
        self.set_aside(
            seconds(self.context.clock.unix_ms()),
            after_lost_answer,
            &[],
        )
        .await?;
        Ok(stands_back)
    }

    /// Sends what the passage says, until it is through, trouble comes, or the gateway stops.
    async fn send_in(&mut self, passage: &mut Passage) -> Result<Sent, Trouble> {
        while let Some(keys) = passage.next(self.limit()) {
            if self.context.stop.is_cancelled() || self.context.is_paused() {
                return Ok(Sent::Stopped);
            }
            if self.plan.after_lost_answer == AfterLostAnswer::Withhold {
                self.intend(&keys).await?;
            }
            let (exchange, heard) = self.post(&keys).await;
            let effects = passage.answered(heard, &self.proof);
            for report in effects.reports {
                self.settle(report).await?;
            }
            // Not before it is recorded: a journal that cannot write has to slow the lane down.
            self.shipped.is_answered |= effects.is_answered;
            if let Some(trouble) = effects.stop {
                let trouble = trouble.after(&exchange);
                return Err(self.explained(trouble, &exchange.answer).await);
            }
        }
        Ok(Sent::Through)
    }

    /// What the next request may be.
    fn limit(&self) -> Limit {
        let events_max = self.context.settings.delivery.batch_events_max;
        let now_ms = self.context.clock.unix_ms();
        let mut limit = refusals(&self.refusals).limit(events_max, now_ms);
        limit.leaves_suspects &= self.may_leave_suspects;
        limit
    }

    /// Puts on disk that a request with these events is about to be sent. When that fails, it is not sent.
    async fn intend(&mut self, keys: &[EventKey]) -> Result<(), Trouble> {
        let at_ms = self.context.clock.unix_ms();
        let intended = self.context.journal.intend(&mut self.lease, keys, at_ms);
        intended.await.map_err(|error| transient(&error))
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
                let report = Report {
                    record: Some(record),
                    ..Report::default()
                };
                // A journal that cannot write is met again with the next events.
                let _recorded = self.try_settle(&report).await.is_ok();
                Trouble::Operator {
                    reason: format!("{explanation} ({reason})"),
                }
            }
            (trouble, _) => trouble,
        }
    }

    /// Sets aside what is not to be sent, and looks which test code the others go with.
    ///
    /// Neither is decided by a time that is in doubt. Returns the events that look too old by such a time: Meta
    /// would refuse the others for them, so they do not go with those. The answers to those have Meta's time.
    async fn prepare(
        &mut self,
        after_lost_answer: AfterLostAnswer,
    ) -> Result<Vec<EventKey>, Trouble> {
        if self.context.id.test_code.is_some() && !self.is_time_sure().await {
            return Err(Trouble::Transient {
                reason: "whether the test code has ended depends on the time; that is in doubt, and Meta does \
                         not say what time it is"
                    .to_owned(),
            });
        }
        let (unix_ms, is_in_doubt) = self.context.clock.now();
        self.test_code = self.context.code_at(unix_ms, &mut self.lease);
        let now_s = seconds(unix_ms);
        let events = self.lease.events.iter();
        let undated = events.filter(|event| is_in_doubt && event.is_too_old(now_s));
        let undated: Vec<_> = undated.map(|event| event.key).collect();
        self.set_aside(now_s, after_lost_answer, &undated).await?;
        Ok(undated)
    }

    /// Gives the events their final state that are not to be sent, but for these.
    async fn set_aside(
        &mut self,
        now_s: i64,
        after_lost_answer: AfterLostAnswer,
        but: &[EventKey],
    ) -> Result<(), Trouble> {
        let outcomes = beforehand(&self.lease.events, now_s, after_lost_answer);
        let outcomes: Vec<_> = outcomes.filter(|(key, _)| !but.contains(key)).collect();
        if outcomes.is_empty() {
            return Ok(());
        }
        self.settle(Report {
            outcomes,
            ..Report::default()
        })
        .await
    }

    /// Whether the time is sure; Meta is asked when it is in doubt, unless the gateway stops meanwhile.
    async fn is_time_sure(&self) -> bool {
        let is_sure = self.context.clock.is_sure();
        let is_sure = self.context.give_up.run_until_cancelled(is_sure);
        is_sure.await == Some(true)
    }

    async fn post(&mut self, keys: &[EventKey]) -> (Exchange, Heard) {
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
        let usage = decide::usage_of(&verdict, exchange.usage.of(UseCase::Events));
        self.shipped.usage = usage.or(self.shipped.usage);
        if let Some(dated) = exchange.dated() {
            self.context.clock.told(dated);
        }
        let (watch, id) = (&self.context.watch, &self.context.id);
        watch.requested(id, &record);
        if let Some(served) = exchange.served {
            watch.served(id, self.destination.endpoint.version, served);
        }
        if matches!(verdict, Verdict::Fewer { .. }) {
            watch.fewer_received(id, &record);
        }
        if let Some(is_refused) = decide::is_refused(&verdict) {
            refusals(&self.refusals).note(is_refused, self.context.clock.unix_ms());
        }
        let heard = Heard {
            arrival: Arrival::of(&exchange.answer),
            verdict,
            record,
        };
        (exchange, heard)
    }

    fn body(&self, keys: &[EventKey]) -> Bytes {
        wire::body(
            chosen(&self.lease.events, keys).map(|event| event.json.as_str()),
            self.test_code.as_deref(),
            self.context.settings.partner_agent.as_deref(),
        )
    }

    /// Records a report. While the journal cannot write, it is kept here with its lease: what has arrived
    /// must not be sent again for want of a disk. Fails when the gateway stops meanwhile.
    async fn settle(&mut self, report: Report) -> Result<(), Trouble> {
        loop {
            let Err(error) = self.try_settle(&report).await else {
                return Ok(());
            };
            (self.context.watch).not_settled(&self.context.id, &error);
            let is_over = matches!(error, JournalError::Closed);
            let pause = self
                .context
                .gateway_stop
                .run_until_cancelled(sleep(JOURNAL_PAUSE));
            if is_over || pause.await.is_none() {
                return Err(transient(&error));
            }
        }
    }

    async fn try_settle(&mut self, report: &Report) -> Result<(), JournalError> {
        let delivery = DeliveryReport {
            at_ms: self.context.clock.unix_ms(),
            request: report.record.clone(),
            outcomes: report.outcomes.clone(),
            not_taken: report.not_taken.clone(),
        };
        let journal = &self.context.journal;
        journal.settle(&mut self.lease, delivery).await?;
        self.context
            .watch
            .settled(&self.context.id, &report.outcomes);
        Ok(())
    }
}

/// They are numbers: they can be used whatever happened to a holder that panicked.
pub(super) fn refusals(refusals: &Mutex<Refusals>) -> MutexGuard<'_, Refusals> {
    refusals.lock().unwrap_or_else(PoisonError::into_inner)
}

fn transient(error: &JournalError) -> Trouble {
    Trouble::Transient {
        reason: error.to_string(),
    }
}

impl Trouble {
    /// With what the headers say about when to come back.
    fn after(self, exchange: &Exchange) -> Self {
        match self {
            Trouble::Throttled { reason, .. } => Trouble::Throttled {
                regain_s: exchange
                    .usage
                    .of(UseCase::Events)
                    .regain_s
                    .max(exchange.retry_after_s),
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
