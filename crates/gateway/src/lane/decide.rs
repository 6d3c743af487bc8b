//! What a verdict means for the events of a part. Pure: the shipment does what is decided here.

use sluice_graph::{Reason, Usage, Verdict};
use sluice_journal::{Cause, EventKey, Outcome};

use super::bisect::{Part, Search};
use crate::lane_state::Trouble;

/// A request with one event and fewer bytes is not too large for Meta.
const EVENT_BYTES_CREDIBLE: usize = 64 * 1024;

/// What becomes of a part.
pub(crate) enum Decision {
    /// Events that reached their final state. With the reason, if they were refused.
    Settle(Vec<(EventKey, Outcome)>, Option<Reason>),
    /// Some of its events may be all that is in the way of the others; none is refused for it.
    SetApart(Part, Trouble),
    /// Nothing goes through now.
    Stop(Trouble),
}

/// What is known besides the verdict.
pub(crate) struct Circumstances<'a> {
    /// The events of the batch; a part names them by their places.
    pub(crate) keys: &'a [EventKey],
    /// How many bytes the request had.
    pub(crate) bytes: usize,
    /// The same trouble has come again and again.
    pub(crate) is_lasting: bool,
}

/// Decides, and tells the search what to send next.
pub(crate) fn decide(
    verdict: Verdict,
    part: Part,
    search: &mut Search,
    now: &Circumstances<'_>,
) -> Decision {
    let refused = |places: Vec<usize>, reason: Reason| {
        let cause = cause(&reason);
        let outcome = |place: usize| (now.keys[place], Outcome::Refused(cause.clone()));
        Decision::Settle(places.into_iter().map(outcome).collect(), Some(reason))
    };
    match verdict {
        Verdict::Delivered | Verdict::Fewer { .. } => {
            search.delivered(&part);
            let keys = part.places.iter().map(|place| now.keys[*place]);
            Decision::Settle(keys.map(|key| (key, Outcome::Delivered)).collect(), None)
        }
        Verdict::Refused { reason, indexes } if indexes.is_empty() => {
            refused(search.refused(part).into_iter().collect(), reason)
        }
        Verdict::Refused { reason, indexes } => {
            refused(search.refused_by_name(part, &indexes), reason)
        }
        // No event is too large at this size: something on the way takes next to nothing.
        Verdict::TooLarge(reason) if part.places.len() == 1 && now.bytes < EVENT_BYTES_CREDIBLE => {
            Decision::SetApart(part, operator(&reason))
        }
        Verdict::TooLarge(reason) => refused(search.refused(part).into_iter().collect(), reason),
        // Meta has one bad event answered like a bad day. One that goes on may be the former.
        Verdict::Transient(reason) if reason.is_vague && now.is_lasting => {
            Decision::SetApart(part, transient(&reason))
        }
        // A large event alone that gets no answer, again and again: the way may be too thin for it.
        Verdict::Transient(reason)
            if reason.status == 0
                && now.is_lasting
                && part.places.len() == 1
                && now.bytes >= EVENT_BYTES_CREDIBLE =>
        {
            Decision::SetApart(part, transient(&reason))
        }
        Verdict::Transient(reason) => Decision::Stop(transient(&reason)),
        Verdict::Throttled(reason) => Decision::Stop(Trouble::Throttled {
            regain_s: None,
            reason: reason.to_string(),
        }),
        Verdict::Operator(reason) => Decision::Stop(operator(&reason)),
        Verdict::Mismatch(reason) => Decision::SetApart(part, operator(&reason)),
    }
}

/// Whether Meta took the events of the request.
pub(crate) fn has_arrived(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Delivered | Verdict::Fewer { .. })
}

/// What an answer says about the allowance. Meta leaves the headers out while little of it is used; an error
/// page of somebody on the way has none either, and says nothing.
pub(crate) fn told_usage(verdict: &Verdict, usage: Usage) -> Option<Usage> {
    (has_arrived(verdict) || usage != Usage::default()).then_some(usage)
}

fn transient(reason: &Reason) -> Trouble {
    Trouble::Transient {
        reason: reason.to_string(),
    }
}

fn operator(reason: &Reason) -> Trouble {
    Trouble::Operator {
        reason: reason.to_string(),
    }
}

/// The word for a verdict in records and metrics.
pub(crate) fn name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Delivered => "delivered",
        Verdict::Fewer { .. } => "fewer",
        Verdict::Refused { .. } => "refused",
        Verdict::TooLarge(_) => "too_large",
        Verdict::Transient(_) => "transient",
        Verdict::Throttled(_) => "throttled",
        Verdict::Operator(_) => "operator",
        Verdict::Mismatch(_) => "mismatch",
    }
}

fn cause(reason: &Reason) -> Cause {
    let said = reason.meta_said.as_deref().filter(|said| !said.is_empty());
    Cause {
        code: reason.code.map(|(code, _)| code),
        subcode: reason.code.and_then(|(_, subcode)| subcode),
        text: match said {
            Some(said) => format!("{}; Meta said: {said}", reason.meaning),
            None => reason.meaning.clone(),
        },
    }
}

#[cfg(test)]
mod tests {
    use sluice_graph::{Answer, verdict};

    use super::*;

    #[test]
    fn only_an_answer_that_knows_it_changes_the_usage() {
        let page = verdict(&Answer::read(502, b"<html>"), 1);
        let success = verdict(&Answer::read(200, br#"{"events_received":1}"#), 1);
        let none = Usage::default();
        let much = Usage {
            percent: 96,
            regain_s: None,
        };
        assert_eq!(told_usage(&page, none), None);
        assert_eq!(told_usage(&page, much), Some(much));
        assert_eq!(told_usage(&success, none), Some(none));
    }
}
