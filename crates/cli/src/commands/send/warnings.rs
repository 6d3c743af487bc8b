//! What there is to say about events that can be sent: once for each rule, however many they are.
//!
//! `sluice check` says it event by event, which is right for a file that is to be mended. Here a file of
//! 100,000 events that all lack the same thing has to leave room for what became of them.

use serde::Serialize;
use sluice_event::Finding;
use sluice_event::batch::Layout;

use crate::failure::Failure;
use crate::output::{Output, grouped, is_zero};
use crate::remark::{self, Remark};

/// Places that are named of one rule.
const PLACES_MAX: usize = 5;

/// Everything there is to say, the worst first.
#[derive(Debug, Default, Serialize)]
pub(super) struct Warnings {
    #[serde(rename = "warnings")]
    list: Vec<Warning>,
    /// Findings beyond those that are kept for one event.
    #[serde(rename = "warnings_unlisted", skip_serializing_if = "is_zero")]
    unlisted: usize,
}

/// What one rule has to say. For programs it is what the gateway's answer has, and further places.
#[derive(Debug, Serialize)]
struct Warning {
    /// How many events it is about.
    events: usize,
    /// The first of them.
    index: usize,
    /// What there is to say about that one.
    #[serde(flatten)]
    first: Remark<'static>,
    /// The places after the first.
    more: Vec<Place>,
    /// How many places there are, the first and those that are not named included.
    #[serde(skip)]
    places: usize,
    /// The last event that was counted.
    #[serde(skip)]
    last: usize,
}

/// A place, and what was found there.
#[derive(Debug, Serialize)]
struct Place {
    index: usize,
    path: String,
    message: String,
}

impl Warnings {
    /// Adds what was found in one event.
    pub(super) fn add<'f>(&mut self, index: usize, findings: impl Iterator<Item = &'f Finding>) {
        for finding in findings {
            let remark = Remark::of(finding);
            match self.of_rule(remark.code()) {
                Some(warning) => warning.add(index, usize::from(warning.last != index), &remark),
                None => self.push(index, 1, remark.into_owned()),
            }
        }
    }

    /// Adds what was found in `events` events, of which this is the first.
    pub(super) fn add_of_many(&mut self, index: usize, events: usize, first: Remark<'static>) {
        match self.of_rule(first.code()) {
            Some(warning) => warning.add(index, events, &first),
            None => self.push(index, events, first),
        }
    }

    /// Counts findings of an event that were not kept.
    pub(super) fn leave_out(&mut self, count: usize) {
        self.unlisted += count;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether more was found than is named.
    pub(super) fn is_cut(&self) -> bool {
        self.unlisted > 0 || self.list.iter().any(|warning| warning.untold() > 0)
    }

    /// A block for every rule.
    pub(super) fn show(&self, output: &mut Output, layout: Layout) -> Result<(), Failure> {
        for warning in &self.list {
            warning.show(output, layout)?;
        }
        if self.unlisted > 0 {
            writeln!(output, "  … and {} more findings", number(self.unlisted))?;
        }
        Ok(())
    }

    fn of_rule(&mut self, code: &str) -> Option<&mut Warning> {
        let mut list = self.list.iter_mut();
        list.find(|warning| warning.first.code() == code)
    }

    fn push(&mut self, index: usize, events: usize, first: Remark<'static>) {
        self.list.push(Warning {
            events,
            index,
            first,
            more: Vec::new(),
            places: events,
            last: index,
        });
        self.list.sort_by_key(|warning| warning.first.rank());
    }
}

impl Warning {
    /// Adds a place, and a number of events that were not counted yet.
    fn add(&mut self, index: usize, events: usize, remark: &Remark<'_>) {
        self.events += events;
        self.places += events.max(1);
        self.last = index;
        if self.more.len() + 1 < PLACES_MAX {
            self.more.push(Place {
                index,
                path: remark.path().to_owned(),
                message: remark.message().to_owned(),
            });
        }
    }

    fn untold(&self) -> usize {
        self.places.saturating_sub(self.more.len() + 1)
    }

    fn show(&self, output: &mut Output, layout: Layout) -> Result<(), Failure> {
        let place = |index, path: &str| remark::place(&layout.path(index), path);
        let first = place(self.index, self.first.path());
        if self.places == 1 {
            return self.first.show(output, &first);
        }
        let mut lines = vec![format!("{first}: {}", self.first.message())];
        lines.extend(self.more.iter().map(|more| {
            let place = place(more.index, &more.path);
            format!("{place}: {}", more.message)
        }));
        if self.untold() > 0 {
            lines.push(format!("… and {} more", number(self.untold())));
        }
        let header = match self.events {
            1 => format!("in {} places", number(self.places)),
            events => format!("in {} events", number(events)),
        };
        self.first.show_lines(output, &header, &lines)
    }
}

fn number(count: usize) -> String {
    grouped(u64::try_from(count).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use sluice_event::{Code, Findings, Path};

    use super::*;

    fn findings(of: &[(Code, &str)]) -> Findings {
        let mut findings = Findings::new();
        for (code, key) in of {
            findings.add(*code, Path::root().key(key), "found it");
        }
        findings
    }

    #[test]
    fn many_findings_are_told_once_with_the_first_places() {
        let mut warnings = Warnings::default();
        let both = findings(&[
            (Code::EventIdMissing, ""),
            (Code::ValueCleaned, "a"),
            (Code::ValueCleaned, "b"),
        ]);
        for index in 0..1_000 {
            warnings.add(index, both.iter());
        }
        warnings.add_of_many(
            1_000,
            500,
            Remark::new(Code::ValueCleaned, "c", "d").into_owned(),
        );
        let json = serde_json::to_value(&warnings).unwrap();
        let told = json["warnings"].as_array().unwrap();
        let codes: Vec<_> = told.iter().map(|it| it["code"].as_str().unwrap()).collect();
        assert_eq!(codes, ["value_cleaned", "event_id_missing"]);
        let events: Vec<_> = told
            .iter()
            .map(|it| it["events"].as_u64().unwrap())
            .collect();
        assert_eq!(events, [1_500, 1_000]);
        assert_eq!(
            (&told[0]["index"], &told[0]["path"]),
            (&0.into(), &"a".into())
        );
        let more: Vec<_> = told[0]["more"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| (it["index"].as_u64().unwrap(), it["path"].as_str().unwrap()))
            .collect();
        assert_eq!(more, [(0, "b"), (1, "a"), (1, "b"), (2, "a")]);
        assert_eq!(warnings.list[0].untold(), 2_500 - PLACES_MAX);
        assert!(warnings.is_cut());
        assert_eq!(json.get("warnings_unlisted"), None);
    }

    #[test]
    fn nothing_is_cut_while_every_place_is_told() {
        let mut warnings = Warnings::default();
        for index in 0..PLACES_MAX {
            warnings.add(index, findings(&[(Code::EmInvalid, "em")]).iter());
        }
        assert!(!warnings.is_cut());
        warnings.leave_out(1);
        assert!(warnings.is_cut());
    }
}
