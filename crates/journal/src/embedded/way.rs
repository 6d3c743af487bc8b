//! How a search goes down the keys: which events can fit at all.

use rusqlite::Connection;

use super::cipher::BodyKeys;
use super::index::{self, Fingerprint, Kind, SEGMENT};
use super::ledger::Books;
use super::low_water::LowWater;
use super::row::{stored_ms, unless_damaged};
use super::search::{DEAD_EVENTS, EVENTS, ROWS_MAX};
use crate::filter::{DEAD, EventFilter};
use crate::types::{EventKey, EventState};

/// The keys of dead events in a range, the last ones first. Read from the index alone.
const DEAD_KEYS: &str = "SELECT event FROM outcome INDEXED BY outcome_dead
    WHERE state > 1 AND event >= ?1 AND event < ?2 ORDER BY event DESC LIMIT ?3";

/// Keys that a search looks at next, and what is left then.
pub(super) struct Window {
    /// From the first on, before the second; the last ones first.
    pub(super) ranges: Vec<(i64, i64)>,
    /// Everything before this key is left to look at; `None` if nothing is.
    pub(super) rest: Option<i64>,
}

/// How a search goes down the keys.
pub(super) enum Way {
    /// Through all events from this key on, but for segments that came at other times.
    All { from: i64, times: Times },
    /// Through those that are dead.
    Dead { from: i64 },
    /// Through those that may have an id or an identifier, as the runs say, and all that are not indexed.
    Entered {
        from: i64,
        kind: Kind,
        wanted: Vec<Fingerprint>,
    },
    /// Through those near the events that some requests decided: ranges in order, that do not touch.
    Traced { from: i64, ranges: Vec<(i64, i64)> },
    /// Through those that can wait: the named ones, and all from the mark on.
    Waiting { from: i64, low_water: LowWater },
}

impl Way {
    pub(super) fn of(books: &Books, filter: &EventFilter) -> rusqlite::Result<Self> {
        let from = filter.after.map_or(1, |key| key.0.saturating_add(1));
        if let Some((kind, wanted)) = entry(filter, &books.keys) {
            return Ok(Way::Entered { from, kind, wanted });
        }
        if let Some(fbtrace_id) = &filter.fbtrace_id
            && let Some(ranges) = traced(&books.conn, fbtrace_id)?
        {
            return Ok(Way::Traced { from, ranges });
        }
        let states = &filter.states;
        let is_all =
            |of: &[EventState]| !states.is_empty() && states.iter().all(|state| of.contains(state));
        Ok(if is_all(&DEAD) {
            Way::Dead { from }
        } else if is_all(&[EventState::Waiting]) {
            let low_water = LowWater::load(&books.conn)?;
            Way::Waiting { from, low_water }
        } else {
            let times = (
                filter.from_ms.map(stored_ms),
                filter.until_ms.map(stored_ms),
            );
            Way::All { from, times }
        })
    }

    pub(super) fn tables(&self) -> &'static str {
        match self {
            Way::Dead { .. } => DEAD_EVENTS,
            _ => EVENTS,
        }
    }

    /// The keys in a range of a window, to be looked at one by one.
    pub(super) fn keys(
        &self,
        conn: &Connection,
        (from, until): (i64, i64),
    ) -> rusqlite::Result<Vec<i64>> {
        match self {
            Way::Dead { .. } => dead_keys(conn, (from, until), ROWS_MAX),
            _ => Ok((from..until).rev().collect()),
        }
    }

    /// The next window before a key; `None` if there is nothing.
    pub(super) fn window(
        &self,
        conn: &Connection,
        before: i64,
        rows: i64,
    ) -> rusqlite::Result<Option<Window>> {
        match self {
            Way::All { from, times } => below(conn, *times, *from, before, rows),
            Way::Entered { from, kind, wanted } => {
                below_entered(conn, (*kind, wanted), *from, before, rows)
            }
            Way::Dead { from } => below_dead(conn, *from, before, rows),
            Way::Traced { from, ranges } => Ok(below_traced(ranges, *from, before, rows)),
            Way::Waiting { from, low_water } => {
                let mark = low_water.from.0;
                if before > mark
                    && let Some(mut window) =
                        below(conn, (None, None), mark.max(*from), before, rows)?
                {
                    // The named ones come after the others.
                    window.rest = window.rest.or((mark > *from).then_some(mark));
                    return Ok(Some(window));
                }
                Ok(below_named(&low_water.named, *from, before, rows))
            }
        }
    }
}

/// Between which times events came.
type Times = (Option<i64>, Option<i64>);

/// Segments that one call passes over.
const SEGMENTS_MAX: usize = 256;

/// By what the runs enter events that fit; `None` if nothing that is in them is asked for.
fn entry(filter: &EventFilter, keys: &BodyKeys) -> Option<(Kind, Vec<Fingerprint>)> {
    if let Some(id) = &filter.event_id {
        return Some((Kind::Ids, vec![Fingerprint::of_event_id(id)]));
    }
    if let Some(id) = &filter.order_id {
        return Some((Kind::Ids, vec![Fingerprint::of_order_id(id)]));
    }
    let person = filter.identifier.as_ref()?;
    let keys = std::iter::once(None).chain(keys.all().map(Some));
    let wanted = keys.map(|key| Fingerprint::of_person(person, key));
    Some((Kind::Persons, wanted.collect()))
}

/// Where the events are whose state was decided by requests of this name; `None` if that is not known.
fn traced(conn: &Connection, fbtrace_id: &str) -> rusqlite::Result<Option<Vec<(i64, i64)>>> {
    let mut requests = conn.prepare_cached(
        "SELECT first_event, last_event FROM request WHERE fbtrace_id = ?1 ORDER BY first_event",
    )?;
    let mut rows = requests.query([fbtrace_id])?;
    let mut ranges: Vec<(i64, i64)> = Vec::new();
    while let Some(row) = rows.next()? {
        let (Some(first), Some(last)) = (row.get(0)?, row.get::<_, Option<i64>>(1)?) else {
            return Ok(None);
        };
        match ranges.last_mut() {
            _ if last < first => {}
            Some(range) if first <= range.1 => range.1 = range.1.max(last + 1),
            _ => ranges.push((first, last + 1)),
        }
    }
    Ok(Some(ranges))
}

fn below_traced(ranges: &[(i64, i64)], from: i64, before: i64, rows: i64) -> Option<Window> {
    let meets = |range: &(i64, i64)| range.0 < before && range.1 > from;
    let (place, (start, until)) = ranges.iter().enumerate().rev().find(|(_, it)| meets(it))?;
    let until = (*until).min(before);
    let first = until.saturating_sub(rows).max(*start).max(from);
    let has_more = first > (*start).max(from) || ranges[..place].iter().any(meets);
    Some(Window {
        ranges: vec![(first, until)],
        rest: has_more.then_some(first),
    })
}

/// The last event before a key. Where that row cannot be read, a key that is not before it: each event has a body
/// or an outcome.
pub(super) fn newest(conn: &Connection, before: i64) -> rusqlite::Result<Option<i64>> {
    let newest = conn
        .prepare_cached("SELECT max(id) FROM event WHERE id < ?1")?
        .query_row([before], |row| row.get(0));
    if let Some(newest) = unless_damaged(newest)? {
        return Ok(newest);
    }
    let last: i64 = conn
        .prepare_cached(
            "SELECT max(coalesce((SELECT max(id) FROM body), 0),
                        coalesce((SELECT max(event) FROM outcome), 0))",
        )?
        .query_row([], |row| row.get(0))?;
    Ok(Some(last.min(before - 1)))
}

fn below(
    conn: &Connection,
    times: Times,
    from: i64,
    mut before: i64,
    rows: i64,
) -> rusqlite::Result<Option<Window>> {
    for _ in 0..SEGMENTS_MAX {
        let newest = newest(conn, before)?.filter(|newest| *newest >= from);
        let Some(newest) = newest else {
            return Ok(None);
        };
        let segment = index::segment_of(newest);
        if !index::is_beside(conn, segment, times)? {
            let until = newest.saturating_add(1);
            let start = until.saturating_sub(rows).max(from);
            return Ok(Some(Window {
                ranges: vec![(start, until)],
                rest: (start > from).then_some(start),
            }));
        }
        before = segment * SEGMENT;
    }
    Ok(Some(Window {
        ranges: Vec::new(),
        rest: Some(before),
    }))
}

fn below_entered(
    conn: &Connection,
    (kind, wanted): (Kind, &[Fingerprint]),
    from: i64,
    before: i64,
    rows: i64,
) -> rusqlite::Result<Option<Window>> {
    let Some(newest) = newest(conn, before)? else {
        return Ok(None);
    };
    let oldest = conn
        .prepare_cached("SELECT min(id) FROM event")?
        .query_row([], |row| row.get::<_, Option<i64>>(0));
    let oldest = unless_damaged(oldest)?.flatten();
    let from = oldest.map_or(from, |oldest| oldest.max(from));
    let (mut until, mut ranges, mut left) = (newest.saturating_add(1), Vec::new(), rows);
    for _ in 0..SEGMENTS_MAX {
        if until <= from || left <= 0 {
            break;
        }
        let segment = index::segment_of(until - 1);
        let start = from.max(segment * SEGMENT);
        if let Some(keys) = index::candidates(conn, kind, segment, wanted)? {
            let before = ranges.len();
            let keys = keys.range(start..until).rev();
            ranges.extend(keys.map(|key| (*key, key + 1)));
            left -= i64::try_from(ranges.len() - before).unwrap_or(rows);
            until = start;
        } else {
            let start = start.max(until - left);
            ranges.push((start, until));
            left -= until - start;
            until = start;
        }
    }
    Ok(Some(Window {
        ranges,
        rest: (until > from).then_some(until),
    }))
}

fn below_dead(
    conn: &Connection,
    from: i64,
    before: i64,
    rows: i64,
) -> rusqlite::Result<Option<Window>> {
    let keys = dead_keys(conn, (from, before), rows)?;
    let (Some(last), Some(first)) = (keys.first(), keys.last()) else {
        return Ok(None);
    };
    let is_full = i64::try_from(keys.len()) == Ok(rows);
    Ok(Some(Window {
        ranges: vec![(*first, last.saturating_add(1))],
        rest: is_full.then_some(*first),
    }))
}

fn dead_keys(
    conn: &Connection,
    (from, until): (i64, i64),
    rows: i64,
) -> rusqlite::Result<Vec<i64>> {
    let mut keys = conn.prepare_cached(DEAD_KEYS)?;
    let keys = keys.query_map((from, until, rows), |row| row.get(0))?;
    keys.collect()
}

fn below_named(named: &[EventKey], from: i64, before: i64, rows: i64) -> Option<Window> {
    let end = named.partition_point(|key| key.0 < before);
    let start = named.partition_point(|key| key.0 < from);
    let rows = usize::try_from(rows).unwrap_or_default();
    let first = start.max(end.saturating_sub(rows));
    let keys = named.get(first..end).filter(|keys| !keys.is_empty())?;
    Some(Window {
        ranges: keys.iter().rev().map(|key| (key.0, key.0 + 1)).collect(),
        rest: (first > start).then(|| named[first].0),
    })
}
