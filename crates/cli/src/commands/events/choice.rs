//! Which events are meant.

use std::io;

use anyhow::Context as _;
use clap::ValueEnum;
use sluice_event::{Country, Hashed, Prehashed, Rules, UserField, recognize};
use sluice_journal::{EventFilter, EventState};

use crate::clock::Clock;
use crate::commands::chosen::{Origin, since_ms};
use crate::failure::Failure;
use crate::field::Field;
use crate::option_values::{self, Since};
use crate::value;

/// What every event has; an event has to fit all that is given.
#[derive(Debug, Clone, PartialEq, clap::Args)]
#[command(next_help_heading = "Which events")]
pub(super) struct Common {
    #[command(flatten)]
    origin: Origin,
    /// With a test code
    #[arg(long, conflicts_with = "no_test")]
    test: bool,
    /// Without a test code
    #[arg(long)]
    no_test: bool,
}

impl Common {
    pub(super) fn filter(&self) -> EventFilter {
        EventFilter {
            dataset: self.origin.dataset.clone(),
            source: self.origin.source.clone(),
            event_name: self.origin.name.clone(),
            is_test: (self.test || self.no_test).then_some(self.test),
            ..EventFilter::default()
        }
    }
}

/// By what an event is found; an event has to fit all that is given.
#[derive(Debug, Clone, PartialEq, clap::Args)]
#[command(next_help_heading = "Which events")]
pub(super) struct Filters {
    #[command(flatten)]
    common: Common,
    /// In this state; may be given several times
    #[arg(long = "state", value_name = "STATE", value_enum)]
    states: Vec<State>,
    /// With this `event_id`
    #[arg(long = "id", value_name = "EVENT_ID")]
    event_id: Option<String>,
    /// With this `order_id`
    #[arg(long = "order", value_name = "ORDER_ID")]
    order_id: Option<String>,
    #[command(flatten)]
    person: Person,
    /// Decided by the request that Meta calls so
    #[arg(long, value_name = "ID")]
    fbtrace_id: Option<String>,
    /// That came since: 30m, 24h, 7d, Unix seconds or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = option_values::since)]
    since: Option<Since>,
    /// That came before: 30m, 24h, 7d, Unix seconds or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = option_values::since)]
    until: Option<Since>,
}

/// Whose events.
#[derive(Debug, Clone, PartialEq, clap::Args)]
struct Person {
    /// Of the person with this e-mail address; -: read from standard input
    #[arg(long, value_name = "EMAIL", group = "person")]
    email: Option<String>,
    /// Of the person with this phone number; -: read from standard input
    #[arg(long, value_name = "PHONE", group = "person")]
    phone: Option<String>,
    /// Of the person with this `external_id`; -: read from standard input
    #[arg(long, value_name = "ID", group = "person")]
    external_id: Option<String>,
    /// Of the person with this SHA-256 hash of one of the three; -: read from standard input
    #[arg(long, value_name = "SHA256", group = "person")]
    hash: Option<String>,
    /// The country of phone numbers without a country code, such as de
    #[arg(long, value_name = "COUNTRY", value_parser = option_values::country)]
    country: Option<Country>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    /// On disk, not yet delivered
    Waiting,
    /// Meta took it
    Delivered,
    /// Meta refused it
    Refused,
    /// It grew too old before Meta could take it
    Expired,
    /// Sluice keeps it back
    Withheld,
    /// A note, such as a refund, which is not meant for Meta
    Recorded,
}

impl State {
    fn of_journal(self) -> EventState {
        match self {
            State::Waiting => EventState::Waiting,
            State::Delivered => EventState::Delivered,
            State::Refused => EventState::Refused,
            State::Expired => EventState::Expired,
            State::Withheld => EventState::Withheld,
            State::Recorded => EventState::Recorded,
        }
    }
}

impl Filters {
    /// As the journal has them. Reads standard input if a value is `-`.
    pub(super) fn filter(&self) -> Result<EventFilter, Failure> {
        let states = self.states.iter().copied().map(State::of_journal);
        Ok(EventFilter {
            states: states.collect(),
            event_id: self.event_id.clone(),
            order_id: self.order_id.clone(),
            identifier: self.person.identifier()?,
            fbtrace_id: self.fbtrace_id.clone(),
            from_ms: since_ms(self.since),
            until_ms: since_ms(self.until),
            ..self.common.filter()
        })
    }
}

impl Person {
    /// The hash under which the events of the person have it. The value itself goes no further.
    fn identifier(&self) -> Result<Option<Hashed>, Failure> {
        let named = [
            (&self.email, Some(UserField::Em)),
            (&self.phone, Some(UserField::Ph)),
            (&self.external_id, Some(UserField::ExternalId)),
            (&self.hash, None),
        ];
        let mut named = named.into_iter();
        let Some((text, field)) = named.find_map(|(text, field)| Some((text.as_ref()?, field)))
        else {
            return Ok(None);
        };
        let read;
        let text = if text == "-" {
            read = line()?;
            read.trim()
        } else {
            text.trim()
        };
        match (recognize(text), field) {
            (Some(Prehashed::Sha256(hash)), _) => Ok(Some(hash)),
            (_, Some(field)) => self.hash_of(field, text).map(Some),
            (_, None) => Err(Failure::with_help(
                "--hash takes the SHA-256 of a value, 64 hexadecimal digits",
                "`sluice hash` makes one; --email, --phone and --external-id take the value itself",
            )),
        }
    }

    fn hash_of(&self, field: UserField, text: &str) -> Result<Hashed, Failure> {
        let rules = Rules {
            default_country: self.country,
            ..Rules::default()
        };
        let judged = value::judge(Field::User(field), text, &rules, Clock::System.unix_ms());
        let hash = judged.normalized.and_then(|normalized| normalized.hash);
        hash.ok_or_else(|| {
            let name = field.name();
            Failure::with_help(
                format!("no event has such a value as {name}: it cannot be normalised"),
                "`sluice hash` says what is wrong with it",
            )
        })
    }
}

/// One line of standard input: what is typed there is in no history of a shell, and in no list of processes.
fn line() -> Result<String, Failure> {
    let mut line = String::new();
    io::stdin()
        .read_line(&mut line)
        .context("reading a value from standard input")?;
    Ok(line)
}
