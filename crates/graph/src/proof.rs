//! Whether refusals can be believed. Meta answers some wrong requests in the words of a wrong event: code 100, and
//! no subcode that says more. Believing all of them would turn a whole queue into refused events.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Events that may be set aside for no clear reason, one after the other, before anything has gone through.
const UNPROVEN_MAX: usize = 2;

/// The same once something has gone through.
const PROVEN_MAX: usize = 8;

/// Events that are tried alone to see whether anything goes through at all.
const WITNESSES_MAX: usize = 8;

/// What went through, and what did not, with one access token. Senders may share it.
#[derive(Debug, Default)]
pub struct Proof {
    is_proven: AtomicBool,
    /// Refused for no clear reason since something went through.
    in_a_row: AtomicUsize,
    /// Each refusal is believed.
    believes_all: bool,
}

impl Proof {
    /// For a batch of events that a person sent again. A refusal puts them back where they were, so each
    /// is believed as soon as it is known that requests are right. As long as it is not, a few are believed in
    /// each batch, so that such a trial ends by itself.
    pub fn of_replays(requests_are_right: bool) -> Self {
        Self {
            believes_all: requests_are_right,
            ..Self::default()
        }
    }

    /// Whether anything has gone through: then the requests are right.
    pub fn is_proven(&self) -> bool {
        self.is_proven.load(Ordering::Relaxed)
    }

    /// Something went through: the requests are right.
    pub fn delivered(&self) {
        self.is_proven.store(true, Ordering::Relaxed);
        self.in_a_row.store(0, Ordering::Relaxed);
    }

    /// Events were refused for no clear reason. Returns whether that can be believed as it stands; if not,
    /// another event has to go through first.
    pub fn refused(&self) -> bool {
        let before = self.in_a_row.fetch_add(1, Ordering::Relaxed);
        let allowed = if self.is_proven() {
            PROVEN_MAX
        } else {
            UNPROVEN_MAX
        };
        self.believes_all || before < allowed
    }
}

/// Which of the events that are left are tried alone to see whether anything goes through at all, in this order:
/// up to eight from all over them, those first that the sender `prefers`.
pub fn witnesses(left: &[usize], prefers: impl Fn(usize) -> bool) -> Vec<usize> {
    let step = (left.len() / WITNESSES_MAX).max(1);
    let spread = left.iter().rev().step_by(step).take(WITNESSES_MAX);
    let mut witnesses: Vec<_> = spread.copied().collect();
    witnesses.sort_by_key(|place| !prefers(*place));
    witnesses
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

    #[test]
    fn eight_witnesses_come_from_all_over() {
        let left: Vec<_> = (0..100).collect();
        let eight = witnesses(&left, |_| true);
        assert_eq!(eight, [99, 87, 75, 63, 51, 39, 27, 15]);
        let preferred = witnesses(&left, |place| place < 50);
        assert_eq!(preferred, [39, 27, 15, 99, 87, 75, 63, 51]);
        assert_eq!(witnesses(&[4, 7], |_| true), [7, 4]);
        assert!(witnesses(&[], |_| true).is_empty());
    }
}
