//! What another configuration changes about the one in force, key by key, and what of it waits for a restart.
//!
//! Which keys those are is a column of `keys`; [`super::Config::applied`] leaves just these as they are.

use std::collections::BTreeMap;
use std::fmt;

use super::key::Shape;
use super::secret::SecretRef;
use super::table::{Table, Tables, Value};

/// What a configuration sets, key by key, defaults included.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Settings {
    tables: BTreeMap<Name, BTreeMap<&'static str, Setting>>,
}

/// A table: the name of its section, and the id or name of one of several.
type Name = (&'static str, Option<String>);

/// What a key is set to.
#[derive(Debug, Clone, PartialEq)]
struct Setting {
    value: Set,
    needs_restart: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Set {
    Text(String),
    Secrets(Vec<SecretRef>),
}

/// A difference between the configuration in force and another one. Shows no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A dataset or a source is new.
    Added {
        /// `dataset 1234567890123456`, `source shop`.
        table: String,
    },
    /// A dataset or a source is gone.
    Removed {
        /// As above.
        table: String,
    },
    /// A key is set to something else.
    Key {
        /// As above, or the name of its section.
        table: String,
        /// The key.
        key: &'static str,
        /// What it was; `None` for nothing.
        from: Option<String>,
        /// What it is; `None` for nothing.
        to: Option<String>,
    },
}

/// What another configuration changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// What can take effect at once.
    pub(crate) live: Vec<Change>,
    /// What waits for a restart.
    pub(crate) with_restart: Vec<Change>,
}

impl Settings {
    pub(super) fn of(tables: &Tables) -> Self {
        let tables = tables.all().map(|table| {
            let id = table
                .id
                .clone()
                .filter(|_| table.section.shape == Shape::Repeated);
            let keys = table.section.all_keys().filter_map(|key| {
                let value = Set::of(&table.values.get(key.name)?.value);
                let needs_restart = key.needs_restart;
                Some((
                    key.name,
                    Setting {
                        value,
                        needs_restart,
                    },
                ))
            });
            ((table.section.name, id), keys.collect())
        });
        Self {
            tables: tables.collect(),
        }
    }

    /// What `new` changes.
    pub(crate) fn changes_to(&self, new: &Self) -> Changes {
        let mut changes = Changes::default();
        for (name, keys) in &new.tables {
            let Some(before) = self.tables.get(name) else {
                changes.live.push(Change::Added { table: shown(name) });
                continue;
            };
            let mut names: Vec<_> = keys.keys().chain(before.keys()).collect();
            names.sort_unstable();
            names.dedup();
            for key in names {
                let (from, to) = (before.get(key), keys.get(key));
                if from == to {
                    continue;
                }
                let change = Change::Key {
                    table: shown(name),
                    key,
                    from: from.map(|setting| setting.value.to_string()),
                    to: to.map(|setting| setting.value.to_string()),
                };
                let needs_restart = from.or(to).is_some_and(|setting| setting.needs_restart);
                if needs_restart {
                    changes.with_restart.push(change);
                } else {
                    changes.live.push(change);
                }
            }
        }
        let gone = self.tables.keys();
        let gone = gone.filter(|name| !new.tables.contains_key(*name));
        let gone = gone.map(|name| Change::Removed { table: shown(name) });
        changes.live.extend(gone);
        changes
    }

    /// `new`, with the values of these settings for what waits for a restart.
    pub(super) fn applied(&self, mut new: Self) -> Self {
        for (name, keys) in &mut new.tables {
            keys.retain(|_, setting| !setting.needs_restart);
            let before = self.tables.get(name).into_iter().flatten();
            let before = before.filter(|(_, setting)| setting.needs_restart);
            keys.extend(before.map(|(key, setting)| (*key, setting.clone())));
        }
        new
    }
}

fn shown((section, id): &Name) -> String {
    match id {
        Some(id) => format!("{section} {id}"),
        None => (*section).to_owned(),
    }
}

impl Set {
    fn of(value: &Value) -> Self {
        match value {
            Value::Secret(_, secret) => Set::Secrets(vec![secret.clone()]),
            Value::Secrets(_, secrets) => {
                Set::Secrets(secrets.iter().map(|secret| secret.value.clone()).collect())
            }
            Value::Text(text) => Set::Text(text.clone()),
            Value::Texts(texts) => {
                let texts: Vec<_> = texts.iter().map(|text| text.value.trim()).collect();
                Set::Text(texts.join(", "))
            }
            Value::Table(table) => Set::Text(in_a_row(table)),
        }
    }
}

/// The values of an inline table, in the order of their keys.
fn in_a_row(table: &Table) -> String {
    let values = table
        .section
        .all_keys()
        .filter_map(|key| table.text(key.name));
    values.collect::<Vec<_>>().join(" ")
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Set::Text(text) => f.write_str(text),
            Set::Secrets(places) => {
                let places: Vec<_> = places.iter().map(ToString::to_string).collect();
                f.write_str(&places.join(" and "))
            }
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nothing = || "nothing".to_owned();
        match self {
            Change::Added { table } => write!(f, "{table} added"),
            Change::Removed { table } => write!(f, "{table} removed"),
            Change::Key {
                table,
                key,
                from,
                to,
            } => {
                let [from, to] = [from, to].map(|value| value.clone().unwrap_or_else(nothing));
                write!(f, "{table}: {key} {from} → {to}")
            }
        }
    }
}
