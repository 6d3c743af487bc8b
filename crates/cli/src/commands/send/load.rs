//! From a body to what leaves: every event read, checked, and in the form in which it travels.

use sluice_event::batch::{self, Item, Layout};
use sluice_event::{Code, Findings, Rules, SealedEvent};

use super::raw;
use super::report::Rejected;
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
    /// How many of the outgoing ones there is something to say about.
    pub(super) remarked: usize,
    /// Whether an id was made for one of them, which another run would make anew.
    pub(super) makes_ids: bool,
    /// The test code that the body names.
    pub(super) test_code: Option<String>,
}

impl Load {
    /// Reads a body. Nothing has been sent when this fails.
    pub(super) fn read(
        text: &str,
        name: &str,
        rules: &Rules,
        form: Form,
        clock: Clock,
    ) -> Result<Self, Failure> {
        let mut load = Self {
            layout: Layout::Single,
            events: 0,
            outgoing: Vec::new(),
            rejected: Vec::new(),
            remarked: 0,
            makes_ids: false,
            test_code: None,
        };
        // `read` cannot be stopped, so a failure is kept.
        let mut failed = Ok(());
        let read = batch::read(text, |item| {
            if failed.is_ok() {
                failed = load.add(item, rules, form, clock);
            }
        });
        failed?;
        let broken = |error: sluice_event::json::SyntaxError| {
            let (line, column) = error.line_column(text);
            let expected = error.expected();
            Failure::with_help(
                format!("{name}:{line}:{column} is not JSON: expected {expected}"),
                "nothing was sent; `sluice check` says more about the events before this place",
            )
        };
        let body = read.map_err(broken)?;
        load.layout = body.layout;
        load.test_code = raw::test_code(&body);
        if form == Form::AsWritten {
            let slices = raw::slices(text, load.layout).map_err(broken)?;
            load.put(&slices);
        }
        Ok(load)
    }

    fn add(
        &mut self,
        item: Item<'_>,
        rules: &Rules,
        form: Form,
        clock: Clock,
    ) -> Result<(), Failure> {
        let Item {
            index,
            event,
            mut findings,
        } = item;
        self.events += 1;
        let is_readable = event.is_some();
        let moment = clock.moment()?;
        let sealed = event.and_then(|event| event.seal(rules, moment, &mut findings));
        let goes = match form {
            Form::Sealed => sealed.is_some(),
            // The gateway is the judge, as long as there is something to judge.
            Form::AsWritten => is_readable,
        };
        if !goes {
            self.rejected.push(rejected(index, &findings));
            return Ok(());
        }
        self.remarked += usize::from(!findings.is_empty());
        let has_made_id = findings.has(Code::EventIdMissing);
        self.makes_ids |= has_made_id;
        let known_as = sealed
            .as_ref()
            .map(|sealed| (sealed.event_name().to_owned(), sealed.event_id().to_owned()));
        let json = match form {
            Form::Sealed => sealed.map(SealedEvent::into_json).unwrap_or_default(),
            // Only remembers that the id has to be added; the text comes later.
            Form::AsWritten if has_made_id => MAKE_ID.to_owned(),
            Form::AsWritten => String::new(),
        };
        self.outgoing.push(Outgoing {
            index,
            known_as,
            json,
        });
        Ok(())
    }

    /// Puts the events as they are written in their places.
    fn put(&mut self, slices: &[std::borrow::Cow<'_, str>]) {
        for outgoing in &mut self.outgoing {
            let slice = slices.get(outgoing.index).map_or("", AsRef::as_ref);
            outgoing.json = match &outgoing.known_as {
                Some((_, id)) if outgoing.json == MAKE_ID => raw::with_id(slice, id),
                _ => slice.trim().to_owned(),
            };
        }
    }
}

/// Stands for an event that needs an id, until its text comes.
const MAKE_ID: &str = "+id";

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
