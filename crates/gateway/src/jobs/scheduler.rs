//! Runs jobs when they are due, each beside the others.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use sluice_store::StoreError;
use tokio::sync::OnceCell;
use tokio::task::JoinError;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::due::is_due;
use super::history::{Came, End, History, Started};
use super::{Job, Outcome, Plan, Whose};
use crate::records::Records;
use crate::time::Time;
use crate::watch::{JobEnd, Watch};

/// How often is looked whether a job is due.
const LOOK: Duration = Duration::from_secs(1);

/// How long a run that is told to end may take for that.
const END_MAX: Duration = Duration::from_millis(500);

/// Runs jobs until it is told to stop.
pub(crate) struct Scheduler {
    jobs: Vec<Arc<dyn Job>>,
    pub(super) records: Arc<Records>,
    history: OnceCell<History>,
    clock: Arc<Time>,
    pub(super) watch: Watch,
    stop: CancellationToken,
}

/// What a run came to.
struct Ran {
    end: JobEnd,
    said: Option<String>,
}

impl Scheduler {
    pub(crate) fn new(
        jobs: Vec<Arc<dyn Job>>,
        records: Arc<Records>,
        clock: Arc<Time>,
        watch: Watch,
        stop: CancellationToken,
    ) -> Self {
        Self {
            jobs,
            records,
            history: OnceCell::new(),
            clock,
            watch,
            stop,
        }
    }

    /// Opens the store and runs jobs. When it is told to stop, runs end within a moment; the store is closed, and this
    /// returns.
    pub(crate) async fn run(self) {
        let jobs = self.jobs.iter().map(|job| self.keep(job));
        let keep_records = self.stop.run_until_cancelled(self.records.keep());
        tokio::join!(join_all(jobs), keep_records);
        self.records.close().await;
    }

    /// Runs a job whenever it is due.
    async fn keep(&self, job: &Arc<dyn Job>) {
        let plan = job.plan();
        self.watch
            .job_begins(plan.name, plan.every, self.clock.unix_ms());
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut started_ms = None;
        while self.stop.run_until_cancelled(look.tick()).await.is_some() {
            if job.is_called() || is_due(&plan, started_ms, self.clock.unix_ms()) {
                started_ms = self.turn(job, plan).await;
            }
        }
    }

    /// Runs a job, unless another gateway does or did. Returns when the last run started.
    pub(super) async fn turn(&self, job: &Arc<dyn Job>, plan: Plan) -> Option<u64> {
        let now_ms = self.clock.unix_ms();
        let mut begun = None;
        if plan.whose == Whose::Any
            && let Some(history) = self.history().await
            && let Some(turn) = self.answer(history.start(plan, now_ms)).await
        {
            self.watch
                .job_known(plan.name, turn.started_ms, turn.done_ms);
            if turn.run.is_none() {
                return turn.started_ms;
            }
            begun = turn.run;
        }
        self.watch.job_started(plan.name, now_ms);
        let Ran { end, said } = self.work(job, plan).await;
        let at_ms = self.clock.unix_ms();
        self.watch.job_ended(plan.name, plan.longest, at_ms, end);
        let is_told = said.is_some() || end != JobEnd::Done;
        let said = said.unwrap_or_default();
        let came = match end {
            JobEnd::Done => Came::Done,
            JobEnd::Failed | JobEnd::TookTooLong | JobEnd::Defect => Came::Failed,
            JobEnd::Stopped => Came::Abandoned,
        };
        let end = End { at_ms, came, said };
        self.note(plan, now_ms, begun, end, is_told).await;
        Some(now_ms)
    }

    /// Writes down what came of a run. One that was begun has a row; another one gets it if there is anything to tell.
    async fn note(
        &self,
        plan: Plan,
        started_ms: u64,
        begun: Option<Started>,
        end: End,
        is_told: bool,
    ) {
        if begun.is_none() && !(is_told && plan.whose == Whose::Each) {
            return;
        }
        let Some(history) = self.history().await else {
            return;
        };
        let noted = async {
            match begun {
                Some(run) => history.end(&run, end).await,
                None => history.note(plan.name, started_ms, end).await,
            }
        };
        self.answer(noted).await;
    }

    /// The history, if it can be had.
    pub(super) async fn history(&self) -> Option<History> {
        let store = self.until_the_end(self.records.store()).await??;
        let open = || async { self.answer(History::open(&store)).await.ok_or(()) };
        self.history.get_or_try_init(open).await.ok().cloned()
    }

    /// What the store answers, if it does so in time.
    async fn answer<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
        self.until_the_end(self.records.answer(call)).await?
    }

    /// Waits for something, but no more than a moment once the gateway stops.
    async fn until_the_end<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        let end = async {
            self.stop.cancelled().await;
            sleep(END_MAX).await;
        };
        tokio::select! {
            biased;
            answer = call => Some(answer),
            () = end => None,
        }
    }

    /// Does the work of a run in a task of its own, so that a panic ends nothing else.
    async fn work(&self, job: &Arc<dyn Job>, plan: Plan) -> Ran {
        let stop = CancellationToken::new();
        let (job, stopped) = (Arc::clone(job), stop.clone());
        let mut task = tokio::spawn(async move { job.run(&stopped).await });
        let (end, why) = tokio::select! {
            ended = &mut task => return Ran::of(ended),
            () = sleep(plan.longest) => (
                JobEnd::TookTooLong,
                format!("it took longer than {} s and was ended", plan.longest.as_secs()),
            ),
            () = self.stop.cancelled() => {
                (JobEnd::Stopped, "the gateway stopped".to_owned())
            }
        };
        stop.cancel();
        match timeout(END_MAX, &mut task).await {
            // It has come to its end after all.
            Ok(Ok(Ok(said))) => Ran::of(Ok(Ok(said))),
            Ok(_) => Ran {
                end,
                said: Some(why),
            },
            Err(_elapsed) => {
                task.abort();
                Ran {
                    end,
                    said: Some(why),
                }
            }
        }
    }
}

impl Ran {
    fn of(ended: Result<Outcome, JoinError>) -> Self {
        let (end, said) = match ended {
            Ok(Ok(said)) => (JobEnd::Done, said),
            Ok(Err(why)) => (JobEnd::Failed, Some(why)),
            // What it panicked with may hold a value.
            Err(_panicked) => (
                JobEnd::Defect,
                Some("a defect in Sluice ended it".to_owned()),
            ),
        };
        Self { end, said }
    }
}
