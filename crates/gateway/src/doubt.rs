//! Why the time is in doubt: the words that time, metrics and doors share.

/// Why the time is in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// Meta has not answered since the start.
    Unheard,
    /// The wall clock has leapt against the monotonic one.
    Leapt,
    /// Meta says another time, once so far.
    Contradicted,
}

impl Doubt {
    /// The word for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Doubt::Unheard => "unheard",
            Doubt::Leapt => "leapt",
            Doubt::Contradicted => "contradicted",
        }
    }
}
