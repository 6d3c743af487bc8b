//! What a verdict means for the events of a request. Pure: a table of cases. [`passage`](super::passage) does to the
//! batch what is decided here.

use sluice_graph::{Reason, Usage, Verdict};
use sluice_journal::Cause;

use crate::lane_state::Trouble;

/// A request with one event and fewer bytes is not too large for Meta.
const EVENT_BYTES_CREDIBLE: usize = 64 * 1024;

/// What becomes of the events of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Meta took all of them.
    Deliver,
    /// Those at these places of the request are refused. Without places, one of them is to blame, and the
    /// answer does not say which.
    Refuse(Reason, Vec<usize>),
    /// Some of them may be all that is in the way of the others; none is refused for it.
    SetApart(Trouble),
    /// Nothing goes through now.
    Stop(Trouble),
}

/// What was sent, and how the lane is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) events: usize,
    /// Of the request's body.
    pub(crate) bytes: usize,
    /// The same trouble has come again and again.
    pub(crate) is_lasting: bool,
}

/// Decides what becomes of the events.
pub(crate) fn decide(verdict: Verdict, sent: Sent) -> Decision {
    match verdict {
        Verdict::Delivered | Verdict::Fewer { .. } => Decision::Deliver,
        Verdict::Refused { reason, indexes } => Decision::Refuse(reason, indexes),
        // No event is too large at this size: something on the way takes next to nothing.
        Verdict::TooLarge(reason) if sent.events == 1 && sent.bytes < EVENT_BYTES_CREDIBLE => {
            Decision::SetApart(operator(&reason))
        }
        Verdict::TooLarge(reason) => Decision::Refuse(reason, Vec::new()),
        // Meta has one bad event answered like a bad day. One that goes on may be the former.
        Verdict::Transient(reason) if reason.is_vague && sent.is_lasting => {
            Decision::SetApart(transient(&reason))
        }
        // A large event alone that gets no answer, again and again: the way may be too thin for it.
        Verdict::Transient(reason)
            if reason.status == 0
                && sent.is_lasting
                && sent.events == 1
                && sent.bytes >= EVENT_BYTES_CREDIBLE =>
        {
            Decision::SetApart(transient(&reason))
        }
        Verdict::Transient(reason) => Decision::Stop(transient(&reason)),
        Verdict::Throttled(reason) => Decision::Stop(Trouble::Throttled {
            regain_s: None,
            reason: reason.to_string(),
        }),
        Verdict::Operator(reason) => Decision::Stop(operator(&reason)),
        Verdict::Mismatch(reason) => Decision::SetApart(operator(&reason)),
    }
}

/// Whether Meta took the events of the request.
pub(crate) fn has_arrived(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Delivered | Verdict::Fewer { .. })
}

/// Whether Meta refused the request for what is in it; `None` if the answer is about something else.
pub(crate) fn is_refused(verdict: &Verdict) -> Option<bool> {
    match verdict {
        Verdict::Delivered | Verdict::Fewer { .. } => Some(false),
        Verdict::Refused { .. } | Verdict::TooLarge(_) | Verdict::Mismatch(_) => Some(true),
        Verdict::Transient(_) | Verdict::Throttled(_) | Verdict::Operator(_) => None,
    }
}

/// The usage headers of an answer. Meta leaves them out while little of the allowance is used, so a success without
/// them says that; the error page of a proxy has none either, and says nothing.
pub(crate) fn usage_of(verdict: &Verdict, usage: Usage) -> Option<Usage> {
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

/// What is kept of a reason with an event that was refused for it.
pub(crate) fn cause(reason: &Reason) -> Cause {
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
    use sluice_graph::{Answer, Lost, verdict};

    use super::*;

    const SENT: Sent = Sent {
        events: 10,
        bytes: 10_000,
        is_lasting: false,
    };

    /// The name of the decision on an answer.
    fn word(status: u16, body: &str, sent: Sent) -> String {
        let answer = match status {
            0 => Answer::Lost(Lost::Timeout),
            status => Answer::read(status, body.as_bytes()),
        };
        match decide(verdict(&answer, sent.events), sent) {
            Decision::Deliver => "deliver".to_owned(),
            Decision::Refuse(_, places) => format!("refuse {places:?}"),
            Decision::SetApart(Trouble::Operator { .. }) => "apart, operator".to_owned(),
            Decision::SetApart(Trouble::Transient { .. }) => "apart, transient".to_owned(),
            Decision::SetApart(Trouble::Throttled { .. }) => "apart, throttled".to_owned(),
            Decision::Stop(Trouble::Operator { .. }) => "stop, operator".to_owned(),
            Decision::Stop(Trouble::Transient { .. }) => "stop, transient".to_owned(),
            Decision::Stop(Trouble::Throttled { .. }) => "stop, throttled".to_owned(),
        }
    }

    #[test]
    fn every_verdict_has_its_decision() {
        let error = |code: &str| format!("{{\"error\":{{\"code\":{code},\"fbtrace_id\":\"A\"}}}}");
        let lasting = Sent {
            is_lasting: true,
            ..SENT
        };
        let alone = |bytes| Sent {
            events: 1,
            bytes,
            ..SENT
        };
        let alone_and_lasting = |bytes| Sent {
            is_lasting: true,
            ..alone(bytes)
        };
        let named = r#"{"error":{"code":100,"error_subcode":2804003,"message":"data[3] data[7]"}}"#;
        for (status, body, sent, expected) in [
            (200, "{\"events_received\":10}", SENT, "deliver"),
            (200, "{\"events_received\":9}", SENT, "deliver"),
            (400, named, SENT, "refuse [3, 7]"),
            (400, &error("100"), SENT, "refuse []"),
            (400, &error("100"), lasting, "refuse []"),
            (413, "", SENT, "refuse []"),
            (413, "", alone(65_535), "apart, operator"),
            (413, "", alone(65_536), "refuse []"),
            // Only what Meta itself does not know may be one event of many.
            (500, &error("1"), SENT, "stop, transient"),
            (500, &error("1"), lasting, "apart, transient"),
            (500, &error("2"), lasting, "stop, transient"),
            (0, "", lasting, "stop, transient"),
            (0, "", alone_and_lasting(65_535), "stop, transient"),
            (0, "", alone_and_lasting(65_536), "apart, transient"),
            (0, "", alone(65_536), "stop, transient"),
            (502, "<html>", lasting, "stop, transient"),
            (200, "<html>", SENT, "stop, transient"),
            (400, &error("4"), lasting, "stop, throttled"),
            (429, "", SENT, "stop, throttled"),
            (400, &error("190"), SENT, "stop, operator"),
            (404, "<html>", SENT, "stop, operator"),
            (
                400,
                &error("100,\"error_subcode\":2804065"),
                SENT,
                "apart, operator",
            ),
        ] {
            assert_eq!(
                word(status, body, sent),
                expected,
                "{status} {body} {sent:?}"
            );
        }
    }

    #[test]
    fn only_an_answer_that_knows_it_changes_the_usage() {
        let page = verdict(&Answer::read(502, b"<html>"), 1);
        let success = verdict(&Answer::read(200, br#"{"events_received":1}"#), 1);
        let none = Usage::default();
        let much = Usage {
            percent: 96,
            regain_s: None,
        };
        assert_eq!(usage_of(&page, none), None);
        assert_eq!(usage_of(&page, much), Some(much));
        assert_eq!(usage_of(&success, none), Some(none));
    }
}
