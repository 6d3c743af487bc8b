//! One event from the options of the command line, as the JSON that a backend would write.
//!
//! It then goes the way of every other event. Values that are personal never get into a message:
//! that is why clap is not asked to check them, which would print them.

use std::collections::BTreeMap;

use serde_json::value::{RawValue, to_raw_value};
use sluice_event::ActionSource;

use crate::args;
use crate::failure::Failure;
use crate::field::Field;

/// What the event is made of.
#[derive(clap::Args)]
#[command(next_help_heading = "One event, from options")]
pub(super) struct EventOptions {
    /// Its name, such as Purchase; without it, events are read from FILE or standard input
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    name: Option<String>,
    /// Its `event_id`, such as the order's number; with the name, Meta knows copies by it
    #[arg(long, value_name = "ID", requires = "name")]
    id: Option<String>,
    /// When it happened: now, Unix seconds or RFC 3339 [default: now]
    #[arg(long, value_name = "TIME", requires = "name", value_parser = time)]
    time: Option<Time>,
    /// What it is worth; exactly as written
    #[arg(long, requires = "name")]
    value: Option<String>,
    /// The currency of the value
    #[arg(long, requires = "name")]
    currency: Option<String>,
    /// A value of `user_data`, such as `em=john@example.com`; may be given several times
    #[arg(long = "user", value_name = "FIELD=VALUE", requires = "name")]
    user: Vec<String>,
    /// A value of `custom_data`, JSON or text, such as `order_id=17`; may be given several times
    #[arg(long = "custom", value_name = "KEY=VALUE", requires = "name")]
    custom: Vec<String>,
    /// The page on which it happened
    #[arg(long, value_name = "URL", requires = "name")]
    url: Option<String>,
}

/// A time on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Time {
    Now,
    /// In milliseconds since 1970.
    At(u64),
}

fn time(text: &str) -> Result<Time, &'static str> {
    match text {
        "now" => Ok(Time::Now),
        text => args::time(text).map(Time::At),
    }
}

type Object = BTreeMap<String, Box<RawValue>>;

impl EventOptions {
    /// The event's JSON, if one is given.
    pub(super) fn json(
        &self,
        action_source: Option<ActionSource>,
        now_ms: u64,
    ) -> Result<Option<String>, Failure> {
        let Some(name) = &self.name else {
            return Ok(None);
        };
        let time_ms = match self.time {
            None | Some(Time::Now) => now_ms,
            Some(Time::At(unix_ms)) => unix_ms,
        };
        let mut event = Object::new();
        event.insert("event_name".to_owned(), text(name)?);
        let time = literal((time_ms / 1_000).to_string());
        event.extend(time.map(|time| ("event_time".to_owned(), time)));
        for (key, value) in [
            ("action_source", action_source.map(ActionSource::name)),
            ("event_id", self.id.as_deref()),
            ("event_source_url", self.url.as_deref()),
        ] {
            if let Some(value) = value {
                event.insert(key.to_owned(), text(value)?);
            }
        }
        event.insert("user_data".to_owned(), object(&self.user_data()?)?);
        event.insert("custom_data".to_owned(), object(&self.custom_data()?)?);
        Ok(Some(object(&event)?.get().to_owned()))
    }

    fn user_data(&self) -> Result<Object, Failure> {
        let mut values: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for given in &self.user {
            let (name, value) = split(given, "--user em=john@example.com")?;
            let field = match Field::parse(name) {
                Ok(field @ Field::User(_)) => field,
                // The name is not repeated: who forgets it types the value in its place.
                Ok(Field::Currency) => {
                    return Err(Failure::with_help(
                        "currency is no field of user_data",
                        "use --currency",
                    ));
                }
                Err(unknown) => {
                    return Err(Failure::with_help(
                        "--user names a field that Meta does not know",
                        unknown.help(),
                    ));
                }
            };
            values.entry(field.name()).or_default().push(value);
        }
        let mut user_data = Object::new();
        for (name, values) in values {
            let value = match values.as_slice() {
                [value] => text(value)?,
                values => to_raw_value(values).map_err(anyhow::Error::new)?,
            };
            user_data.insert(name.to_owned(), value);
        }
        Ok(user_data)
    }

    fn custom_data(&self) -> Result<Object, Failure> {
        let mut custom_data = Object::new();
        for given in &self.custom {
            let (key, value) = split(given, "--custom content_name=Shoes")?;
            let value = literal(value.to_owned()).map_or_else(|| text(value), Ok)?;
            custom_data.insert(key.to_owned(), value);
        }
        if let Some(value) = &self.value {
            // As written: a detour through a floating-point number could change it.
            let number = literal(value.clone()).map_or_else(|| text(value), Ok)?;
            custom_data.insert("value".to_owned(), number);
        }
        if let Some(currency) = &self.currency {
            custom_data.insert("currency".to_owned(), text(currency)?);
        }
        Ok(custom_data)
    }
}

/// `KEY=VALUE`. The message does not repeat what was given.
fn split<'a>(given: &'a str, example: &str) -> Result<(&'a str, &'a str), Failure> {
    let parts = given.split_once('=').filter(|(key, _)| !key.is_empty());
    parts.ok_or_else(|| {
        let (option, _) = example.split_once(' ').unwrap_or((example, ""));
        Failure::with_help(
            format!("{option} has no name and = in front of its value"),
            format!("write it as in {example}"),
        )
    })
}

/// What is JSON already.
fn literal(text: String) -> Option<Box<RawValue>> {
    RawValue::from_string(text).ok()
}

fn text(text: &str) -> Result<Box<RawValue>, Failure> {
    Ok(to_raw_value(text).map_err(anyhow::Error::new)?)
}

fn object(object: &Object) -> Result<Box<RawValue>, Failure> {
    Ok(to_raw_value(object).map_err(anyhow::Error::new)?)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        event: EventOptions,
        file: Option<String>,
    }

    fn json(arguments: &[&str]) -> Result<Option<String>, Failure> {
        let line = Line::try_parse_from([&["sluice"], arguments].concat()).unwrap();
        assert_eq!(line.file, None);
        line.event
            .json(Some(ActionSource::Website), 1_701_234_567_890)
    }

    #[test]
    fn writes_what_a_backend_would_write() {
        let written = json(&[
            "--name",
            "Purchase",
            "--id",
            "order-1",
            "--value",
            "129.90",
            "--currency",
            "USD",
            "--user",
            "email=a@b.co",
            "--user",
            "em=c=d",
            "--custom",
            "num_items=3",
            "--custom",
            "content_name=Shoes \"X\"",
        ]);
        let Ok(Some(written)) = written else {
            panic!("the options make an event");
        };
        assert_eq!(
            written,
            r#"{"action_source":"website","custom_data":{"content_name":"Shoes \"X\"","currency":"USD","num_items":3,"value":129.90},"event_id":"order-1","event_name":"Purchase","event_time":1701234567,"user_data":{"em":["a@b.co","c=d"]}}"#
        );
        assert!(matches!(json(&[]), Ok(None)));
    }

    #[test]
    fn errors_do_not_repeat_personal_values() {
        for user in [
            "john@example.com",
            "john@example.com=x",
            "=john@example.com",
        ] {
            let Err(Failure::Told { error, help }) = json(&["--name", "Lead", "--user", user])
            else {
                panic!("{user} was taken");
            };
            assert!(
                !format!("{error:#} {help:?}")
                    .replace("em=john@example.com", "")
                    .contains("john")
            );
        }
    }
}
