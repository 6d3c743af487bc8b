//! Whether refusals can be believed. Meta answers some wrong requests in the words of a wrong event: code
//! 100, and no subcode that says more. Believing all of them would turn a whole queue into refused events.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Events that may be set aside for no clear reason, one after the other, before anything has gone through.
const UNPROVEN_MAX: usize = 2;

/// The same once something has gone through.
const PROVEN_MAX: usize = 8;

/// What went through, and what did not, with one access token.
#[derive(Debug, Default)]
pub(crate) struct Proof {
    is_proven: AtomicBool,
    /// Refused for no clear reason since something went through.
    in_a_row: AtomicUsize,
    /// Each refusal is believed.
    believes_all: bool,
}

impl Proof {
    /// For a shipment of events that a person sent again. A refusal puts them back where they were, so each
    /// is believed as soon as it is known that requests are right. As long as it is not, a few are believed in
    /// each shipment, so that such a trial ends by itself.
    pub(crate) fn of_replays(requests_are_right: bool) -> Self {
        Self {
            believes_all: requests_are_right,
            ..Self::default()
        }
    }

    /// Something went through: the requests are right.
    pub(crate) fn delivered(&self) {
        self.is_proven.store(true, Ordering::Relaxed);
        self.in_a_row.store(0, Ordering::Relaxed);
    }

    /// Events were refused for no clear reason. Returns whether that can be believed as it stands; if not,
    /// another event has to go through first.
    pub(crate) fn refused(&self) -> bool {
        let before = self.in_a_row.fetch_add(1, Ordering::Relaxed);
        let allowed = if self.is_proven.load(Ordering::Relaxed) {
            PROVEN_MAX
        } else {
            UNPROVEN_MAX
        };
        self.believes_all || before < allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_in_a_row_are_believed_a_few_times() {
        let proof = Proof::default();
        let believed = || (0..20).take_while(|_| proof.refused()).count();
        assert_eq!(believed(), 2);
        proof.delivered();
        assert_eq!(believed(), 8);
        assert!(!proof.refused());
        proof.delivered();
        assert!(proof.refused());
    }

    #[test]
    fn events_that_were_sent_again_go_back_where_they_were() {
        let trusting = Proof::of_replays(true);
        assert!((0..1_000).all(|_| trusting.refused()));
        let doubtful = Proof::of_replays(false);
        assert_eq!((0..20).take_while(|_| doubtful.refused()).count(), 2);
    }
}
