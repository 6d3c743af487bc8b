//! Switches and test codes that stand where Meta would not look for them, inside an object of the event.
//!
//! What keeps an event from being used, or from counting, is meant wherever it stands. It is used, and said.

use super::Parser;
use super::scalar::Scalar;
use crate::alias;
use crate::beside;
use crate::code::Code;
use crate::finding::Path;
use crate::json::{Kind, Raw};
use crate::model::{DataProcessing, Event};
use crate::shape;

impl<'a> Parser<'a, '_> {
    /// Takes a member of an object of the event, if it is a switch or a test code; tells whether it was one.
    /// `parent` is where the object stood.
    pub(super) fn takes_misplaced(
        &mut self,
        parent: impl Fn() -> Path,
        key: &str,
        raw: Raw<'a>,
    ) -> bool {
        // Nearly every key is one of Meta's, and none of those is meant here.
        if raw.kind() == Kind::Null || shape::CUSTOM_DATA.find(key.as_bytes()).is_some() {
            return false;
        }
        let path = || parent().key(key);
        if alias::is_test_event_code(key) {
            self.test_event_code(raw, path());
            return true;
        }
        let switch = alias::of_switch(key).and_then(Scalar::switch_from_name);
        if let Some(scalar) = switch {
            self.misplaced.push((scalar, path(), raw));
        }
        switch.is_some()
    }

    /// Takes those that stand in the entries of `contents`. Lists that are sent as they are have none.
    pub(super) fn take_misplaced_in_contents(&mut self) {
        let Some(contents) = self.event.custom_data.find("contents") else {
            return;
        };
        let Some(raw) = contents.value.raw_of_input().filter(|_| !contents.is_usual) else {
            return;
        };
        let path = contents.path(self.event.written("custom_data"));
        match raw.kind() {
            Kind::Array => {
                for (place, entry) in raw.items().enumerate() {
                    self.take_misplaced_in(&|| path.clone().index(place), entry);
                }
            }
            _ if contents_of_one(raw) => self.take_misplaced_in(&|| path.clone(), raw),
            _ => {
                for (key, entry) in raw.members() {
                    self.take_misplaced_in(&|| path.clone().key(&key), entry);
                }
            }
        }
    }

    fn take_misplaced_in(&mut self, parent: &dyn Fn() -> Path, entry: Raw<'a>) {
        for (key, value) in entry.members() {
            if shape::CONTENT.find(key.as_bytes()).is_none() {
                self.takes_misplaced(parent, &key, value);
            }
        }
    }

    /// Uses a switch that was met elsewhere.
    pub(super) fn use_misplaced(&mut self, scalar: Scalar, path: Path, raw: Raw<'a>) {
        let name = scalar.switch_name();
        let message = format!("not the place or the name of {name}; read as that of the event");
        self.findings.add(Code::KeyMisplaced, path.clone(), message);
        let own = Switches::of(self.event);
        self.scalar(scalar, raw, || path.clone());
        self.restrict(own, name, path);
    }

    /// Takes the switches and the test code that were met in an object which was written as a text.
    pub(super) fn take_switches_of(&mut self, part: &mut Event<'static>, path: &Path) {
        if let Some(code) = part.test_event_code.take() {
            self.event.test_event_code = Some(code);
        }
        for (name, found) in Switches::of(part).one_by_one() {
            let own = Switches::of(self.event);
            found.put(self.event);
            self.restrict(own, name, path.clone());
        }
    }

    /// Joins the switches that the event had with those that were met elsewhere under this name, and that it has
    /// now. What restricts more holds: the sender wanted it somewhere.
    fn restrict(&mut self, own: Switches<'a>, name: &'static str, path: Path) {
        let is_own = name != "opt_out" && own.limits();
        let found = Switches::of(self.event);
        own.joined_with(found).put(self.event);
        if !is_own {
            self.event.stood_at.push((name, path));
        }
    }

    /// The test code of an event.
    pub(super) fn test_event_code(&mut self, raw: Raw<'a>, path: Path) {
        let code = raw.as_text().or(raw.as_digits());
        let code = code.unwrap_or_else(|| raw.text().into());
        if !beside::names_test_code(&code) {
            return;
        }
        self.event.test_event_code = Some(code);
        let message = "stands inside the event; read as the test code of the event";
        self.findings.add(Code::KeyMisplaced, path, message);
    }
}

/// Whether an object in the place of `contents` is an entry without its list.
fn contents_of_one(raw: Raw<'_>) -> bool {
    raw.members().any(|(_, value)| value.kind() != Kind::Object)
}

/// What an event says of how it may be used.
struct Switches<'a> {
    opt_out: Option<bool>,
    processing: Option<DataProcessing<'a>>,
}

impl<'a> Switches<'a> {
    /// Those of an event, which has none then.
    fn of(event: &mut Event<'a>) -> Self {
        Self {
            opt_out: event.opt_out.take(),
            processing: event.data_processing.take(),
        }
    }

    fn put(self, event: &mut Event<'a>) {
        event.opt_out = self.opt_out;
        event.data_processing = self.processing;
    }

    fn limits(&self) -> bool {
        self.processing.as_ref().is_some_and(DataProcessing::limits)
    }

    /// Each that is there, with its name.
    fn one_by_one(self) -> impl Iterator<Item = (&'static str, Self)> {
        let opt_out = self.opt_out.map(|opt_out| Self {
            opt_out: Some(opt_out),
            processing: None,
        });
        let processing = self.processing.map(|processing| Self {
            opt_out: None,
            processing: Some(processing),
        });
        let options = processing.map(|found| ("data_processing_options", found));
        opt_out
            .map(|found| ("opt_out", found))
            .into_iter()
            .chain(options)
    }

    fn joined_with(self, found: Self) -> Self {
        let is_out = [self.opt_out, found.opt_out].contains(&Some(true));
        let opt_out = is_out.then_some(true);
        Self {
            opt_out: opt_out.or(self.opt_out).or(found.opt_out),
            processing: match (self.processing, found.processing) {
                (Some(own), Some(found)) => Some(joined(own, found)),
                (own, found) => own.or(found),
            },
        }
    }
}

/// Those options of the two that limit, else the later ones; what is not said with them is taken from the others.
fn joined<'a>(own: DataProcessing<'a>, found: DataProcessing<'a>) -> DataProcessing<'a> {
    let (first, second) = if own.limits() {
        (own, found)
    } else {
        (found, own)
    };
    DataProcessing {
        options: first.options.or(second.options),
        country: first.country.or(second.country),
        state: first.state.or(second.state),
    }
}
