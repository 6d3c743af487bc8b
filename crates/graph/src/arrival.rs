//! What an answer proves about whether Meta took the events of the request. Pure.
//!
//! For most events that does not matter: they are sent again, and Meta keeps one of two with the same
//! `event_id`. Events of business messaging have no such protection.

use crate::answer::Answer;
use crate::lost::Lost;

/// Whether the events of a request are at Meta.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arrival {
    /// Meta took them.
    Taken,
    /// Meta did not take them: it said so, or the request never reached it.
    NotTaken,
    /// They may be there or not: the answer was lost, or something else answered after the request may have
    /// been passed on.
    Unknown,
}

impl Arrival {
    /// What an answer proves.
    ///
    /// An error of the Graph API says that the call failed, and Meta takes a request whole or not at all. A
    /// proxy that turns a request away or limits it does so before it passes it on; any other page may stand
    /// in the place of an answer of Meta's.
    pub fn of(answer: &Answer) -> Self {
        match answer {
            Answer::Success(_) => Arrival::Taken,
            Answer::Error(_) | Answer::Lost(Lost::Connect(_)) => Arrival::NotTaken,
            Answer::Other { status } => match status {
                301..=303 | 307 | 308 | 401 | 403..=405 | 407 | 413 | 429 => Arrival::NotTaken,
                _ => Arrival::Unknown,
            },
            Answer::Lost(
                Lost::Timeout | Lost::Reset | Lost::Torn | Lost::TooLarge | Lost::GivenUp,
            ) => Arrival::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lost::ConnectFailure;

    #[test]
    fn every_answer_proves_what_it_proves() {
        let read = |status, body: &str| Answer::read(status, body.as_bytes());
        for (answer, expected) in [
            (read(200, r#"{"events_received":3}"#), Arrival::Taken),
            (read(200, r#"{"events_received":0}"#), Arrival::Taken),
            (read(200, r#"{"success":true}"#), Arrival::Taken),
            (
                read(400, r#"{"error":{"code":100,"type":"OAuthException"}}"#),
                Arrival::NotTaken,
            ),
            (
                read(200, r#"{"error":{"code":190,"type":"OAuthException"}}"#),
                Arrival::NotTaken,
            ),
            (
                read(503, r#"{"error":{"code":2,"fbtrace_id":"A"}}"#),
                Arrival::NotTaken,
            ),
            (
                read(500, r#"{"error":{"code":4711,"fbtrace_id":"A"}}"#),
                Arrival::NotTaken,
            ),
            (read(200, r#"{"status":"maintenance"}"#), Arrival::Unknown),
            (read(200, "<html>"), Arrival::Unknown),
            (read(204, ""), Arrival::Unknown),
            (read(301, ""), Arrival::NotTaken),
            (read(308, ""), Arrival::NotTaken),
            (read(400, "<html>"), Arrival::Unknown),
            (read(401, ""), Arrival::NotTaken),
            (read(403, "<html>"), Arrival::NotTaken),
            (read(404, r#"{"error":"Not Found"}"#), Arrival::NotTaken),
            (read(405, ""), Arrival::NotTaken),
            (read(407, ""), Arrival::NotTaken),
            (read(408, ""), Arrival::Unknown),
            (read(413, ""), Arrival::NotTaken),
            (read(429, ""), Arrival::NotTaken),
            (read(499, ""), Arrival::Unknown),
            (read(500, ""), Arrival::Unknown),
            (read(502, "<html>"), Arrival::Unknown),
            (read(503, "<html>"), Arrival::Unknown),
            (read(504, "<html>"), Arrival::Unknown),
            (Answer::Lost(Lost::Timeout), Arrival::Unknown),
            (Answer::Lost(Lost::Reset), Arrival::Unknown),
            (Answer::Lost(Lost::Torn), Arrival::Unknown),
            (Answer::Lost(Lost::TooLarge), Arrival::Unknown),
            (Answer::Lost(Lost::GivenUp), Arrival::Unknown),
            (
                Answer::Lost(Lost::Connect(ConnectFailure::Refused)),
                Arrival::NotTaken,
            ),
            (
                Answer::Lost(Lost::Connect(ConnectFailure::Timeout)),
                Arrival::NotTaken,
            ),
        ] {
            assert_eq!(Arrival::of(&answer), expected, "{answer:?}");
        }
    }
}
