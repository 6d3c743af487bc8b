//! The orders of the last events, by which the door tells that a sale came under two ids.
//!
//! Meta joins two reports of a sale by their `event_id`. Of a sale that comes under two ids nothing recognises that it
//! is one, so it counts twice. All that can be done is to tell, and memory is enough for that.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Orders of a generation. Two are kept, at about 24 bytes an order.
const ORDERS_MAX: usize = 50_000;

/// The ids under which orders came, both as hashes.
#[derive(Default)]
pub(crate) struct Orders(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    young: HashMap<u64, u64>,
    old: HashMap<u64, u64>,
}

impl Orders {
    /// Notes the id under which an order came; tells whether it is known under another one.
    pub(crate) fn note(&self, order: u64, id: u64) -> bool {
        // The lock is held for a lookup, and no code that can panic runs under it.
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        generations.note(order, id, ORDERS_MAX)
    }
}

impl Generations {
    fn note(&mut self, order: u64, id: u64, max: usize) -> bool {
        if let Some(known) = self.young.get(&order).or_else(|| self.old.get(&order)) {
            return *known != id;
        }
        if self.young.len() == max {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(order, id);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_orders_are_known() {
        let mut orders = Generations::default();
        for order in 1..=4 {
            assert!(!orders.note(order, order * 10, 2), "{order} is new");
        }
        assert!(!orders.note(4, 40, 2), "the same id");
        assert!(orders.note(4, 41, 2), "another id");
        assert!(orders.note(1, 11, 2), "of the older generation");
        assert!(!orders.note(5, 50, 2));
        assert!(!orders.note(1, 12, 2), "forgotten with its generation");
        assert!(orders.young.len() <= 2 && orders.old.len() <= 2);
    }
}
