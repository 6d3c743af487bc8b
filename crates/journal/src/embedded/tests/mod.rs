//! Tests of the engine from its doors: laws, a model, crashes, damage, a full disk, what is deleted, and the books.

mod books;
mod cipher;
mod clocks;
mod crash;
mod damage;
mod erase;
mod full;
mod laws;
mod low_water;
mod model;
mod open;
mod place;
mod received;
mod together;
mod waiting;

use std::path::Path;

use super::Embedded;
use super::command::Command;
use super::writer::Writer;
use crate::{Audit, Books, Options};

fn open(folder: &Path) -> Embedded {
    Embedded::open(folder, Options::default()).unwrap()
}

/// The audit of a journal, which has to balance.
fn audit(folder: &Path) -> Audit {
    let audit = Books::open(folder).unwrap().audit().unwrap();
    assert!(audit.balanced, "{:#?}", audit.problems);
    audit
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
