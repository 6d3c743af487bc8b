//! Why something that a person wanted was not done.

use sluice_event::DatasetId;
use sluice_journal::JournalError;

use super::{Lanes, NOTE_CHARS_MAX, Pause, TEST_MAX};

/// Why something was not done. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Neither the configuration nor a lane knows the dataset.
    #[error("the gateway knows no dataset {dataset}", dataset = .dataset.as_str())]
    UnknownDataset {
        /// What was asked for.
        dataset: DatasetId,
        /// What there is.
        known: Vec<DatasetId>,
    },
    /// They are not paused.
    #[error("no lane of {0} is paused")]
    NotPaused(Lanes),
    /// They are paused together with others.
    #[error("{lanes} is paused together with all of {}", .paused.lanes)]
    PausedWithOthers {
        /// What was to be resumed.
        lanes: Lanes,
        /// What is paused.
        paused: Box<Pause>,
    },
    /// The note cannot be shown in one line.
    #[error("the note is no single line of at most {NOTE_CHARS_MAX} characters")]
    Note,
    /// The test has no length, or too much of it.
    #[error("a test lasts at least a second and at most {} hours", TEST_MAX.as_secs() / 3_600)]
    TestLength,
    /// No test runs for the dataset.
    #[error("no test runs for the dataset {dataset}", dataset = .0.as_str())]
    NoTest(DatasetId),
    /// Nothing of the configuration was put in force.
    #[error("{0}")]
    Reload(String),
    /// It would not survive a restart.
    #[error("it cannot be kept in {file}: {reason}")]
    NotKept {
        /// Where it was to be written.
        file: String,
        /// Why it was not.
        reason: String,
    },
    /// The journal did not do it.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A thread ended before it should.
    #[error("a defect in Sluice: {0}")]
    Defect(String),
}

impl ControlError {
    /// A word for programs; it does not change.
    pub fn code(&self) -> &'static str {
        match self {
            ControlError::UnknownDataset { .. } => "dataset_unknown",
            ControlError::NotPaused(_) => "not_paused",
            ControlError::PausedWithOthers { .. } => "paused_with_others",
            ControlError::Note => "note_invalid",
            ControlError::TestLength => "test_length_invalid",
            ControlError::NoTest(_) => "no_test",
            ControlError::Reload(_) => "configuration_unusable",
            ControlError::NotKept { .. } => "not_kept",
            ControlError::Journal(_) => "journal_unavailable",
            ControlError::Defect(_) => "defect",
        }
    }

    /// What would be right.
    pub fn help(&self) -> String {
        match self {
            ControlError::UnknownDataset { known, .. } if known.is_empty() => {
                "the configuration names no dataset".to_owned()
            }
            ControlError::UnknownDataset { known, .. } => {
                let known: Vec<_> = known.iter().map(DatasetId::as_str).collect();
                format!("it knows {}", known.join(", "))
            }
            ControlError::NotPaused(_) => "`sluice lane list` shows what is paused".to_owned(),
            ControlError::PausedWithOthers { paused, .. } => {
                format!("resume {} as a whole, then pause the others", paused.lanes)
            }
            ControlError::Note => "say in a few words why, without personal data".to_owned(),
            ControlError::TestLength => {
                "for longer, set test_event_code in the configuration, with its `until`".to_owned()
            }
            ControlError::NoTest(_) => "`sluice test list` shows which do".to_owned(),
            ControlError::Reload(_) => {
                "mend it and reload again; the configuration in force goes on. `sluice config check` shows each place"
                    .to_owned()
            }
            ControlError::NotKept { .. } => {
                "make room on the disk, or see to it that the gateway may write there; nothing was changed"
                    .to_owned()
            }
            ControlError::Journal(_) => {
                "see the gateway's log and `sluice audit`; nothing was changed".to_owned()
            }
            ControlError::Defect(_) => "report what the gateway's log says about it".to_owned(),
        }
    }
}
