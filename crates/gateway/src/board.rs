//! The board: how every lane is doing. Lanes write it; metrics, the admin listener, maintenance and people's commands
//! read it.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluice_graph::Usage;
use sluice_journal::{EventKey, LaneId};
use tokio::sync::watch;

use crate::lane_state::LaneState;

/// How a lane is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LaneReport {
    pub(crate) state: LaneState,
    /// What Meta's usage headers said last.
    pub(crate) usage: Usage,
    /// Batches on their way.
    pub(crate) in_flight: usize,
    /// Events that stand back while others go through.
    pub(crate) held: usize,
    /// The first few of those.
    pub(crate) held_first: Vec<EventKey>,
}

/// A lane on the board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) report: LaneReport,
    /// Since when the lane is in this state, in milliseconds since 1970.
    pub(crate) since_ms: u64,
}

/// Every lane that has reported and has not ended.
pub(crate) type Rows = BTreeMap<LaneId, Row>;

/// The board itself; clones are the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Board {
    rows: Arc<watch::Sender<Rows>>,
}

impl Board {
    /// A lane says how it is doing.
    pub(crate) fn post(&self, lane: &LaneId, report: LaneReport, now_ms: u64) {
        self.rows.send_if_modified(|rows| {
            let before = rows.get(lane);
            if before.is_some_and(|row| row.report == report) {
                return false;
            }
            let same = before.filter(|row| row.report.state.name() == report.state.name());
            let since_ms = match report.state {
                LaneState::Paused { since_ms, .. } => since_ms,
                // A clock that was set back must not leave a lane in a state since tomorrow.
                _ => same.map_or(now_ms, |row| row.since_ms.min(now_ms)),
            };
            rows.insert(lane.clone(), Row { report, since_ms });
            true
        });
    }

    /// A lane has ended.
    pub(crate) fn remove(&self, lane: &LaneId) {
        self.rows
            .send_if_modified(|rows| rows.remove(lane).is_some());
    }

    /// How every lane is doing now.
    pub(crate) fn rows(&self) -> Rows {
        self.rows.borrow().clone()
    }

    /// How every lane is doing, and a change of that.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Rows> {
        self.rows.subscribe()
    }

    /// Whether a lane waits for what a person has to mend and another token or setting may do so.
    pub(crate) fn has_probing_lane(&self) -> bool {
        let is_probing = |row: &Row| {
            matches!(
                row.report.state,
                LaneState::Parked {
                    probe_ms: Some(_),
                    ..
                }
            )
        };
        self.rows.borrow().values().any(is_probing)
    }
}

#[cfg(test)]
mod tests {
    use sluice_event::DatasetId;

    use super::*;

    fn lane() -> LaneId {
        LaneId {
            dataset: DatasetId::parse("1234567890123456").unwrap(),
            test_code: None,
            is_replay: false,
        }
    }

    fn in_state(state: LaneState) -> LaneReport {
        LaneReport {
            state,
            ..LaneReport::default()
        }
    }

    fn throttled(until_ms: u64) -> LaneReport {
        in_state(LaneState::Throttled {
            until_ms,
            reason: "too many calls".to_owned(),
        })
    }

    fn paused(since_ms: u64) -> LaneReport {
        in_state(LaneState::Paused {
            since_ms,
            reason: "an operator paused it".to_owned(),
        })
    }

    #[test]
    fn a_row_says_since_when_the_lane_is_in_its_state() {
        let board = Board::default();
        for (report, now_ms, since_ms) in [
            (throttled(2_000), 1_000, 1_000),
            (throttled(4_000), 2_000, 1_000),
            (in_state(LaneState::Flowing), 3_000, 3_000),
            (throttled(9_000), 4_000, 4_000),
            // The clock was set back.
            (throttled(7_000), 500, 500),
            // Since the pause was ordered, perhaps before this start.
            (paused(300), 600, 300),
        ] {
            board.post(&lane(), report.clone(), now_ms);
            assert_eq!(board.rows()[&lane()], Row { report, since_ms });
        }
        board.remove(&lane());
        assert!(board.rows().is_empty());
    }

    #[test]
    fn only_a_lane_that_looks_again_waits_for_a_better_token() {
        let board = Board::default();
        let parked = |probe_ms| LaneState::Parked {
            probe_ms,
            reason: "any".to_owned(),
        };
        for (state, expected) in [
            (LaneState::Flowing, false),
            (throttled(1).state, false),
            (parked(None), false),
            (paused(1).state, false),
            (parked(Some(1)), true),
        ] {
            board.post(&lane(), in_state(state.clone()), 1);
            assert_eq!(board.has_probing_lane(), expected, "{state:?}");
        }
    }

    #[test]
    fn only_what_changes_wakes_those_who_look() {
        let board = Board::default();
        let mut seen = board.subscribe();
        board.post(&lane(), throttled(1), 1);
        assert!(seen.has_changed().unwrap());
        seen.mark_unchanged();
        board.post(&lane(), throttled(1), 2);
        assert!(!seen.has_changed().unwrap());
    }
}
