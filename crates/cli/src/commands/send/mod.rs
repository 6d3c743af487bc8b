//! `sluice send`: events from the command line, a file or a pipe, to Meta or to a gateway.
//!
//! Straight to a dataset, events are sealed here, as the gateway does it. Through a gateway they go as
//! they are written, because its source has rules of its own; only an `event_id` is added where there
//! is none, so that trying again makes no copies. What is printed holds no clear value and no secret.

mod carrier;
mod delivery;
mod event;
mod load;
mod raw;
mod refusal;
mod report;
mod route;
mod warnings;

use std::path::PathBuf;

use sluice_event::{ActionSource, batch};

use crate::clock::Clock;
use crate::ending::Ending;
use crate::failure::Failure;
use crate::input::Input;
use crate::output::Progress;
use crate::runtime;
use crate::sealing::SealingOptions;
use carrier::Carrier;
use delivery::{Halt, Terms};
use event::EventOptions;
use load::{Form, Load};
use report::Report;
use route::{Route, RouteOptions};

/// What `send` takes.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The events, in any form that `sluice check` reads; - or nothing reads standard input
    file: Option<PathBuf>,
    /// Show what would be sent, sealed, and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object, also when not all was sent
    #[arg(long)]
    json: bool,
    /// Events in one request, at most 1000; fewer when they are large
    #[arg(long, value_name = "COUNT", default_value = "500", value_parser = batch_size)]
    batch: usize,
    /// How often a request is sent again when the other end has a problem, throttles, or does not answer
    #[arg(long, value_name = "COUNT", default_value_t = 8)]
    retries: u32,
    #[command(flatten)]
    route: RouteOptions,
    #[command(flatten)]
    event: EventOptions,
    #[command(
        flatten,
        next_help_heading = "How events are sealed (with --gateway only --action-source)"
    )]
    sealing: SealingOptions,
}

const EXAMPLES: &str = "\
Examples:
  export META_ACCESS_TOKEN=…
  sluice send --dataset 1234567890 --test-event-code TEST123 \\
      --name Purchase --id order-1 --value 129.99 --currency USD \\
      --user em=john@example.com --user ph=+14155550100 --url https://shop.example/thanks
      One purchase, to be seen in Events Manager under Test Events
  sluice send --dataset 1234567890 --token-file token.txt events.ndjson
      A file of any size up to 256 MiB, in batches
  SLUICE_KEY=… sluice send --gateway http://127.0.0.1:8080 < events.json
      Through a gateway: kept on its disk, delivered by it
  sluice send --dry-run events.json
      What would be sent: hashes in the place of personal data
  sluice send --dataset 1234567890 --graph-url http://127.0.0.1:8090 --name Lead --user em=a@b.co
      To `sluice sandbox`, which takes any token

Tokens and keys come from the environment or from files, never from options: those are seen in the
shell's history and in the list of processes. (So are values of --user; a file or a pipe is not.)

What is repaired or left out of events is shown as `sluice check` shows it, once for each rule with
the first places; --json has it as \"warnings\". So it is with --user and --custom, but --value has
to be a plain number and --currency a known one: otherwise nothing is sent.

A gateway seals events by the rules of their source, so --country, --variants and --external-id are
set in its configuration. --action-source goes along with events that name none and show none.

What Meta could not take for the moment is sent again, the same bytes under the same event ids, so
nothing is counted twice. An event that Meta refuses is set aside with the reason; the others go on.

When sending ends before all is sent, --json has the number of events that were not sent (or whose
answer got lost) as \"unsent\", and as \"first_unsent\" the place of the first, counted from 0. What
stands before it is settled, so a script goes on from there: of a file with one event a line,
  grep '[^[:space:]]' events.ndjson | tail -n +$((first_unsent + 1)) | sluice send …
What got lost on the way may have arrived. Events without an event_id of their own, of which
\"makes_ids\" says whether there are any, would count twice then.

Exit codes: 0 when all events were taken or known already, 1 when some were rejected, refused or
missing in Meta's count, 2 when the command could not do its work: wrong usage, no events in FILE,
no token, no connection, a retry too many; what was sent before that is reported all the same.";

fn batch_size(text: &str) -> Result<usize, &'static str> {
    let size = text.parse().ok().filter(|size| (1..=1_000).contains(size));
    size.ok_or("Meta takes 1 to 1000 events in a request")
}

/// Sends events.
pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let clock = Clock::System;
    let action_source = arguments.action_source()?;
    let given = arguments.event.json(action_source, clock.unix_ms())?;
    let terms = load::Terms {
        rules: arguments.sealing.rules(),
        form: if arguments.dry_run {
            // Clear values are not printed, wherever they would go.
            Form::Sealed
        } else {
            arguments.route.form()
        },
        action_source,
        has_body: given.is_none(),
        has_test_code: arguments.route.has_test_code(),
        clock,
    };
    let input = match given {
        Some(json) => Input {
            name: "the event".to_owned(),
            bytes: json.into_bytes(),
        },
        None => Input::read(arguments.file.as_deref(), "sluice send")?,
    };
    let text = batch::text_of(&input.bytes);
    let mut load = Load::read(&text, &input.name, &terms)?;
    if arguments.dry_run {
        report::foreseen(&load, &arguments.route, arguments.json)?;
        return Ok(Ending::flawed_if(!load.rejected.is_empty()));
    }
    let route = arguments.route.open(load.test_code.as_deref())?;
    let mut report = Report::new(load.outgoing.len(), load.rejected.len());
    report.to = arguments.route.shown();
    report.first_unsent = load.outgoing.first().map(|event| event.index);
    report.makes_ids = load.makes_ids;
    report.rejected = std::mem::take(&mut load.rejected);
    report.warnings = std::mem::take(&mut load.warnings);
    let halt = runtime::block_on(async {
        Ok(match &route {
            Route::Dataset(carrier) => arguments.deliver(carrier, &load, &mut report).await?,
            Route::Gateway(carrier) => arguments.deliver(carrier, &load, &mut report).await?,
        })
    })?;
    conclude(arguments, &load, report, halt)
}

impl Arguments {
    /// The action source of events that name and show none. Unless one was given, it is for the source of
    /// a gateway to say.
    fn action_source(&self) -> Result<Option<ActionSource>, Failure> {
        let given = self.sealing.action_source();
        if !self.route.is_gateway() {
            return Ok(Some(
                given.unwrap_or(self.sealing.rules().default_action_source),
            ));
        }
        match self.sealing.of_a_source() {
            None => Ok(given),
            Some((option, key)) => Err(Failure::with_help(
                format!(
                    "{option} cannot be used with --gateway, which seals events by its own rules"
                ),
                format!("set {key} of the source in the gateway's configuration"),
            )),
        }
    }

    /// Sends the load, until the end or until a signal stops it.
    async fn deliver(
        &self,
        carrier: &impl Carrier,
        load: &Load,
        report: &mut Report,
    ) -> Result<Option<Halt>, Failure> {
        let stopped = runtime::stopped()?;
        let progress = if load.outgoing.len() > self.batch {
            Progress::of(load.outgoing.len())
        } else {
            Progress::hidden()
        };
        let terms = Terms {
            batch: self.batch,
            retries: self.retries,
        };
        let halt = tokio::select! {
            done = delivery::deliver(carrier, load, terms, report, &progress) => done.err(),
            () = stopped => Some(Halt {
                why: "stopped by a signal".to_owned(),
                help: "send the rest later".to_owned(),
                may_have_arrived: true,
            }),
        };
        progress.finish();
        Ok(halt)
    }
}

/// Tells what became of the events; a halt is a failure all the same.
fn conclude(
    arguments: &Arguments,
    load: &Load,
    mut report: Report,
    halt: Option<Halt>,
) -> Result<Ending, Failure> {
    report.unsent = report.unsent();
    report.error = halt.as_ref().map(|halt| halt.why.clone());
    report.rejected.sort_by_key(|rejected| rejected.index);
    report.refused.sort_by_key(|refused| refused.index);
    if arguments.json {
        report.for_programs()?;
    } else {
        report.for_people(load)?;
    }
    match halt {
        None => Ok(Ending::flawed_if(report.is_flawed())),
        Some(halt) => {
            let has_arrived = halt.may_have_arrived || report.settled() > 0;
            let again = match (has_arrived, load.makes_ids) {
                (false, _) => "",
                (true, false) => "; what did arrive is not counted twice",
                (true, true) => {
                    "; give the events an event_id first, or what did arrive counts twice"
                }
            };
            Err(Failure::with_help(
                halt.why,
                format!("{}{again}", halt.help),
            ))
        }
    }
}
