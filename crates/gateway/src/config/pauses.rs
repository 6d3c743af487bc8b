//! Pauses between looks at something that has no way to tell.

use std::thread;
use std::time::Duration;

/// Pauses that together last a given time. They are counted, because no clock is read here.
pub(super) struct Pauses {
    left: Duration,
    next: Duration,
}

impl Pauses {
    const FIRST: Duration = Duration::from_millis(2);
    const LONGEST: Duration = Duration::from_millis(50);

    pub(super) fn of(time: Duration) -> Self {
        Self {
            left: time,
            next: Self::FIRST,
        }
    }

    /// Waits a little; `false` when the time is over.
    pub(super) fn pause(&mut self) -> bool {
        if self.left.is_zero() {
            return false;
        }
        let pause = self.next.min(self.left);
        thread::sleep(pause);
        self.left -= pause;
        self.next = (self.next * 2).min(Self::LONGEST);
        true
    }
}
