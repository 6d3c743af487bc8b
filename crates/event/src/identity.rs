//! Who an event is: the key by which a second copy is recognised.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

/// The id of a Meta dataset (a pixel's id is the same thing): digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DatasetId(Arc<str>);

/// The text is no dataset id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidDatasetId;

impl fmt::Display for InvalidDatasetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a dataset id has 5 to 20 digits")
    }
}

impl std::error::Error for InvalidDatasetId {}

impl DatasetId {
    /// Reads an id.
    ///
    /// # Errors
    ///
    /// [`InvalidDatasetId`] if the text is not 5 to 20 digits.
    pub fn parse(text: &str) -> Result<Self, InvalidDatasetId> {
        let is_id = (5..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        is_id.then(|| Self(text.into())).ok_or(InvalidDatasetId)
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DatasetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// 128 bits that stand for (dataset, `event_name`, `event_id`), the key of Meta's own deduplication.
///
/// The first half of a SHA-256: two different events share one with odds of n²/2¹²⁹, which is
/// 10⁻¹⁹ for a thousand million of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventIdentity([u8; 16]);

impl EventIdentity {
    /// The identity of an event in a dataset.
    pub fn of(dataset: &DatasetId, event_name: &str, event_id: &str) -> Self {
        let mut hasher = Sha256::new();
        // A zero byte ends each part, and no part but the last can hold one: digits, then a name
        // that is checked for control characters.
        for part in [dataset.as_str(), event_name, event_id] {
            hasher.update(part.as_bytes());
            hasher.update([0]);
        }
        let digest = hasher.finalize();
        let mut identity = [0; 16];
        identity.copy_from_slice(&digest[..16]);
        Self(identity)
    }

    /// The 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for EventIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_counts() {
        let one = DatasetId::parse("1234567890123456").unwrap();
        let other = DatasetId::parse("1234567890123457").unwrap();
        let identity = EventIdentity::of(&one, "Purchase", "A1");
        assert_eq!(identity, EventIdentity::of(&one, "Purchase", "A1"));
        for different in [
            EventIdentity::of(&other, "Purchase", "A1"),
            EventIdentity::of(&one, "purchase", "A1"),
            EventIdentity::of(&one, "Purchase", "A2"),
            EventIdentity::of(&one, "PurchaseA", "1"),
        ] {
            assert_ne!(identity, different);
        }
    }

    #[test]
    fn dataset_ids_are_digits() {
        for text in ["", "1234", "12a45678", "123456789012345678901", " 123456"] {
            assert_eq!(DatasetId::parse(text), Err(InvalidDatasetId), "{text}");
        }
    }
}
