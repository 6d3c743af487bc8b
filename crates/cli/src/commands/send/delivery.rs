//! Sending everything: batches, trying again, and finding the events that are refused.

use std::time::Duration;

use super::carrier::{Carrier, Outcome, ReceiptWarning, Taken};
use super::load::{Load, Outgoing};
use super::report::{Refusal, Refused, Rejected, Report};
use crate::clock::Clock;
use crate::output::Progress;

/// Bytes of events in one request; an event that is larger goes alone.
const BATCH_BYTES_MAX: usize = 1_000_000;

/// The first pause before trying again; it doubles each time.
const PAUSE_MIN: Duration = Duration::from_millis(500);

/// The longest pause of our own.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// The longest pause that the other side may ask for. Whoever has to wait longer comes back later.
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
    // The last part goes next.
    let mut todo = parts(&load.outgoing, terms.batch);
    while let Some(part) = todo.pop() {
        let events: Vec<_> = part.iter().map(|place| &load.outgoing[*place]).collect();
        // Parts go in the order of the body, so everything before this one is settled.
        report.first_unsent = events.first().map(|event| event.index);
        let outcome = patiently(carrier, &events, terms, report, progress).await?;
        report.requests += 1;
        match outcome {
            Outcome::Taken(taken) => report.add(taken, &events),
            Outcome::Refused { places, why } if !places.is_empty() => {
                let (refused, rest): (Vec<_>, Vec<_>) = part
                    .iter()
                    .enumerate()
                    .partition(|(place, _)| places.contains(place));
                for (_, place) in refused {
                    report.refuse(&load.outgoing[*place], &why);
                }
                let rest: Vec<_> = rest.into_iter().map(|(_, place)| *place).collect();
                if !rest.is_empty() {
                    todo.push(rest);
                }
            }
            Outcome::Refused { why, .. } | Outcome::TooLarge(why) => {
                if let [event] = events.as_slice() {
                    report.refuse(event, &why);
                } else {
                    let mut left = part;
                    let right = left.split_off(left.len() / 2);
                    todo.extend([right, left]);
                }
            }
            Outcome::Never { why, help } => {
                return Err(Halt {
                    why,
                    help,
                    may_have_arrived: false,
                });
            }
            // `patiently` deals with these.
            Outcome::Later { why, .. } => return Err(given_up(why)),
        }
        progress.reach(report.settled());
    }
    report.first_unsent = None;
    Ok(())
}

/// Places of events that fit into one request, the first part last.
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
    parts.reverse();
    parts
}

/// Sends one request until there is an answer that settles it.
async fn patiently(
    carrier: &impl Carrier,
    events: &[&Outgoing],
    terms: Terms,
    report: &mut Report,
    progress: &Progress,
) -> Result<Outcome, Halt> {
    for tries in 0.. {
        let (asked, why) = match carrier.carry(events).await {
            Outcome::Later { asked, why } => (asked, why),
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
        async fn carry(&self, events: &[&Outgoing]) -> Outcome {
            let bad = events
                .iter()
                .position(|event| self.bad.contains(&event.index));
            let Some(bad) = bad else {
                let indexes = events.iter().map(|event| event.index);
                self.taken.borrow_mut().extend(indexes);
                return Outcome::Taken(Taken {
                    count: events.len(),
                    ..Taken::default()
                });
            };
            Outcome::Refused {
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
            assert_eq!(*judge.taken.borrow(), good);
            assert_eq!((report.taken, report.unsent()), (16, 0));
        }
    }

    #[test]
    fn batches_end_at_either_limit() {
        let mut load = load(5);
        load.outgoing[1].json = "x".repeat(BATCH_BYTES_MAX + 1);
        let parts = parts(&load.outgoing, 2);
        assert_eq!(parts, [vec![4], vec![2, 3], vec![1], vec![0]]);
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
