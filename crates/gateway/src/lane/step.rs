//! What a lane does next. Pure: what it sees in, what it does out.

use sluice_journal::Waiting;

/// What a lane sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct View {
    /// Now, in milliseconds since 1970.
    pub(crate) now_ms: u64,
    /// Events that could be sent; see [`ready`].
    pub(crate) ready: usize,
    /// When the first of those on hold is due.
    pub(crate) next_due_ms: Option<u64>,
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
    /// Whether the events that are ready fill one.
    pub(crate) is_full: bool,
    /// How many events fill it.
    pub(crate) batch_events_max: usize,
    /// Until when others go first.
    pub(crate) yields_until_ms: Option<u64>,
    /// A person wants nothing to be sent.
    pub(crate) is_paused: bool,
}

/// Events that were sent again take their turn at least this often, in milliseconds, while fresh events fill
/// batches.
const TURN_MS: u64 = 60_000;

/// How long events that were sent again wait until it is looked whether fresh events still fill batches.
const YIELD_MS: u64 = 1_000;

/// Until when events that were sent again let fresh ones go first, which fill batches or do not.
pub(crate) fn yields_until(fresh_fill_batches: bool, shipped_ms: u64, now_ms: u64) -> Option<u64> {
    let turn_ms = shipped_ms.saturating_add(TURN_MS);
    (fresh_fill_batches && turn_ms > now_ms).then(|| turn_ms.min(now_ms.saturating_add(YIELD_MS)))
}

/// How many events could be sent: those that no lease has taken off their hold yet are at least one, once the first of
/// them is due.
pub(crate) fn ready(waiting: &Waiting, now_ms: u64) -> usize {
    let is_due = waiting.next_due_ms.is_some_and(|due_ms| due_ms <= now_ms);
    waiting.ready.max(usize::from(is_due))
}

/// What a lane does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Send a batch of at most this many events.
    Ship(usize),
    /// Look again at this time, or when something happens.
    WaitUntil(u64),
    /// The budget of the hour is used up, at the latest until this time. Look again soon.
    OutOfBudget(u64),
    /// Send nothing, but set aside what grows too old.
    Rest,
    /// Look again when something happens.
    Wait,
}

/// What to do next.
pub(crate) fn next(view: &View) -> Step {
    if view.is_paused && view.ready > 0 {
        return Step::Rest;
    }
    if view.in_flight >= view.in_flight_max {
        return Step::Wait;
    }
    if view.ready == 0 {
        return view.next_due_ms.map_or(Step::Wait, Step::WaitUntil);
    }
    if let Some(pause_ms) = view.pause_ms.filter(|pause_ms| *pause_ms > view.now_ms) {
        return Step::WaitUntil(pause_ms);
    }
    if let Some(until_ms) = view.yields_until_ms {
        return Step::WaitUntil(until_ms);
    }
    if view.budget == 0 {
        return Step::OutOfBudget(view.budget_free_ms);
    }
    let full_ms = view.ready_since_ms.saturating_add(view.linger_ms);
    if !view.is_full && full_ms > view.now_ms {
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
        next_due_ms: None,
        ready_since_ms: 9_900,
        in_flight: 0,
        in_flight_max: 4,
        pause_ms: None,
        budget: usize::MAX,
        budget_free_ms: 0,
        linger_ms: 200,
        is_full: false,
        batch_events_max: 1_000,
        yields_until_ms: None,
        is_paused: false,
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
                    is_full: true,
                    ..VIEW
                },
                Step::Ship(1_000),
            ),
            ("nothing to do", View { ready: 0, ..VIEW }, Step::Wait),
            (
                "nothing is due yet",
                View {
                    ready: 0,
                    next_due_ms: Some(70_000),
                    ..VIEW
                },
                Step::WaitUntil(70_000),
            ),
            (
                "what is on hold delays no other",
                View {
                    next_due_ms: Some(70_000),
                    ..VIEW
                },
                Step::WaitUntil(10_100),
            ),
            (
                "all hands full, and nothing is due",
                View {
                    ready: 0,
                    in_flight: 4,
                    next_due_ms: Some(70_000),
                    ..VIEW
                },
                Step::Wait,
            ),
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
                    is_full: true,
                    pause_ms: Some(10_000),
                    ..VIEW
                },
                Step::Ship(1_000),
            ),
            (
                "lets others go first",
                View {
                    is_full: true,
                    yields_until_ms: Some(11_000),
                    ..VIEW
                },
                Step::WaitUntil(11_000),
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
                "a person paused it, whatever else is",
                View {
                    is_full: true,
                    is_paused: true,
                    pause_ms: Some(60_000),
                    in_flight: 4,
                    budget: 0,
                    ..VIEW
                },
                Step::Rest,
            ),
            (
                "paused, and nothing waits",
                View {
                    ready: 0,
                    is_paused: true,
                    ..VIEW
                },
                Step::Wait,
            ),
            (
                "the hour's budget is nearly used up",
                View {
                    is_full: true,
                    budget: 10,
                    ..VIEW
                },
                Step::Ship(10),
            ),
        ] {
            assert_eq!(next(&view), step, "{what}");
        }
    }

    #[test]
    fn what_is_due_could_be_sent() {
        let waiting = |ready, next_due_ms| Waiting {
            ready,
            on_hold: 3,
            next_due_ms,
            ..Waiting::default()
        };
        for (waiting, expected) in [
            (waiting(0, Some(1_001)), 0),
            (waiting(0, Some(1_000)), 1),
            (waiting(7, Some(1_000)), 7),
            (waiting(7, None), 7),
        ] {
            assert_eq!(ready(&waiting, 1_000), expected, "{waiting:?}");
        }
    }

    #[test]
    fn events_that_were_sent_again_take_a_turn_each_minute() {
        let now_ms = 600_000;
        for (fresh_fill_batches, shipped_ms, expected) in [
            (false, 599_000, None),
            (true, 599_000, Some(601_000)),
            (true, 540_500, Some(600_500)),
            (true, 540_000, None),
            (true, 0, None),
        ] {
            let until_ms = yields_until(fresh_fill_batches, shipped_ms, now_ms);
            assert_eq!(until_ms, expected, "{shipped_ms}");
        }
    }
}
