//! Reading the configuration: a walk over the rows of `keys`, each from the first layer that has it. The environment
//! wins over the file, the file over the defaults.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::environment::Environment;
use super::excerpt::quoted;
use super::key::{Key, Kind, Section, suggestion};
use super::keys::{ADMIN, DATASET, GRAPH, JOURNAL, LOG, SECTIONS, SERVER, SOURCE, home, is_plain};
use super::network::Network;
use super::read_secret;
use super::scalar::{self, Wrong, one_of};
use super::table::{Table, Tables, Value};
use super::written::{Found, Notes, Origin, Written, unknown};

/// What is read, and what is noted meanwhile.
pub(super) struct Reader<'a, 'n, 't> {
    pub(super) environment: &'a dyn Environment,
    pub(super) notes: &'n mut Notes<'t>,
}

/// Reads everything that is written. What is wrong is noted and left out.
pub(super) fn read(
    file: &DeTable<'_>,
    environment: &dyn Environment,
    notes: &mut Notes<'_>,
) -> Tables {
    let mut reader = Reader { environment, notes };
    reader.top_level(file);
    Tables {
        server: reader.single(&SERVER, file),
        admin: reader.single(&ADMIN, file),
        journal: reader.single(&JOURNAL, file),
        graph: reader.single(&GRAPH, file),
        log: reader.single(&LOG, file),
        datasets: reader.repeated(&DATASET, file),
        sources: reader.repeated(&SOURCE, file),
    }
}

/// The tables of the file.
impl Reader<'_, '_, '_> {
    /// Notes what is no section.
    fn top_level(&mut self, file: &DeTable<'_>) {
        let names = || SECTIONS.into_iter().map(|section| section.name);
        for (key, value) in file {
            let name = key.get_ref().as_ref();
            if names().any(|known| known == name) {
                continue;
            }
            let is_key = !value.get_ref().is_table() && !value.get_ref().is_array();
            let help = match (suggestion(name, names()), home(name)) {
                (_, Some(home)) => format!("it belongs into {}", home.header()),
                (Some(meant), None) => format!("did you mean {meant}?"),
                (None, None) => {
                    let headers = SECTIONS.map(Section::header);
                    format!("there are {}", headers.join(", "))
                }
            };
            let message = |name: &str| {
                if is_key {
                    format!("{name} stands in no section")
                } else {
                    format!("there is no section {name}")
                }
            };
            unknown(self.notes, key, "", message, &help);
        }
    }

    /// A section that there is once.
    fn single(&mut self, section: &'static Section, file: &DeTable<'_>) -> Table {
        let written = file.get(section.name);
        let origin = written.map_or(Origin::Default, |value| Origin::File(value.span()));
        let place = Written::new((), origin, section.name);
        let table = written.and_then(|value| value.get_ref().as_table());
        if let Some(value) = written.filter(|_| table.is_none()) {
            let header = section.header();
            let message = match value.get_ref() {
                DeValue::Array(_) => format!("there is one {header}, found a list"),
                _ => format!("{} is a table, of which there is one", section.name),
            };
            let help = format!("write {header}, and its keys below it");
            self.notes.error(&place, message, &help);
        }
        self.table(section, place, None, table)
    }

    /// A section that there can be several of.
    fn repeated(&mut self, section: &'static Section, file: &DeTable<'_>) -> Vec<Table> {
        let tables = self.tables(section, file).into_iter().enumerate();
        let tables = tables.map(|(index, value)| {
            let path = format!("{}[{index}]", section.name);
            let place = Written::new((), Origin::File(value.span()), path);
            let table = value.get_ref().as_table();
            let id = section
                .id_key()
                .and_then(|key| table?.get(key)?.get_ref().as_str());
            self.table(section, place, id.map(str::trim), table)
        });
        tables.collect()
    }

    /// The tables of a repeated section.
    fn tables<'f>(
        &mut self,
        section: &Section,
        file: &'f DeTable<'f>,
    ) -> Vec<&'f Spanned<DeValue<'f>>> {
        let (name, header) = (section.name, section.header());
        let written = file.get(name);
        let origin = written.map_or(Origin::Default, |value| Origin::File(value.span()));
        let about = Written::new((), origin, name);
        let values = written.and_then(|value| value.get_ref().as_array());
        let (tables, message) = match (written, values) {
            (_, Some(values)) if !values.is_empty() => {
                if values.iter().all(|value| value.get_ref().is_table()) {
                    return values.iter().collect();
                }
                (Vec::new(), format!("{name} is a list of tables"))
            }
            // It is looked into all the same.
            (Some(value), None) if value.get_ref().is_table() => {
                let message =
                    format!("[{name}] is one table, but there can be several, written {header}");
                (vec![value], message)
            }
            (Some(_), None) => (Vec::new(), format!("{name} is a list of tables")),
            (_, _) => {
                let message = format!("there is no {header}; at least one is needed");
                self.notes.error(&about, message, &section.least());
                return Vec::new();
            }
        };
        self.notes.error(&about, message, &section.two_brackets());
        tables
    }

    /// One table: each of its keys, and what of the file is none.
    pub(super) fn table(
        &mut self,
        section: &'static Section,
        place: Written<()>,
        id: Option<&str>,
        file: Option<&DeTable<'_>>,
    ) -> Table {
        let mut values = BTreeMap::new();
        self.keys(
            section.keys_of_all(),
            section,
            (&place, id, file),
            &mut values,
        );
        let kind = values.get("kind").map(|kind| &kind.value);
        let of_kind = match kind {
            Some(Value::Text(kind)) => section.keys_of(kind),
            _ => None,
        };
        let of_kind = of_kind.unwrap_or_default().iter();
        self.keys(of_kind, section, (&place, id, file), &mut values);
        self.strangers(section, &place.path, file);
        Table {
            section,
            place,
            id: id.map(str::to_owned),
            values,
        }
    }

    /// Some keys of a table.
    fn keys(
        &mut self,
        keys: impl Iterator<Item = &'static Key>,
        section: &'static Section,
        (place, id, file): (&Written<()>, Option<&str>, Option<&DeTable<'_>>),
        values: &mut BTreeMap<&'static str, Written<Value>>,
    ) {
        for key in keys {
            let path = format!("{}.{}", place.path, key.name);
            let variable = section.variable(id, key.name);
            let in_variable = variable.and_then(|name| self.variable(name));
            let in_file = file.and_then(|table| table.get(key.name));
            let (found, origin) = match (in_variable, in_file, key.default) {
                (Some((name, found)), ..) => (found, Origin::Variable(name)),
                (None, Some(value), _) => {
                    (Found::Value(value.get_ref()), Origin::File(value.span()))
                }
                (None, None, Some(default)) if !section.inherits(key) => {
                    (Found::Text(default.to_owned()), Origin::Default)
                }
                _ => {
                    if let Some(help) = key.needed {
                        let message =
                            format!("`{} = …` is missing in {}", key.name, section.header());
                        let about = Written::new((), place.origin.clone(), path);
                        self.notes.error(&about, message, help);
                    }
                    continue;
                }
            };
            let found = Written::new(found, origin, path);
            if let Some(value) = self.value(key, &found) {
                values.insert(key.name, found.with(value));
            }
        }
    }

    /// What a variable holds. An empty one is none.
    fn variable(&self, name: String) -> Option<(String, Found<'static>)> {
        let value = self
            .environment
            .get(&name)
            .filter(|value| !value.is_empty())?;
        let found = value.into_string().map_or(Found::NoText, Found::Text);
        Some((name, found))
    }

    /// Notes the keys of the file that do not exist.
    fn strangers(&mut self, section: &Section, path: &str, file: Option<&DeTable<'_>>) {
        let header = section.header();
        for (key, _) in file.into_iter().flatten() {
            let name = key.get_ref().as_ref();
            if section.names().any(|known| known == name) {
                continue;
            }
            let help = match (suggestion(name, section.names()), home(name)) {
                (Some(meant), _) => format!("did you mean {meant}?"),
                (None, Some(home)) => format!("it belongs into {}", home.header()),
                (None, None) => section.has(),
            };
            let message = |name: &str| format!("{header} has no key {name}");
            unknown(self.notes, key, path, message, &help);
        }
    }
}

/// The values of keys. Each notes what is wrong.
impl Reader<'_, '_, '_> {
    fn value(&mut self, key: &'static Key, found: &Written<Found<'_>>) -> Option<Value> {
        let value = &found.value;
        let text = match key.kind {
            _ if matches!(value, Found::NoText) => {
                let message = format!("{} cannot be read: the variable is not UTF-8", found.path);
                Err(Wrong::new(message, ""))
            }
            Kind::Number(min, max) => scalar::number(key, value, min, max),
            Kind::Flag => scalar::flag(key, value),
            Kind::Words(words) => scalar::text(key, value).and_then(|it| one_of(key, words, it)),
            Kind::Text(form) => scalar::text(key, value).and_then(|it| form.check(key, it)),
            Kind::Ids | Kind::Command => return Some(Value::Texts(self.texts(key, found)?)),
            Kind::Networks => return Some(Value::Texts(self.networks(key, found)?)),
            Kind::Secret(kind) => {
                let secret = read_secret::read(self, key, found)?;
                return Some(Value::Secret(kind, secret));
            }
            Kind::Secrets(kind) => {
                let secrets = read_secret::read_several(self, key, found)?;
                return Some(Value::Secrets(kind, secrets));
            }
            Kind::Table(section) => return Some(Value::Table(self.inner(section, found)?)),
        };
        let noted = |wrong: Wrong| self.notes.error(found, wrong.message, &wrong.help);
        Some(Value::Text(text.map_err(noted).ok()?))
    }

    /// A list of texts. Those that are none are noted and left out.
    fn texts(&mut self, key: &Key, found: &Written<Found<'_>>) -> Option<Vec<Written<String>>> {
        if let Found::Text(text) = &found.value {
            let words = text.split(',').map(str::trim);
            let words = words.filter(|word| !word.is_empty());
            return Some(words.map(|word| found.with(word.to_owned())).collect());
        }
        let Found::Value(DeValue::Array(values)) = &found.value else {
            let other = found.value.describe(is_plain(key.name));
            let message = format!("{} is a list of texts, found {other}", key.name);
            let help = format!("write {} = [\"…\"]", key.name);
            self.notes.error(found, message, &help);
            return None;
        };
        let mut texts = Vec::new();
        for (index, value) in values.iter().enumerate() {
            let path = format!("{}[{index}]", found.path);
            let one = Written::new(value.get_ref(), Origin::File(value.span()), path);
            if let Some(text) = value.get_ref().as_str() {
                texts.push(one.with(text.to_owned()));
            } else {
                let other = Found::Value(one.value).describe(is_plain(key.name));
                let message = format!("{} is a list of texts, found {other} in it", key.name);
                self.notes.error(&one, message, "write it in quotes");
            }
        }
        Some(texts)
    }

    /// A list of networks. Those that are none are noted and left out.
    fn networks(&mut self, key: &Key, found: &Written<Found<'_>>) -> Option<Vec<Written<String>>> {
        let mut texts = self.texts(key, found)?;
        texts.retain(|text| {
            let is_network = text.value.parse::<Network>().is_ok();
            if !is_network {
                let found = quoted(&text.value, is_plain(key.name));
                let message = format!(
                    "{} is a list of IP addresses and networks, found {found}",
                    key.name
                );
                self.notes.error(
                    text,
                    message,
                    "write them as in \"10.0.0.0/8\" or \"2001:db8::1\"",
                );
            }
            is_network
        });
        Some(texts)
    }

    /// An inline table.
    fn inner(&mut self, section: &'static Section, found: &Written<Found<'_>>) -> Option<Table> {
        match &found.value {
            Found::Value(DeValue::Table(table)) => {
                Some(self.table(section, found.with(()), None, Some(table)))
            }
            Found::Text(text) => Some(self.in_a_row(section, found, text)),
            _ => {
                let names: Vec<_> = section.names().collect();
                let message = format!("{} needs {}", section.name, names.join(" and "));
                let help = format!("write {}", section.about);
                self.notes.error(found, message, &help);
                None
            }
        }
    }

    /// The values of an inline table, one after another, with a space in between: how a variable holds them.
    fn in_a_row(
        &mut self,
        section: &'static Section,
        found: &Written<Found<'_>>,
        text: &str,
    ) -> Table {
        let mut words = text.trim().splitn(section.keys.len(), ' ');
        let mut values = BTreeMap::new();
        for key in section.all_keys() {
            let word = words.next().unwrap_or_default().to_owned();
            if let Some(value) = self.value(key, &found.with(Found::Text(word))) {
                values.insert(key.name, found.with(value));
            }
        }
        Table {
            section,
            place: found.with(()),
            id: None,
            values,
        }
    }
}
