//! A failing disk, a damaged page, and calls that are under way when the journal is closed.

use tokio::task::yield_now;

use super::super::damage::{DamagedPage, damage_first_rows};
use super::super::in_one_group;
use super::Model;
use super::events::outcomes;
use super::steps::Table;
use crate::testing::{keys, report};
use crate::{Appended, Books, EventKey, EventState, Journal as _, JournalError, Lease, Outcome};

/// Of those that are rejected beside a damaged page.
const REJECTED: u64 = 3;

impl Model {
    pub(super) async fn fail(&mut self, events: &[(u8, u8)], lease: usize) {
        let journal = self.journal.as_ref().unwrap();
        journal
            .on_writer(|writer| writer.conn.commit_hook(Some(|| true)).unwrap())
            .await;
        assert!(journal.append(self.entries(events)).await.is_err());
        let lease = self.leases.get_mut(lease);
        if let Some(lease) = lease.filter(|lease| !lease.events.is_empty()) {
            let held = keys(lease);
            let settled = report(held.clone(), &Outcome::Delivered);
            assert!(journal.settle(lease, settled).await.is_err());
            assert_eq!(keys(lease), held);
        }
        assert!(journal.health().is_failing.is_some());
        journal
            .on_writer(|writer| {
                writer.conn.commit_hook(None::<fn() -> bool>).unwrap();
            })
            .await;
        journal.look_around().await;
        assert!(journal.health().is_failing.is_none());
        // What it remembers of copies may have become less: that is taken back by no failure.
        self.pass_time();
    }

    /// The page is as it was afterwards, so that the books can be audited; and the journal is opened anew, because
    /// it remembers which rows it could not read.
    pub(super) async fn damage(&mut self, table: Table, events: &[(u8, u8)], lease: usize) {
        self.look_around().await;
        let folder = self.folder.path().to_owned();
        let page = damage_first_rows(self.journal(), &folder, table.name()).await;
        self.group_beside(&page, table, events, lease).await;
        if table == Table::Body {
            self.lease_beside(&page).await;
        }
        page.repair();
        self.note_withheld();
        self.reopen();
    }

    /// Settles, appends and rejects in one group: only what needs the page suffers.
    async fn group_beside(
        &mut self,
        page: &DamagedPage,
        table: Table,
        events: &[(u8, u8)],
        lease: usize,
    ) {
        let newest = self.events.keys().next_back().copied();
        let rejected = self.rejections(REJECTED);
        let entries = self.entries(events);
        let mut none = Lease::new(self.lane(0, false), Vec::new(), |_| {});
        let journal = self.journal.as_ref().unwrap();
        let held = self.leases.get_mut(lease).unwrap_or(&mut none);
        let mut settled = keys(held);
        if table == Table::Event {
            // What cannot be counted leaves its lane all the same, which is no matter of this test.
            settled.retain(|key| !page.has(*key));
        }
        let report = outcomes(&settled, EventState::Delivered, self.clock.now_ms);
        let (settle, (append, reject)) =
            in_one_group(journal, journal.settle(held, report), async {
                tokio::join!(biased; journal.append(entries), journal.receive(rejected))
            })
            .await;

        assert_eq!(reject.unwrap(), []);
        self.rejected += REJECTED;
        let needs_page = table == Table::Outcome && settled.iter().any(|key| page.has(*key));
        match settle {
            Ok(()) => {
                assert!(!needs_page);
                self.settled(&settled, EventState::Delivered);
            }
            Err(error) => {
                assert!(matches!(error, JournalError::Damaged(_)), "{error:?}");
                assert!(needs_page);
            }
        }
        match append {
            Ok(appended) => {
                let is_new = |one: &Appended| matches!(one, Appended::New(_));
                let needs_page = self.appends_to(table) && page.is_only_one;
                assert!(!(needs_page && appended.iter().any(is_new)));
                // What comes in itself is not read.
                let can_be_read =
                    |key| table == Table::Body || !page.has(key) || Some(key) > newest;
                self.appended(events, &appended, can_be_read);
            }
            Err(error) => {
                assert!(matches!(error, JournalError::Damaged(_)), "{error:?}");
                assert!(self.appends_to(table) && page.is_only_one);
                self.pass_time();
            }
        }
        self.told();
    }

    /// Whether an event that comes in has a row in this table.
    fn appends_to(&self, table: Table) -> bool {
        let waits = self.begins.state.is_none();
        match table {
            Table::Event => true,
            Table::Body => waits,
            Table::Outcome => !waits,
        }
    }

    /// Events whose bodies are on the page are withheld, and the others of their lane go out.
    async fn lease_beside(&mut self, page: &DamagedPage) {
        const COUNT: usize = 5;
        let id = self.lane(0, false);
        let lease = self.journal().lease(&id, self.limits(COUNT)).await.unwrap();
        self.release(0, false);
        let ready = self.ready(0, false);
        let (mut whole, mut damaged) = (Vec::new(), Vec::new());
        for some in ready.chunks(COUNT) {
            let is_damaged = |key: &EventKey| page.has(*key);
            damaged.extend(some.iter().copied().filter(is_damaged));
            whole.extend(some.iter().copied().filter(|key| !page.has(*key)));
            if !whole.is_empty() {
                break;
            }
        }
        assert_eq!((keys(&lease), &lease.damaged), (whole, &damaged));
        for key in damaged {
            self.events.get_mut(&key).unwrap().state = EventState::Withheld;
        }
        self.leases.push(lease);
    }

    /// Since when events are withheld that the journal itself kept back: it takes the last time that came in.
    fn note_withheld(&mut self) {
        let books = Books::open(self.folder.path()).unwrap();
        let withheld = |known: &super::events::Known| known.state == EventState::Withheld;
        for (key, known) in self.events.iter_mut().filter(|(_, known)| withheld(known)) {
            let detail = books.event(*key).unwrap().unwrap();
            assert_eq!(detail.record.state, EventState::Withheld);
            known.at_ms = detail.record.at_ms.unwrap();
        }
    }

    /// Each call gets an answer. What was acknowledged is there afterwards; what was not is not.
    pub(super) async fn close_amid_calls(
        &mut self,
        events: &[(u8, u8)],
        lease: usize,
        pauses: [u16; 5],
    ) {
        self.look_around().await;
        // Others than those of the first request, so that it does not matter which is written first.
        let more: Vec<_> = events
            .iter()
            .map(|(number, lane)| (number + 100, *lane))
            .collect();
        let (entries, more_entries) = (self.entries(events), self.entries(&more));
        let mut none = Lease::new(self.lane(0, false), Vec::new(), |_| {});
        let id = self.lane(0, false);
        let limits = self.limits(10);
        let journal = self.journal.as_ref().unwrap();
        let held = self.leases.get_mut(lease).unwrap_or(&mut none);
        let settled = keys(held);
        let report = outcomes(&settled, EventState::Delivered, self.clock.now_ms);
        let pause = async |times: u16| {
            for _ in 0..times {
                yield_now().await;
            }
        };
        let (first, second, settle, leased, closed) = tokio::join!(
            async {
                pause(pauses[0]).await;
                journal.append(entries).await
            },
            async {
                pause(pauses[1]).await;
                journal.append(more_entries).await
            },
            async {
                pause(pauses[2]).await;
                journal.settle(held, report).await
            },
            async {
                pause(pauses[3]).await;
                journal.lease(&id, limits).await
            },
            async {
                pause(pauses[4]).await;
                journal.close().await
            },
        );
        closed.unwrap();
        if is_done(&settle) {
            self.settled(&settled, EventState::Delivered);
        }
        let _leased = is_done(&leased);
        let mut requests: Vec<_> = [(events, first), (&more, second)]
            .into_iter()
            .filter(|(_, appended)| is_done(appended))
            .map(|(events, appended)| (events, appended.unwrap()))
            .collect();
        // In the order in which they were written, as far as there are new events.
        requests.sort_by_key(|(_, appended)| {
            let new = appended.iter().filter_map(|one| match one {
                Appended::New(key) => Some(*key),
                Appended::Copy(_) => None,
            });
            new.max()
        });
        for (events, appended) in requests {
            self.appended(events, &appended, |_| true);
        }
        drop(leased);
        self.reopen();
    }
}

/// Whether a call was in time. The only reason why not is that the journal was closed.
fn is_done<T: std::fmt::Debug>(answer: &Result<T, JournalError>) -> bool {
    match answer {
        Ok(_) => true,
        Err(JournalError::Closed) => false,
        Err(error) => panic!("{error:?}"),
    }
}
