//! What all lanes that send with one access token share: the budget of the hour, and which datasets requests with it
//! reach. Gateways that share a journal share this as well, so it is asked for asynchronously and taken in portions.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sluice_event::DatasetId;

use crate::answer::Answer;
use crate::budget::Budget;

/// What is left of the budget of the hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetLeft {
    /// Events that may go now.
    pub events: usize,
    /// When there are more at the latest, in milliseconds since 1970.
    pub free_ms: u64,
}

/// Budgets and proofs of access tokens, each by a fingerprint that does not show it.
pub trait Tokens: Send + Sync {
    /// What is left of the hour's `limit`; without a limit, everything.
    fn left<'a>(
        &'a self,
        token: &'a str,
        limit: Option<usize>,
        now_ms: u64,
    ) -> Answer<'a, BudgetLeft>;

    /// Takes up to this many events from the hour, and says how many: never more than are left, whoever takes at the
    /// same moment.
    fn take<'a>(
        &'a self,
        token: &'a str,
        events: usize,
        limit: Option<usize>,
        now_ms: u64,
    ) -> Answer<'a, usize>;

    /// Gives events back that were taken at this time and not sent.
    fn give_back<'a>(&'a self, token: &'a str, events: usize, taken_ms: u64) -> Answer<'a, ()>;

    /// Counts events that were sent at this time before the start. One that remembers over a start knows them already.
    fn recall<'a>(&'a self, token: &'a str, events: usize, sent_ms: u64) -> Answer<'a, ()>;

    /// Something went through: requests to the dataset with this token are right.
    fn prove<'a>(&'a self, token: &'a str, dataset: &'a DatasetId) -> Answer<'a, ()>;

    /// Whether anything has gone through.
    fn is_proven<'a>(&'a self, token: &'a str, dataset: &'a DatasetId) -> Answer<'a, bool>;

    /// Forgets tokens that are not in use any more and with which nothing was sent in the last hour.
    fn forget(&self, in_use: HashSet<String>, now_ms: u64) -> Answer<'_, ()>;
}

/// Those of one gateway that has its journal alone.
#[derive(Debug, Default)]
pub struct TokensInMemory {
    known: Mutex<HashMap<String, Known>>,
}

/// What is known of a token.
#[derive(Debug, Default)]
struct Known {
    budget: Budget,
    /// Datasets to which something went through with it.
    proven: HashSet<DatasetId>,
}

impl TokensInMemory {
    /// Does something with what is known of a token.
    fn with<T>(&self, token: &str, work: impl FnOnce(&mut Known) -> T) -> T {
        let mut known = self.known();
        if let Some(known) = known.get_mut(token) {
            return work(known);
        }
        work(known.entry(token.to_owned()).or_default())
    }

    /// What is behind the lock are counts and sets: whatever a panicking holder left behind can be used.
    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tokens for TokensInMemory {
    fn left<'a>(
        &'a self,
        token: &'a str,
        limit: Option<usize>,
        now_ms: u64,
    ) -> Answer<'a, BudgetLeft> {
        Box::pin(async move {
            Ok(self.with(token, |known| BudgetLeft {
                events: known.budget.left(limit, now_ms),
                free_ms: known.budget.free_at_ms(now_ms),
            }))
        })
    }

    fn take<'a>(
        &'a self,
        token: &'a str,
        events: usize,
        limit: Option<usize>,
        now_ms: u64,
    ) -> Answer<'a, usize> {
        Box::pin(async move {
            Ok(self.with(token, |known| {
                let granted = events.min(known.budget.left(limit, now_ms));
                known.budget.take(granted, now_ms);
                granted
            }))
        })
    }

    fn give_back<'a>(&'a self, token: &'a str, events: usize, taken_ms: u64) -> Answer<'a, ()> {
        Box::pin(async move {
            self.with(token, |known| known.budget.give_back(events, taken_ms));
            Ok(())
        })
    }

    fn recall<'a>(&'a self, token: &'a str, events: usize, sent_ms: u64) -> Answer<'a, ()> {
        Box::pin(async move {
            self.with(token, |known| known.budget.add(events, sent_ms));
            Ok(())
        })
    }

    fn prove<'a>(&'a self, token: &'a str, dataset: &'a DatasetId) -> Answer<'a, ()> {
        Box::pin(async move {
            self.with(token, |known| {
                if !known.proven.contains(dataset) {
                    known.proven.insert(dataset.clone());
                }
            });
            Ok(())
        })
    }

    fn is_proven<'a>(&'a self, token: &'a str, dataset: &'a DatasetId) -> Answer<'a, bool> {
        Box::pin(async move { Ok(self.with(token, |known| known.proven.contains(dataset))) })
    }

    fn forget(&self, in_use: HashSet<String>, now_ms: u64) -> Answer<'_, ()> {
        Box::pin(async move {
            let is_kept = |token: &String, known: &mut Known| {
                in_use.contains(token) || !known.budget.is_untouched(now_ms)
            };
            self.known().retain(is_kept);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_who_send_with_a_token_share_what_is_known_of_it() {
        let tokens = TokensInMemory::default();
        let dataset = DatasetId::parse("1234567890123456").unwrap();
        let other = DatasetId::parse("2345678901234567").unwrap();
        let limit = Some(10);
        assert_eq!(tokens.take("a", 7, limit, 0).await.unwrap(), 7);
        tokens.prove("a", &dataset).await.unwrap();
        let left = async |token| tokens.left(token, limit, 0).await.unwrap().events;
        assert_eq!((left("a").await, left("b").await), (3, 10));
        for (token, dataset, expected) in [
            ("a", &dataset, true),
            ("a", &other, false),
            ("b", &dataset, false),
        ] {
            assert_eq!(tokens.is_proven(token, dataset).await.unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn no_more_is_taken_than_is_left() {
        let tokens = TokensInMemory::default();
        let limit = Some(10);
        tokens.recall("a", 2, 0).await.unwrap();
        assert_eq!(tokens.take("a", 6, limit, 60_000).await.unwrap(), 6);
        assert_eq!(tokens.take("a", 6, limit, 60_000).await.unwrap(), 2);
        assert_eq!(tokens.take("a", 6, limit, 60_000).await.unwrap(), 0);
        tokens.give_back("a", 5, 60_000).await.unwrap();
        assert_eq!(tokens.take("a", 6, limit, 120_000).await.unwrap(), 5);
        let left = tokens.left("a", limit, 120_000).await.unwrap();
        // What was sent before the start is the oldest.
        let free_ms = 60 * 60_000;
        assert_eq!(left, BudgetLeft { events: 0, free_ms });
        assert_eq!(tokens.take("a", 6, None, 120_000).await.unwrap(), 6);
    }

    #[tokio::test]
    async fn a_token_is_forgotten_an_hour_after_its_last_use() {
        let tokens = TokensInMemory::default();
        let dataset = DatasetId::parse("1234567890123456").unwrap();
        for token in ["used", "unused"] {
            tokens.take(token, 7, None, 0).await.unwrap();
            tokens.prove(token, &dataset).await.unwrap();
        }
        for (minute, is_known) in [(59, true), (60, false)] {
            let in_use = HashSet::from(["used".to_owned()]);
            tokens.forget(in_use, minute * 60_000).await.unwrap();
            let known = async |token| tokens.is_proven(token, &dataset).await.unwrap();
            let known = (known("used").await, known("unused").await);
            assert_eq!(known, (true, is_known), "{minute}");
        }
    }

    #[tokio::test]
    async fn takers_at_the_same_moment_get_the_hour_and_no_more() {
        let tokens = TokensInMemory::default();
        let takes = (0..40).map(|_| tokens.take("a", 7, Some(100), 0));
        let mut sum = 0;
        for take in takes.collect::<Vec<_>>() {
            sum += take.await.unwrap();
        }
        assert_eq!(sum, 100);
    }
}
