//! Where the events of a request go, and with which test code.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::StatusCode;
use sluice_event::DatasetId;
use sluice_journal::TestCode;

use super::auth::Caller;
use super::intake::Sealed;
use super::problem::Problem;
use super::test_codes::requested_code;
use crate::config::Source;
use crate::roster::Snapshot;

/// Where the events of a request go, and how.
pub(crate) struct Route {
    pub(crate) source: Arc<Source>,
    /// What is in force for the request.
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) datasets: Vec<DatasetId>,
    /// The test code of the request.
    pub(crate) test_code: Option<TestCode>,
    /// Test codes that single events name, by their text.
    pub(crate) event_codes: BTreeMap<String, TestCode>,
}

impl Sealed {
    /// Where the events go: with the test code that the request names at the place of its door, else with the one
    /// beside its events. One inside an event counts for that event, as long as the request names none.
    ///
    /// # Errors
    ///
    /// The problem of a code that the source may not use: then none of the events is taken, for they would go out as
    /// real ones.
    pub(crate) fn route(
        &self,
        caller: &Caller,
        datasets: Vec<DatasetId>,
        requested: Option<&str>,
    ) -> Result<Route, Problem> {
        if self.has_switch_beside {
            return Err(switch_misplaced());
        }
        let test_code = match requested.or(self.test_code.as_deref()) {
            Some(code) => requested_code(code, &caller.source)?,
            None => None,
        };
        let mut event_codes = BTreeMap::new();
        if test_code.is_none() {
            for code in &self.event_codes {
                let read = requested_code(code, &caller.source)?;
                event_codes.extend(read.map(|read| (code.clone(), read)));
            }
        }
        Ok(Route {
            source: Arc::clone(&caller.source),
            snapshot: Arc::clone(&caller.snapshot),
            datasets,
            test_code,
            event_codes,
        })
    }
}

/// What restricts events stands where it restricts none.
pub(crate) fn switch_misplaced() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "options_misplaced",
        "data_processing_options or opt_out stand beside data, where they limit no event; none was taken",
        "write data_processing_options, with its country and state, and opt_out into each event",
    )
}
