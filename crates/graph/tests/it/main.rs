//! The client against a server on a real socket, which answers byte for byte what a test tells it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod ask;
mod call;
mod post;
mod send;
mod server;
mod token_stays_secret;
