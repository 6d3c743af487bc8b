//! Why the journal could not do what it was asked.

/// Why the journal could not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// There is no room on the disk. Nothing was written; it goes on when there is room.
    #[error("no room on the journal's disk")]
    Full,
    /// The disk or the file fails. Nothing was written.
    #[error("the journal's disk fails: {0}")]
    Disk(String),
    /// The rows are not what was written, or do not take what is to be written. Other events may be well.
    #[error("the journal is damaged: {0}")]
    Damaged(String),
    /// The journal's folder or a file in it was removed, moved or replaced under the running gateway. Nothing
    /// more is acknowledged until the journal is opened again.
    #[error("{0} while the gateway runs; nothing more is kept until it is started again")]
    Displaced(String),
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
}

impl JournalError {
    /// Whether no later attempt can succeed: it takes a new start.
    pub fn is_lasting(&self) -> bool {
        matches!(self, JournalError::Displaced(_) | JournalError::Closed)
    }
}
