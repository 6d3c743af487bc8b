//! Hourly counts per dataset, source and event name, changed in the transaction that changes the rows.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use rusqlite::{Connection, Row};

use super::terms::Term;
use crate::books::Tally;
use crate::types::EventState;

const HOUR_MS: u64 = 3_600_000;

/// What is counted. The numbers are in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Counted {
    /// Below all others, so that the index of dead events, whose states are above 1, leaves notes out.
    Recorded = -1,
    Accepted = 0,
    Delivered = 1,
    Refused = 2,
    Expired = 3,
    Withheld = 4,
    Duplicate = 5,
    Rejected = 6,
    Received = 7,
}

impl Counted {
    pub(super) const ALL: [Counted; 9] = [
        Counted::Recorded,
        Counted::Accepted,
        Counted::Delivered,
        Counted::Refused,
        Counted::Expired,
        Counted::Withheld,
        Counted::Duplicate,
        Counted::Rejected,
        Counted::Received,
    ];

    pub(super) fn number(self) -> i64 {
        self as i64
    }

    pub(super) fn of(number: i64) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|counted| counted.number() == number)
    }

    /// Whether it is counted in the table `tally`; the others have tables of their own.
    pub(super) fn is_in_tally(self) -> bool {
        !matches!(self, Counted::Rejected | Counted::Received)
    }

    /// How a final state is counted; waiting events have no row and no count.
    pub(super) fn of_state(state: EventState) -> Option<Self> {
        match state {
            EventState::Waiting => None,
            EventState::Delivered => Some(Counted::Delivered),
            EventState::Refused => Some(Counted::Refused),
            EventState::Expired => Some(Counted::Expired),
            EventState::Withheld => Some(Counted::Withheld),
            EventState::Recorded => Some(Counted::Recorded),
        }
    }

    /// Changes the count in a tally.
    pub(super) fn add_to(self, tally: &mut Tally, change: i64) {
        let count = match self {
            Counted::Accepted => &mut tally.accepted,
            Counted::Delivered => &mut tally.delivered,
            Counted::Refused => &mut tally.refused,
            Counted::Expired => &mut tally.expired,
            Counted::Withheld => &mut tally.withheld,
            Counted::Recorded => &mut tally.recorded,
            Counted::Duplicate => &mut tally.duplicate,
            Counted::Rejected => &mut tally.rejected,
            Counted::Received => &mut tally.received,
        };
        *count = count.saturating_add_signed(change);
    }

    /// The final state that is counted so.
    pub(super) fn state(self) -> Option<EventState> {
        EventState::ALL
            .into_iter()
            .find(|state| Counted::of_state(*state) == Some(self))
    }
}

/// Whose events are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Group {
    pub(super) dataset: Term,
    pub(super) source: Term,
    pub(super) name: Term,
}

impl Group {
    /// Dataset, source and event name, from this column on.
    pub(super) fn read(row: &Row<'_>, column: usize) -> rusqlite::Result<Self> {
        Ok(Self {
            dataset: row.get(column)?,
            source: row.get(column + 1)?,
            name: row.get(column + 2)?,
        })
    }
}

/// What the rows say and what the tallies say, for each group.
pub(super) type Groups = BTreeMap<Group, (Tally, Tally)>;

/// Adds up everything that is counted for an event name; what came in is counted by source alone.
pub(super) fn add(sum: &mut Tally, tally: &Tally) {
    sum.accepted += tally.accepted;
    sum.waiting += tally.waiting;
    sum.delivered += tally.delivered;
    sum.refused += tally.refused;
    sum.expired += tally.expired;
    sum.withheld += tally.withheld;
    sum.recorded += tally.recorded;
    sum.duplicate += tally.duplicate;
    sum.rejected += tally.rejected;
}

/// Reads the counts of all events, but for what waits.
pub(super) fn load(conn: &Connection) -> rusqlite::Result<Tally> {
    let mut tally = Tally::default();
    let mut statement = conn.prepare_cached("SELECT state, count FROM tally_sum")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(counted) = Counted::of(row.get(0)?) {
            counted.add_to(&mut tally, row.get(1)?);
        }
    }
    Ok(tally)
}

/// What a transaction changes: one row is written per key, however many events there are.
#[derive(Default)]
pub(super) struct Changes {
    by_key: HashMap<ChangeKey, i64>,
    /// The last one, not yet among the others: most events are counted like the one before.
    last: Option<(ChangeKey, i64)>,
    received: HashMap<(i64, Term, Term), i64>,
    /// By code as well.
    rejected: HashMap<(i64, Group, Term), i64>,
}

type ChangeKey = (i64, Group, Counted);

/// The hour of a moment, as the file has it.
fn hour(at_ms: u64) -> i64 {
    i64::try_from(at_ms / HOUR_MS).unwrap_or(i64::MAX)
}

impl Changes {
    /// Counts in the table `tally`.
    pub(super) fn add(&mut self, at_ms: u64, group: Group, counted: Counted, change: i64) {
        let key = (hour(at_ms), group, counted);
        match &mut self.last {
            Some((last, sum)) if *last == key => *sum += change,
            last => {
                if let Some((key, sum)) = last.replace((key, change)) {
                    *self.by_key.entry(key).or_default() += sum;
                }
            }
        }
    }

    /// Counts events that came in.
    pub(super) fn receive(&mut self, at_ms: u64, (dataset, source): (Term, Term), events: i64) {
        let key = (hour(at_ms), dataset, source);
        *self.received.entry(key).or_default() += events;
    }

    /// Counts an event that no dataset could take.
    pub(super) fn reject(&mut self, at_ms: u64, group: Group, code: Term) {
        let key = (hour(at_ms), group, code);
        *self.rejected.entry(key).or_default() += 1;
    }

    /// Writes them.
    pub(super) fn write(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        if let Some((key, sum)) = self.last.take() {
            *self.by_key.entry(key).or_default() += sum;
        }
        let mut statement = conn.prepare_cached(
            "INSERT INTO tally (hour, dataset, source, name, state, count)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO UPDATE SET count = count + excluded.count",
        )?;
        for ((hour, group, counted), change) in &self.by_key {
            let (dataset, source, name) = (group.dataset, group.source, group.name);
            statement.execute((hour, dataset, source, name, counted.number(), change))?;
        }
        self.write_arrivals(conn)?;
        self.write_sums(conn)
    }

    fn write_arrivals(&self, conn: &Connection) -> rusqlite::Result<()> {
        let mut statement = conn.prepare_cached(
            "INSERT INTO received_tally (hour, dataset, source, count) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET count = count + excluded.count",
        )?;
        for ((hour, dataset, source), events) in &self.received {
            statement.execute((hour, dataset, source, events))?;
        }
        let mut statement = conn.prepare_cached(
            "INSERT INTO rejected_tally (hour, dataset, source, name, code, count)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO UPDATE SET count = count + excluded.count",
        )?;
        for ((hour, group, code), events) in &self.rejected {
            let (dataset, source, name) = (group.dataset, group.source, group.name);
            statement.execute((hour, dataset, source, name, code, events))?;
        }
        Ok(())
    }

    /// The sums of all hours, which otherwise had to be read at each start.
    fn write_sums(&self, conn: &Connection) -> rusqlite::Result<()> {
        let mut sums = HashMap::<Counted, i64>::new();
        for ((_, _, counted), change) in &self.by_key {
            *sums.entry(*counted).or_default() += *change;
        }
        for (counted, events) in [
            (Counted::Received, self.received.values().sum()),
            (Counted::Rejected, self.rejected.values().sum()),
        ] {
            sums.insert(counted, events);
        }
        let mut statement = conn.prepare_cached(
            "INSERT INTO tally_sum (state, count) VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET count = count + excluded.count",
        )?;
        for (counted, change) in sums.into_iter().filter(|(_, change)| *change != 0) {
            statement.execute((counted.number(), change))?;
        }
        Ok(())
    }

    /// Calls `each` with what was written: whose events, how they were counted, by which code they were rejected,
    /// how many.
    pub(super) fn each(&self, mut each: impl FnMut((Term, Term), Counted, Option<Term>, i64)) {
        for ((_, dataset, source), events) in &self.received {
            each((*dataset, *source), Counted::Received, None, *events);
        }
        for ((_, group, counted), change) in &self.by_key {
            each((group.dataset, group.source), *counted, None, *change);
        }
        for ((_, group, code), events) in &self.rejected {
            let of = (group.dataset, group.source);
            each(of, Counted::Rejected, Some(*code), *events);
        }
    }
}
