//! Which dead events are meant.

use clap::ValueEnum;
use sluice_journal::{
    EventFilter, EventKey, EventRecord, EventState, Ledger, PAGE_MAX, Page, RejectionFilter,
    RejectionKey, RejectionRecord,
};

use crate::commands::chosen::{Origin, since_ms};
use crate::failure::Failure;
use crate::option_values::{self, Since};

/// Filters; an event has to fit all that are given.
#[derive(Debug, Clone, PartialEq, clap::Args)]
#[command(next_help_heading = "Which events")]
pub(super) struct Filters {
    #[command(flatten)]
    origin: Origin,
    /// With this error code of Meta's, such as 100
    #[arg(long)]
    code: Option<i64>,
    /// With this subcode of Meta's, such as 2804003
    #[arg(long)]
    subcode: Option<i64>,
    /// In this state; may be given several times [default: refused and expired]
    #[arg(long = "state", value_name = "STATE", value_enum)]
    states: Vec<State>,
    /// That died since: 30m, 24h, 7d, Unix seconds or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = option_values::since)]
    since: Option<Since>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    /// Meta refused it
    Refused,
    /// It grew too old before Meta could take it
    Expired,
    /// Sluice keeps it back
    Withheld,
    /// No dataset could take it when it came in; it has no body
    Rejected,
}

impl State {
    /// The state of an accepted event; a rejected one never became one.
    fn of_accepted(self) -> Option<EventState> {
        match self {
            State::Refused => Some(EventState::Refused),
            State::Expired => Some(EventState::Expired),
            State::Withheld => Some(EventState::Withheld),
            State::Rejected => None,
        }
    }
}

impl Filters {
    /// Whether nothing was asked for.
    pub(super) fn is_empty(&self) -> bool {
        let Self {
            origin,
            code,
            subcode,
            states,
            since,
        } = self;
        origin.is_empty()
            && code.is_none()
            && subcode.is_none()
            && states.is_empty()
            && since.is_none()
    }

    fn dead_filter(&self) -> EventFilter {
        let states = self.states.iter().copied();
        let mut states: Vec<_> = states.filter_map(State::of_accepted).collect();
        if states.is_empty() {
            // To send a withheld event again is a decision about that event: it may be at Meta already.
            states = vec![EventState::Refused, EventState::Expired];
        }
        EventFilter {
            states,
            dataset: self.origin.dataset.clone(),
            source: self.origin.source.clone(),
            event_name: self.origin.name.clone(),
            code: self.code,
            subcode: self.subcode,
            final_from_ms: since_ms(self.since),
            ..EventFilter::default()
        }
    }

    /// Whether rejected events are asked for.
    pub(super) fn has_rejected(&self) -> bool {
        self.states.contains(&State::Rejected)
    }

    /// Whether nothing but rejected events is asked for.
    pub(super) fn is_rejected_only(&self) -> bool {
        !self.states.is_empty() && self.states.iter().all(|state| *state == State::Rejected)
    }

    /// Calls `each` with every rejected event that fits, the newest first, until it says stop. Returns how many rows on
    /// the way cannot be read.
    pub(super) async fn each_rejected(
        &self,
        ledger: &dyn Ledger,
        mut each: impl FnMut(RejectionRecord) -> Result<Next, Failure>,
    ) -> Result<u64, Failure> {
        // Meta never saw them, so they have none of its codes.
        if !self.has_rejected() || self.code.is_some() || self.subcode.is_some() {
            return Ok(0);
        }
        let filter = RejectionFilter {
            dataset: self.origin.dataset.clone(),
            source: self.origin.source.clone(),
            event_name: self.origin.name.clone(),
            since_ms: since_ms(self.since),
        };
        let mut before = None;
        let mut unreadable = 0;
        loop {
            let found = ledger.rejections(&filter, before, PAGE_MAX).await?;
            unreadable += found.unreadable;
            for event in found.rows {
                if each(event)? == Next::Stop {
                    return Ok(unreadable);
                }
            }
            before = found.next;
            if before.is_none() {
                return Ok(unreadable);
            }
        }
    }

    /// Calls `each` with every event that fits, the newest first, until it says stop. Returns how many rows on
    /// the way cannot be read.
    pub(super) async fn each(
        &self,
        ledger: &dyn Ledger,
        mut each: impl FnMut(EventRecord) -> Result<Next, Failure>,
    ) -> Result<u64, Failure> {
        if self.is_rejected_only() {
            return Ok(0);
        }
        let filter = self.dead_filter();
        let mut page = Page {
            before: None,
            limit: PAGE_MAX,
        };
        let mut unreadable = 0;
        loop {
            let found = ledger.search(&filter, page).await?;
            unreadable += found.unreadable;
            for event in found.rows {
                if each(event)? == Next::Stop {
                    return Ok(unreadable);
                }
            }
            page.before = found.next;
            if page.before.is_none() {
                return Ok(unreadable);
            }
        }
    }

    /// Whether there are withheld events that would fit, had they been asked for.
    pub(super) async fn leaves_out_withheld(&self, ledger: &dyn Ledger) -> Result<bool, Failure> {
        if !self.states.is_empty() {
            return Ok(false);
        }
        let withheld = Self {
            states: vec![State::Withheld],
            ..self.clone()
        };
        let mut is_any = false;
        let each = |_| {
            is_any = true;
            Ok(Next::Stop)
        };
        withheld.each(ledger, each).await?;
        Ok(is_any)
    }
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Go,
    Stop,
}

/// The key of an event: a number, or of a rejected one `r` and a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Event(EventKey),
    Rejected(RejectionKey),
}

/// Reads a key, which stands in front of an event in the list.
pub(super) fn key(text: &str) -> Result<Key, &'static str> {
    let number = |text: &str| text.parse().ok().filter(|number| *number > 0);
    let key = match text.strip_prefix('r') {
        Some(rest) => number(rest).map(RejectionKey).map(Key::Rejected),
        None => number(text).map(EventKey).map(Key::Event),
    };
    key.ok_or(
        "a key is the number that `sluice dead list` shows, r and a number for a rejected event",
    )
}

/// A rejected event's key as it is shown.
pub(super) fn shown_key(key: RejectionKey) -> String {
    format!("r{}", key.0)
}
