//! From a body to what leaves: every event read, checked, and in the form in which it travels.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sluice_event::batch::{self, Item, Layout};
use sluice_event::{ActionSource, Code, Findings, Rules, SealedEvent};

use super::raw;
use super::refusal::Rejected;
use super::warnings::Warnings;
use crate::clock::Clock;
use crate::failure::Failure;
use crate::remark::Remark;

/// In which form events travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Normalised and hashed here: what Meta takes.
    Sealed,
    /// As they are written; the gateway seals them by the rules of its source.
    AsWritten,
}

/// How a body is read.
pub(super) struct Terms {
    pub(super) rules: Rules,
    pub(super) form: Form,
    /// What is written into events that neither name nor show an action source, if they travel as they
    /// are written.
    pub(super) action_source: Option<ActionSource>,
    /// Whether a person or a program wrote it, and not this command from its options.
    pub(super) has_body: bool,
    /// Whether a test code is given that holds for all events.
    pub(super) has_test_code: bool,
    pub(super) clock: Clock,
}

/// An event that leaves.
pub(super) struct Outgoing {
    /// Its place in the body.
    pub(super) index: usize,
    /// Name and id; of sealed events only, because anything may stand there before.
    pub(super) known_as: Option<(String, String)>,
    /// What travels. It is the same however often it is sent.
    pub(super) json: String,
}

/// The events of a body.
pub(super) struct Load {
    pub(super) layout: Layout,
    /// How many there are.
    pub(super) events: usize,
    pub(super) outgoing: Vec<Outgoing>,
    pub(super) rejected: Vec<Rejected>,
    /// What there is to say about the outgoing ones. Of those that travel as they are written the gateway
    /// says it, except for what is added to them here.
    pub(super) warnings: Warnings,
    /// Whether there is a body that `sluice check` could read, and not only options.
    pub(super) has_body: bool,
    /// Whether an id was made for one of them, which another run would make anew.
    pub(super) makes_ids: bool,
    /// The test code that the body names: beside the events, or each of them.
    pub(super) test_code: Option<String>,
}

/// What a body may be.
const FORMS: &str =
    "nothing was sent; send one event, an array of events, {\"data\": [...]}, or one event a line";

impl Load {
    /// Reads a body. Nothing has been sent when this fails.
    pub(super) fn read(text: &str, name: &str, terms: &Terms) -> Result<Self, Failure> {
        if text.trim().is_empty() {
            return Err(without_events(name, "is empty"));
        }
        let mut loading = Loading {
            terms,
            load: Self {
                layout: Layout::Single,
                events: 0,
                outgoing: Vec::new(),
                rejected: Vec::new(),
                warnings: Warnings::default(),
                has_body: terms.has_body,
                makes_ids: false,
                test_code: None,
            },
            lacking: Vec::new(),
            codes: BTreeSet::new(),
        };
        let read = batch::read_while(text, |item| match loading.add(item) {
            Ok(()) => ControlFlow::Continue(()),
            Err(failure) => ControlFlow::Break(failure),
        });
        let is_first = loading.load.events == 0;
        let broken = |error: sluice_event::json::SyntaxError| {
            let (line, column) = error.line_column(text);
            let expected = error.expected();
            Failure::with_help(
                format!("{name}:{line}:{column} is not JSON: expected {expected}"),
                if is_first {
                    FORMS
                } else {
                    "nothing was sent; `sluice check` says more about the events before this place"
                },
            )
        };
        let body = match read.map_err(broken)? {
            ControlFlow::Continue(body) => body,
            ControlFlow::Break(failure) => return Err(failure),
        };
        if loading.load.events == 0 {
            return Err(without_events(name, "holds an empty list"));
        }
        if body.has_switch() {
            return Err(Failure::with_help(
                format!(
                    "{name} has data_processing_options or opt_out beside data, where they limit no event"
                ),
                "write data_processing_options, with its country and state, and opt_out into each event",
            ));
        }
        loading.load.layout = body.layout;
        loading.load.test_code = match body.test_event_code() {
            Some(code) => Some(code.into_owned()),
            None => loading.test_code()?,
        };
        if terms.form == Form::AsWritten {
            let slices = raw::slices(text, body.layout).map_err(broken)?;
            if slices.len() != body.places {
                return Err(Failure::with_help(
                    format!("{name} was read in two ways that do not agree on its events"),
                    "nothing was sent; write one event a line, and report this",
                ));
            }
            loading.put(&slices);
        }
        Ok(loading.load)
    }
}

/// `send` without events is a mistake: something went wrong before.
fn without_events(name: &str, what: &str) -> Failure {
    Failure::with_help(format!("{name} {what}: there are no events in it"), FORMS)
}

/// A load of which events are still being read.
struct Loading<'t> {
    terms: &'t Terms,
    load: Load,
    /// What each of the outgoing events lacks.
    lacking: Vec<Lack>,
    /// The test codes inside events that are sealed here; a gateway reads its own.
    codes: BTreeSet<Option<String>>,
}

/// What is added to an event that travels as it is written.
#[derive(Clone, Copy, Default)]
struct Lack {
    /// An id, so that it keeps one and the same when it has to be sent again.
    id: bool,
    action_source: Option<ActionSource>,
}

impl Loading<'_> {
    /// The test code that every event has inside. A request has one, and no event may go out as a real one.
    fn test_code(&mut self) -> Result<Option<String>, Failure> {
        let has_any = self.codes.iter().any(Option::is_some);
        if !has_any || self.terms.has_test_code {
            return Ok(None);
        }
        if self.codes.len() > 1 {
            return Err(Failure::with_help(
                "some events have a test_event_code inside, and others have none or another",
                "send them apart, or all as test events with --test-event-code; nothing was sent",
            ));
        }
        Ok(self.codes.pop_first().flatten())
    }

    fn add(&mut self, item: Item<'_>) -> Result<(), Failure> {
        let Item {
            index,
            event,
            mut findings,
        } = item;
        let Terms { rules, form, .. } = self.terms;
        self.load.events += 1;
        let is_readable = event.is_some();
        let is_sourceless = event.as_ref().is_some_and(|event| {
            event.action_source.is_none() && event.shown_action_source().is_none()
        });
        let moment = self.terms.clock.moment()?;
        let sealed = event.and_then(|event| event.seal(rules, moment, &mut findings));
        let goes = match form {
            Form::Sealed => sealed.is_some(),
            // The gateway is the judge, as long as there is something to judge.
            Form::AsWritten => is_readable,
        };
        if !goes {
            self.load.rejected.push(rejected(index, &findings));
            return Ok(());
        }
        let has_no_id = findings.has(Code::EventIdMissing);
        let lack = Lack {
            // What cannot be sealed here has no id to give; then the gateway says that it is missing.
            id: has_no_id && sealed.is_some(),
            action_source: self.terms.action_source.filter(|_| is_sourceless),
        };
        self.load.makes_ids |= has_no_id;
        self.warn(index, &findings, lack);
        let known_as = sealed
            .as_ref()
            .map(|sealed| (sealed.event_name().to_owned(), sealed.event_id().to_owned()));
        if let (Form::Sealed, Some(sealed)) = (form, &sealed) {
            self.codes
                .insert(sealed.test_event_code().map(str::to_owned));
        }
        let json = match form {
            Form::Sealed => sealed.map(SealedEvent::into_json).unwrap_or_default(),
            // It comes when all of them are read.
            Form::AsWritten => String::new(),
        };
        self.lacking.push(lack);
        self.load.outgoing.push(Outgoing {
            index,
            known_as,
            json,
        });
        Ok(())
    }

    fn warn(&mut self, index: usize, findings: &Findings, lack: Lack) {
        let warnings = &mut self.load.warnings;
        if self.terms.form == Form::Sealed {
            warnings.leave_out(findings.unlisted());
            return warnings.add(index, findings.iter());
        }
        // The gateway will not see that this was missing.
        let added = findings.iter().filter(|finding| match finding.code {
            Code::EventIdMissing => lack.id,
            Code::ActionSourceMissing => lack.action_source.is_some(),
            _ => false,
        });
        warnings.add(index, added);
    }

    /// Puts the events as they are written in their places, with what they lack.
    fn put(&mut self, slices: &[Cow<'_, str>]) {
        for (outgoing, lack) in self.load.outgoing.iter_mut().zip(&self.lacking) {
            let slice = slices.get(outgoing.index).map_or("", AsRef::as_ref);
            let mut json = slice.trim().to_owned();
            if let Some((_, id)) = outgoing.known_as.as_ref().filter(|_| lack.id) {
                json = raw::with_id(&json, id);
            }
            if let Some(action_source) = lack.action_source {
                json = raw::with_action_source(&json, action_source);
            }
            outgoing.json = json;
        }
    }
}

fn rejected(index: usize, findings: &Findings) -> Rejected {
    Rejected {
        index,
        event_id: None,
        findings: Remark::all(findings)
            .into_iter()
            .map(Remark::into_owned)
            .collect(),
    }
}
