//! Settings that can be used as they are, but probably do not do what was meant. They are warned
//! about.

use std::collections::HashSet;

use jiff::Timestamp;
use sluice_event::limits::EVENT_BYTES_MAX;
use sluice_graph::Version;

use super::environment::Environment;
use super::keys::{self, PREFIX, SECTIONS, Section, Shape};
use super::problem::Severity;
use super::raw::{RawConfig, RawDelivery};
use super::resolve::grouped;
use super::resolved::{Config, TestEventCode};
use super::secret::SecretRef;
use super::written::{Notes, Origin, Written};

/// Notes what is doubtful about a configuration that can be used, at this Unix second.
pub(super) fn note(raw: &RawConfig, config: &Config, now_s: i64, notes: &mut Notes<'_>) {
    server(raw, config, notes);
    graph(raw, config, notes);
    let common = &raw.graph.delivery;
    delivery(raw, common, now_s, notes);
    let sent_to: HashSet<_> = config
        .sources
        .iter()
        .flat_map(|source| &source.datasets)
        .collect();
    for (raw_dataset, dataset) in raw.datasets.iter().zip(&config.datasets) {
        delivery(raw, &raw_dataset.delivery, now_s, notes);
        if !sent_to.contains(&dataset.id) {
            let message = format!("no source sends to dataset {}", dataset.id);
            let help = "name it in the datasets of a source";
            notes.warning(&raw_dataset.place, message, help);
        }
        let until = raw_dataset.test_event_code.as_ref();
        let until = until.and_then(|code| code.until.as_ref());
        if let (Some(code), Some(until)) = (&dataset.test_event_code, until) {
            test_code(code, until, now_s, notes);
        }
    }
}

fn server(raw: &RawConfig, config: &Config, notes: &mut Notes<'_>) {
    let server = &config.server;
    if let Some(listen) = &raw.server.listen
        && !server.listen.ip().is_loopback()
    {
        let message = format!(
            "{} can be reached from other machines, without TLS",
            server.listen
        );
        let help = "let a reverse proxy with TLS stand in front, and nothing else reach this port";
        notes.warning(listen, message, help);
    }
    if let Some(listen) = &raw.admin.listen
        && !config.admin.listen.ip().is_loopback()
    {
        let message = format!(
            "{} can be reached from other machines, and shows dataset ids and volumes without a key",
            config.admin.listen
        );
        let help = "let only the network of those who run the gateway reach this port";
        notes.warning(listen, message, help);
    }
    let body = raw.server.body_bytes_max.as_ref();
    let decoded = raw.server.decoded_bytes_max.as_ref();
    if let (Some(body), Some(decoded)) = (body, decoded)
        && decoded.value < body.value
    {
        // The one that was set is the one to look at.
        let about = if decoded.origin == Origin::Default {
            body
        } else {
            decoded
        };
        let message = format!(
            "decoded_bytes_max ({}) is below body_bytes_max ({}), so larger bodies are refused anyway",
            grouped(decoded.value),
            grouped(body.value)
        );
        notes.warning(
            about,
            message,
            "raise decoded_bytes_max, or lower body_bytes_max",
        );
    }
}

fn graph(raw: &RawConfig, config: &Config, notes: &mut Notes<'_>) {
    if let Some(base_url) = &raw.graph.base_url
        && config.graph.base_url.is_in_the_clear()
    {
        let message = "access tokens go over the network in the clear";
        notes.warning(base_url, message, "write https://");
    }
    if let Some(connect) = &raw.graph.connect_timeout_s
        && config.graph.connect_timeout > config.graph.timeout
    {
        let message = "connect_timeout_s is longer than timeout_s, which ends the request before";
        notes.warning(connect, message, "");
    }
}

/// What one table says about delivery. Defaults contradict nothing, but a version comes to its end.
fn delivery(raw: &RawConfig, own: &RawDelivery, now_s: i64, notes: &mut Notes<'_>) {
    let common = &raw.graph.delivery;
    if let Some(text) = &own.version {
        version(text, now_s, notes);
    }
    let set = |number: &Option<Written<u64>>| {
        let number = number.clone()?;
        (number.origin != Origin::Default).then_some(number)
    };
    let timeout = raw.graph.timeout_s.as_ref().map(|timeout| timeout.value);
    if let (Some(linger), Some(timeout_s)) = (set(&own.linger_ms), timeout)
        && linger.value > timeout_s * 1_000
    {
        let message = "linger_ms is longer than timeout_s: events wait longer than Meta may take";
        notes.warning(&linger, message, "a few hundred milliseconds fill a batch");
    }
    if let Some(bytes) = set(&own.batch_bytes_max)
        && bytes.value < EVENT_BYTES_MAX as u64
    {
        let message = format!(
            "batch_bytes_max is smaller than one event may be ({}); such events go alone",
            grouped(EVENT_BYTES_MAX as u64)
        );
        notes.warning(&bytes, message, "");
    }
    let events = own
        .batch_events_max
        .as_ref()
        .or(common.batch_events_max.as_ref());
    if let (Some(hourly), Some(events)) = (set(&own.events_per_hour_max), events)
        && (1..events.value).contains(&hourly.value)
    {
        let message = format!(
            "events_per_hour_max is smaller than one batch ({} events)",
            grouped(events.value)
        );
        notes.warning(&hourly, message, "0 is for no limit");
    }
}

fn version(text: &Written<String>, now_s: i64, notes: &mut Notes<'_>) {
    let Some(version) = Version::parse(&text.value) else {
        return;
    };
    if let Some(warning) = version.warning(now_s) {
        notes.warning(text, warning.to_string(), "");
    }
}

fn test_code(code: &TestEventCode, until: &Written<String>, now_s: i64, notes: &mut Notes<'_>) {
    if code.until_s <= now_s {
        let message = "the test code has ended; events are sent without it";
        notes.warning(until, message, "remove test_event_code, or set a later end");
    } else {
        let end = Timestamp::from_second(code.until_s)
            .map_or_else(|_| String::new(), |end| end.to_string());
        let message = format!("until {end} the events of this dataset are sent as test events");
        notes.warning(until, message, "");
    }
}

/// Notes environment variables that look like settings and are none.
pub(super) fn variables(environment: &dyn Environment, raw: &RawConfig, notes: &mut Notes<'_>) {
    let is_secret = |name: &str| {
        raw.secrets()
            .any(|(_, secret)| matches!(&secret.value, SecretRef::Env(env) if env == name))
    };
    let mut all_known = Vec::new();
    for section in &SECTIONS {
        let prefixes: Vec<String> = match section.shape {
            Shape::Repeated => raw
                .ids(section)
                .map(|id| section.variable_prefix_of(&id.value))
                .collect(),
            Shape::Single | Shape::Inline => vec![section.variable_prefix()],
        };
        let of_table = |prefix: &String| {
            let keys = section.keys.iter();
            let names = keys.filter_map(|key| section.variable(prefix, key));
            names.collect::<Vec<_>>()
        };
        let known: Vec<String> = prefixes.iter().flat_map(of_table).collect();
        for name in environment.names(&section.variable_prefix()) {
            if !known.contains(&name) && !is_secret(&name) {
                unknown_variable(section, name, notes);
            }
        }
        all_known.extend(known);
    }
    for name in environment.names(PREFIX) {
        let has_section = SECTIONS
            .iter()
            .any(|section| name.starts_with(&section.variable_prefix()));
        if has_section || is_secret(&name) {
            continue;
        }
        if let Some(meant) = variable_meant(&name, &all_known) {
            nothing_set(name, &format!("did you mean {meant}?"), notes);
        }
    }
}

/// The variable that was probably meant by one of no section. Other programs and scripts have variables that
/// begin with `SLUICE_` too, so only what is all but a name counts, or the key of just one section without it.
fn variable_meant(name: &str, known: &[String]) -> Option<String> {
    /// Letters that may be wrong in a name.
    const TYPING_ERRORS: usize = 2;

    let key = name.strip_prefix(PREFIX)?.to_ascii_lowercase();
    if let Some(section) = keys::home(&key).filter(|section| section.shape == Shape::Single) {
        return section.variable(&section.variable_prefix(), &key);
    }
    let distance = |known: &String| strsim::damerau_levenshtein(name, known);
    let nearest = known.iter().min_by_key(|known| distance(known))?;
    (distance(nearest) <= TYPING_ERRORS).then(|| nearest.clone())
}

fn unknown_variable(section: &Section, name: String, notes: &mut Notes<'_>) {
    let prefix = section.variable_prefix();
    let key = name[prefix.len()..].to_ascii_lowercase();
    let meant = keys::suggestion(&key, section.keys.iter().copied());
    let meant = meant.and_then(|key| section.variable(&prefix, key));
    let help = match meant {
        _ if section.shape == Shape::Repeated => {
            format!("{prefix} is followed by the id or name of one in the file, and a key of it")
        }
        Some(meant) => format!("did you mean {meant}?"),
        None => format!("{} has {}", section.header(), section.keys.join(", ")),
    };
    nothing_set(name, &help, notes);
}

fn nothing_set(name: String, help: &str, notes: &mut Notes<'_>) {
    let message = format!("{name} sets nothing");
    let origin = Origin::Variable(name);
    notes.note(Severity::Warning, &origin, "", &message, help);
}
