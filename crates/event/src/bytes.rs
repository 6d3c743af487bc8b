//! Looking for bytes, sixteen at a time.
//!
//! Every byte of an event is looked at for something: the end of its string, characters that JSON
//! escapes, signs of contact data. This is where most of the time of reading goes.

#![expect(
    clippy::inline_always,
    reason = "a search is a handful of instructions, to be compiled into the loop round it"
)]

use wide::u8x16;

const WIDTH: usize = 16;
const HALF: usize = WIDTH / 2;

/// A set of bytes that is looked for.
///
/// `in_block` sets the highest bit of every byte that is in the set.
pub(crate) trait Wanted {
    fn in_block(block: u8x16) -> u8x16;
    fn is_wanted(byte: u8) -> bool;
}

/// What cannot stand in a JSON string as it is: `"`, `\` and control characters.
pub(crate) struct Special;

impl Wanted for Special {
    #[inline(always)]
    fn in_block(block: u8x16) -> u8x16 {
        is(block, b'"') | is(block, b'\\') | is_control(block)
    }

    #[inline(always)]
    fn is_wanted(byte: u8) -> bool {
        matches!(byte, b'"' | b'\\' | 0..=0x1f)
    }
}

/// Bytes that neither contact data nor damaged text can do without: a JSON value free of them, of
/// escapes and of other scripts, needs no further look.
pub(crate) struct Unusual;

impl Wanted for Unusual {
    #[inline(always)]
    fn in_block(block: u8x16) -> u8x16 {
        // What is beyond ASCII has its highest bit set already.
        is(block, b'@')
            | is(block, b'+')
            | is(block, b'%')
            | is(block, b'\\')
            | is(block, b'{')
            | block
    }

    #[inline(always)]
    fn is_wanted(byte: u8) -> bool {
        matches!(byte, b'@' | b'+' | b'%' | b'\\' | b'{' | 0x80..)
    }
}

/// [`Special`] or [`Unusual`].
pub(crate) struct SpecialOrUnusual;

impl Wanted for SpecialOrUnusual {
    #[inline(always)]
    fn in_block(block: u8x16) -> u8x16 {
        Special::in_block(block) | Unusual::in_block(block)
    }

    #[inline(always)]
    fn is_wanted(byte: u8) -> bool {
        Special::is_wanted(byte) || Unusual::is_wanted(byte)
    }
}

/// What an address or an id needs a closer look for: all but printable ASCII, and what encodes or
/// surrounds contact data.
pub(crate) struct UnusualInWord;

impl Wanted for UnusualInWord {
    #[inline(always)]
    fn in_block(block: u8x16) -> u8x16 {
        SpecialOrUnusual::in_block(block) | is(block, b'#') | is(block, b' ') | is(block, 0x7f)
    }

    #[inline(always)]
    fn is_wanted(byte: u8) -> bool {
        SpecialOrUnusual::is_wanted(byte) || matches!(byte, b'#' | b' ' | 0x7f)
    }
}

/// What a value that was encoded once too often has: `&`, `%`, `=`, `\`, or bytes beyond ASCII.
pub(crate) struct Encoded;

impl Wanted for Encoded {
    #[inline(always)]
    fn in_block(block: u8x16) -> u8x16 {
        // What is beyond ASCII has its highest bit set already.
        is(block, b'&') | is(block, b'%') | is(block, b'=') | is(block, b'\\') | block
    }

    #[inline(always)]
    fn is_wanted(byte: u8) -> bool {
        matches!(byte, b'&' | b'%' | b'=' | b'\\' | 0x80..)
    }
}

/// What no click id has: all but `A-Z`, `a-z`, `0-9`, `-`, `_`, `.` and `~`.
pub(crate) struct UnusualInClickId;

impl Wanted for UnusualInClickId {
    #[inline(always)]
    fn in_block(block: u8x16) -> u8x16 {
        let is_letter = is_between(block | u8x16::splat(0x20), b'a', b'z');
        let is_digit = is_between(block, b'0', b'9');
        let marks = is(block, b'-') | is(block, b'_') | is(block, b'.') | is(block, b'~');
        !(is_letter | is_digit | marks)
    }

    #[inline(always)]
    fn is_wanted(byte: u8) -> bool {
        !(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~'))
    }
}

/// What no e-mail address has, but for the one `@`: white space, and what surrounds addresses in mail.
pub(crate) struct UnusualInEmail;

impl Wanted for UnusualInEmail {
    #[inline(always)]
    fn in_block(block: u8x16) -> u8x16 {
        let brackets = is(block, b'<') | is(block, b'>') | is(block, b'(') | is(block, b')');
        let marks = is(block, b',') | is(block, b';') | is(block, b'"') | is(block, b'@');
        is_control(block) | is(block, b' ') | is(block, 0x7f) | brackets | marks
    }

    #[inline(always)]
    fn is_wanted(byte: u8) -> bool {
        matches!(
            byte,
            0..=b' ' | b'<' | b'>' | b',' | b';' | b'(' | b')' | b'"' | b'@' | 0x7f
        )
    }
}

#[inline(always)]
fn is(block: u8x16, byte: u8) -> u8x16 {
    block.simd_eq(u8x16::splat(byte))
}

#[inline(always)]
fn is_between(block: u8x16, first: u8, last: u8) -> u8x16 {
    let above = block - u8x16::splat(first);
    above.min(u8x16::splat(last - first)).simd_eq(above)
}

#[inline(always)]
fn is_control(block: u8x16) -> u8x16 {
    block.min(u8x16::splat(0x1f)).simd_eq(block)
}

/// The place of the first wanted byte; the length if there is none.
#[inline(always)]
pub(crate) fn find<W: Wanted>(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((block, behind)) = rest.split_first_chunk() {
        if let Some(found) = first::<W>(*block) {
            return bytes.len() - rest.len() + found;
        }
        rest = behind;
    }
    bytes.len() - rest.len() + find_in_rest::<W>(rest)
}

/// Whether there is no wanted byte.
#[inline(always)]
pub(crate) fn is_free<W: Wanted>(bytes: &[u8]) -> bool {
    find::<W>(bytes) == bytes.len()
}

#[inline(always)]
fn first<W: Wanted>(block: [u8; WIDTH]) -> Option<usize> {
    let found = W::in_block(u8x16::new(block)).to_bitmask();
    (found != 0).then_some(found.trailing_zeros() as usize)
}

/// As [`find`], in less than a block.
fn find_in_rest<W: Wanted>(rest: &[u8]) -> usize {
    // Two halves that overlap make up a block.
    if let (Some(head), Some(tail)) = (rest.first_chunk::<HALF>(), rest.last_chunk::<HALF>()) {
        let mut block = [0; WIDTH];
        block[..HALF].copy_from_slice(head);
        block[HALF..].copy_from_slice(tail);
        return match first::<W>(block) {
            Some(found) if found < HALF => found,
            Some(found) => rest.len() + found - WIDTH,
            None => rest.len(),
        };
    }
    let mut bytes = rest.iter();
    let found = bytes.position(|byte| W::is_wanted(*byte));
    found.unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one_by_one<W: Wanted>(bytes: &[u8]) -> usize {
        let found = bytes.iter().position(|byte| W::is_wanted(*byte));
        found.unwrap_or(bytes.len())
    }

    #[test]
    fn every_byte_is_known_at_every_place() {
        fn check<W: Wanted>() {
            for byte in 0..=255 {
                for length in [1, 7, 8, 12, 16, 17, 31, 40] {
                    for place in 0..length {
                        let mut bytes = vec![b'x'; length];
                        bytes[place] = byte;
                        assert_eq!(find::<W>(&bytes), one_by_one::<W>(&bytes), "{bytes:?}");
                    }
                }
            }
        }
        check::<Special>();
        check::<Unusual>();
        check::<SpecialOrUnusual>();
        check::<UnusualInWord>();
        check::<UnusualInEmail>();
        check::<UnusualInClickId>();
    }

    proptest! {
        #[test]
        fn finds_the_first(bytes in "[a-z\"@{ ]{0,60}") {
            let bytes = bytes.as_bytes();
            prop_assert_eq!(find::<Special>(bytes), one_by_one::<Special>(bytes));
            prop_assert_eq!(find::<Unusual>(bytes), one_by_one::<Unusual>(bytes));
        }
    }
}
