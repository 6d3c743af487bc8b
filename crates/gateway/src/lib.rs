//! The running server: doors, lanes, metrics.

pub mod config;
