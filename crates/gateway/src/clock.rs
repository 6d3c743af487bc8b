//! Time and chance, passed in: nothing else in this crate reads a clock or rolls dice.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

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
///
/// Chance is a keyed hash of a counter, with keys of the system: as unguessable as the keys, and without
/// asking the system for every request.
#[derive(Debug, Default)]
pub struct SystemClock {
    keys: [RandomState; 2],
    count: AtomicU64,
}

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
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let [high, low] = self.keys.each_ref().map(|key| key.hash_one(count));
        (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
    }
}

/// When something has to be over that may take this long from now on.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place of the gateway that reads the clock"
)]
pub(crate) fn deadline(after: Duration) -> Instant {
    Instant::now() + after
}

/// A moment in Unix seconds.
pub(crate) fn seconds(unix_ms: u64) -> i64 {
    i64::try_from(unix_ms / 1_000).unwrap_or(i64::MAX)
}
