//! One event from the options of the command line, as the JSON that a backend would write.
//!
//! It then goes the way of every other event. Values that are personal never get into a message:
//! that is why clap is not asked to check them, which would print them.

use std::collections::BTreeMap;

use serde_json::value::{RawValue, to_raw_value};
use sluice_event::{ActionSource, Currency, amount};

use crate::failure::Failure;
use crate::field::Field;
use crate::option_values;

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
    /// What it is worth: a plain number such as 129.99, which is sent exactly as written
    #[arg(long, requires = "name")]
    value: Option<String>,
    /// The currency of the value: a code of ISO 4217, such as EUR
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
        text => option_values::time(text).map(Time::At),
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
        if self.id.as_deref().is_some_and(|id| id.trim().is_empty()) {
            return Err(Failure::with_help(
                "--id is empty",
                "give the event an id of its own, such as the order's number, or leave --id out",
            ));
        }
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
                Ok(Field::Currency) => {
                    return Err(Failure::with_help(
                        "currency is no field of user_data",
                        "use --currency",
                    ));
                }
                Err(unknown) => {
                    let error = match name.trim() {
                        name if could_be_name(name) => {
                            format!("--user names the field {name}, which Meta does not know")
                        }
                        _ => "--user has no name of a field in front of =".to_owned(),
                    };
                    return Err(Failure::with_help(error, unknown.help()));
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
            if custom_data.insert(key.to_owned(), value).is_some() {
                return Err(Failure::with_help(
                    "--custom has the same key twice",
                    "give each key once; a list is written as in --custom 'content_ids=[\"a\",\"b\"]'",
                ));
            }
        }
        let currency = self.currency.as_deref().map(known_currency).transpose()?;
        let has_currency = currency.is_some() || custom_data.keys().any(|key| is_currency(key));
        let value = self.value.as_deref().map(plain_number).transpose()?;
        if value.is_some() && !has_currency {
            return Err(Failure::with_help(
                "--value has no currency, without which Meta does not take it",
                "add --currency, such as --currency EUR",
            ));
        }
        for (key, value) in [("value", value), ("currency", currency)] {
            let Some(value) = value else { continue };
            if custom_data.insert(key.to_owned(), value).is_some() {
                return Err(Failure::with_help(
                    format!("the {key} is given twice, by --{key} and by --custom"),
                    "leave one of them out",
                ));
            }
        }
        Ok(custom_data)
    }
}

/// What is written for a currency; apps have another name for it.
fn is_currency(key: &str) -> bool {
    matches!(key, "currency" | "fb_currency")
}

/// A number exactly as it is written: a detour through a floating-point number could change it. In a
/// file the event library would read `12,99` somehow; a person who types it can say what is meant.
fn plain_number(value: &str) -> Result<Box<RawValue>, Failure> {
    let plain = amount(value).filter(|amount| **amount == *value);
    plain.and_then(|_| literal(value.to_owned())).ok_or_else(|| {
        Failure::with_help(
            "--value is no plain number",
            "write digits and at most one point, such as 129.99; the currency goes into --currency",
        )
    })
}

fn known_currency(code: &str) -> Result<Box<RawValue>, Failure> {
    let currency = Currency::parse(code).ok_or_else(|| {
        Failure::with_help(
            "--currency is no currency of ISO 4217",
            "use a code of three letters, such as EUR",
        )
    })?;
    text(currency.code())
}

/// Whether this may be repeated in a message. Who forgets the name of a field types its value in that
/// place: an address, a number or a hash, which are not of letters alone.
fn could_be_name(text: &str) -> bool {
    let is_of_name = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-');
    (1..=32).contains(&text.len()) && text.bytes().all(is_of_name)
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

    /// The error about these options, and its remedy.
    fn told(arguments: &[&str]) -> (String, String) {
        match json(&[&["--name", "Lead"], arguments].concat()) {
            Err(Failure::Told { error, help }) => (format!("{error:#}"), help.unwrap_or_default()),
            _ => panic!("{arguments:?} was taken"),
        }
    }

    #[test]
    fn money_is_taken_as_it_is_or_not_at_all() {
        for value in [
            "12,99", "1,234.56", "12x", "€5", "", " 5", "1e400", "null", "NaN", "+5", "012",
        ] {
            let value = format!("--value={value}");
            let (error, _) = told(&[&value, "--currency", "EUR"]);
            assert_eq!(error, "--value is no plain number", "{value}");
        }
        for currency in ["EURO", "€", "XXX", ""] {
            let (error, _) = told(&["--value", "5", "--currency", currency]);
            assert_eq!(error, "--currency is no currency of ISO 4217", "{currency}");
        }
        for (value, currency, written) in [
            ("129.90", "USD", r#"{"currency":"USD","value":129.90}"#),
            ("-5", " eur", r#"{"currency":"EUR","value":-5}"#),
            ("1e3", "jpy", r#"{"currency":"JPY","value":1e3}"#),
        ] {
            let value = format!("--value={value}");
            let Ok(Some(json)) = json(&["--name", "Lead", &value, "--currency", currency]) else {
                panic!("{value} was not taken");
            };
            assert!(json.contains(written), "{json}");
        }
        let custom = ["--value", "5", "--custom", "fb_currency=EUR"];
        assert!(json(&[&["--name", "Lead"][..], &custom].concat()).is_ok());
    }

    #[test]
    fn nothing_that_is_given_is_lost() {
        for (arguments, expected) in [
            (&["--value", "5"][..], "--value has no currency"),
            (
                &["--value", "5", "--currency", "EUR", "--custom", "value=6"],
                "the value is given twice",
            ),
            (
                &["--currency", "EUR", "--custom", "currency=USD"],
                "the currency is given twice",
            ),
            (
                &["--custom", "a=1", "--custom", "a=2"],
                "the same key twice",
            ),
            (&["--id", " "], "--id is empty"),
        ] {
            let (error, help) = told(arguments);
            assert!(error.contains(expected), "{error}");
            assert_ne!(help, "");
        }
    }

    #[test]
    fn an_unknown_field_is_named() {
        for (user, expected) in [
            ("NAME=Erika", "--user names the field NAME, which"),
            ("emial=x@y.co", "--user names the field emial, which"),
            ("+491701234567=1", "--user has no name of a field"),
            ("am9obkBleGFtcGxlLmNvbQ==", "--user has no name of a field"),
        ] {
            let (error, help) = told(&["--user", user]);
            assert!(error.starts_with(expected), "{error}");
            assert!(!format!("{error}{help}").contains("Erika"));
        }
    }

    #[test]
    fn errors_do_not_repeat_personal_values() {
        for user in [
            "john@example.com",
            "john@example.com=x",
            "=john@example.com",
        ] {
            let (error, help) = told(&["--user", user]);
            assert!(
                !format!("{error} {help}")
                    .replace("em=john@example.com", "")
                    .contains("john")
            );
        }
    }
}
