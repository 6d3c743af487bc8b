//! [`Books`] behind the trait: SQLite blocks, so each call is done on a thread for that.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::cipher::BodyKeys;
use super::dead::Selection;
use super::error::OpenError;
use super::ledger::Books;
use crate::answer::Answer;
use crate::books::Audit;
use crate::error::JournalError;
use crate::filter::{EventFilter, Found, Page, RejectionFilter, RequestFilter, TallyQuery};
use crate::ledger::Ledger;
use crate::records::{
    Coverage, Dropped, DroppedWaiting, EventDetail, EventRecord, PeriodTally, RejectionKey,
    RejectionRecord, Replayed, SentRequest,
};
use crate::types::EventKey;

/// The ledger of a journal in a folder of this machine. A call waits until the one before is done, and holds no thread
/// meanwhile. What reads all rows has a connection of its own, so that no other call waits for it.
pub struct EmbeddedLedger {
    books: Arc<Mutex<Books>>,
    /// For [`Ledger::audit`] and [`Ledger::check`], which read no body with its key.
    books_for_all: Arc<Mutex<Books>>,
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
            books_for_all: Arc::new(Mutex::new(Books::open(folder)?)),
        })
    }

    fn ask<'a, T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Books) -> Result<T, JournalError> + Send + 'static,
    ) -> Answer<'a, T> {
        ask(Arc::clone(&self.books), act)
    }
}

fn ask<'a, T: Send + 'static>(
    books: Arc<Mutex<Books>>,
    act: impl FnOnce(&mut Books) -> Result<T, JournalError> + Send + 'static,
) -> Answer<'a, T> {
    Box::pin(async move {
        let mut books = books.lock_owned().await;
        let done = tokio::task::spawn_blocking(move || act(&mut books));
        // The runtime is about to end.
        done.await.map_err(|_| JournalError::Closed)?
    })
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
        ask(Arc::clone(&self.books_for_all), Books::audit)
    }

    fn check(&self) -> Answer<'_, Vec<String>> {
        ask(Arc::clone(&self.books_for_all), |books| books.check())
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::{Embedded, Options};

    #[test]
    fn a_call_that_waits_holds_no_thread_and_an_audit_waits_for_no_call() {
        let folder = TempDir::new().unwrap();
        let _journal = Embedded::open(folder.path(), Options::default()).unwrap();
        let ledger = EmbeddedLedger::open(folder.path(), BodyKeys::default()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(1)
            .build()
            .unwrap();
        runtime.block_on(async {
            let busy = Arc::clone(&ledger.books).lock_owned().await;
            let mut waits = ledger.records(Vec::new());
            tokio::select! {
                biased;
                _ = &mut waits => panic!("two calls at a time on one connection"),
                () = std::future::ready(()) => {}
            }
            // There is one thread for both.
            assert!(ledger.audit().await.unwrap().balanced);
            assert!(ledger.check().await.unwrap().is_empty());
            drop(busy);
            assert_eq!(waits.await.unwrap(), []);
        });
    }
}
