//! What lanes that send with one access token share: the budget of the hour, and that requests with it are right.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sluice_event::DatasetId;

use super::budget::Budget;

/// One access token in use.
#[derive(Debug, Default)]
pub(crate) struct Token {
    budget: Mutex<Budget>,
    /// Datasets to which something went through with it.
    proven: Mutex<HashSet<DatasetId>>,
}

impl Token {
    pub(crate) fn budget(&self) -> MutexGuard<'_, Budget> {
        whatever_is_in(&self.budget)
    }

    /// Something went through: requests to the dataset with this token are right.
    pub(crate) fn prove(&self, dataset: &DatasetId) {
        let mut proven = whatever_is_in(&self.proven);
        if !proven.contains(dataset) {
            proven.insert(dataset.clone());
        }
    }

    /// Whether anything has gone through.
    pub(crate) fn is_proven(&self, dataset: &DatasetId) -> bool {
        whatever_is_in(&self.proven).contains(dataset)
    }
}

/// All of them, by their fingerprints.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tokens {
    by_fingerprint: Arc<Mutex<HashMap<String, Arc<Token>>>>,
}

impl Tokens {
    /// The token with this fingerprint.
    pub(crate) fn of(&self, fingerprint: &str) -> Arc<Token> {
        let mut tokens = whatever_is_in(&self.by_fingerprint);
        Arc::clone(tokens.entry(fingerprint.to_owned()).or_default())
    }

    /// Forgets tokens that are not in use any more and with which nothing was sent in the last hour.
    pub(crate) fn forget(&self, is_in_use: impl Fn(&str) -> bool, now_ms: u64) {
        let mut tokens = whatever_is_in(&self.by_fingerprint);
        tokens.retain(|fingerprint, token| {
            is_in_use(fingerprint)
                || Arc::strong_count(token) > 1
                || !token.budget().is_untouched(now_ms)
        });
    }
}

/// What is behind these locks are counts and sets: whatever a panicking holder left behind can be used.
fn whatever_is_in<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_with_one_token_share_what_is_known_of_it() {
        let tokens = Tokens::default();
        let dataset = DatasetId::parse("1234567890123456").unwrap();
        let other = DatasetId::parse("2345678901234567").unwrap();
        tokens.of("a").budget().take(7, 0);
        tokens.of("a").prove(&dataset);
        assert_eq!(tokens.of("a").budget().left(10, 0), 3);
        assert_eq!(tokens.of("b").budget().left(10, 0), 10);
        assert!(tokens.of("a").is_proven(&dataset));
        assert!(!tokens.of("a").is_proven(&other));
        assert!(!tokens.of("b").is_proven(&dataset));
    }
}
