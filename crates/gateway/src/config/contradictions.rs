//! Settings that can be used as they are, but probably do not do what was meant. They are warned
//! about.

use std::collections::HashSet;

use jiff::Timestamp;
use sluice_event::limits::EVENT_BYTES_MAX;
use sluice_graph::Version;

use super::environment::Environment;
use super::key::{PREFIX, Shape};
use super::keys::{SECTIONS, home};
use super::resolved::Config;
use super::scalar::grouped;
use super::secret::SecretRef;
use super::table::{Table, Tables};
use super::written::{Notes, Origin, Written};

/// Notes what is doubtful about a configuration that can be used, at this Unix second.
pub(super) fn note(tables: &Tables, config: &Config, now_s: i64, notes: &mut Notes<'_>) {
    server(tables, config, notes);
    graph(tables, config, notes);
    delivery(&tables.graph, &tables.graph, now_s, notes);
    let sources = config.sources.iter();
    let sent_to: HashSet<_> = sources.flat_map(|source| &source.datasets).collect();
    for (table, dataset) in tables.datasets.iter().zip(&config.datasets) {
        delivery(table, &tables.graph, now_s, notes);
        if !sent_to.contains(&dataset.id) {
            let message = format!("no source sends to dataset {}", dataset.id);
            let help = "name it in the datasets of a source";
            notes.warning(&table.place, message, help);
        }
        if let (Some(table), Some(code)) =
            (table.table("test_event_code"), &dataset.test_event_code)
        {
            test_code(code.until_s, &table.place("until"), now_s, notes);
        }
    }
}

fn server(tables: &Tables, config: &Config, notes: &mut Notes<'_>) {
    let (server, listen) = (&config.server, config.server.listen);
    if !listen.ip().is_loopback() {
        let message = format!("{listen} can be reached from other machines, without TLS");
        let help = "let a reverse proxy with TLS stand in front, and nothing else reach this port";
        notes.warning(&tables.server.place("listen"), message, help);
    }
    let listen = config.admin.listen;
    if !listen.ip().is_loopback() {
        let message = format!(
            "{listen} can be reached from other machines, and shows dataset ids and volumes without a key"
        );
        let help = "let only the network of those who run the gateway reach this port";
        notes.warning(&tables.admin.place("listen"), message, help);
    }
    let (body, decoded) = (server.body_bytes_max, server.decoded_bytes_max);
    if decoded < body {
        // The one that was set is the one to look at.
        let is_set = tables.server.is_set("decoded_bytes_max");
        let key = if is_set {
            "decoded_bytes_max"
        } else {
            "body_bytes_max"
        };
        let [decoded, body] = [decoded, body].map(|bytes| grouped(bytes as u64));
        let message = format!(
            "decoded_bytes_max ({decoded}) is below body_bytes_max ({body}), so larger bodies are refused anyway"
        );
        let help = "raise decoded_bytes_max, or lower body_bytes_max";
        notes.warning(&tables.server.place(key), message, help);
    }
}

fn graph(tables: &Tables, config: &Config, notes: &mut Notes<'_>) {
    if config.graph.base_url.is_in_the_clear() {
        let message = "access tokens go over the network in the clear";
        notes.warning(&tables.graph.place("base_url"), message, "write https://");
    }
    if config.graph.connect_timeout > config.graph.timeout {
        let message = "connect_timeout_s is longer than timeout_s, which ends the request before";
        let about = tables.graph.place("connect_timeout_s");
        notes.warning(&about, message, "");
    }
}

/// What one table says about delivery. Defaults contradict nothing, but a version comes to its end.
fn delivery(own: &Table, graph: &Table, now_s: i64, notes: &mut Notes<'_>) {
    let set = |key| own.parsed::<u64>(key).filter(|_| own.is_set(key));
    let version = own.text("version").and_then(Version::parse);
    if let Some(warning) = version.and_then(|version| version.warning(now_s)) {
        notes.warning(&own.place("version"), warning.to_string(), "");
    }
    if let (Some(linger_ms), Some(timeout_s)) = (set("linger_ms"), graph.parsed::<u64>("timeout_s"))
        && linger_ms > timeout_s * 1_000
    {
        let message = "linger_ms is longer than timeout_s: events wait longer than Meta may take";
        let help = "a few hundred milliseconds fill a batch";
        notes.warning(&own.place("linger_ms"), message, help);
    }
    if set("batch_bytes_max").is_some_and(|bytes| bytes < EVENT_BYTES_MAX as u64) {
        let message = format!(
            "batch_bytes_max is smaller than one event may be ({}); such events go alone",
            grouped(EVENT_BYTES_MAX as u64)
        );
        notes.warning(&own.place("batch_bytes_max"), message, "");
    }
    let events = own.over(graph).parsed("batch_events_max");
    if let (Some(hourly), Some(events)) = (set("events_per_hour_max"), events)
        && (1..events).contains(&hourly)
    {
        let message = format!(
            "events_per_hour_max is smaller than one batch ({} events)",
            grouped(events)
        );
        let about = own.place("events_per_hour_max");
        notes.warning(&about, message, "0 is for no limit");
    }
}

fn test_code(until_s: i64, about: &Written<()>, now_s: i64, notes: &mut Notes<'_>) {
    if until_s <= now_s {
        let message = "the test code has ended; events are sent without it";
        notes.warning(about, message, "remove test_event_code, or set a later end");
    } else {
        let end = Timestamp::from_second(until_s).map(|end| end.to_string());
        let end = end.unwrap_or_default();
        let message = format!("until {end} the events of this dataset are sent as test events");
        notes.warning(about, message, "");
    }
}

/// Notes environment variables that look like settings and are none. Other programs and scripts have variables that
/// begin with `SLUICE_` too, so of those that begin with no section only the ones are told that are all but a name.
pub(super) fn variables(environment: &dyn Environment, tables: &Tables, notes: &mut Notes<'_>) {
    let variables = |table: &Table| {
        let (section, id) = (table.section, table.id.clone());
        let names = section.names();
        names.filter_map(move |key| section.variable(id.as_deref(), key))
    };
    let known: Vec<String> = tables.all().flat_map(variables).collect();
    let is_secret = |name: &str| {
        let mut secrets = tables.secrets();
        secrets.any(|(_, secret)| matches!(&secret.value, SecretRef::Env(env) if env == name))
    };
    for name in environment.names(PREFIX) {
        if known.contains(&name) || is_secret(&name) {
            continue;
        }
        if let Some(help) = meant(&name, &known) {
            let message = format!("{name} sets nothing");
            let about = Written::new((), Origin::Variable(name), "");
            notes.warning(&about, message, &help);
        }
    }
}

/// What was probably meant by a variable that sets nothing. `None` if it is not one of the gateway's.
fn meant(name: &str, known: &[String]) -> Option<String> {
    /// Letters that may be wrong in a name.
    const TYPING_ERRORS: usize = 2;

    let key = name.strip_prefix(PREFIX)?.to_ascii_lowercase();
    let lone = home(&key).and_then(|section| section.variable(None, &key));
    let distance = |known: &&String| strsim::damerau_levenshtein(name, known);
    let nearest = known.iter().min_by_key(distance);
    let nearest = nearest.filter(|known| distance(known) <= TYPING_ERRORS);
    if let Some(meant) = lone.or(nearest.cloned()) {
        return Some(format!("did you mean {meant}?"));
    }
    let mut sections = SECTIONS.into_iter();
    let section = sections.find(|section| name.starts_with(&section.prefix()))?;
    Some(match section.shape {
        Shape::Repeated => format!(
            "{} is followed by the id or name of one in the file, and a key of it",
            section.prefix()
        ),
        Shape::Single | Shape::Inline => section.has(),
    })
}
