//! What can happen to the journal beside the model, and how often.

use proptest::prelude::*;

use super::events::Begins;
use crate::EventState;

/// Lanes that events may go to; see [`super::events::of`].
pub(super) const LANES: u8 = 16;

/// Events of a request: a number, which comes again in a copy, and a lane.
pub(super) type Events = Vec<(u8, u8)>;

#[derive(Debug, Clone)]
pub(super) enum Step {
    Append(Events),
    /// A request with nothing but events that no dataset could take.
    Reject(u64),
    Lease {
        lane: u8,
        is_replay: bool,
        count: usize,
    },
    /// Settles some of a lease; the rest stays leased.
    Settle {
        lease: usize,
        count: usize,
        state: EventState,
    },
    DropLease(usize),
    /// The disk fails while events come in and some of a lease is settled: nothing of it happened.
    Fail {
        events: Events,
        lease: usize,
    },
    /// A page of the file cannot be read while events come in, some are rejected and some of a lease is settled.
    Damage {
        table: Table,
        events: Events,
        lease: usize,
    },
    /// Time passes, now and then backwards or by months; and whether it is sure from then on.
    Clock {
        half_hours: i64,
        is_sure: bool,
    },
    /// Amends one of the newest events: with another value and another time, and maybe as one of a chat.
    Amend {
        nth: usize,
        age_hours: u64,
        is_message: bool,
    },
    /// Events begin so from now on.
    Begin(Begins),
    Replay(EventState),
    DropEvents,
    /// Drops waiting events, leased or not, beside the journal's memory.
    DropWaiting(usize),
    Sweep {
        hours: u64,
    },
    Close,
    /// The journal is closed while calls are under way.
    CloseAmidCalls {
        events: Events,
        lease: usize,
        /// How long each call waits before it begins.
        pauses: [u16; 5],
    },
    /// The handle is dropped, leases and all.
    Drop,
    /// The process is killed.
    Kill,
}

/// Where a page is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Event,
    Body,
    Outcome,
}

impl Table {
    pub(super) fn name(self) -> &'static str {
        match self {
            Table::Event => "event",
            Table::Body => "body",
            Table::Outcome => "outcome",
        }
    }
}

/// Mostly one of a few lanes, so that leases find something; now and then one that may be new.
fn lanes() -> impl Strategy<Value = u8> {
    prop_oneof![4 => 0..3_u8, 1 => 3..LANES]
}

fn events() -> impl Strategy<Value = Events> {
    prop::collection::vec((0..60_u8, lanes()), 1..12)
}

fn clocks() -> impl Strategy<Value = Step> {
    let half_hours = prop_oneof![
        6 => 0..40_i64,
        2 => Just(-1_i64),
        2 => Just(90_i64),
        // Days, in both directions.
        1 => -1_000..1_000_i64,
        1 => -20_000..20_000_i64,
    ];
    (half_hours, prop::bool::weighted(0.8)).prop_map(|(half_hours, is_sure)| Step::Clock {
        half_hours,
        is_sure,
    })
}

fn begins() -> impl Strategy<Value = Step> {
    let state = prop::sample::select(vec![
        EventState::Withheld,
        EventState::Expired,
        EventState::Delivered,
        EventState::Recorded,
    ]);
    let window_days = prop::option::weighted(0.3, 0..70_u16);
    let begins = prop_oneof![
        3 => Just((None, None)),
        3 => (0..60_u16).prop_map(|hold| (None, Some(hold))),
        1 => (0..400_u16).prop_map(|hold| (None, Some(hold))),
        2 => state.prop_map(|state| (Some(state), None)),
    ];
    (begins, window_days).prop_map(|((state, hold), window_days)| {
        Step::Begin(Begins {
            state,
            hold,
            window_days,
        })
    })
}

fn amend() -> impl Strategy<Value = Step> {
    // Mostly so old that what is held has to be free soon.
    let age_hours = prop_oneof![1 => 0..120_u64, 3 => 120..165_u64];
    (0..20_usize, age_hours, any::<bool>()).prop_map(|(nth, age_hours, is_message)| Step::Amend {
        nth,
        age_hours,
        is_message,
    })
}

fn close_amid_calls() -> impl Strategy<Value = Step> {
    let pause = || prop_oneof![0..4_u16, 0..500_u16];
    let pauses = [pause(), pause(), pause(), pause(), pause()];
    (events(), 0..4_usize, pauses).prop_map(|(events, lease, pauses)| Step::CloseAmidCalls {
        events,
        lease,
        pauses,
    })
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let state = || {
        prop::sample::select(vec![
            EventState::Delivered,
            EventState::Refused,
            EventState::Expired,
            EventState::Withheld,
        ])
    };
    let table = prop::sample::select(vec![Table::Event, Table::Body, Table::Outcome]);
    let step = prop_oneof![
        8 => events().prop_map(Step::Append),
        2 => (events(), 0..4_usize).prop_map(|(events, lease)| Step::Fail { events, lease }),
        1 => (table, events(), 0..4_usize)
            .prop_map(|(table, events, lease)| Step::Damage { table, events, lease }),
        2 => (1..20_u64).prop_map(Step::Reject),
        6 => (lanes(), prop::bool::weighted(0.3), 1..15_usize)
            .prop_map(|(lane, is_replay, count)| Step::Lease { lane, is_replay, count }),
        6 => (0..4_usize, 0..15_usize, state())
            .prop_map(|(lease, count, state)| Step::Settle { lease, count, state }),
        2 => (0..4_usize).prop_map(Step::DropLease),
        3 => clocks(),
        3 => begins(),
        3 => amend(),
        2 => state().prop_map(Step::Replay),
        1 => Just(Step::DropEvents),
        2 => (1..20_usize).prop_map(Step::DropWaiting),
        1 => (0..60_u64).prop_map(|hours| Step::Sweep { hours }),
        1 => Just(Step::Close),
        1 => close_amid_calls(),
        1 => Just(Step::Drop),
        1 => Just(Step::Kill),
    ];
    prop::collection::vec(step, 1..40)
}
