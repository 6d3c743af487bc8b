//! The numbers of metrics.

use std::sync::atomic::{AtomicI64, AtomicU64};

use prometheus_client::metrics::gauge::Gauge;

/// A value that goes up and down.
pub(super) type Number = Gauge<f64, AtomicU64>;
/// A whole one.
pub(super) type Count = Gauge<i64, AtomicI64>;

/// A moment in milliseconds, in Unix seconds as a metric has them.
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since 1970 fit into a float"
)]
pub(crate) fn unix_seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}
