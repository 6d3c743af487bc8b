//! What stands beside the events of a request, and what its values ask for.

use crate::alias;
use crate::json;
use crate::switch::{self, Switch};

/// What a key beside the events of a request means, whoever reads the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// `test_event_code`, in any spelling.
    TestEventCode,
    /// A switch that restricts what is done with events: Meta knows it inside an event only.
    Switch,
}

impl Beside {
    /// What a key means, also one of a form for an entry of a list (`data_processing_options[0]`); `None` for all
    /// others.
    pub fn of(key: &str) -> Option<Self> {
        let key = key.split('[').next().unwrap_or(key);
        if alias::is_test_event_code(key) {
            Some(Beside::TestEventCode)
        } else {
            alias::of_switch(key).map(|_| Beside::Switch)
        }
    }
}

/// Whether a value beside the events, as JSON or as a text, asks for something: it is neither a word for no nor for
/// nothing.
pub fn is_asked_for(value: &str) -> bool {
    let switch = match json::inner(value) {
        Some(raw) => switch::switch(raw),
        None => switch::switch_of(value),
    };
    !matches!(switch, Switch::Said(false) | Switch::Nothing)
}

/// Whether a text in the place of a test code names one. One that was not filled in does, so that it is told: the
/// events would go out as real ones.
pub fn names_test_code(text: &str) -> bool {
    let is_template = text.contains(['{', '$', '%', '<', '#']) && text != "{}";
    is_template || is_asked_for(text)
}
