//! Unpacking a body, a piece at a time.

use std::io::Read as _;

use axum::http::HeaderMap;
use axum::http::header::CONTENT_ENCODING;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use super::room::STEP_BYTES_MAX;
use super::{BodyError, ReadBody};

/// The largest window of a zstd frame, in bytes: what a decoder should at least take (RFC 8878, 3.1.1.1.2), and
/// all that the levels up to 19 use. A frame names its window in its first bytes, before anything of it is known.
const ZSTD_WINDOW_BYTES_MAX: u64 = 8 * 1024 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    None,
    Gzip,
    Zstd,
}

pub(super) fn encoding(headers: &HeaderMap) -> Result<Encoding, BodyError> {
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

pub(super) fn unpack(
    received: &ReadBody,
    encoding: Encoding,
    max: usize,
) -> Result<ReadBody, BodyError> {
    let packed = received.bytes.as_slice();
    let mut reader: Box<dyn std::io::Read + '_> = match encoding {
        Encoding::None => Box::new(packed),
        Encoding::Gzip => Box::new(flate2::read::MultiGzDecoder::new(packed)),
        Encoding::Zstd => Box::new(ZstdFrames {
            rest: packed,
            frame: None,
        }),
    };
    let mut bytes = Vec::new();
    let mut reserved = received.beside();
    loop {
        // A piece at a time: a few bytes may unpack to more than the memory holds.
        let step = bytes.len().clamp(64 * 1024, STEP_BYTES_MAX);
        let step = step.min(max + 1 - bytes.len());
        let needed = bytes.len() + step;
        reserved.reach(needed, needed)?;
        bytes.reserve_exact(step);
        let read = (&mut reader)
            .take(step as u64)
            .read_to_end(&mut bytes)
            .map_err(|_| BodyError::Encoding)?;
        if bytes.len() > max {
            return Err(BodyError::TooLargeUnpacked { max });
        }
        if read < step {
            return Ok(ReadBody { bytes, reserved });
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
