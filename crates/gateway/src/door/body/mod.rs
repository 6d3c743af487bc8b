//! Reading the body of a request: as much as is allowed, in the time that is allowed, unpacked.

mod room;
#[cfg(test)]
mod tests;
mod unpack;

use std::borrow::Cow;
use std::io::ErrorKind;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use http_body_util::BodyExt as _;
use sluice_event::batch;

use crate::config::Server;
pub(crate) use room::{Reserved, Room};
use unpack::{Encoding, encoding, unpack};

/// How much is taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimits {
    /// As it comes over the wire.
    pub(crate) bytes_max: usize,
    /// Unpacked.
    pub(crate) decoded_bytes_max: usize,
    /// From the first byte to the last.
    pub(crate) timeout: Duration,
}

impl BodyLimits {
    pub(crate) fn of(server: &Server) -> Self {
        Self {
            bytes_max: server.body_bytes_max,
            decoded_bytes_max: server.decoded_bytes_max,
            timeout: server.read_timeout,
        }
    }
}

/// A body, and the room it takes. Both go together to the thread that works on it: a client that goes away ends its
/// request here, and not the work.
pub(crate) struct ReadBody {
    pub(crate) bytes: Vec<u8>,
    reserved: Reserved,
}

impl ReadBody {
    /// Takes room for this many bytes that are made of the body and stay as long as it does.
    pub(crate) fn more(&mut self, bytes: usize) -> Result<(), BodyError> {
        let needed = self.reserved.bytes() + bytes;
        self.reserved.reach(needed, needed)
    }

    /// Room for what is made of the body and goes before it, in the same room.
    pub(crate) fn beside(&self) -> Reserved {
        Reserved::beside(self.reserved.room(), &self.reserved)
    }

    /// Room for what is made of the body, in a room that may be another.
    pub(crate) fn beside_in(&self, room: &Room) -> Reserved {
        Reserved::beside(room, &self.reserved)
    }
}

/// Why a body could not be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the body has more than {max} bytes")]
    TooLarge { max: usize },
    #[error("the unpacked body has more than {max} bytes")]
    TooLargeUnpacked { max: usize },
    #[error("the body did not arrive in time")]
    TooSlow,
    #[error("the body with all that is made of it takes more than {max} bytes of memory")]
    LargerThanRoom { max: usize },
    #[error("the body ended before it was complete")]
    Torn,
    #[error("the body ended before its last chunk")]
    TornChunks,
    #[error("a chunk of the body has no length that can be read, or another one than it says")]
    Chunk,
    #[error("too many bodies at the same time")]
    NoRoom,
    #[error("the body is not what its Content-Encoding says")]
    Encoding,
    #[error("this Content-Encoding is not understood")]
    UnknownEncoding,
}

/// Reads a body and unpacks it.
pub(crate) async fn receive(
    headers: &HeaderMap,
    body: Body,
    limits: BodyLimits,
    room: &Room,
) -> Result<ReadBody, BodyError> {
    let encoding = encoding(headers)?;
    let read = read(headers, body, limits.bytes_max, room);
    let received = tokio::time::timeout(limits.timeout, read)
        .await
        .map_err(|_| BodyError::TooSlow)??;
    if encoding == Encoding::None {
        return Ok(received);
    }
    let max = limits.decoded_bytes_max;
    // Unpacking takes milliseconds, in which other requests should go on.
    let unpacked = tokio::task::spawn_blocking(move || unpack(&received, encoding, max));
    unpacked.await.map_err(|_| BodyError::Encoding)?
}

async fn read(
    headers: &HeaderMap,
    mut body: Body,
    max: usize,
    room: &Room,
) -> Result<ReadBody, BodyError> {
    let stated = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if stated.is_some_and(|stated| stated > max) {
        return Err(BodyError::TooLarge { max });
    }
    let mut bytes = Vec::new();
    let mut reserved = Reserved::of(room);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| flaw_of(&error, stated.is_some()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let needed = bytes.len() + data.len();
        if needed > max {
            return Err(BodyError::TooLarge { max });
        }
        if needed > bytes.capacity() {
            // As much as the body is going to need, as far as it is known to come: doubling keeps the
            // number of permits small, and a slow client holds no more than twice what it has sent.
            let wanted = (bytes.capacity() * 2)
                .min(stated.unwrap_or(max))
                .max(needed);
            reserved.reach(needed, wanted)?;
            bytes.reserve_exact(wanted.min(reserved.bytes()) - bytes.len());
        }
        bytes.extend_from_slice(&data);
    }
    if stated.is_some_and(|stated| bytes.len() < stated) {
        return Err(BodyError::Torn);
    }
    Ok(ReadBody { bytes, reserved })
}

/// The text of a body; where bytes that are no UTF-8 make it a copy, with room for that.
pub(crate) fn text_of(
    bytes: &[u8],
    mut reserved: Reserved,
) -> Result<(Cow<'_, str>, Reserved), BodyError> {
    let text = batch::text_within(bytes, |size| reserved.more(size))?;
    Ok((text, reserved))
}

/// Why the next piece of a body could not be read: the connection broke, or a chunk cannot be read.
fn flaw_of(error: &axum::Error, has_length: bool) -> BodyError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let kind = error
            .downcast_ref::<std::io::Error>()
            .map(std::io::Error::kind);
        if matches!(kind, Some(ErrorKind::InvalidInput | ErrorKind::InvalidData)) {
            return BodyError::Chunk;
        }
        cause = error.source();
    }
    if has_length {
        BodyError::Torn
    } else {
        BodyError::TornChunks
    }
}
