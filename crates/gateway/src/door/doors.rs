//! What all doors share.

use std::hash::RandomState;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sluice_journal::{Journal, LaneId, Waiting};
use tokio_util::task::TaskTracker;

use super::auth::Caller;
use super::body::Room;
use super::descriptors;
use super::orders::Orders;
use super::pace::Paces;
use super::peers::Peers;
use super::server::Timeouts;
use super::shares::Shares;
use super::stage::Stages;
use super::test_codes::TestCodes;
use super::wrong_keys::WrongKeys;
use crate::board::Board;
use crate::directives::Directives;
use crate::roster::{Snapshot, Snapshots};
use crate::time::Time;
use crate::watch::Watch;

/// Bytes that all bodies together may hold in memory.
const ROOM_BYTES: usize = 192 * 1024 * 1024;

/// Unpacked bodies of the largest size for which there is room at least: one source may hold half of the room, for one
/// such body and for what is made of it.
const BODIES_MIN: usize = 4;

/// What those of them may hold whose callers are not known before the body is read: half of it.
const STRANGERS_PART: usize = 2;

/// A gateway whose last request with the key of a source is older than this, in milliseconds, is not in use.
const IN_USE_MS: u64 = 60_000;

/// What all doors share.
pub(crate) struct Doors {
    pub(super) journal: Arc<dyn Journal>,
    pub(super) clock: Arc<Time>,
    pub(super) watch: Watch,
    pub(super) board: Board,
    pub(super) directives: Directives,
    snapshots: Snapshots,
    pub(super) room: Room,
    shares: Shares,
    /// The part of it for requests whose caller is not known before their body is read.
    pub(super) strangers_room: Room,
    pub(super) wrong_keys: WrongKeys,
    pub(super) paces: Paces,
    pub(super) peers: Arc<Peers>,
    /// Connections that may be open.
    pub(crate) places: usize,
    pub(super) used_codes: TestCodes,
    pub(super) orders: Orders,
    /// Hashes orders, so that nobody can choose which of them meet.
    pub(super) order_hasher: RandomState,
    pub(crate) stages: Stages,
    /// Requests that are being answered.
    pub(super) running: TaskTracker,
    /// When the last request with events of a source came, in milliseconds since 1970; 0 before the first.
    pub(super) asked_ms: AtomicU64,
}

impl Doors {
    pub(crate) fn new(
        snapshots: Snapshots,
        journal: Arc<dyn Journal>,
        clock: Arc<Time>,
        watch: Watch,
        (board, directives): (Board, Directives),
        stages: Stages,
    ) -> Self {
        let config = Arc::clone(&snapshots.borrow().config);
        let server = &config.server;
        let room_bytes = ROOM_BYTES.max(BODIES_MIN * server.decoded_bytes_max);
        let room = Room::new(room_bytes);
        let places = descriptors::connections_max(server.connections_max);
        let strangers_room = room.part(room_bytes / STRANGERS_PART);
        Self {
            journal,
            clock,
            watch,
            board,
            directives,
            snapshots,
            peers: Arc::new(Peers::new(
                places,
                (strangers_room.clone(), room_bytes / STRANGERS_PART),
                server.decoded_bytes_max.max(server.body_bytes_max),
            )),
            shares: Shares::default(),
            strangers_room,
            wrong_keys: WrongKeys::default(),
            paces: Paces::default(),
            places,
            room,
            used_codes: TestCodes::default(),
            orders: Orders::default(),
            order_hasher: RandomState::new(),
            stages,
            running: TaskTracker::new(),
            asked_ms: AtomicU64::new(0),
        }
    }

    /// What is in force at this moment. A request goes on to its end with the one that it began with.
    pub(super) fn now(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }

    /// How long a connection that is opened now may take.
    pub(super) fn timeouts(&self) -> Timeouts {
        let snapshot = self.snapshots.borrow();
        let server = &snapshot.config.server;
        Timeouts {
            idle: server.idle_timeout,
            read: server.read_timeout,
        }
    }

    /// Room for the bodies of a source, and for what is made of them.
    pub(super) fn room_of(&self, caller: &Caller) -> Room {
        let (source, config) = (&caller.source.name, &caller.snapshot.config);
        self.shares.of(source, config, &self.room)
    }

    /// A source has asked for events to be taken. A wrong key is no use of the gateway.
    pub(super) fn are_asked(&self) {
        self.asked_ms.store(self.clock.unix_ms(), Ordering::Relaxed);
    }

    /// Whether sources were here lately.
    pub(crate) fn are_in_use(&self) -> bool {
        let asked_ms = self.asked_ms.load(Ordering::Relaxed);
        asked_ms > 0 && self.clock.unix_ms().saturating_sub(asked_ms) < IN_USE_MS
    }

    /// Waits, as long as the grace is, until the requests that have begun are answered. To be called when new
    /// ones are refused.
    pub(crate) async fn answered(&self, grace: Duration) {
        self.running.close();
        // What has not finished by then meets a closed journal: its client is told, and will send again.
        let _ = tokio::time::timeout(grace, self.running.wait()).await;
    }

    /// How many events are on disk and not delivered.
    pub(crate) fn waiting(&self) -> usize {
        let lanes = self.lanes().into_iter();
        lanes.map(|(_, waiting)| waiting.events()).sum()
    }

    /// What waits in every lane.
    pub(super) fn lanes(&self) -> Vec<(LaneId, Waiting)> {
        let ids = self.journal.lanes().borrow().clone();
        ids.into_iter()
            .map(|id| {
                let waiting = self.journal.waiting(&id);
                (id, waiting)
            })
            .collect()
    }
}

#[cfg(test)]
impl Doors {
    /// Doors of the least configuration, with a journal in this folder; and how they are closed.
    pub(super) fn for_tests(
        folder: &std::path::Path,
    ) -> (Arc<Self>, tokio::sync::watch::Sender<super::Stage>) {
        let roster = crate::roster::Roster::for_tests(crate::config::tests::LEAST);
        let options = sluice_journal::Options::default();
        let journal = sluice_journal::Embedded::open(&folder.join("journal"), options).unwrap();
        let (stage, stages) = Stages::new();
        let clock = Arc::new(crate::clock::SystemClock::default());
        let doors = Self::new(
            roster.snapshots(),
            Arc::new(journal),
            Arc::new(Time::sure(clock)),
            Watch::for_tests(),
            (Board::default(), Directives::for_tests()),
            stages,
        );
        (Arc::new(doors), stage)
    }
}
