//! Forms of texts: what a text of a key has to be, and what is said of one that is something else.

use std::net::SocketAddr;

use jiff::Timestamp;
use sluice_event::{ActionSource, Country, DatasetId};
use sluice_graph::{BaseUrl, Version};
use sluice_journal::SourceName;

use super::excerpt::quoted;
use super::key::{Form, Key, Pattern, is_variable, suggestion};
use super::scalar::{Wrong, one_of};

/// Length of a dataset's name, in characters.
const NAME_CHARS_MAX: usize = 100;

/// The ids of datasets, as a regular expression.
pub(super) const ID_PATTERN: &str = "^[0-9]{5,20}$";

const ACTION_SOURCES: &[&str] = &[
    "email",
    "website",
    "app",
    "phone_call",
    "chat",
    "physical_store",
    "system_generated",
    "business_messaging",
    "other",
];

impl Form {
    /// What a text of it is or has.
    pub(super) fn says(self) -> &'static str {
        match self {
            Form::ActionSource => "is an action source",
            Form::Address => "is an IP address and a port",
            Form::BaseUrl => "is a URL",
            Form::Country => "is a country of ISO 3166-1",
            Form::DatasetId => "has 5 to 20 digits",
            Form::DatasetName => "has 1 to 100 characters on one line",
            Form::File => "is the path of a file",
            Form::Filter => "is a filter",
            Form::Folder => "is a folder",
            Form::Moment => "is a moment with its zone",
            Form::PartnerAgent => "has at most 22 ASCII characters, at least two of them letters",
            Form::ShortName => "has 1 to 64 letters, digits, '-', '_' or '.'",
            Form::Variable => "is the name of an environment variable",
            Form::Version => "is one of the Graph API",
        }
    }

    /// What the JSON Schema says of it.
    pub(super) fn pattern(self) -> Pattern {
        Pattern::Regex(match self {
            Form::ActionSource => return Pattern::Words(ACTION_SOURCES),
            Form::BaseUrl => r"^\s*[Hh][Tt][Tt][Pp][Ss]?://",
            Form::Country => "^[A-Za-z]{2}$",
            Form::DatasetId => ID_PATTERN,
            Form::PartnerAgent => "^(?=.{2,22}$)[ -~]*[A-Za-z][ -~]*[A-Za-z][ -~]*$",
            Form::ShortName => "^[A-Za-z0-9._-]{1,64}$",
            Form::Variable => "^[A-Za-z_][A-Za-z0-9_]{0,63}$",
            Form::Version => r"^\s*v[0-9]+\.[0-9]+\s*$",
            _ => r"\S",
        })
    }

    /// A text without the white space around it, if it is of this form.
    pub(super) fn check(self, key: &Key, text: String) -> Result<String, Wrong> {
        let (is_right, help) = match self {
            Form::ActionSource if ActionSource::from_alias(&text).is_none() => {
                return one_of(key, ACTION_SOURCES, text);
            }
            Form::Address => return address(key, text),
            Form::Filter => return filter(key, text),
            // Of these the text is not repeated: it may hold a password, or be the secret itself.
            Form::BaseUrl => {
                return match BaseUrl::parse(&text) {
                    Ok(_) => Ok(text),
                    Err(problem) => Err(Wrong::new(format!("{}: {problem}", key.name), "")),
                };
            }
            Form::Variable if !is_variable(&text) => {
                let message = format!("{} {}", key.name, self.says());
                let help =
                    "letters, digits and _, at most 64; the secret itself does not belong here";
                return Err(Wrong::new(message, help));
            }
            Form::ActionSource | Form::Variable => (true, ""),
            Form::Country => (
                Country::parse(&text).is_some(),
                "write its code, as in \"de\"",
            ),
            Form::DatasetId => {
                let help = "Meta's Events Manager shows it below the name of the dataset";
                (DatasetId::parse(&text).is_ok(), help)
            }
            Form::DatasetName => {
                let is_short = (1..=NAME_CHARS_MAX).contains(&text.chars().count());
                (is_short && !text.contains(char::is_control), "")
            }
            Form::File | Form::Folder => (!text.is_empty(), ""),
            Form::Moment => {
                let help = "write it as in \"2026-12-01T12:00:00Z\"";
                (text.parse::<Timestamp>().is_ok(), help)
            }
            // Meta takes fewer than 23 characters, at least two of them letters.
            Form::PartnerAgent => {
                let letters = text.chars().filter(char::is_ascii_alphabetic).count();
                let is_plain = text.chars().all(|c| c.is_ascii_graphic() || c == ' ');
                (letters >= 2 && text.len() < 23 && is_plain, "")
            }
            Form::ShortName => (SourceName::parse(&text).is_ok(), ""),
            Form::Version => (Version::parse(&text).is_some(), "write it as in \"v27.0\""),
        };
        if is_right {
            return Ok(text);
        }
        let found = match text.as_str() {
            "" => "nothing".to_owned(),
            text => quoted(text, true),
        };
        let subject = match self {
            // `id` alone would not say whose.
            Form::DatasetId => "a dataset id",
            _ => key.name,
        };
        let message = format!("{subject} {}, found {found}", self.says());
        Err(Wrong::new(message, help))
    }
}

/// An IP address and a port. The help takes what is missing from the default of the key.
fn address(key: &Key, text: String) -> Result<String, Wrong> {
    if text.parse::<SocketAddr>().is_ok() {
        return Ok(text);
    }
    let port_of = |text: &str| text.rsplit(':').next().unwrap_or_default().to_owned();
    let port = port_of(&text);
    let help = match text.strip_suffix(&port) {
        Some("localhost:") if port.parse::<u16>().is_ok() => format!("write \"127.0.0.1:{port}\""),
        Some("" | ":") if port.parse::<u16>().is_ok() => {
            format!("write \"127.0.0.1:{port}\", or \"0.0.0.0:{port}\" for every network")
        }
        _ => {
            let port = port_of(key.default.unwrap_or_default());
            format!("write address and port, as in \"127.0.0.1:{port}\", or \"[::1]:{port}\"")
        }
    };
    let found = quoted(&text, true);
    let message = format!("{} is an IP address and a port, found {found}", key.name);
    Err(Wrong::new(message, help))
}

/// Looks for mistyped levels. A single word that is no level would be taken for a part of the
/// program, and nothing would be logged.
fn filter(key: &Key, text: String) -> Result<String, Wrong> {
    const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
    let mut unknown = Vec::new();
    let mut meant = None;
    for part in text.split(',').map(str::trim) {
        let level = part.rsplit('=').next().unwrap_or_default();
        let is_level = LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level));
        let is_target = level == part && part.contains("sluice");
        let found = quoted(level, true);
        if !is_level && !is_target && !unknown.contains(&found) {
            unknown.push(found);
            meant = meant.or(suggestion(level, LEVELS));
        }
    }
    let help = match (meant, unknown.as_slice()) {
        (_, []) => return Ok(text),
        (Some(meant), [_]) => format!("did you mean {meant}?"),
        _ => format!("levels are {}", LEVELS.join(", ")),
    };
    // A text that is no filter at all has many words and is one mistake.
    let message = format!("{} has no level {}", key.name, unknown.join(", "));
    Err(Wrong::new(message, help))
}
