//! How a command talks to a running gateway: one request a connection, a line of JSON there and one back.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sluice_event::DatasetId;
use sluice_journal::TestCode;

use super::{Lanes, words};

/// The version of what is said. A gateway answers to its own only: the program of the command may be another one.
pub const VERSION: u32 = 1;

/// Bytes of a request's line.
pub const REQUEST_BYTES_MAX: u64 = 64 * 1024;

/// Bytes of an answer's line.
pub const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The socket in the journal's folder.
pub fn socket(folder: &Path) -> PathBuf {
    folder.join("control.sock")
}

/// What is asked for, with the version of the asking.
#[derive(Debug, Serialize, Deserialize)]
pub struct Asked {
    /// [`VERSION`]
    pub version: u32,
    /// What is asked for.
    pub request: Request,
}

/// The version alone: the rest may have a form that is not known here.
#[derive(Debug, Deserialize)]
pub struct AskedVersion {
    /// [`VERSION`]
    pub version: u32,
}

/// What a command can ask for; the methods of [`super::Control`] say what each does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// [`super::Control::lanes`]
    Lanes,
    /// [`super::Control::pause`]
    Pause {
        /// Which.
        lanes: Lanes,
        /// Why.
        note: Option<String>,
    },
    /// [`super::Control::resume`]
    Resume {
        /// Which.
        lanes: Lanes,
    },
    /// [`super::Control::probe`]
    Probe {
        /// Which.
        lanes: Lanes,
    },
    /// [`super::Control::reload`]
    Reload,
    /// [`super::Control::start_test`]
    StartTest {
        /// The dataset.
        #[serde(with = "words::dataset")]
        dataset: DatasetId,
        /// Its `test_event_code`.
        #[serde(with = "words::some_code")]
        code: TestCode,
        /// For how long.
        seconds: u64,
    },
    /// [`super::Control::end_test`]
    EndTest {
        /// The dataset.
        #[serde(with = "words::dataset")]
        dataset: DatasetId,
    },
    /// [`super::Control::tests`]
    Tests,
}

/// What comes back.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply<T> {
    /// What came of it.
    Done(T),
    /// It was not done.
    Refused(Refusal),
}

/// Why it was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// A word for programs; it does not change.
    pub code: String,
    /// In plain words.
    pub message: String,
    /// What would be right.
    pub help: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_these_forms() {
        let dataset = DatasetId::parse("1234567890123456").unwrap();
        let lanes = Lanes {
            dataset: dataset.clone(),
            test_code: None,
            replay: true,
        };
        let code = TestCode::parse("TEST1").unwrap();
        for (request, text) in [
            (Request::Lanes, r#"{"action":"lanes"}"#),
            (
                Request::Pause {
                    lanes: lanes.clone(),
                    note: Some("wrong prices".to_owned()),
                },
                r#"{"action":"pause","lanes":{"dataset":"1234567890123456","replay":true},"note":"wrong prices"}"#,
            ),
            (
                Request::Probe { lanes },
                r#"{"action":"probe","lanes":{"dataset":"1234567890123456","replay":true}}"#,
            ),
            (
                Request::StartTest {
                    dataset,
                    code,
                    seconds: 60,
                },
                r#"{"action":"start_test","dataset":"1234567890123456","code":"TEST1","seconds":60}"#,
            ),
        ] {
            let asked = Asked {
                version: VERSION,
                request: request.clone(),
            };
            let written = serde_json::to_string(&asked).unwrap();
            assert_eq!(written, format!(r#"{{"version":1,"request":{text}}}"#));
            let read: Asked = serde_json::from_str(&written).unwrap();
            assert_eq!(read.request, request);
        }
    }
}
