//! The only place that reads the clock and rolls dice; everything else is told the moment.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use jiff::Timestamp;
use sluice_event::Moment;

/// Where the time comes from.
#[derive(Clone, Copy)]
pub(crate) enum Clock {
    /// The computer's clock.
    System,
    /// Always the same moment, in milliseconds since 1970: what `--now` sets.
    Stopped(u64),
}

impl Clock {
    /// The clock that `--now` asks for.
    pub(crate) fn new(now_ms: Option<u64>) -> Self {
        now_ms.map_or(Clock::System, Clock::Stopped)
    }

    /// Milliseconds since 1970.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the clock"
    )]
    pub(crate) fn unix_ms(self) -> u64 {
        match self {
            Clock::Stopped(unix_ms) => unix_ms,
            // A clock that is set before 1970 is as good as one at 1970: both make every event wrong.
            Clock::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| {
                    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
                }),
        }
    }

    /// A random length of time up to this one; none of it when the system has no randomness.
    pub(crate) fn less_than(self, most: Duration) -> Duration {
        let mut bytes = [0; 4];
        match (self, getrandom::fill(&mut bytes)) {
            (Clock::System, Ok(())) => {
                let share = u32::from_be_bytes(bytes);
                most.mul_f64(f64::from(share) / f64::from(u32::MAX))
            }
            _ => Duration::ZERO,
        }
    }

    /// Now, and fresh randomness for the id of one event.
    pub(crate) fn moment(self) -> anyhow::Result<Moment> {
        let mut entropy = [0; 10];
        getrandom::fill(&mut entropy).context("asking the system for random bytes")?;
        Ok(Moment {
            unix_ms: self.unix_ms(),
            in_doubt: false,
            entropy,
        })
    }
}

/// Milliseconds since 1970 as people and programs read them: `2023-11-29T05:09:27Z`.
pub(crate) fn shown(unix_ms: u64) -> String {
    let seconds = i64::try_from(unix_ms / 1_000).unwrap_or(i64::MAX);
    match Timestamp::from_second(seconds) {
        Ok(timestamp) => timestamp.to_string(),
        Err(_) => format!("second {seconds}"),
    }
}
