//! Lines of the log that would otherwise come with every request: one a minute for each source and rule.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sluice_event::Code;

/// How long nothing more is said of the same.
const QUIET_MS: u64 = 60_000;

/// What the log says of events that came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Remark {
    /// No dataset could take them.
    Rejected,
    /// Values of theirs were repaired or left out.
    Repaired,
}

/// What a line is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Subject {
    pub(super) source: String,
    pub(super) remark: Remark,
    pub(super) code: Code,
}

/// Events that a line of the log tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) events: u64,
    /// A request that brought some of them.
    pub(super) request_id: String,
}

/// When the last line was written, and what came since.
struct Told {
    at_ms: u64,
    further: Option<Line>,
}

/// The minutes of all subjects: sources of the configuration and rules, so there is an end to them.
#[derive(Default)]
pub(super) struct Minutes(Mutex<HashMap<Subject, Told>>);

impl Minutes {
    /// Adds events. The line to write, if none about this subject was written in the last minute.
    pub(super) fn add(&self, subject: Subject, line: Line, now_ms: u64) -> Option<Line> {
        let mut minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(told) = minutes.get_mut(&subject) else {
            let told = Told {
                at_ms: now_ms,
                further: None,
            };
            minutes.insert(subject, told);
            return Some(line);
        };
        let before = told.further.as_ref().map_or(0, |further| further.events);
        told.further = Some(Line {
            events: before + line.events,
            ..line
        });
        told.due(now_ms)
    }

    /// The lines about events that came while nothing was to be said and whose minute is over.
    pub(super) fn due(&self, now_ms: u64) -> Vec<(Subject, Line)> {
        let mut minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = minutes.iter_mut().filter_map(|(subject, told)| {
            let line = told.due(now_ms)?;
            Some((subject.clone(), line))
        });
        let mut due: Vec<_> = due.collect();
        due.sort_by(|a, b| (&a.0.source, a.0.code.name()).cmp(&(&b.0.source, b.0.code.name())));
        due
    }
}

impl Told {
    fn due(&mut self, now_ms: u64) -> Option<Line> {
        // A clock that went back ends the silence as well.
        if now_ms.abs_diff(self.at_ms) < QUIET_MS {
            return None;
        }
        let line = self.further.take()?;
        self.at_ms = now_ms;
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(source: &str) -> Subject {
        Subject {
            source: source.to_owned(),
            remark: Remark::Repaired,
            code: Code::EventTimeLate,
        }
    }

    fn line(events: u64, request_id: &str) -> Line {
        Line {
            events,
            request_id: request_id.to_owned(),
        }
    }

    #[test]
    fn a_subject_has_one_line_a_minute_and_nothing_is_left_untold() {
        let minutes = Minutes::default();
        let add = |source, events, id: &str, now_ms| {
            minutes.add(subject(source), line(events, id), now_ms)
        };
        assert_eq!(add("shop", 3, "a", 1_000), Some(line(3, "a")));
        assert_eq!(add("shop", 2, "b", 2_000), None);
        assert_eq!(add("crm", 1, "c", 3_000), Some(line(1, "c")));
        assert_eq!(add("shop", 5, "d", 60_999), None);
        assert_eq!(minutes.due(60_999), []);
        assert_eq!(minutes.due(61_000), [(subject("shop"), line(7, "d"))]);
        assert_eq!(minutes.due(200_000), [], "nothing came since");
        assert_eq!(add("shop", 1, "e", 121_000), Some(line(1, "e")));
        assert_eq!(add("shop", 1, "f", 121_001), None);
        assert_eq!(add("shop", 1, "g", 190_000), Some(line(2, "g")));
    }
}
