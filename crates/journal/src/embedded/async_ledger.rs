//! [`Books`] behind the trait: SQLite blocks, so each call is done on a thread for that.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::cipher::BodyKeys;
use super::dead::Selection;
use super::error::OpenError;
use super::ledger::Books;
use crate::books::Audit;
use crate::error::JournalError;
use crate::filter::{EventFilter, Found, Page, RejectionFilter, RequestFilter, TallyQuery};
use crate::journal::Answer;
use crate::ledger::Ledger;
use crate::records::{
    Coverage, Dropped, DroppedWaiting, EventDetail, EventRecord, PeriodTally, RejectionKey,
    RejectionRecord, Replayed, SentRequest,
};
use crate::types::EventKey;

/// The ledger of a journal in a folder of this machine. It has one connection: a call waits until the one before is
/// done.
pub struct EmbeddedLedger {
    books: Arc<Mutex<Books>>,
    place: String,
}

impl EmbeddedLedger {
    /// Opens the journal in a folder, beside a running gateway or without one. Makes nothing. Encrypted bodies are
    /// read with these keys.
    ///
    /// # Errors
    ///
    /// [`OpenError`] with what is wrong and, from [`OpenError::help`], what to do.
    pub fn open(folder: &Path, keys: BodyKeys) -> Result<Self, OpenError> {
        let books = Books::open(folder)?.with_keys(keys);
        Ok(Self {
            place: books.path().display().to_string(),
            books: Arc::new(Mutex::new(books)),
        })
    }

    fn ask<'a, T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Books) -> Result<T, JournalError> + Send + 'static,
    ) -> Answer<'a, T> {
        let books = Arc::clone(&self.books);
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || {
                let mut books = books.lock().unwrap_or_else(PoisonError::into_inner);
                act(&mut books)
            });
            // The runtime is about to end.
            done.await.map_err(|_| JournalError::Closed)?
        })
    }
}

impl Ledger for EmbeddedLedger {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn search<'a>(
        &'a self,
        filter: &'a EventFilter,
        page: Page,
    ) -> Answer<'a, Found<EventRecord, EventKey>> {
        let filter = filter.clone();
        self.ask(move |books| books.search(&filter, page))
    }

    fn waiting<'a>(
        &'a self,
        filter: &'a EventFilter,
        after: Option<EventKey>,
        limit: usize,
    ) -> Answer<'a, Found<EventRecord, EventKey>> {
        let filter = filter.clone();
        self.ask(move |books| books.waiting(&filter, after, limit))
    }

    fn records(&self, keys: Vec<EventKey>) -> Answer<'_, Vec<EventRecord>> {
        self.ask(move |books| books.records(&keys))
    }

    fn event(&self, key: EventKey) -> Answer<'_, Option<EventDetail>> {
        self.ask(move |books| books.event(key))
    }

    fn rejections<'a>(
        &'a self,
        filter: &'a RejectionFilter,
        before: Option<RejectionKey>,
        limit: usize,
    ) -> Answer<'a, Found<RejectionRecord, RejectionKey>> {
        let filter = filter.clone();
        self.ask(move |books| books.rejections(&filter, before, limit))
    }

    fn rejection(&self, key: RejectionKey) -> Answer<'_, Option<RejectionRecord>> {
        self.ask(move |books| books.rejection(key))
    }

    fn requests<'a>(
        &'a self,
        filter: &'a RequestFilter,
        before: Option<i64>,
        limit: usize,
    ) -> Answer<'a, Found<SentRequest, i64>> {
        let filter = filter.clone();
        self.ask(move |books| books.requests(&filter, before, limit))
    }

    fn tallies<'a>(
        &'a self,
        query: &'a TallyQuery,
        from_hour: Option<u64>,
    ) -> Answer<'a, Found<PeriodTally, u64>> {
        let query = query.clone();
        self.ask(move |books| books.tallies(&query, from_hour))
    }

    fn coverage<'a>(
        &'a self,
        filter: &'a EventFilter,
        before: Option<EventKey>,
    ) -> Answer<'a, Found<Coverage, EventKey>> {
        let filter = filter.clone();
        self.ask(move |books| books.coverage(&filter, before))
    }

    fn replay(&self, keys: Vec<EventKey>, now_ms: u64, is_trial: bool) -> Answer<'_, Replayed> {
        let which = Selection::Keys(keys);
        self.ask(move |books| {
            if is_trial {
                books.would_replay(&which, now_ms)
            } else {
                books.replay(&which, now_ms)
            }
        })
    }

    fn drop_dead(&self, keys: Vec<EventKey>, at_ms: u64) -> Answer<'_, Dropped> {
        self.ask(move |books| books.drop_events(&Selection::Keys(keys), at_ms))
    }

    fn drop_waiting(&self, keys: Vec<EventKey>, at_ms: u64) -> Answer<'_, DroppedWaiting> {
        self.ask(move |books| books.drop_waiting(&keys, at_ms))
    }

    fn audit(&self) -> Answer<'_, Audit> {
        self.ask(Books::audit)
    }

    fn check(&self) -> Answer<'_, Vec<String>> {
        self.ask(|books| books.check())
    }
}
