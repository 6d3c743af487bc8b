//! The time of the sandbox: passed in, so that a test may choose it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

/// Where the sandbox reads the time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl Clock {
    /// A clock that a function reads: milliseconds since 1970, UTC.
    pub fn new(now_ms: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(now_ms))
    }

    /// A clock that stands still.
    pub fn fixed(now_ms: i64) -> Self {
        Self::new(move || now_ms)
    }

    /// The clock of the machine.
    pub fn system() -> Self {
        Self::new(|| {
            #[expect(
                clippy::disallowed_methods,
                reason = "the one place where the sandbox reads the time"
            )]
            let now = std::time::SystemTime::now();
            now.duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |passed| {
                    i64::try_from(passed.as_millis()).unwrap_or(i64::MAX)
                })
        })
    }

    /// Now as `Date` writes it.
    pub(crate) fn http_date(&self) -> Option<String> {
        let now = jiff::Timestamp::from_millisecond(self.now_ms()).ok()?;
        let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
        printer.timestamp_to_rfc9110_string(&now).ok()
    }

    /// Milliseconds since 1970, UTC.
    pub fn now_ms(&self) -> i64 {
        (self.0)()
    }
}

/// When something has to be over that may take this long from now on, on the machine's own clock: waiting for
/// bytes takes real time, whatever time it is in a test.
#[expect(
    clippy::disallowed_methods,
    reason = "the place where the sandbox reads clocks"
)]
pub(crate) fn deadline(after: Duration) -> Instant {
    Instant::now() + after
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now_ms())
    }
}
