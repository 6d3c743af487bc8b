//! SHA-256 of normalised values, and recognising values that are hashed already.
//!
//! Meta takes lower-case hexadecimal SHA-256. Its parameter builder appends `.` and a suffix of 2 or
//! 8 characters to hashes; Meta asks to forward such values unchanged, so the suffix is kept byte
//! for byte and only the hash is lower-cased.

use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroize as _;

use crate::browser::appendix;

const HEX_LEN: usize = 64;
const MD5_HEX_LEN: usize = 32;
/// A hash, a dot and the longest appendix.
const TEXT_LEN_MAX: usize = HEX_LEN + 1 + appendix::V2_LEN;

/// A value of `user_data` in the form that goes to Meta: a hash, perhaps with an appendix.
///
/// There is no way to make one from clear text but to hash it.
///
/// ```compile_fail
/// let hashed: sluice_event::Hashed = "john@example.com".into();
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hashed {
    text: [u8; TEXT_LEN_MAX],
    len: usize,
}

impl Hashed {
    /// Hashes a normalised value.
    #[inline]
    pub fn of(normalized: &str) -> Self {
        let mut text = [0; TEXT_LEN_MAX];
        text[..HEX_LEN].copy_from_slice(&hex(&sha256(normalized.as_bytes())));
        Self { text, len: HEX_LEN }
    }

    /// The text that goes to Meta.
    #[inline]
    pub fn as_str(&self) -> &str {
        // Hexadecimal digits and checked ASCII only, so this never falls back.
        std::str::from_utf8(&self.text[..self.len]).unwrap_or_default()
    }

    /// The hash alone, in lower case, without an appendix.
    pub fn hex(&self) -> &str {
        self.as_str().split('.').next().unwrap_or_default()
    }
}

/// Appends the hash of a normalised value.
#[inline]
pub(crate) fn push_hash(normalized: &str, out: &mut String) {
    let text = hex(&sha256(normalized.as_bytes()));
    // Hexadecimal digits, so this never falls back.
    out.push_str(std::str::from_utf8(&text).unwrap_or_default());
}

/// Lower-case hexadecimal digits.
fn hex(digest: &[u8; 32]) -> [u8; HEX_LEN] {
    // Sums that cannot overflow, written so that sixteen are made at a time.
    let digit = |nibble: u8| nibble.wrapping_add(if nibble < 10 { b'0' } else { b'a' - 10 });
    let mut text = [0; HEX_LEN];
    for (pair, byte) in text.as_chunks_mut().0.iter_mut().zip(digest) {
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
    text
}

/// SHA-256 (FIPS 180-4).
///
/// Nearly every value fits into one block together with its padding. Padding it here saves a third
/// of the time that the general, buffering interface takes for such a value.
fn sha256(message: &[u8]) -> [u8; 32] {
    const BLOCK: usize = 64;
    const LENGTH_AT: usize = BLOCK - 8;
    const INITIAL: [u32; 8] = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];
    if message.len() >= LENGTH_AT {
        return Sha256::digest(message).into();
    }
    let mut block = [0; BLOCK];
    block[..message.len()].copy_from_slice(message);
    block[message.len()] = 0x80;
    let length_bits = message.len() as u64 * 8;
    block[LENGTH_AT..].copy_from_slice(&length_bits.to_be_bytes());
    let mut state = INITIAL;
    sha2::block_api::compress256(&mut state, std::slice::from_ref(&block));
    let mut digest = [0; 32];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    // The block held the value in the clear. As a slice it is wiped at once, as an array byte by byte.
    block.as_mut_slice().zeroize();
    digest
}

impl std::fmt::Debug for Hashed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A value that was hashed before it came here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prehashed {
    /// SHA-256, as documented.
    Sha256(Hashed),
    /// MD5: Meta's SDKs let it pass, its documentation does not speak of it.
    Md5(Hashed),
    /// The hash of an empty text or of a word for nothing, such as `null`.
    Nothing,
}

/// Recognises 64 (or 32) hexadecimal digits of any case, optionally with an appendix.
#[inline]
pub fn recognize(value: &str) -> Option<Prehashed> {
    if value.len() < MD5_HEX_LEN || value.len() > TEXT_LEN_MAX {
        return None;
    }
    recognize_by_text(value)
}

fn recognize_by_text(value: &str) -> Option<Prehashed> {
    let (hex, suffix) = match value.split_once('.') {
        Some((hex, suffix)) => (hex, Some(suffix)),
        None => (value, None),
    };
    let is_hash = matches!(hex.len(), HEX_LEN | MD5_HEX_LEN)
        && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
        && has_digit(hex)
        && suffix.is_none_or(appendix::has_form);
    if !is_hash {
        return None;
    }
    let mut hashed = Hashed {
        text: [0; TEXT_LEN_MAX],
        len: value.len(),
    };
    hashed.text[..value.len()].copy_from_slice(value.as_bytes());
    hashed.text[..hex.len()].make_ascii_lowercase();
    let lower = &hashed.text[..hex.len()];
    let is_one_digit = lower.iter().all(|digit| *digit == lower[0]);
    Some(if is_one_digit || is_hash_of_nothing(lower) {
        Prehashed::Nothing
    } else if hex.len() == HEX_LEN {
        Prehashed::Sha256(hashed)
    } else {
        Prehashed::Md5(hashed)
    })
}

/// Whether a digit is among the letters. A hash has none in one of 10¹³ cases (MD5); a name never has.
fn has_digit(hex: &str) -> bool {
    hex.bytes().any(|byte| byte.is_ascii_digit())
}

/// Normal forms that stand for nothing; [`is_nothing`] knows them as well.
const NOTHING: [&str; 9] = [
    "",
    " ",
    "null",
    "undefined",
    "unknown",
    "n/a",
    "(not set)",
    "[object object]",
    "[object Object]",
];

/// Whether a normalised text stands for nothing.
pub(crate) fn is_nothing(normalized: &str) -> bool {
    let may_be = matches!(
        normalized.as_bytes().first(),
        None | Some(b' ' | b'n' | b'u' | b'(' | b'[')
    );
    may_be && NOTHING.contains(&normalized)
}

fn is_hash_of_nothing(lower_hex: &[u8]) -> bool {
    static HASHES: LazyLock<[Hashed; 9]> = LazyLock::new(|| NOTHING.map(Hashed::of));
    HASHES
        .iter()
        .any(|hash| hash.as_str().as_bytes() == lower_hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARY: &str = "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec";

    #[test]
    fn hashes_as_metas_documentation_does() {
        assert_eq!(Hashed::of("mary").as_str(), MARY);
    }

    #[test]
    fn every_length_hashes_as_the_library_does() {
        for length in 0..200 {
            let text = "x".repeat(length);
            let expected: [u8; 32] = Sha256::digest(text.as_bytes()).into();
            assert_eq!(sha256(text.as_bytes()), expected, "{length}");
        }
    }

    #[test]
    fn keeps_the_appendix_byte_for_byte() {
        let value = format!("{}.AQQCAQMC", MARY.to_uppercase());
        let Some(Prehashed::Sha256(hashed)) = recognize(&value) else {
            panic!("not recognised");
        };
        assert_eq!(hashed.as_str(), format!("{MARY}.AQQCAQMC"));
        assert_eq!(hashed.hex(), MARY);
    }

    #[test]
    fn tells_md5_and_hashes_of_nothing_apart() {
        assert!(matches!(
            recognize("5f4dcc3b5aa765d61d8327deb882cf99"),
            Some(Prehashed::Md5(_))
        ));
        assert!(NOTHING.into_iter().all(is_nothing));
        for nothing in [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
            Hashed::of("null").as_str(),
        ] {
            assert_eq!(recognize(nothing), Some(Prehashed::Nothing), "{nothing}");
        }
    }

    #[test]
    fn takes_nothing_else_for_a_hash() {
        for value in [
            "mary",
            &MARY[1..],
            &format!("{MARY}0"),
            &format!("{MARY}."),
            &format!("{MARY}.ABC"),
            &format!("{MARY}.A!"),
            &format!("{MARY}.AQQCAQMC.AQ"),
            &MARY.replace('6', "g"),
            &"é".repeat(32),
        ] {
            assert_eq!(recognize(value), None, "{value}");
        }
    }
}
