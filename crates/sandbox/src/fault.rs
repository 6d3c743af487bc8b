//! What a fault is, and how it is written.

use std::fmt;

/// One fault: what happens, to which requests, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What happens.
    pub effect: Effect,
    /// Only to requests about this id: the dataset of the path, a number.
    pub on: Option<String>,
    /// Only to requests whose bodies are larger, in bytes as they are announced.
    pub over: Option<u64>,
    /// To every path of the Graph API, not only to posted events.
    pub everywhere: bool,
    /// After the events were taken, so that only the answer is lost.
    pub late: bool,
    /// Begins this long after it was scripted, in milliseconds.
    pub in_ms: i64,
    /// Ends this long after it began, in milliseconds; `None`: never.
    pub for_ms: Option<i64>,
    /// How often it happens; `None`: always.
    pub times: Option<u64>,
    /// To how many requests in a million.
    pub per_million: u32,
}

/// What a fault does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// An error of the Graph API with this HTTP status: code 2 and transient for 503 and 504, code 4
    /// for 429, else code 1.
    Status(u16),
    /// This HTTP status with no body.
    Empty(u16),
    /// This HTTP status with an HTML page, as a proxy answers.
    Html(u16),
    /// This error of the Graph API.
    Error {
        /// `code`
        code: i64,
        /// `error_subcode`
        subcode: Option<i64>,
        /// HTTP status
        status: u16,
    },
    /// An error of the Graph API with HTTP status 200.
    ErrorWith200,
    /// The connection is torn down by a TCP reset.
    Reset,
    /// No answer; the connection ends after ten minutes.
    Hang,
    /// The answer comes this much later, in milliseconds: `slow`, or `delay`. The events are taken at once.
    /// Joins other faults.
    Slow {
        /// Milliseconds.
        by_ms: u64,
    },
    /// The body comes in this slowly, as over a thin uplink: its events are taken when all of it would have
    /// come. A client that gives up before has sent nothing. Joins other faults.
    SlowPerByte {
        /// Microseconds for each byte of the body, as its length is announced.
        by_us: u64,
    },
    /// A call limit is reached.
    Throttle {
        /// 4, 17, 32, 341, 613 or one of 80000 to 80014.
        code: i64,
        /// What the header says about the time to wait, in minutes; `None`: until the fault ends.
        regain_min: Option<u64>,
    },
    /// 190/463
    TokenExpired,
    /// 190/460
    TokenRevoked,
    /// The connection ends in the middle of the answer. The events are taken.
    HalfBody,
    /// The usage headers say this many percent. Joins other faults.
    Usage {
        /// Percent.
        percent: u32,
    },
    /// So many events less are taken, and reported, than were sent.
    Partial {
        /// Events.
        missing: usize,
    },
}

/// A time in the largest unit that needs no fraction.
fn duration(ms: u64) -> String {
    match ms {
        ms if ms > 0 && ms.is_multiple_of(3_600_000) => format!("{}h", ms / 3_600_000),
        ms if ms > 0 && ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        ms if ms > 0 && ms.is_multiple_of(1_000) => format!("{}s", ms / 1_000),
        ms => format!("{ms}ms"),
    }
}

/// Whole minutes, as Meta counts them in its headers.
pub(crate) fn minutes(ms: i64) -> u64 {
    ms.max(0).unsigned_abs().div_ceil(60_000)
}

impl Effect {
    /// Effects for which "before or after the events are taken" is no question.
    pub(crate) fn says_itself_when(&self) -> bool {
        matches!(
            self,
            Effect::Slow { .. }
                | Effect::SlowPerByte { .. }
                | Effect::Usage { .. }
                | Effect::Partial { .. }
                | Effect::HalfBody
        )
    }

    /// Effects that leave the answer what it is, and so may come with another.
    pub(crate) fn joins(&self) -> bool {
        matches!(
            self,
            Effect::Slow { .. } | Effect::SlowPerByte { .. } | Effect::Usage { .. }
        )
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Effect::Status(status) => write!(f, "{status}"),
            Effect::Empty(status) => write!(f, "empty {status}"),
            Effect::Html(status) => write!(f, "html {status}"),
            Effect::Error {
                code,
                subcode: Some(subcode),
                status,
            } => write!(f, "error {code}/{subcode} status {status}"),
            Effect::Error { code, status, .. } => write!(f, "error {code} status {status}"),
            Effect::ErrorWith200 => f.write_str("200-error"),
            Effect::Reset => f.write_str("reset"),
            Effect::Hang => f.write_str("hang"),
            Effect::Slow { by_ms } => write!(f, "slow {}", duration(*by_ms)),
            Effect::SlowPerByte { by_us } => write!(f, "slow {by_us}us/byte"),
            Effect::Throttle {
                code,
                regain_min: Some(minutes),
            } => write!(f, "throttle {code} regain {minutes}m"),
            Effect::Throttle { code, .. } => write!(f, "throttle {code}"),
            Effect::TokenExpired => f.write_str("token-expired"),
            Effect::TokenRevoked => f.write_str("token-revoked"),
            Effect::HalfBody => f.write_str("half-body"),
            Effect::Usage { percent } => write!(f, "usage {percent}"),
            Effect::Partial { missing } => write!(f, "partial {missing}"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.effect)?;
        if self.in_ms > 0 {
            write!(f, " in {}", duration(self.in_ms.unsigned_abs()))?;
        }
        if let Some(for_ms) = self.for_ms {
            write!(f, " for {}", duration(for_ms.unsigned_abs()))?;
        }
        if let Some(times) = self.times {
            write!(f, " x {times}")?;
        }
        if self.late {
            f.write_str(" late")?;
        }
        if let Some(on) = &self.on {
            write!(f, " on {on}")?;
        }
        if let Some(bytes) = self.over {
            write!(f, " over {bytes}")?;
        }
        if self.everywhere {
            f.write_str(" everywhere")?;
        }
        if self.per_million < 1_000_000 {
            write!(f, " p={}", f64::from(self.per_million) / 1e6)?;
        }
        Ok(())
    }
}
