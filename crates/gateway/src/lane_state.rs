//! What a lane does, and what stopped it: the words that lanes, metrics and doors share.

/// Percent of Meta's allowance from which on a lane sends with half its requests at once, and with one.
pub(crate) const USAGE_HIGH: u32 = 75;
pub(crate) const USAGE_FULL: u32 = 95;

/// What a lane does at the moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum LaneState {
    /// It sends what comes.
    #[default]
    Flowing,
    /// It pauses: Meta said so, or has a problem.
    Throttled {
        /// Until when, in milliseconds since 1970.
        until_ms: u64,
        /// Why, in plain words.
        reason: String,
    },
    /// It waits until a person mends something.
    Parked {
        /// When it looks again, in milliseconds since 1970. `None`: no look would help, as when the
        /// configuration does not name the dataset.
        probe_ms: Option<u64>,
        /// Why, in plain words, and what to do.
        reason: String,
    },
    /// A person wants it to send nothing.
    Paused {
        /// Since when, in milliseconds since 1970.
        since_ms: u64,
        /// Who did so, and why if that was said.
        reason: String,
    },
}

impl LaneState {
    /// The word for it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            LaneState::Flowing => "flowing",
            LaneState::Throttled { .. } => "throttled",
            LaneState::Parked { .. } => "parked",
            LaneState::Paused { .. } => "paused",
        }
    }

    /// Why it does not send what comes, in plain words.
    pub(crate) fn reason(&self) -> Option<&str> {
        match self {
            LaneState::Flowing => None,
            LaneState::Throttled { reason, .. }
            | LaneState::Parked { reason, .. }
            | LaneState::Paused { reason, .. } => Some(reason),
        }
    }

    /// Why it is parked, if it is.
    pub(crate) fn parked_for(&self) -> Option<&str> {
        match self {
            LaneState::Parked { reason, .. } => Some(reason),
            LaneState::Flowing | LaneState::Throttled { .. } | LaneState::Paused { .. } => None,
        }
    }
}

/// What stopped a shipment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Meta has a problem, or the way to it has.
    Transient {
        /// In plain words.
        reason: String,
    },
    /// Meta wants less.
    Throttled {
        /// How long to wait, if Meta says.
        regain_s: Option<u64>,
        /// In plain words.
        reason: String,
    },
    /// A person has to do something.
    Operator {
        /// In plain words, and what to do.
        reason: String,
    },
}

impl Trouble {
    /// In plain words.
    pub(crate) fn reason(&self) -> &str {
        match self {
            Trouble::Transient { reason }
            | Trouble::Throttled { reason, .. }
            | Trouble::Operator { reason } => reason,
        }
    }
}

/// Why events of a lane stand back for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StandsBack {
    /// An error that may be about all events is about these: others went through.
    Odd(Trouble),
    /// Many events of their sources and names are refused, and the refused requests of the lane are used up.
    Suspect,
    /// They look too old, and the time is in doubt.
    Undated,
}
