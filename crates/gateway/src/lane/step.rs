//! What a lane does next. Pure: what it sees in, what it does out.

/// What a lane sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct View {
    /// Now, in milliseconds since 1970.
    pub(crate) now_ms: u64,
    /// Events that could be sent.
    pub(crate) ready: usize,
    /// Since when some are ready.
    pub(crate) ready_since_ms: u64,
    /// Requests in flight.
    pub(crate) in_flight: usize,
    /// How many may be.
    pub(crate) in_flight_max: usize,
    /// Until when nothing may be sent.
    pub(crate) pause_ms: Option<u64>,
    /// How many events the budget of the hour has left, and when it has more.
    pub(crate) budget: usize,
    /// When the budget has more.
    pub(crate) budget_free_ms: u64,
    /// How long to wait for a batch to fill.
    pub(crate) linger_ms: u64,
    /// How many events fill it.
    pub(crate) batch_events_max: usize,
}

/// What a lane does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Send a batch of at most so many events.
    Ship(usize),
    /// Look again at this time, or when something happens.
    WaitUntil(u64),
    /// The same, because the budget of the hour is used up until then.
    OutOfBudget(u64),
    /// Look again when something happens.
    Wait,
}

/// What to do next.
pub(crate) fn next(view: &View) -> Step {
    if view.ready == 0 || view.in_flight >= view.in_flight_max {
        return Step::Wait;
    }
    if let Some(pause_ms) = view.pause_ms.filter(|pause_ms| *pause_ms > view.now_ms) {
        return Step::WaitUntil(pause_ms);
    }
    if view.budget == 0 {
        return Step::OutOfBudget(view.budget_free_ms.max(view.now_ms + 1));
    }
    let full_ms = view.ready_since_ms.saturating_add(view.linger_ms);
    if view.ready < view.batch_events_max && full_ms > view.now_ms {
        return Step::WaitUntil(full_ms);
    }
    Step::Ship(view.batch_events_max.min(view.budget))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIEW: View = View {
        now_ms: 10_000,
        ready: 5,
        ready_since_ms: 9_900,
        in_flight: 0,
        in_flight_max: 4,
        pause_ms: None,
        budget: usize::MAX,
        budget_free_ms: 0,
        linger_ms: 200,
        batch_events_max: 1_000,
    };

    #[test]
    fn every_rule_has_its_step() {
        for (what, view, step) in [
            ("lingers", VIEW, Step::WaitUntil(10_100)),
            (
                "has lingered",
                View {
                    now_ms: 10_100,
                    ..VIEW
                },
                Step::Ship(1_000),
            ),
            (
                "a full batch does not linger",
                View {
                    ready: 1_000,
                    ..VIEW
                },
                Step::Ship(1_000),
            ),
            ("nothing to do", View { ready: 0, ..VIEW }, Step::Wait),
            (
                "all hands full",
                View {
                    ready: 5_000,
                    in_flight: 4,
                    ..VIEW
                },
                Step::Wait,
            ),
            (
                "pauses",
                View {
                    ready: 5_000,
                    pause_ms: Some(60_000),
                    ..VIEW
                },
                Step::WaitUntil(60_000),
            ),
            (
                "the pause is over",
                View {
                    ready: 5_000,
                    pause_ms: Some(10_000),
                    ..VIEW
                },
                Step::Ship(1_000),
            ),
            (
                "the hour's budget is used up",
                View {
                    ready: 5_000,
                    budget: 0,
                    budget_free_ms: 70_000,
                    ..VIEW
                },
                Step::OutOfBudget(70_000),
            ),
            (
                "the hour's budget is nearly used up",
                View {
                    ready: 5_000,
                    budget: 10,
                    ..VIEW
                },
                Step::Ship(10),
            ),
        ] {
            assert_eq!(next(&view), step, "{what}");
        }
    }
}
