//! Both ends of the way: where events come from, and where they go.

use std::collections::HashMap;

use jiff::Timestamp;
use sluice_event::{ActionSource, Country, DatasetId, ExternalId, Rules};
use sluice_journal::{InvalidName, SourceName, TestCode};

use super::keys;
use super::problem::Place;
use super::raw::{RawDataset, RawSource, RawTestCode};
use super::resolve::{choice, delivery};
use super::resolved::{Dataset, Delivery, Source, SourceKind, TestEventCode};
use super::secret::SecretRef;
use super::written::{Notes, Written, quoted};

/// Length of a dataset's name, in characters.
const NAME_CHARS_MAX: usize = 100;

/// All datasets, or `None` if there is anything wrong with one.
pub(super) fn datasets(
    raw: &[RawDataset],
    common: Option<&Delivery>,
    notes: &mut Notes<'_>,
) -> Option<Vec<Dataset>> {
    let mut seen = HashMap::new();
    let all: Vec<_> = raw
        .iter()
        .map(|raw| {
            let id = raw.id.as_ref();
            let is_new = id.is_none_or(|id| is_first(id, &id.value, &mut seen, notes));
            dataset(raw, common, notes).filter(|_| is_new)
        })
        .collect();
    all.into_iter().collect()
}

fn dataset(raw: &RawDataset, common: Option<&Delivery>, notes: &mut Notes<'_>) -> Option<Dataset> {
    let id = raw.id.as_ref().and_then(|text| id(text, notes));
    let name = match &raw.name {
        Some(text) => display_name(text, notes).map(Some),
        None => Some(None),
    };
    let test_event_code = match &raw.test_event_code {
        Some(raw) => test_event_code(raw, notes).map(Some),
        None => Some(None),
    };
    let delivery = delivery(&raw.delivery, common, notes);
    Some(Dataset {
        id: id?,
        name: name?,
        access_token: raw.access_token.as_ref()?.value.clone(),
        app_secret: raw.app_secret.as_ref().map(|secret| secret.value.clone()),
        test_event_code: test_event_code?,
        delivery: delivery?,
    })
}

fn id(text: &Written<String>, notes: &mut Notes<'_>) -> Option<DatasetId> {
    let id = DatasetId::parse(text.value.trim());
    if id.is_err() {
        let found = quoted(&text.value, true);
        let help = "Meta's Events Manager shows it below the name of the dataset";
        notes.error(
            text,
            format!("a dataset id has 5 to 20 digits, found {found}"),
            help,
        );
    }
    id.ok()
}

fn display_name(text: &Written<String>, notes: &mut Notes<'_>) -> Option<String> {
    let name = text.value.trim();
    let len = name.chars().count();
    if (1..=NAME_CHARS_MAX).contains(&len) && !name.contains(char::is_control) {
        return Some(name.to_owned());
    }
    let message = format!("name has 1 to {NAME_CHARS_MAX} characters on one line");
    notes.error(text, message, "");
    None
}

fn test_event_code(raw: &RawTestCode, notes: &mut Notes<'_>) -> Option<TestEventCode> {
    let code = raw.code.as_ref();
    let code = code.and_then(|text| short_name(text, TestCode::parse(&text.value), notes));
    let until_s = raw.until.as_ref().and_then(|text| {
        let until = text.value.trim().parse::<Timestamp>().ok();
        if until.is_none() {
            let found = quoted(&text.value, true);
            let message = format!("until is a moment with its zone, found {found}");
            notes.error(text, message, "write it as in \"2026-12-01T12:00:00Z\"");
        }
        Some(until?.as_second())
    });
    Some(TestEventCode {
        code: code?,
        until_s: until_s?,
    })
}

/// A name that was read, or what it should be.
fn short_name<T>(
    text: &Written<String>,
    read: Result<T, InvalidName>,
    notes: &mut Notes<'_>,
) -> Option<T> {
    if read.is_err() {
        let key = text.path.rsplit('.').next().unwrap_or_default();
        let found = quoted(&text.value, true);
        let message = format!("{key} has 1 to 64 letters, digits, '-', '_' or '.', found {found}");
        notes.error(text, message, "");
    }
    read.ok()
}

/// All sources, or `None` if there is anything wrong with one.
pub(super) fn sources(
    raw: &[RawSource],
    datasets: &[RawDataset],
    notes: &mut Notes<'_>,
) -> Option<Vec<Source>> {
    let mut names = HashMap::new();
    let mut secrets: Vec<&Written<SecretRef>> = Vec::new();
    let all: Vec<_> = raw
        .iter()
        .map(|raw| {
            let name = raw.name.as_ref();
            let mut is_new = name.is_none_or(|name| is_first(name, &name.value, &mut names, notes));
            if let Some(key) = &raw.key {
                let same = secrets.iter().find(|other| other.value == key.value);
                if let Some(other) = same {
                    let message = format!("key is the same as {}", other.path);
                    let help = "sources are told apart by their keys; give each its own";
                    notes.error(key, message, help);
                    is_new = false;
                }
                secrets.push(key);
            }
            source(raw, datasets, notes).filter(|_| is_new)
        })
        .collect();
    all.into_iter().collect()
}

fn source(raw: &RawSource, datasets: &[RawDataset], notes: &mut Notes<'_>) -> Option<Source> {
    let name = raw.name.as_ref();
    let name = name.and_then(|text| short_name(text, SourceName::parse(&text.value), notes));
    let kinds = SourceKind::ALL.map(|kind| (kind.name(), kind));
    let kind = choice(raw.kind.as_ref(), &kinds, notes);
    let targets = raw.datasets.as_ref();
    let targets = targets.and_then(|targets| self::targets(targets, datasets, notes));
    let rules = rules(raw, notes);
    Some(Source {
        name: name?,
        kind: kind?,
        key: raw.key.as_ref()?.value.clone(),
        datasets: targets?,
        rules: rules?,
        allow_test_codes: raw.allow_test_codes.as_ref()?.value,
    })
}

/// The datasets that a source sends to.
fn targets(
    written: &Written<Vec<Written<String>>>,
    datasets: &[RawDataset],
    notes: &mut Notes<'_>,
) -> Option<Vec<DatasetId>> {
    let configured = || datasets.iter().filter_map(|dataset| dataset.id.as_ref());
    let known: Vec<_> = configured().map(|id| id.value.trim()).collect();
    if written.value.is_empty() {
        let message = "datasets names nothing, so the events would go nowhere";
        let help = format!("configured are {}", known.join(", "));
        notes.error(written, message, &help);
        return None;
    }
    let mut ids = Some(Vec::new());
    for text in &written.value {
        let id = text.value.trim();
        if !known.contains(&id) {
            let found = quoted(id, true);
            let help = match keys::suggestion(id, known.iter().copied()) {
                Some(meant) => format!("did you mean \"{meant}\"?"),
                None if known.is_empty() => String::new(),
                None => format!("configured are {}", known.join(", ")),
            };
            notes.error(text, format!("there is no dataset {found}"), &help);
            ids = None;
            continue;
        }
        // One that is no id was noted where it is configured.
        let id = DatasetId::parse(id).ok();
        match (&mut ids, id) {
            (Some(ids), Some(id)) if ids.contains(&id) => {
                notes.warning(text, format!("dataset {id} is named twice"), "");
            }
            (Some(ids), Some(id)) => ids.push(id),
            _ => ids = None,
        }
    }
    ids
}

fn rules(raw: &RawSource, notes: &mut Notes<'_>) -> Option<Rules> {
    let default_country = match &raw.default_country {
        None => Some(None),
        Some(text) => {
            let country = Country::parse(&text.value);
            if country.is_none() {
                let found = quoted(&text.value, true);
                let message = format!("default_country is a country of ISO 3166-1, found {found}");
                notes.error(text, message, "write its code, as in \"de\"");
            }
            country.map(Some)
        }
    };
    let sources = ActionSource::ALL.map(|source| (source.name(), source));
    let default_action_source = match &raw.default_action_source {
        Some(text) => {
            ActionSource::from_alias(&text.value).or_else(|| choice(Some(text), &sources, notes))
        }
        None => None,
    };
    let external_id = if raw.hash_external_id.as_ref()?.value {
        ExternalId::Hash
    } else {
        ExternalId::AsIs
    };
    Some(Rules {
        default_country: default_country?,
        default_action_source: default_action_source?,
        external_id,
        variants: raw.variants.as_ref()?.value,
        ..Rules::default()
    })
}

/// Whether a name is there for the first time; the second time is an error.
fn is_first<T>(
    about: &Written<T>,
    name: &str,
    seen: &mut HashMap<String, Place>,
    notes: &mut Notes<'_>,
) -> bool {
    let place = notes.place(&about.origin);
    let Some(first) = seen.insert(name.trim().to_owned(), place) else {
        return true;
    };
    let key = about.path.rsplit('.').next().unwrap_or_default();
    let found = quoted(name, true);
    let help = match first {
        Place::File { line, .. } => format!("the first one is in line {line}"),
        _ => String::new(),
    };
    notes.error(about, format!("{key} {found} is there twice"), &help);
    false
}
