//! Rows that cannot be read, where a sweep comes by.

use std::fmt;

use super::row::unless_damaged;

/// Events next to each other whose rows cannot be read: a page of them, or one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hole {
    /// Bodies of the step that can be read, and come before it.
    pub(super) rows_before: usize,
    /// The first event that may be in it.
    from: i64,
    /// The first event after it; `None` if no later one can be read.
    pub(super) until: Option<i64>,
}

impl fmt::Display for Hole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rows of events from {}", self.from)?;
        if let Some(until) = self.until {
            write!(f, " to {}", until - 1)?;
        }
        Ok(())
    }
}

/// Looks for what a step of so many rows from this event on cannot read; `None` if there is nothing. `each` calls with
/// rows, from an event on and up to a number. No event has the key `end` or a later one.
pub(super) fn find<R>(
    (next, end): (i64, i64),
    limit: usize,
    each: impl Fn(i64, usize, &mut dyn FnMut(R)) -> rusqlite::Result<()>,
    id: impl Fn(&R) -> i64,
) -> rusqlite::Result<Option<Hole>> {
    let (mut rows_before, mut from) = (0, next);
    let read = each(next, limit, &mut |row| {
        rows_before += 1;
        from = id(&row) + 1;
    });
    if unless_damaged(read)?.is_some() {
        return Ok(None);
    }
    let can_read = |id| unless_damaged(each(id, 1, &mut |_| ())).map(|read| read.is_some());
    Ok(Some(Hole {
        rows_before,
        from,
        until: end_of(from, end, can_read)?,
    }))
}

/// Where a hole ends: looked for in leaps that double, because many bodies before it may be deleted, and then back.
/// What can be read between two holes that are near each other may count as one with them.
fn end_of<E>(
    from: i64,
    end: i64,
    mut can_read: impl FnMut(i64) -> Result<bool, E>,
) -> Result<Option<i64>, E> {
    let (mut inside, mut leap) = (from, 1);
    let mut after = loop {
        let next = inside.saturating_add(leap).min(end);
        if next >= end || can_read(next)? {
            break next;
        }
        inside = next;
        leap *= 2;
    };
    while inside + 1 < after {
        let middle = inside + (after - inside) / 2;
        if can_read(middle)? {
            after = middle;
        } else {
            inside = middle;
        }
    }
    Ok((after < end).then_some(after))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn a_hole_ends_where_rows_can_be_read_again() {
        for (from, until, end) in [
            (1, 2, 10),
            (1, 9, 10),
            (40, 1_000, 1_001),
            // Everything before was deleted long ago.
            (0, 50_000_031, 50_000_100),
        ] {
            let mut asked = 0;
            let found = end_of(from, end, |id| {
                asked += 1;
                assert!(from < id && id < end);
                Ok::<_, Infallible>(id >= until)
            });
            assert_eq!(found, Ok(Some(until)));
            assert!(asked < 100, "{asked}");
        }
    }

    #[test]
    fn a_hole_may_reach_to_the_end() {
        let nothing = |_| Ok::<_, Infallible>(false);
        for (from, end) in [(0, 1), (5, 5), (6, 5), (1, 1_000_000)] {
            assert_eq!(end_of(from, end, nothing), Ok(None));
        }
    }
}
