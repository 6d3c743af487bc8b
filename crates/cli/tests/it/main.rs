//! The real binary, run as a person or a script runs it.

mod check;
mod clear_values;
mod config;
mod explain;
mod garbage;
mod hash;
mod run;
