//! Deleting bodies so that no byte of them stays in the file.
//!
//! `secure_delete` overwrites a row where it lies when it is deleted. But SQLite moves the rows that remain in
//! a page to its neighbours when few are left, and what they leave behind it overwrites only now and then. So a
//! body is first overwritten where it lies, in a row of the same size, which moves nothing. Rows that are
//! overwritten are deleted only where no body that is kept is so near that it could be moved; the others follow
//! when their neighbours are done with.

use std::collections::VecDeque;

use rusqlite::Connection;

use super::schema::PAGE_BYTES;
use crate::types::EventKey;

/// Moving rows concerns a page and at most two beside it: rows this many bytes away are not moved.
const MARGIN_BYTES: u64 = 3 * PAGE_BYTES;

/// Of a row that takes pages of its own, at least this many bytes are among the other rows.
const ROW_BYTES_MAX: u64 = 2_000;

/// Whether the body of the event `e` is there, in SQL.
macro_rules! has_body {
    () => {
        concat!(
            "(EXISTS (SELECT 1 FROM body WHERE id = e.id AND NOT ",
            $crate::embedded::erase::blank!(),
            ") OR EXISTS (SELECT 1 FROM amendment WHERE event = e.id AND live = 1))"
        )
    };
}
/// Whether a body was overwritten, in SQL: with blanks, an encrypted one with zeros.
macro_rules! blank {
    () => {
        "(substr(json, 1, 1) = ' ' OR substr(sealed, 1, 1) IS x'00')"
    };
}
pub(super) use {blank, has_body};

/// Whether a body, in the clear or encrypted, was overwritten.
pub(super) fn is_blank(json: &[u8]) -> bool {
    matches!(json.first(), Some(b' ' | 0))
}

/// Overwrites the body of an event where it lies, also one that it was amended with.
pub(super) fn overwrite(conn: &Connection, key: EventKey) -> rusqlite::Result<()> {
    conn.prepare_cached(
        "UPDATE body SET json = printf('%*s', octet_length(json), ''),
                sealed = CASE WHEN sealed IS NOT NULL THEN zeroblob(octet_length(sealed)) END
         WHERE id = ?1",
    )?
    .execute([key.0])?;
    conn.prepare_cached(
        "UPDATE amendment SET json = printf('%*s', octet_length(json), ''),
                sealed = CASE WHEN sealed IS NOT NULL THEN zeroblob(octet_length(sealed)) END, live = NULL
         WHERE event = ?1 AND live = 1",
    )?
    .execute([key.0])
    .map(drop)
}

/// Overwritten rows that follow each other, with no body between them that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    /// Bytes of those that stay behind the last body that is kept, up to the margin.
    before: u64,
    /// Those that may go when enough have come after them.
    pending: VecDeque<(i64, u64)>,
    pending_bytes: u64,
}

impl Run {
    /// One that no row comes before.
    pub(super) fn first() -> Self {
        Self {
            before: MARGIN_BYTES,
            pending: VecDeque::new(),
            pending_bytes: 0,
        }
    }

    /// Adds the next row, with the bytes of its body.
    pub(super) fn add(&mut self, id: i64, bytes: u64) {
        let bytes = bytes.min(ROW_BYTES_MAX);
        if self.before < MARGIN_BYTES {
            self.before += bytes;
        } else {
            self.pending.push_back((id, bytes));
            self.pending_bytes += bytes;
        }
    }

    /// The next row that can be deleted.
    pub(super) fn next_removable(&mut self) -> Option<i64> {
        let (id, bytes) = *self.pending.front()?;
        let after = self.pending_bytes - bytes;
        (after >= MARGIN_BYTES).then(|| {
            self.pending.pop_front();
            self.pending_bytes = after;
            id
        })
    }

    /// A body follows that is kept: nothing near it goes, and the next run begins.
    pub(super) fn end(&mut self) {
        self.before = 0;
        self.pending.clear();
        self.pending_bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn removed(run: &mut Run) -> Vec<i64> {
        std::iter::from_fn(|| run.next_removable()).collect()
    }

    #[test]
    fn rows_near_a_body_that_is_kept_stay() {
        assert_eq!(MARGIN_BYTES, 49_152);
        let mut run = Run::first();
        // Nothing is before the first: fifty of a thousand bytes have to follow.
        (1..=50).for_each(|id| run.add(id, 1_000));
        assert_eq!(removed(&mut run), [] as [i64; 0]);
        run.add(51, 1_000);
        assert_eq!(removed(&mut run), [1]);
        // However long it is, its page holds little of a large one.
        run.add(52, 1_000_000);
        assert_eq!(removed(&mut run), [2, 3]);

        run.end();
        (61..=160).for_each(|id| run.add(id, 1_000));
        assert_eq!(removed(&mut run), [] as [i64; 0]);
        run.add(161, 1_000);
        assert_eq!(removed(&mut run), [111]);
    }
}
