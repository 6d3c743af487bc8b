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

    /// Uses a switch that was met elsewhere. What restricts more holds: the sender wanted it somewhere.
    pub(super) fn use_misplaced(&mut self, scalar: Scalar, path: Path, raw: Raw<'a>) {
        let name = scalar.switch_name();
        let message = format!("not the place or the name of {name}; read as that of the event");
        self.findings.add(Code::KeyMisplaced, path.clone(), message);
        let own = (
            self.event.opt_out.take(),
            self.event.data_processing.clone(),
        );
        self.scalar(scalar, raw, || path.clone());
        if scalar == Scalar::OptOut {
            let is_out = [own.0, self.event.opt_out].contains(&Some(true));
            let said = own.0.or(self.event.opt_out);
            self.event.opt_out = if is_out { Some(true) } else { said };
        } else {
            self.event.opt_out = own.0;
            if own.1.as_ref().is_some_and(DataProcessing::limits) {
                self.event.data_processing = own.1;
                return;
            }
        }
        self.event.misplaced.push((name, path));
    }

    /// Takes the switches and the test code that were met in an object which was written as a text.
    pub(super) fn take_switches_of(&mut self, part: &Event<'static>, path: &Path) {
        if part.opt_out == Some(true) {
            self.event.opt_out = Some(true);
            self.event.misplaced.push(("opt_out", path.clone()));
        }
        if let Some(processing) = part.data_processing.as_ref().filter(|part| part.limits()) {
            self.event.data_processing = Some(processing.clone());
            self.event
                .misplaced
                .push(("data_processing_options", path.clone()));
        }
        if let Some(code) = &part.test_event_code {
            self.event.test_event_code = Some(code.clone());
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
