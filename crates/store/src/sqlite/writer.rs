//! The thread that writes.
//!
//! Calls that wait at the same time share one commit, and so one sync of the disk. Each stands behind a savepoint of
//! its own: one that fails takes nothing of the others with it. No call is answered before the commit. One that nobody
//! waits for any more is not begun, and its statement is ended when it runs; no other call's is.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::caller::{Call, LOOK_EVERY};
use super::run::fault;
use crate::error::{Fault, StoreError};

/// Calls that share a commit.
const GROUP_MAX: usize = 256;

/// Calls that wait. More are told that the store is busy.
const WAITING_MAX: usize = 4096;

/// Tells a call what the commit came to.
type Reply = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Runs the statements of a call, and says whether they are to be kept.
type Work = Box<dyn FnOnce(Result<&Connection, StoreError>) -> (bool, Reply) + Send>;

/// A call that waits.
struct Job {
    call: Call,
    work: Work,
}

/// What the thread is told.
enum Order {
    Run(Job),
    /// To end, and to say so when the file is closed.
    Close(oneshot::Sender<()>),
}

/// The call that runs now.
type Running = Arc<Mutex<Option<Call>>>;

/// What a call comes to, or what it panicked with.
type Told<T> = Result<Result<T, StoreError>, Box<dyn Any + Send>>;

/// The way to the thread. It ends when this is dropped and all calls are answered.
pub(super) struct Writer {
    orders: mpsc::Sender<Order>,
}

impl Writer {
    pub(super) fn start(mut conn: Connection) -> Result<Self, StoreError> {
        let running = Running::default();
        let asked = Arc::clone(&running);
        let is_given_up = move || {
            let running = asked.lock().unwrap_or_else(PoisonError::into_inner);
            running.as_ref().is_some_and(Call::is_given_up)
        };
        conn.progress_handler(LOOK_EVERY, Some(is_given_up))
            .map_err(|error| fault("store", "open", &error))?;
        let (orders, waiting) = mpsc::channel(WAITING_MAX);
        thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || write(conn, &running, waiting))
            .map_err(|error| StoreError::Refused(format!("no thread can be started: {error}")))?;
        Ok(Self { orders })
    }

    /// Hands a call to the thread.
    pub(super) fn submit<T: Send + 'static>(
        &self,
        owner: &'static str,
        call: Call,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<oneshot::Receiver<Told<T>>, StoreError> {
        let (answer, receiver) = oneshot::channel::<Told<T>>();
        let work: Work = Box::new(move |conn| {
            // The savepoint is rolled back after a panic, so nothing is left half done.
            let told = catch_unwind(AssertUnwindSafe(|| work(conn?)));
            let is_good = matches!(told, Ok(Ok(_)));
            let reply: Reply = Box::new(move |committed| {
                let told = match committed {
                    Ok(()) => told,
                    Err(error) => Ok(Err(error)),
                };
                // A caller that has gone does not want to know.
                let _gone = answer.send(told);
            });
            (is_good, reply)
        });
        match self.orders.try_send(Order::Run(Job { call, work })) {
            Ok(()) => Ok(receiver),
            Err(mpsc::error::TrySendError::Full(_)) => Err(StoreError::Unavailable(Fault::of(
                owner,
                "call",
                None,
                "too many calls are waiting",
            ))),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(is_gone(owner)),
        }
    }

    /// Ends the thread once the calls before are done. Returns when the file is closed.
    pub(super) async fn close(&self) {
        let (told, closed) = oneshot::channel();
        if self.orders.send(Order::Close(told)).await.is_ok() {
            // An error is a thread that has ended already.
            let _ended = closed.await;
        }
    }
}

/// The thread has ended, because it was told to.
pub(super) fn is_gone(owner: &'static str) -> StoreError {
    StoreError::Unavailable(Fault::of(owner, "call", None, "the store is closed"))
}

fn write(conn: Connection, running: &Running, mut waiting: mpsc::Receiver<Order>) {
    let mut closed = None;
    while closed.is_none() {
        let Some(first) = waiting.blocking_recv() else {
            return;
        };
        let (mut group, mut next) = (Vec::new(), Some(first));
        while let Some(order) = next.take() {
            match order {
                Order::Run(job) => group.push(job),
                Order::Close(told) => closed = Some(told),
            }
            if group.len() < GROUP_MAX && closed.is_none() {
                next = waiting.try_recv().ok();
            }
        }
        let mut replies = Vec::with_capacity(group.len());
        let committed = commit(&conn, running, group, &mut replies);
        if committed.is_err() && !conn.is_autocommit() {
            // When this fails as well, so does the next BEGIN, and its calls are told.
            let _failed = conn.execute_batch("ROLLBACK");
        }
        for reply in replies {
            reply(committed.clone());
        }
    }
    drop(conn);
    if let Some(told) = closed {
        // Who waited for it may have gone.
        let _gone = told.send(());
    }
}

/// Runs the calls in one transaction. A call that fails by itself is answered at once; all others are left in
/// `replies`, for whatever the commit comes to.
fn commit(
    conn: &Connection,
    running: &Running,
    group: Vec<Job>,
    replies: &mut Vec<Reply>,
) -> Result<(), StoreError> {
    let publish = |call| *running.lock().unwrap_or_else(PoisonError::into_inner) = call;
    let mut state = step(conn, "BEGIN IMMEDIATE");
    for Job { call, work } in group {
        if call.is_given_up() {
            continue;
        }
        state = state.and_then(|()| step(conn, "SAVEPOINT call"));
        publish(Some(call));
        let (is_good, reply) = work(state.clone().map(|()| conn));
        publish(None);
        if is_good {
            state = step(conn, "RELEASE call");
            replies.push(reply);
            continue;
        }
        reply(Ok(()));
        state = state.and_then(|()| take_back(conn));
    }
    state.and_then(|()| step(conn, "COMMIT"))
}

/// Takes back what a call did. A full disk and an interrupted statement end the whole transaction.
fn take_back(conn: &Connection) -> Result<(), StoreError> {
    if conn.is_autocommit() {
        let said = "another call of the same commit could not be finished";
        return Err(StoreError::Unavailable(Fault::of(
            "store", "call", None, said,
        )));
    }
    step(conn, "ROLLBACK TO call")?;
    step(conn, "RELEASE call")
}

fn step(conn: &Connection, sql: &'static str) -> Result<(), StoreError> {
    let run = conn
        .prepare_cached(sql)
        .and_then(|mut step| step.execute([]));
    run.map(drop).map_err(|error| fault("store", sql, &error))
}
