//! Values that are right by themselves and wrong beside others.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::excerpt::quoted;
use super::key::suggestion;
use super::problem::Place;
use super::secret::SecretRef;
use super::table::{Table, Tables};
use super::written::{Notes, Written};

/// Notes what does not go together. Of values that are wrong by themselves nothing more is said.
pub(super) fn note(tables: &Tables, notes: &mut Notes<'_>) {
    same_port(tables, notes);
    twice(&tables.datasets, "id", notes);
    twice(&tables.sources, "name", notes);
    same_key(&tables.sources, notes);
    for source in &tables.sources {
        targets(source, &tables.datasets, notes);
    }
}

/// Notes when both listeners have the same port of the same address.
fn same_port(tables: &Tables, notes: &mut Notes<'_>) {
    let address = |table: &Table| table.parsed::<SocketAddr>("listen");
    let (server, admin) = (&tables.server, &tables.admin);
    let (Some(doors), Some(other)) = (address(server), address(admin)) else {
        return;
    };
    let is_every = doors.ip().is_unspecified() || other.ip().is_unspecified();
    // Port 0 is any that is free.
    if doors.port() == 0 || doors.port() != other.port() || !(is_every || doors.ip() == other.ip())
    {
        return;
    }
    // The one that was set is the one to look at.
    let about = if admin.is_set("listen") {
        admin
    } else {
        server
    };
    let message = format!(
        "server.listen and admin.listen have the same port, {}",
        doors.port()
    );
    let help = "give the admin listener another one";
    notes.error(&about.place("listen"), message, help);
}

/// Notes tables with the same id or name.
fn twice(tables: &[Table], key: &str, notes: &mut Notes<'_>) {
    let mut seen = HashMap::new();
    for table in tables {
        let Some(name) = table.id.as_deref() else {
            continue;
        };
        let about = table.place(key);
        let place = notes.place(&about.origin);
        let Some(first) = seen.insert(name, place) else {
            continue;
        };
        let help = match first {
            Place::File { line, .. } => format!("the first one is in line {line}"),
            _ => String::new(),
        };
        let message = format!("{key} {} is there twice", quoted(name, true));
        notes.error(&about, message, &help);
    }
}

/// Notes keys of sources that are in the same place.
fn same_key(sources: &[Table], notes: &mut Notes<'_>) {
    let mut seen: Vec<&Written<SecretRef>> = Vec::new();
    let keys = sources.iter().filter_map(|source| source.secrets("key"));
    for key in keys.flatten() {
        if let Some(first) = seen.iter().find(|other| other.value == key.value) {
            let message = format!("key is the same as {}", first.path);
            let help = "sources are told apart by their keys; give each its own";
            notes.error(key, message, help);
        }
        seen.push(key);
    }
}

/// Notes datasets of a source that do not exist.
fn targets(source: &Table, datasets: &[Table], notes: &mut Notes<'_>) {
    let Some(texts) = source.texts("datasets") else {
        return;
    };
    let known = datasets.iter().filter_map(|table| table.id.as_deref());
    let known: Vec<_> = known.collect();
    let configured = || match known.as_slice() {
        [] => String::new(),
        known => format!("configured are {}", known.join(", ")),
    };
    if texts.is_empty() {
        let message = "datasets names nothing, so the events would go nowhere";
        notes.error(&source.place("datasets"), message, &configured());
    }
    for (index, text) in texts.iter().enumerate() {
        let id = text.value.trim();
        if !known.contains(&id) {
            let help = match suggestion(id, known.iter().copied()) {
                Some(meant) => format!("did you mean \"{meant}\"?"),
                None => configured(),
            };
            let message = format!("there is no dataset {}", quoted(id, true));
            notes.error(text, message, &help);
        } else if texts[..index].iter().any(|other| other.value.trim() == id) {
            notes.warning(text, format!("dataset {id} is named twice"), "");
        }
    }
}
