//! When the configuration is read again, and commands that print secrets are run. They wait for nothing else: a parked
//! lane waits for a new token.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Notify, watch};

use super::Reloader;
use crate::roster::NamedSecret;
use crate::ticks::ticks;

/// How often the file of the configuration is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// A configuration that could not be put in force is tried again at every such look, which is once a minute.
const LOOKS_PER_TRY: u32 = 30;

/// Reads secrets and the configuration again when there is reason to.
pub(crate) struct Keeper {
    pub(crate) reloader: Arc<Reloader>,
    /// A signal asks for a reload.
    pub(crate) asked: Arc<Notify>,
}

/// A command that runs, and whether it is to run again after that, because a person asks for it or not.
struct Running {
    command: Arc<NamedSecret>,
    again: Option<bool>,
}

impl Keeper {
    /// Does so until it is dropped.
    pub(crate) async fn run(&self) {
        // Before anything can ask for it.
        let commands = self.reloader.commands.subscribe();
        tokio::join!(self.keep_files(), self.keep_commands(commands));
    }

    async fn keep_files(&self) {
        let reloader = &self.reloader;
        let (mut look, mut looks) = (ticks(LOOK), 0);
        loop {
            tokio::select! {
                () = self.asked.notified() => {
                    // What came of it is in the log.
                    let _ = reloader.reload().await;
                }
                _ = look.tick() => {
                    looks = (looks + 1) % LOOKS_PER_TRY;
                    reloader.look(looks == 0).await;
                }
            }
        }
    }

    /// Runs commands again and again, beside each other, and none twice at a time: what it printed first would take
    /// effect last.
    async fn keep_commands(&self, mut asked: watch::Receiver<bool>) {
        let mut all: Vec<Running> = Vec::new();
        let mut runs = FuturesUnordered::new();
        let run = async |command: Arc<NamedSecret>, is_asked| {
            self.reloader
                .read_command(Arc::clone(&command), is_asked)
                .await;
            command
        };
        loop {
            tokio::select! {
                changed = asked.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let is_asked = *asked.borrow_and_update();
                    for command in self.reloader.roster.commands() {
                        let mut all_running = all.iter_mut();
                        if let Some(running) = all_running.find(|it| Arc::ptr_eq(&it.command, &command)) {
                            running.again = Some(is_asked);
                        } else {
                            all.push(Running { command: Arc::clone(&command), again: None });
                            runs.push(run(command, is_asked));
                        }
                    }
                }
                Some(ended) = runs.next() => {
                    let index = all.iter().position(|it| Arc::ptr_eq(&it.command, &ended));
                    let Some(index) = index else { continue };
                    match all[index].again.take() {
                        Some(is_asked) => runs.push(run(ended, is_asked)),
                        None => drop(all.swap_remove(index)),
                    }
                }
            }
        }
    }
}
