//! The only place that reads environment variables.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// Where environment variables come from.
pub trait Environment: Send + Sync {
    /// The value of a variable.
    fn get(&self, name: &str) -> Option<OsString>;

    /// The names of all variables that start with `prefix`, in order.
    fn names(&self, prefix: &str) -> Vec<String>;
}

/// The environment of this process.
#[derive(Debug, Clone, Copy)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn get(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }

    fn names(&self, prefix: &str) -> Vec<String> {
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        let mut names: Vec<_> = names.filter(|name| name.starts_with(prefix)).collect();
        names.sort_unstable();
        names
    }
}

/// An environment made of given variables and nothing else.
#[derive(Clone, Default)]
pub struct FixedEnvironment {
    variables: BTreeMap<String, OsString>,
}

impl FixedEnvironment {
    /// One without variables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a variable.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }
}

impl Environment for FixedEnvironment {
    fn get(&self, name: &str) -> Option<OsString> {
        self.variables.get(name).cloned()
    }

    fn names(&self, prefix: &str) -> Vec<String> {
        let names = self.variables.keys();
        names
            .filter(|name| name.starts_with(prefix))
            .cloned()
            .collect()
    }
}
