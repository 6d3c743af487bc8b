//! Who may come in: sources, found by what their clients show.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::config::Source;

/// The sources, by what their clients show. Of a key there is the hash: what is compared tells nothing about how much
/// of it was right.
#[derive(Default)]
pub(crate) struct Callers {
    by_key: Vec<([u8; 32], Arc<Source>)>,
}

impl Callers {
    /// Lets a source in with the key that has this hash.
    pub(super) fn add_key(&mut self, digest: [u8; 32], source: Arc<Source>) {
        self.by_key.push((digest, source));
    }

    /// The source with this key.
    pub(crate) fn by_key(&self, key: &str) -> Option<Arc<Source>> {
        let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        let mut found = None;
        // To the end in any case, so the time does not tell which source it was.
        for (known, source) in &self.by_key {
            if bool::from(known.ct_eq(&digest)) {
                found = Some(source);
            }
        }
        found.cloned()
    }
}
