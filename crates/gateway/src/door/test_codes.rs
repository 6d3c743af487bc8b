//! Test codes that sources have used. Each has a lane of its own, which is more than a text that comes from outside
//! should be able to make without end; and one source does not use up what another has.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use axum::http::StatusCode;
use sluice_event::DatasetId;
use sluice_event::batch::names_test_code;
use sluice_journal::{SourceName, TestCode};

use super::problem::Problem;
use crate::config::{Config, Source};

/// Test codes of one source for one dataset since the start.
pub(crate) const TEST_CODES_MAX: usize = 50;

/// The codes of each source and dataset.
#[derive(Default)]
pub(crate) struct TestCodes(Mutex<HashMap<(SourceName, DatasetId), HashSet<TestCode>>>);

impl TestCodes {
    /// Whether a source may use a code for these datasets: one that it has used, or one of few others.
    pub(crate) fn may_use(
        &self,
        source: &SourceName,
        datasets: &[DatasetId],
        code: &TestCode,
        config: &Config,
    ) -> bool {
        // A code that was noted and not used takes a place, and does no other harm.
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        datasets.iter().all(|dataset| {
            let key = (source.clone(), dataset.clone());
            if !used.contains_key(&key) {
                // The codes of sources that are gone would stay for good.
                used.retain(|(name, _), _| config.source(name).is_some());
            }
            let codes = used.entry(key).or_default();
            codes.contains(code) || (codes.len() < TEST_CODES_MAX && codes.insert(code.clone()))
        })
    }
}

/// The test code that a request asks for; `None` for an empty one or a word for nothing.
pub(crate) fn requested_code(code: &str, source: &Source) -> Result<Option<TestCode>, Problem> {
    if !names_test_code(code) {
        return Ok(None);
    }
    if !source.allows_test_codes() {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "test_code_forbidden",
            "this source may not send test events",
            "leave test_event_code out, or set allow_test_codes for the source",
        ));
    }
    TestCode::parse(code).map(Some).map_err(|_| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "test_code_invalid",
            "test_event_code is none of Meta's",
            "copy the code from Events Manager, Test Events",
        )
    })
}
