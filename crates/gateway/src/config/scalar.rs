//! Values that are one text: texts, numbers and flags. In a variable everything is one.

use toml::de::DeValue;

use super::excerpt::quoted;
use super::key::{Form, Key, Kind, suggestion};
use super::keys::is_plain;
use super::written::Found;

/// What is wrong with a value.
pub(super) struct Wrong {
    /// What was found. Does not repeat it if it may hold a secret.
    pub(super) message: String,
    /// What would be right; may be empty.
    pub(super) help: String,
}

impl Wrong {
    pub(super) fn new(message: String, help: impl Into<String>) -> Self {
        let help = help.into();
        Self { message, help }
    }
}

/// A text, without the white space around it.
pub(super) fn text(key: &Key, found: &Found<'_>) -> Result<String, Wrong> {
    match found {
        Found::Text(text) => Ok(text.trim().to_owned()),
        Found::Value(DeValue::String(text)) => Ok(text.trim().to_owned()),
        Found::Value(DeValue::Datetime(moment)) if matches!(key.kind, Kind::Text(Form::Moment)) => {
            Ok(moment.to_string())
        }
        other => {
            let other = other.describe(is_plain(key.name));
            let message = format!("{} is a text, found {other}", key.name);
            Err(Wrong::new(message, "write it in quotes"))
        }
    }
}

/// One of a few words.
pub(super) fn one_of(key: &Key, words: &[&'static str], text: String) -> Result<String, Wrong> {
    if words.contains(&text.as_str()) {
        return Ok(text);
    }
    let found = quoted(&text, true);
    let meant = suggestion(&text, words.iter().copied());
    let help = meant.map(|meant| format!("did you mean \"{meant}\"?"));
    let allowed = match words {
        [only] => format!("\"{only}\""),
        words => format!("one of \"{}\"", words.join("\", \"")),
    };
    let message = format!("{} is {allowed}, found {found}", key.name);
    Err(Wrong::new(message, help.unwrap_or_default()))
}

/// A whole number within its bounds.
pub(super) fn number(key: &Key, found: &Found<'_>, min: u64, max: u64) -> Result<String, Wrong> {
    let number = match found {
        Found::Text(text) => text.trim().replace('_', "").parse().ok(),
        Found::Value(DeValue::Integer(number)) => {
            u64::from_str_radix(number.as_str(), number.radix()).ok()
        }
        _ => None,
    };
    let Some(number) = number else {
        let unit = key.unit().map(|unit| format!(" of {unit}"));
        let unit = unit.unwrap_or_default();
        let other = found.describe(true);
        let help = match found {
            Found::Value(DeValue::String(_)) => "write it without quotes and without a unit",
            _ => "",
        };
        let message = format!("{} is a whole number{unit}, found {other}", key.name);
        return Err(Wrong::new(message, help));
    };
    if (min..=max).contains(&number) {
        return Ok(number.to_string());
    }
    let [min, max, number] = [min, max, number].map(grouped);
    let message = format!("{} lies between {min} and {max}, found {number}", key.name);
    Err(Wrong::new(message, ""))
}

/// Yes or no.
pub(super) fn flag(key: &Key, found: &Found<'_>) -> Result<String, Wrong> {
    let flag = match found {
        Found::Text(text) => text.trim().parse().ok(),
        Found::Value(value) => value.as_bool(),
        Found::NoText => None,
    };
    flag.map(|flag| flag.to_string()).ok_or_else(|| {
        let other = found.describe(true);
        let message = format!("{} is true or false, found {other}", key.name);
        Wrong::new(message, "")
    })
}

/// `1_000_000`, as it would be written in the file.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push('_');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_as_they_are_written() {
        for (number, expected) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1_000"),
            (1_073_741_824, "1_073_741_824"),
        ] {
            assert_eq!(grouped(number), expected);
        }
    }
}
