//! Bodies encrypted at rest: keys, and what one of them makes of a body.
//!
//! XChaCha20-Poly1305. A sealed body is a byte that says so, the nonce, and the encrypted JSON with its tag. The
//! event's identity and the key's id are authenticated with it, so a body in the wrong row does not open.
//! The identity and not the number of the row, because that is known only to the writer, whose thread is the
//! bottleneck.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::dedup::Identity;
use crate::types::BodyKeyId;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// The first byte of a sealed body. One that was overwritten begins with 0.
const FORM: u8 = 1;

/// A text that is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 32 bytes, as 64 hexadecimal digits or 44 characters of base64")]
pub struct InvalidBodyKey;

/// A key that bodies are encrypted with. It is wiped from memory when it is dropped.
pub struct BodyKey {
    id: BodyKeyId,
    cipher: XChaCha20Poly1305,
    /// What the fingerprints of identifiers are made with.
    fingerprints: Zeroizing<[u8; 32]>,
}

impl BodyKey {
    /// Reads a key: 32 bytes, in hexadecimal digits or base64.
    ///
    /// # Errors
    ///
    /// [`InvalidBodyKey`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidBodyKey> {
        let bytes = if text.len() == 2 * KEY_BYTES {
            digits(text, 4, 16)
        } else {
            digits(text.trim_end_matches('='), 6, 64)
        };
        let bytes = bytes.filter(|bytes| bytes.len() == KEY_BYTES);
        Self::of_bytes(&bytes.ok_or(InvalidBodyKey)?)
    }

    fn of_bytes(bytes: &[u8]) -> Result<Self, InvalidBodyKey> {
        let cipher = XChaCha20Poly1305::new_from_slice(bytes).map_err(|_| InvalidBodyKey)?;
        let mut hash = Sha256::new();
        hash.update(b"sluice body key");
        hash.update(bytes);
        let digest: [u8; 32] = hash.finalize().into();
        let id = digest[..4]
            .iter()
            .fold(0, |id, byte| id << 8 | u32::from(*byte));
        let mut fingerprints = Sha256::new();
        fingerprints.update(b"sluice fingerprints");
        fingerprints.update(bytes);
        Ok(Self {
            id: BodyKeyId(id),
            cipher,
            fingerprints: Zeroizing::new(fingerprints.finalize().into()),
        })
    }

    /// Which key it is.
    pub fn id(&self) -> BodyKeyId {
        self.id
    }

    /// By what an identifier in a body of this key is found again. Without the key it says nothing of the identifier,
    /// which is the hash of a value, always of one length.
    pub(super) fn fingerprint(&self, identifier: &str) -> u32 {
        let mut hash = Sha256::new();
        hash.update(*self.fingerprints);
        hash.update(identifier.as_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
    }

    /// What has to be the same when a body is opened.
    fn context(&self, event: &Identity) -> [u8; 20] {
        let mut context = [0; 20];
        context[..4].copy_from_slice(&self.id.0.to_be_bytes());
        context[4..].copy_from_slice(event);
        context
    }

    fn seal(&self, nonce: [u8; NONCE_BYTES], event: &Identity, json: &[u8]) -> Option<Vec<u8>> {
        let payload = Payload {
            msg: json,
            aad: &self.context(event),
        };
        let encrypted = self.cipher.encrypt(&XNonce::from(nonce), payload).ok()?;
        let mut sealed = Vec::with_capacity(1 + NONCE_BYTES + encrypted.len());
        sealed.push(FORM);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&encrypted);
        Some(sealed)
    }

    /// The JSON of a body; `None` if it is not what was written for this event.
    fn open(&self, event: &Identity, sealed: &[u8]) -> Option<Vec<u8>> {
        let (form, rest) = sealed.split_first()?;
        let (nonce, encrypted) = rest.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload {
            msg: encrypted,
            aad: &self.context(event),
        };
        let opened = self.cipher.decrypt(&XNonce::from(*nonce), payload);
        opened.ok().filter(|_| *form == FORM)
    }
}

impl fmt::Debug for BodyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BodyKey({})", self.id)
    }
}

/// The bytes of a text whose characters stand for this number of bits each. Base64 may be of either alphabet.
fn digits(text: &str, bits: u32, base: u32) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let (mut held, mut held_bits) = (0_u32, 0);
    for digit in text.bytes() {
        let value = match digit {
            _ if base == 16 => char::from(digit).to_digit(16)?,
            b'A'..=b'Z' => u32::from(digit - b'A'),
            b'a'..=b'z' => u32::from(digit - b'a') + 26,
            b'0'..=b'9' => u32::from(digit - b'0') + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        held = held << bits | value;
        held_bits += bits;
        if held_bits >= 8 {
            held_bits -= 8;
            bytes.push(u8::try_from(held >> held_bits).ok()?);
            held &= (1 << held_bits) - 1;
        }
    }
    (held == 0).then_some(bytes)
}

/// The keys that bodies are read with, and the one that new ones are encrypted with.
#[derive(Debug, Clone, Default)]
pub struct BodyKeys {
    /// New bodies are encrypted with it; without one they are written in the clear.
    pub current: Option<Arc<BodyKey>>,
    /// Bodies that were encrypted with it can still be read.
    pub previous: Option<Arc<BodyKey>>,
}

impl BodyKeys {
    /// Every key that is given.
    pub(super) fn all(&self) -> impl Iterator<Item = &BodyKey> {
        let keys = [&self.current, &self.previous].into_iter().flatten();
        keys.map(AsRef::as_ref)
    }

    pub(super) fn of(&self, id: BodyKeyId) -> Option<&BodyKey> {
        self.all().find(|key| key.id == id)
    }

    pub(super) fn open(&self, id: BodyKeyId, event: &Identity, sealed: &[u8]) -> Opened {
        match self.of(id) {
            None => Opened::Locked,
            Some(key) => key
                .open(event, sealed)
                .map_or(Opened::Damaged, Opened::Json),
        }
    }
}

/// What a sealed body turned out to be.
pub(super) enum Opened {
    Json(Vec<u8>),
    Damaged,
    /// Its key is not here.
    Locked,
}

/// Encrypts new bodies, each with a nonce of its own: the chance of this start, and a count.
pub(super) struct Sealer {
    key: Arc<BodyKey>,
    chance: [u8; 16],
    count: AtomicU64,
}

impl Sealer {
    /// `chance` has to be another one at each start.
    pub(super) fn new(key: Arc<BodyKey>, chance: [u8; 16]) -> Self {
        Self {
            key,
            chance,
            count: AtomicU64::new(0),
        }
    }

    /// The key's id and the sealed body; `None` for one that is too long for the cipher, which is 256 GB.
    pub(super) fn seal(&self, event: &Identity, json: &[u8]) -> Option<(BodyKeyId, Vec<u8>)> {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let mut nonce = [0; NONCE_BYTES];
        nonce[..16].copy_from_slice(&self.chance);
        nonce[16..].copy_from_slice(&count.to_be_bytes());
        let sealed = self.key.seal(nonce, event, json)?;
        Some((self.key.id, sealed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f";

    #[test]
    fn a_key_is_read_from_hex_and_base64() {
        let key = BodyKey::parse(HEX).unwrap();
        assert_eq!(key.id().to_string(), "9301ce0d");
        for text in [
            HEX.to_uppercase().as_str(),
            "gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp8=",
            "gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp8",
        ] {
            assert_eq!(BodyKey::parse(text).unwrap().id(), key.id(), "{text}");
        }
        for text in [
            "",
            "80",
            &HEX[2..],
            &format!("{HEX}00"),
            "secret",
            &"g".repeat(64),
        ] {
            assert!(BodyKey::parse(text).is_err(), "{text}");
        }
        assert_eq!(format!("{key:?}"), "BodyKey(9301ce0d)");
    }

    /// What libsodium makes of the same bytes.
    #[test]
    fn a_sealed_body_is_xchacha20_poly1305() {
        let key = Arc::new(BodyKey::parse(HEX).unwrap());
        let sealer = Sealer::new(key, *b"sixteen of them.");
        let (_, body) = sealer
            .seal(b"identity of 16 B", br#"{"event_name":"Lead"}"#)
            .unwrap();
        let expected = digits("017369787465656e206f66207468656d2e0000000000000000c5e750dad32aefda8fd4f427e239ea0c41d4da766d8df8ee805ada226c397ac2fd8a93f4aa", 4, 16).unwrap();
        assert_eq!(body, *expected);
    }

    #[test]
    fn only_the_right_row_and_key_open_a_body() {
        let key = Arc::new(BodyKey::parse(HEX).unwrap());
        let sealer = Sealer::new(Arc::clone(&key), [7; 16]);
        let (first, second) = ([1; 16], [2; 16]);
        let (_, body) = sealer.seal(&first, b"{}").unwrap();
        assert_ne!(sealer.seal(&first, b"{}").unwrap().1, body);
        assert_eq!(key.open(&first, &body).unwrap(), b"{}");
        assert!(key.open(&second, &body).is_none());
        let other = BodyKey::parse(&HEX.replace("80", "81")).unwrap();
        assert!(other.open(&first, &body).is_none());
        for place in 0..body.len() {
            let mut broken = body.clone();
            broken[place] ^= 1;
            assert!(key.open(&first, &broken).is_none(), "{place}");
        }
        assert!(key.open(&first, &body[..20]).is_none());
    }
}
