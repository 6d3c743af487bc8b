//! Values that were damaged or encoded on their way here.
//!
//! Shops print names through an escape for HTML, forms send them encoded for a URL, spreadsheets take
//! telephone numbers for numbers. Hashed as they stand, such values match nobody, or somebody else. What
//! was done to them is undone where nothing else can be meant; where something is gone, the value is
//! left out.

use std::borrow::Cow;

use zeroize::{Zeroize as _, Zeroizing};

use crate::bytes::{self, Encoded};
use crate::code::Code;
use crate::encoded::{self, Percent};
use crate::mail::{self, Mail};
use crate::user_field::UserField;

/// How often one value is encoded at most: `&amp;amp;`.
const LAYERS_MAX: usize = 3;

/// The value as it was before, or `None` if nothing was done to it.
///
/// # Errors
///
/// [`Code::ValueDamaged`] if a part of it is gone.
pub(super) fn mended(field: UserField, value: &str) -> Result<Option<Zeroizing<String>>, Code> {
    let cell = of_cell(field, value)?;
    let value = cell.unwrap_or(value);
    let decoded = if is_text(field) {
        decoded(field, value)?
    } else {
        None
    };
    let mended = decoded.or_else(|| cell.map(|cell| Zeroizing::new(cell.to_owned())));
    if !is_number(field) {
        return Ok(mended);
    }
    let text = mended.as_deref().map_or(value, String::as_str);
    match spreadsheet(field, super::text::trim(text))? {
        Some(digits) => Ok(Some(digits)),
        None => Ok(mended),
    }
}

/// What is in a cell of a spreadsheet that was protected from being read as a number: `="02134"`, `=02134`, `'02134`.
///
/// # Errors
///
/// [`Code::ValueDamaged`] if it is a formula.
fn of_cell(field: UserField, value: &str) -> Result<Option<&str>, Code> {
    let Some(first @ ('=' | '\'')) = value.chars().next() else {
        return Ok(None);
    };
    let behind = &value[1..];
    if first == '\'' {
        let is_digits = behind.starts_with(|c: char| c.is_ascii_digit() || c == '+');
        let is_cell = is_digits
            && is_number(field)
            && field != UserField::ExternalId
            && !behind.ends_with('\'');
        return Ok(is_cell.then_some(behind));
    }
    let quoted = behind
        .strip_prefix('"')
        .and_then(|behind| behind.strip_suffix('"'));
    if let Some(inner) = quoted.filter(|inner| !inner.contains('"')) {
        return Ok((is_text(field) || is_number(field)).then_some(inner));
    }
    // `=?` begins an encoded word; of one letter there are two codes or more, one behind the other.
    let is_code = behind.as_bytes().get(2) == Some(&b'=');
    if !is_text(field) || is_code || behind.starts_with('?') {
        return Ok(None);
    }
    if field != UserField::Ph && behind.contains('(') {
        return Err(Code::ValueDamaged);
    }
    Ok(Some(behind))
}

/// Whether a field holds words of people, which get encoded; ids are sent as they are.
fn is_text(field: UserField) -> bool {
    use UserField as F;
    matches!(
        field,
        F::Em
            | F::Ph
            | F::Fn
            | F::Ln
            | F::Ct
            | F::St
            | F::Zp
            | F::Country
            | F::Db
            | F::Ge
            | F::F5first
            | F::F5last
            | F::Fi
    )
}

/// Whether a field holds digits that a spreadsheet takes for a number.
fn is_number(field: UserField) -> bool {
    use UserField as F;
    matches!(
        field,
        F::Ph | F::Zp | F::Db | F::Dobd | F::Dobm | F::Doby | F::LeadId | F::ExternalId
    )
}

fn decoded(field: UserField, value: &str) -> Result<Option<Zeroizing<String>>, Code> {
    let mut mended: Option<Zeroizing<String>> = None;
    for _ in 0..LAYERS_MAX {
        let text = mended.as_deref().map_or(value, String::as_str);
        if bytes::is_free::<Encoded>(text.as_bytes()) {
            break;
        }
        let Some(next) = layer(field, text)? else {
            break;
        };
        mended = Some(next);
    }
    Ok(mended)
}

/// One layer of encoding less, if there is one.
fn layer(field: UserField, text: &str) -> Result<Option<Zeroizing<String>>, Code> {
    if let Cow::Owned(undone) = encoded::without_entities(text) {
        return Ok(Some(Zeroizing::new(undone)));
    }
    match mail::without_mail(text) {
        Mail::Decoded(undone) => return Ok(Some(undone)),
        Mail::Damaged => return Err(Code::ValueDamaged),
        Mail::None => {}
    }
    if let Cow::Owned(undone) = encoded::without_escapes(text) {
        return Ok(Some(Zeroizing::new(undone)));
    }
    match encoded::without_percent(text) {
        Percent::Decoded(undone) => return Ok(Some(Zeroizing::new(undone))),
        // The name before an `@` may hold a `%`, and letters that look like a code behind it.
        Percent::Damaged if field != UserField::Em => return Err(Code::ValueDamaged),
        Percent::Damaged | Percent::None => {}
    }
    Ok(encoded::without_mojibake(text).map(Zeroizing::new))
}

/// The digits that a spreadsheet or a program wrote as a number with a point: `491701234567.0`,
/// `4.91701234567E+11`.
///
/// # Errors
///
/// [`Code::ValueDamaged`] if digits are gone, as in `4.91701E+11`.
fn spreadsheet(field: UserField, text: &str) -> Result<Option<Zeroizing<String>>, Code> {
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    let Some((mantissa, exponent)) = float(unsigned) else {
        return Ok(None);
    };
    let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, ""));
    // An id may be anything, `123456e7` included; only spreadsheets write a plus sign before the exponent.
    if field == UserField::ExternalId && !text.contains("E+") {
        return Ok(None);
    }
    if exponent.is_none() && whole.len() < 3 {
        return Ok(None);
    }
    let mut digits = Zeroizing::new(String::with_capacity(text.len() + 1));
    if unsigned.len() < text.len() {
        digits.push('+');
    }
    digits.push_str(whole);
    match exponent {
        None if fraction.bytes().all(|byte| byte == b'0') => {}
        None => return Ok(None),
        Some(exponent) if fraction.len() == exponent => digits.push_str(fraction),
        Some(exponent)
            if fraction.len() > exponent
                && fraction[exponent..].bytes().all(|byte| byte == b'0') =>
        {
            digits.push_str(&fraction[..exponent]);
        }
        Some(_) => return Err(Code::ValueDamaged),
    }
    // Six figures and zeros are what is left of a telephone number that was a number for a while.
    if field == UserField::Ph && digits.ends_with("00000") {
        digits.zeroize();
        return Err(Code::ValueDamaged);
    }
    Ok(Some(digits))
}

/// The parts of `digits[.,]digits` with or without `E+digits`; `None` if it is not that to the last
/// character, or has neither a point nor an exponent.
fn float(text: &str) -> Option<(&str, Option<usize>)> {
    const EXPONENT_DIGITS_MAX: usize = 2;
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // Nearly every value ends here: its first character that is no digit is another one.
    let behind_digits = text.bytes().find(|byte| !byte.is_ascii_digit())?;
    if !matches!(behind_digits, b'.' | b',' | b'E' | b'e') {
        return None;
    }
    let (mantissa, exponent) = match text.split_once(['E', 'e']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let parts = mantissa.split_once(['.', ',']);
    let is_mantissa = match parts {
        Some((whole, fraction)) => is_digits(whole) && is_digits(fraction),
        None => is_digits(mantissa) && exponent.is_some(),
    };
    let exponent = exponent.map(|exponent| {
        let digits = exponent.strip_prefix('+').unwrap_or(exponent);
        let is_exponent = is_digits(digits) && digits.len() <= EXPONENT_DIGITS_MAX;
        digits.parse().ok().filter(|_| is_exponent)
    });
    match exponent {
        None if is_mantissa => Some((mantissa, None)),
        Some(Some(exponent)) if is_mantissa => Some((mantissa, Some(exponent))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_did_is_undone_where_nothing_is_gone() {
        let gone = Err(Code::ValueDamaged);
        for (field, value, expected) in [
            (UserField::Ph, "491701234567.0", Ok(Some("491701234567"))),
            (UserField::Ph, "+491701234567,00", Ok(Some("+491701234567"))),
            (UserField::Ph, "4.91701234567E+11", Ok(Some("491701234567"))),
            (UserField::Ph, "4,91701234567e11", Ok(Some("491701234567"))),
            (UserField::Ph, "4.91701E+11", gone),
            (UserField::Ph, "5E+11", gone),
            (UserField::Ph, "4915120000000.0", gone),
            (UserField::Ph, "4.915120000000E+12", gone),
            (UserField::Ph, "49.170.1234567", Ok(None)),
            (UserField::Ph, "030.1234567", Ok(None)),
            (UserField::Zp, "94035.0", Ok(Some("94035"))),
            (UserField::Zp, "9.4035E+04", Ok(Some("94035"))),
            (UserField::Zp, "1E+05", gone),
            (UserField::Zp, "E1 6AN", Ok(None)),
            (UserField::Db, "19970216.0", Ok(Some("19970216"))),
            (UserField::Db, "1.9970216E+07", Ok(Some("19970216"))),
            (UserField::Db, "16.02", Ok(None)),
            (UserField::ExternalId, "1.23457E+12", gone),
            (UserField::ExternalId, "12345.0", Ok(None)),
            (UserField::ExternalId, "123456e7", Ok(None)),
            (UserField::Fn, "4.91701E+11", Ok(None)),
        ] {
            let mended = mended(field, value);
            let mended = mended
                .as_ref()
                .map(|mended| mended.as_deref().map(String::as_str));
            assert_eq!(mended.map_err(|code| *code), expected, "{field} {value}");
        }
    }

    #[test]
    fn layers_are_undone_one_by_one() {
        assert_eq!(
            mended(UserField::Fn, "john%dean").err(),
            Some(Code::ValueDamaged)
        );
        assert!(
            mended(UserField::Em, "john%dean@example.com")
                .unwrap()
                .is_none()
        );
        for (value, expected) in [
            ("M&amp;amp;uuml;ller", Some("Müller")),
            ("M%25C3%25BCller", Some("Müller")),
            ("MÃƒÂ¼ller", Some("Müller")),
            ("M%C3%83%C2%BCller", Some("Müller")),
            ("Müller & Söhne", None),
            ("100% Müller", None),
        ] {
            let mended = mended(UserField::Fn, value).unwrap();
            assert_eq!(mended.as_deref().map(String::as_str), expected, "{value}");
        }
    }
}
