//! Setting events aside that have grown too old for Meta, in a lane that sends nothing: its dataset is not in the
//! configuration, or a person paused it. A lane that sends does the same with each batch.

use std::sync::Arc;
use std::time::Duration;

use sluice_journal::{DeliveryReport, Journal, JournalError, LaneId, LeaseLimits};
use tokio_util::sync::CancellationToken;

use super::passage::beforehand;
use crate::clock::seconds;
use crate::config::AfterLostAnswer;
use crate::time::Time;
use crate::watch::Watch;

/// The time between two looks for events that have grown too old.
pub(super) const LOOK: Duration = Duration::from_mins(1);

/// What expires in one transaction at most. Bodies are read with their events.
const EVENTS_MAX: usize = 1_000;
const BYTES_MAX: usize = 1_000_000;

/// Sets some of a lane's events aside that are too old now. Returns how many.
pub(super) async fn expire(
    id: &LaneId,
    journal: &Arc<dyn Journal>,
    clock: &Time,
    watch: &Watch,
    stop: &CancellationToken,
) -> Result<usize, JournalError> {
    let now_s = seconds(clock.unix_ms());
    let first_s = journal.waiting(id).first_expiry_s;
    if first_s.is_none_or(|first_s| first_s >= now_s) {
        return Ok(0);
    }
    // Meta may be asked for the time, and a stop does not wait for the answer.
    if stop.run_until_cancelled(clock.is_sure()).await != Some(true) {
        return Ok(0);
    }
    let at_ms = clock.unix_ms();
    let now_s = seconds(at_ms);
    let limits = LeaseLimits {
        events_max: EVENTS_MAX,
        bytes_max: BYTES_MAX,
        urgent_before_s: now_s,
        now_ms: at_ms,
    };
    let mut lease = journal.lease(id, limits).await?;
    watch.damaged(id, &lease.damaged);
    watch.locked(id, &lease.locked);
    // Nothing is sent here, so an event that may have arrived waits like all others.
    let outcomes = beforehand(&lease.events, now_s, AfterLostAnswer::Resend);
    let outcomes: Vec<_> = outcomes.collect();
    let report = DeliveryReport {
        at_ms,
        request: None,
        outcomes: outcomes.clone(),
        ..DeliveryReport::default()
    };
    journal.settle(&mut lease, report).await?;
    watch.settled(id, &outcomes);
    Ok(outcomes.len())
}
