use std::io::Write as _;

use axum::http::header::CONTENT_ENCODING;
use futures_util::FutureExt as _;

use super::*;
use crate::door::problem::Problem;

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
    let mut held = Reserved::of(&room);
    let events = (0..100).take_while(|_| held.more(1_000).is_ok());
    // 64 KiB, to the last byte.
    assert_eq!(events.count(), 65);
    assert_eq!(Reserved::of(&room).more(64 * 1024), Err(BodyError::NoRoom));
    drop(held);
    assert_eq!(Reserved::of(&room).more(64 * 1024), Ok(()));
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
        let whole = || Reserved::of(&room).more(64 * 1024);
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
    assert!(text_of(&sound, Reserved::of(&room)).is_ok());
    let (text, held) = text_of(b"Jos\xe9", Reserved::of(&room))
        .map_err(|_| ())
        .unwrap();
    assert_eq!(text, "Jos\u{fffd}");
    let whole = || Reserved::of(&room).more(8 * 1024);
    assert_eq!(whole(), Err(BodyError::NoRoom));
    drop(held);
    assert_eq!(whole(), Ok(()));
    assert_eq!(
        text_of(&[0xff; 4_000], Reserved::of(&room)).err(),
        Some(BodyError::LargerThanRoom { max: 8 * 1024 })
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

/// A form that is packed, from an address that may have less room than it takes: coming again does not help.
#[tokio::test]
async fn a_packed_body_that_could_never_have_room_is_too_large_and_not_busy() {
    let room = Room::new(128 * 1024).part(80 * 1024);
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_ENCODING, "gzip".parse().unwrap());
    let receive = |bytes| {
        let body = Body::from(gzip(&vec![b' '; bytes]));
        receive(&headers, body, LIMITS, &room)
    };
    let too_large = BodyError::LargerThanRoom { max: 80 * 1024 };
    assert_eq!(receive(90_000).await.err(), Some(too_large));
    let mut body = receive(60_000).await.map_err(|_| ()).unwrap();
    // The fields of a form are a copy.
    assert_eq!(body.more(60_000), Err(too_large));
    assert_eq!(Problem::from(too_large).status.as_u16(), 413);
}
