//! The time that the gateway goes by: the computer's, as long as that can be right, and Meta's otherwise.

mod belief;

use std::sync::{Mutex, MutexGuard, PoisonError};

use sluice_graph::{BaseUrl, Client, Dated, Version};

use crate::clock::{SharedClock, rfc3339};
use crate::doubt::Doubt;
use crate::watch::Watch;
use belief::{Belief, Reading, ahead_ms};

/// How often Meta is asked in a row: a time that contradicts the computer's needs two witnesses.
const WITNESSES: usize = 2;

/// No correct clock is before it: the day on which this was written (2026-11-23), in Unix seconds. A constant and
/// not the moment of the build, so that the same source always makes the same program; a release moves it on.
const EARLIEST_S: u64 = 1_795_392_000;

/// The computer's clock says a time before this program was written.
#[derive(Debug, thiserror::Error)]
#[error("the clock of this computer says {}, which is before this program was written ({})", shown(*.unix_s), shown(EARLIEST_S))]
pub struct ClockError {
    unix_s: u64,
}

fn shown(unix_s: u64) -> String {
    rfc3339(i64::try_from(unix_s).unwrap_or(i64::MAX))
}

/// The gateway's time.
pub(crate) struct Time {
    clock: SharedClock,
    kept: Mutex<Kept>,
    watch: Watch,
    client: Client,
    base_url: BaseUrl,
}

struct Kept {
    belief: Belief,
    /// The doubt as it was told last.
    told: Option<Doubt>,
}

impl Time {
    /// Time by this clock, and by the one of whom the client reaches there.
    ///
    /// # Errors
    ///
    /// The clock cannot be right.
    pub(crate) fn new(
        clock: SharedClock,
        watch: Watch,
        client: Client,
        base_url: BaseUrl,
    ) -> Result<Self, ClockError> {
        let now = reading(&clock);
        let unix_s = now.wall_ms / 1_000;
        if unix_s < EARLIEST_S {
            return Err(ClockError { unix_s });
        }
        watch.clock_doubt(Some(Doubt::Unheard));
        Ok(Self {
            kept: Mutex::new(Kept {
                belief: Belief::new(now),
                told: Some(Doubt::Unheard),
            }),
            clock,
            watch,
            client,
            base_url,
        })
    }

    /// Milliseconds since 1970.
    pub(crate) fn unix_ms(&self) -> u64 {
        self.now().0
    }

    /// Milliseconds since 1970, and whether that is in doubt.
    pub(crate) fn now(&self) -> (u64, bool) {
        let mut kept = self.kept();
        let unix_ms = kept.belief.unix_ms(reading(&self.clock));
        let doubt = self.tell(&mut kept);
        (unix_ms, doubt.is_some())
    }

    /// Why the time is in doubt, if it is. Then nothing may be given up by it.
    pub(crate) fn doubt(&self) -> Option<Doubt> {
        let mut kept = self.kept();
        kept.belief.unix_ms(reading(&self.clock));
        self.tell(&mut kept)
    }

    /// Milliseconds on a clock that is never set.
    pub(crate) fn monotonic_ms(&self) -> u64 {
        self.clock.monotonic_ms()
    }

    /// Sixteen random bytes.
    pub(crate) fn chance(&self) -> [u8; 16] {
        self.clock.chance()
    }

    /// Meta said what time it is.
    pub(crate) fn told(&self, dated: Dated) {
        // In the middle of the exchange, and of the second.
        let since_ms = dated.elapsed.as_millis() / 2 + 500;
        let since_ms = u64::try_from(since_ms).unwrap_or(u64::MAX);
        let meta_ms = dated.date_s.saturating_mul(1_000).saturating_add(since_ms);
        let mut kept = self.kept();
        let now = reading(&self.clock);
        kept.belief.told(meta_ms, now);
        self.watch.clock_ahead(ahead_ms(now.wall_ms, meta_ms));
        self.tell(&mut kept);
    }

    /// Whether the time is sure; when it is in doubt, Meta is asked first.
    pub(crate) async fn is_sure(&self) -> bool {
        for _ in 0..WITNESSES {
            if self.doubt().is_none() {
                return true;
            }
            let Some(dated) = self.client.time(&self.base_url, Version::NEWEST).await else {
                return false;
            };
            self.told(dated);
        }
        self.doubt().is_none()
    }

    /// Tells what is new about the doubt.
    fn tell(&self, kept: &mut Kept) -> Option<Doubt> {
        let doubt = kept.belief.doubt();
        if doubt != kept.told {
            self.watch.clock_doubt(doubt);
            kept.told = doubt;
        }
        doubt
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Numbers: whatever a panicking holder left behind can be used.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn reading(clock: &SharedClock) -> Reading {
    Reading {
        wall_ms: clock.unix_ms(),
        monotonic_ms: clock.monotonic_ms(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use sluice_graph::ClientSettings;

    use super::*;
    use crate::SystemClock;
    use crate::clock::Clock;

    impl Time {
        /// A time that Meta has just confirmed. There is no Meta to ask.
        pub(crate) fn sure(clock: SharedClock) -> Self {
            let time = Self::unheard(clock).unwrap();
            let now = reading(&time.clock);
            time.kept().belief.told(now.wall_ms, now);
            time
        }

        /// A time that Meta has not said anything about. There is no Meta to ask.
        pub(crate) fn unheard(clock: SharedClock) -> Result<Self, ClockError> {
            let client = Client::new(&ClientSettings::default()).unwrap();
            // The discard port, at which nothing listens.
            let base_url = BaseUrl::parse("http://127.0.0.1:9").unwrap();
            Self::new(clock, Watch::for_tests(), client, base_url)
        }
    }

    /// A clock that stands still.
    struct Still(u64);

    impl Clock for Still {
        fn unix_ms(&self) -> u64 {
            self.0
        }

        fn monotonic_ms(&self) -> u64 {
            0
        }

        fn chance(&self) -> [u8; 16] {
            [7; 16]
        }
    }

    #[test]
    fn a_clock_of_before_this_program_is_refused() {
        let earliest_ms = EARLIEST_S * 1_000;
        assert!(Time::unheard(Arc::new(Still(earliest_ms))).is_ok());
        for unix_ms in [0, earliest_ms - 1] {
            let error = Time::unheard(Arc::new(Still(unix_ms))).err().unwrap();
            let error = error.to_string();
            assert!(error.contains("2026-11-23T00:00:00Z"), "{error}");
        }
        // A program that is built today starts today.
        assert!(Time::unheard(Arc::new(SystemClock::default())).is_ok());
    }

    /// Half of what the exchange took is over, and half of the second that `Date` leaves out.
    #[test]
    fn the_skew_is_seen_from_the_middle_of_the_exchange() {
        let now_ms = EARLIEST_S * 1_000 + 40_000;
        let time = Time::unheard(Arc::new(Still(now_ms))).unwrap();
        for (elapsed_s, ahead_s) in [(0, 39), (10, 34), (60, 9)] {
            time.told(Dated {
                date_s: EARLIEST_S,
                elapsed: Duration::from_secs(elapsed_s),
            });
            assert_eq!(time.watch.clock_ahead_s(), ahead_s);
        }
        assert_eq!(time.doubt(), None);
    }
}
