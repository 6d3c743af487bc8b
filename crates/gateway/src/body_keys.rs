//! The keys that bodies are encrypted with on disk, as the configuration says.

use std::sync::Arc;

use sluice_journal::{BodyKey, BodyKeys};

use crate::config::{self, Environment, SecretRef};
use crate::roster::RosterError;

const CURRENT: &str = "encryption key of the journal";
const PREVIOUS: &str = "previous encryption key of the journal";

/// Reads the keys of a journal. This blocks.
///
/// # Errors
///
/// What keeps one from being used; never a part of it.
pub fn body_keys(
    journal: &config::Journal,
    environment: &dyn Environment,
) -> Result<BodyKeys, RosterError> {
    let read = |place: Option<&SecretRef>, what: &str| {
        place
            .map(|place| body_key(place, what, environment))
            .transpose()
    };
    Ok(BodyKeys {
        current: read(journal.encryption_key.as_ref(), CURRENT)?,
        previous: read(journal.encryption_key_previous.as_ref(), PREVIOUS)?,
    })
}

/// Which of the keys are in files that every user of this machine can read, with the file.
pub(crate) fn open_files(journal: &config::Journal) -> Vec<(String, String)> {
    let keys = [
        (CURRENT, &journal.encryption_key),
        (PREVIOUS, &journal.encryption_key_previous),
    ];
    let open = keys.into_iter().filter_map(|(what, place)| {
        let file = place.as_ref()?.open_file()?;
        Some((what.to_owned(), file.display().to_string()))
    });
    open.collect()
}

fn body_key(
    place: &SecretRef,
    what: &str,
    environment: &dyn Environment,
) -> Result<Arc<BodyKey>, RosterError> {
    let (what, at) = (what.to_owned(), place.to_string());
    let secret = match place.read(environment) {
        Ok(secret) => secret,
        Err(error) => {
            return Err(RosterError::Unreadable {
                what,
                place: at,
                error,
            });
        }
    };
    BodyKey::parse(secret.expose())
        .map(Arc::new)
        .map_err(|error| RosterError::NoBodyKey {
            what,
            place: at,
            error,
        })
}
