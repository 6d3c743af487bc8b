//! The running server: doors, lanes, metrics.
