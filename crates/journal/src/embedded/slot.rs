//! A waiting event in memory.

use crate::types::EventKey;

/// What is kept in memory about a waiting event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) key: i64,
    pub(super) accepted_ms: u64,
    lifetime_s: i32,
    /// [`TAKEN`] marks an event that is not in the line any more.
    pub(super) bytes: u32,
}

/// The bytes of an event that is not in the line any more.
pub(super) const TAKEN: u32 = u32::MAX;

impl Slot {
    pub(super) fn new(key: EventKey, accepted_ms: u64, expires_s: i64, bytes: usize) -> Self {
        let lifetime = expires_s.saturating_sub(seconds(accepted_ms));
        let bounds = (i64::from(i32::MIN), i64::from(i32::MAX));
        Self {
            key: key.0,
            accepted_ms,
            lifetime_s: i32::try_from(lifetime.clamp(bounds.0, bounds.1)).unwrap_or(i32::MAX),
            bytes: u32::try_from(bytes).unwrap_or(TAKEN).min(TAKEN - 1),
        }
    }

    pub(super) fn key(self) -> EventKey {
        EventKey(self.key)
    }

    pub(super) fn accepted_ms(self) -> u64 {
        self.accepted_ms
    }

    /// With the comma that goes with it.
    pub(super) fn bytes_sent(self) -> usize {
        self.bytes as usize + 1
    }

    pub(super) fn expires_s(self) -> i64 {
        seconds(self.accepted_ms) + i64::from(self.lifetime_s)
    }
}

fn seconds(ms: u64) -> i64 {
    i64::try_from(ms / 1_000).unwrap_or(i64::MAX / 2)
}
