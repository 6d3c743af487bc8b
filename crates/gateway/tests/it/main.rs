//! The gateway as a whole, in this process: real sockets, a real journal, and the sandbox as Meta.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod admin;
mod books;
mod client;
mod clocks;
mod control;
mod copies;
mod displaced;
mod doors;
mod failing_journal;
mod graph_door;
mod graph_errors;
mod harness;
mod http;
mod jobs;
mod lanes;
mod merged;
mod messaging;
mod misplaced;
mod pace;
mod rates;
mod refusals;
mod secrecy;
mod standing_back;
mod stopping;
