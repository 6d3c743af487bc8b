//! Which rows a person asks for, and how much of them at a time.

use sluice_event::{DatasetId, Hashed};

use crate::types::{EventKey, EventState, SourceName};

/// The most rows that one call gives.
pub const PAGE_MAX: usize = 1_000;

/// Which events: those that fit everything that is asked for.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct EventFilter {
    /// In one of these states; none means any.
    pub states: Vec<EventState>,
    /// Of this dataset.
    pub dataset: Option<DatasetId>,
    /// Of this source.
    pub source: Option<SourceName>,
    /// Of this `event_name`.
    pub event_name: Option<String>,
    /// With this `event_id`.
    pub event_id: Option<String>,
    /// With this `custom_data.order_id`.
    pub order_id: Option<String>,
    /// With this value among `em`, `ph` and `external_id`. Only events whose bodies are kept and can be read.
    pub identifier: Option<Hashed>,
    /// Whose state was decided by the request that Meta calls so.
    pub fbtrace_id: Option<String>,
    /// With a test code, or without one.
    pub is_test: Option<bool>,
    /// That came at this time or later, in milliseconds since 1970.
    pub from_ms: Option<u64>,
    /// That came before this time, in milliseconds since 1970.
    pub until_ms: Option<u64>,
    /// In their final states since this time or later, in milliseconds since 1970.
    pub final_from_ms: Option<u64>,
    /// With this code of Meta's.
    pub code: Option<i64>,
    /// With this subcode of Meta's.
    pub subcode: Option<i64>,
    /// That have later keys than this event.
    pub after: Option<EventKey>,
}

impl EventFilter {
    /// The events that did not reach Meta and will not by themselves.
    pub fn dead() -> Self {
        Self {
            states: DEAD.into(),
            ..Self::default()
        }
    }
}

/// The states of events that did not reach Meta and will not by themselves.
pub(crate) const DEAD: [EventState; 3] = [
    EventState::Refused,
    EventState::Expired,
    EventState::Withheld,
];

impl std::fmt::Debug for EventFilter {
    /// Without the ids of an order and of a person.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventFilter")
            .field("states", &self.states)
            .field("dataset", &self.dataset)
            .field("source", &self.source)
            .field("event_name", &self.event_name)
            .finish_non_exhaustive()
    }
}

/// Which rejected events: those that fit everything that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RejectionFilter {
    /// Meant for this dataset.
    pub dataset: Option<DatasetId>,
    /// Of this source.
    pub source: Option<SourceName>,
    /// Of this `event_name`.
    pub event_name: Option<String>,
    /// That came at this time or later, in milliseconds since 1970.
    pub since_ms: Option<u64>,
}

/// Which requests to Meta: those that fit everything that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestFilter {
    /// For this dataset.
    pub dataset: Option<DatasetId>,
    /// Meta's name for the request.
    pub fbtrace_id: Option<String>,
}

/// Which counts, and over how long each of them is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TallyQuery {
    /// Those of hours that begin at this time or later, in milliseconds since 1970.
    pub from_ms: u64,
    /// Those of hours that begin before this time, in milliseconds since 1970.
    pub until_ms: u64,
    /// What is counted together.
    pub period: Period,
    /// How far local time is ahead of UTC, in minutes. An hour belongs to the day in which it begins, so where the
    /// offset is no whole number of hours, what came at the end of a day may count to it by up to an hour.
    pub utc_offset_min: i32,
    /// Of this dataset.
    pub dataset: Option<DatasetId>,
    /// Of this source.
    pub source: Option<SourceName>,
    /// Of this `event_name`, as it is counted.
    pub event_name: Option<String>,
}

/// How long a count is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// An hour of UTC.
    Hour,
    /// A day of local time.
    Day,
    /// A week of local time, from Monday on.
    Week,
}

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// The first Monday of 1970 began so long after the first moment.
const MONDAY_MS: i64 = 4 * DAY_MS;

impl Period {
    /// When the period began to which an hour belongs, in milliseconds since 1970. The hour is counted from 1970 on.
    pub fn start_ms(self, hour: i64, utc_offset_min: i32) -> i64 {
        let at_ms = hour.saturating_mul(HOUR_MS);
        let offset_ms = i64::from(utc_offset_min) * 60_000;
        let local_ms = at_ms.saturating_add(offset_ms);
        let into_ms = match self {
            Period::Hour => return at_ms,
            Period::Day => local_ms.rem_euclid(DAY_MS),
            Period::Week => local_ms.saturating_sub(MONDAY_MS).rem_euclid(7 * DAY_MS),
        };
        at_ms.saturating_sub(into_ms)
    }
}

/// A part of a list, the newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Only events before this one: the [`Found::next`] of the page before.
    pub before: Option<EventKey>,
    /// The most rows, and never more than [`PAGE_MAX`].
    pub limit: usize,
}

/// A part of what was asked for. A call looks at a bounded number of rows, so it may end before it has found
/// anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<T, C> {
    /// What fits.
    pub rows: Vec<T>,
    /// From where to go on; `None` when everything was looked at.
    pub next: Option<C>,
    /// Rows that are damaged and were passed over.
    pub unreadable: u64,
}

impl<T, C> Default for Found<T, C> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            next: None,
            unreadable: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Thursday, 2026-01-01, 00:00 UTC.
    const NEW_YEAR_H: i64 = 490_896;

    #[test]
    fn an_hour_belongs_to_the_day_and_the_week_in_which_it_begins() {
        let hours = |period: Period, hour, offset_min| {
            let start_ms = period.start_ms(NEW_YEAR_H + hour, offset_min);
            (start_ms - NEW_YEAR_H * HOUR_MS) / 60_000
        };
        for (period, hour, offset_min, expected_min) in [
            (Period::Hour, 5, 330, 5 * 60),
            (Period::Day, 0, 0, 0),
            (Period::Day, 23, 0, 0),
            (Period::Day, -1, 0, -24 * 60),
            // Berlin: the day began at 23:00 UTC.
            (Period::Day, -1, 60, -60),
            (Period::Day, 22, 60, -60),
            (Period::Day, 23, 60, 23 * 60),
            // New York.
            (Period::Day, 4, -300, -19 * 60),
            (Period::Day, 5, -300, 5 * 60),
            // India: the day begins at 18:30 UTC, and the hour of 18:00 belongs to the day before.
            (Period::Day, 18, 330, -330),
            (Period::Day, 19, 330, 18 * 60 + 30),
            // The Monday before was 2025-12-29.
            (Period::Week, 0, 0, -3 * 24 * 60),
            (Period::Week, 4 * 24 - 1, 0, -3 * 24 * 60),
            (Period::Week, 4 * 24, 0, 4 * 24 * 60),
            (Period::Week, 4 * 24 - 1, 60, 4 * 24 * 60 - 60),
        ] {
            assert_eq!(
                hours(period, hour, offset_min),
                expected_min,
                "{period:?} {hour} {offset_min}"
            );
        }
    }
}
