//! The audit: every event counted again from its rows, and compared with what was counted on the way.

use rusqlite::Connection;

use super::arrivals;
use super::ledger::Books;
use super::low_water::LowWater;
use super::problems::Problems;
use super::tally::{self, Counted, Group, Groups};
use super::terms::Texts;
use crate::books::{Audit, AuditGroup, AuditSource, books_balance};
use crate::error::JournalError;
use crate::types::EventKey;

impl Books {
    /// Counts every event again. Reads each event's rows, about a second per million events, and keeps
    /// a running gateway's write-ahead log from being started over meanwhile.
    pub fn audit(&mut self) -> Result<Audit, JournalError> {
        // Rows and tallies of one and the same moment.
        let transaction = self.conn.transaction()?;
        let texts = Texts::load(&transaction)?;
        let mut problems = Problems::default();
        let mut groups = Groups::default();
        count_rows(&transaction, &mut groups, &mut problems)?;
        count_left(&transaction, &mut groups, &mut problems)?;
        count_tallies(&transaction, &mut groups, &mut problems)?;
        let mut audit = Audit {
            rejected: arrivals::count_rejected(&transaction, &texts, &mut groups, &mut problems)?,
            ..Audit::default()
        };
        finish(&mut groups);
        audit.sources = arrivals::count_received(&transaction, &texts, &groups, &mut problems)?;
        arrivals::compare_sums(&transaction, &groups, &audit.sources, &mut problems)?;
        transaction.commit()?;

        for (group, (rows, counted)) in groups {
            let group = AuditGroup {
                dataset: texts.get(group.dataset).as_ref().to_owned(),
                source: texts.get(group.source).as_ref().to_owned(),
                event_name: texts.get(group.name).as_ref().to_owned(),
                rows,
                counted,
            };
            compare(&mut problems, &group);
            tally::add(&mut audit.tally, &rows);
            audit.groups.push(group);
        }
        audit.tally.received = audit.sources.iter().map(|source| source.received).sum();
        audit.problems = problems.into_lines();
        audit.balanced = audit.problems.is_empty()
            && books_balance(&audit.tally)
            && audit.groups.iter().all(AuditGroup::balances)
            && audit.sources.iter().all(AuditSource::balances);
        Ok(audit)
    }
}

/// One pass over the rows of events, beside one over the outcomes: both are in order of keys.
fn count_rows(
    conn: &Connection,
    groups: &mut Groups,
    problems: &mut Problems,
) -> rusqlite::Result<()> {
    let mut events = conn.prepare("SELECT id, dataset, source, name FROM event ORDER BY id")?;
    let mut outcomes = conn.prepare("SELECT event, state FROM outcome ORDER BY event")?;
    let mut events = events.query([])?;
    let mut outcomes = outcomes.query([])?;
    let mut next_outcome = || -> rusqlite::Result<Option<(i64, i64)>> {
        outcomes
            .next()?
            // A state of another type is an unknown one.
            .map(|row| Ok((row.get(0)?, row.get(1).unwrap_or(i64::MIN))))
            .transpose()
    };
    let mut outcome = next_outcome()?;
    let low_water = LowWater::load(conn)?;
    while let Some(row) = events.next()? {
        let key: i64 = row.get(0)?;
        while let Some((event, _)) = outcome
            && event < key
        {
            problems.add(|| format!("there is an outcome of event {event}, which does not exist"));
            outcome = next_outcome()?;
        }
        let state = match outcome {
            Some((event, state)) if event == key => {
                outcome = next_outcome()?;
                Some(state)
            }
            _ => None,
        };
        let Ok(group) = Group::read(row, 1) else {
            problems.add(|| format!("the row of event {key} is damaged"));
            continue;
        };
        let rows = &mut groups.entry(group).or_default().0;
        rows.accepted += 1;
        match state.map(|state| (state, Counted::of(state))) {
            None => {
                rows.waiting += 1;
                if !low_water.finds(EventKey(key)) {
                    problems.add(|| {
                        format!(
                            "event {key} waits, but a start looks from {} on",
                            low_water.from.0
                        )
                    });
                }
            }
            Some((_, Some(counted))) if counted.state().is_some() => counted.add_to(rows, 1),
            Some((state, _)) => {
                problems.add(|| format!("event {key} is in an unknown state, {state}"));
            }
        }
    }
    while let Some((event, _)) = outcome {
        problems.add(|| format!("there is an outcome of event {event}, which does not exist"));
        outcome = next_outcome()?;
    }
    Ok(())
}

/// Adds events whose rows have left.
fn count_left(
    conn: &Connection,
    groups: &mut Groups,
    problems: &mut Problems,
) -> rusqlite::Result<()> {
    let mut statement =
        conn.prepare("SELECT dataset, source, name, state, count FROM left_tally")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (Ok(group), Ok(state), Ok(count)) =
            (Group::read(row, 0), row.get::<_, i64>(3), row.get(4))
        else {
            problems.add(|| "a count of events that have left is damaged".to_owned());
            continue;
        };
        match Counted::of(state).filter(|counted| counted.state().is_some()) {
            Some(counted) if count >= 0 => {
                let rows = &mut groups.entry(group).or_default().0;
                Counted::Accepted.add_to(rows, count);
                counted.add_to(rows, count);
            }
            _ => problems.add(|| format!("{count} events have left in the state {state}")),
        }
    }
    Ok(())
}

fn count_tallies(
    conn: &Connection,
    groups: &mut Groups,
    problems: &mut Problems,
) -> rusqlite::Result<()> {
    let mut statement = conn.prepare(
        "SELECT dataset, source, name, state, sum(count) FROM tally
         GROUP BY dataset, source, name, state",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (Ok(group), Ok(state), Ok(count)) =
            (Group::read(row, 0), row.get::<_, i64>(3), row.get(4))
        else {
            problems.add(|| "a row of the tallies is damaged".to_owned());
            continue;
        };
        let counted = &mut groups.entry(group).or_default().1;
        match Counted::of(state) {
            Some(state) if count >= 0 && state.is_in_tally() => state.add_to(counted, count),
            _ => problems.add(|| format!("a tally of kind {state} says {count}")),
        }
    }
    Ok(())
}

/// What follows from the counts.
fn finish(groups: &mut Groups) {
    for (rows, counted) in groups.values_mut() {
        let settled = counted.delivered
            + counted.refused
            + counted.expired
            + counted.withheld
            + counted.recorded;
        counted.waiting = counted.accepted.saturating_sub(settled);
        // Copies have no rows; rejected events have some, but not all of them for ever.
        (rows.duplicate, rows.rejected) = (counted.duplicate, counted.rejected);
        for tally in [rows, counted] {
            tally.received = tally.accepted + tally.duplicate + tally.rejected;
        }
    }
}

/// Names every count of a group that differs.
fn compare(problems: &mut Problems, group: &AuditGroup) {
    let (rows, counted) = (&group.rows, &group.counted);
    let counts = [
        ("accepted", rows.accepted, counted.accepted),
        ("waiting", rows.waiting, counted.waiting),
        ("delivered", rows.delivered, counted.delivered),
        ("refused", rows.refused, counted.refused),
        ("expired", rows.expired, counted.expired),
        ("withheld", rows.withheld, counted.withheld),
        ("recorded", rows.recorded, counted.recorded),
    ];
    for (state, rows, counted) in counts {
        if rows != counted {
            problems.add(|| {
                format!(
                    "{} {} from {}: {rows} {state} by the rows, {counted} by the tallies",
                    group.dataset, group.event_name, group.source
                )
            });
        }
    }
}
