//! `fn`, `ln` and their parts: lower case, without white space and punctuation.
//!
//! Meta documents "no punctuation"; its parameter builder also removes white space, its older
//! libraries remove neither. Accents and other scripts stay. Only ASCII punctuation counts, as in
//! Meta's own code: a typographic apostrophe stays.

use super::text;
use crate::code::Code;

pub(super) fn normalize(value: &str, out: &mut String) -> Result<(), Code> {
    text::push_lower_without(value, out, text::is_space_or_punctuation);
    if out.is_empty() {
        return Err(Code::NameInvalid);
    }
    Ok(())
}

/// The first `count` characters, lower case. Only Meta's business SDKs know these fields, so their
/// rule holds: punctuation stays.
pub(super) fn initials(value: &str, count: usize, out: &mut String) -> Result<(), Code> {
    out.extend(text::lower(value).chars().take(count));
    if out.is_empty() {
        return Err(Code::NameInvalid);
    }
    Ok(())
}
