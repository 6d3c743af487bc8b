//! The way of one batch through its requests: what goes in the next one, and what an answer does to the
//! events. Pure: the shipment posts what [`Passage::next`] says, gives the answer to
//! [`Passage::answered`], and records what that returns.
//!
//! Two sorts of answers are not believed before another event has gone through alone, a *witness*: the same
//! vague refusal again and again ([`Proof`]), and an error that may be about one event or about all of them.
//! A witness that arrives is delivered with that.

use std::collections::HashMap;

use sluice_graph::{Arrival, Found, Limit, Part, Proof, Search, Verdict, witnesses};
use sluice_journal::{Cause, EventKey, Leased, Outcome, RequestRecord};

use super::decide::{Decision, Sent, cause, decide, has_arrived};
use super::refusals::{Group, Refusals};
use super::size::{self, Size};
use crate::config::AfterLostAnswer;
use crate::lane_state::{StandsBack, Trouble};

/// Requests that are cut because of a trouble that may pass by itself. To find one event takes about 20; after
/// more, the cause is not one event.
const MISSES_MAX: usize = 64;

/// How a batch is tried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// The lane has been in trouble for a while.
    pub(crate) is_lasting: bool,
    /// It is the first one after trouble.
    pub(crate) is_probing: bool,
    /// How much a request may carry.
    pub(crate) allowed: Size,
    /// What becomes of events without deduplication whose answer is lost.
    pub(crate) after_lost_answer: AfterLostAnswer,
}

/// What came back for the events that [`Passage::next`] named.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) verdict: Verdict,
    /// Whether Meta has the events.
    pub(crate) arrival: Arrival,
    /// The request, for the record.
    pub(crate) record: RequestRecord,
}

/// What an answer does to the events of the batch.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// What is to be recorded, in this order, each in a transaction.
    pub(crate) reports: Vec<Report>,
    /// Meta answered to the point.
    pub(crate) is_answered: bool,
    /// The batch ends here, for this reason. What is not settled waits.
    pub(crate) stop: Option<Trouble>,
}

/// A request and what became of its events.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) record: Option<RequestRecord>,
    /// Events that reached their final state.
    pub(crate) outcomes: Vec<(EventKey, Outcome)>,
    /// Events without deduplication that the request did not bring to Meta.
    pub(crate) not_taken: Vec<EventKey>,
}

/// One batch.
#[derive(Debug)]
pub(crate) struct Passage {
    batch: Vec<Member>,
    /// The groups of the events, by their numbers.
    groups: Vec<Group>,
    search: Search,
    posted: Posted,
    /// Why events are set apart, once others have gone through without them.
    sets_apart: Option<Trouble>,
    /// Some of the batch arrived.
    has_delivered: bool,
    /// Requests that were cut because of a trouble that may pass by itself.
    misses: usize,
    plan: Plan,
}

/// An event of the batch.
#[derive(Debug)]
struct Member {
    key: EventKey,
    is_deduplicated: bool,
    /// It goes in no further request.
    is_settled: bool,
}

/// What the request that is on its way is for.
#[derive(Debug)]
enum Posted {
    /// None is.
    Nothing,
    /// To deliver a part.
    Part(Part),
    /// To see whether this one goes through alone.
    Witness(usize, Hearing),
    /// None is, and a witness goes next.
    Hearing(Hearing),
}

/// Looking for a witness.
#[derive(Debug)]
struct Hearing {
    /// Events to be tried; the last one goes next.
    candidates: Vec<usize>,
    about: Question,
}

/// What a witness decides.
#[derive(Debug)]
enum Question {
    /// Whether some events of the part are in the way of the others.
    Apart(Part, Trouble),
    /// Whether refusals can be believed; if not, the lane parks with this trouble.
    Refusal(Report, Trouble),
}

impl Passage {
    /// A batch that is to be sent. What Meta does not deduplicate travels apart from all else and after it: a
    /// lost answer then withholds none of it for a trouble that an earlier request would have met. What the lane knows of the
    /// groups of the events spares the others their search.
    pub(crate) fn new(events: &[Leased], plan: Plan, refusals: &Refusals) -> Self {
        let batch = events.iter().map(|event| Member {
            key: event.key,
            is_deduplicated: event.is_deduplicated,
            is_settled: false,
        });
        let (first, last): (Vec<_>, Vec<_>) =
            (0..events.len()).partition(|place| events[*place].is_deduplicated);
        let requests = [first, last].into_iter().flat_map(|places| {
            let bytes: Vec<_> = places
                .iter()
                .map(|place| events[*place].json.len())
                .collect();
            let mut places = places.into_iter();
            let requests = size::requests(&bytes, plan.allowed, plan.is_probing).into_iter();
            let requests = requests.map(|count| places.by_ref().take(count).collect());
            requests.collect::<Vec<Vec<usize>>>()
        });
        let (numbers, groups) = grouped(events);
        let known = groups.iter().map(|group| refusals.known(group));
        Self {
            batch: batch.collect(),
            search: Search::new(requests, numbers, known.collect()),
            groups,
            posted: Posted::Nothing,
            sets_apart: None,
            has_delivered: false,
            misses: 0,
            plan,
        }
    }

    /// Sends the batch without these events.
    pub(crate) fn leave_out(&mut self, keys: &[EventKey]) {
        for member in &mut self.batch {
            member.is_settled |= keys.contains(&member.key);
        }
    }

    /// The events of the next request; `None` when the batch is through. The limit is for a part of the batch; a
    /// witness is one event anyway.
    pub(crate) fn next(&mut self, limit: Limit) -> Option<Vec<EventKey>> {
        let posted = std::mem::replace(&mut self.posted, Posted::Nothing);
        let (places, posted) = match posted {
            Posted::Hearing(mut hearing) => {
                let witness = hearing.candidates.pop()?;
                (vec![witness], Posted::Witness(witness, hearing))
            }
            Posted::Nothing | Posted::Part(_) | Posted::Witness(..) => {
                let part = self.next_part(limit)?;
                (part.places.clone(), Posted::Part(part))
            }
        };
        self.posted = posted;
        Some(self.keys(&places))
    }

    /// The next part that has events left: what has its final state goes in no further request.
    fn next_part(&mut self, limit: Limit) -> Option<Part> {
        loop {
            let mut part = self.search.next(limit)?;
            part.places.retain(|place| !self.batch[*place].is_settled);
            if !part.places.is_empty() {
                return Some(part);
            }
        }
    }

    fn keys(&self, places: &[usize]) -> Vec<EventKey> {
        places.iter().map(|place| self.batch[*place].key).collect()
    }

    /// Why what is left is to stand back, when the batch is through.
    pub(crate) fn stands_back(self) -> Option<StandsBack> {
        let suspect = self.search.has_left().then_some(StandsBack::Suspect);
        self.sets_apart.map(StandsBack::Odd).or(suspect)
    }

    /// What became of the events of each group.
    pub(crate) fn found(&self) -> impl Iterator<Item = (&Group, Found)> {
        self.groups.iter().zip(self.search.found().iter().copied())
    }

    /// What the answer to the last request does.
    pub(crate) fn answered(&mut self, heard: Heard, proof: &Proof) -> Effects {
        if has_arrived(&heard.verdict) {
            self.has_delivered = true;
            proof.delivered();
        }
        match std::mem::replace(&mut self.posted, Posted::Nothing) {
            Posted::Part(part) => self.part_answered(part, heard, proof),
            Posted::Witness(place, hearing) => self.witness_answered(place, hearing, heard),
            Posted::Nothing | Posted::Hearing(_) => Effects::default(),
        }
    }

    fn part_answered(&mut self, part: Part, heard: Heard, proof: &Proof) -> Effects {
        let sent = Sent {
            events: part.places.len(),
            bytes: heard.record.bytes,
            is_lasting: self.plan.is_lasting,
        };
        let mut report = self.report(&part.places, heard.arrival, heard.record);
        match decide(heard.verdict, sent) {
            Decision::Deliver => {
                self.search.delivered(&part);
                self.settle(&part.places, &Outcome::Delivered, &mut report);
                Effects::answered(report)
            }
            Decision::Refuse(reason, indexes) => {
                let places = if indexes.is_empty() {
                    self.search.refused(part).into_iter().collect()
                } else {
                    self.search.refused_by_name(part, &indexes)
                };
                self.settle(&places, &Outcome::Refused(cause(&reason)), &mut report);
                let is_believed = places.is_empty() || !reason.is_vague || proof.refused();
                if is_believed {
                    return Effects::answered(report);
                }
                // It is recorded with its outcomes, which may take a while. That nothing arrived is known now.
                let not_taken = Report {
                    not_taken: std::mem::take(&mut report.not_taken),
                    ..Report::default()
                };
                // Without what Meta said: that may repeat what is in an event.
                let trouble = Trouble::Operator {
                    reason: format!(
                        "Meta refuses one event after the other in the same way: {reason}"
                    ),
                };
                let mut effects = self.hear(Question::Refusal(report, trouble));
                if !not_taken.not_taken.is_empty() {
                    effects.reports.insert(0, not_taken);
                }
                effects
            }
            Decision::SetApart(trouble) => {
                self.misses += usize::from(matches!(trouble, Trouble::Transient { .. }));
                if self.misses > MISSES_MAX {
                    return Effects::stopped(vec![report], trouble);
                }
                let mut effects = if self.has_delivered {
                    self.set_apart(part, trouble);
                    Effects {
                        is_answered: true,
                        ..Effects::default()
                    }
                } else {
                    self.hear(Question::Apart(part, trouble))
                };
                effects.reports.insert(0, report);
                effects
            }
            Decision::Stop(trouble) => Effects::stopped(vec![report], trouble),
        }
    }

    fn witness_answered(&mut self, place: usize, hearing: Hearing, heard: Heard) -> Effects {
        let sent = Sent {
            events: 1,
            bytes: heard.record.bytes,
            is_lasting: self.plan.is_lasting,
        };
        let mut report = self.report(&[place], heard.arrival, heard.record);
        match decide(heard.verdict, sent) {
            Decision::Deliver => {
                self.settle(&[place], &Outcome::Delivered, &mut report);
                let mut effects = Effects::answered(report);
                match hearing.about {
                    Question::Apart(part, trouble) => self.set_apart(part, trouble),
                    Question::Refusal(believed, _) => effects.reports.push(believed),
                }
                effects
            }
            Decision::Refuse(..) | Decision::SetApart(_) => {
                let mut effects = self.go_on(hearing);
                effects.reports.insert(0, report);
                effects
            }
            // The next ones would meet the same, and messages be lost one after the other.
            Decision::Stop(trouble) => {
                let (doubted, _) = hearing.about.unanswered();
                let reports = [report].into_iter().chain(doubted);
                Effects::stopped(reports.collect(), trouble)
            }
        }
    }

    /// Looks for an event that goes through alone. Events that Meta deduplicates go first: of them nothing is
    /// lost with a lost answer.
    fn hear(&mut self, about: Question) -> Effects {
        let alone = match &about {
            Question::Apart(part, _) if part.places.len() == 1 => part.places.first().copied(),
            Question::Apart(..) | Question::Refusal(..) => None,
        };
        let others = 0..self.batch.len();
        let others = others.filter(|place| !self.batch[*place].is_settled && Some(*place) != alone);
        let others: Vec<_> = others.collect();
        let mut candidates = witnesses(&others, |place| self.batch[place].is_deduplicated);
        // The last one goes next.
        candidates.reverse();
        self.go_on(Hearing { candidates, about })
    }

    /// Lets the next candidate go, or ends without a witness.
    fn go_on(&mut self, hearing: Hearing) -> Effects {
        if !hearing.candidates.is_empty() {
            self.posted = Posted::Hearing(hearing);
            return Effects::default();
        }
        let (doubted, trouble) = hearing.about.unanswered();
        Effects::stopped(doubted.into_iter().collect(), trouble)
    }

    fn set_apart(&mut self, mut part: Part, trouble: Trouble) {
        self.sets_apart = Some(trouble);
        part.places.retain(|place| !self.batch[*place].is_settled);
        // A single event has nothing left to be cut; it stays in the lease.
        let _alone = self.search.refused(part);
    }

    /// What is recorded of a request whatever it decides. Of events without deduplication, which of them may
    /// have arrived and which did not.
    fn report(&mut self, places: &[usize], arrival: Arrival, record: RequestRecord) -> Report {
        let mut report = Report {
            record: Some(record),
            ..Report::default()
        };
        let members = places.iter().copied();
        let once: Vec<_> = members
            .filter(|place| !self.batch[*place].is_deduplicated)
            .collect();
        match (arrival, self.plan.after_lost_answer) {
            (Arrival::Unknown, AfterLostAnswer::Withhold) => {
                self.settle(&once, &may_have_arrived(), &mut report);
            }
            (Arrival::NotTaken, _) => {
                report.not_taken = self.keys(&once);
            }
            (Arrival::Taken, _) | (Arrival::Unknown, AfterLostAnswer::Resend) => {}
        }
        report
    }

    /// Gives events their final state; they go in no further request.
    fn settle(&mut self, places: &[usize], outcome: &Outcome, report: &mut Report) {
        for place in places {
            let member = &mut self.batch[*place];
            if !std::mem::replace(&mut member.is_settled, true) {
                report.outcomes.push((member.key, outcome.clone()));
            }
        }
    }
}

impl Question {
    /// No witness answers it. What is recorded all the same, and why the batch ends.
    fn unanswered(self) -> (Option<Report>, Trouble) {
        match self {
            Question::Apart(_, trouble) => (None, trouble),
            Question::Refusal(mut doubted, trouble) => {
                doubted.outcomes.clear();
                (Some(doubted), trouble)
            }
        }
    }
}

impl Effects {
    fn answered(report: Report) -> Self {
        Self {
            reports: vec![report],
            is_answered: true,
            stop: None,
        }
    }

    fn stopped(reports: Vec<Report>, trouble: Trouble) -> Self {
        Self {
            reports,
            is_answered: false,
            stop: Some(trouble),
        }
    }
}

/// The number of each event's group, and the groups by their numbers.
fn grouped(events: &[Leased]) -> (Vec<usize>, Vec<Group>) {
    let mut known = HashMap::new();
    let mut groups = Vec::new();
    let numbers = events.iter().map(|event| {
        let names = (event.source.as_str(), event.event_name.as_str());
        *known.entry(names).or_insert_with(|| {
            groups.push(Group {
                source: event.source.clone(),
                event_name: event.event_name.clone(),
            });
            groups.len() - 1
        })
    });
    (numbers.collect(), groups)
}

/// What becomes of events before the first request: those that may have arrived with an earlier one, and
/// those that are too old.
pub(crate) fn beforehand(
    events: &[Leased],
    now_s: i64,
    after_lost_answer: AfterLostAnswer,
) -> impl Iterator<Item = (EventKey, Outcome)> {
    let withholds = after_lost_answer == AfterLostAnswer::Withhold;
    events.iter().filter_map(move |event| {
        if event.intended_ms.is_some() && (withholds || event.is_too_old(now_s)) {
            Some((event.key, may_have_arrived()))
        } else {
            event
                .is_too_old(now_s)
                .then_some((event.key, Outcome::Expired))
        }
    })
}

/// The final state of an event without deduplication that Meta may have.
fn may_have_arrived() -> Outcome {
    Outcome::Withheld(Cause {
        text: "it may have arrived: the answer to its request was lost, and Meta recognises no copies of \
               business messaging events; look for it in Events Manager, and if it is not there, send it \
               again with `sluice dead replay`"
            .to_owned(),
        ..Cause::default()
    })
}

#[cfg(test)]
mod tests;
