//! What stands beside the events of a request, and what its values ask for.

use std::borrow::Cow;

use crate::alias;
use crate::json::{self, Kind, Raw, Reader, SyntaxError};
use crate::layout::Layout;
use crate::model::Event;
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

/// What a body holds besides its events.
pub struct Body<'a> {
    /// How the events were written.
    pub layout: Layout,
    /// How many places its list has: those of the events, and of what stands among them for all.
    pub places: usize,
    /// What the first member of this name beside `data` holds.
    test_event_code: Option<Cow<'a, str>>,
    has_switch: bool,
}

impl<'a> Body<'a> {
    pub(crate) fn of(layout: Layout) -> Self {
        Self {
            layout,
            places: 0,
            test_event_code: None,
            has_switch: false,
        }
    }

    /// `test_event_code`, which sends the events as test events. What is written in its place is given as it
    /// is: a code that is none has to be told, or the events would go out as real ones.
    pub fn test_event_code(&self) -> Option<Cow<'a, str>> {
        let text = self.test_event_code.as_ref()?;
        names_test_code(text).then(|| text.clone())
    }

    /// Whether options of data processing, or an opt-out, are to hold for all events. Meta documents them for single
    /// events only: beside `data` they limit nothing.
    pub fn has_switch(&self) -> bool {
        self.has_switch
    }

    /// A member beside the events; `keep` makes its text last. Others than these two are read and not kept: there may
    /// be millions of them.
    pub(crate) fn field<'t>(
        &mut self,
        key: &str,
        value: Raw<'t>,
        keep: impl FnOnce(Cow<'t, str>) -> Cow<'a, str>,
    ) {
        match Beside::of(key) {
            Some(Beside::TestEventCode) => {
                self.test_event_code.get_or_insert_with(|| {
                    let text = value.as_text().or(value.as_digits());
                    keep(text.unwrap_or_else(|| value.text().into()))
                });
            }
            Some(Beside::Switch) => {
                let text = value.as_text().unwrap_or(value.text().into());
                self.has_switch |= is_asked_for(&text);
            }
            None => {}
        }
    }

    /// Takes what stands among the events and is none, but says what holds for all of them, such as a first line
    /// with the test code; tells whether it is that.
    pub(crate) fn takes(&mut self, event: &Event<'a>) -> bool {
        if self.layout == Layout::Single || !event.is_for_all {
            return false;
        }
        if let Some(code) = &event.test_event_code {
            self.test_event_code.get_or_insert_with(|| code.clone());
        }
        let processing = event.data_processing.as_ref();
        self.has_switch |= event.opt_out == Some(true)
            || processing.is_some_and(|processing| {
                let place = [processing.country, processing.state];
                processing.limits() || place.into_iter().flatten().any(|code| code != 0)
            });
        true
    }
}

/// Keys of Meta's requests that say nothing about an event.
const OF_REQUEST: [&str; 6] = [
    "access_token",
    "partner_agent",
    "namespace_id",
    "upload_id",
    "upload_tag",
    "upload_source",
];

/// Whether the object that comes next has no member that an event would have: a broken event among others stays one,
/// and is refused alone.
pub(crate) fn has_only_switches(mut reader: Reader<'_>) -> bool {
    let mut has_other = false;
    let read = reader.members(|reader, key| {
        let is_null = reader.value()?.kind() == Kind::Null;
        has_other |= !(is_null || Beside::of(&key).is_some() || OF_REQUEST.contains(&&*key));
        Ok::<_, SyntaxError>(())
    });
    read.is_ok() && !has_other
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
