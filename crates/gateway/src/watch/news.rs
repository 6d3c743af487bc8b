//! When the log says what a lane does. Pure.
//!
//! The beginning of a trouble has a line, and so has its end, but the same trouble only one a minute: a lane that stops
//! and goes on all the time writes two lines a minute, and not two each time.

use crate::lane_state::{LaneState, USAGE_FULL, USAGE_HIGH};

use super::lines::QUIET_MS;

/// Percent of Meta's allowance by which the usage has to fall below a step before it counts as below it.
const USAGE_SLACK: u32 = 5;

/// A trouble of a lane: its state, and why it is parked.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Trouble {
    state: &'static str,
    parked_for: Option<String>,
}

/// What the log said of a lane's state last.
#[derive(Debug, Clone, Default)]
pub(super) struct ToldState {
    /// The trouble whose beginning was told, and whose end was not.
    trouble: Option<Trouble>,
    /// When each trouble of the last minute was told, in milliseconds.
    told: Vec<(Trouble, u64)>,
}

impl ToldState {
    /// Whether the log should say now that the lane is in this state.
    pub(super) fn is_news(&mut self, state: &LaneState, now_ms: u64) -> bool {
        self.told
            .retain(|(_, at_ms)| now_ms.saturating_sub(*at_ms) < QUIET_MS);
        if matches!(state, LaneState::Flowing) {
            return self.trouble.take().is_some();
        }
        let trouble = Trouble {
            state: state.name(),
            parked_for: state.parked_for().map(str::to_owned),
        };
        let is_told = self.trouble.as_ref() == Some(&trouble);
        if is_told || self.told.iter().any(|(told, _)| *told == trouble) {
            return false;
        }
        self.told.push((trouble.clone(), now_ms));
        self.trouble = Some(trouble);
        true
    }
}

/// How far Meta's allowance is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum UsageStep {
    /// Nothing is slowed down.
    #[default]
    Low,
    /// Half as many requests at once.
    High,
    /// One request at a time.
    Full,
}

impl UsageStep {
    /// The step at this percentage, after the step before: it rises at once, and falls with some slack.
    pub(super) fn after(self, percent: u32) -> Self {
        let at = |percent| match percent {
            USAGE_FULL.. => UsageStep::Full,
            USAGE_HIGH.. => UsageStep::High,
            _ => UsageStep::Low,
        };
        at(percent).max(self.min(at(percent.saturating_add(USAGE_SLACK))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttled() -> LaneState {
        LaneState::Throttled {
            until_ms: 0,
            reason: "any".to_owned(),
        }
    }

    fn parked(reason: &str) -> LaneState {
        LaneState::Parked {
            probe_ms: Some(0),
            reason: reason.to_owned(),
        }
    }

    #[test]
    fn a_trouble_is_told_when_it_begins_and_when_it_ends() {
        let mut told = ToldState::default();
        for (state, at_ms, expected) in [
            (LaneState::Flowing, 0, false),
            (throttled(), 1, true),
            (throttled(), 2, false),
            (parked("the token"), 3, true),
            (parked("the token"), 4, false),
            (parked("the dataset"), 5, true),
            (LaneState::Flowing, 6, true),
            (LaneState::Flowing, 7, false),
        ] {
            assert_eq!(told.is_news(&state, at_ms), expected, "{at_ms}: {state:?}");
        }
    }

    #[test]
    fn a_lane_that_stops_and_goes_on_all_the_time_has_two_lines_a_minute() {
        let mut told = ToldState::default();
        let mut lines = Vec::new();
        for second in 0..180 {
            for state in [throttled(), LaneState::Flowing] {
                if told.is_news(&state, second * 1_000) {
                    lines.push((second, state.name()));
                }
            }
        }
        let minute = |second| [(second, "throttled"), (second, "flowing")];
        assert_eq!(lines, [minute(0), minute(60), minute(120)].concat());
    }

    #[test]
    fn a_trouble_that_began_in_the_quiet_minute_and_lasts_is_told_after_it() {
        let mut told = ToldState::default();
        assert!(told.is_news(&throttled(), 0));
        assert!(told.is_news(&LaneState::Flowing, 10_000));
        assert!(!told.is_news(&throttled(), 20_000));
        assert!(!told.is_news(&throttled(), 59_999));
        assert!(told.is_news(&throttled(), 60_000));
        // What was never said to have begun has no end either.
        let mut told = ToldState::default();
        assert!(told.is_news(&throttled(), 0));
        assert!(told.is_news(&LaneState::Flowing, 1));
        assert!(!told.is_news(&throttled(), 2));
        assert!(!told.is_news(&LaneState::Flowing, 3));
    }

    #[test]
    fn the_usage_has_a_line_for_each_step_up_and_down() {
        let mut step = UsageStep::default();
        let mut steps = Vec::new();
        for percent in [
            0, 74, 75, 80, 74, 76, 71, 94, 95, 99, 94, 91, 89, 75, 69, 120, 0,
        ] {
            let before = step;
            step = step.after(percent);
            if step != before {
                steps.push((percent, step));
            }
        }
        assert_eq!(
            steps,
            [
                (75, UsageStep::High),
                (95, UsageStep::Full),
                (89, UsageStep::High),
                (69, UsageStep::Low),
                (120, UsageStep::Full),
                (0, UsageStep::Low),
            ]
        );
    }
}
