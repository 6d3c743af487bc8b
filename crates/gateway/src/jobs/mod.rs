//! Things that are done by the clock, and what came of them.

mod history;

pub use history::{Came, History, Run, Started};
