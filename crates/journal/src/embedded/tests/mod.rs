//! Tests of the engine from its doors: laws, a model, crashes, damage, a full disk, what is deleted, and the books.

mod amend;
mod books;
mod cipher;
mod clocks;
mod crash;
mod damage;
mod erase;
mod full;
mod group;
mod holes;
mod laws;
mod low_water;
mod migrate;
mod model;
mod open;
mod place;
mod prune;
mod received;
mod replay;
mod search;
mod starts;
mod together;
mod waiting;

use std::fs::File;
use std::io::Read as _;
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::path::Path;

use super::Embedded;
use super::command::Command;
use super::writer::Writer;
use crate::testing::HOUR_MS;
use crate::{Audit, Books, Options, Period, TallyQuery};

fn open(folder: &Path) -> Embedded {
    Embedded::open(folder, Options::default()).unwrap()
}

/// The audit of a journal, which has to balance.
fn audit(folder: &Path) -> Audit {
    let audit = Books::open(folder).unwrap().audit().unwrap();
    assert!(audit.balanced, "{:#?}", audit.problems);
    audit
}

/// The counts of these hours, counted from 1970.
fn by_hour(hours: Range<u64>) -> TallyQuery {
    TallyQuery {
        from_ms: hours.start.saturating_mul(HOUR_MS),
        until_ms: hours.end.saturating_mul(HOUR_MS),
        period: Period::Hour,
        utc_offset_min: 0,
        dataset: None,
        source: None,
        event_name: None,
    }
}

/// Leaves a file open that SQLite may have open as well. When a process closes any descriptor of a file, it loses
/// all its locks on that file (`fcntl`), SQLite's too: then a command of another process could take itself for the
/// last one and delete the log of a journal that is open here. So only SQLite may open the journal's files in a
/// process that has the journal open; tests that have to read them keep what they opened.
fn keep_open(file: File) -> ManuallyDrop<File> {
    ManuallyDrop::new(file)
}

/// All that is on disk in a journal's folder, the log included.
fn bytes_on_disk(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let mut file = keep_open(File::open(file.unwrap().path()).unwrap());
        file.read_to_end(&mut bytes).unwrap();
    }
    bytes
}

impl Embedded {
    /// Does something on the writer's thread, between two commits.
    async fn on_writer<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Writer) -> T + Send + 'static,
    ) -> T {
        let (reply, answer) = tokio::sync::oneshot::channel();
        let inspect = Command::Inspect(Box::new(move |writer| {
            assert!(reply.send(act(writer)).is_ok());
        }));
        assert!(self.commands.send(inspect).await.is_ok());
        answer.await.unwrap()
    }

    /// What the writer does by itself within a second.
    async fn look_around(&self) {
        self.on_writer(Writer::look_around).await;
    }
}

/// Asks for two things so that they go into one commit, in this order: the writer waits until both have come.
async fn in_one_group<A, B>(
    journal: &Embedded,
    first: impl Future<Output = A>,
    second: impl Future<Output = B>,
) -> (A, B) {
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let wait = Command::Inspect(Box::new(move |_| {
        // The other end is only ever dropped.
        assert!(gate.recv().is_err());
    }));
    assert!(journal.commands.send(wait).await.is_ok());
    let (first, second, ()) = tokio::join!(biased; first, second, async { drop(open) });
    (first, second)
}
