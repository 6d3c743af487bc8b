//! What the modules share: one fixed moment, and sealing with everything that came of it.

use serde_json::Value;
use sluice_event::{Event, Findings, Moment, Rules, SealedEvent, batch};

/// 2026-09-21T14:13:20Z. Every test lives at this moment.
pub(crate) const NOW_S: i64 = 1_790_000_000;

pub(crate) const NOW: Moment = Moment {
    unix_ms: 1_790_000_000_500,
    in_doubt: false,
    entropy: [7; 10],
};

/// What became of one event.
pub(crate) struct Outcome {
    pub(crate) sealed: Option<SealedEvent>,
    pub(crate) findings: Findings,
}

impl Outcome {
    /// The names of the rules that had something to say, sorted, each once.
    pub(crate) fn codes(&self) -> Vec<&'static str> {
        let mut codes: Vec<_> = (self.findings.iter())
            .map(|finding| finding.code.name())
            .collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }

    /// The sealed event, read by another parser than ours.
    pub(crate) fn json(&self) -> Value {
        let sealed = self.sealed.as_ref();
        let sealed = sealed.unwrap_or_else(|| panic!("not sealed: {:#?}", self.findings));
        serde_json::from_str(sealed.json()).expect("sealed events are JSON")
    }

    /// The message of the first finding of this rule.
    pub(crate) fn message(&self, code: &str) -> &str {
        let finding = (self.findings.iter()).find(|finding| finding.code.name() == code);
        finding.map_or("", |finding| &finding.message)
    }
}

pub(crate) fn seal_at(text: &str, rules: &Rules, moment: Moment) -> Outcome {
    let mut findings = Findings::new();
    let event = Event::parse(text, &mut findings);
    let sealed = event.and_then(|event| event.seal(rules, moment, &mut findings));
    Outcome { sealed, findings }
}

pub(crate) fn seal_by(text: &str, rules: &Rules) -> Outcome {
    seal_at(text, rules, NOW)
}

pub(crate) fn seal(text: &str) -> Outcome {
    seal_by(text, &Rules::default())
}

/// Seals every event of a body; the flag says whether it could be read to its end.
pub(crate) fn seal_body(body: &[u8], rules: &Rules, moment: Moment) -> (Vec<Outcome>, bool) {
    let text = batch::text_of(body);
    let mut outcomes = Vec::new();
    let read = batch::read(&text, |mut item| {
        let event = item.event;
        let sealed = event.and_then(|event| event.seal(rules, moment, &mut item.findings));
        outcomes.push(Outcome {
            sealed,
            findings: item.findings,
        });
    });
    (outcomes, read.is_ok())
}

/// Lays `patch` over `base` by the rules of RFC 7396: `null` takes a member away.
pub(crate) fn merge(base: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *base = patch;
        return;
    };
    if !base.is_object() {
        *base = Value::Object(serde_json::Map::new());
    }
    let members = base.as_object_mut().expect("made one above");
    for (key, value) in patch {
        if value.is_null() {
            members.remove(&key);
        } else {
            merge(members.entry(key).or_insert(Value::Null), value);
        }
    }
}
