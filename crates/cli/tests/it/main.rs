//! The real binary, run as a person or a script runs it.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot prepare its files or run the binary has failed"
)]

mod audit;
mod check;
mod clear_values;
mod config;
mod config_init;
mod config_online;
mod control;
mod dead;
mod events;
mod explain;
mod garbage;
mod hash;
mod jobs;
mod journal;
mod logs;
mod run;
mod sandbox;
mod send;
mod send_findings;
mod send_gateway;
mod server;
mod trial;
mod waiting;
