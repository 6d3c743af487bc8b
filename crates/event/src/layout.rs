//! How the events of a body are written.

/// How the events of a body were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One event.
    Single,
    /// `[event, …]`
    Array,
    /// `{"data": [event, …], …}`, the body that Meta takes.
    Envelope,
    /// One event a line.
    Lines,
}

impl Layout {
    /// The path of event `index` within the body; for [`Layout::Lines`] the place is counted alone.
    pub fn path(self, index: usize) -> String {
        match self {
            Layout::Single => String::new(),
            Layout::Array | Layout::Lines => format!("[{index}]"),
            Layout::Envelope => format!("data[{index}]"),
        }
    }
}
