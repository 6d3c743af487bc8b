//! The law of the books.

/// Counts of events, of a whole journal or of a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Events that came in: every one was accepted, a copy or rejected. The journal counts them by dataset and
    /// source alone; in the books of one event name this is the sum of the three.
    pub received: u64,
    /// Events that no dataset could take.
    pub rejected: u64,
    /// Events that were taken: every one is in exactly one of the six states below.
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
    /// They are notes, and not meant for Meta.
    pub recorded: u64,
    /// Copies of accepted events; they were counted and went nowhere.
    pub duplicate: u64,
}

/// Whether every event that came in was accepted, a copy or rejected, and every accepted one is in exactly one
/// state.
pub fn books_balance(tally: &Tally) -> bool {
    let arrivals = [tally.accepted, tally.duplicate, tally.rejected];
    let states = [
        tally.waiting,
        tally.delivered,
        tally.refused,
        tally.expired,
        tally.withheld,
        tally.recorded,
    ];
    sum(&arrivals) == Some(tally.received) && sum(&states) == Some(tally.accepted)
}

fn sum(counts: &[u64]) -> Option<u64> {
    let mut counts = counts.iter().copied();
    counts.try_fold(0_u64, u64::checked_add)
}

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audit {
    /// Counted from the rows; copies and rejected events, which have none, from the tallies.
    pub tally: Tally,
    /// Whether every event that came in was accepted, a copy or rejected, every accepted one is in exactly one
    /// state, and the tallies say the same as the rows.
    pub balanced: bool,
    /// What is wrong.
    pub problems: Vec<String>,
    /// The same per dataset, source and event name.
    pub groups: Vec<AuditGroup>,
    /// What came in, per dataset and source.
    pub sources: Vec<AuditSource>,
    /// Rejected events per dataset, source, event name and code.
    pub rejected: Vec<CodeCount>,
}

/// The books of one dataset, source and event name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditGroup {
    /// Where the events go.
    pub dataset: String,
    /// Where they came from.
    pub source: String,
    /// `event_name`
    pub event_name: String,
    /// Counted from the rows.
    pub rows: Tally,
    /// Counted on the way.
    pub counted: Tally,
}

impl AuditGroup {
    /// Whether rows and tallies agree.
    pub fn balances(&self) -> bool {
        self.rows == self.counted && books_balance(&self.rows) && books_balance(&self.counted)
    }
}

/// What came in from a source for a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSource {
    /// Where the events were meant to go.
    pub dataset: String,
    /// Where they came from.
    pub source: String,
    /// How many came in, as they were counted when they were read.
    pub received: u64,
    /// How many of them were accepted, by the rows.
    pub accepted: u64,
    /// How many were copies.
    pub duplicate: u64,
    /// How many no dataset could take.
    pub rejected: u64,
}

impl AuditSource {
    /// Whether it is known of each event what became of it.
    pub fn balances(&self) -> bool {
        self.received == self.accepted + self.duplicate + self.rejected
    }
}

/// Events that were rejected by one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeCount {
    /// Where they were meant to go.
    pub dataset: String,
    /// Where they came from.
    pub source: String,
    /// `event_name`; empty where there was none that may be kept.
    pub event_name: String,
    /// The name of the rule.
    pub code: String,
    /// How many there were.
    pub events: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_event_and_one_too_many_are_noticed() {
        let mut tally = Tally {
            received: 15,
            rejected: 3,
            accepted: 5,
            waiting: 1,
            delivered: 2,
            refused: 1,
            expired: 1,
            withheld: 0,
            recorded: 0,
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

    #[test]
    fn an_event_that_came_in_and_left_no_trace_is_noticed() {
        let mut tally = Tally {
            received: 6,
            rejected: 3,
            accepted: 2,
            waiting: 2,
            duplicate: 1,
            ..Tally::default()
        };
        assert!(books_balance(&tally));
        for received in [5, 7] {
            tally.received = received;
            assert!(!books_balance(&tally));
        }
    }
}
