//! `ct`, `zp`: cities and postcodes.
//!
//! Names of cities and regions are lower case without digits, white space and ASCII punctuation; accents
//! and other scripts stay.

use super::{Country, text};
use crate::code::Code;

pub(super) fn city(value: &str, out: &mut String) -> Result<(), Code> {
    text::push_lower_without(value, out, |c| {
        c.is_ascii_digit() || text::is_space_or_punctuation(c)
    });
    if out.is_empty() {
        return Err(Code::PlaceInvalid);
    }
    Ok(())
}

/// Digits of the postcodes of a country whose postcodes may begin with a zero, and the most zeros at the
/// start. A spreadsheet takes them away.
fn leading_zeros(country: Country) -> Option<(usize, usize)> {
    Some(match country.bytes() {
        b"au" | b"no" | b"nz" => (4, 1),
        b"de" | b"es" | b"fr" | b"kr" | b"lt" | b"mx" | b"my" | b"sk" | b"tr" => (5, 1),
        b"fi" | b"it" | b"pr" | b"us" => (5, 2),
        b"cn" | b"co" | b"kz" | b"ro" => (6, 1),
        b"jp" => (7, 2),
        b"br" => (8, 1),
        _ => return None,
    })
}

/// How many zeros a postcode of digits has lost at its start.
fn lost_zeros(digits: &str, country: Option<Country>) -> usize {
    let Some(country) = country else { return 0 };
    let Some((count, zeros_max)) = leading_zeros(country) else {
        return 0;
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    // Nine digits in the US, with those of the delivery route.
    let count = if country.is_us() && digits.len() > count {
        9
    } else {
        count
    };
    let lost = count.saturating_sub(digits.len());
    if lost <= zeros_max { lost } else { 0 }
}

pub(super) fn postcode(
    value: &str,
    country: Option<Country>,
    out: &mut String,
) -> Result<Option<Code>, Code> {
    // As `l:` before a lead's id, in Meta's own export of leads.
    let value = value.strip_prefix("z:").unwrap_or(value);
    let end = memchr::memchr(b'-', value.as_bytes()).unwrap_or(value.len());
    // A form writes a space as `+`.
    let is_space = |c: char| c.is_whitespace() || c == '+';
    text::push_lower_without(&value[..end], out, is_space);
    let lost = lost_zeros(out, country);
    for _ in 0..lost {
        out.insert(0, '0');
    }
    if country.is_some_and(Country::is_us)
        && out.len() > 5
        && out.bytes().take(5).all(|byte| byte.is_ascii_digit())
    {
        out.truncate(5);
    }
    if out.chars().nth(1).is_none() {
        return Err(Code::ZpInvalid);
    }
    Ok((lost > 0).then_some(Code::ValueMended))
}
