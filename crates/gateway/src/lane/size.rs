//! How much goes in one request: less after a request that took too long, more again as requests of that size
//! are answered. Pure.
//!
//! A backlog fills batches. Where the way to Meta is too thin for a full batch, or Meta too slow, every full
//! batch times out, and sending it again changes nothing. So a request that ran out of time halves what the
//! next ones carry, and after any trouble a batch begins with one event, then [`SECOND_EVENTS`].

use sluice_graph::{Answer, Arrival, Lost};

/// Events of the second request after trouble; the first has one.
const SECOND_EVENTS: usize = 50;

/// What a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Size {
    pub(crate) events: usize,
    /// Bytes of JSON.
    pub(crate) bytes: usize,
}

/// What the requests of a shipment tell about the way to Meta.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    /// Events and bytes of the largest requests that were answered.
    answered: Size,
    /// The request that a smaller one might have fared better than.
    strained: Option<Size>,
    /// Events that Meta took, or may have taken; one that was sent twice counts twice.
    pub(crate) taken: usize,
    /// Meta took some.
    pub(crate) has_delivered: bool,
}

impl Carried {
    /// A request was answered, or not.
    pub(crate) fn note(&mut self, request: Size, answer: &Answer) {
        if Arrival::of(answer) != Arrival::NotTaken {
            self.taken += request.events;
        }
        match answer {
            Answer::Success(_) | Answer::Error(_) => {
                self.has_delivered |= matches!(answer, Answer::Success(_));
                self.answered.events = self.answered.events.max(request.events);
                self.answered.bytes = self.answered.bytes.max(request.bytes);
            }
            // One event cannot be made smaller: that it got no answer says nothing about the size.
            _ if request.events > 1 && is_strained(answer) => self.strained = Some(request),
            Answer::Other { .. } | Answer::Lost(_) => {}
        }
    }
}

/// Whether a smaller request might have been answered: the time or the connection ended before it was.
fn is_strained(answer: &Answer) -> bool {
    matches!(
        answer,
        Answer::Lost(Lost::Timeout | Lost::Reset | Lost::Torn)
            // A proxy's word for the same.
            | Answer::Other { status: 408 | 504 }
    )
}

/// How much a request of a lane may carry now.
#[derive(Debug)]
pub(crate) struct Allowed {
    max: Size,
    now: Size,
}

impl Allowed {
    /// At first, and at most, what the configuration says.
    pub(crate) fn new(max: Size) -> Self {
        Self { max, now: max }
    }

    /// The configuration says another maximum. What was learnt stays: one that had less than it could have goes on
    /// with that.
    pub(crate) fn limit(&mut self, max: Size) {
        let before = self.max;
        let of = |now: usize, before: usize, max: usize| {
            if now == before { max } else { now.min(max) }
        };
        self.now = Size {
            events: of(self.now.events, before.events, max.events),
            bytes: of(self.now.bytes, before.bytes, max.bytes),
        };
        self.max = max;
    }

    pub(crate) fn now(&self) -> Size {
        self.now
    }

    /// Learns from a shipment. Requests that were on their way together and failed together halve it once:
    /// they had the same size.
    pub(crate) fn learn(&mut self, carried: &Carried) {
        let (now, max) = (&mut self.now, self.max);
        if let Some(size) = carried.strained {
            now.events = now.events.min((size.events / 2).max(1));
            now.bytes = now.bytes.min((size.bytes / 2).max(1));
        } else {
            now.events = grown(now.events, carried.answered.events, max.events);
            now.bytes = grown(now.bytes, carried.answered.bytes, max.bytes);
        }
    }
}

/// A quarter more, once a request was answered that had at least half of what is allowed. A batch that is cut
/// by its bytes has such a request, however large its events are.
fn grown(now: usize, answered: usize, max: usize) -> usize {
    if answered.saturating_mul(2) < now {
        return now;
    }
    now.saturating_add(now / 4 + 1).min(max)
}

/// The requests that a batch goes in, as numbers of events, in order; `bytes` has one for each event. After
/// trouble the first ones are small.
pub(crate) fn requests(bytes: &[usize], allowed: Size, after_trouble: bool) -> Vec<usize> {
    let mut requests = Vec::new();
    let (mut events, mut sum) = (0, 0);
    for bytes in bytes {
        let ramp = match requests.len() {
            0 if after_trouble => 1,
            1 if after_trouble => SECOND_EVENTS,
            _ => usize::MAX,
        };
        // With a comma, as a lease counts them.
        let is_full = events >= allowed.events.min(ramp) || sum + bytes + 1 > allowed.bytes;
        if events > 0 && is_full {
            requests.push(events);
            (events, sum) = (0, 0);
        }
        events += 1;
        sum += bytes + 1;
    }
    requests.extend((events > 0).then_some(events));
    requests
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sluice_graph::ConnectFailure;

    use super::*;

    const FULL: Size = Size {
        events: 1_000,
        bytes: 1_000_000,
    };

    fn size(events: usize, bytes: usize) -> Size {
        Size { events, bytes }
    }

    fn carried(request: Size, answer: &Answer) -> Carried {
        let mut carried = Carried::default();
        carried.note(request, answer);
        carried
    }

    fn success() -> Answer {
        Answer::read(200, br#"{"events_received":1}"#)
    }

    fn timeout() -> Answer {
        Answer::Lost(Lost::Timeout)
    }

    #[test]
    fn after_trouble_a_batch_begins_small() {
        let batch = [900; 1_000];
        assert_eq!(requests(&batch, FULL, false), [1_000]);
        assert_eq!(requests(&batch, FULL, true), [1, 50, 949]);
        assert_eq!(requests(&batch[..30], FULL, true), [1, 29]);
        assert_eq!(
            requests(&batch[..130], size(20, 1_000_000), true),
            [1, 20, 20, 20, 20, 20, 20, 9]
        );
        assert_eq!(requests(&[], FULL, true), [0_usize; 0]);
    }

    #[test]
    fn bytes_cut_a_batch_and_a_large_event_goes_alone() {
        let batch = [100, 100, 5_000, 100, 100, 100];
        assert_eq!(requests(&batch, size(1_000, 303), false), [2, 1, 3]);
    }

    #[test]
    fn what_ran_out_of_time_halves_a_request_and_answers_let_it_grow() {
        let mut allowed = Allowed::new(FULL);
        for (request, answer, expected) in [
            (size(800, 600_000), timeout(), size(400, 300_000)),
            // What was on its way beside it had the same size.
            (size(800, 600_000), timeout(), size(400, 300_000)),
            (
                size(400, 290_000),
                Answer::Lost(Lost::Torn),
                size(200, 145_000),
            ),
            (
                size(200, 145_000),
                Answer::Lost(Lost::Reset),
                size(100, 72_500),
            ),
            (
                size(100, 70_000),
                Answer::Other { status: 504 },
                size(50, 35_000),
            ),
            (
                size(50, 35_000),
                Answer::Other { status: 408 },
                size(25, 17_500),
            ),
            // A small one says nothing about larger ones.
            (size(12, 8_000), success(), size(25, 17_500)),
            (size(25, 17_000), success(), size(32, 21_876)),
            // Tiny events prove no bytes, large ones no number.
            (size(32, 5_000), success(), size(41, 21_876)),
            (size(4, 21_000), success(), size(41, 27_346)),
            // A refusal is an answer too.
            (
                size(41, 27_000),
                Answer::read(400, br#"{"error":{"code":100}}"#),
                size(52, 34_183),
            ),
        ] {
            allowed.learn(&carried(request, &answer));
            assert_eq!(allowed.now(), expected, "{request:?} {answer:?}");
        }
        for _ in 0..20 {
            let now = allowed.now();
            allowed.learn(&carried(now, &success()));
        }
        assert_eq!(allowed.now(), FULL);
    }

    #[test]
    fn other_troubles_and_single_events_say_nothing_about_the_size() {
        let mut allowed = Allowed::new(FULL);
        for (events, answer) in [
            (1, timeout()),
            (1, Answer::Lost(Lost::Reset)),
            (1_000, Answer::Lost(Lost::Connect(ConnectFailure::Refused))),
            (1_000, Answer::Other { status: 502 }),
            (1_000, Answer::Other { status: 413 }),
            (1_000, Answer::read(500, br#"{"error":{"code":1}}"#)),
        ] {
            allowed.learn(&carried(size(events, 500_000), &answer));
            assert_eq!(allowed.now(), FULL, "{answer:?}");
        }
    }

    #[test]
    fn what_meta_did_not_take_takes_nothing_of_the_hour() {
        let mut carried = Carried::default();
        for (answer, taken) in [
            (Answer::Lost(Lost::Connect(ConnectFailure::Dns)), 0),
            (Answer::read(400, br#"{"error":{"code":190}}"#), 0),
            (Answer::read(429, b""), 0),
            (success(), 10),
            (timeout(), 20),
            (Answer::read(502, b"<html>"), 30),
        ] {
            carried.note(size(10, 1_000), &answer);
            assert_eq!(carried.taken, taken, "{answer:?}");
        }
    }

    proptest! {
        #[test]
        fn every_event_is_in_one_request_that_keeps_the_limits(
            bytes in prop::collection::vec(1_usize..3_000, 0..300),
            (events_max, bytes_max) in (1_usize..100, 1_usize..9_000),
            after_trouble: bool,
        ) {
            let requests = requests(&bytes, size(events_max, bytes_max), after_trouble);
            prop_assert_eq!(requests.iter().sum::<usize>(), bytes.len());
            let mut rest = bytes.as_slice();
            for (number, events) in requests.into_iter().enumerate() {
                let (request, others) = rest.split_at(events);
                prop_assert!((1..=events_max).contains(&events));
                prop_assert!(!after_trouble || number > 0 || events == 1);
                let sum: usize = request.iter().map(|bytes| bytes + 1).sum();
                prop_assert!(events == 1 || sum <= bytes_max);
                rest = others;
            }
        }

        /// However thin the way is, a lane finds what fits through it, and a shipment passes.
        #[test]
        fn a_backlog_gets_through_a_way_that_takes_little(fits in 1_usize..1_000) {
            let mut allowed = Allowed::new(FULL);
            let (mut delivered, mut failures) = (0, 0);
            while delivered < 5_000 {
                let requests = requests(&[900; 1_000], allowed.now(), failures > 0);
                let mut carried = Carried::default();
                for events in requests {
                    let request = size(events, events * 901);
                    let answer = if events <= fits { success() } else { timeout() };
                    carried.note(request, &answer);
                    if events > fits {
                        failures += 1;
                        break;
                    }
                    delivered += events;
                }
                allowed.learn(&carried);
            }
            prop_assert!(failures <= 10 + 5, "{failures}");
        }
    }
}
