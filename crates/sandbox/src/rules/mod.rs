//! Meta's rules, read by the sandbox for itself.
//!
//! Nothing here comes from the crate that checks events before they are sent: a judge that shares
//! code with the judged sees nothing. Where Meta's behaviour is not known, the event passes with a
//! remark, so that the sandbox is never stricter than what is written somewhere.

mod channel;
mod currency;
mod custom_data;
mod event;
mod on_purpose;
mod user_data;

use std::fmt;

use crate::answer::GraphError;
use crate::value::Value;

pub(crate) use user_data::{Look, look};

/// How many events Meta takes in one request.
pub(crate) const BATCH_MAX: usize = 1_000;

/// Something about an event that Meta takes without a word, but that a person should see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remark(pub(crate) String);

/// Where remarks go. While events are taken nobody reads them, and they are not even written.
pub(crate) enum Remarks<'r> {
    Unread,
    Into(&'r mut Vec<Remark>),
}

impl Remarks<'_> {
    fn add(&mut self, text: impl FnOnce() -> String) {
        if let Remarks::Into(list) = self {
            list.push(Remark(text()));
        }
    }
}

/// The place of an event in its request, and of a field in the event, written as Meta does.
#[derive(Clone, Copy)]
pub(crate) struct Place<'p>(pub(crate) usize, pub(crate) &'p [&'p str]);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "$['data'][{}]", self.0)?;
        self.1.iter().try_for_each(|key| write!(f, "['{key}']"))
    }
}

/// The error for a parameter at a place.
fn wrong(index: usize, path: &[&str], what: &str) -> GraphError {
    GraphError::parameter(&Place(index, path).to_string(), what)
}

/// The error for a key that Meta does not know, on the object at a place.
fn unexpected(index: usize, path: &[&str], key: &str) -> GraphError {
    let place = Place(index, path);
    let text = format!("Unexpected key \"{key}\" on param \"{place}\".");
    GraphError::refused(2_804_019, "Server Side Api Parameter Error", text)
}

/// Why a request's events are refused.
#[derive(Debug)]
pub(crate) struct Offence {
    pub(crate) error: GraphError,
    /// The place of the event that it is about; none when there are too few or too many of them.
    pub(crate) place: Option<usize>,
}

/// Checks a request's events. One that Meta would refuse refuses them all; the first one found is
/// the one the error is about.
pub(crate) fn check(events: &[Value<'_>], now_ms: i64) -> Result<(), Box<Offence>> {
    let wrong_number = match events.len() {
        0 => Some("(#100) The parameter data must have at least 1 element"),
        1..=BATCH_MAX => None,
        _ => Some("(#100) The parameter data must have at most 1000 elements"),
    };
    if let Some(text) = wrong_number {
        let error = GraphError::new(400, 100, text);
        return Err(Box::new(Offence { error, place: None }));
    }
    for (index, event) in events.iter().enumerate() {
        let checked = check_event(event, index, now_ms, &mut Remarks::Unread);
        let place = Some(index);
        checked.map_err(|error| Box::new(Offence { error, place }))?;
    }
    Ok(())
}

/// Checks one event: its own parameters, its time, its user, its values, its channel, in this order.
fn check_event(
    event: &Value<'_>,
    index: usize,
    now_ms: i64,
    remarks: &mut Remarks<'_>,
) -> Result<(), GraphError> {
    let head = event::check(event, index, now_ms / 1_000, remarks)?;
    user_data::check(head.user_data, index, remarks)?;
    custom_data::check(event, &head, index, remarks)?;
    channel::check(event, &head, index, remarks)?;
    on_purpose::check(event, index)
}

/// What a person should know about an event that was taken.
pub(crate) fn remarks(event: &Value<'_>, index: usize, now_ms: i64) -> Vec<Remark> {
    let mut list = Vec::new();
    if let Err(error) = check_event(event, index, now_ms, &mut Remarks::Into(&mut list)) {
        let text = error
            .for_user
            .map_or(error.message.into_owned(), |(title, text)| {
                format!("{title}: {text}")
            });
        list.push(Remark(text));
    }
    list
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const NOW_S: i64 = 1_795_435_200;

    /// The error's subcode, 0 for none, `None` when the event is taken.
    pub(crate) fn refusal(event: &str) -> Option<(i64, String)> {
        let event = Value::parse(event.as_bytes()).unwrap();
        let fine = Value::parse(FINE.as_bytes()).unwrap();
        let offence = check(&[fine, event], NOW_S * 1_000).err()?;
        assert_eq!(offence.place, Some(1));
        let error = offence.error;
        assert_eq!(error.code, 100);
        let text = error.for_user.map(|(_, text)| text.into_owned());
        Some((error.subcode.unwrap_or(0), text.unwrap_or_default()))
    }

    pub(crate) const FINE: &str = r#"{"event_name":"PageView","event_time":1795435100,
        "action_source":"website","user_data":{"fbp":"fb.1.1795435100000.1"}}"#;

    /// A good event with some keys changed.
    pub(crate) fn with(changes: &str) -> String {
        let mut event: serde_json::Value = serde_json::from_str(FINE).unwrap();
        let changes: serde_json::Value = serde_json::from_str(changes).unwrap();
        for (key, value) in changes.as_object().unwrap() {
            event[key] = value.clone();
        }
        event.to_string()
    }

    /// Each row: what differs from a good event, and the subcode (0: the event is taken).
    pub(crate) fn table(rows: &[(&str, i64)]) {
        for (changes, subcode) in rows {
            let found = refusal(&with(changes));
            let found = found.map_or(0, |(subcode, _)| subcode);
            assert_eq!(found, *subcode, "{changes}");
        }
    }

    pub(crate) fn remarks_of(changes: &str) -> String {
        let event = with(changes);
        let event = Value::parse(event.as_bytes()).unwrap();
        let remarks = remarks(&event, 0, NOW_S * 1_000);
        let texts: Vec<_> = remarks.into_iter().map(|Remark(text)| text).collect();
        texts.join("\n")
    }

    #[test]
    fn a_batch_has_one_to_a_thousand_events() {
        let fine = Value::parse(FINE.as_bytes()).unwrap();
        assert!(check(&vec![fine.clone(); 1_000], NOW_S * 1_000).is_ok());
        for count in [0, 1_001] {
            let offence = check(&vec![fine.clone(); count], NOW_S * 1_000).unwrap_err();
            let (error, place) = (offence.error, offence.place);
            assert_eq!((error.code, error.subcode, place), (100, None, None));
        }
    }

    #[test]
    fn an_error_without_a_text_for_users_is_a_remark_all_the_same() {
        let said = remarks_of(r#"{"custom_data":{"sandbox_refuse":"blind"}}"#);
        assert!(said.ends_with("Invalid parameter"), "{said}");
    }
}
