//! Room for bodies: all of them together may hold a fixed number of bytes. A body asks for room while it arrives, so
//! neither many clients at once nor a single slow one can fill the memory.
//!
//! What cannot have room now is refused as busy, and may come again. What could never have it is too large.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::BodyError;

/// Room for bodies is handed out in pieces of this size.
const PIECE_BYTES: usize = 4 * 1024;

/// The most that is asked for at once beyond what is needed now.
pub(super) const STEP_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Room for the bodies that are in memory at the same time, or a part of it.
#[derive(Clone)]
pub(crate) struct Room {
    pieces: Arc<Semaphore>,
    /// How many pieces there are.
    size: usize,
    /// What is taken here is taken there too.
    of: Option<Arc<Room>>,
    /// What is taken here has to leave as much to all others.
    is_share: bool,
}

/// Whether one of several callers may hold this much when this much is left after it: at most as much as is left.
/// The first holds up to half of the room, the next up to half of the rest, so something is left for each.
fn is_fair(held: usize, left: usize) -> bool {
    held <= left
}

impl Room {
    /// Room of this size, in bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        let size = bytes / PIECE_BYTES;
        Self {
            pieces: Arc::new(Semaphore::new(size)),
            size,
            of: None,
            is_share: false,
        }
    }

    /// A part of it of this size, for callers that shall not take all of it.
    pub(crate) fn part(&self, bytes: usize) -> Self {
        Self {
            of: Some(Arc::new(self.clone())),
            ..Self::new(bytes)
        }
    }

    /// The share of one of several callers: it may take as much as it leaves to all others.
    pub(crate) fn share(&self) -> Self {
        Self {
            is_share: true,
            ..self.part(self.size * PIECE_BYTES)
        }
    }

    /// The most that can be taken of it, in bytes, while all others take nothing.
    fn most(&self) -> usize {
        let size = self.size * PIECE_BYTES;
        match &self.of {
            Some(whole) if self.is_share => size.min(whole.most() / 2),
            Some(whole) => size.min(whole.most()),
            None => size,
        }
    }

    fn left(&self) -> usize {
        self.pieces.available_permits()
    }

    /// Adds what was taken to `permits`, which give it back when they are dropped.
    fn take(&self, bytes: usize, permits: &mut Vec<OwnedSemaphorePermit>) -> Result<(), BodyError> {
        let pieces = u32::try_from(bytes.div_ceil(PIECE_BYTES)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.pieces).try_acquire_many_owned(pieces);
        permits.push(permit.map_err(|_| BodyError::NoRoom)?);
        let Some(whole) = &self.of else { return Ok(()) };
        whole.take(bytes, permits)?;
        if self.is_share && !is_fair(self.size - self.left(), whole.left()) {
            return Err(BodyError::NoRoom);
        }
        Ok(())
    }
}

/// Room that a request has reserved for its body, or for what is made of it. It is given back when this is dropped.
pub(crate) struct Reserved {
    room: Room,
    permits: Vec<OwnedSemaphorePermit>,
    /// What the same request has reserved of the same room besides, in bytes.
    beside: usize,
    bytes: usize,
    used: usize,
}

impl Reserved {
    /// Nothing yet of this room.
    pub(crate) fn of(room: &Room) -> Self {
        Self {
            room: room.clone(),
            permits: Vec::new(),
            beside: 0,
            bytes: 0,
            used: 0,
        }
    }

    /// Nothing yet of this room, for a request that has reserved `other` already.
    pub(crate) fn beside(room: &Room, other: &Self) -> Self {
        let is_same = Arc::ptr_eq(&room.pieces, &other.room.pieces);
        let beside = if is_same {
            other.beside + other.bytes
        } else {
            0
        };
        Self {
            beside,
            ..Self::of(room)
        }
    }

    /// Where it is reserved.
    pub(super) fn room(&self) -> &Room {
        &self.room
    }

    /// How much is reserved, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Reserves until it is `needed` bytes, and as far as `wanted` at once where there is room for that.
    pub(super) fn reach(&mut self, needed: usize, wanted: usize) -> Result<(), BodyError> {
        if needed <= self.bytes {
            return Ok(());
        }
        let most = self.room.most();
        let left = most.saturating_sub(self.beside);
        if needed > left {
            return Err(BodyError::LargerThanRoom { max: most });
        }
        let enough = wanted.clamp(needed, left);
        self.take(enough - self.bytes)
            .or_else(|_| self.take(needed - self.bytes))
    }

    /// Reserves at least this many bytes more.
    fn take(&mut self, bytes: usize) -> Result<(), BodyError> {
        let piece = bytes.next_multiple_of(PIECE_BYTES);
        let before = self.permits.len();
        let taken = self.room.take(piece, &mut self.permits);
        match taken {
            Ok(()) => self.bytes += piece,
            Err(_) => self.permits.truncate(before),
        }
        taken
    }

    /// Reserves this many more bytes.
    pub(crate) fn more(&mut self, bytes: usize) -> Result<(), BodyError> {
        self.used += bytes;
        // Doubling keeps the number of permits small.
        let wanted = self.bytes + self.bytes.min(STEP_BYTES_MAX);
        self.reach(self.used, wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KB: usize = 1_024;

    /// Takes as much of a room as it gives, in pieces of 4 KiB; how much that was, in KiB.
    fn all_of(room: &Room) -> (usize, Reserved) {
        let mut reserved = Reserved::of(room);
        while reserved.reach(reserved.bytes + PIECE_BYTES, 0).is_ok() {}
        (reserved.bytes / KB, reserved)
    }

    #[test]
    fn no_caller_starves_the_others() {
        let room = Room::new(64 * KB);
        let [first, second, third] = [room.share(), room.share(), room.share()];
        let (most, held) = all_of(&first);
        assert_eq!(most, 32, "half of the room");
        // The same caller has nothing more for a second request.
        assert_eq!(all_of(&first).0, 0);
        let (next, others) = all_of(&second);
        assert_eq!(next, 16, "half of the rest");
        assert_eq!(all_of(&third).0, 8);
        drop(others);
        assert_eq!(all_of(&third).0, 16);
        drop(held);
        assert_eq!(all_of(&second).0, 32);
        // The room as a whole belongs to no one of them.
        assert_eq!(all_of(&room).0, 64);
    }

    #[test]
    fn what_has_room_is_not_busy_because_more_would_have_none() {
        let room = Room::new(64 * KB);
        for (part, others, left) in [
            (room.clone(), 40 * KB, 24 * KB),
            (room.part(24 * KB), 0, 24 * KB),
            // As much as is left then.
            (room.share(), 40 * KB, 12 * KB),
        ] {
            let mut taken = Reserved::of(&room);
            taken.reach(others, 0).unwrap();
            let mut body = Reserved::of(&part);
            let fits = (1..).take_while(|_| body.more(KB).is_ok());
            assert_eq!(fits.count() * KB, left, "to the last byte");
            drop(body);
            let mut body = Reserved::of(&part);
            assert_eq!(body.reach(KB, 8 * KB), Ok(()));
            assert_eq!(body.bytes(), 8 * KB, "at once, where there is room");
        }
    }

    #[test]
    fn what_could_never_have_room_is_too_large_and_not_busy() {
        let room = Room::new(64 * KB);
        let busy = Err(BodyError::NoRoom);
        let too_large = |max| Err(BodyError::LargerThanRoom { max });
        for (part, most) in [
            (room.clone(), 64 * KB),
            (room.part(16 * KB), 16 * KB),
            (room.share(), 32 * KB),
            (room.share().part(48 * KB), 32 * KB),
        ] {
            let reach = |bytes| Reserved::of(&part).reach(bytes, 0);
            assert_eq!(reach(most), Ok(()));
            assert_eq!(reach(most + 1), too_large(most));
            let (_, taken) = all_of(&room);
            assert_eq!(reach(most), busy);
            assert_eq!(reach(most + 1), too_large(most), "also while it is busy");
            drop(taken);
            // What one request has reserved in two places counts as one.
            let mut body = Reserved::of(&part);
            body.reach(12 * KB, 0).unwrap();
            let mut made = Reserved::beside(&part, &body);
            assert_eq!(made.reach(most - 12 * KB + 1, 0), too_large(most));
            assert_eq!(made.reach(most - 12 * KB, 0), Ok(()));
            let mut elsewhere = Reserved::beside(&Room::new(most), &body);
            assert_eq!(elsewhere.reach(most, 0), Ok(()));
        }
    }
}
