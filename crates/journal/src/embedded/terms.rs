//! Texts that repeat in every row (dataset, source, event name, test code) as small numbers.

use std::sync::{Arc, PoisonError, RwLock};

use hashbrown::HashMap;
use rusqlite::{Connection, ToSql, types};

use crate::error::JournalError;

/// The number of a text, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Term(pub(super) u32);

impl ToSql for Term {
    fn to_sql(&self) -> rusqlite::Result<types::ToSqlOutput<'_>> {
        Ok(i64::from(self.0).into())
    }
}

impl types::FromSql for Term {
    fn column_result(value: types::ValueRef<'_>) -> types::FromSqlResult<Self> {
        u32::column_result(value).map(Term)
    }
}

/// The texts by number, for all that read rows.
#[derive(Clone, Default)]
pub(super) struct Texts(Arc<RwLock<Vec<Arc<str>>>>);

impl Texts {
    /// The text; empty if there is none of that number, which only a damaged file can ask for.
    pub(super) fn get(&self, term: Term) -> Arc<str> {
        let texts = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let index = (term.0 as usize).checked_sub(1);
        let text = index.and_then(|index| texts.get(index));
        text.cloned().unwrap_or_default()
    }

    /// Reads the table, as far as its numbers have no gap.
    pub(super) fn load(conn: &Connection) -> rusqlite::Result<Self> {
        let mut statement = conn.prepare("SELECT id, text FROM term ORDER BY id")?;
        let mut rows = statement.query([])?;
        let mut texts = Vec::new();
        while let Some(row) = rows.next()? {
            let (id, text): (usize, String) = (row.get(0)?, row.get(1)?);
            // Numbers are given without gaps; a damaged file must not make this run away.
            if id != texts.len() + 1 {
                break;
            }
            texts.push(Arc::from(text));
        }
        Ok(Self(Arc::new(RwLock::new(texts))))
    }

    fn len(&self) -> usize {
        let texts = self.0.read().unwrap_or_else(PoisonError::into_inner);
        texts.len()
    }
}

/// The highest number that has a text, or that an event is counted under.
fn last_used(conn: &Connection) -> rusqlite::Result<usize> {
    conn.query_row(
        "SELECT max((SELECT coalesce(max(id), 0) FROM term),
                    (SELECT coalesce(max(max(dataset, source, name)), 0) FROM tally))",
        [],
        |row| row.get(0),
    )
}

/// The numbers by text; the writer's own.
pub(super) struct Terms {
    by_text: HashMap<Arc<str>, Term>,
    texts: Texts,
}

impl Terms {
    /// Reads the whole table. A number that is used and has no text is damage: the next new text would get
    /// it, and from then on rows would say what was never written.
    pub(super) fn load(conn: &Connection) -> Result<Self, JournalError> {
        let texts = Texts::load(conn)?;
        let next = texts.len() + 1;
        if last_used(conn)? >= next {
            let detail = format!("the table `term` has no text of number {next}");
            return Err(JournalError::Damaged(detail));
        }
        let by_text = {
            let texts = texts.0.read().unwrap_or_else(PoisonError::into_inner);
            let numbers = (1..).map(Term);
            texts.iter().cloned().zip(numbers).collect()
        };
        Ok(Self { by_text, texts })
    }

    pub(super) fn texts(&self) -> Texts {
        self.texts.clone()
    }

    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    /// The number of a text that is known.
    pub(super) fn find(&self, text: &str) -> Option<Term> {
        self.by_text.get(text).copied()
    }

    /// The number of a text; a new text is written.
    pub(super) fn intern(&mut self, conn: &Connection, text: &str) -> rusqlite::Result<Term> {
        if let Some(term) = self.by_text.get(text) {
            return Ok(*term);
        }
        let number = u32::try_from(self.texts.len() + 1).unwrap_or(u32::MAX);
        conn.prepare_cached("INSERT INTO term (id, text) VALUES (?1, ?2)")?
            .execute((number, text))?;
        let text: Arc<str> = Arc::from(text);
        let mut texts = self.texts.0.write().unwrap_or_else(PoisonError::into_inner);
        texts.push(Arc::clone(&text));
        self.by_text.insert(text, Term(number));
        Ok(Term(number))
    }

    /// Forgets what was added since there were `len`, because it was never committed.
    pub(super) fn truncate(&mut self, len: usize) {
        let mut texts = self.texts.0.write().unwrap_or_else(PoisonError::into_inner);
        for text in texts.drain(len..) {
            self.by_text.remove(&text);
        }
    }
}
