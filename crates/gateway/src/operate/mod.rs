//! Doing what people want of the running gateway: [`Control`] for its lanes, doors and journal.

#[cfg(unix)]
pub(crate) mod socket;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sluice_event::DatasetId;
use sluice_journal::{
    Dropped, EventKey, Journal, JournalError, LaneId, Ledger, OpenError, Replayed, TestCode,
    Waiting,
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::board::{Board, Row, Rows};
use crate::config::Change;
use crate::control::{
    Answer, Control, ControlError, LaneList, LaneStatus, Lanes, NOTE_CHARS_MAX, Pause, Paused,
    ProbeAnswer, Probed, Reloaded, Resumed, TEST_MAX, Test, TestStarted,
};
use crate::directives::Directives;
use crate::lane_state::LaneState;
use crate::reload::Reloader;
use crate::roster::Snapshots;
use crate::time::Time;
use crate::watch::Watch;

/// Who did it, as far as the gateway knows: one who may use the socket in the journal's folder.
const OPERATOR: &str = "an operator";

/// How long a pause waits until its lanes stand still.
const STAND_STILL: Duration = Duration::from_secs(5);

/// How often it is looked whether a test has ended.
const TEST_LOOK: Duration = Duration::from_secs(2);

/// Opens the journal's ledger for one use. One that stayed open would keep the journal's files from being closed.
pub(crate) type OpenLedger = Arc<dyn Fn() -> Result<Box<dyn Ledger>, OpenError> + Send + Sync>;

/// Starts what belongs to it: the socket for commands, and the end of tests. Both end with `stop`.
pub(crate) fn start(operations: &Arc<Operations>, workers: &TaskTracker, stop: &CancellationToken) {
    let (ends, stop_ends) = (Arc::clone(operations), stop.clone());
    workers.spawn(async move {
        stop_ends.run_until_cancelled(ends.end_tests()).await;
    });
    #[cfg(unix)]
    match socket::Socket::open(&operations.folder) {
        Ok(socket) => {
            let control = Arc::clone(operations) as Arc<dyn Control>;
            workers.spawn(socket.serve(control, stop.clone()));
        }
        Err(error) => Watch::no_socket(&error, error.help()),
    }
}

/// What the operations work with.
pub(crate) struct Operations {
    pub(crate) journal: Arc<dyn Journal>,
    /// Of the journal.
    pub(crate) folder: PathBuf,
    pub(crate) open_ledger: OpenLedger,
    pub(crate) clock: Arc<Time>,
    pub(crate) watch: Watch,
    pub(crate) board: Board,
    pub(crate) directives: Directives,
    pub(crate) snapshots: Snapshots,
    pub(crate) reloader: Arc<Reloader>,
}

impl Operations {
    /// Ends tests whose time is over, until it is dropped.
    pub(crate) async fn end_tests(&self) {
        loop {
            sleep(TEST_LOOK).await;
            let now = self.clock.now();
            if !self.directives.now().has_ended(now) {
                continue;
            }
            let ended = self
                .directives
                .change(|standing| Ok(standing.take_ended(now)));
            // One that cannot be written has ended all the same, and is tried again.
            for test in ended.await.unwrap_or_default() {
                Watch::test_over(&test);
            }
        }
    }

    /// An error if neither the configuration nor a lane knows the dataset.
    fn knows(&self, dataset: &DatasetId) -> Result<(), ControlError> {
        let ids = self.journal.lanes().borrow().clone();
        if self.is_configured(dataset) || ids.iter().any(|id| id.dataset == *dataset) {
            return Ok(());
        }
        Err(self.unknown(dataset))
    }

    fn is_configured(&self, dataset: &DatasetId) -> bool {
        self.snapshots.borrow().config.dataset(dataset).is_some()
    }

    fn unknown(&self, dataset: &DatasetId) -> ControlError {
        let config = Arc::clone(&self.snapshots.borrow().config);
        let known = config.datasets.iter();
        ControlError::UnknownDataset {
            dataset: dataset.clone(),
            known: known.map(|dataset| dataset.id.clone()).collect(),
        }
    }

    /// Every lane among these that has had an event, with what waits in it.
    fn waiting(&self, lanes: Option<&Lanes>) -> Vec<(LaneId, Waiting)> {
        let ids = self.journal.lanes().borrow().clone();
        let ids = ids.into_iter();
        let meant = ids.filter(|id| lanes.is_none_or(|lanes| lanes.include(id)));
        let mut waiting: Vec<_> = meant
            .map(|id| {
                let waiting = self.journal.waiting(&id);
                (id, waiting)
            })
            .collect();
        waiting.sort_by(|(a, _), (b, _)| a.cmp(b));
        waiting
    }

    fn events(&self, lanes: &Lanes) -> usize {
        let waiting = self.waiting(Some(lanes)).into_iter();
        waiting.map(|(_, it)| it.events()).sum()
    }

    /// Batches of lanes that are still on their way when the lanes have had time to stand still.
    async fn stand_still(&self, lanes: &Lanes) -> usize {
        let mut rows = self.board.subscribe();
        let is_still = |rows: &Rows| {
            let mut meant = rows.iter().filter(|(id, _)| lanes.include(id));
            meant.all(|(_, row)| is_at_rest(row))
        };
        let waited = timeout(STAND_STILL, rows.wait_for(is_still)).await;
        // Whether they are or not, the board says what is on its way.
        drop(waited);
        let rows = self.board.rows();
        let meant = rows.iter().filter(|(id, _)| lanes.include(id));
        meant.map(|(_, row)| row.report.in_flight).sum()
    }

    /// Opens the ledger.
    async fn ledger(&self) -> Result<Box<dyn Ledger>, ControlError> {
        let open = Arc::clone(&self.open_ledger);
        let opened = tokio::task::spawn_blocking(move || open()).await;
        let opened = opened.map_err(|error| ControlError::Defect(error.to_string()))?;
        Ok(opened.map_err(|error| JournalError::Disk(error.to_string()))?)
    }
}

/// Whether a lane sends nothing: it is paused, or none that sends at all, and nothing is on its way.
fn is_at_rest(row: &Row) -> bool {
    let rests = matches!(
        row.report.state,
        LaneState::Paused { .. } | LaneState::Parked { probe_ms: None, .. }
    );
    rests && row.report.in_flight == 0
}

/// A lane by its own name.
fn lane(id: &LaneId) -> Lanes {
    Lanes {
        dataset: id.dataset.clone(),
        test_code: id.test_code.clone(),
        replay: id.is_replay,
    }
}

fn status(id: &LaneId, waiting: Waiting, row: Option<&Row>) -> LaneStatus {
    let report = row.map(|row| &row.report);
    let state = report.map(|report| &report.state);
    LaneStatus {
        lane: lane(id),
        state: state.map_or("flowing", LaneState::name).to_owned(),
        reason: state.and_then(LaneState::reason).map(str::to_owned),
        since_ms: row.map(|row| row.since_ms),
        until_ms: match state {
            Some(LaneState::Throttled { until_ms, .. }) => Some(*until_ms),
            Some(LaneState::Parked { probe_ms, .. }) => *probe_ms,
            Some(LaneState::Flowing | LaneState::Paused { .. }) | None => None,
        },
        usage_percent: report.map_or(0, |report| report.usage.percent),
        waiting: waiting.events(),
        on_hold: waiting.on_hold,
        in_flight: report.map_or(0, |report| report.in_flight),
        held: report.map_or(0, |report| report.held),
        first_expiry_s: waiting.first_expiry_s,
    }
}

/// What a lane in this state does that is to try again.
fn probe_answer(state: &LaneState) -> ProbeAnswer {
    match state {
        LaneState::Flowing => ProbeAnswer::Flows,
        LaneState::Paused { .. } => ProbeAnswer::Paused,
        LaneState::Parked { probe_ms: None, .. } => ProbeAnswer::Unconfigured,
        LaneState::Throttled { .. } | LaneState::Parked { .. } => ProbeAnswer::Tries,
    }
}

/// A note as it is kept; it stands in lines of the log and of lists.
fn checked_note(note: Option<String>) -> Result<Option<String>, ControlError> {
    let note = note.map(|note| note.trim().to_owned());
    let note = note.filter(|note| !note.is_empty());
    let is_line = |note: &String| {
        note.chars().count() <= NOTE_CHARS_MAX && !note.chars().any(char::is_control)
    };
    match note {
        Some(note) if !is_line(&note) => Err(ControlError::Note),
        note => Ok(note),
    }
}

impl Control for Operations {
    fn lanes(&self) -> Answer<'_, LaneList> {
        Box::pin(async move {
            let rows = self.board.rows();
            let lanes = self.waiting(None).into_iter();
            let lanes = lanes.map(|(id, waiting)| status(&id, waiting, rows.get(&id)));
            Ok(LaneList {
                lanes: lanes.collect(),
                pauses: self.directives.now().pauses.clone(),
            })
        })
    }

    fn pause(&self, lanes: Lanes, note: Option<String>) -> Answer<'_, Paused> {
        Box::pin(async move {
            self.knows(&lanes.dataset)?;
            let pause = Pause {
                lanes,
                by: OPERATOR.to_owned(),
                since_ms: self.clock.unix_ms(),
                note: checked_note(note)?,
            };
            let kept = pause.clone();
            let changed = self.directives.change(|standing| {
                standing.pause(kept);
                Ok(())
            });
            changed.await?;
            self.watch.paused(&pause);
            let in_flight = self.stand_still(&pause.lanes).await;
            Ok(Paused {
                waiting: self.events(&pause.lanes),
                in_flight,
                pause,
            })
        })
    }

    fn resume(&self, lanes: Lanes) -> Answer<'_, Resumed> {
        Box::pin(async move {
            let resumed = self.directives.change(|standing| standing.resume(&lanes));
            let pauses = resumed.await?;
            self.watch.resumed(&lanes, &pauses, OPERATOR);
            Ok(Resumed {
                pauses,
                waiting: self.events(&lanes),
            })
        })
    }

    fn probe(&self, lanes: Lanes) -> Answer<'_, Vec<Probed>> {
        Box::pin(async move {
            self.knows(&lanes.dataset)?;
            let rows = self.board.rows();
            let meant = rows.iter().filter(|(id, _)| lanes.include(id));
            let probed = meant.map(|(id, row)| Probed {
                lane: lane(id),
                answer: probe_answer(&row.report.state),
            });
            let probed: Vec<_> = probed.collect();
            self.directives.probe(&lanes);
            let tries = probed.iter().filter(|it| it.answer == ProbeAnswer::Tries);
            self.watch.probed(&lanes, tries.count(), OPERATOR);
            Ok(probed)
        })
    }

    fn replay(&self, events: Vec<EventKey>) -> Answer<'_, Replayed> {
        Box::pin(async move {
            let now_ms = self.clock.unix_ms();
            let done = self.ledger().await?.replay(events, now_ms, false).await?;
            self.watch.replayed(done, OPERATOR);
            Ok(done)
        })
    }

    fn drop_events(&self, events: Vec<EventKey>) -> Answer<'_, Dropped> {
        Box::pin(async move {
            let now_ms = self.clock.unix_ms();
            let done = self.ledger().await?.drop_dead(events, now_ms).await?;
            self.watch.dropped(done, OPERATOR);
            Ok(done)
        })
    }

    fn reload(&self) -> Answer<'_, Reloaded> {
        Box::pin(async move {
            self.watch.reload_wanted(OPERATOR);
            // The reload is not broken off when the person who asked for it goes away.
            let shared = Arc::clone(&self.reloader);
            let reloaded = tokio::spawn(async move { shared.reload().await }).await;
            let reloaded = reloaded.map_err(|error| ControlError::Defect(error.to_string()))?;
            let reloaded = reloaded.map_err(|error| ControlError::Reload(error.to_string()))?;
            let in_words = |changes: &[Change]| changes.iter().map(Change::to_string).collect();
            Ok(Reloaded {
                generation: reloaded.generation,
                applied: in_words(&reloaded.applied),
                needs_restart: in_words(&reloaded.needs_restart),
                warnings: reloaded.warnings,
                secrets_changed: reloaded.secrets_changed,
                secrets_unreadable: reloaded.secrets_unreadable,
            })
        })
    }

    fn start_test(
        &self,
        dataset: DatasetId,
        code: TestCode,
        length: Duration,
    ) -> Answer<'_, TestStarted> {
        Box::pin(async move {
            if !self.is_configured(&dataset) {
                return Err(self.unknown(&dataset));
            }
            if length < Duration::from_secs(1) || length > TEST_MAX {
                return Err(ControlError::TestLength);
            }
            let now_ms = self.clock.unix_ms();
            let test = Test {
                dataset,
                code,
                by: OPERATOR.to_owned(),
                since_ms: now_ms,
                until_ms: now_ms.saturating_add(length.as_secs() * 1_000),
            };
            let kept = test.clone();
            let started = self
                .directives
                .change(|standing| Ok(standing.start_test(kept)));
            let replaced = started.await?;
            self.watch.test_started(&test, replaced.as_ref());
            Ok(TestStarted { test, replaced })
        })
    }

    fn end_test(&self, dataset: DatasetId) -> Answer<'_, Test> {
        Box::pin(async move {
            let now = self.clock.now();
            let ended = self
                .directives
                .change(|standing| standing.end_test(&dataset, now));
            let test = ended.await?;
            self.watch.test_ended(&test, OPERATOR);
            Ok(test)
        })
    }

    fn tests(&self) -> Answer<'_, Vec<Test>> {
        Box::pin(async move {
            let (standing, now) = (self.directives.now(), self.clock.now());
            let tests = standing.tests.iter();
            let running = tests.filter(|test| standing.test_of(&test.dataset, now).is_some());
            Ok(running.cloned().collect())
        })
    }
}
