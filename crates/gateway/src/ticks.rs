//! What happens now and then.

use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

/// A clock that ticks now and then in this period, for the first time at once.
pub(crate) fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
