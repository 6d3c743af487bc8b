//! The one place that measures time, for how long a commit took and when to look around again.
//! What the journal *writes* is never read from here.

use std::time::Instant;

#[expect(
    clippy::disallowed_methods,
    reason = "the latency of a commit cannot be passed in; nothing that is stored depends on it"
)]
pub(super) fn now() -> Instant {
    Instant::now()
}
