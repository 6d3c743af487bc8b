//! Time and chance, passed in: nothing else in this crate reads a clock or rolls dice.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Where time and chance come from.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970: the wall clock, which can be set.
    fn unix_ms(&self) -> u64;

    /// Milliseconds since some moment, on a clock that cannot be set.
    fn monotonic_ms(&self) -> u64;

    /// Sixteen random bytes.
    fn chance(&self) -> [u8; 16];
}

/// A clock that is shared.
pub type SharedClock = Arc<dyn Clock>;

/// The computer's own.
pub struct SystemClock {
    started: Instant,
    /// Random bytes of the system, asked for in pieces: a call of the system for every request would be felt.
    chance: Mutex<Dice>,
}

/// Random bytes, and how many of them are used up.
struct Dice {
    bytes: [u8; DICE_BYTES],
    used: usize,
}

/// What one call of the system brings. Up to 256 bytes come at once and cannot fail (getrandom(2)).
const DICE_BYTES: usize = 256;

impl Default for SystemClock {
    fn default() -> Self {
        Self {
            started: now(),
            chance: Mutex::new(Dice {
                bytes: [0; DICE_BYTES],
                used: DICE_BYTES,
            }),
        }
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place of the gateway that reads the clock"
    )]
    fn unix_ms(&self) -> u64 {
        // A clock that is set before 1970 is as good as one at 1970: the gateway starts with neither.
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| {
                u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
            })
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    #[expect(
        clippy::expect_used,
        reason = "a piece of this size cannot fail; without chance ids would be guessable"
    )]
    fn chance(&self) -> [u8; 16] {
        let mut dice = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        if dice.used == DICE_BYTES {
            getrandom::fill(&mut dice.bytes).expect("the system has random bytes");
            dice.used = 0;
        }
        let mut bytes = [0; 16];
        let used = dice.used;
        bytes.copy_from_slice(&dice.bytes[used..used + 16]);
        // What was given out is not kept.
        dice.bytes[used..used + 16].fill(0);
        dice.used += 16;
        bytes
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place of the gateway that reads the clock"
)]
fn now() -> Instant {
    Instant::now()
}

/// When something has to be over that may take this long from now on.
pub(crate) fn deadline(after: Duration) -> Instant {
    now() + after
}

/// A moment in Unix seconds.
pub(crate) fn seconds(unix_ms: u64) -> i64 {
    i64::try_from(unix_ms / 1_000).unwrap_or(i64::MAX)
}

/// The same of a moment that is to come: the second in which it is over.
pub(crate) fn seconds_up(unix_ms: u64) -> i64 {
    i64::try_from(unix_ms.div_ceil(1_000)).unwrap_or(i64::MAX)
}

/// A moment as people and programs read it: `2026-11-23T00:00:00Z`.
pub(crate) fn rfc3339(second: i64) -> String {
    let timestamp = jiff::Timestamp::from_second(second);
    timestamp.map_or_else(|_| format!("second {second}"), |it| it.to_string())
}

/// How long the process has been on processors, with the system's work for it.
pub(crate) fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Sixteen bytes at a time have to come out of the pieces without rest, and none twice.
    #[test]
    fn chance_never_comes_twice() {
        let clock = SystemClock::default();
        let drawn: HashSet<_> = (0..1_000).map(|_| clock.chance()).collect();
        assert_eq!(drawn.len(), 1_000);
        let halves = drawn.iter().flat_map(|bytes| bytes.chunks(8));
        assert!(halves.clone().all(|half| half != [0; 8]));
        assert_eq!(halves.collect::<HashSet<_>>().len(), 2_000);
    }
}
