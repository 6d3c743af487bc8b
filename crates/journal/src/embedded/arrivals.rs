//! The audit of what came in: received = accepted + copies + rejected, and the sums of all counts.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::problems::Problems;
use super::tally::{self, Counted, Group, Groups};
use super::terms::{Term, Texts};
use crate::books::{AuditSource, CodeCount, Tally};

/// Adds rejected events to the books, and lists them by code.
pub(super) fn count_rejected(
    conn: &Connection,
    texts: &Texts,
    groups: &mut Groups,
    problems: &mut Problems,
) -> rusqlite::Result<Vec<CodeCount>> {
    let mut statement = conn.prepare(
        "SELECT dataset, source, name, code, sum(count) FROM rejected_tally
         GROUP BY dataset, source, name, code",
    )?;
    let mut rows = statement.query([])?;
    let mut counts = Vec::new();
    while let Some(row) = rows.next()? {
        let (Ok(group), Ok(code), Ok(events)) = (Group::read(row, 0), row.get(3), row.get(4))
        else {
            problems.add(|| "a row of the tallies of rejected events is damaged".to_owned());
            continue;
        };
        groups.entry(group).or_default().1.rejected += events;
        let text = |term| texts.get(term).as_ref().to_owned();
        counts.push(CodeCount {
            dataset: text(group.dataset),
            source: text(group.source),
            event_name: text(group.name),
            code: text(code),
            events,
        });
    }
    Ok(counts)
}

/// Compares what came in from each source with what became of it.
pub(super) fn count_received(
    conn: &Connection,
    texts: &Texts,
    groups: &Groups,
    problems: &mut Problems,
) -> rusqlite::Result<Vec<AuditSource>> {
    let mut sources = BTreeMap::<(Term, Term), (u64, Tally)>::new();
    for (group, (rows, _)) in groups {
        let tally = &mut sources.entry((group.dataset, group.source)).or_default().1;
        tally.accepted += rows.accepted;
        tally.duplicate += rows.duplicate;
        tally.rejected += rows.rejected;
    }
    let mut statement = conn.prepare(
        "SELECT dataset, source, sum(count) FROM received_tally GROUP BY dataset, source",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (Ok(dataset), Ok(source), Ok(events)) = (row.get(0), row.get(1), row.get(2)) else {
            problems.add(|| "a row of the tallies of received events is damaged".to_owned());
            continue;
        };
        sources.entry((dataset, source)).or_default().0 = events;
    }
    let of = |((dataset, source), (received, tally)): ((Term, Term), (u64, Tally))| AuditSource {
        dataset: texts.get(dataset).as_ref().to_owned(),
        source: texts.get(source).as_ref().to_owned(),
        received,
        accepted: tally.accepted,
        duplicate: tally.duplicate,
        rejected: tally.rejected,
    };
    let sources: Vec<_> = sources.into_iter().map(of).collect();
    for source in sources.iter().filter(|source| !source.balances()) {
        problems.add(|| {
            format!(
                "{} from {}: {} came in, but {} were accepted, {} were copies and {} rejected",
                source.dataset,
                source.source,
                source.received,
                source.accepted,
                source.duplicate,
                source.rejected
            )
        });
    }
    Ok(sources)
}

/// Compares the sums that are kept of all counts with the counts.
pub(super) fn compare_sums(
    conn: &Connection,
    groups: &Groups,
    sources: &[AuditSource],
    problems: &mut Problems,
) -> rusqlite::Result<()> {
    let mut counted = Tally::default();
    for (_, tally) in groups.values() {
        tally::add(&mut counted, tally);
    }
    counted.received = sources.iter().map(|source| source.received).sum();
    let mut kept = Tally::default();
    let mut statement = conn.prepare("SELECT state, count FROM tally_sum")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        match (row.get(0).map(Counted::of), row.get(1)) {
            (Ok(Some(state)), Ok(count)) => state.add_to(&mut kept, count),
            _ => problems.add(|| "a row of the sums of all counts is damaged".to_owned()),
        }
    }
    for (state, kept, counted) in [
        ("received", kept.received, counted.received),
        ("accepted", kept.accepted, counted.accepted),
        ("duplicate", kept.duplicate, counted.duplicate),
        ("rejected", kept.rejected, counted.rejected),
        ("delivered", kept.delivered, counted.delivered),
        ("refused", kept.refused, counted.refused),
        ("expired", kept.expired, counted.expired),
        ("withheld", kept.withheld, counted.withheld),
        ("recorded", kept.recorded, counted.recorded),
    ] {
        if kept != counted {
            problems.add(|| {
                format!(
                    "the sum of all {state} events is kept as {kept}, but the hours make {counted}"
                )
            });
        }
    }
    Ok(())
}
