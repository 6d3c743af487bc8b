//! The history of jobs: a row for each run, and no two runs of a job at a time.
//!
//! It is kept in the store, so gateways that share one also share the turns: the gateway that starts a run has the job until
//! the run has ended, or until the longest time that it may take is over. A run whose gateway died is called abandoned by
//! the next start.

use std::time::Duration;

use sluice_store::{Outcome, Owner, Row, Sql, Statement, Store, StoreError, Tables};

/// Runs of a job that are kept. The last one that was done is kept beside them.
const RUNS_MAX: i64 = 200;

/// Characters of what is said of a run.
const TEXT_CHARS_MAX: usize = 300;

/// The table of runs.
const OWNER: Owner = Owner {
    name: "jobs",
    steps: &["CREATE TABLE jobs_run (
             id {id},
             job {text} NOT NULL,
             started_ms {integer} NOT NULL,
             longest_ms {integer} NOT NULL,
             ended_ms {integer},
             state {integer} NOT NULL,
             said {text} NOT NULL
         ) {strict};
         CREATE INDEX jobs_run_job ON jobs_run (job, id);"],
};

const RUNNING: Sql<1> = Sql::new(
    "running",
    "SELECT started_ms, longest_ms FROM jobs_run WHERE job = $1 AND state = 0 ORDER BY id DESC LIMIT 1",
);
const ABANDON: Sql<2> = Sql::new(
    "abandon",
    "UPDATE jobs_run SET state = 3, ended_ms = $2 WHERE job = $1 AND state = 0",
);
const FORGET: Sql<2> = Sql::new(
    "forget",
    "DELETE FROM jobs_run WHERE job = $1
     AND id < (SELECT id FROM jobs_run WHERE job = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)
     AND id <> COALESCE((SELECT max(id) FROM jobs_run WHERE job = $1 AND state = 1), 0)",
);
const START: Sql<3> = Sql::new(
    "start",
    "INSERT INTO jobs_run (job, started_ms, longest_ms, state, said) VALUES ($1, $2, $3, 0, '') RETURNING id",
);
const END: Sql<4> = Sql::new(
    "end",
    "UPDATE jobs_run SET ended_ms = $2, state = $3, said = $4 WHERE id = $1 AND state = 0",
);
const LAST: Sql<2> = Sql::new(
    "last",
    "SELECT id, started_ms, ended_ms, state, said FROM jobs_run WHERE job = $1 ORDER BY id DESC LIMIT $2",
);
const LAST_DONE: Sql<1> = Sql::new(
    "last done",
    "SELECT id, started_ms, ended_ms, state, said FROM jobs_run WHERE job = $1 AND state = 1
     ORDER BY id DESC LIMIT 1",
);

/// What came of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// It is not over.
    Running,
    /// It did what it is for.
    Done,
    /// It could not.
    Failed,
    /// Its gateway ended before it did, or it took longer than it may.
    Abandoned,
}

impl Came {
    fn of(number: i64) -> Self {
        match number {
            0 => Self::Running,
            1 => Self::Done,
            2 => Self::Failed,
            _ => Self::Abandoned,
        }
    }
}

/// A run of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its number: a later run has a higher one.
    pub id: i64,
    /// When it started, in Unix milliseconds.
    pub started_ms: u64,
    /// When it ended, in Unix milliseconds.
    pub ended_ms: Option<u64>,
    /// What came of it.
    pub came: Came,
    /// The same in words; up to 300 characters.
    pub said: String,
}

impl Run {
    fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            started_ms: row.get::<i64>(1)?.unsigned_abs(),
            ended_ms: row.get::<Option<i64>>(2)?.map(i64::unsigned_abs),
            came: Came::of(row.get(3)?),
            said: row.get(4)?,
        })
    }
}

/// A run that has started and has to be ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Started {
    id: i64,
}

/// The runs of all jobs.
#[derive(Clone)]
pub struct History {
    tables: Tables,
}

impl History {
    /// Makes the table where it is missing.
    ///
    /// # Errors
    ///
    /// As [`Store::tables`].
    pub async fn open(store: &Store) -> Result<Self, StoreError> {
        let tables = store.tables(OWNER).await?;
        Ok(Self { tables })
    }

    /// Notes that a run of a job starts, which may take `longest`. `None` while another one is going on.
    ///
    /// # Errors
    ///
    /// What the store says. [`StoreError::Unavailable`] may leave a run without an end; it is over after `longest`.
    pub async fn start(
        &self,
        job: &'static str,
        now_ms: u64,
        longest: Duration,
    ) -> Result<Option<Started>, StoreError> {
        let (now_ms, longest_ms) = (integer(now_ms), integer(longest.as_millis()));
        let decide = move |found: Vec<Outcome>| {
            if is_running(&found, now_ms) {
                return (false, Vec::new());
            }
            let start = START.with([job.into(), now_ms.into(), longest_ms.into()]);
            (true, vec![abandon(job, now_ms), start, forget(job)])
        };
        let running = RUNNING.with([job.into()]);
        let (_, done) = self.tables.change(vec![running], decide).await?;
        let row = done.get(1).and_then(|started| started.rows.first());
        let id = row.map(|row| row.get(0)).transpose()?;
        Ok(id.map(|id| Started { id }))
    }

    /// Notes what came of a run. What is said of it is for people, and names none.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub async fn end(
        &self,
        run: &Started,
        now_ms: u64,
        is_done: bool,
        said: &str,
    ) -> Result<(), StoreError> {
        let state = if is_done { 1 } else { 2 };
        let said: String = said.chars().take(TEXT_CHARS_MAX).collect();
        let end = END.with([
            run.id.into(),
            integer(now_ms).into(),
            state.into(),
            said.into(),
        ]);
        self.tables.write(vec![end]).await.map(drop)
    }

    /// The last runs of a job, the newest first.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub async fn last(&self, job: &str, runs: u16) -> Result<Vec<Run>, StoreError> {
        self.runs(LAST.with([job.into(), i64::from(runs).into()]))
            .await
    }

    /// The last run of a job that did what it is for, however long ago.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub async fn last_done(&self, job: &str) -> Result<Option<Run>, StoreError> {
        Ok(self.runs(LAST_DONE.with([job.into()])).await?.pop())
    }

    async fn runs(&self, statement: Statement) -> Result<Vec<Run>, StoreError> {
        let found = self.tables.read(vec![statement]).await?;
        found
            .iter()
            .flat_map(|found| &found.rows)
            .map(Run::of)
            .collect()
    }
}

/// Whether a run is going on. One whose start is further ahead than it may take was noted by a clock that was wrong.
fn is_running(found: &[Outcome], now_ms: i64) -> bool {
    let Some(row) = found.first().and_then(|found| found.rows.first()) else {
        return false;
    };
    match (row.get::<i64>(0), row.get::<i64>(1)) {
        (Ok(started_ms), Ok(longest_ms)) => {
            now_ms.saturating_sub(started_ms).saturating_abs() < longest_ms
        }
        _ => false,
    }
}

fn abandon(job: &'static str, now_ms: i64) -> Statement {
    ABANDON.with([job.into(), now_ms.into()])
}

fn forget(job: &'static str) -> Statement {
    FORGET.with([job.into(), (RUNS_MAX - 1).into()])
}

/// Milliseconds as the store takes them.
fn integer(ms: impl TryInto<i64>) -> i64 {
    ms.try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use sluice_store::testing::Database;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);
    const T0: u64 = 1_751_000_000_000;

    /// A run that has come to its end.
    async fn run(history: &History, job: &'static str, now_ms: u64, is_done: bool, said: &str) {
        let run = history.start(job, now_ms, MINUTE).await.unwrap().unwrap();
        history.end(&run, now_ms + 7, is_done, said).await.unwrap();
    }

    async fn runs_are_kept_by_job(database: &Database) {
        let place = database.fresh();
        let history = History::open(&place.open().await).await.unwrap();
        assert_eq!(history.last("sweep", 10).await.unwrap(), []);
        assert_eq!(history.last_done("sweep").await.unwrap(), None);
        run(&history, "sweep", T0, true, "12 bodies").await;
        run(&history, "token", T0 + 1, false, "Meta did not answer").await;
        run(&history, "sweep", T0 + 100, false, &"é".repeat(400)).await;
        let runs = history.last("sweep", 10).await.unwrap();
        let told = |run: &Run| (run.started_ms, run.ended_ms, run.came, run.said.clone());
        let expected = [
            (T0 + 100, Some(T0 + 107), Came::Failed, "é".repeat(300)),
            (T0, Some(T0 + 7), Came::Done, "12 bodies".to_owned()),
        ];
        assert_eq!(runs.iter().map(told).collect::<Vec<_>>(), expected);
        assert_eq!(history.last("sweep", 1).await.unwrap(), runs[..1]);
        assert_eq!(
            history.last_done("sweep").await.unwrap().as_ref(),
            Some(&runs[1])
        );
        assert_eq!(history.last_done("token").await.unwrap(), None);
    }

    async fn one_run_at_a_time(database: &Database) {
        let place = database.fresh();
        let one = History::open(&place.open().await).await.unwrap();
        let other = History::open(&place.open().await).await.unwrap();
        let mut starts = Vec::new();
        for history in [&one, &other, &one, &other] {
            let history = history.clone();
            let start = async move { history.start("sweep", T0, MINUTE).await.unwrap() };
            starts.push(tokio::spawn(start));
        }
        let mut started = Vec::new();
        for start in starts {
            started.extend(start.await.unwrap());
        }
        assert_eq!(started.len(), 1);
        assert_ne!(other.start("token", T0, MINUTE).await.unwrap(), None);
        // Clocks of gateways differ a little.
        for now_ms in [T0 - 1_000, T0 + 59_999] {
            assert_eq!(other.start("sweep", now_ms, MINUTE).await.unwrap(), None);
        }
        one.end(&started[0], T0 + 60_000, true, "").await.unwrap();
        assert_ne!(
            other.start("sweep", T0 + 60_000, MINUTE).await.unwrap(),
            None
        );
    }

    async fn a_run_of_a_dead_gateway_is_abandoned(database: &Database) {
        let place = database.fresh();
        let history = History::open(&place.open().await).await.unwrap();
        let dead = history.start("sweep", T0, MINUTE).await.unwrap().unwrap();
        // A clock that was a year ahead leaves a run that starts in a year.
        let late = T0 + 31_536_000_000;
        for (now_ms, start_ms) in [(T0 + 60_000, T0), (late, T0 + 60_000), (T0 + 70_000, late)] {
            assert_ne!(history.start("sweep", now_ms, MINUTE).await.unwrap(), None);
            let run = &history.last("sweep", 2).await.unwrap()[1];
            assert_eq!((run.started_ms, run.came), (start_ms, Came::Abandoned));
        }
        // Its end comes too late to count.
        history
            .end(&dead, T0 + 70_000, true, "done after all")
            .await
            .unwrap();
        assert_eq!(history.last_done("sweep").await.unwrap(), None);
    }

    async fn runs_are_bounded(database: &Database) {
        let place = database.fresh();
        let history = History::open(&place.open().await).await.unwrap();
        run(&history, "token", T0, false, "").await;
        run(&history, "sweep", T0, true, "the one that was done").await;
        for later in 1..=210 {
            run(&history, "sweep", T0 + later, false, "").await;
        }
        let runs = history.last("sweep", 1_000).await.unwrap();
        let starts: Vec<u64> = runs.iter().map(|run| run.started_ms - T0).collect();
        let expected: Vec<u64> = (11..=210).rev().chain([0]).collect();
        assert_eq!(starts, expected);
        let done = history.last_done("sweep").await.unwrap().unwrap();
        assert_eq!(done.said, "the one that was done");
        assert_eq!(history.last("token", 10).await.unwrap().len(), 1);
    }

    async fn all(database: Database) {
        runs_are_kept_by_job(&database).await;
        one_run_at_a_time(&database).await;
        a_run_of_a_dead_gateway_is_abandoned(&database).await;
        runs_are_bounded(&database).await;
    }

    #[tokio::test]
    async fn history_of_jobs_on_sqlite() {
        all(Database::sqlite()).await;
    }

    #[tokio::test]
    async fn history_of_jobs_on_postgresql() {
        all(Database::postgres()).await;
    }
}
