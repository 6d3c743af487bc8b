//! Room for bodies: all of them together may hold a fixed number of bytes. A body asks for room while it arrives, so
//! neither many clients at once nor a single slow one can fill the memory.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::BodyError;

/// Room for bodies is handed out in pieces of this size.
const PIECE_BYTES: usize = 4 * 1024;

/// The most that is asked for at once beyond what is needed now.
pub(super) const STEP_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Room for the bodies that are in memory at the same time.
#[derive(Clone)]
pub(crate) struct Room {
    pieces: Arc<Semaphore>,
    /// What is taken here is taken there too.
    of: Option<Arc<Room>>,
}

impl Room {
    /// Room of this size, in bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self {
            pieces: Arc::new(Semaphore::new(bytes / PIECE_BYTES)),
            of: None,
        }
    }

    /// A part of it, for those who shall not take all of it.
    pub(crate) fn part(&self, bytes: usize) -> Self {
        Self {
            of: Some(Arc::new(self.clone())),
            ..Self::new(bytes)
        }
    }

    /// Adds what was taken to `rooms`, which give it back when they are dropped.
    pub(super) fn take(
        &self,
        bytes: usize,
        rooms: &mut Vec<OwnedSemaphorePermit>,
    ) -> Result<(), BodyError> {
        let pieces = u32::try_from(bytes.div_ceil(PIECE_BYTES)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.pieces).try_acquire_many_owned(pieces);
        rooms.push(permit.map_err(|_| BodyError::NoRoom)?);
        self.of
            .as_ref()
            .map_or(Ok(()), |whole| whole.take(bytes, rooms))
    }
}

/// Room for what is made of a body; it grows with that.
#[derive(Default)]
pub(crate) struct Reserved {
    permits: Vec<OwnedSemaphorePermit>,
    bytes: usize,
    used: usize,
}

impl Reserved {
    /// Takes room for this many more bytes.
    pub(crate) fn more(&mut self, bytes: usize, room: &Room) -> Result<(), BodyError> {
        self.used += bytes;
        if self.used > self.bytes {
            // Doubling keeps the number of permits small.
            let piece = (self.used - self.bytes).max(self.bytes.min(STEP_BYTES_MAX));
            let piece = piece.next_multiple_of(PIECE_BYTES);
            room.take(piece, &mut self.permits)?;
            self.bytes += piece;
        }
        Ok(())
    }
}
