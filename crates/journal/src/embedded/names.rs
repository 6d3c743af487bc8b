//! Under which event name an event is counted.
//!
//! Names come from outside, and each one that is counted apart stays in the file and in memory for good. So a
//! source has a limited number of them; events of further ones are counted together. What goes to Meta, and what
//! a row says, is the event's own name in any case.

use hashbrown::{HashMap, HashSet};
use rusqlite::Connection;
use sluice_event::names;

use super::terms::{Term, Terms};

/// Event names of one source that are counted apart; Meta's own always are. Tests mean to meet it.
const NAMES_MAX: usize = if cfg!(test) { 20 } else { 1_000 };

/// The name under which all further ones are counted.
pub(super) const OTHER: &str = "other";

/// The names of each source that are counted apart.
#[derive(Default)]
pub(super) struct Names {
    of_source: HashMap<Term, HashSet<Term>>,
}

/// How an event's name is counted.
pub(super) struct CountedName {
    pub(super) term: Term,
    /// It is counted under another one's.
    pub(super) is_other: bool,
}

impl Names {
    /// Reads the names that were counted so far.
    pub(super) fn load(conn: &Connection) -> rusqlite::Result<Self> {
        let mut names = Self::default();
        let mut statement = conn.prepare(
            "SELECT DISTINCT source, name FROM tally UNION SELECT source, name FROM rejected_tally",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let of_source = names.of_source.entry(row.get(0)?).or_default();
            of_source.insert(row.get(1)?);
        }
        Ok(names)
    }

    /// How this name is counted. A name that is counted apart from now on is added to `added`.
    pub(super) fn counted(
        &mut self,
        conn: &Connection,
        terms: &mut Terms,
        (source, name): (Term, &str),
        added: &mut Vec<(Term, Term)>,
    ) -> rusqlite::Result<CountedName> {
        let of_source = self.of_source.entry(source).or_default();
        if let Some(term) = terms.find(name).filter(|term| of_source.contains(term)) {
            return Ok(CountedName {
                term,
                is_other: false,
            });
        }
        let is_other = of_source.len() >= NAMES_MAX && !names::is_standard(name);
        let term = terms.intern(conn, if is_other { OTHER } else { name })?;
        if !is_other {
            of_source.insert(term);
            added.push((source, term));
        }
        Ok(CountedName { term, is_other })
    }

    /// Forgets names that were never committed.
    pub(super) fn remove(&mut self, added: &[(Term, Term)]) {
        for (source, name) in added {
            if let Some(of_source) = self.of_source.get_mut(source) {
                of_source.remove(name);
            }
        }
    }
}
