//! How a command ends.

/// How a command ended that did its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Nothing is wrong with what was looked at.
    Clean,
    /// Something is: exit code 1.
    Flawed,
    /// The command did not do its work, and has told why: exit code 2.
    Failed,
}

impl Ending {
    /// Flawed if so.
    pub(crate) fn flawed_if(is_flawed: bool) -> Self {
        if is_flawed {
            Ending::Flawed
        } else {
            Ending::Clean
        }
    }
}
