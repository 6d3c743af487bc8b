//! From what is written to what is used: every value is read as what it means.
//!
//! All values of a section are read before the section is put together, so that everything that is
//! wrong with it is noted.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use sluice_event::limits::BATCH_EVENTS_MAX;
use sluice_graph::{BaseUrl, TokenPlacement, Version};

use super::keys;
use super::raw::{RawAdmin, RawConfig, RawDelivery, RawGraph, RawJournal, RawLog, RawServer};
use super::resolve_ends;
use super::resolved::{
    Admin, AfterLostAnswer, Config, Delivery, Graph, Journal, Log, LogFormat, Server,
};
use super::secret::SecretRef;
use super::written::{Notes, Origin, Written, quoted};

const KIB: u64 = 1 << 10;
const GIB: u64 = 1 << 30;

/// Reads what everything means. `None` when something is wrong, which is noted then.
pub(super) fn resolve(raw: &RawConfig, notes: &mut Notes<'_>) -> Option<Config> {
    let server = server(&raw.server, notes);
    let admin = admin(&raw.admin, notes);
    if let (Some(server), Some(admin)) = (&server, &admin) {
        apart(raw, server.listen, admin.listen, notes);
    }
    let journal = journal(&raw.journal, notes);
    let graph = graph(&raw.graph, notes);
    let common = delivery(&raw.graph.delivery, None, notes);
    let log = log(&raw.log, notes);
    let datasets = resolve_ends::datasets(&raw.datasets, common.as_ref(), notes);
    let sources = resolve_ends::sources(&raw.sources, &raw.datasets, notes);
    Some(Config {
        server: server?,
        admin: admin?,
        journal: journal?,
        graph: graph?,
        datasets: datasets?,
        sources: sources?,
        log: log?,
    })
}

fn server(raw: &RawServer, notes: &mut Notes<'_>) -> Option<Server> {
    let listen = raw
        .listen
        .as_ref()
        .and_then(|text| listen(text, 8080, notes));
    let body_bytes_max = count(raw.body_bytes_max.as_ref(), KIB..=GIB, notes);
    let decoded_bytes_max = count(raw.decoded_bytes_max.as_ref(), KIB..=GIB, notes);
    let events_per_request_max = count(raw.events_per_request_max.as_ref(), 1..=1_000_000, notes);
    let read_timeout = seconds(raw.read_timeout_s.as_ref(), 1..=3_600, notes);
    let idle_timeout = seconds(raw.idle_timeout_s.as_ref(), 1..=3_600, notes);
    let connections_max = count(raw.connections_max.as_ref(), 1..=1_000_000, notes);
    let drain = seconds(raw.drain_s.as_ref(), 0..=3_600, notes);
    let shutdown_grace = seconds(raw.shutdown_grace_s.as_ref(), 0..=3_600, notes);
    Some(Server {
        listen: listen?,
        body_bytes_max: body_bytes_max?,
        decoded_bytes_max: decoded_bytes_max?,
        events_per_request_max: events_per_request_max?,
        read_timeout: read_timeout?,
        idle_timeout: idle_timeout?,
        connections_max: connections_max?,
        drain: drain?,
        shutdown_grace: shutdown_grace?,
    })
}

fn admin(raw: &RawAdmin, notes: &mut Notes<'_>) -> Option<Admin> {
    let listen = listen(raw.listen.as_ref()?, 8081, notes)?;
    Some(Admin { listen })
}

/// Notes when both listeners have the same port of the same address.
fn apart(raw: &RawConfig, doors: SocketAddr, admin: SocketAddr, notes: &mut Notes<'_>) {
    let is_every = doors.ip().is_unspecified() || admin.ip().is_unspecified();
    // Port 0 is any that is free.
    if doors.port() == 0 || doors.port() != admin.port() || !(is_every || doors.ip() == admin.ip())
    {
        return;
    }
    let places = [&raw.admin.listen, &raw.server.listen];
    let mut places = places.into_iter().flatten();
    // The one that was set is the one to look at.
    if let Some(place) = places.find(|place| place.origin != Origin::Default) {
        let message = format!(
            "server.listen and admin.listen have the same port, {}",
            doors.port()
        );
        notes.error(place, message, "give the admin listener another one");
    }
}

/// An address. `port` is one for the examples.
fn listen(text: &Written<String>, port: u16, notes: &mut Notes<'_>) -> Option<SocketAddr> {
    let form =
        || format!("write address and port, as in \"127.0.0.1:{port}\", or \"[::1]:{port}\"");
    let value = text.value.trim();
    if let Ok(address) = value.parse() {
        return Some(address);
    }
    let port = value.rsplit(':').next().unwrap_or_default();
    let help = match value.strip_prefix("localhost:") {
        _ if port.parse::<u16>().is_err() => form(),
        Some(port) => format!("write \"127.0.0.1:{port}\""),
        None if value == port || value.strip_prefix(':') == Some(port) => {
            format!("write \"127.0.0.1:{port}\", or \"0.0.0.0:{port}\" for every network")
        }
        None => form(),
    };
    let found = quoted(&text.value, true);
    let message = format!("listen is an IP address and a port, found {found}");
    notes.error(text, message, &help);
    None
}

fn journal(raw: &RawJournal, notes: &mut Notes<'_>) -> Option<Journal> {
    const DAY_S: u64 = 24 * 60 * 60;
    let path = raw.path.as_ref().and_then(|path| {
        if path.value.is_empty() {
            notes.error(path, "path is a folder, found nothing", "");
            return None;
        }
        Some(PathBuf::from(&path.value))
    });
    let place = |secret: &Option<Written<SecretRef>>| secret.as_ref().map(|it| it.value.clone());
    let days = within(raw.retention_days.as_ref(), 0..=3_650, notes);
    Some(Journal {
        path: path?,
        retention: Duration::from_secs(days? * DAY_S),
        encryption_key: place(&raw.encryption_key),
        encryption_key_previous: place(&raw.encryption_key_previous),
    })
}

fn graph(raw: &RawGraph, notes: &mut Notes<'_>) -> Option<Graph> {
    let base_url = raw.base_url.as_ref().and_then(|text| {
        let url = BaseUrl::parse(&text.value);
        // The text is not repeated: it may hold a password.
        let problem = |problem| notes.error(text, format!("base_url: {problem}"), "");
        url.map_err(problem).ok()
    });
    let timeout = seconds(raw.timeout_s.as_ref(), 1..=300, notes);
    let connect_timeout = seconds(raw.connect_timeout_s.as_ref(), 1..=60, notes);
    let placements = [
        ("query", TokenPlacement::Query),
        ("header", TokenPlacement::Header),
    ];
    let token_placement = choice(raw.token_placement.as_ref(), &placements, notes);
    let choices = [
        ("withhold", AfterLostAnswer::Withhold),
        ("resend", AfterLostAnswer::Resend),
    ];
    let after_lost_answer = raw.messaging_after_lost_answer.as_ref();
    let messaging_after_lost_answer = choice(after_lost_answer, &choices, notes);
    let partner_agent = match &raw.partner_agent {
        Some(text) => partner_agent(text, notes).map(Some),
        None => Some(None),
    };
    Some(Graph {
        base_url: base_url?,
        timeout: timeout?,
        connect_timeout: connect_timeout?,
        token_placement: token_placement?,
        messaging_after_lost_answer: messaging_after_lost_answer?,
        partner_agent: partner_agent?,
    })
}

/// Meta takes fewer than 23 characters, at least two of them letters.
fn partner_agent(text: &Written<String>, notes: &mut Notes<'_>) -> Option<String> {
    let letters = text.value.chars().filter(char::is_ascii_alphabetic).count();
    let is_plain = text.value.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    if letters >= 2 && text.value.len() < 23 && is_plain {
        return Some(text.value.clone());
    }
    let found = quoted(&text.value, true);
    let message = format!(
        "partner_agent has at most 22 ASCII characters, at least two of them letters, found {found}"
    );
    notes.error(text, message, "");
    None
}

/// How events are delivered. What is not written is taken from `common`.
pub(super) fn delivery(
    raw: &RawDelivery,
    common: Option<&Delivery>,
    notes: &mut Notes<'_>,
) -> Option<Delivery> {
    const EVENTS: RangeInclusive<u64> = 1..=BATCH_EVENTS_MAX as u64;
    let version = raw.version.as_ref().map(|text| version(text, notes));
    let linger = raw.linger_ms.as_ref();
    let linger = linger.map(|ms| within(Some(ms), 0..=60_000, notes).map(Duration::from_millis));
    let events = raw.batch_events_max.as_ref();
    let events = events.map(|events| count(Some(events), EVENTS, notes));
    let bytes = raw.batch_bytes_max.as_ref();
    let bytes = bytes.map(|bytes| count(Some(bytes), KIB..=100 << 20, notes));
    let in_flight = raw.in_flight_max.as_ref();
    let in_flight = in_flight.map(|requests| count(Some(requests), 1..=64, notes));
    let hourly = raw.events_per_hour_max.as_ref();
    let hourly = hourly.map(|events| within(Some(events), 0..=1_000_000_000, notes));
    Some(Delivery {
        version: version.unwrap_or_else(|| Some(common?.version))?,
        linger: linger.unwrap_or_else(|| Some(common?.linger))?,
        batch_events_max: events.unwrap_or_else(|| Some(common?.batch_events_max))?,
        batch_bytes_max: bytes.unwrap_or_else(|| Some(common?.batch_bytes_max))?,
        in_flight_max: in_flight.unwrap_or_else(|| Some(common?.in_flight_max))?,
        events_per_hour_max: match hourly {
            Some(events) => NonZeroU64::new(events?),
            None => common?.events_per_hour_max,
        },
    })
}

fn version(text: &Written<String>, notes: &mut Notes<'_>) -> Option<Version> {
    let version = Version::parse(&text.value);
    if version.is_none() {
        let found = quoted(&text.value, true);
        let newest = Version::NEWEST;
        let message = format!("version is one of the Graph API, found {found}");
        notes.error(text, message, &format!("write it as in \"{newest}\""));
    }
    version
}

fn log(raw: &RawLog, notes: &mut Notes<'_>) -> Option<Log> {
    let formats = [("human", LogFormat::Human), ("json", LogFormat::Json)];
    let format = choice(raw.format.as_ref(), &formats, notes);
    if let Some(filter) = &raw.filter {
        levels(filter, notes);
    }
    Some(Log {
        format: format?,
        filter: raw.filter.as_ref()?.value.trim().to_owned(),
    })
}

/// Looks for mistyped levels. A single word that is no level would be taken for a part of the
/// program, and nothing would be logged.
fn levels(filter: &Written<String>, notes: &mut Notes<'_>) {
    const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
    let mut unknown = Vec::new();
    let mut meant = None;
    for part in filter.value.split(',').map(str::trim) {
        let level = part.rsplit('=').next().unwrap_or_default();
        let is_level = LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level));
        let is_target = level == part && part.contains("sluice");
        let found = quoted(level, true);
        if !is_level && !is_target && !unknown.contains(&found) {
            unknown.push(found);
            meant = meant.or(keys::suggestion(level, LEVELS));
        }
    }
    let help = match (meant, unknown.as_slice()) {
        (_, []) => return,
        (Some(meant), [_]) => format!("did you mean {meant}?"),
        _ => format!("levels are {}", LEVELS.join(", ")),
    };
    // A text that is no filter at all has many words and is one mistake.
    let message = format!("filter has no level {}", unknown.join(", "));
    notes.error(filter, message, &help);
}

/// A number within a range.
pub(super) fn within(
    number: Option<&Written<u64>>,
    range: RangeInclusive<u64>,
    notes: &mut Notes<'_>,
) -> Option<u64> {
    let number = number?;
    if range.contains(&number.value) {
        return Some(number.value);
    }
    let key = number.path.rsplit('.').next().unwrap_or_default();
    let (from, to) = (grouped(*range.start()), grouped(*range.end()));
    let found = grouped(number.value);
    let message = format!("{key} lies between {from} and {to}, found {found}");
    notes.error(number, message, "");
    None
}

fn count(
    number: Option<&Written<u64>>,
    range: RangeInclusive<u64>,
    notes: &mut Notes<'_>,
) -> Option<usize> {
    usize::try_from(within(number, range, notes)?).ok()
}

fn seconds(
    number: Option<&Written<u64>>,
    range: RangeInclusive<u64>,
    notes: &mut Notes<'_>,
) -> Option<Duration> {
    within(number, range, notes).map(Duration::from_secs)
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

/// One of a few words.
pub(super) fn choice<T: Copy>(
    text: Option<&Written<String>>,
    choices: &[(&str, T)],
    notes: &mut Notes<'_>,
) -> Option<T> {
    let text = text?;
    let chosen = choices.iter().find(|(name, _)| *name == text.value);
    if let Some((_, choice)) = chosen {
        return Some(*choice);
    }
    let key = text.path.rsplit('.').next().unwrap_or_default();
    let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
    let found = quoted(&text.value, true);
    let help = match keys::suggestion(&text.value, names.iter().copied()) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => String::new(),
    };
    let allowed = match names.as_slice() {
        [only] => format!("\"{only}\""),
        names => format!("one of \"{}\"", names.join("\", \"")),
    };
    notes.error(text, format!("{key} is {allowed}, found {found}"), &help);
    None
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
