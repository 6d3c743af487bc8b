//! Starts a lane for every queue of the journal, and waits for them all in the end.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use sluice_graph::Client;
use sluice_journal::{Journal, JournalError, LaneId};
use tokio::task::{Id, JoinSet};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::expiry;
use super::orphan::Orphan;
use super::settings::LaneSettings;
use super::{LaneContext, run};
use crate::board::Board;
use crate::directives::Directives;
use crate::roster::{Reachable, Snapshots};
use crate::time::Time;
use crate::watch::Watch;

/// How long a lane that ended by a defect waits until it starts again.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// The time of a budget, in milliseconds.
const HOUR_MS: u64 = 60 * 60 * 1_000;

/// What lanes are made of.
pub(crate) struct Supervisor {
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) client: Client,
    pub(crate) clock: Arc<Time>,
    pub(crate) watch: Watch,
    pub(crate) board: Board,
    pub(crate) directives: Directives,
    pub(crate) snapshots: Snapshots,
    pub(crate) stop: CancellationToken,
    /// Requests to Meta are not waited for any longer.
    pub(crate) give_up: CancellationToken,
}

/// Runs lanes until it is stopped, and returns when the last of them has ended.
pub(crate) async fn supervise(supervisor: Supervisor) {
    let mut known = BTreeSet::new();
    let mut lanes = Lanes::default();
    supervisor.count_the_hour().await;
    let (mut queues, mut snapshots) = (supervisor.journal.lanes(), supervisor.snapshots.clone());
    loop {
        let ids: Vec<LaneId> = queues.borrow_and_update().clone();
        for id in ids {
            if known.insert(id.clone()) {
                lanes.start(&supervisor, id, Duration::ZERO);
            }
        }
        tokio::select! {
            // No lane is started again once all are to stop.
            biased;
            () = supervisor.stop.cancelled() => break,
            changed = queues.changed() => if changed.is_err() { break },
            // Lanes follow by themselves.
            Ok(()) = snapshots.changed() => supervisor.forget().await,
            Some((id, has_crashed)) = lanes.ended() => if has_crashed {
                supervisor.watch.lane_crashed(&id);
                lanes.start(&supervisor, id, RESTART_PAUSE);
            } else {
                // Events may have come for it since: the queues are looked through again.
                known.remove(&id);
            }
        }
    }
    supervisor.stop.cancelled().await;
    while lanes.tasks.join_next().await.is_some() {}
}

/// The lanes that run.
#[derive(Default)]
struct Lanes {
    tasks: JoinSet<()>,
    ids: HashMap<Id, LaneId>,
}

impl Lanes {
    /// Starts a lane after a pause.
    fn start(&mut self, supervisor: &Supervisor, id: LaneId, pause: Duration) {
        // A lane of a dataset that the configuration does not name any more ends alone.
        let stop = supervisor.stop.child_token();
        let snapshots = supervisor.snapshots.clone();
        let work = match supervisor.context(&id, &stop) {
            Some(context) => run(context, snapshots).left_future(),
            None => supervisor
                .orphan(&id)
                .run(stop.clone(), snapshots)
                .right_future(),
        };
        let task = self.tasks.spawn(async move {
            if stop.run_until_cancelled(sleep(pause)).await.is_some() {
                work.await;
            }
        });
        self.ids.insert(task.id(), id);
    }

    /// The next lane that ended, and whether that was a panic. What it had leased is waiting again by then.
    async fn ended(&mut self) -> Option<(LaneId, bool)> {
        let (task, has_crashed) = match self.tasks.join_next_with_id().await? {
            Ok((task, ())) => (task, false),
            Err(error) => (error.id(), true),
        };
        let id = self.ids.remove(&task)?;
        Some((id, has_crashed))
    }
}

impl Supervisor {
    /// Takes what was sent in the last hour, before this start, from the budgets. A request's record names no
    /// token: a dataset's requests count for the token that it has now.
    async fn count_the_hour(&self) {
        let since_ms = self.clock.unix_ms().saturating_sub(HOUR_MS);
        if let Err(error) = self.recall_since(since_ms).await {
            warn!(%error, "what was sent in the last hour cannot be counted: events_per_hour_max begins anew");
        }
    }

    async fn recall_since(&self, since_ms: u64) -> Result<(), JournalError> {
        let sent = self.journal.sent_since(since_ms).await?;
        let tokens = self.journal.tokens();
        let snapshot = Arc::clone(&self.snapshots.borrow());
        for sent in sent {
            if let Some(to) = snapshot.destinations.of(&sent.dataset) {
                let events = usize::try_from(sent.events).unwrap_or(usize::MAX);
                let recalled = tokens.recall(&to.fingerprint, events, sent.minute_ms);
                recalled.await?;
            }
        }
        Ok(())
    }

    /// Forgets tokens that no dataset has any more.
    async fn forget(&self) {
        let snapshot = Arc::clone(&self.snapshots.borrow());
        let in_use = snapshot.destinations.iter().map(fingerprint);
        let in_use: HashSet<_> = in_use.map(str::to_owned).collect();
        let tokens = self.journal.tokens();
        let forgotten = tokens.forget(in_use, self.clock.unix_ms());
        // What is not forgotten now is with the next change of the configuration.
        let _ = forgotten.await;
    }

    /// What the lane needs; `None` if the configuration does not know its dataset.
    fn context(&self, id: &LaneId, stop: &CancellationToken) -> Option<LaneContext> {
        let settings = LaneSettings::of(&self.snapshots.borrow().config, &id.dataset)?;
        Some(LaneContext {
            journal: Arc::clone(&self.journal),
            client: self.client.clone(),
            clock: Arc::clone(&self.clock),
            watch: self.watch.clone(),
            board: self.board.clone(),
            directives: self.directives.clone(),
            tokens: self.journal.tokens(),
            settings,
            stop: stop.clone(),
            gateway_stop: self.stop.clone(),
            give_up: self.give_up.clone(),
            id: id.clone(),
        })
    }

    /// What is left to do for a queue whose dataset the configuration does not know.
    fn orphan(&self, id: &LaneId) -> Orphan {
        Orphan {
            id: id.clone(),
            journal: Arc::clone(&self.journal),
            clock: Arc::clone(&self.clock),
            watch: self.watch.clone(),
            board: self.board.clone(),
            look: expiry::LOOK,
        }
    }
}

fn fingerprint(reachable: &Reachable) -> &str {
    &reachable.fingerprint
}
