//! Reading the body of a request: as much as is allowed, in the time that is allowed, unpacked.
//!
//! All bodies together may hold a fixed number of bytes. A body asks for room while it arrives, so
//! neither many clients at once nor a single slow one can fill the memory.

use std::borrow::Cow;
use std::io::{ErrorKind, Read as _};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http_body_util::BodyExt as _;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use sluice_event::batch;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Room for bodies is handed out in pieces of this size.
const PIECE_BYTES: usize = 4 * 1024;

/// The most that is asked for at once beyond what is needed now.
const STEP_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The largest window of a zstd frame, in bytes: what a decoder should at least take (RFC 8878, 3.1.1.1.2), and
/// all that the levels up to 19 use. A frame names its window in its first bytes, before anything of it is known.
const ZSTD_WINDOW_BYTES_MAX: u64 = 8 * 1024 * 1024;

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

/// Room for the bodies that are in memory at the same time.
#[derive(Clone)]
pub(crate) struct Room {
    pieces: Arc<Semaphore>,
    /// What is taken here is taken there too.
    of: Option<Arc<Room>>,
}

/// A body, and the room it takes. Both go together to the thread that works on it: a client that goes away ends its
/// request here, and not the work.
pub(crate) struct Received {
    pub(crate) bytes: Vec<u8>,
    room: Vec<OwnedSemaphorePermit>,
}

impl Received {
    /// Takes room for this many bytes that are made of the body.
    pub(crate) fn more(&mut self, bytes: usize, room: &Room) -> Result<(), BodyError> {
        room.take(bytes, &mut self.room)
    }
}

/// Room for what is made of a body; it grows with that.
#[derive(Default)]
pub(crate) struct Held {
    permits: Vec<OwnedSemaphorePermit>,
    bytes: usize,
    used: usize,
}

impl Held {
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    None,
    Gzip,
    Zstd,
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
    fn take(&self, bytes: usize, rooms: &mut Vec<OwnedSemaphorePermit>) -> Result<(), BodyError> {
        let pieces = u32::try_from(bytes.div_ceil(PIECE_BYTES)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.pieces).try_acquire_many_owned(pieces);
        rooms.push(permit.map_err(|_| BodyError::NoRoom)?);
        self.of
            .as_ref()
            .map_or(Ok(()), |whole| whole.take(bytes, rooms))
    }
}

/// Reads a body and unpacks it.
pub(crate) async fn receive(
    headers: &HeaderMap,
    body: Body,
    limits: BodyLimits,
    room: &Room,
) -> Result<Received, BodyError> {
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

fn encoding(headers: &HeaderMap) -> Result<Encoding, BodyError> {
    let Some(value) = headers.get(CONTENT_ENCODING) else {
        return Ok(Encoding::None);
    };
    match value.to_str().map(|text| text.trim().to_ascii_lowercase()) {
        Ok(text) => match text.as_str() {
            "" | "identity" => Ok(Encoding::None),
            "gzip" | "x-gzip" => Ok(Encoding::Gzip),
            "zstd" => Ok(Encoding::Zstd),
            _ => Err(BodyError::UnknownEncoding),
        },
        Err(_) => Err(BodyError::UnknownEncoding),
    }
}

async fn read(
    headers: &HeaderMap,
    mut body: Body,
    max: usize,
    room: &Room,
) -> Result<Received, BodyError> {
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
    Ok(Received { bytes, room: rooms })
}

/// The text of a body; where bytes that are no UTF-8 make it a copy, with room for that.
pub(crate) fn text_of<'b>(bytes: &'b [u8], room: &Room) -> Result<(Cow<'b, str>, Held), BodyError> {
    let mut held = Held::default();
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

fn unpack(
    Received { bytes: packed, .. }: &Received,
    encoding: Encoding,
    max: usize,
    room: &Room,
) -> Result<Received, BodyError> {
    let mut reader: Box<dyn std::io::Read + '_> = match encoding {
        Encoding::None => Box::new(packed.as_slice()),
        Encoding::Gzip => Box::new(flate2::read::MultiGzDecoder::new(packed.as_slice())),
        Encoding::Zstd => Box::new(ZstdFrames {
            rest: packed,
            frame: None,
        }),
    };
    let mut bytes = Vec::new();
    let mut rooms = Vec::new();
    loop {
        // A piece at a time: a few bytes may unpack to more than the memory holds.
        let step = bytes.len().clamp(64 * 1024, STEP_BYTES_MAX);
        room.take(step, &mut rooms)?;
        bytes.reserve_exact(step);
        let read = (&mut reader)
            .take(step as u64)
            .read_to_end(&mut bytes)
            .map_err(|_| BodyError::Encoding)?;
        if bytes.len() > max {
            return Err(BodyError::TooLargeUnpacked { max });
        }
        if read < step {
            return Ok(Received { bytes, room: rooms });
        }
    }
}

/// All frames of a zstd body, one after the other: the decoder knows one at a time.
struct ZstdFrames<'p> {
    rest: &'p [u8],
    frame: Option<StreamingDecoder<&'p [u8], FrameDecoder>>,
}

impl std::io::Read for ZstdFrames<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        loop {
            if let Some(mut frame) = self.frame.take() {
                let read = frame.read(bytes)?;
                if read > 0 {
                    self.frame = Some(frame);
                    return Ok(read);
                }
                self.rest = frame.into_inner();
            }
            self.rest = without_skippable(self.rest);
            if self.rest.is_empty() {
                return Ok(0);
            }
            let frame =
                StreamingDecoder::new_with_max_window_size(self.rest, ZSTD_WINDOW_BYTES_MAX);
            self.frame = Some(frame.map_err(std::io::Error::other)?);
        }
    }
}

/// What follows a skippable frame (RFC 8878, 3.1.2), if there is one: a magic number of 0x184D2A50 to
/// 0x184D2A5F, the size of what is to be skipped, and that.
fn without_skippable(mut rest: &[u8]) -> &[u8] {
    while let [0x50..=0x5f, 0x2a, 0x4d, 0x18, a, b, c, d, after @ ..] = rest {
        let size = usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).unwrap_or(usize::MAX);
        rest = after.get(size..).unwrap_or_default();
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use std::io::Write as _;

    const LIMITS: BodyLimits = BodyLimits {
        bytes_max: 10_000,
        decoded_bytes_max: 100_000,
        timeout: Duration::from_secs(5),
    };

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    async fn take(encoding: &str, body: Vec<u8>) -> Result<Vec<u8>, BodyError> {
        let mut headers = HeaderMap::new();
        if !encoding.is_empty() {
            headers.insert(CONTENT_ENCODING, encoding.parse().unwrap());
        }
        let room = Room::new(1024 * 1024);
        let received = receive(&headers, Body::from(body), LIMITS, &room).await;
        received.map(|received| received.bytes)
    }

    #[tokio::test]
    async fn takes_every_encoding() {
        let text = b"{\"event_name\":\"Lead\"}".repeat(100);
        assert_eq!(take("", text.clone()).await.as_ref(), Ok(&text));
        assert_eq!(take("identity", text.clone()).await.as_ref(), Ok(&text));
        assert_eq!(take("gzip", gzip(&text)).await.as_ref(), Ok(&text));
        assert_eq!(take("GZip", gzip(&text)).await.as_ref(), Ok(&text));
        assert_eq!(take("zstd", zstd(&text)).await.as_ref(), Ok(&text));
        let skippable = b"\x52\x2a\x4d\x18\x03\0\0\0xyz".to_vec();
        let frames = [zstd(&text[..500]), skippable, zstd(&text[500..])].concat();
        assert_eq!(take("zstd", frames).await.as_ref(), Ok(&text));
        let halves = [gzip(&text[..500]), gzip(&text[500..])].concat();
        assert_eq!(take("gzip", halves).await.as_ref(), Ok(&text));
    }

    #[tokio::test]
    async fn says_what_is_wrong_with_a_body() {
        let long = vec![b' '; 10_001];
        let bomb = vec![b' '; 100_001];
        for (encoding, body, error) in [
            ("", long, BodyError::TooLarge { max: 10_000 }),
            (
                "gzip",
                gzip(&bomb),
                BodyError::TooLargeUnpacked { max: 100_000 },
            ),
            (
                "zstd",
                zstd(&bomb),
                BodyError::TooLargeUnpacked { max: 100_000 },
            ),
            ("gzip", b"no gzip".to_vec(), BodyError::Encoding),
            ("zstd", b"no zstd".to_vec(), BodyError::Encoding),
            (
                "zstd",
                [zstd(b"one"), b"no zstd".to_vec()].concat(),
                BodyError::Encoding,
            ),
            ("br", Vec::new(), BodyError::UnknownEncoding),
        ] {
            assert_eq!(take(encoding, body).await, Err(error), "{encoding}");
        }
        let mut torn = gzip(&b"text ".repeat(1_000));
        torn.truncate(torn.len() - 6);
        assert_eq!(take("gzip", torn).await, Err(BodyError::Encoding));
    }

    /// A frame of two bytes that asks for a window of 2 to the power of `log` bytes: magic number, descriptor,
    /// window, and one raw block, which is the last.
    fn frame_with_window(log: u8) -> Vec<u8> {
        let head = [0x28, 0xb5, 0x2f, 0xfd, 0, (log - 10) << 3];
        [&head[..], &[1 | 2 << 3, 0, 0], b"{}"].concat()
    }

    #[tokio::test]
    async fn a_frame_of_a_few_bytes_gets_no_large_window() {
        let taken = take("zstd", frame_with_window(23)).await;
        assert_eq!(taken.as_deref(), Ok(&b"{}"[..]));
        for log in [24, 27, 31] {
            let taken = take("zstd", frame_with_window(log)).await;
            assert_eq!(taken, Err(BodyError::Encoding), "2^{log}");
        }
    }

    #[tokio::test]
    async fn bodies_share_the_room() {
        let room = Room::new(16 * 1024);
        let take = |bytes: usize| {
            let room = room.clone();
            async move {
                let body = Body::from(vec![b' '; bytes]);
                receive(&HeaderMap::new(), body, LIMITS, &room).await
            }
        };
        let first = take(10_000).await.map_err(|_| ()).unwrap();
        assert_eq!(take(9_000).await.err(), Some(BodyError::NoRoom));
        drop(first);
        assert!(take(9_000).await.is_ok());
    }

    #[test]
    fn what_is_made_of_a_body_takes_room_until_it_is_gone() {
        let room = Room::new(64 * 1024);
        let mut held = Held::default();
        let events = (0..100).take_while(|_| held.more(1_000, &room).is_ok());
        // 64 KiB, to the last byte.
        assert_eq!(events.count(), 65);
        assert_eq!(
            Held::default().more(64 * 1024, &room),
            Err(BodyError::NoRoom)
        );
        drop(held);
        assert_eq!(Held::default().more(64 * 1024, &room), Ok(()));
    }

    /// One thread for work aside, which is busy, so that the body waits for it.
    #[test]
    fn a_body_takes_its_room_until_the_work_on_it_is_done() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(1)
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (end, ends) = std::sync::mpsc::channel::<()>();
            let busy = tokio::task::spawn_blocking(move || ends.recv());
            let room = Room::new(64 * 1024);
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_ENCODING, "gzip".parse().unwrap());
            let body = Body::from(gzip(&[b' '; 9_000]));
            let mut request = Box::pin(receive(&headers, body, LIMITS, &room));
            assert!((&mut request).now_or_never().is_none());
            drop(request);
            let whole = || Held::default().more(64 * 1024, &room);
            assert_eq!(whole(), Err(BodyError::NoRoom), "the client went away");
            end.send(()).unwrap();
            busy.await.unwrap().unwrap();
            // The work behind it in the queue.
            tokio::task::spawn_blocking(|| ()).await.unwrap();
            assert_eq!(whole(), Ok(()));
        });
    }

    #[test]
    fn a_copy_of_a_text_takes_room() {
        let room = Room::new(8 * 1024);
        let sound = [b' '; 16 * 1024];
        assert!(text_of(&sound, &room).is_ok());
        let (text, held) = text_of(b"Jos\xe9", &room).map_err(|_| ()).unwrap();
        assert_eq!(text, "Jos\u{fffd}");
        let whole = || Held::default().more(8 * 1024, &room);
        assert_eq!(whole(), Err(BodyError::NoRoom));
        drop(held);
        assert_eq!(whole(), Ok(()));
        assert_eq!(
            text_of(&[0xff; 4_000], &room).err(),
            Some(BodyError::NoRoom)
        );
    }

    #[tokio::test]
    async fn a_part_of_the_room_is_all_that_some_get() {
        let whole = Room::new(16 * 1024);
        let part = whole.part(8 * 1024);
        let take = |room: &Room, bytes: usize| {
            let room = room.clone();
            async move {
                let body = Body::from(vec![b' '; bytes]);
                receive(&HeaderMap::new(), body, LIMITS, &room).await
            }
        };
        let first = take(&part, 6_000).await.map_err(|_| ()).unwrap();
        assert_eq!(take(&part, 6_000).await.err(), Some(BodyError::NoRoom));
        let second = take(&whole, 6_000).await.map_err(|_| ()).unwrap();
        drop(first);
        let third = take(&whole, 8_000).await.map_err(|_| ()).unwrap();
        assert_eq!(take(&part, 6_000).await.err(), Some(BodyError::NoRoom));
        drop((second, third));
        assert!(take(&part, 6_000).await.is_ok());
    }
}
