//! What can go wrong. Errors name the owner, the statement and the database's code, and never a value.

use std::borrow::Cow;
use std::fmt;

/// What went wrong, by what is to be done about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database cannot be reached, is full, or takes too long. Later the same call may succeed. What was to be
    /// written may be written or not: write so that doing it again changes nothing.
    #[error("the store cannot be used now: {0}")]
    Unavailable(Fault),
    /// Nothing was written, because of what others have written: a row that must be the only one of its kind is
    /// there already, or one that must be there is not.
    #[error("the store holds something else already: {0}")]
    Conflict(Fault),
    /// The statement or the tables are wrong, or a page is damaged: the same call will fail again. Nothing was
    /// written.
    #[error("the store cannot do this: {0}")]
    Broken(Fault),
    /// The place, or what was found there, is not for this program. A person has to look at it.
    #[error("the store is refused: {0}")]
    Refused(String),
}

impl StoreError {
    pub(crate) fn too_many_rows(owner: &'static str, statement: &'static str) -> Self {
        let said = format!("it has more than {} rows: ask for a page", crate::ROWS_MAX);
        Self::Broken(Fault::of(owner, statement, None, said))
    }
}

/// Where something went wrong, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    owner: &'static str,
    statement: &'static str,
    code: Option<String>,
    said: Cow<'static, str>,
}

impl Fault {
    /// `code` with its name, as in `SQLSTATE 23505`; `said` in our own words.
    pub(crate) fn of(
        owner: &'static str,
        statement: &'static str,
        code: Option<String>,
        said: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            owner,
            statement,
            code,
            said: said.into(),
        }
    }

    /// The same in other words.
    #[cfg(feature = "postgres")]
    pub(crate) fn saying(self, said: &'static str) -> Self {
        Self {
            said: said.into(),
            ..self
        }
    }

    /// The database's own code, as in `SQLSTATE 23505` or `SQLite 2067`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}: {}", self.owner, self.statement, self.said)?;
        match &self.code {
            Some(code) => write!(f, " ({code})"),
            None => Ok(()),
        }
    }
}
