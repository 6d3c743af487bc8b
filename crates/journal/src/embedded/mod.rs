//! The embedded engine: SQLite on the machine's own disk.
//!
//! - **One writer thread** commits in groups; rows are appended in order, no row of an event is changed.
//! - **What waits and what was seen lately is in memory**, rebuilt from the rows at start; the rows
//!   are the truth.
//! - **Readers are short**: one lease's events at a time, never across an await. A long read
//!   transaction keeps the write-ahead log from being started over.
//! - **Only this program's SQLite may open the file** while it is in use: versions before 3.51.3 can
//!   corrupt a journal that two processes have open.
//!
//! Not here: what an event may contain (`sluice-event`), when to send it (the lanes of the gateway).

mod amend;
mod append;
mod arrivals;
mod async_ledger;
mod audit;
mod body;
mod cipher;
mod clock;
mod command;
mod copier;
mod coverage;
mod dead;
mod erase;
mod error;
mod files;
mod folder;
mod hold;
mod hole;
mod identifiers;
mod index;
mod indexing;
mod inspect;
mod kept;
mod lane;
mod lease;
mod ledger;
mod lock;
mod low_water;
mod mark;
mod names;
mod observer;
mod others;
mod place;
mod problems;
mod prune;
mod queue;
mod readers;
mod records;
mod reject;
mod rejection_rows;
mod rejections;
mod row;
mod schema;
mod search;
mod sent;
mod settle;
mod shared;
mod slot;
mod start;
mod state;
mod sweep;
mod tallies;
mod tally;
mod terms;
#[cfg(test)]
mod tests;
mod unreadable;
mod upkeep;
mod waiting;
mod waiting_row;
mod way;
mod writer;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

pub use async_ledger::EmbeddedLedger;
pub use cipher::{BodyKey, BodyKeys, InvalidBodyKey};
pub use dead::Selection;
pub use error::OpenError;
pub use ledger::Books;
pub use observer::{ArrivalKind, CommitStats, CommittedCount, Observer};

use crate::answer::Answer;
use crate::error::JournalError;
use crate::journal::{Health, Journal, Lease, LeaseLimits, Retention};
use crate::tokens::{Tokens, TokensInMemory};
use crate::types::{
    Amendable, Amended, Amendment, Appended, BatchLimits, Cause, DeliveryReport, EventKey, LaneId,
    Leased, Outcome, Received, Rejection, SentEvents, Waiting,
};
use amend::Change;
use append::Arrival;
use cipher::Sealer;
use command::{Command, Reply};
use indexing::Segment;
use lease::Taken;
use place::Place;
use prune::Prune;
use schema::FILE;
use shared::Shared;
use sweep::Sweep;
use terms::Texts;
use writer::Writer;

/// Commands that wait for the writer; further callers wait before theirs is sent.
const COMMANDS_MAX: usize = 1_024;

/// Bytes that wait for the writer: the JSON of events, and what is kept of rejected ones. Further callers wait before
/// theirs are sent.
const BYTES_MAX: usize = 64 << 20;

/// How to open a journal.
#[derive(Default)]
pub struct Options {
    /// Is called with every commit.
    pub observer: Option<Observer>,
    /// The body of an event is deleted in the transaction that records that it was delivered.
    pub deletes_delivered: bool,
    /// How bodies are encrypted on disk.
    pub encryption: Option<Encryption>,
}

/// How bodies are encrypted on disk.
pub struct Encryption {
    /// The keys.
    pub keys: BodyKeys,
    /// Never the same at two starts: nonces begin with it.
    pub chance: [u8; 16],
}

/// A journal in a folder of this machine, open for a gateway.
pub struct Embedded {
    // The order matters: when it is dropped, the channel closes first, then the writer is waited for.
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
    texts: Texts,
    /// Encrypts new bodies.
    sealer: Option<Sealer>,
    /// For the bytes of appends, in kilobytes.
    room: Arc<Semaphore>,
    /// One gateway has the journal, so they are in its memory.
    tokens: Arc<TokensInMemory>,
    _writer: WriterThread,
}

/// Waits for the writer when it is dropped. It ends by itself: its channel is closed by then.
struct WriterThread(Option<JoinHandle<()>>);

impl Drop for WriterThread {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            // The panic hook has reported it; the callers got `Closed`.
            let _panicked = thread.join().is_err();
        }
    }
}

impl Embedded {
    /// Opens the journal in a folder; makes both if they do not exist. Reads what waits and what was
    /// seen lately, which takes about a second per million events, so call it where blocking is allowed.
    ///
    /// # Errors
    ///
    /// [`OpenError`] with what is wrong and, from [`OpenError::help`], what to do.
    pub fn open(folder: &Path, options: Options) -> Result<Self, OpenError> {
        folder::make(folder)?;
        folder::refuse_exposed(folder)?;
        let lock = lock::Lock::take(folder)?;
        let path = folder.join(FILE);
        let failed = |error| OpenError::of_sqlite(&path, &error);
        folder::keep_private(&path)?;
        let conn = schema::open(&path)?;
        let (keys, chance) = options
            .encryption
            .map_or_else(Default::default, |encryption| {
                (encryption.keys, encryption.chance)
            });
        if let Some(key) = body::missing_key(&conn, &keys).map_err(failed)? {
            return Err(OpenError::MissingKey { path, key });
        }
        let current = keys.current.clone();
        let sealer = current.map(|key| Sealer::new(key, chance));
        let deletes_delivered = options.deletes_delivered;
        let shared = Shared::new(path.clone(), Place::of(folder)?, keys, deletes_delivered);
        let shared = Arc::new(shared);
        let terms = terms::Terms::load(&conn);
        let terms = terms.map_err(|error| OpenError::of_journal(&path, error))?;
        let texts = terms.texts();
        let mut state = start::load(&conn, terms, Arc::clone(&shared)).map_err(failed)?;
        state.check_books();
        body::note_key(&conn, state.next_event, &shared.keys).map_err(failed)?;
        let (commands, received) = mpsc::channel(COMMANDS_MAX);
        let copier = copier::Copier::start(&path)?;
        let writer = Writer::new(conn, state, received, options.observer, copier, lock);
        let writer = writer.map_err(failed)?;

        let failed = |error| OpenError::of_io(&path, &error);
        let alarm = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(failed)?;
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run(&alarm))
            .map_err(failed)?;
        Ok(Self {
            commands,
            shared,
            texts,
            sealer,
            room: Arc::new(Semaphore::new(BYTES_MAX / 1_024)),
            tokens: Arc::default(),
            _writer: WriterThread(Some(thread)),
        })
    }

    /// Sends a command to the writer and waits for its answer.
    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, JournalError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.commands.send(command(reply)).await;
        sent.map_err(|_| JournalError::Closed)?;
        answer.await.map_err(|_| JournalError::Closed)?
    }

    /// Room for bytes that wait for the writer. What is larger than all the room gets all of it.
    async fn room_for(&self, bytes: usize) -> Result<OwnedSemaphorePermit, JournalError> {
        let kilobytes = u32::try_from(bytes.min(BYTES_MAX) / 1_024).unwrap_or_default();
        let room = Arc::clone(&self.room).acquire_many_owned(kilobytes).await;
        room.map_err(|_| JournalError::Closed)
    }

    async fn lease_whole(&self, id: &LaneId, limits: LeaseLimits) -> Result<Lease, JournalError> {
        let lane = self.shared.lanes.get(id);
        let (mut damaged, mut locked) = (Vec::new(), Vec::new());
        loop {
            let taken = Taken::take(Arc::clone(&lane), limits);
            let is_end = taken.is_empty();
            let (shared, texts) = (Arc::clone(&self.shared), self.texts.clone());
            let read = tokio::task::spawn_blocking(move || {
                taken.read(&shared.readers, &texts, &shared.keys)
            });
            let read = read.await.map_err(|_| JournalError::Closed)??;
            if !read.damaged.is_empty() || !read.locked.is_empty() {
                self.withhold(&read, limits.now_ms).await?;
            }
            if !read.settled.is_empty() {
                self.forget(&read).await?;
            }
            damaged.extend_from_slice(&read.damaged);
            locked.extend_from_slice(&read.locked);
            let mut lease = read.into_lease();
            if is_end || !lease.events.is_empty() {
                (lease.damaged, lease.locked) = (damaged, locked);
                return Ok(lease);
            }
        }
    }

    /// Takes events out of the queue that another process dropped.
    async fn forget(&self, read: &lease::Read) -> Result<(), JournalError> {
        let (lane, keys) = (Arc::clone(read.lane()), read.settled.clone());
        self.ask(|reply| Command::Forget { lane, keys, reply })
            .await
    }

    /// Sets aside events whose bodies are damaged or cannot be opened, so that the lane goes on without them.
    async fn withhold(&self, read: &lease::Read, now_ms: u64) -> Result<(), JournalError> {
        let withheld = |key: &EventKey, text: String| {
            let cause = Cause {
                text,
                ..Cause::default()
            };
            (*key, Outcome::Withheld(cause))
        };
        let damaged = read.damaged.iter().map(|key| {
            let text = "the stored event is damaged; it was not sent";
            withheld(key, text.to_owned())
        });
        let locked = read.locked.iter().map(|(key, id)| {
            let text = format!(
                "its body is encrypted with the key {id}, which the gateway does not have; it was not sent"
            );
            withheld(key, text)
        });
        let report = DeliveryReport {
            at_ms: now_ms,
            request: None,
            outcomes: damaged.chain(locked).collect(),
            ..DeliveryReport::default()
        };
        let lane = Arc::clone(read.lane());
        self.ask(|reply| Command::Settle {
            lane,
            report,
            resolved: Vec::new(),
            reply,
        })
        .await
    }
}

fn too_long() -> JournalError {
    JournalError::Disk("a body is too long to be encrypted".to_owned())
}

/// The events of a lease whose intents a report ends. What is withheld may have arrived and keeps its intent.
fn resolved(lease: &Lease, report: &DeliveryReport) -> Vec<EventKey> {
    let settled = report.outcomes.iter().filter_map(|(key, outcome)| {
        let is_withheld = matches!(outcome, Outcome::Withheld(_));
        (!is_withheld).then_some(*key)
    });
    let known: HashSet<_> = settled.chain(report.not_taken.iter().copied()).collect();
    let intended = lease
        .events
        .iter()
        .filter(|event| event.intended_ms.is_some());
    let resolved = intended.filter(|event| known.contains(&event.key));
    resolved.map(|event| event.key).collect()
}

impl Journal for Embedded {
    fn receive(&self, received: Received) -> Answer<'_, Vec<Appended>> {
        Box::pin(async move {
            let Received {
                arrivals: counts,
                entries,
                rejections,
            } = received;
            if entries.is_empty() && rejections.is_empty() {
                return Ok(Vec::new());
            }
            let sealer = self.sealer.as_ref();
            let arrivals = entries
                .into_iter()
                .map(|entry| Arrival::new(entry, sealer))
                .collect::<Option<Vec<_>>>()
                .ok_or_else(too_long)?;
            let accepted: usize = arrivals.iter().map(Arrival::bytes).sum();
            let rejected: usize = rejections.iter().map(Rejection::bytes).sum();
            let room = self.room_for(accepted + rejected).await?;
            self.ask(|reply| Command::Append {
                counts,
                arrivals,
                rejections,
                _room: room,
                reply,
            })
            .await
        })
    }

    fn lease<'a>(&'a self, lane: &'a LaneId, limits: LeaseLimits) -> Answer<'a, Lease> {
        Box::pin(self.lease_whole(lane, limits))
    }

    fn settle<'a>(&'a self, lease: &'a mut Lease, mut report: DeliveryReport) -> Answer<'a, ()> {
        Box::pin(async move {
            // Only what is leased can be settled; the rest of the report is a mistake of the caller.
            let mut leased: HashSet<_> = lease.events.iter().map(|event| event.key).collect();
            report.outcomes.retain(|(key, _)| leased.remove(key));
            let settled: HashSet<_> = report.outcomes.iter().map(|(key, _)| *key).collect();
            let lane = self.shared.lanes.get(&lease.lane);
            let resolved = resolved(lease, &report);
            let is_resolved: HashSet<_> = resolved.iter().copied().collect();
            self.ask(|reply| Command::Settle {
                lane,
                report,
                resolved,
                reply,
            })
            .await?;
            lease.events.retain(|event| !settled.contains(&event.key));
            for event in &mut lease.events {
                if is_resolved.contains(&event.key) {
                    event.intended_ms = None;
                }
            }
            Ok(())
        })
    }

    fn intend<'a>(
        &'a self,
        lease: &'a mut Lease,
        keys: &'a [EventKey],
        at_ms: u64,
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            let keys: HashSet<_> = keys.iter().collect();
            let is_meant = |event: &Leased| !event.is_deduplicated && keys.contains(&event.key);
            let events = lease.events.iter().filter(|event| is_meant(event));
            let intended: Vec<_> = events.map(|event| event.key).collect();
            if intended.is_empty() {
                return Ok(());
            }
            self.ask(|reply| Command::Intend {
                keys: intended,
                at_ms,
                reply,
            })
            .await?;
            for event in &mut lease.events {
                if is_meant(event) {
                    event.intended_ms = Some(at_ms);
                }
            }
            Ok(())
        })
    }

    fn amendable(&self, event: EventKey) -> Answer<'_, Option<Amendable>> {
        let (shared, texts) = (Arc::clone(&self.shared), self.texts.clone());
        Box::pin(async move {
            let read = move || {
                let found = shared
                    .readers
                    .read(|conn| Ok(amend::read(conn, event, (&texts, &shared.keys))?))?;
                let is_free = |lane: &LaneId| shared.lanes.get(lane).is_free(event);
                let found = found.filter(|(lane, _)| is_free(lane));
                Ok(found.map(|(_, amendable)| amendable))
            };
            let read = tokio::task::spawn_blocking(read).await;
            read.map_err(|_| JournalError::Closed)?
        })
    }

    fn amend(&self, amendment: Amendment) -> Answer<'_, Amended> {
        Box::pin(async move {
            let change = Change::new(amendment, self.sealer.as_ref());
            let change = Box::new(change.ok_or_else(too_long)?);
            let room = self.room_for(change.bytes()).await?;
            self.ask(|reply| Command::Amend {
                change,
                _room: room,
                reply,
            })
            .await
        })
    }

    fn waiting(&self, lane: &LaneId) -> Waiting {
        self.shared.lanes.get(lane).waiting()
    }

    fn bell(&self, lane: &LaneId, full: BatchLimits) -> Arc<Notify> {
        self.shared.lanes.get(lane).bell(full)
    }

    fn lanes(&self) -> watch::Receiver<Vec<LaneId>> {
        self.shared.lanes.watch()
    }

    fn retire(&self, lane: &LaneId) -> bool {
        self.shared.lanes.retire(lane)
    }

    fn sent_since(&self, since_ms: u64) -> Answer<'_, Vec<SentEvents>> {
        let (shared, texts) = (Arc::clone(&self.shared), self.texts.clone());
        Box::pin(async move {
            let read = move || {
                let readers = &shared.readers;
                readers.read(|conn| Ok(sent::since(conn, &texts, since_ms)?))
            };
            let read = tokio::task::spawn_blocking(read).await;
            read.map_err(|_| JournalError::Closed)?
        })
    }

    fn kept(&self, events: Vec<EventKey>) -> Answer<'_, Vec<Option<String>>> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let read = move || {
                let readers = &shared.readers;
                readers.read(|conn| Ok(kept::jsons(conn, &events, &shared.keys)?))
            };
            let read = tokio::task::spawn_blocking(read).await;
            read.map_err(|_| JournalError::Closed)?
        })
    }

    fn tokens(&self) -> Arc<dyn Tokens> {
        Arc::clone(&self.tokens) as Arc<dyn Tokens>
    }

    fn health(&self) -> Health {
        Health {
            commits: self.shared.commits.load(Ordering::Relaxed),
            db_bytes: upkeep::bytes_of(&self.shared.path),
            wal_bytes: upkeep::bytes_of(&schema::wal_path(&self.shared.path)),
            tally: self.shared.tally(),
            is_failing: self.shared.failing(),
        }
    }

    fn sweep(&self, retention: Retention) -> Answer<'_, u64> {
        Box::pin(async move {
            let mut sweep = Sweep::new(retention);
            while !sweep.is_over() {
                sweep = self.ask(|reply| Command::Sweep { sweep, reply }).await?;
            }
            sweep.result()
        })
    }

    fn prune(&self, final_before_ms: u64) -> Answer<'_, u64> {
        Box::pin(async move {
            let mut prune = Prune::new(final_before_ms);
            while !prune.is_over() {
                prune = self.ask(|reply| Command::Prune { prune, reply }).await?;
            }
            prune.result()
        })
    }

    fn index(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            let shared = Arc::clone(&self.shared);
            let read = tokio::task::spawn_blocking(move || Segment::next(&shared));
            let read = read.await.map_err(|_| JournalError::Closed)??;
            match read {
                Some(segment) => {
                    let segment = Box::new(segment);
                    self.ask(|reply| Command::Index { segment, reply }).await
                }
                None => Ok(()),
            }
        })
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            match self.ask(|reply| Command::Close { reply }).await {
                // It was closed before.
                Err(JournalError::Closed) => Ok(()),
                other => other,
            }
        })
    }
}
