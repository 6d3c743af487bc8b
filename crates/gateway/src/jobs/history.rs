//! The history of jobs: a row for each run, and no two runs of a job at a time.
//!
//! It is kept in the store, so gateways that share one also share the turns: the gateway that starts a run has the job until
//! the run has ended, or until the longest time that it may take is over. A run whose gateway died is called abandoned by
//! the next start.

use std::path::Path;

use sluice_store::{Outcome, Owner, Row, Sql, Statement, Store, StoreError, Tables};

use super::Plan;
use super::due::{is_due, is_going_on};

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

const NEWEST: Sql<1> = Sql::new(
    "newest",
    "SELECT started_ms, longest_ms, state FROM jobs_run WHERE job = $1 ORDER BY id DESC LIMIT 1",
);
const DONE: Sql<1> = Sql::new(
    "done",
    "SELECT ended_ms FROM jobs_run WHERE job = $1 AND state = 1 ORDER BY id DESC LIMIT 1",
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
const NOTE: Sql<5> = Sql::new(
    "note",
    "INSERT INTO jobs_run (job, started_ms, longest_ms, ended_ms, state, said) VALUES ($1, $2, 0, $3, $4, $5)",
);
const RUNS: Sql<2> = Sql::new(
    "runs",
    "SELECT id, job, started_ms, ended_ms, state, said FROM jobs_run WHERE $1 IN ('', job) ORDER BY id DESC LIMIT $2",
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
    /// A word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        }
    }

    fn number(self) -> i64 {
        match self {
            Self::Running => 0,
            Self::Done => 1,
            Self::Failed => 2,
            Self::Abandoned => 3,
        }
    }

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
    /// Which job.
    pub job: String,
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
            job: row.get(1)?,
            started_ms: row.get::<i64>(2)?.unsigned_abs(),
            ended_ms: row.get::<Option<i64>>(3)?.map(i64::unsigned_abs),
            came: Came::of(row.get(4)?),
            said: row.get(5)?,
        })
    }
}

/// A run that has started and has to be ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Started {
    id: i64,
}

/// What is known of a job when its turn is asked for; times in Unix milliseconds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Turn {
    /// The run that begins now. `None` while another one is going on, and when the job is not due.
    pub(crate) run: Option<Started>,
    /// When the last run before that started.
    pub(crate) started_ms: Option<u64>,
    /// When the last one that did what it is for ended, however long ago.
    pub(crate) done_ms: Option<u64>,
}

/// The end of a run.
#[derive(Debug, Clone)]
pub(crate) struct End {
    /// In Unix milliseconds.
    pub(crate) at_ms: u64,
    pub(crate) came: Came,
    /// For people; it names none.
    pub(crate) said: String,
}

/// The runs of all jobs.
#[derive(Clone)]
pub struct History {
    tables: Tables,
}

impl History {
    /// Opens the history in the folder of a journal to read it, beside a running gateway or without one. `None` where
    /// there is none.
    ///
    /// # Errors
    ///
    /// As [`Store::look`] and [`Store::tables`].
    pub async fn look(folder: &Path) -> Result<Option<Self>, StoreError> {
        match Store::look(folder).await? {
            Some(store) => Self::open(&store).await.map(Some),
            None => Ok(None),
        }
    }

    /// Makes the table where it is missing.
    pub(crate) async fn open(store: &Store) -> Result<Self, StoreError> {
        let tables = store.tables(OWNER).await?;
        Ok(Self { tables })
    }

    /// Starts a run if the job is due and none is going on. [`StoreError::Unavailable`] may leave a run without an end;
    /// it is over after its longest time.
    pub(crate) async fn start(&self, plan: Plan, now_ms: u64) -> Result<Turn, StoreError> {
        let job = plan.name;
        let decide = move |found: Vec<Outcome>| {
            let known = Known::of(&found);
            let is_free = known.as_ref().is_ok_and(|known| {
                !known.is_going_on(now_ms) && is_due(&plan, known.started_ms, now_ms)
            });
            if !is_free {
                return (known, Vec::new());
            }
            let (now_ms, longest_ms) = (integer(now_ms), integer(plan.longest.as_millis()));
            let start = START.with([job.into(), now_ms.into(), longest_ms.into()]);
            (known, vec![abandon(job, now_ms), start, forget(job)])
        };
        let reads = vec![NEWEST.with([job.into()]), DONE.with([job.into()])];
        let (known, done) = self.tables.change(reads, decide).await?;
        let known = known?;
        let row = done.get(1).and_then(|started| started.rows.first());
        let id = row.map(|row| row.get(0)).transpose()?;
        Ok(Turn {
            run: id.map(|id| Started { id }),
            started_ms: known.started_ms,
            done_ms: known.done_ms,
        })
    }

    /// Notes the end of a run.
    pub(crate) async fn end(&self, run: &Started, end: End) -> Result<(), StoreError> {
        let end = END.with([
            run.id.into(),
            integer(end.at_ms).into(),
            end.came.number().into(),
            shortened(&end.said).into(),
        ]);
        self.tables.write(vec![end]).await.map(drop)
    }

    /// Notes a run that is over and had no turn.
    pub(crate) async fn note(
        &self,
        job: &'static str,
        started_ms: u64,
        end: End,
    ) -> Result<(), StoreError> {
        let note = NOTE.with([
            job.into(),
            integer(started_ms).into(),
            integer(end.at_ms).into(),
            end.came.number().into(),
            shortened(&end.said).into(),
        ]);
        self.tables.write(vec![note, forget(job)]).await.map(drop)
    }

    /// The last runs, the newest first: of one job, or of all.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub async fn runs(&self, job: Option<&str>, max: u16) -> Result<Vec<Run>, StoreError> {
        let job = job.unwrap_or_default();
        let runs = RUNS.with([job.into(), i64::from(max).into()]);
        let found = self.tables.read(vec![runs]).await?;
        let rows = found.iter().flat_map(|found| &found.rows);
        rows.map(Run::of).collect()
    }
}

/// What the history says of a job.
#[derive(Default)]
struct Known {
    started_ms: Option<u64>,
    /// The last run has no end, and may take so many milliseconds.
    running: Option<u64>,
    done_ms: Option<u64>,
}

impl Known {
    fn of(found: &[Outcome]) -> Result<Self, StoreError> {
        let first = |index: usize| {
            found
                .get(index)
                .and_then(|found: &Outcome| found.rows.first())
        };
        let mut known = Self::default();
        if let Some(row) = first(0) {
            known.started_ms = Some(row.get::<i64>(0)?.unsigned_abs());
            let is_running = Came::of(row.get(2)?) == Came::Running;
            let longest_ms = row.get::<i64>(1)?.unsigned_abs();
            known.running = is_running.then_some(longest_ms);
        }
        if let Some(row) = first(1) {
            known.done_ms = row.get::<Option<i64>>(0)?.map(i64::unsigned_abs);
        }
        Ok(known)
    }

    fn is_going_on(&self, now_ms: u64) -> bool {
        let run = self.running.zip(self.started_ms);
        run.is_some_and(|(longest_ms, started_ms)| is_going_on(longest_ms, started_ms, now_ms))
    }
}

fn shortened(said: &str) -> String {
    said.chars().take(TEXT_CHARS_MAX).collect()
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
    use std::time::Duration;

    use sluice_store::testing::Database;

    use super::super::Whose;
    use super::*;

    const T0: u64 = 1_751_000_000_000;
    const SECOND: u64 = 1_000;

    /// A job that may take 60 seconds, and is due every 90.
    fn plan(name: &'static str) -> Plan {
        Plan {
            name,
            every: Duration::from_secs(90),
            longest: Duration::from_mins(1),
            whose: Whose::Any,
        }
    }

    fn end(at_ms: u64, came: Came, said: &str) -> End {
        End {
            at_ms,
            came,
            said: said.to_owned(),
        }
    }

    async fn start(history: &History, job: &'static str, now_ms: u64) -> Option<Started> {
        history.start(plan(job), now_ms).await.unwrap().run
    }

    /// A run that has come to its end.
    async fn run(history: &History, job: &'static str, now_ms: u64, came: Came, said: &str) {
        let run = start(history, job, now_ms).await.unwrap();
        history
            .end(&run, end(now_ms + 7, came, said))
            .await
            .unwrap();
    }

    async fn runs_are_kept_by_job(database: &Database) {
        let place = database.fresh();
        let history = History::open(&place.open().await).await.unwrap();
        assert_eq!(history.runs(None, 10).await.unwrap(), []);
        run(&history, "sweep", T0, Came::Done, "12 bodies").await;
        run(
            &history,
            "token",
            T0 + 1,
            Came::Failed,
            "Meta did not answer",
        )
        .await;
        let long = "é".repeat(400);
        run(&history, "sweep", T0 + 90 * SECOND, Came::Failed, &long).await;
        let noted = end(T0 + 91 * SECOND, Came::Done, "2 were read");
        history.note("secrets", T0 + 2, noted).await.unwrap();
        let runs = history.runs(None, 10).await.unwrap();
        let told = |run: &Run| {
            (
                run.job.clone(),
                run.started_ms - T0,
                run.came,
                run.said.clone(),
            )
        };
        let told: Vec<_> = runs.iter().map(told).collect();
        let expected = [
            ("secrets", 2, Came::Done, "2 were read"),
            ("sweep", 90 * SECOND, Came::Failed, &long[..600]),
            ("token", 1, Came::Failed, "Meta did not answer"),
            ("sweep", 0, Came::Done, "12 bodies"),
        ];
        let expected =
            expected.map(|(job, at, came, said)| (job.to_owned(), at, came, said.to_owned()));
        assert_eq!(told, expected);
        let ends: Vec<_> = runs.iter().map(|run| run.ended_ms.unwrap() - T0).collect();
        assert_eq!(ends, [91 * SECOND, 90 * SECOND + 7, 8, 7]);
        let sweeps = history.runs(Some("sweep"), 10).await.unwrap();
        assert_eq!(sweeps, [runs[1].clone(), runs[3].clone()]);
        assert_eq!(history.runs(Some("sweep"), 1).await.unwrap(), runs[1..2]);
        let turn = history
            .start(plan("sweep"), T0 + 91 * SECOND)
            .await
            .unwrap();
        let known = Turn {
            run: None,
            started_ms: Some(T0 + 90 * SECOND),
            done_ms: Some(T0 + 7),
        };
        assert_eq!(turn, known, "it is not due");
    }

    async fn one_run_at_a_time(database: &Database) {
        let place = database.fresh();
        let one = History::open(&place.open().await).await.unwrap();
        let other = History::open(&place.open().await).await.unwrap();
        let mut starts = Vec::new();
        for history in [&one, &other, &one, &other] {
            let history = history.clone();
            starts.push(tokio::spawn(
                async move { start(&history, "sweep", T0).await },
            ));
        }
        let mut started = Vec::new();
        for start in starts {
            started.extend(start.await.unwrap());
        }
        assert_eq!(started.len(), 1);
        assert_ne!(start(&other, "token", T0).await, None);
        // Clocks of gateways differ a little.
        for now_ms in [T0 - SECOND, T0 + 60 * SECOND - 1] {
            assert_eq!(start(&other, "sweep", now_ms).await, None);
        }
        // Nor is one of a version that runs the job more often.
        let often = Plan {
            every: Duration::from_secs(1),
            longest: Duration::from_millis(500),
            ..plan("sweep")
        };
        let turn = other.start(often, T0 + 30 * SECOND).await.unwrap();
        assert_eq!(turn.run, None);
        let ended = end(T0 + 60 * SECOND, Came::Done, "");
        one.end(&started[0], ended).await.unwrap();
        // Whoever comes after it has nothing to do before the job is due again.
        assert_eq!(start(&other, "sweep", T0 + 90 * SECOND - 1).await, None);
        assert_ne!(start(&other, "sweep", T0 + 90 * SECOND).await, None);
    }

    async fn a_run_of_a_dead_gateway_is_abandoned(database: &Database) {
        let place = database.fresh();
        let history = History::open(&place.open().await).await.unwrap();
        let dead = start(&history, "sweep", T0).await.unwrap();
        // A clock that was a year ahead leaves a run that starts in a year.
        let late = T0 + 31_536_000_000;
        for (now_ms, start_ms) in [
            (T0 + 90 * SECOND, T0),
            (late, T0 + 90 * SECOND),
            (T0 + 100 * SECOND, late),
        ] {
            assert_ne!(start(&history, "sweep", now_ms).await, None);
            let run = &history.runs(Some("sweep"), 2).await.unwrap()[1];
            assert_eq!((run.started_ms, run.came), (start_ms, Came::Abandoned));
        }
        // Its end comes too late to count.
        let after_all = end(T0 + 100 * SECOND, Came::Done, "done after all");
        history.end(&dead, after_all).await.unwrap();
        let turn = history.start(plan("sweep"), T0).await.unwrap();
        assert_eq!(turn.done_ms, None);
    }

    async fn runs_are_bounded(database: &Database) {
        let place = database.fresh();
        let history = History::open(&place.open().await).await.unwrap();
        run(&history, "token", T0, Came::Failed, "").await;
        run(&history, "sweep", T0, Came::Done, "the one that was done").await;
        for later in 1..=210 {
            let now_ms = T0 + later * 90 * SECOND;
            run(&history, "sweep", now_ms, Came::Failed, "").await;
        }
        let runs = history.runs(Some("sweep"), 1_000).await.unwrap();
        let starts = runs.iter().map(|run| (run.started_ms - T0) / (90 * SECOND));
        let expected: Vec<u64> = (11..=210).rev().chain([0]).collect();
        assert_eq!(starts.collect::<Vec<_>>(), expected);
        assert_eq!(runs.last().unwrap().said, "the one that was done");
        for later in 0..210 {
            let noted = end(T0 + later, Came::Done, "");
            history.note("secrets", T0, noted).await.unwrap();
        }
        assert_eq!(
            history.runs(Some("secrets"), 1_000).await.unwrap().len(),
            200
        );
        assert_eq!(history.runs(Some("token"), 10).await.unwrap().len(), 1);
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
