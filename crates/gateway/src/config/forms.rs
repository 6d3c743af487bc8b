//! Forms of texts: what a text of a key has to be, and what is said of one that is something else.

use std::net::SocketAddr;

use jiff::Timestamp;
use sluice_event::{ActionSource, Country, DatasetId};
use sluice_graph::{BaseUrl, Version};
use sluice_journal::SourceName;

use super::excerpt::quoted;
use super::key::{Key, suggestion};

/// The form of a text.
pub(super) struct Form {
    /// What a text of it is or has: `has 5 to 20 digits`.
    pub(super) says: &'static str,
    /// What the JSON Schema says of it.
    pub(super) pattern: Pattern,
    check: Check,
}

/// What a JSON Schema can say of a text. The check may take more.
pub(super) enum Pattern {
    /// A regular expression (ECMA-262).
    Regex(&'static str),
    /// One of these words.
    Words(&'static [&'static str]),
}

/// Looks at a text without the white space around it.
enum Check {
    /// Whether it is right; and what would be, which may be empty.
    Is(fn(&str) -> bool, &'static str),
    /// What is wrong with it, where more can be said than what it should be.
    Says(fn(&Key, &str) -> Result<(), Wrong>),
}

/// What is wrong with a value.
pub(super) struct Wrong {
    /// What was found. Does not repeat it if it may hold a secret.
    pub(super) message: String,
    /// What would be right; may be empty.
    pub(super) help: String,
}

use Check::{Is, Says};
use Pattern::{Regex, Words};

/// Length of a dataset's name, in characters.
const NAME_CHARS_MAX: usize = 100;

/// Length of the name of an environment variable, in bytes. What is longer is a token that was put in
/// its place.
const VARIABLE_BYTES_MAX: usize = 64;

/// The ids of datasets, as a regular expression.
pub(super) const ID_PATTERN: &str = "^[0-9]{5,20}$";

const NOT_EMPTY: Pattern = Regex(r"\S");

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

const fn form(says: &'static str, pattern: Pattern, check: Check) -> Form {
    Form {
        says,
        pattern,
        check,
    }
}

pub(super) static ADDRESS: Form = form("is an IP address and a port", NOT_EMPTY, Says(address));

pub(super) static FOLDER: Form = form("is a folder", NOT_EMPTY, Is(is_some, ""));

pub(super) static BASE_URL: Form = form(
    "is a URL",
    Regex(r"^\s*[Hh][Tt][Tt][Pp][Ss]?://"),
    // The text is not repeated: it may hold a password.
    Says(|key, text| match BaseUrl::parse(text) {
        Ok(_) => Ok(()),
        Err(problem) => wrong(format!("{}: {problem}", key.name), ""),
    }),
);

pub(super) static PARTNER_AGENT: Form = form(
    "has at most 22 ASCII characters, at least two of them letters",
    Regex("^(?=.{2,22}$)[ -~]*[A-Za-z][ -~]*[A-Za-z][ -~]*$"),
    Is(is_partner_agent, ""),
);

pub(super) static VERSION: Form = form(
    "is one of the Graph API",
    Regex(r"^\s*v[0-9]+\.[0-9]+\s*$"),
    Is(
        |it| Version::parse(it).is_some(),
        "write it as in \"v27.0\"",
    ),
);

pub(super) static FILTER: Form = form("is a filter", NOT_EMPTY, Says(filter));

pub(super) static DATASET_ID: Form = form(
    "has 5 to 20 digits",
    Regex(ID_PATTERN),
    Is(
        |it| DatasetId::parse(it).is_ok(),
        "Meta's Events Manager shows it below the name of the dataset",
    ),
);

pub(super) static DATASET_NAME: Form = form(
    "has 1 to 100 characters on one line",
    NOT_EMPTY,
    Is(is_line, ""),
);

/// Names of sources, and test codes.
pub(super) static SHORT_NAME: Form = form(
    "has 1 to 64 letters, digits, '-', '_' or '.'",
    Regex("^[A-Za-z0-9._-]{1,64}$"),
    Is(|it| SourceName::parse(it).is_ok(), ""),
);

pub(super) static MOMENT: Form = form(
    "is a moment with its zone",
    NOT_EMPTY,
    Is(
        |it| it.parse::<Timestamp>().is_ok(),
        "write it as in \"2026-12-01T12:00:00Z\"",
    ),
);

pub(super) static COUNTRY: Form = form(
    "is a country of ISO 3166-1",
    Regex("^[A-Za-z]{2}$"),
    Is(
        |it| Country::parse(it).is_some(),
        "write its code, as in \"de\"",
    ),
);

/// One of Meta's words, or a word in common use for it.
pub(super) static ACTION_SOURCE: Form = form(
    "is an action source",
    Words(ACTION_SOURCES),
    Says(|key, text| match ActionSource::from_alias(text) {
        Some(_) => Ok(()),
        None => one_of(key, ACTION_SOURCES, text),
    }),
);

pub(super) static VARIABLE: Form = form(
    "is the name of an environment variable",
    Regex("^[A-Za-z_][A-Za-z0-9_]{0,63}$"),
    // The text is not repeated: it may be the secret itself.
    Says(|key, text| {
        if is_variable(text) {
            return Ok(());
        }
        wrong(
            format!("{} {}", key.name, VARIABLE.says),
            "letters, digits and _, at most 64; the secret itself does not belong here",
        )
    }),
);

pub(super) static FILE: Form = form("is the path of a file", NOT_EMPTY, Is(is_some, ""));

impl Form {
    /// Whether a text is of this form, or what is wrong with it.
    pub(super) fn check(&self, key: &Key, text: &str) -> Result<(), Wrong> {
        let help = match self.check {
            Is(check, _) if check(text) => return Ok(()),
            Is(_, help) => help,
            Says(check) => return check(key, text),
        };
        let found = match text {
            "" => "nothing".to_owned(),
            text => quoted(text, true),
        };
        let subject = match key.name {
            // That alone would not say whose.
            "id" => "a dataset id",
            name => name,
        };
        wrong(format!("{subject} {}, found {found}", self.says), help)
    }
}

fn wrong(message: String, help: &str) -> Result<(), Wrong> {
    let help = help.to_owned();
    Err(Wrong { message, help })
}

fn is_some(text: &str) -> bool {
    !text.is_empty()
}

/// Meta takes fewer than 23 characters, at least two of them letters.
fn is_partner_agent(text: &str) -> bool {
    let letters = text.chars().filter(char::is_ascii_alphabetic).count();
    let is_plain = text.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    letters >= 2 && text.len() < 23 && is_plain
}

fn is_line(text: &str) -> bool {
    let is_short = (1..=NAME_CHARS_MAX).contains(&text.chars().count());
    is_short && !text.contains(char::is_control)
}

/// Whether a text can be the name of an environment variable.
pub(super) fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    let is_start = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    name.len() <= VARIABLE_BYTES_MAX
        && bytes.next().is_some_and(is_start)
        && bytes.all(|byte| is_start(byte) || byte.is_ascii_digit())
}

/// An IP address and a port. The help takes what is missing from the default of the key.
fn address(key: &Key, text: &str) -> Result<(), Wrong> {
    if text.parse::<SocketAddr>().is_ok() {
        return Ok(());
    }
    let port_of = |text: &str| text.rsplit(':').next().unwrap_or_default().to_owned();
    let port = port_of(text);
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
    let found = quoted(text, true);
    let message = format!("{} is an IP address and a port, found {found}", key.name);
    wrong(message, &help)
}

/// Looks for mistyped levels. A single word that is no level would be taken for a part of the
/// program, and nothing would be logged.
fn filter(key: &Key, text: &str) -> Result<(), Wrong> {
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
        (_, []) => return Ok(()),
        (Some(meant), [_]) => format!("did you mean {meant}?"),
        _ => format!("levels are {}", LEVELS.join(", ")),
    };
    // A text that is no filter at all has many words and is one mistake.
    wrong(
        format!("{} has no level {}", key.name, unknown.join(", ")),
        &help,
    )
}

/// One of a few words.
pub(super) fn one_of(key: &Key, words: &[&'static str], text: &str) -> Result<(), Wrong> {
    if words.contains(&text) {
        return Ok(());
    }
    let found = quoted(text, true);
    let meant = suggestion(text, words.iter().copied());
    let help = meant.map(|meant| format!("did you mean \"{meant}\"?"));
    let allowed = match words {
        [only] => format!("\"{only}\""),
        words => format!("one of \"{}\"", words.join("\", \"")),
    };
    let message = format!("{} is {allowed}, found {found}", key.name);
    wrong(message, &help.unwrap_or_default())
}
