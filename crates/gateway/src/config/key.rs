//! What a section and a key are, and how their names are written, in the file and in the environment.

/// What all environment variables start with.
pub(super) const PREFIX: &str = "SLUICE_";

/// Length of the name of an environment variable, in bytes. What is longer is a token that was put in
/// its place.
const VARIABLE_BYTES_MAX: usize = 64;

/// A section of the file and its keys.
pub(super) struct Section {
    /// Its name: `server`.
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    /// What it is for. If it is inline: how it is written.
    pub(super) about: &'static str,
    /// The keys that it alone has.
    pub(super) keys: &'static [Key],
    /// The further keys that its tables of a kind have, by the word of their key `kind`.
    pub(super) kinds: &'static [(&'static str, &'static [Key])],
    /// The keys that `[graph]` has for all datasets, and a dataset for itself.
    pub(super) common: &'static [Key],
}

/// How a section is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Once: `[server]`. Its keys have environment variables.
    Single,
    /// Once or several times: `[[dataset]]`. The first of its keys tells them apart; the others have
    /// environment variables.
    Repeated,
    /// As a value of a key: `test_event_code = { … }`.
    Inline,
}

/// A key of a section.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// What holds when it is not set, as an environment variable would say it.
    pub(super) default: Option<&'static str>,
    /// What to write, if the section cannot do without it.
    pub(super) needed: Option<&'static str>,
    /// Whether a change takes effect with the next start only, and not while the gateway runs.
    pub(super) needs_restart: bool,
    /// What it means, in Markdown.
    pub(super) meaning: &'static str,
}

/// What can be the value of a key.
pub(super) enum Kind {
    /// A whole number, not below the first and not above the second.
    Number(u64, u64),
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Words(&'static [&'static str]),
    /// A text of this form.
    Text(Form),
    /// A list of ids of datasets.
    Ids,
    /// A list of addresses and networks.
    Networks,
    /// A program and its arguments, which may hold a secret.
    Command,
    /// Where a secret is.
    Secret(SecretKind),
    /// The same, or a list of several that hold at the same time.
    Secrets(SecretKind),
    /// An inline table. In a variable, its values stand one after another.
    Table(&'static Section),
}

/// What a text can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    ActionSource,
    Address,
    BaseUrl,
    Country,
    DatasetId,
    DatasetName,
    File,
    Filter,
    Folder,
    Moment,
    PartnerAgent,
    /// Names of sources, and test codes.
    ShortName,
    Variable,
    Version,
}

/// What a JSON Schema says of a text. The check may take more.
pub(super) enum Pattern {
    /// A regular expression (ECMA-262).
    Regex(&'static str),
    /// One of these words.
    Words(&'static [&'static str]),
}

/// What a secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecretKind {
    AccessToken,
    AppSecret,
    SourceKey,
    EncryptionKey,
}

/// A key that can be left out.
pub(super) const fn optional(name: &'static str, kind: Kind, meaning: &'static str) -> Key {
    Key {
        name,
        kind,
        default: None,
        needed: None,
        needs_restart: false,
        meaning,
    }
}

/// A key with a default.
pub(super) const fn set(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    meaning: &'static str,
) -> Key {
    let default = Some(default);
    Key {
        default,
        ..optional(name, kind, meaning)
    }
}

/// A key that cannot be left out, with what to write.
pub(super) const fn needed(
    name: &'static str,
    kind: Kind,
    write: &'static str,
    meaning: &'static str,
) -> Key {
    let needed = Some(write);
    Key {
        needed,
        ..optional(name, kind, meaning)
    }
}

/// A key whose change takes effect with the next start.
pub(super) const fn at_start(key: Key) -> Key {
    Key {
        needs_restart: true,
        ..key
    }
}

impl Section {
    /// Every key that it may have.
    pub(super) fn all_keys(&self) -> impl Iterator<Item = &'static Key> + Clone + use<> {
        let of_kinds = self.kinds.iter().flat_map(|(_, keys)| keys.iter());
        self.keys_of_all().chain(of_kinds)
    }

    /// The keys that it has whatever its kind.
    pub(super) fn keys_of_all(&self) -> impl Iterator<Item = &'static Key> + Clone + use<> {
        self.keys.iter().chain(self.common)
    }

    /// The further keys of a kind.
    pub(super) fn keys_of(&self, kind: &str) -> Option<&'static [Key]> {
        let mut kinds = self.kinds.iter();
        kinds.find(|(name, _)| *name == kind).map(|(_, keys)| *keys)
    }

    /// The names of its keys.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> + Clone + use<> {
        self.all_keys().map(|key| key.name)
    }

    /// Whether what holds for all datasets holds here too when a key is not set.
    pub(super) fn inherits(&self, key: &Key) -> bool {
        self.shape == Shape::Repeated && self.common.iter().any(|common| common.name == key.name)
    }

    /// The section as it is written: `[server]`, `[[dataset]]`.
    pub(super) fn header(&self) -> String {
        match self.shape {
            Shape::Single => format!("[{}]", self.name),
            Shape::Repeated => format!("[[{}]]", self.name),
            Shape::Inline => self.name.to_owned(),
        }
    }

    /// Its keys in a sentence: `[log] has format, filter`.
    pub(super) fn has(&self) -> String {
        let names: Vec<_> = self.names().collect();
        format!("{} has {}", self.header(), names.join(", "))
    }

    /// What to write where there is none of it: `add where events go: id and access_token`.
    pub(super) fn least(&self) -> String {
        let needed = self.all_keys().filter(|key| key.needed.is_some());
        let needed: Vec<_> = needed.map(|key| key.name).collect();
        let (last, others) = needed.split_last().unwrap_or((&"", &[]));
        let about = self.about.to_lowercase();
        format!("add {about}: {} and {last}", others.join(", "))
    }

    /// What to write where one table stands that there can be several of.
    pub(super) fn two_brackets(&self) -> String {
        let (header, name) = (self.header(), self.name);
        format!("write {header} with two brackets, one such table for each {name}")
    }

    /// What all its environment variables start with: `SLUICE_SERVER_`.
    pub(super) fn prefix(&self) -> String {
        format!("{PREFIX}{}_", self.name.to_ascii_uppercase())
    }

    /// The environment variable of a key: `SLUICE_SERVER_LISTEN`. Where there can be several tables, it has the id or
    /// name of one: `SLUICE_SOURCE_SHOP_BACKEND_KEY`; what tells them apart has none itself.
    pub(super) fn variable(&self, id: Option<&str>, key: &str) -> Option<String> {
        let (prefix, key) = (self.prefix(), key.to_ascii_uppercase());
        match self.shape {
            Shape::Inline => None,
            Shape::Single => Some(format!("{prefix}{key}")),
            Shape::Repeated
                if self
                    .id_key()
                    .is_some_and(|id| id.eq_ignore_ascii_case(&key)) =>
            {
                None
            }
            Shape::Repeated => {
                let id = id?.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
                Some(format!("{prefix}{}_{key}", id.to_ascii_uppercase()))
            }
        }
    }

    /// The key that tells a table of several from the others.
    pub(super) fn id_key(&self) -> Option<&'static str> {
        let first = self.keys.first().map(|key| key.name);
        first.filter(|_| self.shape == Shape::Repeated)
    }
}

impl Key {
    /// What a number counts, as the end of its key says.
    pub(super) fn unit(&self) -> Option<&'static str> {
        const UNITS: [(&str, &str); 5] = [
            ("_ms", "milliseconds"),
            ("_s", "seconds"),
            ("_days", "days"),
            ("_bytes_max", "bytes"),
            ("_events_max", "events"),
        ];
        let name = format!("_{}", self.name);
        let unit = UNITS.iter().find(|(end, _)| name.ends_with(end));
        unit.map(|(_, unit)| *unit)
    }

    /// Whether its values may be shown to people.
    pub(super) fn is_plain(&self) -> bool {
        !matches!(
            self.kind,
            Kind::Secret(_) | Kind::Secrets(_) | Kind::Command
        )
    }
}

/// The name that was probably meant.
pub(super) fn suggestion<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let written = written.trim().replace('-', "_").to_ascii_lowercase();
    let distance = |name: &&str| strsim::damerau_levenshtein(&written, &name.to_ascii_lowercase());
    let nearest = known.into_iter().min_by_key(distance)?;
    // A third of the letters wrong is a typing error; more is another word.
    (distance(&nearest) <= (nearest.len() / 3).max(1)).then_some(nearest)
}

/// Whether a text can be the name of an environment variable.
pub(super) fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    let is_start = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    name.len() <= VARIABLE_BYTES_MAX
        && bytes.next().is_some_and(is_start)
        && bytes.all(|byte| is_start(byte) || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::super::keys::SERVER;
    use super::*;

    #[test]
    fn suggests_what_was_meant() {
        for (written, expected) in [
            ("listne", Some("listen")),
            ("Listen", Some("listen")),
            ("body-bytes-max", Some("body_bytes_max")),
            ("read_timeout", Some("read_timeout_s")),
            ("read_timeout_ms", Some("read_timeout_s")),
            ("colour", None),
            ("s", None),
            ("", None),
        ] {
            let found = suggestion(written, SERVER.names());
            assert_eq!(found, expected, "{written}");
        }
    }
}
