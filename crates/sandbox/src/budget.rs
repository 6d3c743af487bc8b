//! A budget of calls in the last hour, so that usage headers rise and throttling comes by itself.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

const HOUR_MS: i64 = 3_600_000;
const MINUTE_MS: i64 = 60_000;
/// How many tokens are counted apart.
const TOKENS_MAX: usize = 1_000;

/// Calls by token, in minutes.
pub(crate) struct Budget {
    calls_per_hour: u32,
    by_token: Mutex<HashMap<String, VecDeque<(i64, u32)>>>,
}

/// How much of the budget is used after a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) percent: u32,
    /// Minutes until there is room again; 0 while there is.
    pub(crate) regain_min: u64,
}

impl Budget {
    /// So many calls an hour for each token; 0 for no limit.
    pub(crate) fn new(calls_per_hour: u32) -> Self {
        Self {
            calls_per_hour,
            by_token: Mutex::default(),
        }
    }

    /// Counts a call; `None` without a limit. A refused call counts too, as at Meta.
    pub(crate) fn spend(&self, token: &str, now_ms: i64) -> Option<Used> {
        if self.calls_per_hour == 0 {
            return None;
        }
        let mut by_token = self.by_token.lock().unwrap_or_else(PoisonError::into_inner);
        if by_token.len() >= TOKENS_MAX && !by_token.contains_key(token) {
            by_token.clear();
        }
        let minutes = by_token.entry(token.to_owned()).or_default();
        let minute = now_ms.div_euclid(MINUTE_MS);
        while minutes
            .front()
            .is_some_and(|(first, _)| (minute - first) * MINUTE_MS >= HOUR_MS)
        {
            minutes.pop_front();
        }
        match minutes.back_mut() {
            Some((last, calls)) if *last == minute => *calls += 1,
            _ => minutes.push_back((minute, 1)),
        }
        let calls: u64 = minutes.iter().map(|(_, calls)| u64::from(*calls)).sum();
        let percent = calls * 100 / u64::from(self.calls_per_hour);
        let is_over = calls > u64::from(self.calls_per_hour);
        let oldest = minutes.front().map_or(minute, |(first, _)| *first);
        Some(Used {
            percent: u32::try_from(percent).unwrap_or(u32::MAX),
            regain_min: if is_over {
                (oldest + HOUR_MS / MINUTE_MS - minute)
                    .max(1)
                    .unsigned_abs()
            } else {
                0
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rolling_hour() {
        let budget = Budget::new(2);
        let used = |percent, regain_min| {
            Some(Used {
                percent,
                regain_min,
            })
        };
        assert_eq!(budget.spend("T", 0), used(50, 0));
        assert_eq!(budget.spend("T", MINUTE_MS), used(100, 0));
        assert_eq!(budget.spend("T", 2 * MINUTE_MS), used(150, 58));
        assert_eq!(budget.spend("U", 2 * MINUTE_MS), used(50, 0));
        assert_eq!(budget.spend("T", HOUR_MS + 2 * MINUTE_MS), used(50, 0));
        assert_eq!(Budget::new(0).spend("T", 0), None);
    }
}
