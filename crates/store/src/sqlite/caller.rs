//! Whether a call's caller still waits for it.
//!
//! A statement that nobody waits for is ended by its own connection: SQLite asks every [`LOOK_EVERY`] steps whether it
//! may go on, and the answer is that of the call that runs at that moment. An interrupt from another thread would
//! hit whatever runs when it arrives, and nothing at all between two statements.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Steps of SQLite's machine between two looks, about a millisecond. A statement that is shorter is not ended.
pub(super) const LOOK_EVERY: std::ffi::c_int = 20_000;

/// The caller's side: when it is dropped, the call is given up.
pub(super) struct Caller(Call);

impl Drop for Caller {
    fn drop(&mut self) {
        self.0.is_given_up.store(true, Ordering::Relaxed);
    }
}

/// The call's side.
#[derive(Clone, Default)]
pub(super) struct Call {
    is_given_up: Arc<AtomicBool>,
}

impl Call {
    /// A call and who waits for it.
    pub(super) fn new() -> (Caller, Self) {
        let call = Self::default();
        (Caller(call.clone()), call)
    }

    /// Whether nobody waits for it any more.
    pub(super) fn is_given_up(&self) -> bool {
        self.is_given_up.load(Ordering::Relaxed)
    }
}
