//! Why an event is dead, in plain words.

use serde::Serialize;
use sluice_event::ActionSource;
use sluice_graph::lookup;
use sluice_journal::{Cause, EventState};

const DAY_S: i64 = 86_400;

/// Whether an event in this state did not reach Meta, and will not by itself.
pub(super) fn is_dead(state: EventState) -> bool {
    !matches!(
        state,
        EventState::Waiting | EventState::Delivered | EventState::Recorded
    )
}

/// Why, and what would help.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Reason {
    /// Meta's code.
    pub(super) code: Option<i64>,
    /// Meta's subcode.
    pub(super) subcode: Option<i64>,
    /// What it means.
    pub(super) meaning: String,
    /// What would help.
    pub(super) help: String,
    /// What was recorded when it happened; Meta's own words are in it.
    pub(super) recorded: Option<String>,
}

impl Reason {
    /// The reason behind a final state of an event with this action source.
    pub(super) fn new(state: EventState, cause: &Cause, action_source: &str) -> Self {
        let row = cause.code.and_then(|code| lookup(code, cause.subcode));
        let (meaning, help) = match (state, row) {
            (_, Some(row)) => (row.meaning.to_owned(), row.help.to_owned()),
            (EventState::Expired, None) => expired(action_source),
            (EventState::Withheld, None) => (
                "Sluice keeps it back".to_owned(),
                "`sluice dead replay KEY` sends it after all, as long as Meta takes it".to_owned(),
            ),
            (_, None) => (
                "Meta refused it".to_owned(),
                "see Meta's error reference".to_owned(),
            ),
        };
        Self {
            code: cause.code,
            subcode: cause.subcode,
            meaning,
            help,
            recorded: Some(cause.text.clone()).filter(|text| !text.is_empty()),
        }
    }

    /// What is said in one line: `the event is too old; Meta said: … (error 100/2804003)`.
    pub(super) fn line(&self) -> String {
        let line = match &self.recorded {
            Some(recorded) if recorded.starts_with(&self.meaning) => recorded.clone(),
            Some(recorded) => format!("{}; {recorded}", self.meaning),
            None => self.meaning.clone(),
        };
        match self.error() {
            Some(error) => format!("{line} (error {error})"),
            None => line,
        }
    }

    fn error(&self) -> Option<String> {
        self.code.map(|code| error(code, self.subcode))
    }
}

/// Meta's code and subcode: `100/2804003`
pub(super) fn error(code: i64, subcode: Option<i64>) -> String {
    match subcode {
        Some(subcode) => format!("{code}/{subcode}"),
        None => code.to_string(),
    }
}

fn expired(action_source: &str) -> (String, String) {
    let taken = ActionSource::from_name(action_source).map(|source| {
        let days = source.age_s_max() / DAY_S;
        format!(": Meta takes {action_source} events for {days} days")
    });
    (
        format!("it grew too old on the way{}", taken.unwrap_or_default()),
        "Meta does not take it any more; look for what kept it waiting: a parked lane, a long \
         outage, or a source that sends late"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(state: EventState, code: Option<i64>, subcode: Option<i64>, text: &str) -> String {
        let cause = Cause {
            code,
            subcode,
            text: text.to_owned(),
        };
        Reason::new(state, &cause, "website").line()
    }

    #[test]
    fn says_the_meaning_once_and_the_code_at_the_end() {
        let meaning = lookup(100, Some(2_804_003)).unwrap().meaning;
        for text in [meaning.to_owned(), format!("{meaning}; Meta said: no")] {
            let said = line(EventState::Refused, Some(100), Some(2_804_003), &text);
            assert_eq!(said, format!("{text} (error 100/2804003)"));
        }
        let said = line(EventState::Refused, Some(99_999), None, "odd");
        assert_eq!(said, "Meta refused it; odd (error 99999)");
        assert_eq!(
            line(EventState::Expired, None, None, ""),
            "it grew too old on the way: Meta takes website events for 7 days"
        );
        assert_eq!(
            line(EventState::Withheld, None, None, "dropped by hand"),
            "Sluice keeps it back; dropped by hand"
        );
    }
}
