//! What a source may choose about sealing, and what the caller has to bring.

use crate::action_source::ActionSource;
use crate::normalize::{Country, ExternalId};

/// What a source may choose.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// The country of phone numbers that name none, when the event names none either.
    pub default_country: Option<Country>,
    /// The action source of events that name none and show none.
    pub default_action_source: ActionSource,
    /// Whether raw external ids are hashed; it has to be the same on every channel.
    pub external_id: ExternalId,
    /// Whether to send a second hash where Meta's own libraries disagree about the first.
    pub variants: bool,
    /// How far `event_time` may lie in the future, in seconds, before it is an error; within that it
    /// is set to now. Meta refuses any future time and documents no tolerance.
    pub future_skew_s: i64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            default_country: None,
            default_action_source: ActionSource::Website,
            external_id: ExternalId::Hash,
            variants: false,
            future_skew_s: 600,
        }
    }
}

/// The moment of sealing, and the chance that an event without an id needs: this crate reads no
/// clock and rolls no dice.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Milliseconds since 1970.
    pub unix_ms: u64,
    /// The clock that says so may be wrong by much. Then no event is refused for its time, which is sent as
    /// it is: refused for a wrong clock, it would be lost.
    pub in_doubt: bool,
    /// Random bytes, fresh for every event.
    pub entropy: [u8; 10],
}

impl Moment {
    /// The moment in Unix seconds.
    pub fn unix_s(&self) -> i64 {
        i64::try_from(self.unix_ms / 1_000).unwrap_or(i64::MAX)
    }
}
