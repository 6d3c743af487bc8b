//! The names of everything that can be set.

/// A section of the file and its keys.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// Its name: `server`.
    pub name: &'static str,
    /// How it is written.
    pub shape: Shape,
    /// Its keys.
    pub keys: &'static [&'static str],
}

/// How a section is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Once: `[server]`. Its keys have environment variables.
    Single,
    /// Once or several times: `[[dataset]]`. The first of its keys tells them apart; the others have
    /// environment variables.
    Repeated,
    /// As a value of a key: `test_event_code = { … }`.
    Inline,
}

/// What all environment variables start with.
pub(super) const PREFIX: &str = "SLUICE_";

/// Every section.
pub const SECTIONS: [Section; 7] = [SERVER, ADMIN, JOURNAL, GRAPH, LOG, DATASET, SOURCE];

/// `[server]`
pub(super) const SERVER: Section = Section {
    name: "server",
    shape: Shape::Single,
    keys: &[
        "listen",
        "body_bytes_max",
        "decoded_bytes_max",
        "events_per_request_max",
        "read_timeout_s",
        "idle_timeout_s",
        "connections_max",
        "drain_s",
        "shutdown_grace_s",
    ],
};

/// `[admin]`
pub(super) const ADMIN: Section = Section {
    name: "admin",
    shape: Shape::Single,
    keys: &["listen"],
};

/// `[journal]`
pub(super) const JOURNAL: Section = Section {
    name: "journal",
    shape: Shape::Single,
    keys: &[
        "path",
        "retention_days",
        "encryption_key",
        "encryption_key_previous",
    ],
};

/// `[graph]`
pub(super) const GRAPH: Section = Section {
    name: "graph",
    shape: Shape::Single,
    keys: &[
        "base_url",
        "timeout_s",
        "connect_timeout_s",
        "token_placement",
        "messaging_after_lost_answer",
        "partner_agent",
        "version",
        "linger_ms",
        "batch_events_max",
        "batch_bytes_max",
        "in_flight_max",
        "events_per_hour_max",
    ],
};

/// `[log]`
pub(super) const LOG: Section = Section {
    name: "log",
    shape: Shape::Single,
    keys: &["format", "filter"],
};

/// `[[dataset]]`
pub(super) const DATASET: Section = Section {
    name: "dataset",
    shape: Shape::Repeated,
    keys: &[
        "id",
        "name",
        "access_token",
        "app_secret",
        "test_event_code",
        "version",
        "linger_ms",
        "batch_events_max",
        "batch_bytes_max",
        "in_flight_max",
        "events_per_hour_max",
    ],
};

/// `[[source]]`
pub(super) const SOURCE: Section = Section {
    name: "source",
    shape: Shape::Repeated,
    keys: &[
        "name",
        "kind",
        "key",
        "datasets",
        "default_country",
        "default_action_source",
        "hash_external_id",
        "variants",
        "allow_test_codes",
    ],
};

/// The table of a secret, of which one key is given.
pub(super) const SECRET: Section = Section {
    name: "a secret",
    shape: Shape::Inline,
    keys: &["env", "file", "command"],
};

/// `test_event_code`
pub(super) const TEST_CODE: Section = Section {
    name: "test_event_code",
    shape: Shape::Inline,
    keys: &["code", "until"],
};

/// The keys whose values are secrets, or may hold one, as the arguments of a command may.
const HIDDEN: [&str; 6] = [
    "access_token",
    "app_secret",
    "key",
    "encryption_key",
    "encryption_key_previous",
    "command",
];

impl Section {
    /// The section as it is written: `[server]`, `[[dataset]]`.
    pub fn header(&self) -> String {
        match self.shape {
            Shape::Single => format!("[{}]", self.name),
            Shape::Repeated => format!("[[{}]]", self.name),
            Shape::Inline => self.name.to_owned(),
        }
    }

    /// The environment variable of a key in the table whose variables start so: `SLUICE_SERVER_LISTEN`. None
    /// for what tells a table from others of its kind: that is in the names of its variables.
    pub(super) fn variable(&self, prefix: &str, key: &str) -> Option<String> {
        let is_id = self.id_key() == Some(key);
        (!is_id).then(|| format!("{prefix}{}", key.to_ascii_uppercase()))
    }

    /// What all its environment variables start with: `SLUICE_SERVER_`.
    pub fn variable_prefix(&self) -> String {
        format!("{PREFIX}{}_", self.name.to_ascii_uppercase())
    }

    /// What the variables of one table of several start with, which is told from the others by its id or
    /// name: `SLUICE_SOURCE_SHOP_BACKEND_`.
    pub fn variable_prefix_of(&self, id: &str) -> String {
        let id = id.trim().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        format!("{}{}_", self.variable_prefix(), id.to_ascii_uppercase())
    }

    /// The key that tells a table of several from the others.
    pub(super) fn id_key(&self) -> Option<&'static str> {
        self.keys
            .first()
            .copied()
            .filter(|_| self.shape == Shape::Repeated)
    }
}

/// Whether values of this key may be shown to people: it is known, and no secret.
pub(super) fn is_plain(key: &str) -> bool {
    let mut sections = SECTIONS.iter().chain([&SECRET, &TEST_CODE]);
    sections.any(|section| section.keys.contains(&key)) && !HIDDEN.contains(&key)
}

/// The section that has a key, if just one has it. Who writes `listen` alone means that of the doors.
pub(super) fn home(key: &str) -> Option<&'static Section> {
    let mut homes = SECTIONS
        .iter()
        .filter(|section| section.name != ADMIN.name && section.keys.contains(&key));
    homes.next().filter(|_| homes.next().is_none())
}

/// The name that was probably meant.
pub(super) fn suggestion<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let written = written.trim().replace('-', "_").to_ascii_lowercase();
    let mut best = None;
    for name in known {
        let distance = if is_without_unit(&written, name) {
            0
        } else {
            strsim::damerau_levenshtein(&written, &name.to_ascii_lowercase())
        };
        // A third of the letters wrong is a typing error; more is another word.
        if distance <= (name.len() / 3).max(1) && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, name));
        }
    }
    best.map(|(_, name)| name)
}

/// `timeout` for `timeout_s`, `body_max` for `body_bytes_max`.
fn is_without_unit(written: &str, name: &str) -> bool {
    const UNITS: [&str; 5] = ["s", "ms", "max", "bytes", "days"];
    let is_word = |word: &&str| !UNITS.contains(word);
    let said: Vec<_> = written.split('_').filter(is_word).collect();
    !said.is_empty() && name.contains('_') && name.split('_').filter(is_word).eq(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_what_was_meant() {
        for (written, expected) in [
            ("listne", Some("listen")),
            ("Listen", Some("listen")),
            ("body-bytes-max", Some("body_bytes_max")),
            ("body_max", Some("body_bytes_max")),
            ("read_timeout", Some("read_timeout_s")),
            ("read_timeout_ms", Some("read_timeout_s")),
            ("max_connections", Some("connections_max")),
            ("colour", None),
            ("s", None),
            ("", None),
        ] {
            let found = suggestion(written, SERVER.keys.iter().copied());
            assert_eq!(found, expected, "{written}");
        }
    }

    #[test]
    fn a_key_of_one_section_has_a_home() {
        assert_eq!(home("listen").map(|section| section.name), Some("server"));
        assert!(home("name").is_none());
        assert!(home("nothing").is_none());
    }

    #[test]
    fn secrets_are_not_plain() {
        assert!(is_plain("listen") && is_plain("env") && is_plain("until"));
        for key in ["access_token", "app_secret", "key", "acess_token", ""] {
            assert!(!is_plain(key), "{key}");
        }
    }
}
