//! The one place of this crate that reads a clock: how long an exchange took.

use tokio::time::Instant;

#[expect(
    clippy::disallowed_methods,
    reason = "the one place of the client that reads the clock"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}
