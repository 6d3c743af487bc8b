//! Texts that are encoded for the header of a mail: encoded words (RFC 2047) and quoted-printable, as shops copy them
//! out of one. What is decoded is wiped, in buffers that never grow: a buffer that grows leaves its bytes behind.

use zeroize::{Zeroize as _, Zeroizing};

use crate::encoded::{self, hex_byte, windows_char};

/// What became of an encoded text.
pub(crate) enum Mail {
    /// It is none.
    None,
    /// It was undone.
    Decoded(Zeroizing<String>),
    /// It is in an alphabet that is not known here, or not what it says.
    Damaged,
}

/// Bytes of the longest character that one byte of an old alphabet stands for.
const CHAR_BYTES_MAX: usize = 3;

/// A text with `=?utf-8?Q?M=C3=BCller?=`, or with `M=C3=BCller`, undone.
pub(crate) fn without_mail(text: &str) -> Mail {
    if memchr::memchr(b'=', text.as_bytes()).is_none() {
        return Mail::None;
    }
    if !text.contains("=?") {
        return quoted(text);
    }
    let mut decoded = Zeroizing::new(String::with_capacity(text.len() * CHAR_BYTES_MAX));
    let mut pending = Pending {
        bytes: Zeroizing::new(Vec::with_capacity(text.len())),
        charset: String::new(),
    };
    let mut rest = text;
    while let Some(at) = rest.find("=?") {
        let Some((word, behind)) = Word::at_start_of(&rest[at..]) else {
            return Mail::None;
        };
        // White space between two words is none of the text.
        if pending.is_empty() || !rest[..at].trim().is_empty() {
            if !pending.put(&mut decoded) {
                return Mail::Damaged;
            }
            decoded.push_str(&rest[..at]);
        }
        if !pending.push(&word, &mut decoded) {
            return Mail::Damaged;
        }
        rest = behind;
    }
    if !pending.put(&mut decoded) {
        return Mail::Damaged;
    }
    decoded.push_str(rest);
    Mail::Decoded(decoded)
}

/// One `=?charset?encoding?text?=`.
struct Word<'t> {
    charset: &'t str,
    is_base64: bool,
    text: &'t str,
}

impl<'t> Word<'t> {
    /// The word, and what is behind it.
    fn at_start_of(text: &'t str) -> Option<(Self, &'t str)> {
        let (charset, rest) = text.strip_prefix("=?")?.split_once('?')?;
        let (encoding, rest) = rest.split_once('?')?;
        let (text, behind) = rest.split_once("?=")?;
        let is_base64 = match encoding {
            "B" | "b" => true,
            "Q" | "q" => false,
            _ => return None,
        };
        // A language may stand behind it: `utf-8*de`.
        let charset = charset.split('*').next()?;
        let word = Self {
            charset,
            is_base64,
            text,
        };
        Some((word, behind))
    }

    fn bytes(&self) -> Option<Zeroizing<Vec<u8>>> {
        if self.is_base64 {
            base64(self.text)
        } else {
            of_quoted(self.text, |byte| if byte == b'_' { b' ' } else { byte })
        }
    }
}

/// The bytes of words that are not text yet: a character may begin in one and end in the next.
struct Pending {
    bytes: Zeroizing<Vec<u8>>,
    charset: String,
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn push(&mut self, word: &Word<'_>, decoded: &mut String) -> bool {
        if !self.charset.eq_ignore_ascii_case(word.charset) {
            if !self.put(decoded) {
                return false;
            }
            word.charset.clone_into(&mut self.charset);
        }
        let bytes = word.bytes();
        self.bytes
            .extend(bytes.iter().flat_map(|bytes| bytes.iter()));
        bytes.is_some()
    }

    /// Appends the text of the bytes; `false` if it is not known.
    fn put(&mut self, decoded: &mut String) -> bool {
        let bytes = &mut self.bytes;
        let charset = self.charset.to_ascii_lowercase();
        match &*charset {
            _ if bytes.is_empty() => {}
            "utf-8" | "utf8" | "us-ascii" => match std::str::from_utf8(bytes) {
                Ok(text) => decoded.push_str(text),
                Err(_) => return false,
            },
            "iso-8859-1" | "windows-1252" | "cp1252" | "latin1" => {
                decoded.extend(bytes.iter().map(|byte| windows_char(*byte)));
            }
            _ => return false,
        }
        bytes.zeroize();
        true
    }
}

/// A text with `M=C3=BCller` undone, if every equals sign is a code, and they stand for letters beyond ASCII.
fn quoted(text: &str) -> Mail {
    let Some(mut bytes) = of_quoted(text, |byte| byte) else {
        return Mail::None;
    };
    match encoded::utf8(std::mem::take(&mut *bytes)).map(Zeroizing::new) {
        Some(decoded) if decoded.len() < text.len() && decoded.chars().any(is_foreign) => {
            Mail::Decoded(decoded)
        }
        _ => Mail::None,
    }
}

fn is_foreign(c: char) -> bool {
    !c.is_ascii()
}

/// The bytes of a quoted-printable text; `None` if an equals sign is no code.
fn of_quoted(text: &str, plain: impl Fn(u8) -> u8) -> Option<Zeroizing<Vec<u8>>> {
    let mut decoded = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.as_bytes();
    loop {
        rest = match *rest {
            [b'=', ref behind @ ..] => {
                decoded.push(behind.get(..2).and_then(hex_byte)?);
                &behind[2..]
            }
            [byte, ref behind @ ..] => {
                decoded.push(plain(byte));
                behind
            }
            [] => return Some(decoded),
        };
    }
}

fn base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut decoded = Zeroizing::new(Vec::with_capacity(text.len()));
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            let [.., byte] = (bits >> count).to_be_bytes();
            decoded.push(byte);
        }
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of an old alphabet become up to three each.
    #[test]
    fn what_is_decoded_never_outgrows_its_buffer() {
        let euros = "gICA".repeat(50); // 150 bytes 0x80
        let raw = "\u{80}".repeat(100);
        for (text, expected) in [
            (format!("=?cp1252?B?{euros}?="), "€".repeat(150)),
            (
                format!("=?cp1252?B?{euros}?= =?utf-8?Q?=C3=BC?= {euros}"),
                format!("{}ü {euros}", "€".repeat(150)),
            ),
            (format!("=?cp1252?Q?{raw}?="), "Â€".repeat(100)),
        ] {
            let Mail::Decoded(decoded) = without_mail(&text) else {
                panic!("{text} is encoded");
            };
            assert_eq!(*decoded, expected);
            assert_eq!(decoded.capacity(), text.len() * CHAR_BYTES_MAX, "{text}");
        }
    }
}
