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
use tokio::sync::OwnedSemaphorePermit;

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

/// A body, and the room it takes. Both go together to the thread that works on it: a client that goes away ends its
/// request here, and not the work.
pub(crate) struct ReadBody {
    pub(crate) bytes: Vec<u8>,
    room: Vec<OwnedSemaphorePermit>,
}

impl ReadBody {
    /// Takes room for this many bytes that are made of the body.
    pub(crate) fn more(&mut self, bytes: usize, room: &Room) -> Result<(), BodyError> {
        room.take(bytes, &mut self.room)
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
    #[error("the body ended before it was complete")]
    Torn,
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
    let unpacking_room = room.clone();
    let max = limits.decoded_bytes_max;
    // Unpacking takes milliseconds, in which other requests should go on.
    let unpacked =
        tokio::task::spawn_blocking(move || unpack(&received, encoding, max, &unpacking_room));
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
    let mut rooms = Vec::new();
    let mut room_bytes = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| flaw_of(&error))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > max {
            return Err(BodyError::TooLarge { max });
        }
        if bytes.len() + data.len() > room_bytes {
            // As much as the body is going to need, as far as it is known to come: doubling keeps the
            // number of permits small, and a slow client holds no more than twice what it has sent.
            let wanted = (bytes.len() + data.len()).max(room_bytes * 2);
            let wanted = wanted.min(stated.unwrap_or(max).max(data.len()));
            let piece = wanted.max(bytes.len() + data.len()) - room_bytes;
            room.take(piece, &mut rooms)?;
            room_bytes += piece;
            bytes.reserve_exact(room_bytes - bytes.len());
        }
        bytes.extend_from_slice(&data);
    }
    if stated.is_some_and(|stated| bytes.len() < stated) {
        return Err(BodyError::Torn);
    }
    Ok(ReadBody { bytes, room: rooms })
}

/// The text of a body; where bytes that are no UTF-8 make it a copy, with room for that.
pub(crate) fn text_of<'b>(
    bytes: &'b [u8],
    room: &Room,
) -> Result<(Cow<'b, str>, Reserved), BodyError> {
    let mut held = Reserved::default();
    let text = batch::text_within(bytes, |size| held.more(size, room))?;
    Ok((text, held))
}

/// Why the next piece of a body could not be read. What is left of a connection that broke looks the same in both
/// framings; a chunk that cannot be read is the client's fault.
fn flaw_of(error: &axum::Error) -> BodyError {
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
    BodyError::Torn
}
