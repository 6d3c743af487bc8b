//! The durable memory of every event and what became of it.
//!
//! [`Journal`] is what the running gateway needs: events in, leases out, outcomes back.
//! [`Ledger`] is what people need: lists, counts, the audit, sending dead events again; beside a running gateway or
//! without one. One engine stands behind both, SQLite on the machine's own disk: [`Embedded`] and [`EmbeddedLedger`].
//! [`Books`] is the same as the latter for callers that may block.
//!
//! What every engine keeps:
//!
//! - When [`Journal::append`] has returned, the events survive the death of the process and of the machine.
//! - Of two events with one identity inside the window only the first is kept; the other is counted.
//! - An event is leased by one holder at a time. A lease saves work, it is not the truth: after a crash an
//!   event may be sent twice, which Meta's own deduplication by `event_id` makes harmless.
//! - Where Meta does not deduplicate, [`Journal::intend`] puts on disk that an event is about to be sent, so
//!   that it is known after a crash which events may have arrived.
//! - Every event that came in was accepted, a copy or rejected; every accepted one is in exactly one state,
//!   and the counts say the same as the rows.
//! - Time comes in with the calls; nothing here reads a clock.

mod answer;
mod books;
mod budget;
mod dedup;
mod embedded;
mod error;
mod filter;
mod journal;
mod ledger;
mod records;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod tokens;
mod types;

pub use answer::Answer;
pub use books::{Audit, AuditGroup, AuditSource, CodeCount, Tally, books_balance};
pub use embedded::{
    ArrivalKind, BodyKey, BodyKeys, Books, CommitStats, CommittedCount, Embedded, EmbeddedLedger,
    Encryption, InvalidBodyKey, Observer, OpenError, Options, Selection,
};
pub use error::JournalError;
pub use filter::{
    EventFilter, Found, PAGE_MAX, Page, Period, RejectionFilter, RequestFilter, TallyQuery,
};
pub use journal::{Health, Journal, Lease, LeaseLimits, Retention};
pub use ledger::{Ledger, successor};
pub use records::{
    Coverage, Dropped, DroppedWaiting, EventDetail, EventRecord, KeptFacts, PastOutcome,
    PeriodTally, RejectionKey, RejectionRecord, Replayed, SentRequest,
};
pub use tokens::{BudgetLeft, Tokens, TokensInMemory};
pub use types::{
    Amendable, Amended, Amendment, Appended, Arrivals, BatchLimits, BodyKeyId, Cause,
    DeliveryReport, Entry, EventKey, EventState, InvalidName, LaneId, Leased, Outcome, Received,
    Rejection, RequestRecord, Revision, SentEvents, SourceName, Start, TestCode, URGENT_S,
    WINDOW_MAX_MS, Waiting,
};
