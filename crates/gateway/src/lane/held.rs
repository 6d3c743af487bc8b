//! Events of a lane that are set aside for a while and then tried again, so that they do not keep back the others:
//! [`StandsBack`] says why.
//!
//! They stay leased, so nothing else sends them, and in the books they wait. When their time is over, they
//! join the queue again. If the process ends before, they wait like all others.

use sluice_journal::{EventKey, Lease};

use crate::lane_state::StandsBack;

/// How long events stand back, in milliseconds: half an hour. To set one apart again takes some twenty
/// requests.
const HELD_MS: u64 = 30 * 60 * 1_000;

/// The same for events that only need to know what time it is: Meta is asked again then.
const UNDATED_MS: u64 = 60 * 1_000;

/// Events that stand back at once. More of them are not about single events any more.
const HELD_MAX: usize = 10_000;

/// While there are fewer, events of groups of which many are refused stand back. Further ones are tried, however
/// many requests are refused: a flood of wrong events must not keep a lane's good ones back.
const SUSPECTS_MAX: usize = 5_000;

impl StandsBack {
    fn for_ms(&self) -> u64 {
        match self {
            StandsBack::Odd(_) | StandsBack::Suspect => HELD_MS,
            StandsBack::Undated => UNDATED_MS,
        }
    }
}

/// There are too many already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany;

/// Those of one lane, the oldest first.
#[derive(Default)]
pub(crate) struct Held {
    leases: Vec<Aside>,
}

/// What is left of one batch.
struct Aside {
    /// In milliseconds since 1970.
    until_ms: u64,
    lease: Lease,
}

impl Held {
    /// Keeps what is left of a lease back. If there are too many, it waits in the queue as before.
    pub(crate) fn hold(
        &mut self,
        mut lease: Lease,
        why: &StandsBack,
        now_ms: u64,
    ) -> Result<(), TooMany> {
        if self.len() + lease.events.len() > HELD_MAX {
            return Err(TooMany);
        }
        // Their bodies, which may have 256 KiB each, are read again when they are leased again.
        for event in &mut lease.events {
            event.json = String::new();
        }
        self.leases.push(Aside {
            until_ms: now_ms.saturating_add(why.for_ms()),
            lease,
        });
        Ok(())
    }

    /// Whether there is room for events of groups of which many are refused.
    pub(crate) fn has_room_for_suspects(&self) -> bool {
        self.len() < SUSPECTS_MAX
    }

    /// How many events stand back.
    pub(crate) fn len(&self) -> usize {
        self.leases.iter().map(|it| it.lease.events.len()).sum()
    }

    /// The first few of them.
    pub(crate) fn first(&self, max: usize) -> Vec<EventKey> {
        let leases = self.leases.iter();
        let events = leases.flat_map(|it| &it.lease.events);
        events.map(|event| event.key).take(max).collect()
    }

    /// When the next ones join the queue again, in milliseconds since 1970.
    pub(crate) fn next_ms(&self) -> Option<u64> {
        self.leases.iter().map(|it| it.until_ms).min()
    }

    /// Lets those join the queue again whose time is over.
    pub(crate) fn release(&mut self, now_ms: u64) {
        self.leases.retain(|it| it.until_ms > now_ms);
    }

    /// Lets all of them join the queue again.
    pub(crate) fn release_all(&mut self) {
        self.leases.clear();
    }

    /// The clock was set back by this time.
    pub(crate) fn set_back(&mut self, by_ms: u64) {
        for it in &mut self.leases {
            it.until_ms = it.until_ms.saturating_sub(by_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use sluice_event::DatasetId;
    use sluice_journal::{LaneId, Leased};

    use super::*;

    fn lease(events: usize, given_back: &Arc<AtomicUsize>) -> Lease {
        let lane = LaneId {
            dataset: DatasetId::parse("1234567890123456").unwrap(),
            test_code: None,
            is_replay: false,
        };
        let event = |number: usize| Leased {
            key: EventKey(i64::try_from(number).unwrap()),
            source: "shop".to_owned(),
            event_name: "Lead".to_owned(),
            event_id: number.to_string(),
            json: "{}".to_owned(),
            accepted_ms: 0,
            expires_s: 0,
            is_deduplicated: true,
            intended_ms: None,
        };
        let given_back = Arc::clone(given_back);
        Lease::new(lane, (0..events).map(event).collect(), move |events| {
            given_back.fetch_add(events.len(), Ordering::Relaxed);
        })
    }

    #[test]
    fn events_stand_back_for_their_time_and_join_the_queue_again() {
        let given_back = Arc::new(AtomicUsize::new(0));
        let back = || given_back.load(Ordering::Relaxed);
        let mut held = Held::default();
        let why = StandsBack::Suspect;
        held.hold(lease(3, &given_back), &why, 1_000).unwrap();
        held.hold(lease(2, &given_back), &why, 5_000).unwrap();
        assert_eq!((held.len(), held.next_ms()), (5, Some(1_801_000)));
        let events = || held.leases.iter().flat_map(|it| &it.lease.events);
        assert!(events().all(|event| event.json.capacity() == 0));
        assert_eq!(held.first(4), [0, 1, 2, 0].map(EventKey));
        held.release(1_800_999);
        assert_eq!(back(), 0);
        held.release(1_801_000);
        assert_eq!((held.len(), back()), (2, 3));
        held.set_back(5_000);
        assert_eq!(held.next_ms(), Some(1_800_000));
        held.release_all();
        assert_eq!((held.len(), held.next_ms(), back()), (0, None, 5));
    }

    #[test]
    fn events_of_an_unknown_age_stand_back_for_a_minute() {
        let mut held = Held::default();
        let lease = lease(1, &Arc::default());
        held.hold(lease, &StandsBack::Undated, 1_000).unwrap();
        assert_eq!(held.next_ms(), Some(61_000));
    }

    #[test]
    fn there_is_an_end_to_how_many_stand_back() {
        let given_back = Arc::new(AtomicUsize::new(0));
        let mut held = Held::default();
        let why = StandsBack::Suspect;
        held.hold(lease(4_999, &given_back), &why, 0).unwrap();
        assert!(held.has_room_for_suspects());
        held.hold(lease(5_001, &given_back), &why, 0).unwrap();
        assert!(!held.has_room_for_suspects());
        let one = lease(1, &given_back);
        assert_eq!(held.hold(one, &why, 0), Err(TooMany));
        assert_eq!(given_back.load(Ordering::Relaxed), 1);
    }
}
