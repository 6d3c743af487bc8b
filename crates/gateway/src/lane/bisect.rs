//! Finding the events that Meta refuses, when it refuses a whole batch for one of them.
//!
//! A batch of which Meta names the offender loses it, and the rest goes out again. A batch that is refused
//! without a name is cut in halves, the left one first. When the left half goes through, the offender is in
//! the right one, so that is cut without being sent whole. An event is set aside only after it was refused
//! alone or by name.
//!
//! One blind offender among `n` costs at most `2·log2(n) + 1` more requests than none: two a level where it
//! is in the left half, one where it is in the right, and one that confirms it.

/// Events that are still to be sent, as places in the batch.
#[derive(Debug)]
pub(crate) struct Search {
    /// The last part goes next.
    todo: Vec<Part>,
}

/// Events that go in one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// Their places in the batch, in order.
    pub(crate) places: Vec<usize>,
    /// The right twin is next on the list, and was refused together with this part.
    has_twin: bool,
    /// An offender is known to be among them.
    is_guilty: bool,
}

impl Part {
    fn new(places: Vec<usize>) -> Self {
        Self {
            places,
            has_twin: false,
            is_guilty: false,
        }
    }
}

impl Search {
    /// A batch that is to be sent in these requests, in order.
    pub(crate) fn new(requests: impl IntoIterator<Item = Vec<usize>>) -> Self {
        let parts = requests.into_iter().filter(|places| !places.is_empty());
        let mut todo: Vec<Part> = parts.map(Part::new).collect();
        todo.reverse();
        Self { todo }
    }

    /// The next part to send.
    pub(crate) fn next(&mut self) -> Option<Part> {
        loop {
            let part = self.todo.pop()?;
            if part.is_guilty && part.places.len() > 1 {
                self.halve(part);
            } else {
                return Some(part);
            }
        }
    }

    /// The part went through.
    pub(crate) fn delivered(&mut self, part: &Part) {
        if part.has_twin
            && let Some(twin) = self.todo.last_mut()
        {
            twin.is_guilty = true;
        }
    }

    /// The part was refused and the offenders named, as places within the part; the others go again.
    pub(crate) fn refused_by_name(&mut self, part: Part, offenders: &[usize]) -> Vec<usize> {
        let (mut refused, mut rest) = (Vec::new(), Vec::new());
        for (index, place) in part.places.into_iter().enumerate() {
            if offenders.contains(&index) {
                refused.push(place);
            } else {
                rest.push(place);
            }
        }
        if !rest.is_empty() {
            self.todo.push(Part::new(rest));
        }
        refused
    }

    /// The part was refused and nobody says why: a single event is the offender, more are halved.
    pub(crate) fn refused(&mut self, part: Part) -> Option<usize> {
        if let [place] = part.places.as_slice() {
            return Some(*place);
        }
        self.halve(part);
        None
    }

    fn halve(&mut self, part: Part) {
        let mut left = part.places;
        let right = left.split_off(left.len().div_ceil(2));
        self.todo.push(Part::new(right));
        self.todo.push(Part {
            has_twin: true,
            ..Part::new(left)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Sends a batch to a judge that refuses `bad` and names the offender or not. Returns what was
    /// refused, what was delivered, and how many requests it took.
    fn run(count: usize, bad: &[usize], names: bool) -> (Vec<usize>, Vec<usize>, usize) {
        let mut search = Search::new([(0..count).collect()]);
        let (mut refused, mut delivered, mut requests) = (Vec::new(), Vec::new(), 0);
        while let Some(part) = search.next() {
            requests += 1;
            let offender = part.places.iter().position(|place| bad.contains(place));
            match offender {
                None => {
                    search.delivered(&part);
                    delivered.extend(part.places);
                }
                Some(index) if names => refused.extend(search.refused_by_name(part, &[index])),
                Some(_) => refused.extend(search.refused(part)),
            }
        }
        refused.sort_unstable();
        delivered.sort_unstable();
        (refused, delivered, requests)
    }

    #[test]
    fn one_blind_offender_costs_two_requests_a_level_at_most() {
        for count in [1_usize, 2, 3, 7, 100, 1_000] {
            let allowed = 2.0 * f64::from(u32::try_from(count).unwrap()).log2() + 1.0;
            for bad in 0..count {
                let (refused, delivered, requests) = run(count, &[bad], false);
                assert_eq!(refused, [bad]);
                assert_eq!(delivered.len(), count - 1);
                let extra = f64::from(u32::try_from(requests - 1).unwrap());
                assert!(extra <= allowed, "{bad} of {count}: {extra} extra requests");
            }
        }
    }

    #[test]
    fn a_named_offender_costs_one_request() {
        let (refused, delivered, requests) = run(1_000, &[3, 700], true);
        assert_eq!((refused, delivered.len(), requests), (vec![3, 700], 998, 3));
    }

    #[test]
    fn an_empty_batch_is_not_sent() {
        assert!(Search::new([]).next().is_none());
    }

    #[test]
    fn requests_go_in_order_and_are_cut_each_for_itself() {
        let mut search = Search::new([vec![0], vec![1, 2], vec![3, 4]]);
        let first = search.next().unwrap();
        assert_eq!(first.places, [0]);
        search.delivered(&first);
        let second = search.next().unwrap();
        assert_eq!(second.places, [1, 2]);
        assert_eq!(search.refused(second), None);
        let rest: Vec<_> = std::iter::from_fn(|| search.next()).collect();
        let places: Vec<_> = rest.iter().map(|part| part.places.as_slice()).collect();
        assert_eq!(places, [&[1][..], &[2], &[3, 4]]);
    }

    proptest! {
        #[test]
        fn exactly_the_offenders_are_refused(
            count in 1_usize..200,
            bad in prop::collection::btree_set(0_usize..200, 0..12),
            names: bool,
        ) {
            let bad: Vec<_> = bad.into_iter().filter(|place| *place < count).collect();
            let (refused, delivered, _) = run(count, &bad, names);
            prop_assert_eq!(&refused, &bad);
            let good: Vec<_> = (0..count).filter(|place| !bad.contains(place)).collect();
            prop_assert_eq!(delivered, good);
        }
    }
}
