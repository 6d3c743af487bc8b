//! Secrets as they are written: the place where one is.

use std::path::PathBuf;

use toml::de::DeValue;

use super::keys;
use super::secret::{Secret, SecretRef};
use super::written::{Found, Layers, Origin, Reader, Written};

/// Length of the name of an environment variable, in bytes. What is longer is a token that was put in
/// its place.
const VARIABLE_BYTES_MAX: usize = 64;

const FORMS: &str =
    "write { env = \"NAME\" }, { file = \"PATH\" } or { command = [\"PROGRAM\", …] }";

/// Reads where a secret is.
pub(super) fn read(
    reader: &mut Reader<'_, '_, '_>,
    key: &'static str,
) -> Option<Written<SecretRef>> {
    let found = reader.find(key)?;
    let secret = match &found.value {
        // The variable holds the secret itself; it is read when it is needed, like any other.
        Found::Variable(_) => match &found.origin {
            Origin::Variable(name) => SecretRef::Env(name.clone()),
            Origin::File(_) | Origin::Default => return None,
        },
        Found::Value(DeValue::String(text)) => literal(reader, key, &found, text)?,
        Found::Value(DeValue::Table(table)) => {
            let layers = Layers {
                file: Some(table),
                ..Layers::default()
            };
            let (path, span) = (found.path.clone(), found.origin.clone());
            let mut inner = Reader::new(keys::SECRET, path, span, layers, reader.notes);
            let secret = place(&mut inner, key, &found, table.is_empty());
            inner.finish();
            secret?
        }
        Found::Value(_) => {
            let message = format!("{key} says where the secret is");
            reader.notes.error(&found, message, FORMS);
            return None;
        }
    };
    Some(found.with(secret))
}

/// A secret that stands in the file itself.
fn literal(
    reader: &mut Reader<'_, '_, '_>,
    key: &str,
    found: &Written<Found<'_>>,
    text: &str,
) -> Option<SecretRef> {
    let text = text.trim();
    if text.is_empty() {
        reader.notes.error(found, format!("{key} is empty"), FORMS);
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
    reader.notes.warning(found, message, FORMS);
    Some(SecretRef::Literal(Secret::new(text)))
}

/// The one place that a table names.
fn place(
    reader: &mut Reader<'_, '_, '_>,
    key: &str,
    found: &Written<Found<'_>>,
    is_empty: bool,
) -> Option<SecretRef> {
    let places = [variable(reader), file(reader), command(reader)];
    let mut places = places.into_iter().flatten();
    match (places.next(), places.next()) {
        (Some(place), None) => Some(place),
        (Some(_), Some(_)) => {
            let message = format!("{key} is in one place: env, file or command");
            reader.notes.error(found, message, FORMS);
            None
        }
        (None, _) => {
            // Otherwise what is wrong with the only key is said there.
            if is_empty {
                let message = format!("{key} does not say where the secret is");
                reader.notes.error(found, message, FORMS);
            }
            None
        }
    }
}

/// Whether a text can be the name of an environment variable.
pub(super) fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    let is_start = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    name.len() <= VARIABLE_BYTES_MAX
        && bytes.next().is_some_and(is_start)
        && bytes.all(|byte| is_start(byte) || byte.is_ascii_digit())
}

fn variable(reader: &mut Reader<'_, '_, '_>) -> Option<SecretRef> {
    let name = reader.text("env")?;
    if !is_variable(&name.value) {
        let message = "env is the name of an environment variable";
        let help = "letters, digits and _, at most 64; the secret itself does not belong here";
        reader.notes.error(&name, message, help);
        return None;
    }
    Some(SecretRef::Env(name.value))
}

fn file(reader: &mut Reader<'_, '_, '_>) -> Option<SecretRef> {
    let path = reader.text("file")?;
    if path.value.is_empty() {
        reader
            .notes
            .error(&path, "file is the path of a file, found nothing", "");
        return None;
    }
    Some(SecretRef::File(PathBuf::from(path.value)))
}

fn command(reader: &mut Reader<'_, '_, '_>) -> Option<SecretRef> {
    let words = reader.texts("command")?;
    let texts: Vec<_> = words.value.iter().map(|word| word.value.clone()).collect();
    if texts.first().is_none_or(String::is_empty) {
        let help = "as in { command = [\"vault\", \"read\", \"-field=token\", \"secret/meta\"] }";
        let message = "command is a program and its arguments, found none";
        reader.notes.error(&words, message, help);
        return None;
    }
    Some(SecretRef::Command(texts))
}
