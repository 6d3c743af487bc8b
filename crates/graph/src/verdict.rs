//! What an answer means for the events of the request. Pure: deciding here, doing in the lane.

use std::fmt;

use crate::answer::{Answer, GraphError};
use crate::error_table::{Class, Row, row_of};
use crate::lost::Lost;

/// What is to be done with the events of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All of them arrived.
    Delivered,
    /// Meta took the request but counts fewer events than were sent.
    Fewer {
        /// How many it counts.
        received: u64,
    },
    /// Meta refused the request because of some of them; it processed none.
    Refused {
        /// Why.
        reason: Reason,
        /// Which, by their place in the request; empty when Meta does not say.
        indexes: Vec<usize>,
    },
    /// The request has too many bytes for something on the way (HTTP 413), whatever the events are.
    /// Send them in smaller requests; one that is too large alone is refused.
    TooLarge(Reason),
    /// Meta has a problem, or no answer came: send the same bytes again later. How often is no
    /// question, not even for the error "unknown": an event waits until it is too old.
    Transient(Reason),
    /// Too much was sent.
    Throttled(Reason),
    /// A person has to do something; until then the events wait.
    Operator(Reason),
    /// Some of the events and the dataset do not belong together, and Meta processed none. A person has to
    /// do something; until then those wait, and the others may go through without them.
    Mismatch(Reason),
}

impl Verdict {
    /// What has to happen, and why, if the request did not go through. One that is too large is refused again, as it
    /// is.
    pub(crate) fn into_refusal(self) -> Option<(Class, Reason)> {
        Some(match self {
            Verdict::Delivered | Verdict::Fewer { .. } => return None,
            Verdict::Refused { reason, .. } | Verdict::TooLarge(reason) => (Class::Refused, reason),
            Verdict::Transient(reason) => (Class::Transient, reason),
            Verdict::Throttled(reason) => (Class::Throttled, reason),
            Verdict::Operator(reason) => (Class::Operator, reason),
            Verdict::Mismatch(reason) => (Class::Mismatch, reason),
        })
    }
}

/// Why, for people and for the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The HTTP status; 0 when there was no answer.
    pub status: u16,
    /// The code and subcode of the Graph API's error.
    pub code: Option<(i64, Option<i64>)>,
    /// What it means, in plain words.
    pub meaning: String,
    /// What to do about it.
    pub help: String,
    /// Meta's own text.
    pub meta_said: Option<String>,
    /// Meta's name for the request.
    pub fbtrace_id: Option<String>,
    /// Meta says no more than that something is wrong: it may be an event, or the request, or Meta.
    pub is_vague: bool,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.meaning)?;
        match (self.code, self.status) {
            (Some((code, Some(subcode))), _) => write!(f, " (error {code}/{subcode})")?,
            (Some((code, None)), _) => write!(f, " (error {code})")?,
            (None, 0) => {}
            (None, status) => write!(f, " (HTTP {status})")?,
        }
        // "Nothing: it is sent again by itself" answers what to do, which is not asked here.
        let help = self.help.strip_prefix("nothing: ").unwrap_or(&self.help);
        write!(f, "; {help}")
    }
}

/// The verdict on a request of `sent` events.
///
/// A success without a count is a delivery: app installs and attribution events are answered so (the
/// reference of `/events`). Other events have never been seen answered so; [`Success`] keeps the
/// missing count, for the warning.
///
/// [`Success`]: crate::Success
pub fn verdict(answer: &Answer, sent: usize) -> Verdict {
    match answer {
        Answer::Success(success) => match success.events_received {
            Some(received) if received < sent as u64 => Verdict::Fewer { received },
            _ => Verdict::Delivered,
        },
        Answer::Error(error) => of_error(error, sent),
        Answer::Other { status } => of_status(*status),
        Answer::Lost(lost) => Verdict::Transient(of_lost(*lost)),
    }
}

fn of_lost(lost: Lost) -> Reason {
    Reason {
        status: 0,
        code: None,
        meaning: lost.to_string(),
        help: lost.help().to_owned(),
        meta_said: None,
        fbtrace_id: None,
        is_vague: false,
    }
}

/// What to do when the request itself is refused.
const ABOUT_REQUEST: &str = "the request is wrong, not its events: check app_secret, the dataset id, version and partner_agent";

fn of_error(error: &GraphError, sent: usize) -> Verdict {
    let row = row_of(error);
    let mut class = match row {
        // Meta calls its limits transient too, and lengthens them when a sender does not slow down.
        Some(row) if row.class == Class::Throttled => Class::Throttled,
        None if error.status == 429 => Class::Throttled,
        // Meta knows better than any table whether trying again helps.
        _ if error.is_transient => Class::Transient,
        Some(row) => row.class,
        None if error.status == 413 => return of_status(413),
        // An unknown error is not the events' fault until it is known to be: they wait.
        None => Class::Transient,
    };
    let (meaning, help) = match row {
        // However the table takes it, no event is to blame for it.
        Some(row) if class == Class::Refused && error.is_about_request => {
            class = Class::Operator;
            (row.meaning, ABOUT_REQUEST)
        }
        Some(row) => (row.meaning, row.help),
        None => (
            "an error that Sluice does not know",
            "see Meta's error reference",
        ),
    };
    let reason = Reason {
        status: error.status,
        code: Some((error.code, error.subcode)),
        meaning: meaning.to_owned(),
        help: help.to_owned(),
        meta_said: Some(
            error
                .user_message
                .clone()
                .unwrap_or_else(|| error.message.clone()),
        ),
        fbtrace_id: error.fbtrace_id.clone(),
        is_vague: row.is_none_or(Row::is_vague),
    };
    match class {
        Class::Refused => {
            let known = error.indexes.iter().filter(|index| **index < sent);
            Verdict::Refused {
                reason,
                indexes: known.copied().collect(),
            }
        }
        Class::Transient => Verdict::Transient(reason),
        Class::Throttled => Verdict::Throttled(reason),
        Class::Operator => Verdict::Operator(reason),
        Class::Mismatch => Verdict::Mismatch(reason),
    }
}

/// What to do when something else answers in Meta's place.
const CHECK_WAY: &str = "check base_url, and proxies on the way";

/// A body that is not the Graph API's: the status is all there is.
fn of_status(status: u16) -> Verdict {
    let reason = |meaning: &str, help: &str| Reason {
        status,
        code: None,
        meaning: meaning.to_owned(),
        help: help.to_owned(),
        meta_said: None,
        fbtrace_id: None,
        is_vague: false,
    };
    match status {
        429 => Verdict::Throttled(reason(
            "too many requests",
            "nothing: sending goes on by itself",
        )),
        413 => Verdict::TooLarge(reason(
            "the request has more bytes than something on the way takes",
            "let a proxy on the way take bodies of 1 MB; until then events go in smaller requests",
        )),
        301..=303 | 307 | 308 => Verdict::Operator(reason(
            "something that is not the Graph API sends the request elsewhere",
            CHECK_WAY,
        )),
        401 | 403 | 404 | 405 | 407 => Verdict::Operator(reason(
            "something that is not the Graph API refused the request",
            CHECK_WAY,
        )),
        _ => Verdict::Transient(reason(
            "the answer is not one of the Graph API",
            "if that lasts, check base_url, and proxies on the way",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error_table::ROWS;
    use crate::lost::ConnectFailure;

    /// The class of an error of a request of ten events.
    fn class_of(code: i64, subcode: Option<i64>) -> Class {
        let subcode = subcode.map_or(String::new(), |it| format!(",\"error_subcode\":{it}"));
        let body = format!(r#"{{"error":{{"message":"m","code":{code}{subcode}}}}}"#);
        match verdict(&Answer::read(400, body.as_bytes()), 10) {
            Verdict::Refused { indexes, .. } if indexes.is_empty() => Class::Refused,
            Verdict::Transient(_) => Class::Transient,
            Verdict::Throttled(_) => Class::Throttled,
            Verdict::Operator(_) => Class::Operator,
            Verdict::Mismatch(_) => Class::Mismatch,
            verdict => panic!("{body}: {verdict:?}"),
        }
    }

    /// Codes and classes as Meta's documents have them, in a file of their own: a row of the table that is
    /// moved into another class is seen, and so is one that is not in the file.
    #[test]
    fn every_error_has_the_class_that_meta_documents() {
        let mut pinned = Vec::new();
        let text = include_str!("../tests/vectors/errors.tsv");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let columns: Vec<&str> = line.split('\t').collect();
            let [code, subcode, class, _] = columns.as_slice() else {
                panic!("four columns: {line}");
            };
            let code: i64 = code.parse().unwrap();
            let subcode = (!subcode.is_empty()).then(|| subcode.parse::<i64>().unwrap());
            let found = format!("{:?}", class_of(code, subcode)).to_lowercase();
            assert_eq!(found, *class, "{line}");
            pinned.push((code, subcode));
        }
        for row in ROWS {
            for code in [row.first, row.last] {
                assert!(
                    pinned.contains(&(code, row.subcode)),
                    "not in the file: {code} {:?}",
                    row.subcode
                );
            }
        }
    }

    /// Codes beside the ranges of the table are unknown: the events wait.
    #[test]
    fn a_range_ends_where_it_ends() {
        for code in [-1, 0, 5, 199, 300, 79_999, 80_015] {
            assert_eq!(class_of(code, None), Class::Transient, "{code}");
        }
    }

    #[test]
    fn counts_what_was_received() {
        let answer = |body: &str| Answer::read(200, body.as_bytes());
        assert_eq!(
            verdict(&answer(r#"{"events_received":10}"#), 10),
            Verdict::Delivered
        );
        assert_eq!(
            verdict(&answer(r#"{"events_received":9}"#), 10),
            Verdict::Fewer { received: 9 }
        );
        // App installs are answered without a count.
        assert_eq!(
            verdict(&answer(r#"{"success":true}"#), 1),
            Verdict::Delivered
        );
    }

    #[test]
    fn a_transient_error_never_refuses_an_event() {
        let body = br#"{"error":{"code":100,"error_subcode":2804003,"is_transient":true}}"#;
        assert!(matches!(
            verdict(&Answer::read(400, body), 1),
            Verdict::Transient(_)
        ));
    }

    /// As Meta answers, with its own flag: <https://github.com/facebook/facebook-nodejs-business-sdk/issues/97>.
    #[test]
    fn a_limit_that_calls_itself_transient_is_a_limit() {
        for (status, code) in [(400, 4), (400, 17), (400, 80_004), (429, 4711)] {
            let body = format!(r#"{{"error":{{"code":{code},"is_transient":true}}}}"#);
            let verdict = verdict(&Answer::read(status, body.as_bytes()), 1);
            assert!(matches!(verdict, Verdict::Throttled(_)), "{code}");
        }
    }

    #[test]
    fn only_errors_that_say_nothing_are_vague() {
        for (code, subcode, is_vague) in [
            (1, "", true),
            (4711, "", true),
            (100, "", true),
            (100, ",\"error_subcode\":2804117", true),
            (100, ",\"error_subcode\":2804003", false),
            (2, "", false),
            (190, "", false),
        ] {
            let body = format!(r#"{{"error":{{"code":{code}{subcode}}}}}"#);
            let (Verdict::Refused { reason, .. }
            | Verdict::Transient(reason)
            | Verdict::Operator(reason)) = verdict(&Answer::read(400, body.as_bytes()), 2)
            else {
                panic!("{body}");
            };
            assert_eq!(reason.is_vague, is_vague, "{body}");
        }
    }

    /// No sender can mend such an event: no advice to change the sender, and no doubt about the request.
    #[test]
    fn a_restricted_region_is_nobodys_fault() {
        for body in [
            r#"{"error":{"code":100,"error_subcode":2804999,"message":"Invalid parameter",
                "error_user_title":"Messaging Event Within Messaging Restrictive Region"}}"#,
            r#"{"error":{"code":100,"message":"(#100) Messaging event within messaging restrictive region."}}"#,
        ] {
            let Verdict::Refused { reason, .. } = verdict(&Answer::read(400, body.as_bytes()), 2)
            else {
                panic!("refused: {body}");
            };
            assert!(reason.meaning.contains("in this region"), "{reason}");
            assert!(reason.help.starts_with("nothing"), "{reason}");
            assert!(!reason.is_vague);
        }
        // The words alone decide nothing: a code that the table knows better stays what it is.
        let body = br#"{"error":{"code":190,"message":"Messaging Event Within Messaging Restrictive Region"}}"#;
        let verdict = verdict(&Answer::read(400, body), 2);
        assert!(matches!(verdict, Verdict::Operator(_)));
    }

    /// Meta's answer to a wrong `appsecret_proof` has the code of a wrong event.
    #[test]
    fn an_error_about_the_request_never_refuses_an_event() {
        let body = br#"{"error":{"message":"Invalid appsecret_proof provided in the API argument",
            "type":"GraphMethodException","code":100}}"#;
        assert!(matches!(
            verdict(&Answer::read(400, body), 5),
            Verdict::Operator(_)
        ));
    }

    #[test]
    fn an_unknown_error_never_refuses_an_event() {
        let body = br#"{"error":{"code":4711,"message":"new"}}"#;
        for (status, is_throttled) in [(400, false), (500, false), (429, true)] {
            let verdict = verdict(&Answer::read(status, body), 1);
            assert_eq!(
                matches!(verdict, Verdict::Throttled(_)),
                is_throttled,
                "{status}"
            );
            assert_eq!(
                matches!(verdict, Verdict::Transient(_)),
                !is_throttled,
                "{status}"
            );
        }
    }

    #[test]
    fn an_index_beyond_the_request_is_no_index() {
        let body = br#"{"error":{"code":100,"error_subcode":2804019,"message":"data[10].value and data[3]"}}"#;
        let Verdict::Refused { indexes, .. } = verdict(&Answer::read(400, body), 10) else {
            panic!("refused");
        };
        assert_eq!(indexes, [3]);
    }

    #[test]
    fn what_is_not_the_graph_api_is_told_by_status() {
        for status in [200, 400, 500, 501, 502, 503] {
            let Verdict::Transient(reason) = verdict(&Answer::read(status, b"<html>"), 1) else {
                panic!("{status}");
            };
            // It is logged again and again while the host is wrong.
            assert!(reason.help.contains("base_url"), "{status}");
        }
        assert!(matches!(
            verdict(&Answer::read(429, b""), 1),
            Verdict::Throttled(_)
        ));
        for (status, body) in [
            (404, &b"<html>"[..]),
            (404, br#"{"error":"Not Found"}"#),
            (308, b""),
        ] {
            let verdict = verdict(&Answer::read(status, body), 1);
            assert!(matches!(verdict, Verdict::Operator(_)), "{verdict:?}");
        }
        for body in [
            &b"<html>"[..],
            br#"{"error":{"message":"too large"}}"#,
            br#"{"error":{"code":4711,"message":"too large"}}"#,
        ] {
            let verdict = verdict(&Answer::read(413, body), 1);
            assert!(matches!(verdict, Verdict::TooLarge(_)), "{verdict:?}");
        }
    }

    #[test]
    fn what_is_lost_is_sent_again() {
        for lost in [
            Lost::Timeout,
            Lost::Connect(ConnectFailure::Certificate),
            Lost::Reset,
            Lost::Torn,
            Lost::TooLarge,
            Lost::GivenUp,
        ] {
            let Verdict::Transient(reason) = verdict(&Answer::Lost(lost), 1) else {
                panic!("{lost:?}");
            };
            assert_eq!((reason.status, reason.code), (0, None));
        }
    }

    #[test]
    fn a_reason_reads_as_a_sentence() {
        let said = |status, body: &[u8]| match verdict(&Answer::read(status, body), 1) {
            Verdict::Operator(reason) | Verdict::Throttled(reason) => reason.to_string(),
            verdict => panic!("{verdict:?}"),
        };
        assert_eq!(
            said(400, br#"{"error":{"code":190,"error_subcode":463}}"#),
            "the access token has expired (error 190/463); generate a new access token in Events \
             Manager and put it in the place of the old one"
        );
        assert_eq!(
            said(429, b""),
            "too many requests (HTTP 429); sending goes on by itself"
        );
    }
}
