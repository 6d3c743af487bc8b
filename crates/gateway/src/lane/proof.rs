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
}

impl Proof {
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
        before < allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_in_a_row_are_believed_a_few_times() {
        let proof = Proof::default();
        let believed = || (0..20).take_while(|_| proof.refused()).count();
        assert_eq!(believed(), UNPROVEN_MAX);
        proof.delivered();
        assert_eq!(believed(), PROVEN_MAX);
        assert!(!proof.refused());
        proof.delivered();
        assert!(proof.refused());
    }
}
