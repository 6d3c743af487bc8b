//! What jobs do, and whether the store can be used.

use std::sync::PoisonError;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};
use tracing::{error, info, warn};

use super::Watch;
use super::number::{Count, Number, unix_seconds};

/// A job.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Job {
    job: &'static str,
}

/// A job, and what came of its runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JobRuns {
    job: &'static str,
    result: &'static str,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobEnd {
    /// It did what it is for.
    Done,
    /// It could not, and has said why.
    Failed,
    /// It was ended for that.
    TookTooLong,
    /// It panicked.
    Defect,
    /// The gateway stopped before.
    Stopped,
}

/// The metrics of jobs.
#[derive(Default)]
pub(super) struct JobMetrics {
    runs: Family<JobRuns, Counter>,
    last_start: Family<Job, Number>,
    last_success: Family<Job, Number>,
    period: Family<Job, Number>,
    records_failing: Count,
}

impl JobMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "job_runs",
            "Runs of jobs that are over, by what came of them",
            self.runs.clone(),
        );
        registry.register_with_unit(
            "job_last_start_timestamp",
            "When the last run of a job started, in Unix time",
            Unit::Seconds,
            self.last_start.clone(),
        );
        registry.register_with_unit(
            "job_last_success_timestamp",
            "When a job last did what it is for, or else when the gateway started, in Unix time",
            Unit::Seconds,
            self.last_success.clone(),
        );
        registry.register_with_unit(
            "job_period",
            "From the start of one run of a job to the start of the next",
            Unit::Seconds,
            self.period.clone(),
        );
        registry.register(
            "records_failing",
            "1 while records.db cannot be used, and jobs have no history",
            self.records_failing.clone(),
        );
    }
}

impl Watch {
    /// There is such a job from now on.
    pub(crate) fn job_begins(&self, job: &'static str, every: Duration, now_ms: u64) {
        let metrics = &self.metrics.jobs;
        for result in ["done", "failed"] {
            drop(metrics.runs.get_or_create(&JobRuns { job, result }));
        }
        let job = Job { job };
        metrics.period.get_or_create(&job).set(every.as_secs_f64());
        let success = metrics.last_success.get_or_create(&job);
        success.set(unix_seconds(now_ms));
    }

    /// What the history says of a job.
    pub(crate) fn job_known(
        &self,
        job: &'static str,
        started_ms: Option<u64>,
        done_ms: Option<u64>,
    ) {
        let (metrics, job) = (&self.metrics.jobs, Job { job });
        if let Some(started_ms) = started_ms {
            let start = metrics.last_start.get_or_create(&job);
            start.set(unix_seconds(started_ms));
        }
        if let Some(done_ms) = done_ms {
            let success = metrics.last_success.get_or_create(&job);
            success.set(unix_seconds(done_ms));
        }
    }

    /// A run starts here.
    pub(crate) fn job_started(&self, job: &'static str, now_ms: u64) {
        self.job_known(job, Some(now_ms), None);
    }

    /// A run ended here. What it did and why it failed it has told by itself.
    pub(crate) fn job_ended(&self, job: &'static str, longest: Duration, now_ms: u64, end: JobEnd) {
        let result = match end {
            JobEnd::Stopped => return,
            JobEnd::Done => "done",
            JobEnd::Failed | JobEnd::TookTooLong | JobEnd::Defect => "failed",
        };
        let runs = &self.metrics.jobs.runs;
        runs.get_or_create(&JobRuns { job, result }).inc();
        match end {
            JobEnd::Done => self.job_known(job, None, Some(now_ms)),
            JobEnd::TookTooLong => {
                warn!(
                    job,
                    longest_s = longest.as_secs(),
                    "a job took too long and was ended"
                );
            }
            JobEnd::Defect => error!(
                job,
                "a defect in Sluice ended a run of a job; the next one starts in its time"
            ),
            JobEnd::Failed | JobEnd::Stopped => {}
        }
    }

    /// The store cannot be used, and why; or it can. It is told when that changes.
    pub(crate) fn records_fail(&self, why: Option<String>) {
        let metric = &self.metrics.jobs.records_failing;
        metric.set(i64::from(why.is_some()));
        let mut known = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*known, &why) {
            (None, Some(error)) => warn!(
                error,
                "records.db cannot be used: jobs run without a history, and events are not concerned"
            ),
            (Some(_), None) => info!("records.db can be used again"),
            _ => {}
        }
        *known = why;
    }

    /// Why the store cannot be used, if that is so.
    pub(crate) fn records_failing(&self) -> Option<String> {
        let known = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }
}
