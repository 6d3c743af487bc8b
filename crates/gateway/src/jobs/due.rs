//! When a job is due.

use super::Plan;

/// Whether a job is due now, by the start of its last run; times in Unix milliseconds. Clocks of gateways differ, so a
/// start may be a little ahead; one that is further ahead than a whole period was noted by a clock that was wrong.
pub(super) fn is_due(plan: &Plan, started_ms: Option<u64>, now_ms: u64) -> bool {
    started_ms
        .is_none_or(|started_ms| u128::from(now_ms.abs_diff(started_ms)) >= plan.every.as_millis())
}

/// Whether a run that has no end yet is still going on. One that takes longer than it may has lost its gateway.
pub(super) fn is_going_on(longest_ms: u64, started_ms: u64, now_ms: u64) -> bool {
    now_ms.abs_diff(started_ms) < longest_ms
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Whose;
    use super::*;

    const T0: u64 = 1_751_000_000_000;
    const HOUR_MS: u64 = 3_600_000;

    #[test]
    fn a_job_is_due_a_period_after_its_last_start() {
        let plan = Plan {
            name: "sweep",
            every: Duration::from_hours(1),
            longest: Duration::from_mins(1),
            whose: Whose::Any,
        };
        for (started_ms, is_so) in [
            (None, true),
            (Some(0), true),
            (Some(T0 - HOUR_MS), true),
            (Some(T0 - HOUR_MS + 1), false),
            (Some(T0), false),
            (Some(T0 + HOUR_MS - 1), false),
            (Some(T0 + HOUR_MS), true),
            (Some(u64::MAX), true),
        ] {
            assert_eq!(is_due(&plan, started_ms, T0), is_so, "{started_ms:?}");
        }
    }

    #[test]
    fn a_run_goes_on_no_longer_than_it_may() {
        for (started_ms, is_so) in [
            (T0, true),
            (T0 - 59_999, true),
            (T0 - 60_000, false),
            (T0 + 59_999, true),
            (T0 + 60_000, false),
        ] {
            assert_eq!(is_going_on(60_000, started_ms, T0), is_so, "{started_ms}");
        }
    }
}
