//! Time and chance, passed in: nothing else in this crate reads a clock or rolls dice.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where time and chance come from.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970.
    fn unix_ms(&self) -> u64;

    /// Sixteen random bytes.
    fn chance(&self) -> [u8; 16];
}

/// A clock that is shared.
pub type SharedClock = Arc<dyn Clock>;

/// The computer's own.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place of the gateway that reads the clock"
    )]
    fn unix_ms(&self) -> u64 {
        // A clock that is set before 1970 is as good as one at 1970: both make every event wrong.
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| {
                u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
            })
    }

    fn chance(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        if getrandom::fill(&mut bytes).is_err() {
            // Without the system's dice the time is the best there is: ids stay different from one
            // millisecond to the next, and nothing secret is made of them.
            bytes[..8].copy_from_slice(&self.unix_ms().to_be_bytes());
        }
        bytes
    }
}

/// A moment in Unix seconds.
pub(crate) fn seconds(unix_ms: u64) -> i64 {
    i64::try_from(unix_ms / 1_000).unwrap_or(i64::MAX)
}
