//! Wrong keys: guessing is slowed down for each address, and the log says so once a minute. A right key is answered at
//! once, whatever else came from its address: behind a proxy everybody has the same one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::sleep;

use crate::watch::Guesses;

/// Between two lines of the log, in milliseconds; the count of each address begins anew with it.
const WINDOW_MS: u64 = 60_000;

/// Wrong keys of an address in one window that are answered at once: those of a client with a mistake in it.
const FREE: u32 = 10;

/// By how much each further one is answered later than the one before.
const STEP: Duration = Duration::from_millis(100);

/// The longest that an answer is kept back.
const DELAY_MAX: Duration = Duration::from_secs(2);

/// Answers that are kept back at the same time; beyond that they go out at once. Each keeps its connection, and a
/// proxy has a limited number of them to the gateway, which right keys need, too.
const KEPT_BACK_MAX: usize = 64;

/// Addresses that are counted apart. All others count as one.
const ADDRESSES_MAX: usize = 4_096;

/// The wrong keys of the last minute.
pub(crate) struct WrongKeys {
    window: Mutex<Window>,
    /// For answers that are kept back.
    places: Semaphore,
}

#[derive(Default)]
struct Window {
    /// When the log was last told, in milliseconds since 1970.
    told_ms: Option<u64>,
    keys: u64,
    by_address: HashMap<IpAddr, u32>,
    others: u32,
}

impl Default for WrongKeys {
    fn default() -> Self {
        Self {
            window: Mutex::default(),
            places: Semaphore::new(KEPT_BACK_MAX),
        }
    }
}

impl WrongKeys {
    /// Counts one; tells how long to keep its answer back, and once a minute what to log.
    pub(crate) fn met(&self, address: IpAddr, now_ms: u64) -> (Duration, Option<Guesses>) {
        // Counts are whole numbers: there is no half-written state.
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.met(address, now_ms)
    }

    /// Waits with the answer, if not too many are kept back already.
    pub(crate) async fn keep_back(&self, delay: Duration) {
        if let Ok(_place) = self.places.try_acquire() {
            sleep(delay).await;
        }
    }
}

impl Window {
    fn met(&mut self, address: IpAddr, now_ms: u64) -> (Duration, Option<Guesses>) {
        self.keys += 1;
        let is_known = self.by_address.contains_key(&address);
        let count = if is_known || self.by_address.len() < ADDRESSES_MAX {
            self.by_address.entry(address).or_default()
        } else {
            &mut self.others
        };
        *count = count.saturating_add(1);
        let delay = (STEP * count.saturating_sub(FREE)).min(DELAY_MAX);
        // A clock that was set back must not keep the log silent.
        let is_due = |told_ms: u64| now_ms.abs_diff(told_ms) >= WINDOW_MS;
        if !self.told_ms.is_none_or(is_due) {
            return (delay, None);
        }
        let most = self.by_address.iter().max_by_key(|(_, count)| **count);
        let guesses = Guesses {
            keys: self.keys,
            addresses: self.by_address.len(),
            most_from: most.map_or(address, |(address, _)| *address),
        };
        *self = Self {
            told_ms: Some(now_ms),
            ..Self::default()
        };
        (delay, Some(guesses))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn guessing_is_slowed_down_for_its_own_address() {
        let mut window = Window::default();
        let (delay, first) = window.met(address(1), 1_000);
        let first = first.unwrap();
        assert_eq!(
            (delay, first.keys, first.most_from),
            (Duration::ZERO, 1, address(1))
        );
        let mut delays: Vec<_> = (0..100).map(|_| window.met(address(1), 1_001)).collect();
        assert!(delays.iter().all(|(_, told)| told.is_none()));
        assert_eq!(delays[9].0, Duration::ZERO);
        assert_eq!(delays[10].0, Duration::from_millis(100));
        assert_eq!(delays[11].0, Duration::from_millis(200));
        assert_eq!(delays.pop().unwrap().0, Duration::from_secs(2));
        assert_eq!(window.met(address(2), 1_002), (Duration::ZERO, None));
        let (_, told) = window.met(address(2), 61_000);
        let told = told.unwrap();
        assert_eq!(
            (told.keys, told.addresses, told.most_from),
            (102, 2, address(1))
        );
        assert_eq!(window.met(address(1), 61_001), (Duration::ZERO, None));
    }

    #[test]
    fn a_clock_set_back_does_not_silence_the_log() {
        let mut window = Window::default();
        assert!(window.met(address(1), 10_000_000).1.is_some());
        assert!(window.met(address(1), 1_000).1.is_some());
    }

    #[tokio::test]
    async fn wrong_keys_cannot_take_all_connections_of_a_proxy() {
        let keys = WrongKeys::default();
        let keep_back = || Box::pin(keys.keep_back(DELAY_MAX));
        let mut kept: Vec<_> = (0..KEPT_BACK_MAX).map(|_| keep_back()).collect();
        for answer in &mut kept {
            assert!(answer.now_or_never().is_none());
        }
        assert!(keep_back().now_or_never().is_some());
        drop(kept);
        assert!(keep_back().now_or_never().is_none());
    }

    #[test]
    fn addresses_take_bounded_memory() {
        let mut window = Window::default();
        for number in 0..20_000 {
            window.met(address(number), 1_000);
        }
        assert_eq!(window.by_address.len(), ADDRESSES_MAX);
        assert_eq!(window.met(address(30_000), 1_000).0, DELAY_MAX);
    }
}
