//! What the doors tell: requests, keys, connections, and what was found in events.

use std::collections::BTreeMap;
use std::net::IpAddr;

use sluice_event::{Code, Severity};
use tracing::{debug, warn};

use super::lines::{DoorTrouble, Found, Subject, Sum};
use super::{Watch, metrics};

/// Wrong keys of a minute.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Guesses {
    /// Wrong keys since the last time.
    pub(crate) keys: u64,
    /// Addresses that sent them.
    pub(crate) addresses: usize,
    /// The one that sent most of them.
    pub(crate) most_from: IpAddr,
}

/// What was found in the events of a request.
#[derive(Debug)]
pub(crate) struct FoundInRequest<'a> {
    pub(crate) source: &'a str,
    pub(crate) request_id: &'a str,
    /// In events that were taken: the rules, and how many events each is about.
    pub(crate) accepted: Vec<(Code, usize)>,
    /// In events that were rejected.
    pub(crate) rejected: Vec<(Code, usize)>,
    /// The rule that decided, for each rejected event.
    pub(crate) decided: Vec<Code>,
}

impl Watch {
    /// A door answered. A server error is logged once a minute, unless its cause was told when it began.
    pub(crate) fn answered(
        &self,
        door: &'static str,
        status: u16,
        request_id: &str,
        cause_is_told: bool,
    ) {
        let label = metrics::Door { door, status };
        self.metrics.door_requests.get_or_create(&label).inc();
        debug!(door, status, request_id, "answered");
        if cause_is_told || !is_worth_a_warning(status) {
            return;
        }
        let error = Sum {
            requests: 1,
            last: Some(request_id.to_owned()),
            ..Sum::default()
        };
        let trouble = DoorTrouble::ServerError { door, status };
        self.line(&Subject::Door(trouble), error);
    }

    /// Whether answers of a door with this status were logged lately.
    #[cfg(test)]
    pub(crate) fn has_warned_of(&self, door: &'static str, status: u16) -> bool {
        let trouble = DoorTrouble::ServerError { door, status };
        self.lines.has(&Subject::Door(trouble))
    }

    /// A request with a wrong key, or without one, was refused; once a minute the log says how many were.
    pub(crate) fn wrong_key(&self, guesses: Option<&Guesses>) {
        self.metrics.wrong_keys.inc();
        let Some(Guesses {
            keys,
            addresses,
            most_from,
        }) = guesses
        else {
            return;
        };
        warn!(
            requests = keys,
            addresses,
            %most_from,
            "requests were refused for a wrong key, or for none"
        );
    }

    /// All places for connections are taken.
    pub(crate) fn is_full(&self) {
        self.line(&Subject::Door(DoorTrouble::Full), Sum::default());
    }

    /// An address has as many connections as it may.
    pub(crate) fn address_has_too_many(&self, address: IpAddr) {
        let connection = Sum {
            last: Some(address.to_string()),
            ..Sum::default()
        };
        self.line(&Subject::Door(DoorTrouble::TooManyOfAddress), connection);
    }

    /// A connection was opened or closed.
    pub(crate) fn connections(&self, change: i64) {
        self.metrics.connections.inc_by(change);
    }

    /// A request was refused as a whole.
    pub(crate) fn request_refused(&self, source: Option<&str>, code: &str) {
        let label = metrics::RefusedRequest {
            source: source.unwrap_or(metrics::NO_SOURCE).to_owned(),
            code: code.to_owned(),
        };
        self.metrics.refused_requests.get_or_create(&label).inc();
    }

    /// The events of a request were looked at, and what there is of them is on disk.
    pub(crate) fn found(&self, found: &FoundInRequest<'_>) {
        for (code, events) in found.accepted.iter().chain(&found.rejected) {
            let label = metrics::Finding {
                source: found.source.to_owned(),
                code: code.name(),
                severity: code.severity().name(),
            };
            let findings = self.metrics.findings.get_or_create(&label);
            findings.inc_by(*events as u64);
        }
        let mut decided = BTreeMap::<_, (Code, u64)>::new();
        for code in &found.decided {
            decided.entry(code.name()).or_insert((*code, 0)).1 += 1;
        }
        for (code, events) in decided.into_values() {
            self.found_by(Found::Rejected, code, events, found);
        }
        let is_repair = |found: &&(Code, usize)| found.0.severity() == Severity::Repaired;
        for (code, events) in found.accepted.iter().filter(is_repair) {
            self.found_by(Found::Repaired, *code, *events as u64, found);
        }
    }

    fn found_by(&self, found: Found, code: Code, events: u64, request: &FoundInRequest<'_>) {
        let subject = Subject::Found {
            source: request.source.to_owned(),
            code,
            found,
        };
        let sum = Sum {
            last: Some(request.request_id.to_owned()),
            ..Sum::of_events(events)
        };
        self.line(&subject, sum);
    }
}

/// Whether an answer with this status is trouble of ours: what a client asks for with 501 is not implemented.
fn is_worth_a_warning(status: u16) -> bool {
    status >= 500 && status != 501
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_of_ours_is_logged() {
        for (status, expected) in [(503, true), (500, true), (501, false), (422, false)] {
            assert_eq!(is_worth_a_warning(status), expected, "{status}");
        }
    }
}
