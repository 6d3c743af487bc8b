//! What an audit finds wrong.

/// Problems that are listed one by one.
const PROBLEMS_MAX: usize = 100;

/// What is wrong, up to a limit.
#[derive(Default)]
pub(super) struct Problems {
    lines: Vec<String>,
    more: usize,
}

impl Problems {
    pub(super) fn add(&mut self, line: impl FnOnce() -> String) {
        if self.lines.len() < PROBLEMS_MAX {
            self.lines.push(line());
        } else {
            self.more += 1;
        }
    }

    pub(super) fn into_lines(mut self) -> Vec<String> {
        if self.more > 0 {
            self.lines.push(format!("and {} more", self.more));
        }
        self.lines
    }
}
