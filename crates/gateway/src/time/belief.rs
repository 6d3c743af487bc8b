//! What time it is, when the computer's clock may be wrong. Pure: readings and what Meta says in, a time out.
//!
//! - The wall clock is followed as long as it goes as the monotonic clock does. When it leaps, the time that was
//!   known goes on by the monotonic clock, and is in doubt.
//! - `Date` in an answer of Meta's decides. One that agrees with the wall clock, or with the time that was known,
//!   ends the doubt at once. One that agrees with neither is a claim, which a second one has to confirm: one
//!   server with a wrong clock must not expire what waits.
//! - From the start until Meta's first answer nothing is known, and the time is in doubt.

use crate::doubt::Doubt;

/// How far two clocks may be apart that tell the same time, in milliseconds: more than an answer of Meta's takes
/// and NTP sets at once, less than matters to any rule.
const FAR_MS: u64 = 120_000;

/// Both clocks of the computer, read at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Milliseconds since 1970, as far as the computer knows.
    pub(crate) wall_ms: u64,
    /// Milliseconds since some moment; this clock is never set. It may stand still while the computer sleeps.
    pub(crate) monotonic_ms: u64,
}

/// A time at a moment of the monotonic clock.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    unix_ms: u64,
    monotonic_ms: u64,
}

impl Anchor {
    /// What time it is at a later moment.
    fn at(self, monotonic_ms: u64) -> u64 {
        let passed_ms = monotonic_ms.saturating_sub(self.monotonic_ms);
        self.unix_ms.saturating_add(passed_ms)
    }
}

/// What is believed.
#[derive(Debug)]
pub(crate) struct Belief {
    known: Anchor,
    /// How far the wall clock is ahead of the time that is known, in milliseconds.
    ahead_ms: i64,
    has_heard: bool,
    has_leapt: bool,
    /// What Meta said, against all that is known.
    claim: Option<Anchor>,
}

impl Belief {
    /// At the start the wall clock is all there is.
    pub(crate) fn new(now: Reading) -> Self {
        Self {
            known: Anchor {
                unix_ms: now.wall_ms,
                monotonic_ms: now.monotonic_ms,
            },
            ahead_ms: 0,
            has_heard: false,
            has_leapt: false,
            claim: None,
        }
    }

    /// What time it is, in milliseconds since 1970.
    pub(crate) fn unix_ms(&mut self, now: Reading) -> u64 {
        let known_ms = self.known.at(now.monotonic_ms);
        let ahead_ms = ahead_ms(now.wall_ms, known_ms);
        if ahead_ms.unsigned_abs() <= FAR_MS {
            self.know(now.wall_ms, now);
        } else if ahead_ms.abs_diff(self.ahead_ms) <= FAR_MS {
            // As wrong as before.
            self.know(known_ms, now);
        } else {
            self.has_leapt = true;
        }
        self.known.at(now.monotonic_ms)
    }

    /// Meta says that it is `meta_ms` now.
    pub(crate) fn told(&mut self, meta_ms: u64, now: Reading) {
        let known_ms = self.unix_ms(now);
        let says = |ms: u64| meta_ms.abs_diff(ms) <= FAR_MS;
        let is_claimed = |claim: Anchor| says(claim.at(now.monotonic_ms));
        if says(now.wall_ms) {
            self.know(now.wall_ms, now);
        } else if self.has_heard && says(known_ms) || self.claim.is_some_and(is_claimed) {
            self.know(meta_ms, now);
        } else {
            self.claim = Some(Anchor {
                unix_ms: meta_ms,
                monotonic_ms: now.monotonic_ms,
            });
            return;
        }
        self.has_heard = true;
        self.claim = None;
    }

    /// Why the time is in doubt, if it is.
    pub(crate) fn doubt(&self) -> Option<Doubt> {
        if self.has_leapt {
            Some(Doubt::Leapt)
        } else if self.claim.is_some() {
            Some(Doubt::Contradicted)
        } else {
            (!self.has_heard).then_some(Doubt::Unheard)
        }
    }

    fn know(&mut self, unix_ms: u64, now: Reading) {
        self.known = Anchor {
            unix_ms,
            monotonic_ms: now.monotonic_ms,
        };
        self.ahead_ms = ahead_ms(now.wall_ms, unix_ms);
        self.has_leapt = false;
    }
}

/// How far one time is ahead of another, in milliseconds.
pub(crate) fn ahead_ms(of_ms: u64, than_ms: u64) -> i64 {
    let by_ms = i64::try_from(of_ms.abs_diff(than_ms)).unwrap_or(i64::MAX);
    if of_ms < than_ms { -by_ms } else { by_ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0_MS: u64 = 1_800_000_000_000;
    const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;

    /// What happens, at the next minute of the monotonic clock.
    enum Happens {
        /// The wall clock is off by so much from now on.
        Off(i64),
        /// The computer sleeps for so long: its monotonic clock stands still.
        Sleeps(i64),
        /// Meta's clock is looked at: it is right.
        Meta,
        /// A server of Meta's says a time that is off by so much.
        Wrong(i64),
    }
    use Happens::{Meta, Off, Sleeps, Wrong};

    /// How far the believed time is off after each step, and what doubt there is.
    fn run(off_ms: i64, steps: &[Happens]) -> Vec<(i64, Option<Doubt>)> {
        let mut off_ms = off_ms;
        let (mut true_ms, mut monotonic_ms) = (T0_MS, 77_u64);
        let reading = |true_ms: u64, off_ms: i64, monotonic_ms| Reading {
            wall_ms: true_ms.checked_add_signed(off_ms).unwrap(),
            monotonic_ms,
        };
        let mut belief = Belief::new(reading(true_ms, off_ms, monotonic_ms));
        let mut seen = Vec::new();
        for step in steps {
            true_ms += MINUTE.unsigned_abs();
            monotonic_ms += MINUTE.unsigned_abs();
            match step {
                Off(by_ms) => off_ms = *by_ms,
                Sleeps(ms) => true_ms += ms.unsigned_abs(),
                Meta => belief.told(true_ms, reading(true_ms, off_ms, monotonic_ms)),
                Wrong(by_ms) => {
                    let meta_ms = true_ms.checked_add_signed(*by_ms).unwrap();
                    belief.told(meta_ms, reading(true_ms, off_ms, monotonic_ms));
                }
            }
            let unix_ms = belief.unix_ms(reading(true_ms, off_ms, monotonic_ms));
            seen.push((ahead_ms(unix_ms, true_ms), belief.doubt()));
        }
        seen
    }

    const UNHEARD: Option<Doubt> = Some(Doubt::Unheard);
    const LEAPT: Option<Doubt> = Some(Doubt::Leapt);
    const CONTRADICTED: Option<Doubt> = Some(Doubt::Contradicted);

    #[test]
    fn a_clock_that_is_right_is_followed_from_the_first_answer() {
        let seen = run(0, &[Off(0), Meta, Off(90_000), Off(-20_000), Meta]);
        let expected = [
            (0, UNHEARD),
            (0, None),
            (90_000, None),
            (-20_000, None),
            (-20_000, None),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_clock_that_is_wrong_from_the_start_needs_two_witnesses() {
        for off in [-2 * DAY, 3 * DAY, 10 * MINUTE] {
            let seen = run(off, &[Off(off), Meta, Meta, Off(off), Off(0), Meta]);
            let expected = [
                (off, UNHEARD),
                (off, CONTRADICTED),
                (0, None),
                (0, None),
                (0, None),
                (0, None),
            ];
            assert_eq!(seen, expected, "{off}");
        }
    }

    #[test]
    fn a_leap_there_and_back_changes_nothing() {
        for leap in [8 * DAY, -3 * DAY, 5 * MINUTE] {
            let seen = run(0, &[Meta, Off(leap), Off(leap), Off(0), Off(0)]);
            let expected = [(0, None), (0, LEAPT), (0, LEAPT), (0, None), (0, None)];
            assert_eq!(seen, expected, "{leap}");
        }
    }

    #[test]
    fn a_leap_that_stays_is_outlived() {
        let leap = 8 * DAY;
        let seen = run(
            0,
            &[Meta, Off(leap), Meta, Off(leap), Off(2 * leap), Off(0)],
        );
        let expected = [
            (0, None),
            (0, LEAPT),
            (0, None),
            (0, None),
            (0, LEAPT),
            (0, None),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_computer_that_slept_is_believed_when_meta_says_the_same() {
        let seen = run(0, &[Meta, Sleeps(8 * HOUR), Meta, Off(0)]);
        let expected = [(0, None), (-8 * HOUR, LEAPT), (0, None), (0, None)];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_clock_that_is_set_right_needs_one_witness() {
        let seen = run(-2 * DAY, &[Off(-2 * DAY), Off(0), Meta]);
        let expected = [(-2 * DAY, UNHEARD), (-2 * DAY, LEAPT), (0, None)];
        assert_eq!(seen, expected);
    }

    #[test]
    fn one_server_with_a_wrong_clock_is_not_believed() {
        let steps = [
            Meta,
            Wrong(9 * DAY),
            Meta,
            Wrong(9 * DAY),
            Wrong(-DAY),
            Meta,
        ];
        let expected = [
            (0, None),
            (0, CONTRADICTED),
            (0, None),
            (0, CONTRADICTED),
            (0, CONTRADICTED),
            (0, None),
        ];
        assert_eq!(run(0, &steps), expected);
    }

    #[test]
    fn the_time_that_meta_has_told_outlives_a_sleep() {
        let off = 3 * DAY;
        let seen = run(off, &[Meta, Meta, Sleeps(HOUR), Meta, Meta]);
        let expected = [
            (off, CONTRADICTED),
            (0, None),
            (-HOUR, LEAPT),
            (-HOUR, LEAPT),
            (0, None),
        ];
        assert_eq!(seen, expected);
    }
}
