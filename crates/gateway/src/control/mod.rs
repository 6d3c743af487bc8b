//! What people may do to a running gateway, and what they are told: one trait for commands, console and signals.
//!
//! Its types are words of the journal and plain ones, and know nothing of how the gateway does it. [`wire`] is how they
//! travel between a command and the gateway, [`client`] how a command asks.

pub mod client;
mod error;
pub mod wire;
mod words;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sluice_event::DatasetId;
use sluice_journal::{Dropped, EventKey, LaneId, Replayed, TestCode};

pub use error::ControlError;

/// How long a test may run.
pub const TEST_MAX: Duration = Duration::from_hours(24);

/// Characters of a note beside a pause.
pub const NOTE_CHARS_MAX: usize = 200;

/// What a gateway answers with.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, ControlError>> + Send + 'a>>;

/// What people may do to a running gateway. Each answer says what happened; what was done is in the log, and counted.
pub trait Control: Send + Sync {
    /// How every lane is doing, and what is paused.
    fn lanes(&self) -> Answer<'_, LaneList>;

    /// Stops lanes from sending anything until they are resumed, also after a restart. Answers when they stand still,
    /// or says how many batches are still on their way.
    fn pause(&self, lanes: Lanes, note: Option<String>) -> Answer<'_, Paused>;

    /// Lets paused lanes send again.
    fn resume(&self, lanes: Lanes) -> Answer<'_, Resumed>;

    /// Has lanes that wait for better times try again at once.
    fn probe(&self, lanes: Lanes) -> Answer<'_, Vec<Probed>>;

    /// Sends dead events again.
    fn replay(&self, events: Vec<EventKey>) -> Answer<'_, Replayed>;

    /// Gives dead events up.
    fn drop_events(&self, events: Vec<EventKey>) -> Answer<'_, Dropped>;

    /// Reads configuration, keys and tokens again, and puts in force what can be without a restart.
    fn reload(&self) -> Answer<'_, Reloaded>;

    /// Gives the events of a dataset a test code from now on, for a time of at most [`TEST_MAX`]. A code that comes with
    /// a request or an event goes first, that of the configuration does not. A test survives a restart.
    fn start_test(
        &self,
        dataset: DatasetId,
        code: TestCode,
        length: Duration,
    ) -> Answer<'_, TestStarted>;

    /// Ends the test of a dataset before its time.
    fn end_test(&self, dataset: DatasetId) -> Answer<'_, Test>;

    /// The tests that run.
    fn tests(&self) -> Answer<'_, Vec<Test>>;
}

/// Lanes of a dataset: those that fit all that is said, whether they exist now or later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lanes {
    /// The dataset.
    #[serde(with = "words::dataset")]
    pub dataset: DatasetId,
    /// Only lanes of this test code.
    #[serde(default, with = "words::code", skip_serializing_if = "Option::is_none")]
    pub test_code: Option<TestCode>,
    /// Only lanes of events that were sent again.
    #[serde(default)]
    pub replay: bool,
}

impl Lanes {
    /// Whether a lane is one of them.
    pub fn include(&self, lane: &LaneId) -> bool {
        self.cover(&Lanes {
            dataset: lane.dataset.clone(),
            test_code: lane.test_code.clone(),
            replay: lane.is_replay,
        })
    }

    /// Whether all of the others are among them.
    pub fn cover(&self, others: &Lanes) -> bool {
        self.dataset == others.dataset
            && (self.test_code.is_none() || self.test_code == others.test_code)
            && (!self.replay || others.replay)
    }
}

/// `1234567890123456 (test code TEST1, sent again)`
impl std::fmt::Display for Lanes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dataset = self.dataset.as_str();
        match (&self.test_code, self.replay) {
            (None, false) => write!(f, "{dataset}"),
            (None, true) => write!(f, "{dataset} (sent again)"),
            (Some(code), false) => write!(f, "{dataset} (test code {})", code.as_str()),
            (Some(code), true) => {
                write!(f, "{dataset} (test code {}, sent again)", code.as_str())
            }
        }
    }
}

/// Lanes that send nothing until a person resumes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Which.
    #[serde(flatten)]
    pub lanes: Lanes,
    /// Who paused them.
    pub by: String,
    /// When, in milliseconds since 1970.
    pub since_ms: u64,
    /// What else was said about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A test: events of a dataset go with a test code until its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Test {
    /// The dataset.
    #[serde(with = "words::dataset")]
    pub dataset: DatasetId,
    /// `test_event_code`
    #[serde(with = "words::some_code")]
    pub code: TestCode,
    /// Who started it.
    pub by: String,
    /// When, in milliseconds since 1970.
    pub since_ms: u64,
    /// When it ends, in milliseconds since 1970.
    pub until_ms: u64,
}

/// How a lane is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneStatus {
    /// Which lane.
    #[serde(flatten)]
    pub lane: Lanes,
    /// `flowing`, `throttled`, `parked` or `paused`.
    pub state: String,
    /// Why, in plain words.
    pub reason: Option<String>,
    /// Since when, in milliseconds since 1970; `None` for a lane that has not reported yet.
    pub since_ms: Option<u64>,
    /// When it looks again, in milliseconds since 1970.
    pub until_ms: Option<u64>,
    /// Percent of Meta's allowance that is used.
    pub usage_percent: u32,
    /// Events on disk that are not delivered, all of the following included.
    pub waiting: usize,
    /// Events that are not due yet.
    pub on_hold: usize,
    /// Batches on their way.
    pub in_flight: usize,
    /// Events that stand back while others go through.
    pub held: usize,
    /// The Unix second at which the first waiting event grows too old for Meta.
    pub first_expiry_s: Option<i64>,
}

/// How every lane is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneList {
    /// Lanes that have had an event since the start.
    pub lanes: Vec<LaneStatus>,
    /// What is paused, also of lanes that have had none.
    pub pauses: Vec<Pause>,
}

/// What a pause came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// The pause.
    pub pause: Pause,
    /// Events that wait in the lanes.
    pub waiting: usize,
    /// Batches that were on their way and are not back yet: Meta may take their events.
    pub in_flight: usize,
}

/// What a resume came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// The pauses that are over.
    pub pauses: Vec<Pause>,
    /// Events that wait in their lanes.
    pub waiting: usize,
}

/// What became of a lane that was to try again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// Which lane.
    #[serde(flatten)]
    pub lane: Lanes,
    /// What it does.
    pub answer: ProbeAnswer,
}

/// What a lane does that was to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeAnswer {
    /// It tries now.
    Tries,
    /// It flows: there is nothing to try.
    Flows,
    /// It is paused, and sends nothing before it is resumed.
    Paused,
    /// The configuration does not name its dataset.
    Unconfigured,
}

/// What a reload has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// How many configurations have been in force since the start, the one in force included.
    pub generation: u64,
    /// What of the file is in force now and was not before, each change in one line.
    pub applied: Vec<String>,
    /// What of the file waits for a restart.
    pub needs_restart: Vec<String>,
    /// What is doubtful about the file and about the secrets in force.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// How many known keys and tokens are others than before. Those that commands print are not among them: the log
    /// says when they are others.
    pub secrets_changed: usize,
    /// Why keys and tokens could not be read again; the known ones stay in force.
    pub secrets_unreadable: Vec<String>,
}

/// What the start of a test came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestStarted {
    /// The test.
    pub test: Test,
    /// The test that ran before, and has ended for it.
    pub replaced: Option<Test>,
}
