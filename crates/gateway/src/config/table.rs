//! A table of the configuration as it is written: the values of its keys, each of the kind that its row names.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use super::key::{SecretKind, Section};
use super::secret::SecretRef;
use super::written::{Origin, Written};

/// A value that was checked against the row of its key.
#[derive(Clone)]
pub(super) enum Value {
    /// A number or a flag too.
    Text(String),
    Texts(Vec<Written<String>>),
    Secret(SecretKind, SecretRef),
    Secrets(SecretKind, Vec<Written<SecretRef>>),
    Table(Table),
}

/// The keys of one table that are set somewhere, or have a default, and are right.
#[derive(Clone)]
pub(super) struct Table {
    pub(super) section: &'static Section,
    /// Where the table itself is, for what is missing in it.
    pub(super) place: Written<()>,
    /// What tells it from others of its section, right or wrong.
    pub(super) id: Option<String>,
    pub(super) values: BTreeMap<&'static str, Written<Value>>,
}

/// All tables.
pub(super) struct Tables {
    pub(super) server: Table,
    pub(super) admin: Table,
    pub(super) journal: Table,
    pub(super) graph: Table,
    pub(super) log: Table,
    pub(super) datasets: Vec<Table>,
    pub(super) sources: Vec<Table>,
}

impl Tables {
    /// Every table, in the order in which their secrets are compared.
    pub(super) fn all(&self) -> impl Iterator<Item = &Table> {
        let singles = [
            &self.server,
            &self.admin,
            &self.journal,
            &self.graph,
            &self.log,
        ];
        let repeated = self.datasets.iter().chain(&self.sources);
        singles.into_iter().chain(repeated)
    }

    /// Every secret that is named, with what it is.
    pub(super) fn secrets(&self) -> impl Iterator<Item = (SecretKind, Written<SecretRef>)> {
        let values = self.all().flat_map(|table| table.values.values());
        values.flat_map(|value| match &value.value {
            Value::Secret(kind, secret) => vec![(*kind, value.with(secret.clone()))],
            Value::Secrets(kind, secrets) => {
                let secrets = secrets.iter().cloned();
                secrets.map(|secret| (*kind, secret)).collect()
            }
            _ => Vec::new(),
        })
    }
}

/// The value of a key. `None` if the key is not set and has no default, or is wrong, which was noted then.
impl Table {
    fn value(&self, key: &str) -> Option<&Value> {
        self.values.get(key).map(|written| &written.value)
    }

    /// What a text means that was checked to be of this type.
    pub(super) fn parsed<T: FromStr>(&self, key: &str) -> Option<T> {
        self.text(key)?.parse().ok()
    }

    pub(super) fn seconds(&self, key: &str) -> Option<Duration> {
        self.parsed(key).map(Duration::from_secs)
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match self.value(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn texts(&self, key: &str) -> Option<&[Written<String>]> {
        match self.value(key)? {
            Value::Texts(texts) => Some(texts),
            _ => None,
        }
    }

    pub(super) fn secret(&self, key: &str) -> Option<&SecretRef> {
        match self.value(key)? {
            Value::Secret(_, secret) => Some(secret),
            _ => None,
        }
    }

    pub(super) fn secrets(&self, key: &str) -> Option<&[Written<SecretRef>]> {
        match self.value(key)? {
            Value::Secrets(_, secrets) => Some(secrets),
            _ => None,
        }
    }

    pub(super) fn table(&self, key: &str) -> Option<&Table> {
        match self.value(key)? {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// Where a key was written; the table, if nowhere.
    pub(super) fn place(&self, key: &str) -> Written<()> {
        let written = self.values.get(key).map(|value| value.with(()));
        written.unwrap_or_else(|| self.place.clone())
    }

    /// Whether a key is set, and does not just have its default.
    pub(super) fn is_set(&self, key: &str) -> bool {
        let written = self.values.get(key);
        written.is_some_and(|written| written.origin != Origin::Default)
    }

    /// This table, with what it does not set taken from another.
    pub(super) fn over(&self, other: &Table) -> Table {
        let mut table = other.clone();
        let own = self.values.clone();
        table.values.extend(own);
        table
    }
}
