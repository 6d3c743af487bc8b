//! Hourly counts per dataset, source and event name, changed in the transaction that changes the rows.

use std::collections::HashMap;

use rusqlite::{Connection, Row};

use super::terms::Term;
use crate::books::Tally;
use crate::types::EventState;

const HOUR_MS: u64 = 3_600_000;

/// What is counted. The numbers are in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Counted {
    Accepted = 0,
    Delivered = 1,
    Refused = 2,
    Expired = 3,
    Withheld = 4,
    Duplicate = 5,
}

impl Counted {
    pub(super) const ALL: [Counted; 6] = [
        Counted::Accepted,
        Counted::Delivered,
        Counted::Refused,
        Counted::Expired,
        Counted::Withheld,
        Counted::Duplicate,
    ];

    pub(super) fn number(self) -> i64 {
        self as i64
    }

    pub(super) fn of(number: i64) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|counted| counted.number() == number)
    }

    /// How a final state is counted; waiting events have no row and no count.
    pub(super) fn of_state(state: EventState) -> Option<Self> {
        match state {
            EventState::Waiting => None,
            EventState::Delivered => Some(Counted::Delivered),
            EventState::Refused => Some(Counted::Refused),
            EventState::Expired => Some(Counted::Expired),
            EventState::Withheld => Some(Counted::Withheld),
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
            Counted::Duplicate => &mut tally.duplicate,
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

/// What a transaction changes: one row is written per key, however many events there are.
#[derive(Default)]
pub(super) struct Changes {
    by_key: HashMap<ChangeKey, i64>,
    /// The last one, not yet among the others: most events are counted like the one before.
    last: Option<(ChangeKey, i64)>,
}

type ChangeKey = (u64, Group, Counted);

impl Changes {
    pub(super) fn add(&mut self, at_ms: u64, group: Group, counted: Counted, change: i64) {
        let key = (at_ms / HOUR_MS, group, counted);
        match &mut self.last {
            Some((last, sum)) if *last == key => *sum += change,
            last => {
                if let Some((key, sum)) = last.replace((key, change)) {
                    *self.by_key.entry(key).or_default() += sum;
                }
            }
        }
    }

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
            let hour = i64::try_from(*hour).unwrap_or(i64::MAX);
            let Group {
                dataset,
                source,
                name,
            } = group;
            statement.execute((hour, dataset, source, name, counted.number(), change))?;
        }
        Ok(())
    }
}
