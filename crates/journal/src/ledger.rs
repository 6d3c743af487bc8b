//! What people need of a journal, whatever the engine behind it: lists, counts, the audit, and what can be done
//! about dead and waiting events; beside running gateways or without one.

use crate::answer::Answer;
use crate::books::Audit;
use crate::error::JournalError;
use crate::filter::{EventFilter, Found, Page, RejectionFilter, RequestFilter, TallyQuery};
use crate::records::{
    Coverage, Dropped, DroppedWaiting, EventDetail, EventRecord, PeriodTally, RejectionKey,
    RejectionRecord, Replayed, SentRequest,
};
use crate::types::{EventKey, EventState};

/// Reading a journal.
///
/// Every list comes in parts: a call looks at a bounded number of rows and says from where to go on, even when
/// nothing has fit yet. No read transaction is held across an `.await`. A row that cannot be read is passed over and
/// counted. Dropping a future ends the waiting, not what was begun.
pub trait Ledger: Send + Sync {
    /// Where the journal is, for people: the path of its file, or the address of its database.
    fn place(&self) -> String;

    /// Events that fit, the newest first.
    fn search<'a>(
        &'a self,
        filter: &'a EventFilter,
        page: Page,
    ) -> Answer<'a, Found<EventRecord, EventKey>>;

    /// Waiting events that fit in order of arrival, those of running gateways' lanes included: at most `limit`, and
    /// never more than [`PAGE_MAX`](crate::PAGE_MAX), behind the event `after`. The filter's states are not
    /// looked at.
    fn waiting<'a>(
        &'a self,
        filter: &'a EventFilter,
        after: Option<EventKey>,
        limit: usize,
    ) -> Answer<'a, Found<EventRecord, EventKey>>;

    /// These events as they are now; those that are not there, or cannot be read, are left out. Of more than
    /// [`PAGE_MAX`](crate::PAGE_MAX) only the first are looked at.
    fn records(&self, keys: Vec<EventKey>) -> Answer<'_, Vec<EventRecord>>;

    /// One event and all that is known about it.
    fn event(&self, key: EventKey) -> Answer<'_, Option<EventDetail>>;

    /// Rejected events that fit, the newest first: at most `limit`, and never more than
    /// [`PAGE_MAX`](crate::PAGE_MAX), before `before`.
    fn rejections<'a>(
        &'a self,
        filter: &'a RejectionFilter,
        before: Option<RejectionKey>,
        limit: usize,
    ) -> Answer<'a, Found<RejectionRecord, RejectionKey>>;

    /// One rejected event.
    fn rejection(&self, key: RejectionKey) -> Answer<'_, Option<RejectionRecord>>;

    /// Requests to Meta that fit, the newest first: at most `limit`, and never more than
    /// [`PAGE_MAX`](crate::PAGE_MAX), before the one with the number `before`.
    fn requests<'a>(
        &'a self,
        filter: &'a RequestFilter,
        before: Option<i64>,
        limit: usize,
    ) -> Answer<'a, Found<SentRequest, i64>>;

    /// Counts by hour, day or week, in order of time. A period that the end of a call cuts in two comes again with the
    /// rest, to be added up. An hour is never cut.
    fn tallies<'a>(
        &'a self,
        query: &'a TallyQuery,
        from_hour: Option<u64>,
    ) -> Answer<'a, Found<PeriodTally, u64>>;

    /// How many of the events that fit carry which identifiers, to be added up over the calls
    /// ([`Coverage::add`]).
    fn coverage<'a>(
        &'a self,
        filter: &'a EventFilter,
        before: Option<EventKey>,
    ) -> Answer<'a, Found<Coverage, EventKey>>;

    /// Makes dead events wait again, or only says what would become of them. Their outcomes are kept as history.
    fn replay(&self, keys: Vec<EventKey>, now_ms: u64, is_trial: bool) -> Answer<'_, Replayed>;

    /// Gives refused and expired events up for good.
    fn drop_dead(&self, keys: Vec<EventKey>, at_ms: u64) -> Answer<'_, Dropped>;

    /// Gives waiting events up: they are withheld from now on, and no lane leases them any more. What a lane has
    /// leased at this moment may be on its way to Meta; when Meta takes it, it counts as delivered.
    fn drop_waiting(&self, keys: Vec<EventKey>, at_ms: u64) -> Answer<'_, DroppedWaiting>;

    /// Counts every event again from its rows. The one call that looks at all of them, about a second per million.
    fn audit(&self) -> Answer<'_, Audit>;

    /// Looks at everything that is kept for damage, and says what is damaged. Takes minutes on a large journal.
    ///
    /// # Errors
    ///
    /// Only what keeps it from looking: damage is no error here.
    fn check(&self) -> Answer<'_, Vec<String>>;
}

/// The newest event that came after this dead one under the same name, id and test code, and is delivered, waits or
/// may have arrived. Because of it [`Ledger::replay`] leaves this one alone.
///
/// # Errors
///
/// Those of [`Ledger::search`].
pub async fn successor(
    ledger: &dyn Ledger,
    dead: &EventRecord,
) -> Result<Option<EventRecord>, JournalError> {
    let filter = EventFilter {
        event_id: Some(dead.event_id.clone()),
        event_name: Some(dead.event_name.clone()),
        is_test: Some(dead.test_code.is_some()),
        after: Some(dead.key),
        ..EventFilter::default()
    };
    let mut page = Page {
        before: None,
        limit: crate::PAGE_MAX,
    };
    loop {
        let found = ledger.search(&filter, page).await?;
        for later in found.rows {
            let is_same = later.dataset == dead.dataset && later.test_code == dead.test_code;
            if is_same && may_arrive(ledger, &later).await? {
                return Ok(Some(later));
            }
        }
        if found.next.is_none() {
            return Ok(None);
        }
        page.before = found.next;
    }
}

/// Whether an event is delivered or waits, or may be at Meta whatever its state.
async fn may_arrive(ledger: &dyn Ledger, event: &EventRecord) -> Result<bool, JournalError> {
    if matches!(event.state, EventState::Waiting | EventState::Delivered) {
        return Ok(true);
    }
    let detail = ledger.event(event.key).await?;
    Ok(detail.is_some_and(|detail| detail.intended_ms.is_some()))
}
