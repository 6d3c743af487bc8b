//! A request whose events arrived.

use crate::wire::Kept;

/// A request to `/events` that was read.
#[derive(Debug)]
pub(crate) struct Arrival<'a> {
    pub(crate) dataset: &'a str,
    pub(crate) version: &'a str,
    pub(crate) test_event_code: Option<String>,
    pub(crate) now_ms: i64,
    pub(crate) kept: Kept,
}
