//! The outside tests of the crate: one binary, one module per subject.

#![allow(missing_docs, reason = "tests have no public items to speak of")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod foreign;
mod fuzz_bodies;
mod garbage;
mod inputs;
mod laws;
mod merging;
mod resolve;
mod secrecy;
mod structure;
mod support;
mod vectors;
