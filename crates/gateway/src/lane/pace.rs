//! How hard a lane may push: its state, and how many requests may be in flight. Pure.
//!
//! A lane *flows*, is *throttled* until a time, or is *parked* with a reason. After any trouble one
//! shipment goes first, and begins small; when all of it was answered, the lane flows as before.

use sluice_graph::Usage;

use crate::lane_state::{LaneState, Trouble, USAGE_FULL, USAGE_HIGH};

/// The first pause after trouble, in milliseconds; it doubles up to [`PAUSE_MS_MAX`].
const PAUSE_MS: u64 = 1_000;
const PAUSE_MS_MAX: u64 = 5 * 60_000;
/// No pause is shorter, whatever chance says: a dead peer is not asked a thousand times a second.
const PAUSE_MS_MIN: u64 = 50;
/// No pause that Meta asks for is longer: then one request looks whether it still holds.
const REGAIN_S_MAX: u64 = 60 * 60;
/// How often a parked lane looks whether the reason was mended.
const PROBE_MS: u64 = 60_000;
/// From this many pauses in a row on, which take some 15 seconds, a trouble is lasting.
const LASTING_PAUSES: u32 = 5;

/// How hard a lane may push.
#[derive(Debug)]
pub(crate) struct Pace {
    state: LaneState,
    usage: Usage,
    in_flight_max: usize,
    /// Pauses in a row.
    pauses: u32,
    /// One shipment goes first.
    is_probing: bool,
    /// When the last trouble came.
    trouble_ms: u64,
}

impl Pace {
    pub(crate) fn new(in_flight_max: usize) -> Self {
        Self {
            state: LaneState::Flowing,
            usage: Usage::default(),
            in_flight_max: in_flight_max.max(1),
            pauses: 0,
            is_probing: false,
            trouble_ms: 0,
        }
    }

    /// So many requests may be in flight from now on; all else is as it was.
    pub(crate) fn limit(&mut self, in_flight_max: usize) {
        self.in_flight_max = in_flight_max.max(1);
    }

    pub(crate) fn state(&self) -> &LaneState {
        &self.state
    }

    /// Whether trouble has come again and again, with nothing gone through in between.
    pub(crate) fn is_lasting(&self) -> bool {
        self.pauses >= LASTING_PAUSES
    }

    /// Whether the next shipment is the first one after trouble.
    pub(crate) fn is_probing(&self) -> bool {
        self.is_probing
    }

    pub(crate) fn usage(&self) -> Usage {
        self.usage
    }

    /// Until when nothing may be sent, in milliseconds since 1970.
    pub(crate) fn pause_ms(&self) -> Option<u64> {
        match &self.state {
            LaneState::Flowing | LaneState::Paused { .. } => None,
            LaneState::Throttled { until_ms, .. } => Some(*until_ms),
            LaneState::Parked { probe_ms, .. } => *probe_ms,
        }
    }

    /// How many requests may be in flight.
    pub(crate) fn allowed(&self) -> usize {
        if self.is_probing || self.usage.percent >= USAGE_FULL {
            1
        } else if self.usage.percent >= USAGE_HIGH {
            (self.in_flight_max / 2).max(1)
        } else {
            self.in_flight_max
        }
    }

    /// What Meta's usage headers said.
    pub(crate) fn used(&mut self, usage: Usage) {
        self.usage = usage;
    }

    /// Meta answered to the point, to every request of a shipment that began at `sent_ms`. Returns whether
    /// that ended a trouble. That the first few events of one went through ends none: others may be in the way.
    pub(crate) fn answered(&mut self, sent_ms: u64) -> bool {
        // What was on its way before the trouble says nothing about it.
        if sent_ms < self.trouble_ms {
            return false;
        }
        self.pauses = 0;
        self.is_probing = false;
        let was = std::mem::replace(&mut self.state, LaneState::Flowing);
        was != LaneState::Flowing
    }

    /// A shipment that began at `sent_ms` was stopped. `chance` is between 0 and 1.
    pub(crate) fn stopped(&mut self, trouble: Trouble, sent_ms: u64, now_ms: u64, chance: f64) {
        // Requests in flight together fail together: that is one trouble, not four.
        let is_same = sent_ms < self.trouble_ms;
        if !is_same {
            self.pauses = self.pauses.saturating_add(1);
        }
        self.trouble_ms = now_ms;
        self.is_probing = true;
        // What was in flight beside it does not shorten the pause that Meta asked for.
        let asked_ms = self.pause_ms().filter(|_| is_same).unwrap_or_default();
        self.state = match trouble {
            Trouble::Operator { reason } => LaneState::Parked {
                probe_ms: Some(now_ms + PROBE_MS),
                reason,
            },
            // A reason to park outlives the failures of what was in flight beside it.
            _ if is_same && matches!(self.state, LaneState::Parked { .. }) => return,
            // "At once" is no answer to too many requests: then the pause doubles as it always does.
            Trouble::Throttled {
                regain_s: Some(regain_s @ 1..),
                reason,
            } => LaneState::Throttled {
                until_ms: (now_ms + regain_s.min(REGAIN_S_MAX) * 1_000).max(asked_ms),
                reason,
            },
            Trouble::Throttled { reason, .. } | Trouble::Transient { reason } => {
                LaneState::Throttled {
                    until_ms: (now_ms + pause_ms(self.pauses, chance)).max(asked_ms),
                    reason,
                }
            }
        };
    }

    /// The clock was set back by this time.
    pub(crate) fn set_back(&mut self, by_ms: u64) {
        self.trouble_ms = self.trouble_ms.saturating_sub(by_ms);
        match &mut self.state {
            LaneState::Throttled { until_ms: at, .. }
            | LaneState::Parked {
                probe_ms: Some(at), ..
            } => *at = at.saturating_sub(by_ms),
            LaneState::Flowing
            | LaneState::Parked { probe_ms: None, .. }
            | LaneState::Paused { .. } => {}
        }
    }

    /// A person wants the lane to look at once whether a trouble is over. One shipment goes first, as after any.
    pub(crate) fn probe(&mut self, now_ms: u64) {
        match &mut self.state {
            LaneState::Throttled { until_ms: at, .. }
            | LaneState::Parked {
                probe_ms: Some(at), ..
            } => *at = now_ms,
            LaneState::Flowing
            | LaneState::Parked { probe_ms: None, .. }
            | LaneState::Paused { .. } => {}
        }
    }

    /// The token or the configuration has changed: a parked lane looks at once.
    pub(crate) fn mended(&mut self, now_ms: u64) {
        if let LaneState::Parked { probe_ms, .. } = &mut self.state {
            *probe_ms = Some(now_ms);
        }
    }
}

/// Full jitter: anything between nothing and the pause that doubles.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a few minutes in milliseconds fit into everything"
)]
fn pause_ms(pauses: u32, chance: f64) -> u64 {
    let doublings = pauses.saturating_sub(1).min(16);
    let ceiling = (PAUSE_MS << doublings).min(PAUSE_MS_MAX);
    ((ceiling as f64 * chance) as u64).clamp(PAUSE_MS_MIN, PAUSE_MS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transient() -> Trouble {
        Trouble::Transient {
            reason: "the service is down".to_owned(),
        }
    }

    #[test]
    fn usage_slows_a_lane_down() {
        let mut pace = Pace::new(4);
        for (percent, allowed) in [
            (0, 4),
            (74, 4),
            (75, 2),
            (94, 2),
            (95, 1),
            (200, 1),
            (10, 4),
        ] {
            pace.used(Usage {
                percent,
                regain_s: None,
            });
            assert_eq!(pace.allowed(), allowed, "{percent} %");
        }
    }

    #[test]
    fn pauses_double_up_to_five_minutes_and_start_again_after_success() {
        let mut pace = Pace::new(4);
        let mut now_ms = 1_000_000;
        for expected_ms in [1_000, 2_000, 4_000, 8_000] {
            pace.stopped(transient(), now_ms, now_ms, 1.0);
            assert_eq!(pace.pause_ms(), Some(now_ms + expected_ms));
            assert_eq!(pace.allowed(), 1);
            now_ms += expected_ms;
        }
        for _ in 0..40 {
            pace.stopped(transient(), now_ms, now_ms, 1.0);
            now_ms += 300_000;
        }
        assert_eq!(pace.pause_ms(), Some(now_ms));
        assert!(pace.answered(now_ms));
        assert_eq!((pace.pause_ms(), pace.allowed()), (None, 4));
        pace.stopped(transient(), now_ms, now_ms, 1.0);
        assert_eq!(pace.pause_ms(), Some(now_ms + 1_000));
    }

    #[test]
    fn no_pause_is_shorter_than_the_shortest() {
        assert_eq!(pause_ms(1, 0.0), 50);
        assert_eq!(pause_ms(u32::MAX, 1.0), 300_000);
    }

    #[test]
    fn requests_that_fail_together_are_one_trouble() {
        let mut pace = Pace::new(4);
        for _ in 0..4 {
            pace.stopped(transient(), 1_000, 2_000, 1.0);
        }
        assert_eq!(pace.pause_ms(), Some(3_000));
    }

    #[test]
    fn an_old_success_does_not_end_a_new_trouble() {
        let mut pace = Pace::new(4);
        pace.stopped(transient(), 1_000, 2_000, 1.0);
        assert!(!pace.answered(1_500));
        assert!(pace.pause_ms().is_some());
        assert!(pace.answered(3_000));
    }

    #[test]
    fn meta_says_how_long_a_throttle_lasts() {
        let mut pace = Pace::new(4);
        let trouble = Trouble::Throttled {
            regain_s: Some(600),
            reason: "too many calls".to_owned(),
        };
        pace.stopped(trouble, 1_000, 2_000, 0.5);
        assert_eq!(pace.pause_ms(), Some(602_000));
    }

    #[test]
    fn no_pause_that_meta_asks_for_is_longer_than_an_hour() {
        let mut pace = Pace::new(4);
        for regain_s in [3_601, 9_999_999, u64::MAX] {
            let trouble = Trouble::Throttled {
                regain_s: Some(regain_s),
                reason: "too many calls".to_owned(),
            };
            pace.stopped(trouble, 1_000, 1_000, 0.5);
            assert_eq!(pace.pause_ms(), Some(3_601_000), "{regain_s}");
        }
    }

    #[test]
    fn five_pauses_in_a_row_are_no_hiccup() {
        let mut pace = Pace::new(4);
        for pauses in 1..=5 {
            assert!(!pace.is_lasting());
            pace.stopped(transient(), pauses * 10_000, pauses * 10_000, 0.5);
            assert!(pace.is_probing());
        }
        assert!(pace.is_lasting());
        assert!(pace.answered(100_000));
        assert!(!pace.is_lasting() && !pace.is_probing());
    }

    #[test]
    fn a_throttle_that_is_over_at_once_pauses_all_the_same() {
        let mut pace = Pace::new(4);
        let mut now_ms = 1_000;
        for expected_ms in [1_000, 2_000, 4_000] {
            let trouble = Trouble::Throttled {
                regain_s: Some(0),
                reason: "too many calls".to_owned(),
            };
            pace.stopped(trouble, now_ms, now_ms, 1.0);
            assert_eq!(pace.pause_ms(), Some(now_ms + expected_ms));
            now_ms += expected_ms;
        }
    }

    #[test]
    fn a_failure_beside_a_throttle_does_not_shorten_it() {
        let mut pace = Pace::new(4);
        let throttled = |regain_s| Trouble::Throttled {
            regain_s,
            reason: "too many calls".to_owned(),
        };
        pace.stopped(throttled(Some(600)), 1_000, 2_000, 0.5);
        for beside in [transient(), throttled(None), throttled(Some(30))] {
            pace.stopped(beside, 1_000, 3_000, 0.5);
            assert_eq!(pace.pause_ms(), Some(602_000));
        }
        pace.stopped(throttled(Some(700)), 1_000, 3_000, 0.5);
        assert_eq!(pace.pause_ms(), Some(703_000));
    }

    #[test]
    fn a_clock_that_is_set_back_takes_the_pause_along() {
        let mut pace = Pace::new(4);
        pace.stopped(transient(), 9_000_000, 9_000_000, 1.0);
        pace.set_back(8_000_000);
        assert_eq!(pace.pause_ms(), Some(1_001_000));
        assert!(pace.answered(1_000_500));
    }

    #[test]
    fn a_probe_ends_a_pause_and_not_the_trouble() {
        for trouble in [
            transient(),
            Trouble::Throttled {
                regain_s: Some(600),
                reason: "too many calls".to_owned(),
            },
            Trouble::Operator {
                reason: "the token has expired".to_owned(),
            },
        ] {
            let mut pace = Pace::new(4);
            pace.probe(500);
            assert_eq!(pace.pause_ms(), None);
            pace.stopped(trouble, 1_000, 2_000, 1.0);
            let state = pace.state().name();
            pace.probe(2_500);
            assert_eq!(pace.pause_ms(), Some(2_500));
            assert_eq!((pace.state().name(), pace.allowed()), (state, 1));
            assert!(pace.answered(2_600));
        }
    }

    #[test]
    fn a_parked_lane_looks_every_minute_and_when_something_was_mended() {
        let mut pace = Pace::new(4);
        let trouble = Trouble::Operator {
            reason: "the token has expired".to_owned(),
        };
        pace.stopped(trouble, 1_000, 2_000, 0.5);
        assert_eq!(pace.pause_ms(), Some(62_000));
        // A request beside it that timed out does not wake it earlier.
        pace.stopped(transient(), 1_000, 3_000, 0.0);
        assert_eq!(pace.state().name(), "parked");
        assert_eq!(pace.pause_ms(), Some(62_000));
        pace.mended(10_000);
        assert_eq!(pace.pause_ms(), Some(10_000));
        assert!(pace.answered(10_001));
        assert_eq!(*pace.state(), LaneState::Flowing);
    }
}
