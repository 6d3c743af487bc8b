//! Finding the events that Meta refuses, when it refuses a whole batch for one of them. Pure.
//!
//! A batch of which Meta names the offender loses it, and the rest goes out again. A batch that is refused
//! without a name is cut in halves, the left one first. When the left half goes through, the offender is in
//! the right one, so that is cut without being sent whole. An event is set aside only after it was refused
//! alone or by name.
//!
//! One blind offender among `n` costs at most `2·log2(n) + 1` more requests than none: two a level where it
//! is in the left half, one where it is in the right, and one that confirms it.
//!
//! Halves are right for a rare offender. Where many are found, they mostly have a source and an event name in
//! common: then a part is first cut into that group and the others. Within a group the pieces are so small that
//! three of four may be expected to go through, for Meta counts an app's failed requests. What hardly can go
//! through goes last, and in pieces only: of 1,000 offenders in a row, each costs one request and not two.
//!
//! How many failed requests a sender has left is not known here. It says with each request how many events that
//! may have, and whether the events of groups of which many are refused are left for later ([`Limit`]).

/// Offenders from which on their share of a group counts: two are no rule.
const REFUSED_MIN: usize = 4;

/// Events that are still to be sent, as places in the batch.
#[derive(Debug)]
pub struct Search {
    /// The last part goes next.
    todo: Vec<Part>,
    /// The group of each place.
    groups: Vec<usize>,
    /// What was known of each group before this batch.
    known: Vec<Found>,
    /// What became of the events of each group in this batch.
    found: Vec<Found>,
    /// Events of suspect groups were left for later.
    has_left: bool,
}

/// What the next request may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Events in it.
    pub events_max: usize,
    /// Events of groups of which more than a tenth is refused are left for later.
    pub leaves_suspects: bool,
}

impl Limit {
    /// None.
    pub const NONE: Self = Self {
        events_max: usize::MAX,
        leaves_suspects: false,
    };
}

/// Events that go in one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Their places in the batch, in order.
    pub places: Vec<usize>,
    origin: Origin,
    /// The right twin is next on the list, and was refused together with this part.
    has_twin: bool,
    /// An offender is known to be among them.
    is_guilty: bool,
}

/// Where a part comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// It was not posted yet.
    Batch,
    /// From a part that did not go through.
    Search,
    /// The same; and others go before it, because it hardly can go through.
    PutOff,
}

/// How many events were refused, and how many went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Found {
    /// Refused alone or by name.
    pub refused: usize,
    /// Went through.
    pub delivered: usize,
}

impl Found {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            refused: self.refused + other.refused,
            delivered: self.delivered + other.delivered,
        }
    }

    fn is_telling(self) -> bool {
        self.refused >= REFUSED_MIN
    }

    /// More than a tenth was refused.
    fn is_suspect(self) -> bool {
        self.is_telling() && self.refused * 9 > self.delivered
    }

    /// More than a fifth was refused.
    fn is_many(self) -> bool {
        self.is_telling() && self.refused * 4 > self.delivered
    }

    /// How many events may go together so that about three of four such requests go through: 0.3 offenders are
    /// to be expected among them.
    fn piece(self) -> usize {
        if !self.is_telling() {
            return usize::MAX;
        }
        ((self.refused + self.delivered) * 3 / (self.refused * 10)).max(1)
    }
}

impl Part {
    fn new(places: Vec<usize>) -> Self {
        Self {
            places,
            origin: Origin::Batch,
            has_twin: false,
            is_guilty: false,
        }
    }
}

impl Search {
    /// A batch that is to be sent in these requests, in order. `groups` has a number for each event: the same
    /// for what may have the same flaw. `known` has what is known of each group, if anything is.
    pub fn new(
        requests: impl IntoIterator<Item = Vec<usize>>,
        groups: Vec<usize>,
        mut known: Vec<Found>,
    ) -> Self {
        let parts = requests.into_iter().filter(|places| !places.is_empty());
        let mut todo: Vec<Part> = parts.map(Part::new).collect();
        todo.reverse();
        let count = groups.iter().max().map_or(0, |last| last + 1);
        known.resize(count, Found::default());
        Self {
            todo,
            groups,
            known,
            found: vec![Found::default(); count],
            has_left: false,
        }
    }

    /// The next part to send.
    pub fn next(&mut self, limit: Limit) -> Option<Part> {
        loop {
            let mut part = self.todo.pop()?;
            if limit.leaves_suspects {
                self.leave_suspects(&mut part);
            }
            if part.places.is_empty() {
                continue;
            }
            if self.worst_of_many(&part).is_some() {
                self.cut(&part);
                continue;
            }
            let is_hopeless = part.places.len() / 2 > self.piece(&part)
                && (part.origin != Origin::Batch || self.known_of(&part).is_many());
            if is_hopeless && part.origin != Origin::PutOff && !self.todo.is_empty() {
                // What may go through is not kept waiting by what hardly can. The twin goes before it, and
                // nothing is known of that from a part that went later.
                part.origin = Origin::PutOff;
                part.has_twin = false;
                self.todo.insert(0, part);
            } else if part.places.len() > 1 && (part.is_guilty || is_hopeless) {
                self.cut(&part);
            } else {
                return Some(self.no_more_than(limit.events_max, part));
            }
        }
    }

    /// Leaves the events of suspect groups for later. Which of the others is guilty is not known then.
    fn leave_suspects(&mut self, part: &mut Part) {
        let before = part.places.len();
        part.places
            .retain(|place| !self.of_group(self.groups[*place]).is_suspect());
        if part.places.len() < before {
            self.has_left = true;
            part.is_guilty = false;
            part.has_twin = false;
        }
    }

    /// The beginning of a part; the rest goes next.
    fn no_more_than(&mut self, events_max: usize, mut part: Part) -> Part {
        let rest = part
            .places
            .split_off(part.places.len().min(events_max.max(1)));
        if !rest.is_empty() {
            part.has_twin = false;
            self.todo.push(Part {
                origin: part.origin,
                ..Part::new(rest)
            });
        }
        part
    }

    /// Whether events of groups of which more than a tenth is refused were left for later.
    pub fn has_left(&self) -> bool {
        self.has_left
    }

    /// What became of the events of each group in this batch.
    pub fn found(&self) -> &[Found] {
        &self.found
    }

    /// The part went through.
    pub fn delivered(&mut self, part: &Part) {
        for place in &part.places {
            self.found[self.groups[*place]].delivered += 1;
        }
        if part.has_twin
            && let Some(twin) = self.todo.last_mut()
        {
            twin.is_guilty = true;
        }
    }

    /// The part was refused and the offenders named, as places within the part; the others go again.
    pub fn refused_by_name(&mut self, part: Part, offenders: &[usize]) -> Vec<usize> {
        let (mut refused, mut rest) = (Vec::new(), Vec::new());
        for (index, place) in part.places.into_iter().enumerate() {
            if offenders.contains(&index) {
                self.found[self.groups[place]].refused += 1;
                refused.push(place);
            } else {
                rest.push(place);
            }
        }
        if !rest.is_empty() {
            self.todo.push(Part {
                origin: Origin::Search,
                ..Part::new(rest)
            });
        }
        refused
    }

    /// The part was refused and Meta does not say for which event: a single one is the offender, more are cut.
    pub fn refused(&mut self, part: Part) -> Option<usize> {
        if let [place] = part.places.as_slice() {
            self.found[self.groups[*place]].refused += 1;
            return Some(*place);
        }
        self.cut(&Part {
            is_guilty: true,
            ..part
        });
        None
    }

    /// Puts two pieces of a part on the list. One piece of a guilty part that goes through leaves the guilt to
    /// the other.
    fn cut(&mut self, part: &Part) {
        let (left, right) = self.pieces(part);
        self.todo.push(Part {
            origin: Origin::Search,
            ..Part::new(right)
        });
        self.todo.push(Part {
            origin: Origin::Search,
            has_twin: part.is_guilty,
            ..Part::new(left)
        });
    }

    fn pieces(&self, part: &Part) -> (Vec<usize>, Vec<usize>) {
        if let Some(worst) = self.worst_of_many(part) {
            // What may go through first, its offenders last.
            let places = part.places.iter().copied();
            return places.partition(|place| self.groups[*place] != worst);
        }
        let half = part.places.len().div_ceil(2);
        let mut left = part.places.clone();
        let right = left.split_off(half.min(self.piece(part)));
        (left, right)
    }

    /// The group with the most offenders in a part of several groups, if many of it are.
    fn worst_of_many(&self, part: &Part) -> Option<usize> {
        let mut groups = part.places.iter().map(|place| self.groups[*place]);
        let first = groups.next()?;
        if groups.all(|group| group == first) {
            return None;
        }
        let groups = part.places.iter().map(|place| self.groups[*place]);
        let worst = groups.max_by_key(|group| self.of_group(*group).refused)?;
        self.of_group(worst).is_many().then_some(worst)
    }

    fn of_group(&self, group: usize) -> Found {
        self.known[group].plus(self.found[group])
    }

    /// What is known of the groups of a part.
    fn known_of(&self, part: &Part) -> Found {
        let mut is_seen = vec![false; self.found.len()];
        let groups = part.places.iter().map(|place| self.groups[*place]);
        let new = groups.filter(|group| !std::mem::replace(&mut is_seen[*group], true));
        let found = new.map(|group| self.of_group(group));
        found.fold(Found::default(), Found::plus)
    }

    fn piece(&self, part: &Part) -> usize {
        self.known_of(part).piece()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Sends a batch to a judge that refuses `bad` and names the offender or not. Returns what was
    /// refused, what was delivered, and how many requests it took.
    fn run(count: usize, bad: &[usize], names: bool) -> (Vec<usize>, Vec<usize>, usize) {
        let mut search = Search::new([(0..count).collect()], vec![0; count], Vec::new());
        let (mut refused, mut delivered, mut requests) = (Vec::new(), Vec::new(), 0);
        while let Some(part) = search.next(Limit::NONE) {
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
        let mut search = Search::new([], Vec::new(), Vec::new());
        assert!(search.next(Limit::NONE).is_none());
    }

    #[test]
    fn requests_go_in_order_and_are_cut_each_for_itself() {
        let mut search = Search::new([vec![0], vec![1, 2], vec![3, 4]], vec![0; 5], Vec::new());
        let first = search.next(Limit::NONE).unwrap();
        assert_eq!(first.places, [0]);
        search.delivered(&first);
        let second = search.next(Limit::NONE).unwrap();
        assert_eq!(second.places, [1, 2]);
        assert_eq!(search.refused(second), None);
        let rest: Vec<_> = std::iter::from_fn(|| search.next(Limit::NONE)).collect();
        let places: Vec<_> = rest.iter().map(|part| part.places.as_slice()).collect();
        assert_eq!(places, [&[1][..], &[2], &[3, 4]]);
    }

    #[test]
    fn a_request_has_no_more_events_than_it_may() {
        let mut search = Search::new([(0..7).collect()], vec![0; 7], Vec::new());
        let mut sizes = Vec::new();
        let mut next = |events_max| {
            let limit = Limit {
                events_max,
                ..Limit::NONE
            };
            let part = search.next(limit)?;
            sizes.push(part.places.len());
            search.delivered(&part);
            Some(())
        };
        for events_max in [0, 2, 100] {
            next(events_max).unwrap();
        }
        assert_eq!(next(1), None);
        assert_eq!(sizes, [1, 2, 4]);
    }

    const MOSTLY_REFUSED: Found = Found {
        refused: 9,
        delivered: 1,
    };

    #[test]
    fn what_is_known_of_a_group_spares_the_others_its_search() {
        let groups: Vec<_> = (0..40).map(|place| place % 2).collect();
        let known = vec![Found::default(), MOSTLY_REFUSED];
        let mut search = Search::new([(0..40).collect()], groups.clone(), known.clone());
        let first = search.next(Limit::NONE).unwrap();
        assert_eq!(first.places, (0..40).step_by(2).collect::<Vec<_>>());
        search.delivered(&first);
        assert_eq!(search.next(Limit::NONE).unwrap().places, [1]);

        let mut search = Search::new([(0..40).collect()], groups, known);
        let limit = Limit {
            events_max: usize::MAX,
            leaves_suspects: true,
        };
        let first = search.next(limit).unwrap();
        assert_eq!(first.places.len(), 20);
        assert!(search.has_left());
        search.delivered(&first);
        assert_eq!(search.next(limit), None);
    }

    /// A half that goes last says nothing about what is next on the list then.
    #[test]
    fn a_half_that_is_put_off_blames_no_other_part() {
        // A part of the groups 0 and 1 that has an offender, and before it on the list parts of 0 and 2.
        let groups = vec![0, 0, 0, 0, 1, 0, 2, 2, 2, 2];
        let mut search = Search::new([], groups, Vec::new());
        let telling = Found {
            refused: 6,
            delivered: 6,
        };
        search.found = vec![telling, MOSTLY_REFUSED, telling];
        let part = |places: std::ops::Range<usize>| Part {
            origin: Origin::Search,
            ..Part::new(places.collect())
        };
        let guilty = Part {
            is_guilty: true,
            ..part(0..5)
        };
        search.todo = vec![part(6..10), part(5..6), guilty];
        let mut next = |well_known: usize| {
            let part = search.next(Limit::NONE)?;
            search.delivered(&part);
            search.found[well_known].delivered += 1_000;
            Some(part.places)
        };
        assert_eq!(next(1), Some(vec![4]));
        assert_eq!(next(0), Some(vec![5]));
        // Group 2 is still hopeless, so the half of group 0 goes before it after all.
        assert_eq!(next(2), Some(vec![0, 1, 2, 3]));
        assert_eq!(next(2), Some(vec![6, 7, 8, 9]));
        assert_eq!(next(2), None);
    }

    /// Requests that were refused, and all requests, until the last good event was delivered and until the
    /// end: of a batch in groups, of which `bad` are offenders that Meta does not name.
    fn cost(groups: &[usize], bad: impl Fn(usize) -> bool) -> (usize, usize, usize) {
        let count = groups.len();
        let mut search = Search::new([(0..count).collect()], groups.to_vec(), Vec::new());
        let (mut refused, mut requests, mut good_until, mut aside) = (0, 0, 0, 0);
        while let Some(part) = search.next(Limit::NONE) {
            requests += 1;
            if part.places.iter().any(|place| bad(*place)) {
                refused += 1;
                aside += usize::from(search.refused(part).is_some());
            } else {
                search.delivered(&part);
                good_until = requests;
            }
        }
        assert_eq!(aside, (0..count).filter(|place| bad(*place)).count());
        (refused, good_until, requests)
    }

    #[test]
    fn a_batch_of_offenders_costs_one_request_each() {
        let (refused, _, requests) = cost(&[0; 1_000], |_| true);
        assert!(
            refused <= 1_030 && requests == refused,
            "{refused}, {requests}"
        );
    }

    /// Two sources or event names take turns, and all events of one are wrong.
    #[test]
    fn a_group_of_offenders_keeps_no_other_waiting() {
        let groups: Vec<_> = (0..1_000).map(|place| place % 2).collect();
        let (refused, good_until, requests) = cost(&groups, |place| place % 2 == 1);
        assert!(good_until <= 35, "{good_until}");
        assert!(refused <= 530 && requests <= 545, "{refused} of {requests}");
    }

    #[test]
    fn the_more_offenders_the_fewer_requests_are_refused_for_each() {
        for (every, refused_max, requests_max) in [
            (2, 525, 1_025),
            (3, 360, 1_020),
            (5, 220, 1_005),
            (10, 220, 710),
            (50, 90, 220),
        ] {
            let (refused, _, requests) = cost(&[0; 1_000], |place| place % every == 0);
            let is_little = refused <= refused_max && requests <= requests_max;
            assert!(is_little, "every {every}: {refused} of {requests}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_groups_exactly_the_offenders_are_found(
            groups in prop::collection::vec(0_usize..4, 1..200),
            bad in prop::collection::btree_set(0_usize..200, 0..120),
        ) {
            // It compares them itself.
            let _cost = cost(&groups, |place| bad.contains(&place));
        }

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
