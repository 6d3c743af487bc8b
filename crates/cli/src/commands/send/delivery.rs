//! Sending everything: batches, trying again, and finding the events that are refused.
//!
//! Which event a refusal is about is decided as in a gateway's lanes ([`Search`]), and so is whether refusals are
//! believed ([`Proof`]): a wrong setting, to which Meta answers as to a wrong event, stops the file.

use std::collections::HashMap;
use std::time::Duration;

use sluice_graph::{Limit, Part, Proof, Search, witnesses};

use super::carrier::{Carried, Carrier, ReceiptWarning, Taken};
use super::load::{Load, Outgoing};
use super::refusal::{Refusal, Refused, Rejected};
use super::report::Report;
use crate::clock::Clock;
use crate::output::Progress;

/// Bytes of events in one request; an event that is larger goes alone.
const BATCH_BYTES_MAX: usize = 1_000_000;

/// The first pause before trying again; it doubles each time.
const PAUSE_MIN: Duration = Duration::from_millis(500);

/// The longest pause of our own.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// The longest pause that the other side may ask for. A longer one ends the command.
const ASKED_MAX: Duration = Duration::from_mins(5);

/// How much is sent at once, and how often it is tried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// Events in one request.
    pub(super) batch: usize,
    /// How often a request is sent again.
    pub(super) retries: u32,
}

/// Why it stopped before the end.
#[derive(Debug)]
pub(super) struct Halt {
    pub(super) why: String,
    pub(super) help: String,
    /// The last request may have arrived all the same; only its answer is missing.
    pub(super) may_have_arrived: bool,
}

/// Sends every event of the load; the report has what became of them, also when this fails.
pub(super) async fn deliver(
    carrier: &impl Carrier,
    load: &Load,
    terms: Terms,
    report: &mut Report,
    progress: &Progress,
) -> Result<(), Halt> {
    let requests = parts(&load.outgoing, terms.batch);
    let mut search = Search::new(requests, groups(&load.outgoing), Vec::new());
    let mut delivery = Delivery {
        carrier,
        outgoing: &load.outgoing,
        terms,
        report,
        progress,
        is_settled: vec![false; load.outgoing.len()],
        first_unsent: 0,
        proof: Proof::default(),
    };
    while let Some(mut part) = search.next(Limit::NONE) {
        // A witness went before its turn.
        part.places.retain(|place| !delivery.is_settled[*place]);
        if !part.places.is_empty() {
            delivery.send(&mut search, part).await?;
        }
    }
    Ok(())
}

/// A load on its way.
struct Delivery<'a, C> {
    carrier: &'a C,
    outgoing: &'a [Outgoing],
    terms: Terms,
    report: &'a mut Report,
    progress: &'a Progress,
    /// Of each event, whether it is known what became of it.
    is_settled: Vec<bool>,
    /// The place of the first one of which it is not.
    first_unsent: usize,
    proof: Proof,
}

impl<C: Carrier> Delivery<'_, C> {
    /// Sends a part of the load, and says to the search what became of it.
    async fn send(&mut self, search: &mut Search, part: Part) -> Result<(), Halt> {
        let (refused, why) = match self.request(&part.places).await? {
            Carried::Taken(taken) => {
                search.delivered(&part);
                self.take(taken, &part.places);
                return Ok(());
            }
            Carried::Refused { places, why } if !places.is_empty() => {
                (search.refused_by_name(part, &places), why)
            }
            Carried::Refused { why, .. } | Carried::TooLarge(why) => {
                (search.refused(part).into_iter().collect(), why)
            }
            Carried::Never { why, help } => return Err(never(why, help)),
            Carried::Later { why, .. } => return Err(given_up(why)),
        };
        if refused.is_empty() {
            return Ok(());
        }
        // Once something has gone through, the settings are right, and what is said clearly is believed.
        let is_clear = self.proof.is_proven() && !why.is_vague;
        if !is_clear && !self.proof.refused() {
            self.hear_witnesses(&refused, &why).await?;
        }
        for place in &refused {
            self.report.refuse(&self.outgoing[*place], &why);
        }
        self.settle(&refused);
        Ok(())
    }

    /// Sends other events alone until one goes through. Stops if none does.
    async fn hear_witnesses(&mut self, refused: &[usize], why: &Refusal) -> Result<(), Halt> {
        let left = 0..self.outgoing.len();
        let left = left.filter(|place| !self.is_settled[*place] && !refused.contains(place));
        let left: Vec<_> = left.collect();
        for place in witnesses(&left, |_| true) {
            match self.request(&[place]).await? {
                Carried::Taken(taken) => {
                    self.take(taken, &[place]);
                    return Ok(());
                }
                Carried::Refused { .. } | Carried::TooLarge(_) => {}
                Carried::Never { why, help } => return Err(never(why, help)),
                Carried::Later { why, .. } => return Err(given_up(why)),
            }
        }
        Err(never(
            format!(
                "one event after the other is refused, and no other one goes through: {}",
                why.line()
            ),
            "the request may be wrong and not the events: check the dataset and the other options, and \
             the events with `sluice check`; send the rest then"
                .to_owned(),
        ))
    }

    /// Sends these events in one request, as often as it takes.
    async fn request(&mut self, places: &[usize]) -> Result<Carried, Halt> {
        let events: Vec<_> = places.iter().map(|place| &self.outgoing[*place]).collect();
        let (report, progress) = (&mut *self.report, self.progress);
        report.first_unsent = self
            .outgoing
            .get(self.first_unsent)
            .map(|event| event.index);
        let outcome = patiently(self.carrier, &events, self.terms, report, progress).await?;
        report.requests += 1;
        Ok(outcome)
    }

    fn take(&mut self, taken: Taken, places: &[usize]) {
        self.proof.delivered();
        let events: Vec<_> = places.iter().map(|place| &self.outgoing[*place]).collect();
        self.report.add(taken, &events);
        self.settle(places);
    }

    fn settle(&mut self, places: &[usize]) {
        for place in places {
            self.is_settled[*place] = true;
        }
        let unsettled = |place: &usize| !self.is_settled[*place];
        let rest = self.first_unsent..self.outgoing.len();
        self.first_unsent = rest.clone().find(unsettled).unwrap_or(rest.end);
        let first = self.outgoing.get(self.first_unsent);
        self.report.first_unsent = first.map(|event| event.index);
        self.progress.reach(self.report.settled());
    }
}

/// A number for the name of each event: those of one name have mostly the same flaw.
fn groups(outgoing: &[Outgoing]) -> Vec<usize> {
    let mut known = HashMap::new();
    let names = outgoing
        .iter()
        .map(|event| event.known_as.as_ref().map(|(name, _)| name));
    names
        .map(|name| {
            let next = known.len();
            *known.entry(name).or_insert(next)
        })
        .collect()
}

/// Places of events that fit into one request each, in order.
fn parts(outgoing: &[Outgoing], batch: usize) -> Vec<Vec<usize>> {
    let mut parts: Vec<Vec<usize>> = Vec::new();
    let mut bytes = 0;
    for (place, event) in outgoing.iter().enumerate() {
        bytes += event.json.len() + 1;
        match parts.last_mut() {
            Some(part) if part.len() < batch && bytes <= BATCH_BYTES_MAX => part.push(place),
            _ => {
                parts.push(vec![place]);
                bytes = event.json.len() + 1;
            }
        }
    }
    parts
}

/// Sends one request until there is an answer that settles it.
async fn patiently(
    carrier: &impl Carrier,
    events: &[&Outgoing],
    terms: Terms,
    report: &mut Report,
    progress: &Progress,
) -> Result<Carried, Halt> {
    for tries in 0.. {
        let (asked, why) = match carrier.carry(events).await {
            Carried::Later { asked, why } => (asked, why),
            outcome => return Ok(outcome),
        };
        report.requests += 1;
        if let Some(asked) = asked.filter(|asked| *asked > ASKED_MAX) {
            let minutes = asked.as_secs().div_ceil(60);
            return Err(Halt {
                why: format!("{why}; it asks to wait {minutes} minutes"),
                help: "send the rest then".to_owned(),
                may_have_arrived: false,
            });
        }
        if tries >= terms.retries {
            return Err(given_up(why));
        }
        let pause = pause(tries, asked, |pause| Clock::System.less_than(pause));
        let (count, of) = (tries + 1, terms.retries);
        progress.note(&format!(
            "{why}: the same again in {:.1} s ({count} of {of})",
            pause.as_secs_f64()
        ));
        tokio::time::sleep(pause).await;
        report.retries += 1;
    }
    Err(given_up("no answer".to_owned()))
}

fn never(why: String, help: String) -> Halt {
    Halt {
        why,
        help,
        may_have_arrived: false,
    }
}

fn given_up(why: String) -> Halt {
    Halt {
        why,
        help: "it was tried as often as --retries says; send the rest later".to_owned(),
        may_have_arrived: true,
    }
}

/// How long to wait: as long as is asked, and a random part of a span that doubles each time, so that
/// many senders do not come back all at once.
fn pause(
    tries: u32,
    asked: Option<Duration>,
    less_than: impl FnOnce(Duration) -> Duration,
) -> Duration {
    let span = PAUSE_MIN
        .saturating_mul(1_u32.checked_shl(tries).unwrap_or(u32::MAX))
        .min(PAUSE_MAX);
    // Never nothing: half of it is certain.
    asked.unwrap_or(span / 2) + less_than(span / 2)
}

impl Report {
    fn add(&mut self, taken: Taken, events: &[&Outgoing]) {
        self.taken += taken.count;
        self.duplicates += taken.duplicates;
        self.missing += taken.missing;
        self.fbtrace_ids.extend(taken.fbtrace_id);
        self.warn(taken.warnings, events);
        for (place, findings) in taken.rejected {
            // A place that was never sent is the gateway's mistake.
            let Some(event) = events.get(place) else {
                continue;
            };
            self.rejected.push(Rejected {
                index: event.index,
                event_id: event.known_as.as_ref().map(|(_, id)| id.clone()),
                findings,
            });
        }
    }

    /// Takes over what a gateway says; its places are those of the request.
    fn warn(&mut self, warnings: Vec<ReceiptWarning>, events: &[&Outgoing]) {
        for warning in warnings {
            if let Some(event) = events.get(warning.index) {
                self.warnings
                    .add_of_many(event.index, warning.events, warning.remark);
            }
        }
    }

    fn refuse(&mut self, event: &Outgoing, why: &Refusal) {
        let (event_name, event_id) = event.known_as.clone().unwrap_or_default();
        self.refused.push(Refused {
            index: event.index,
            event_name,
            event_id,
            why: why.clone(),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use sluice_event::batch::Layout;

    use super::super::warnings::Warnings;
    use super::*;

    fn load(count: usize) -> Load {
        let outgoing = (0..count).map(|index| Outgoing {
            index,
            known_as: None,
            json: format!("{{{index}}}"),
        });
        Load {
            layout: Layout::Array,
            events: count,
            outgoing: outgoing.collect(),
            rejected: Vec::new(),
            warnings: Warnings::default(),
            has_body: true,
            makes_ids: false,
            test_code: None,
        }
    }

    /// Refuses requests with a bad event in them, and notes what it takes.
    struct Judge {
        bad: Vec<usize>,
        names: bool,
        taken: RefCell<Vec<usize>>,
    }

    impl Carrier for Judge {
        async fn carry(&self, events: &[&Outgoing]) -> Carried {
            let bad = events
                .iter()
                .position(|event| self.bad.contains(&event.index));
            let Some(bad) = bad else {
                let indexes = events.iter().map(|event| event.index);
                self.taken.borrow_mut().extend(indexes);
                return Carried::Taken(Taken {
                    count: events.len(),
                    ..Taken::default()
                });
            };
            Carried::Refused {
                places: if self.names { vec![bad] } else { vec![] },
                why: Refusal::default(),
            }
        }
    }

    #[tokio::test]
    async fn a_bad_event_does_not_stop_the_rest() {
        for names in [true, false] {
            let judge = Judge {
                bad: vec![0, 6, 7, 19],
                names,
                taken: RefCell::default(),
            };
            let mut report = Report::new(20, 0);
            let terms = Terms {
                batch: 8,
                retries: 0,
            };
            let done = deliver(&judge, &load(20), terms, &mut report, &Progress::hidden()).await;
            assert!(done.is_ok());
            let refused: Vec<_> = report.refused.iter().map(|refused| refused.index).collect();
            assert_eq!(refused, judge.bad);
            let good: Vec<_> = (0..20).filter(|index| !judge.bad.contains(index)).collect();
            let mut taken = judge.taken.take();
            taken.sort_unstable();
            assert_eq!(taken, good);
            assert_eq!((report.taken, report.unsent()), (16, 0));
        }
    }

    #[test]
    fn batches_end_at_either_limit() {
        let mut load = load(5);
        load.outgoing[1].json = "x".repeat(BATCH_BYTES_MAX + 1);
        let parts = parts(&load.outgoing, 2);
        assert_eq!(parts, [vec![0], vec![1], vec![2, 3], vec![4]]);
    }

    #[test]
    fn pauses_grow_and_keep_to_what_is_asked() {
        let most = |tries, asked| pause(tries, asked, |span| span);
        assert_eq!(most(0, None), PAUSE_MIN);
        assert_eq!(most(2, None), PAUSE_MIN * 4);
        assert_eq!(most(40, None), PAUSE_MAX);
        let asked = Duration::from_mins(1);
        assert!(pause(0, Some(asked), |_| Duration::ZERO) >= asked);
    }
}
