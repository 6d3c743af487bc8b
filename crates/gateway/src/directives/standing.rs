//! What holds at a moment, and how it changes. Pure.

use serde::{Deserialize, Serialize};
use sluice_event::DatasetId;
use sluice_journal::LaneId;

use crate::control::{ControlError, Lanes, Pause, Test};

/// What people told the gateway and what holds now.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Standing {
    pub(crate) pauses: Vec<Pause>,
    /// At most one a dataset.
    pub(crate) tests: Vec<Test>,
}

impl Standing {
    /// The pause of a lane.
    pub(crate) fn pause_of(&self, lane: &LaneId) -> Option<&Pause> {
        self.pauses.iter().find(|pause| pause.lanes.include(lane))
    }

    /// The test of a dataset. By a time that is in doubt none is over.
    pub(crate) fn test_of(&self, dataset: &DatasetId, now: (u64, bool)) -> Option<&Test> {
        let mut tests = self.tests.iter();
        tests.find(|test| test.dataset == *dataset && !is_over(test, now))
    }

    /// Pauses lanes. One who pauses the same again says anew since when and why.
    pub(crate) fn pause(&mut self, pause: Pause) {
        self.pauses.retain(|before| before.lanes != pause.lanes);
        self.pauses.push(pause);
    }

    /// Resumes lanes, and returns what is over.
    pub(crate) fn resume(&mut self, lanes: &Lanes) -> Result<Vec<Pause>, ControlError> {
        // Nothing is resumed in part: a person who resumes some lanes expects that they send.
        let wider = |pause: &&Pause| pause.lanes.cover(lanes) && pause.lanes != *lanes;
        if let Some(paused) = self.pauses.iter().find(wider) {
            return Err(ControlError::PausedWithOthers {
                lanes: lanes.clone(),
                paused: Box::new(paused.clone()),
            });
        }
        let is_over = |pause: &mut Pause| lanes.cover(&pause.lanes);
        let over: Vec<_> = self.pauses.extract_if(.., is_over).collect();
        if over.is_empty() {
            return Err(ControlError::NotPaused(lanes.clone()));
        }
        Ok(over)
    }

    /// Starts a test, and returns the one that it takes the place of.
    pub(crate) fn start_test(&mut self, test: Test) -> Option<Test> {
        let replaced = self.end_test(&test.dataset, (test.since_ms, false)).ok();
        self.tests.push(test);
        replaced
    }

    /// Ends the test of a dataset that runs.
    pub(crate) fn end_test(
        &mut self,
        dataset: &DatasetId,
        now: (u64, bool),
    ) -> Result<Test, ControlError> {
        let mut tests = self.tests.extract_if(.., |test| test.dataset == *dataset);
        let running = tests.find(|test| !is_over(test, now));
        drop(tests);
        running.ok_or_else(|| ControlError::NoTest(dataset.clone()))
    }

    /// Whether the time of a test is over that was not taken out yet.
    pub(crate) fn has_ended(&self, now: (u64, bool)) -> bool {
        self.tests.iter().any(|test| is_over(test, now))
    }

    /// Takes out the tests whose time is over.
    pub(crate) fn take_ended(&mut self, now: (u64, bool)) -> Vec<Test> {
        let ended = self.tests.extract_if(.., |test| is_over(test, now));
        ended.collect()
    }
}

/// How much later than now a test may seem to have begun, in milliseconds: clocks are corrected by a little all the time.
const SLACK_MS: u64 = 120_000;

/// Whether the time of a test is over. One that begins later than now was started by a clock that was ahead: how much of
/// its time is left is not known, and it must not last days.
fn is_over(test: &Test, (now_ms, in_doubt): (u64, bool)) -> bool {
    let is_of_another_time = test.since_ms > now_ms.saturating_add(SLACK_MS);
    !in_doubt && (test.until_ms <= now_ms || is_of_another_time)
}

#[cfg(test)]
mod tests {
    use sluice_journal::TestCode;

    use super::*;

    const DATASET: &str = "1234567890123456";

    fn lanes(dataset: &str, test_code: Option<&str>, replay: bool) -> Lanes {
        Lanes {
            dataset: DatasetId::parse(dataset).unwrap(),
            test_code: test_code.map(|code| TestCode::parse(code).unwrap()),
            replay,
        }
    }

    fn lane(dataset: &str, test_code: Option<&str>, is_replay: bool) -> LaneId {
        let Lanes {
            dataset, test_code, ..
        } = lanes(dataset, test_code, is_replay);
        LaneId {
            dataset,
            test_code,
            is_replay,
        }
    }

    fn pause(lanes: Lanes) -> Pause {
        Pause {
            lanes,
            by: "an operator".to_owned(),
            since_ms: 1_000,
            note: None,
        }
    }

    fn test(code: &str, until_ms: u64) -> Test {
        Test {
            dataset: DatasetId::parse(DATASET).unwrap(),
            code: TestCode::parse(code).unwrap(),
            by: "an operator".to_owned(),
            since_ms: 1_000,
            until_ms,
        }
    }

    #[test]
    fn a_pause_holds_for_the_lanes_that_fit_it() {
        let all = [
            (None, false),
            (None, true),
            (Some("T1"), false),
            (Some("T1"), true),
            (Some("T2"), true),
        ];
        for (paused, expected) in [
            ((None, false), [true, true, true, true, true]),
            ((None, true), [false, true, false, true, true]),
            ((Some("T1"), false), [false, false, true, true, false]),
            ((Some("T1"), true), [false, false, false, true, false]),
        ] {
            let mut standing = Standing::default();
            standing.pause(pause(lanes(DATASET, paused.0, paused.1)));
            let held =
                all.map(|(code, replay)| standing.pause_of(&lane(DATASET, code, replay)).is_some());
            assert_eq!(held, expected, "{paused:?}");
            assert_eq!(
                standing.pause_of(&lane("2345678901234567", None, true)),
                None
            );
        }
    }

    #[test]
    fn a_dataset_is_resumed_with_all_its_lanes_and_no_lane_without_it() {
        let mut standing = Standing::default();
        let (whole, replays) = (lanes(DATASET, None, false), lanes(DATASET, None, true));
        let other = lanes("2345678901234567", None, false);
        for lanes in [&whole, &replays, &other, &replays] {
            standing.pause(pause(lanes.clone()));
        }
        assert_eq!(standing.pauses.len(), 3);
        let denied = standing.resume(&replays).unwrap_err();
        assert_eq!(denied.code(), "paused_with_others");
        assert_eq!(standing.pauses.len(), 3);
        let over = standing.resume(&whole).unwrap();
        assert_eq!(over.len(), 2);
        assert_eq!(standing.pauses, [pause(other)]);
        let denied = standing.resume(&whole).unwrap_err();
        assert_eq!(denied.code(), "not_paused");
    }

    #[test]
    fn a_test_ends_by_itself_but_by_no_time_in_doubt() {
        let mut standing = Standing::default();
        let dataset = DatasetId::parse(DATASET).unwrap();
        assert_eq!(standing.start_test(test("T1", 5_000)), None);
        for (now, runs) in [
            ((4_999, false), true),
            ((5_000, false), false),
            ((5_000, true), true),
        ] {
            assert_eq!(standing.test_of(&dataset, now).is_some(), runs, "{now:?}");
            assert_eq!(standing.clone().take_ended(now).is_empty(), runs, "{now:?}");
        }
        let replaced = standing.start_test(test("T2", 9_000));
        assert_eq!(replaced, Some(test("T1", 5_000)));
        assert_eq!(standing.tests, [test("T2", 9_000)]);
        let ended = standing.end_test(&dataset, (8_999, false)).unwrap();
        assert_eq!(ended, test("T2", 9_000));
        let none = standing.end_test(&dataset, (8_999, false)).unwrap_err();
        assert_eq!(none.code(), "no_test");
    }

    #[test]
    fn a_test_that_a_clock_ahead_has_started_is_over_once_the_time_is_known() {
        let begun = Test {
            since_ms: 900_000_000,
            ..test("T1", 903_600_000)
        };
        for (now, expected) in [
            ((900_000_000, false), false),
            // A correction.
            ((899_880_000, false), false),
            ((899_879_999, false), true),
            ((36_000_000, false), true),
            ((36_000_000, true), false),
            ((903_600_000, false), true),
        ] {
            assert_eq!(is_over(&begun, now), expected, "{now:?}");
        }
    }

    #[test]
    fn what_holds_is_kept_in_this_form() {
        let mut standing = Standing::default();
        standing.pause(Pause {
            note: Some("wrong prices".to_owned()),
            ..pause(lanes(DATASET, Some("T1"), true))
        });
        standing.start_test(test("T2", 9_000));
        let text = r#"{"pauses":[{"dataset":"1234567890123456","test_code":"T1","replay":true,"by":"an operator","since_ms":1000,"note":"wrong prices"}],"tests":[{"dataset":"1234567890123456","code":"T2","by":"an operator","since_ms":1000,"until_ms":9000}]}"#;
        assert_eq!(serde_json::to_string(&standing).unwrap(), text);
        assert_eq!(serde_json::from_str::<Standing>(text).unwrap(), standing);
    }
}
