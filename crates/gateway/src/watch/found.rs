//! What was found in events that came in: counted, and told in the log once a minute for each source and rule.

use std::collections::BTreeMap;

use sluice_event::{Code, Severity};
use tracing::{info, warn};

use super::minutes::{Line, Remark, Subject};
use super::{Watch, metrics};

/// What was found in the events of a request.
#[derive(Debug)]
pub(crate) struct Found<'a> {
    pub(crate) source: &'a str,
    pub(crate) request_id: &'a str,
    /// The moment, in milliseconds since 1970.
    pub(crate) now_ms: u64,
    /// In events that were taken: the rules, and how many events each is about.
    pub(crate) accepted: Vec<(Code, usize)>,
    /// In events that were rejected.
    pub(crate) rejected: Vec<(Code, usize)>,
    /// The rule that decided, for each rejected event.
    pub(crate) decided: Vec<Code>,
}

impl Watch {
    /// A request was refused as a whole.
    pub(crate) fn request_refused(&self, source: Option<&str>, code: &str) {
        let label = metrics::RefusedRequest {
            source: source.unwrap_or(metrics::NO_SOURCE).to_owned(),
            code: code.to_owned(),
        };
        self.metrics.refused_requests.get_or_create(&label).inc();
    }

    /// The events of a request were looked at, and what there is of them is on disk.
    pub(crate) fn found(&self, found: &Found<'_>) {
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
            self.remark(Remark::Rejected, code, events, found);
        }
        let is_repair = |found: &&(Code, usize)| found.0.severity() == Severity::Repaired;
        for (code, events) in found.accepted.iter().filter(is_repair) {
            self.remark(Remark::Repaired, *code, *events as u64, found);
        }
    }

    /// Adds to what the log says of a source and rule once a minute.
    fn remark(&self, remark: Remark, code: Code, events: u64, found: &Found<'_>) {
        let subject = Subject {
            source: found.source.to_owned(),
            remark,
            code,
        };
        let line = Line {
            events,
            request_id: found.request_id.to_owned(),
        };
        if let Some(line) = self.minutes.add(subject.clone(), line, found.now_ms) {
            tell(&subject, &line);
        }
    }

    /// Tells of events that came while the log was quiet about them.
    pub(crate) fn tell_further(&self, now_ms: u64) {
        for (subject, line) in self.minutes.due(now_ms) {
            tell(&subject, &line);
        }
    }
}

/// Writes a line about events that came in; never a value of one.
fn tell(subject: &Subject, line: &Line) {
    let (source, code, help) = (&subject.source, subject.code.name(), subject.code.help());
    let Line { events, request_id } = line;
    match subject.remark {
        Remark::Rejected => warn!(
            source,
            code,
            events,
            request_id,
            help,
            "events were rejected: see `sluice dead list --state rejected`"
        ),
        Remark::Repaired => info!(
            source,
            code, events, request_id, help, "values of events were repaired or left out"
        ),
    }
}
