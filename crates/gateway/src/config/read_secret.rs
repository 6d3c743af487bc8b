//! Reading where a secret is.

use std::path::PathBuf;

use toml::de::DeValue;

use super::key::{Key, is_variable};
use super::keys::SECRET;
use super::read::Reader;
use super::secret::{Secret, SecretRef};
use super::table::Table;
use super::written::{Found, Origin, Written};

/// Secrets that a key may name at once.
pub(super) const SECRETS_MAX: usize = 8;

/// The place of a secret, or the places of several. What is wrong with them is noted, and left out.
pub(super) fn read_several(
    reader: &mut Reader<'_, '_, '_>,
    key: &Key,
    found: &Written<Found<'_>>,
) -> Option<Vec<Written<SecretRef>>> {
    let Found::Value(DeValue::Array(values)) = &found.value else {
        return Some(vec![found.with(read(reader, key, found)?)]);
    };
    if values.is_empty() || values.len() > SECRETS_MAX {
        let message = format!(
            "{} is one secret or a list of 1 to {SECRETS_MAX}, found {}",
            key.name,
            values.len()
        );
        let help = format!("write {}, or several of them in [ ]", SECRET.about);
        reader.notes.error(found, message, &help);
        return None;
    }
    let places = values.iter().enumerate().filter_map(|(index, value)| {
        let path = format!("{}[{index}]", found.path);
        let origin = Origin::File(value.span());
        let found = Written::new(Found::Value(value.get_ref()), origin, path);
        Some(found.with(read(reader, key, &found)?))
    });
    Some(places.collect())
}

/// The place of a secret. What is wrong with it is noted.
pub(super) fn read(
    reader: &mut Reader<'_, '_, '_>,
    key: &Key,
    found: &Written<Found<'_>>,
) -> Option<SecretRef> {
    let message = match (&found.value, &found.origin) {
        // The variable holds the secret itself; it is read when it is needed, like any other.
        (Found::Text(_), Origin::Variable(name)) => return Some(SecretRef::Env(name.clone())),
        (Found::Value(DeValue::String(text)), _) => return literal(reader, key, found, text),
        (Found::Value(DeValue::Table(table)), _) => {
            let inner = reader.table(&SECRET, found.with(()), None, Some(table));
            let mut places = places(reader, &inner).into_iter();
            match (places.next(), places.next()) {
                (_, Some(_)) => format!("{} is in one place: env, file or command", key.name),
                (None, None) if table.is_empty() => {
                    format!("{} does not say where the secret is", key.name)
                }
                // If there is none, what is wrong with the only key was said there.
                (place, None) => return place,
            }
        }
        _ => format!("{} says where the secret is", key.name),
    };
    reader
        .notes
        .error(found, message, &format!("write {}", SECRET.about));
    None
}

/// A secret that stands in the file itself.
fn literal(
    reader: &mut Reader<'_, '_, '_>,
    key: &Key,
    found: &Written<Found<'_>>,
    text: &str,
) -> Option<SecretRef> {
    let (key, text) = (key.name, text.trim());
    let forms = format!("write {}", SECRET.about);
    if text.is_empty() {
        reader.notes.error(found, format!("{key} is empty"), &forms);
        return None;
    }
    // A secret may begin with `$` too, but hardly one of capitals only.
    let name = text.strip_prefix('$').unwrap_or_default();
    let name = name.trim_start_matches('{').trim_end_matches('}');
    if is_variable(name) && !name.contains(|c: char| c.is_ascii_lowercase()) {
        let message =
            format!("{key} is taken as it stands here; variables in texts are not filled in");
        let help = format!("write {key} = {{ env = \"{name}\" }}");
        reader.notes.error(found, message, &help);
        return None;
    }
    let message = format!("{key} stands in the file, for everybody who can read it");
    reader.notes.warning(found, message, &forms);
    Some(SecretRef::Literal(Secret::new(text)))
}

/// The places that a table names.
fn places(reader: &mut Reader<'_, '_, '_>, table: &Table) -> Vec<SecretRef> {
    let variable = table
        .text("env")
        .map(|name| SecretRef::Env(name.to_owned()));
    let file = table
        .text("file")
        .map(|path| SecretRef::File(PathBuf::from(path)));
    let command = table.texts("command").and_then(|words| {
        let words: Vec<_> = words.iter().map(|word| word.value.clone()).collect();
        if words.first().is_none_or(String::is_empty) {
            let message = "command is a program and its arguments, found none";
            let help =
                "as in { command = [\"vault\", \"read\", \"-field=token\", \"secret/meta\"] }";
            reader.notes.error(&table.place("command"), message, help);
            return None;
        }
        Some(SecretRef::Command(words))
    });
    [variable, file, command].into_iter().flatten().collect()
}
