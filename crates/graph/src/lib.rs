#![doc = include_str!("../README.md")]

mod answer;
mod error_table;
mod usage;
mod verdict;
mod version;

pub use answer::{Answer, GraphError, Success};
pub use error_table::{Class, Row, lookup};
pub use usage::{Usage, UsageHeader};
pub use verdict::{Reason, Verdict, verdict};
pub use version::{Version, VersionWarning};
