//! What a lane works with.

use std::sync::Arc;

use sluice_graph::Client;
use sluice_journal::{BatchLimits, Journal, LaneId, Lease, Tokens, Waiting};
use tokio_util::sync::CancellationToken;

use super::settings::LaneSettings;
use super::size::Size;
use crate::board::Board;
use crate::clock::seconds;
use crate::directives::Directives;
use crate::time::Time;
use crate::watch::Watch;

/// How long a test code that came with an event is used, in milliseconds. Codes are for trying things out;
/// one that was forgotten must not stay with a shop's events for ever.
const TEST_CODE_MS: u64 = 24 * 60 * 60 * 1_000;

/// What a lane works with. What is on its way keeps the settings with which it began.
#[derive(Clone)]
pub(crate) struct LaneContext {
    pub(crate) id: LaneId,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) client: Client,
    pub(crate) clock: Arc<Time>,
    pub(crate) watch: Watch,
    pub(crate) board: Board,
    pub(crate) directives: Directives,
    pub(crate) tokens: Arc<dyn Tokens>,
    pub(crate) settings: LaneSettings,
    /// Nothing new is sent.
    pub(crate) stop: CancellationToken,
    /// The gateway stops: what came of events is not tried to be recorded any longer. That the lane alone ends is no
    /// reason to forget what Meta has taken.
    pub(crate) gateway_stop: CancellationToken,
    /// What is on its way is not waited for any longer.
    pub(crate) give_up: CancellationToken,
}

impl LaneContext {
    /// The test code that a batch goes with now. After its end it is not sent any more; events before and
    /// after theirs do not travel together, so of two sorts the second waits again.
    pub(super) fn code_at(&self, now_ms: u64, lease: &mut Lease) -> Option<String> {
        let code = self.id.test_code.as_ref()?;
        let test = self.directives.test_of(&self.id.dataset, (now_ms, false));
        if test.is_some_and(|test| test.code == *code) {
            return Some(code.as_str().to_owned());
        }
        let configured = self.settings.configured_code.as_ref();
        let configured = configured.filter(|configured| configured.code == *code);
        let is_over = |accepted_ms: u64| match configured {
            Some(configured) => configured.until_s <= seconds(now_ms),
            None => accepted_ms.saturating_add(TEST_CODE_MS) <= now_ms,
        };
        let is_first_over = is_over(lease.events.first()?.accepted_ms);
        lease.retain(|event| is_over(event.accepted_ms) == is_first_over);
        (!is_first_over).then(|| code.as_str().to_owned())
    }

    /// Whether a person wants nothing to be sent.
    pub(super) fn is_paused(&self) -> bool {
        self.directives.is_paused(&self.id)
    }

    /// When a batch of the lane is full.
    pub(super) fn full(&self) -> BatchLimits {
        BatchLimits {
            events_max: self.settings.delivery.batch_events_max,
            bytes_max: self.settings.delivery.batch_bytes_max,
        }
    }

    /// How many events an hour may take, if that is limited.
    pub(super) fn hour(&self) -> Option<usize> {
        let limit = self.settings.delivery.events_per_hour_max?;
        Some(usize::try_from(limit.get()).unwrap_or(usize::MAX))
    }

    /// How much one request of the lane may carry, and how many may be on their way.
    pub(super) fn largest(&self) -> (Size, usize) {
        let delivery = &self.settings.delivery;
        let size = Size {
            events: delivery.batch_events_max,
            bytes: delivery.batch_bytes_max,
        };
        let in_flight_max = if self.id.is_replay {
            1
        } else {
            delivery.in_flight_max
        };
        (size, in_flight_max)
    }

    /// The fresh events that go before those of this lane; `None` if it is theirs.
    pub(super) fn fresh(&self) -> Option<Waiting> {
        let fresh = LaneId {
            is_replay: false,
            ..self.id.clone()
        };
        self.id.is_replay.then(|| self.journal.waiting(&fresh))
    }
}
