//! Jobs that do not do what they should, and stores that do not either.

use std::future::pending;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::history::Came;
use super::*;
use crate::clock::SystemClock;
use crate::records::Records;
use crate::time::Time;
use crate::watch::Watch;

/// What a run does.
#[derive(Clone, Copy)]
enum Does {
    Count,
    Panic,
    /// Ends when it is told to.
    Wait,
    /// Takes no notice.
    Hang,
}

struct TestJob {
    plan: Plan,
    does: Does,
    runs: AtomicUsize,
    /// Runs that are over, or were dropped where they waited.
    over: AtomicUsize,
}

/// Counts when it is dropped.
struct Over<'a>(&'a AtomicUsize);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl TestJob {
    /// A job that may take 50 milliseconds.
    fn new(name: &'static str, every: Duration, does: Does) -> Arc<Self> {
        Arc::new(Self {
            plan: Plan {
                name,
                every,
                longest: Duration::from_millis(50),
                whose: Whose::Any,
            },
            does,
            runs: AtomicUsize::new(0),
            over: AtomicUsize::new(0),
        })
    }

    fn lasting(name: &'static str, does: Does) -> Arc<Self> {
        let mut job = Self::new(name, HOUR, does);
        if let Some(job) = Arc::get_mut(&mut job) {
            job.plan.longest = Duration::from_mins(1);
        }
        job
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }
}

impl Job for TestJob {
    fn plan(&self) -> Plan {
        self.plan
    }

    fn run<'a>(&'a self, stop: &'a CancellationToken) -> Work<'a> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            let _over = Over(&self.over);
            match self.does {
                Does::Count => Ok(Some("counted".to_owned())),
                Does::Panic => panic!("of jane.doe@example.com"),
                Does::Wait => {
                    stop.cancelled().await;
                    Err("it was told to end".to_owned())
                }
                Does::Hang => pending().await,
            }
        })
    }
}

const HOUR: Duration = Duration::from_hours(1);

fn scheduler(folder: &Path, jobs: &[&Arc<TestJob>], stop: &CancellationToken) -> Scheduler {
    let watch = Watch::for_tests();
    let jobs = jobs.iter().map(|job| Arc::clone(job) as Arc<dyn Job>);
    Scheduler::new(
        jobs.collect(),
        Arc::new(Records::new(folder.to_owned(), watch.clone())),
        Arc::new(Time::sure(Arc::new(SystemClock::default()))),
        watch,
        stop.clone(),
    )
}

/// Waits for what has to come.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let came = tokio::time::timeout(Duration::from_mins(1), wait).await;
    assert!(came.is_ok(), "waited for {what} in vain");
}

/// The runs of a job, the newest first, as far as they are over.
async fn ended(folder: &Path, job: &str) -> Vec<(Came, String)> {
    let history = History::look(folder).await.unwrap().unwrap();
    let runs = history.runs(Some(job), 100).await.unwrap();
    let ended = runs.into_iter().filter(|run| run.ended_ms.is_some());
    ended.map(|run| (run.came, run.said)).collect()
}

#[tokio::test]
async fn a_run_that_panics_or_hangs_harms_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let panics = TestJob::new("panics", Duration::ZERO, Does::Panic);
    let hangs = TestJob::new("hangs", Duration::ZERO, Does::Hang);
    let counts = TestJob::new("counts", Duration::ZERO, Does::Count);
    let scheduler = scheduler(folder.path(), &[&panics, &hangs, &counts], &stop);
    let scheduler = tokio::spawn(scheduler.run());
    // Their own next runs come, too.
    for job in [&panics, &hangs, &counts] {
        until("a third run", || job.runs() > 2).await;
    }
    stop.cancel();
    scheduler.await.unwrap();
    for (job, came, said) in [
        ("panics", Came::Failed, "a defect in Sluice ended it"),
        (
            "hangs",
            Came::Failed,
            "it took longer than 0 s and was ended",
        ),
        ("counts", Came::Done, "counted"),
    ] {
        let runs = ended(folder.path(), job).await;
        assert_eq!(runs.last(), Some(&(came, said.to_owned())));
    }
    let bytes = std::fs::read(folder.path().join("records.db")).unwrap();
    let value = b"jane.doe@example.com";
    assert!(!bytes.windows(value.len()).any(|it| it == value));
}

#[tokio::test]
async fn a_stop_ends_runs_and_is_in_their_history() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let waits = TestJob::lasting("waits", Does::Wait);
    let hangs = TestJob::lasting("hangs", Does::Hang);
    let scheduler = scheduler(folder.path(), &[&waits, &hangs], &stop);
    let scheduler = tokio::spawn(scheduler.run());
    until("both runs", || waits.runs() == 1 && hangs.runs() == 1).await;
    stop.cancel();
    let stopped = tokio::time::timeout(Duration::from_secs(30), scheduler).await;
    stopped.expect("a minute is not waited for").unwrap();
    for job in [&waits, &hangs] {
        until("the end of the run", || {
            job.over.load(Ordering::SeqCst) == 1
        })
        .await;
    }
    let files = std::fs::read_dir(folder.path()).unwrap();
    let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["records.db"], "it is closed");
    for job in ["waits", "hangs"] {
        let expected = (Came::Abandoned, "the gateway stopped".to_owned());
        assert_eq!(ended(folder.path(), job).await, [expected]);
    }
}

#[tokio::test]
async fn jobs_run_without_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let counts = TestJob::new("counts", Duration::ZERO, Does::Count);
    let nowhere = folder.path().join("nowhere");
    let scheduler = tokio::spawn(scheduler(&nowhere, &[&counts], &stop).run());
    until("two runs", || counts.runs() > 1).await;
    stop.cancel();
    scheduler.await.unwrap();
    assert!(!nowhere.exists());
}

#[tokio::test]
async fn jobs_run_beside_a_store_that_does_not_answer() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let counts = TestJob::new("counts", HOUR, Does::Count);
    let scheduler = scheduler(folder.path(), &[], &stop);
    let keeper = Arc::clone(&scheduler.records);
    keeper.keep().await;
    assert!(scheduler.history().await.is_some());
    let other = rusqlite::Connection::open(folder.path().join("records.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let job: Arc<dyn Job> = Arc::clone(&counts) as Arc<dyn Job>;
    assert!(scheduler.turn(&job, counts.plan).await.is_some());
    assert_eq!(counts.runs(), 1);
    let why = scheduler.watch.records_failing();
    assert_eq!(why.as_deref(), Some("it takes too long to answer"));
    other.execute_batch("ROLLBACK").unwrap();
    // What was not begun in time is not done later.
    assert!(scheduler.turn(&job, counts.plan).await.is_some());
    assert_eq!(counts.runs(), 2);
    assert_eq!(scheduler.watch.records_failing(), None);
    assert_eq!(ended(folder.path(), "counts").await.len(), 1);
}

#[tokio::test]
async fn of_gateways_that_share_a_store_one_has_the_turn() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let counts = TestJob::new("counts", HOUR, Does::Count);
    let job: Arc<dyn Job> = Arc::clone(&counts) as Arc<dyn Job>;
    let schedulers = [(); 3].map(|()| scheduler(folder.path(), &[], &stop));
    for scheduler in &schedulers {
        scheduler.records.keep().await;
    }
    let turns = schedulers.iter().map(|it| it.turn(&job, counts.plan));
    let starts = futures_util::future::join_all(turns).await;
    assert_eq!(counts.runs(), 1);
    assert!(starts.iter().all(Option::is_some));
    // Nor does one that starts later.
    let again = schedulers[0].turn(&job, counts.plan).await;
    assert_eq!((again, counts.runs()), (starts[0], 1));
}
