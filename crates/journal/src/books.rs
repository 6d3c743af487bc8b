//! The law of the books.

/// Counts of events, of a whole journal or of a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Events that were taken: every one is in exactly one of the five states below.
    pub accepted: u64,
    /// On disk, not yet delivered.
    pub waiting: u64,
    /// Meta took them.
    pub delivered: u64,
    /// Meta refused them.
    pub refused: u64,
    /// They grew too old.
    pub expired: u64,
    /// Sluice keeps them back.
    pub withheld: u64,
    /// Copies of accepted events; they were counted and went nowhere.
    pub duplicate: u64,
}

/// Whether every accepted event is in exactly one state.
pub fn books_balance(tally: &Tally) -> bool {
    let states = [
        tally.waiting,
        tally.delivered,
        tally.refused,
        tally.expired,
        tally.withheld,
    ];
    states
        .into_iter()
        .try_fold(0_u64, u64::checked_add)
        .is_some_and(|sum| sum == tally.accepted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_event_and_one_too_many_are_noticed() {
        let mut tally = Tally {
            accepted: 5,
            waiting: 1,
            delivered: 2,
            refused: 1,
            expired: 1,
            withheld: 0,
            duplicate: 7,
        };
        assert!(books_balance(&tally));
        tally.withheld = 1;
        assert!(!books_balance(&tally));
        tally.accepted = 7;
        assert!(!books_balance(&tally));
        tally.waiting = u64::MAX;
        assert!(!books_balance(&tally));
    }
}
