//! `sluice check`: what the gateway would make of events, without sending any.
//!
//! Every event is read, sealed and judged by the code that does it in the gateway. What is printed
//! holds no clear value from `user_data` unless `--show-values` asks for it: findings have none, and
//! names and ids are shown only of sealed events, which have been freed of contact data.

mod explain;
mod people;
mod programs;
mod report;

use std::path::PathBuf;

use clap::Args;
use sluice_event::batch::{self, Item, Layout};
use sluice_event::{Remains, Rules};

use crate::clock::Clock;
use crate::ending::Ending;
use crate::failure::Failure;
use crate::input::Input;
use crate::option_values;
use crate::sealing::SealingOptions;
use explain::Explanation;
use people::ForPeople;
use programs::ForPrograms;
use report::{Broken, Checked, Report, Tally};

/// What `sluice check` takes.
#[derive(Args)]
#[command(after_help = "\
Examples:
  sluice check events.json
  sluice check --explain --country de < events.ndjson
  sluice check --json events.json | jq 'select(.valid | not)'
  sluice check --now 2023-11-29T05:10:00Z old-events.json

FILE holds one event, an array, {\"data\":[…]} as Meta takes it, or one event a line (NDJSON).
Values from user_data are never printed, unless --show-values is given.

Exit codes: 0 when every event can be sent, 1 when one cannot, or FILE is empty or not JSON, 2 for
wrong usage, or when FILE cannot be read.")]
pub(crate) struct Arguments {
    /// The events; - or nothing reads standard input
    file: Option<PathBuf>,
    /// Print one JSON object an event
    #[arg(long)]
    json: bool,
    /// Show for every value of `user_data` what becomes of it
    #[arg(long)]
    explain: bool,
    /// Let --explain show the values themselves, in the clear
    #[arg(long, requires = "explain")]
    show_values: bool,
    /// Check as if it were this time: Unix seconds or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = option_values::time)]
    now: Option<u64>,
    #[command(flatten)]
    sealing: SealingOptions,
}

/// Checks a body and reports on it.
pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let input = Input::read(arguments.file.as_deref(), "sluice check")?;
    let text = batch::text_of(&input.bytes);
    let mut report: Box<dyn Report> = if arguments.json {
        Box::new(ForPrograms::new())
    } else {
        Box::new(ForPeople::new(layout_of(&text)))
    };
    let checker = Checker {
        rules: arguments.sealing.rules(),
        clock: Clock::new(arguments.now),
        explains: arguments.explain,
        shows_values: arguments.show_values,
    };
    let mut tally = Tally::default();
    // `read` cannot be stopped, but a report that failed once is left alone.
    let mut reported = Ok(());
    let read = batch::read(&text, |item| {
        if reported.is_ok() {
            reported = checker.check(item).and_then(|checked| {
                tally.add(&checked);
                report.event(&checked)
            });
        }
    });
    reported?;
    if let Err(error) = read {
        let (line, column) = error.line_column(&text);
        let expected = error.expected();
        tally.is_broken = true;
        let name = &input.name;
        report.broken(
            &Broken {
                name,
                line,
                column,
                expected,
                is_empty: text.trim().is_empty(),
            },
            &tally,
        )?;
    }
    report.finish(&tally)?;
    Ok(Ending::flawed_if(tally.is_flawed()))
}

struct Checker {
    rules: Rules,
    clock: Clock,
    explains: bool,
    shows_values: bool,
}

impl Checker {
    fn check(&self, item: Item<'_>) -> Result<Checked, Failure> {
        let Item {
            index,
            event,
            mut findings,
        } = item;
        let moment = self.clock.moment()?;
        let mut explanation = None;
        let mut sealed = Err(Remains::default());
        if let Some(event) = event {
            // Before sealing, because sealing takes the clear values away.
            let mut explained = self.explains.then(|| {
                Explanation::new(&event.user_data, &self.rules, moment, self.shows_values)
            });
            sealed = event.seal_or_remains(&self.rules, moment, &mut findings);
            if let (Some(explained), Ok(sealed)) = (&mut explained, &sealed) {
                explained.add_payload(sealed);
            }
            explanation = explained;
        }
        Ok(Checked {
            index,
            sealed,
            findings,
            explanation,
        })
    }
}

/// How the events of a body are written, which says how their places are called.
///
/// [`batch::read`] tells at its end, and a person wants to know at the first event. Reading twice
/// costs less than keeping every report of a large body in memory.
fn layout_of(text: &str) -> Layout {
    let error = match batch::read(text, drop) {
        Ok(body) => return body.layout,
        Err(error) => error,
    };
    // Reading stopped early. If all was well up to there, what was read tells; else it stopped inside
    // a list, since nothing else holds several events and can break.
    let read = text.get(..error.at()).unwrap_or_default();
    match batch::read(read, drop) {
        Ok(body) => body.layout,
        Err(_) if text.trim_start().starts_with('[') => Layout::Array,
        Err(_) => Layout::Envelope,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_body_has_a_layout_too() {
        for (text, expected) in [
            (r#"{"event_name":"A"}"#, Layout::Single),
            (r#"{"event_name":"A"} x"#, Layout::Single),
            (r#"[{"event_name":"A"},"#, Layout::Array),
            (r#"{"data":[{"event_name":"A"},}"#, Layout::Envelope),
            (r#"{"data":[{"event_name":"A"}]} x"#, Layout::Envelope),
            ("{\"event_name\":\"A\"}\nnot json", Layout::Lines),
        ] {
            assert_eq!(layout_of(text), expected, "{text}");
        }
    }
}
