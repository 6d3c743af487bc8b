//! A family of series whose labels are known, so that those of what the configuration does not name any more can be
//! taken away.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;
use std::ops::Deref;
use std::sync::{PoisonError, RwLock};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::{Family, MetricConstructor};

/// A family of series, and the labels of those that there are.
pub(crate) struct Series<L, M, C = fn() -> M> {
    family: Family<L, M, C>,
    labels: RwLock<HashSet<L>>,
}

impl<L: Clone + Hash + Eq, M: Default> Default for Series<L, M> {
    fn default() -> Self {
        Self::of(Family::default())
    }
}

impl<L: Clone + Hash + Eq, M, C> Series<L, M, C> {
    pub(crate) fn of(family: Family<L, M, C>) -> Self {
        Self {
            family,
            labels: RwLock::default(),
        }
    }

    /// The family, to be registered.
    pub(crate) fn family(&self) -> Family<L, M, C>
    where
        C: Clone,
    {
        self.family.clone()
    }
}

impl<L, M, C> Series<L, M, C>
where
    L: EncodeLabelSet + Clone + Hash + Eq + Debug,
    C: MetricConstructor<M>,
{
    /// The series with this label.
    pub(crate) fn get_or_create(&self, label: &L) -> impl Deref<Target = M> + '_ {
        // A set is right whatever a panicking holder was about.
        let labels = self.labels.read().unwrap_or_else(PoisonError::into_inner);
        let is_known = labels.contains(label);
        drop(labels);
        if !is_known {
            let mut labels = self.labels.write().unwrap_or_else(PoisonError::into_inner);
            labels.insert(label.clone());
        }
        self.family.get_or_create(label)
    }

    /// Takes the series away whose labels are not to be kept.
    pub(crate) fn retain(&self, keep: impl Fn(&L) -> bool) {
        let mut labels = self.labels.write().unwrap_or_else(PoisonError::into_inner);
        let all = std::mem::take(&mut *labels).into_iter();
        let (kept, gone): (HashSet<L>, HashSet<L>) = all.partition(keep);
        *labels = kept;
        // One that holds a series of the family may be about to ask for the labels.
        drop(labels);
        for label in &gone {
            self.family.remove(label);
        }
    }
}
